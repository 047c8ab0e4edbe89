/* log_pages.h — the pages of builds' logs, beside the logs. Worker pool. */
#ifndef SHARED_SCRIBE_LOG_PAGES_H
#define SHARED_SCRIBE_LOG_PAGES_H

#include "piw/err.h"
#include "the_scribe.piw.h"

/* Write those of the package's newest builds that have a log and no page yet. */
int log_pages_write(const site_facts *site, const project_data *data, piw_err *err);

#endif
