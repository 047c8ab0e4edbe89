/* histogram.c — a histogram whose steps grow with the times. */
#include "base/histogram.h"

enum { UNIT_NS = 128 };

static unsigned step_of(int64_t ns)
{
    uint64_t units = ns > 0 ? (uint64_t)ns / UNIT_NS : 0;
    if (units < 4)
        return (unsigned)units;
    unsigned octave = 63 - (unsigned)__builtin_clzll(units);
    unsigned step = (octave - 1) * 4 + (unsigned)(units >> (octave - 2) & 3);
    return step < PIW__TIMES_STEPS ? step : PIW__TIMES_STEPS - 1;
}

/* The first time that lies above the step. */
static uint64_t end_of(unsigned step)
{
    if (step < 4)
        return (step + 1) * (uint64_t)UNIT_NS;
    unsigned octave = step / 4 + 1;
    return ((4 + step % 4 + 1) * (UINT64_C(1) << (octave - 2))) * UNIT_NS;
}

static uint32_t get(const _Atomic uint32_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

void piw__times_note(piw__times *times, int64_t ns)
{
    times->in_tick++;
    _Atomic uint32_t *count = &times->counts[step_of(ns)];
    atomic_store_explicit(count, get(count) + 1, memory_order_relaxed);
    if (++times->total < PIW__TIMES_FADE)
        return;
    times->total = 0;
    for (unsigned i = 0; i < PIW__TIMES_STEPS; i++) {
        uint32_t half = get(&times->counts[i]) / 2;
        atomic_store_explicit(&times->counts[i], half, memory_order_relaxed);
        times->total += half;
    }
}

void piw__times_clear(piw__times *times)
{
    for (unsigned i = 0; i < PIW__TIMES_STEPS; i++)
        atomic_store_explicit(&times->counts[i], 0, memory_order_relaxed);
    times->total = 0;
}

void piw__times_sum(const piw__times *times, uint64_t *sum)
{
    for (unsigned i = 0; i < PIW__TIMES_STEPS; i++)
        sum[i] += get(&times->counts[i]);
}

uint64_t piw__times_percentile(const uint64_t *sum, unsigned percent)
{
    uint64_t total = 0, below = 0;
    for (unsigned i = 0; i < PIW__TIMES_STEPS; i++)
        total += sum[i];
    for (unsigned i = 0; i < PIW__TIMES_STEPS && total > 0; i++) {
        below += sum[i];
        if (below * 100 >= total * percent)
            return end_of(i);
    }
    return 0;
}
