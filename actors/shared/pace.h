/* pace.h — what can wait gives way while builds are being recorded: for how long it rests after each piece of its work.
 *
 * A piece is begun, ends, and is followed by a rest that is as long as the piece took, times a factor; without builds there is
 * no rest. So the share of the machine that it takes doesn't depend on how fast the machine is. Pieces are short at all times, since
 * what is under way when builds begin comes to its end first. Times are the monotonic clock's, given by the caller. One
 * thread. */
#ifndef SHARED_PACE_H
#define SHARED_PACE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pace {
    int64_t lasts_ms;          /* so long after a build others may follow */
    int64_t times;             /* a rest is so many times as long as the piece before it */
    int64_t least_ms, most_ms; /* of a rest */
    int64_t piece_ms;          /* a piece is to take so long at most */
    int64_t recorded_ns;       /* when a build was recorded last; 0: never */
} pace;

/* Of bulk work: pages, lists and looks that nobody waits for. A sixteenth of the time it works. What takes very long, as on a
 * machine that has other work too, is followed by a bounded rest, so that it comes to its end. */
static const pace PACE_BULK = {.lasts_ms = 1000, .times = 15, .least_ms = 1, .most_ms = 8000, .piece_ms = 20};

/* Of transfers, which have slaves that wait for them: a moment. A processor that does nothing is found at once by whoever wakes up;
 * one that is busy with the least important thing isn't always (docs/performance.md#transfers). */
static const pace PACE_TRANSFERS = {.lasts_ms = 20, .times = 1, .least_ms = 3, .most_ms = 3};

static inline void pace_recorded(pace *self, int64_t now_ns)
{
    self->recorded_ns = now_ns;
}

/* Are builds being recorded? */
static inline bool pace_yields(const pace *self, int64_t now_ns)
{
    return self->recorded_ns != 0 && now_ns - self->recorded_ns <= self->lasts_ms * 1000000;
}

/* The rest after a piece that has taken so long: 0 while no builds are recorded. */
static inline int64_t pace_rest_ms(const pace *self, int64_t now_ns, int64_t took_ns)
{
    if (!pace_yields(self, now_ns))
        return 0;
    int64_t rest_ms = took_ns / 1000000 >= self->most_ms ? self->most_ms : took_ns * self->times / 1000000;
    return rest_ms < self->least_ms ? self->least_ms : rest_ms > self->most_ms ? self->most_ms : rest_ms;
}

/* How many things the next piece is to have after one of `size` that took so long, of `most` at most. Things differ: it halves at
 * once, and doubles only where there is much time left. */
static inline uint32_t pace_size(const pace *self, uint32_t size, uint32_t most, int64_t took_ns)
{
    int64_t piece_ns = self->piece_ms * 1000000;
    if (took_ns > piece_ns)
        return size > 1 ? size / 2 : 1;
    if (took_ns > piece_ns / 3)
        return size;
    return size < most / 2 ? 2 * size : most;
}

#endif
