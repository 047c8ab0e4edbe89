/* scribe.h — the body that all writers of the site share: requests, order of writing, state over a swap.
 *
 * A writer is a plugin of a few lines: it says which forms of the pages it makes, and its manifest names what stands
 * here. As all keep the same state, each may take over from each while requests are under way. */
#ifndef SHARED_SCRIBE_SCRIBE_H
#define SHARED_SCRIBE_SCRIBE_H

#include "jobs.h"
#include "piw/plugin.h"

/* What tells writers apart; lives as long as the plugin's image. */
typedef struct scribe_writer {
    piw_work_fn *write_pages; /* a write_pages job: calls job_write_pages */
    piw_work_fn *write_root;  /* a write_root job: calls job_write_root */
} scribe_writer;

/* The standard writer: the simple index as HTML and JSON. */
extern const scribe_writer scribe_standard;

/* For the manifest: start calls scribe_start with the plugin's writer; the state is SCRIBE_STATE of the_scribe.piw. */
int scribe_start(piw_task *task, const scribe_writer *writer, const piw_msg *state, piw_err *err);
void scribe_stop(piw_task *task, bool leaving);
int scribe_save(piw_task *task, piw_msg **state, piw_err *err);
extern const piw_service scribe_serves[], scribe_uses[];
extern const char *const scribe_needs[];
extern const piw_event scribe_subscribes[];
extern const piw_handler scribe_handlers[];
extern const piw_continuation scribe_continuations[];

#endif
