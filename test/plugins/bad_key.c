/* A plugin with an option that is called as one of the master's keys. */
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
    {.name = "enabled", .kind = PIW_OPT_SWITCH, .fallback = "yes"},
    PIW_OPT_END,
};

PIW_PLUGIN(bad, .version = "1", .summary = "asks for what it never gets", .options = options, .start = start);
