/* scribe_html — a writer of the site that gives the simple index no JSON form: an example of a task that takes a standard
 * one's place, and gives it back, while requests are under way:
 *
 *     [task:the_scribe]
 *     plugin = scribe_html.so */
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

PIW_PLUGIN(scribe_html, .version = "1.0", .summary = "writes the pages of the site, the simple index in HTML alone",
           .serves = scribe_serves, .uses = scribe_uses, .needs = scribe_needs, .subscribes = scribe_subscribes,
           .state_protocol = &the_scribe_protocol_def, .state_message = SCRIBE_STATE, .critical = true, .start = start,
           .stop = scribe_stop, .save = scribe_save, .handlers = scribe_handlers,
           .continuations = scribe_continuations);
