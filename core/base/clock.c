/* clock.c — the clock that every interval is measured with. */
#include "piw/base.h"

#include <time.h>

int64_t piw_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock on Linux */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
