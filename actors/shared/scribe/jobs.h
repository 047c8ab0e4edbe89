/* jobs.h — what a writer of the site has done in the worker pool: making pages and writing them. */
#ifndef SHARED_SCRIBE_JOBS_H
#define SHARED_SCRIBE_JOBS_H

#include "piw/codec.h"
#include "piw/task.h"
#include "the_scribe.piw.h"

/* The JSON form of the simple index, for writers that make it; pure, any thread. */
typedef struct simple_json {
    void (*index)(const project_data *data, piw_text view,
                  piw_buffer *to);                                     /* simple/PKG/index.v1.json; as page_index */
    void (*root)(const char *names, size_t names_len, piw_buffer *to); /* simple/index.v1.json; as page_root */
} simple_json;

/* write_pages: simple index first, then the project's page, its JSON, the links of its other spellings. PIW_EAGAIN: a file that they
 * name isn't in place yet (in_place.h); PIW_EIO: the site is away. With `json` NULL the simple index has no JSON form, and one that
 * another writer made is removed before the page is written. */
int job_write_pages(piw_msg *job, const simple_json *json, piw_msg **result, piw_err *err);
/* write_root: the same for the root list. */
int job_write_root(piw_msg *job, const simple_json *json, piw_msg **result, piw_err *err);
/* remove_pages: the reverse of write_pages, all forms; folders go when they are empty. A piw_work_fn, as the next. */
int job_remove_pages(piw_msg *job, piw_msg **result, piw_err *err);
int job_write_site(piw_msg *job, piw_msg **result, piw_err *err);
/* write_search: packages.json and the sitemaps, their list last; those that are no longer needed go. */
int job_write_search(piw_msg *job, piw_msg **result, piw_err *err);

#endif
