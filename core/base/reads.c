/* reads.c — clocks and chance, read once more as they were. */
#include "base/reads.h"

#include "piw/err.h"

#include <stdlib.h>
#include <sys/random.h>

__thread piw__reads *piw__reads_now;

int64_t piw__reads_note(piw__reads *reads, piw__read_kind kind, int64_t value)
{
    uint32_t count = reads->of[kind].count, *next = &reads->of[kind].next;
    int64_t *at = reads->of[kind].at;
    if (reads->play)
        return *next < count ? at[(*next)++] : count > 0 ? at[count - 1] : value;
    if (count < PIW__READS)
        at[reads->of[kind].count++] = value;
    return value;
}

uint64_t piw_random(void)
{
    uint64_t value;
    if (getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value))
        abort(); /* so few bytes are always there, once the system has started */
    return (uint64_t)piw__read(PIW__READ_RANDOM, (int64_t)value);
}
