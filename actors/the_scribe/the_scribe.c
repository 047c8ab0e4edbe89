/* the_scribe — the standard writer of the site: the simple index is HTML. What it does stands in shared/scribe. */
#include "shared/scribe/scribe.h"

static int write_pages_html(piw_msg *job, piw_msg **result, piw_err *err)
{
    return job_write_pages(job, NULL, result, err);
}

static int write_root_html(piw_msg *job, piw_msg **result, piw_err *err)
{
    return job_write_root(job, NULL, result, err);
}

static const scribe_writer writer = {.write_pages = write_pages_html, .write_root = write_root_html};

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    return scribe_start(task, &writer, state, err);
}

PIW_PLUGIN(the_scribe, .version = "1.0", .summary = "writes the pages of the site", .serves = scribe_serves,
           .uses = scribe_uses, .needs = scribe_needs, .state_protocol = &the_scribe_protocol_def,
           .state_message = SCRIBE_STATE, .critical = true, .start = start, .stop = scribe_stop, .save = scribe_save,
           .handlers = scribe_handlers, .continuations = scribe_continuations);
