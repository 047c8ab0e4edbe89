/* conversation.h — what slave and master say to each other (docs/wire.md#slaves). */
#ifndef SLAVE_CONVERSATION_H
#define SLAVE_CONVERSATION_H

#include "slave.h"

/* Speak with masters until we are told to stop (by a signal or by DIE). Returns 0, or an error that trying again
 * doesn't help. */
int slave_converse(slave *s, piw_err *err);

#endif
