/* counts.h — what events tell, summed up: the state that goes over in a swap is where the sums are kept. The task's thread only. */
#ifndef METRICS_COUNTS_H
#define METRICS_COUNTS_H

#include "events.piw.h"
#include "metrics.piw.h"

enum {
    COUNTS_BUILDS_MAX = 1000,   /* ABIs, outcomes and causes together … */
    COUNTS_DURATIONS_MAX = 400, /* ABIs and outcomes */
    COUNTS_REFUSED_MAX = 32,
};

/* Upper bounds in seconds; the last count is of what took longer. */
typedef struct counts_bounds {
    const double *at;
    uint32_t count;
} counts_bounds;
extern const counts_bounds counts_of_builds, counts_of_database;

/* All zero, with room for as much as there may be; `kept` is an earlier one's, or NULL. */
piw_msg *counts_new(const metrics_state *kept);
void counts_attempt(piw_msg *counts, const attempt_over *event);
void counts_files(piw_msg *counts, const files_counted *event);
void counts_pages(piw_msg *counts, const pages_counted *event);
void counts_follower(piw_msg *counts, const follower_at *event);
void counts_answer(piw_msg *counts, double seconds);

#endif
