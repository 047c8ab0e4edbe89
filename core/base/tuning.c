/* tuning.c — the limits of supervision as they are when no test shortens them. */
#include "base/tuning.h"

piw__tuning piw__tune = {.restart_ms = PIW_LIMIT_RESTART_MS,
                         .restart_max_ms = PIW_LIMIT_RESTART_MAX_MS,
                         .failures = PIW_LIMIT_FAILURES,
                         .failures_window_ms = PIW_LIMIT_FAILURES_MS,
                         .errors_per_s = PIW_LIMIT_ERRORS_PER_S,
                         .stuck_ms = PIW_LIMIT_STUCK_MS,
                         .boundary_ms = PIW_LIMIT_STUCK_MS,
                         .swap_ms = PIW_LIMIT_SWAP_MS,
                         .drain_ms = PIW_LIMIT_DRAIN_MS,
                         .stop_ms = PIW_LIMIT_STOP_MS};
