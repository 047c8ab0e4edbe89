/* window.c — how much of a file is asked for ahead, found out by measuring. */
#include "window.h"

enum {
    FIRST = 3, /* right for a slave in the same building */
    /* An epoch is as long as it takes to see what its size does: so many windows, and so long; on a slow line no longer
     * than it takes to see that it is slow. */
    EPOCH_WINDOWS = 4,
    EPOCH_MIN_NS = 5000000,
    EPOCH_MAX_NS = 1000000000,
    RESTS = 8,   /* epochs between two tries */
    BETTER = 10, /* percent that more ahead must bring; less ahead may bring as much less as noise has */
    WORSE = 2,
    /* A piece takes no longer than this: a slave that hears nothing for five seconds begins again. */
    PIECE_MAX_MS = 1000,
};

/* Bytes of a piece, and how many are asked for ahead. What is asked for ahead takes memory, 10 MiB at most, of the
 * slave and of the master. */
static const struct rung {
    int32_t piece, count;
} ladder[] = {
    {64 << 10, 2}, {128 << 10, 2}, {256 << 10, 2}, {256 << 10, 4}, {512 << 10, 4}, {1 << 20, 4}, {1 << 20, 10},
};
enum { TOP = PIW_COUNT(ladder) - 1 };

void window_init(window *w)
{
    *w = (window){.rung = FIRST, .home = FIRST, .next_try = 1};
}

int64_t window_piece(const window *w)
{
    return ladder[w->rung].piece;
}

int64_t window_ahead(const window *w, int64_t most)
{
    int64_t ahead = (int64_t)ladder[w->rung].piece * ladder[w->rung].count;
    return ahead < most ? ahead : most < ladder[w->rung].piece ? ladder[w->rung].piece : most;
}

void window_stood(window *w)
{
    w->began_ns = 0;
}

/* Has it a rung there, whose pieces this rate doesn't take too long for? */
static bool may_go(const window *w, int step)
{
    if (step < 0)
        return w->home > 0;
    return w->home < TOP && ladder[w->home + 1].piece <= w->rate * PIECE_MAX_MS / 1000;
}

static void look_around(window *w)
{
    w->rests = RESTS;
    if (!may_go(w, w->next_try))
        w->next_try = (int8_t)-w->next_try;
    if (may_go(w, w->next_try))
        w->rung = (uint8_t)(w->home + w->next_try);
}

/* What the neighbour's size has brought. */
static void judge(window *w, int64_t rate)
{
    bool up = w->rung > w->home;
    int64_t wanted = up ? w->rate + w->rate * BETTER / 100 : w->rate - w->rate * WORSE / 100;
    if (rate < wanted) {
        w->rung = w->home;
        w->next_try = (int8_t)-w->next_try;
        return;
    }
    w->home = w->rung;
    w->rate = rate;
    w->rests = 0; /* on in the same direction */
}

static void end_epoch(window *w, int64_t rate)
{
    if (w->rung != w->home) {
        judge(w, rate);
        return;
    }
    w->rate = w->rate == 0 ? rate : (3 * w->rate + rate) / 4;
    if (w->home > 0 && ladder[w->home].piece > w->rate * PIECE_MAX_MS / 1000)
        w->rung = --w->home;
    else if (w->rests-- == 0)
        look_around(w);
}

void window_took(window *w, int64_t bytes, int64_t now_ns)
{
    if (w->began_ns == 0) { /* how long this piece took isn't known */
        w->began_ns = now_ns;
        w->bytes = 0;
        return;
    }
    w->bytes += bytes;
    int64_t took_ns = now_ns - w->began_ns;
    bool seen = took_ns >= EPOCH_MIN_NS && w->bytes >= EPOCH_WINDOWS * window_ahead(w, INT64_MAX);
    if (!seen && took_ns < EPOCH_MAX_NS)
        return;
    end_epoch(w, (int64_t)((double)w->bytes * 1e9 / (double)took_ns));
    w->began_ns = now_ns;
    w->bytes = 0;
}
