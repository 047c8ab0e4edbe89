/* the_scribe — the standard writer of the site. What it does stands in shared/scribe. */
#include "shared/scribe/scribe.h"

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    return scribe_start(task, &scribe_standard, state, err);
}

PIW_PLUGIN(the_scribe, .version = "1.1", .summary = "writes the pages of the site", .serves = scribe_serves,
           .uses = scribe_uses, .needs = scribe_needs, .subscribes = scribe_subscribes,
           .state_protocol = &the_scribe_protocol_def, .state_message = SCRIBE_STATE, .critical = true, .start = start,
           .stop = scribe_stop, .save = scribe_save, .handlers = scribe_handlers,
           .continuations = scribe_continuations);
