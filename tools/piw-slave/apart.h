/* apart.h — why there is no connection to the master. Main thread only. */
#ifndef PIW_SLAVE_APART_H
#define PIW_SLAVE_APART_H

#include "piw/base.h"

/* ZeroMQ tries on without a word, so the address is tried here once more: a sentence on what is wrong with it, such as an unknown
 * name or a refused connection; false when nothing is. Takes at most two seconds. */
bool slave_why_apart(const char *address, char *to, size_t size);

#endif
