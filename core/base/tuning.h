/* tuning.h — inside the core: limits of supervision that tests shorten. Set before a runtime is made. */
#ifndef PIW__TUNING_H
#define PIW__TUNING_H

#include "piw/base.h"
#include "piw/limits.h"

typedef struct piw__tuning {
    int restart_ms;         /* PIW_LIMIT_RESTART_MS */
    int restart_max_ms;     /* PIW_LIMIT_RESTART_MAX_MS */
    int failures;           /* PIW_LIMIT_FAILURES */
    int failures_window_ms; /* PIW_LIMIT_FAILURES_MS */
    int errors_per_s;       /* PIW_LIMIT_ERRORS_PER_S */
    int stuck_ms;           /* PIW_LIMIT_STUCK_MS */
    int boundary_ms;        /* a swap waits so long for the end of the handler that runs */
    int swap_ms;            /* PIW_LIMIT_SWAP_MS */
    int drain_ms; /* PIW_LIMIT_DRAIN_MS: a stopping task may work off its mailbox and open calls for so long */
    int stop_ms;  /* PIW_LIMIT_STOP_MS: what has not stopped by then is left behind */
} piw__tuning;

PIW_API extern piw__tuning piw__tune;

#endif
