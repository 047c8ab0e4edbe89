/* scribe_json — a writer of the site that gives the simple index its JSON form too, for web servers that negotiate
 * (packaging/nginx, packaging/apache). Takes the_scribe's place, and gives it back, while requests are under way:
 *
 *     [task:the_scribe]
 *     plugin = scribe_json.so */
#include "simple_json.h"

#include "shared/scribe/scribe.h"

static const simple_json forms = {.index = simple_json_index, .root = simple_json_root};

static int write_pages_json(piw_msg *job, piw_msg **result, piw_err *err)
{
    return job_write_pages(job, &forms, result, err);
}

static int write_root_json(piw_msg *job, piw_msg **result, piw_err *err)
{
    return job_write_root(job, &forms, result, err);
}

static const scribe_writer writer = {.write_pages = write_pages_json, .write_root = write_root_json};

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    return scribe_start(task, &writer, state, err);
}

PIW_PLUGIN(scribe_json, .version = "1.0", .summary = "writes the pages of the site, the simple index in JSON too",
           .serves = scribe_serves, .uses = scribe_uses, .needs = scribe_needs,
           .state_protocol = &the_scribe_protocol_def, .state_message = SCRIBE_STATE, .critical = true, .start = start,
           .stop = scribe_stop, .save = scribe_save, .handlers = scribe_handlers,
           .continuations = scribe_continuations);
