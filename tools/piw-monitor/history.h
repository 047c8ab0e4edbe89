/* history.h — how some figures went: samples, oldest first, and what of them fits a graph. */
#ifndef MONITOR_HISTORY_H
#define MONITOR_HISTORY_H

#include "piw/base.h"

/* Zero with `figures` (of each sample) and `max` (samples kept) set is empty. */
typedef struct history {
    unsigned figures, max;
    unsigned count, size;
    uint64_t dropped; /* samples before the oldest: graphs move by whole columns */
    int64_t *stamps;
    float *values; /* `figures` to each sample */
} history;

void history_fini(history *self);
void history_clear(history *self);
/* Takes its place by its time; one of the same time is there already, and stays. A sample far behind the newest means
 * that the clock was set back: then the past is forgotten. */
void history_add(history *self, int64_t stamp_us, const float *values);
/* One figure of all samples in at most `width` values, oldest first: means over equal numbers of samples. Returns how
 * many values there are. */
unsigned history_graph(const history *self, unsigned figure, float *to, unsigned width);

#endif
