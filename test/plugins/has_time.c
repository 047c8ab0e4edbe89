/* A task that no other needs, and that notes its start. */
#include "notes_start.h"

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    (void)state;
    (void)err;
    notes_start(task, 'l');
    return 0;
}

PIW_PLUGIN(has_time, .version = "1", .summary = "a fixture of the runtime's tests", .start = start);
