/* unit.h — what a unit program provides: its suite. main.c prints a TAP line a test for test/run; a test that must be
 * left out prints a line `skip NAME - why`. CK_FORK=no in the environment runs without forks (sanitizers, gdb). */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <stdlib.h>

/* Each test_*.c defines this. */
Suite *unit_suite(void);

/* How often a long run goes round: `usual` times, or PIW_TIMES (environment; `make soak`) times as often. */
static inline int unit_times(int usual)
{
    const char *times = getenv("PIW_TIMES");
    int factor = times != NULL ? atoi(times) : 1;
    return usual * (factor >= 1 && factor <= 1000 ? factor : 1);
}

#endif
