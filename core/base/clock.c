/* clock.c — the clock that every interval is measured with. */
#include "base/clock.h"

#include "base/reads.h"

#include <time.h>

int64_t piw_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock on Linux */
    return piw__read(PIW__READ_MONOTONIC, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
}

int64_t piw__coarse_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
