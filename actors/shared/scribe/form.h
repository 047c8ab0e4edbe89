/* form.h — which form the pages of a site have. Any thread.
 *
 * The site itself says it, as it may be older or newer than the database, or have had another master in between: ROOT/.pages
 * has the form's number and how far the pages have been brought to it, in the order of their packages' names; the root list
 * names the form of whoever wrote it last. When both say the present form, what .pages says holds. Else pages may be of any
 * form: there was an older master, a newer or a stock one, or a folder came from a backup. */
#ifndef SHARED_SCRIBE_FORM_H
#define SHARED_SCRIBE_FORM_H

#include "piw/task.h"

/* How far the pages have the present form: up to the package `after` (PIW_NAME_MAX + 1 bytes), or all. `views` is the mark of
 * the farm's views (facts.h): with other views all pages are of another form. *former (malloc; the caller frees) are the names
 * of views that have gone since, whose pages are still there. From here on the site says that its pages are being brought to
 * it, so that a later master of another form knows. On failure nothing is known: none have it. */
int form_begin(const char *root, const char *views, char *after, bool *done, char **former, piw_err *err);
/* mark_form of the_scribe.piw; a piw_work_fn. When all is done, what views that have gone still have goes, but for wheels. */
int job_mark_form(piw_msg *job, piw_msg **result, piw_err *err);

#endif
