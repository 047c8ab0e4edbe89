/* storms.h — limits under which a task may be swapped, or fail, a thousand times in a row. */
#ifndef STORMS_H
#define STORMS_H

#include "base/tuning.h"

static inline void storms_allow(void)
{
    piw__tune = (piw__tuning){.restart_ms = 0,
                              .restart_max_ms = 0,
                              .failures = 1000000,
                              .failures_window_ms = 1,
                              .errors_per_s = 1000000,
                              .stuck_ms = 5000,
                              .boundary_ms = 10000,
                              .swap_ms = 5000,
                              .drain_ms = 2000,
                              .stop_ms = PIW_LIMIT_STOP_MS};
}

#endif
