/* history.h — keeps samples of figures, the oldest first, and condenses them to the width of a graph. */
#ifndef MONITOR_HISTORY_H
#define MONITOR_HISTORY_H

#include "piw/base.h"

/* Set to zero but for `figures` (how many values a sample has) and `max` (how many samples are kept), it is an
 * empty one. */
typedef struct history {
    unsigned figures, max;
    unsigned count, size;
    uint64_t dropped; /* how many samples were dropped: graphs move by whole columns */
    int64_t *stamps;
    float *values; /* `figures` of them for each sample */
} history;

void history_fini(history *self);
void history_clear(history *self);
/* Adds a sample at the place that its time gives it, unless there is one of that time. A sample that is far older
 * than the newest means that the clock was set back: all earlier samples are dropped. */
void history_add(history *self, int64_t stamp_us, const float *values);
/* Condenses one figure of all samples to at most `width` values, the oldest first. Each is the mean of the same
 * number of samples. Returns how many values there are. */
unsigned history_graph(const history *self, unsigned figure, float *to, unsigned width);

#endif
