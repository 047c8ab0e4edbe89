/* bench.h — what benches share: scale, clock, and the lines that they print:
 *
 *     name<TAB>value<TAB>unit<TAB>limit<TAB>ratio
 *
 * `limit` is what was measured beside it in the same run, `ratio` value / limit; both are empty for a limit itself. */
#ifndef BENCH_H
#define BENCH_H

#include "piw/codec.h"

#include <stdio.h>
#include <stdlib.h>

/* `tiny` must end in seconds: it shows that the bench works, not how fast anything is. */
static inline bool bench_tiny(int argc, char **argv)
{
    return argc > 1 && strcmp(argv[1], "tiny") == 0;
}

static inline void bench_line(const char *name, double value, const char *unit, double limit)
{
    if (limit > 0)
        printf("%s\t%.0f\t%s\t%.0f\t%.2f\n", name, value, unit, limit, value / limit);
    else
        printf("%s\t%.0f\t%s\t\t\n", name, value, unit);
    fflush(stdout);
}

static inline void bench_die(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

#endif
