/* A plugin with an option whose default isn't of its kind. */
#include "piw/plugin.h"

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)task;
    (void)why;
    (void)state;
    (void)err;
    return 0;
}

static const piw_opt options[] = {
    {.name = "limit", .kind = PIW_OPT_INT, .fallback = "10", .min = 1, .max = 20},
    {.name = "pause", .kind = PIW_OPT_DURATION, .fallback = "soon"},
    PIW_OPT_END,
};

PIW_PLUGIN(bad, .version = "1", .summary = "can't be configured", .options = options, .start = start);
