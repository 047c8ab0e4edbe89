/* histogram.h — inside the core: how long the handlers of one shell take, as a histogram with four steps to each
 * doubling of the time.
 *
 * The shell's thread writes, any thread reads; relaxed on both sides: figures only. A look at the clock costs as
 * much as a small handler, so only the first few handlers of each tick of the coarse clock (4 ms) are timed: all of
 * them in a task that handles less than 1,000 messages a second. Old times lose their weight: all counts are halved
 * now and then. */
#ifndef PIW__TIMES_H
#define PIW__TIMES_H

#include "piw/base.h"

#include <stdatomic.h>

enum {
    PIW__TIMES_STEPS = 112,  /* 128 ns to 68 s */
    PIW__TIMES_A_TICK = 4,   /* handlers timed in one tick */
    PIW__TIMES_FADE = 65536, /* times after which all counts are halved */
};

typedef struct piw__times {
    _Atomic uint32_t counts[PIW__TIMES_STEPS];
    uint32_t total;
    uint32_t in_tick;
    int64_t tick_ns;
} piw__times;

/* Is the handler that begins now to be timed? */
static inline bool piw__times_due(piw__times *times, int64_t coarse_ns)
{
    if (__builtin_expect(times->tick_ns != coarse_ns, 0)) {
        times->tick_ns = coarse_ns;
        times->in_tick = 0;
    }
    return __builtin_expect(times->in_tick < PIW__TIMES_A_TICK, 0);
}

void piw__times_note(piw__times *times, int64_t ns);
void piw__times_clear(piw__times *times);
/* Add one shell's counts to a sum of PIW__TIMES_STEPS. */
void piw__times_sum(const piw__times *times, uint64_t *sum);
/* The time, in nanoseconds, below which `percent` of the sum lies; 0 when it is empty. */
uint64_t piw__times_percentile(const uint64_t *sum, unsigned percent);

#endif
