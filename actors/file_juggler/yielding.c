/* yielding.c — while builds are being recorded the jobs of transfers have the least priority: they get what of the processors nobody
 * else wants, and no more is asked for than they have done. */
#include "juggler.h"

enum {
    /* Where that took so long it got next to nothing. For a part of as long jobs are then done as any other, so that a transfer comes
     * to its end however much others have to do. */
    STARVED_NS = 20000000,
    STARVED_PART = 8,
};

bool yielding(const juggler *self)
{
    return pace_yields(&self->transfers_pace, piw_monotonic_ns());
}

uint64_t yielding_key(juggler *self)
{
    uint64_t now = (uint64_t)piw_monotonic_ns();
    self->last_key = now > self->last_key ? now : self->last_key + 1;
    return self->last_key;
}

int yielding_work(piw_task *task, piw_work_fn *fn, piw_msg **job, const char *continuation, uint64_t key)
{
    const juggler *self = piw_soul(task);
    if (yielding(self) && piw_monotonic_ns() >= self->as_usual_until_ns)
        return piw_work_background(task, fn, job, continuation, key);
    return piw_work(task, fn, job, continuation, key);
}

void yielding_worked(juggler *self, uint64_t key)
{
    int64_t now_ns = piw_monotonic_ns(), took_ns = now_ns - (int64_t)key;
    if (took_ns > STARVED_NS && now_ns >= self->as_usual_until_ns)
        self->as_usual_until_ns = now_ns + took_ns / STARVED_PART;
}
