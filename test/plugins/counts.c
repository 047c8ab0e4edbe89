/* A task that is at long work for ever: its note says how far it is, and it warns all the while. */
#include "piw/plugin.h"

enum { EVERY_MS = 100 };

static int on_sheep(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)task;
    (void)reply;
    (void)key;
    piw_warning("a black sheep");
    return 0;
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    (void)state;
    (void)err;
    piw_task_note(task, "50 %% done, 6 of 12 sheep counted, about 0 h 06 min left");
    return piw_timer(task, PIW_ON(sheep), 0, EVERY_MS, EVERY_MS);
}

static const piw_continuation continuations[] = {PIW_CONTINUATION(sheep), PIW_CONTINUATIONS_END};

PIW_PLUGIN(counts, .version = "1", .summary = "counts sheep", .start = start, .continuations = continuations);
