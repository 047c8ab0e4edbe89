/* facts.h — the site's names, addresses and views, as the configuration has them and every page needs them. The task's thread. */
#ifndef SHARED_SCRIBE_FACTS_H
#define SHARED_SCRIBE_FACTS_H

#include "piw/task.h"
#include "shared/views.h"
#include "the_scribe.piw.h"

typedef struct facts {
    char *root, *name, *base_url, *accent, *notice, *templates;
    piw_views views;
    char *mark; /* the views in a line, by which their pages are known to be of them (form.h); "": the farm has none */
    char *former; /* names of views that have gone, whose pages go too, each behind a blank; "": none */
} facts;

/* By the task's settings; `root` is the output path. PIW_ECONFIG: the views can't be used. The caller frees, whatever is returned. */
int facts_read(facts *self, piw_task *task, const char *root, piw_err *err);
void facts_fini(facts *self);
/* The same for a job. */
void facts_fill(const facts *self, piw_msg *job, site_facts *to);

#endif
