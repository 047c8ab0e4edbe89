/* clock.h — inside the core: a clock that costs next to nothing to read. Any thread. */
#ifndef PIW__CLOCK_H
#define PIW__CLOCK_H

#include "piw/base.h"

/* CLOCK_MONOTONIC as of the last tick (4 ms): for what is measured once a message. */
int64_t piw__coarse_ns(void);

#endif
