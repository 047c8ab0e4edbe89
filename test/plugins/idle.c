/* A task that serves, keeps and does nothing. */
#include "piw/plugin.h"

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)task;
    (void)why;
    (void)state;
    (void)err;
    return 0;
}

PIW_PLUGIN(idle, .version = "1", .summary = "a fixture of the runtime's tests", .start = start);
