/* scribe_json — the standard writer of the site under the name that it had while the_scribe wrote no JSON. Configurations that
 * name it go on working for one release. */
#include "piw/log.h"
#include "shared/scribe/scribe.h"

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    piw_warning(
        "scribe_json.so goes with the next release: the_scribe.so, which runs without being named, writes the same "
        "(take \"plugin = scribe_json.so\" out of the section [task:%s])",
        piw_task_name(task));
    return scribe_start(task, &scribe_standard, state, err);
}

PIW_PLUGIN(scribe_json, .version = "1.1", .summary = "the_scribe under an older name", .serves = scribe_serves,
           .uses = scribe_uses, .needs = scribe_needs, .state_protocol = &the_scribe_protocol_def,
           .state_message = SCRIBE_STATE, .critical = true, .start = start, .stop = scribe_stop, .save = scribe_save,
           .handlers = scribe_handlers, .continuations = scribe_continuations);
