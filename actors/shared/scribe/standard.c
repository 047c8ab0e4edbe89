/* standard.c — the forms that the standard writer gives the simple index: HTML, and JSON since HTML gets no more of what the
 * Simple repository API adds. */
#include "scribe.h"
#include "simple_json.h"

static int write_pages_standard(piw_msg *job, piw_msg **result, piw_err *err)
{
    return job_write_pages(job, &simple_json_forms, result, err);
}

static int write_root_standard(piw_msg *job, piw_msg **result, piw_err *err)
{
    return job_write_root(job, &simple_json_forms, result, err);
}

const scribe_writer scribe_standard = {.write_pages = write_pages_standard, .write_root = write_root_standard};
