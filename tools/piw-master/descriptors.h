/* descriptors.h — who connects gets a descriptor only while enough are left for the site, the database and the local queues. */
#ifndef MASTER_DESCRIPTORS_H
#define MASTER_DESCRIPTORS_H

#include "piw/err.h"

/* Raises the limit as far as it goes, and says when that isn't far enough. Then a thread begins that looks every second: what is
 * refused, and that descriptors run short, is in the log. Called before the first connection is let in. */
int descriptors_start(piw_err *err);
/* Ends the thread; nothing is refused any more. Does nothing when it wasn't started. */
void descriptors_stop(void);

#endif
