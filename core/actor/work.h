/* work.h — inside the core: the worker pool, for what takes longer than a handler may.
 *
 * Any thread submits; results come to the mailbox of the shell that asked, as the answer to its call. */
#ifndef PIW__WORK_H
#define PIW__WORK_H

#include "type/message.h"

typedef struct piw__pool_of_workers piw__workers;

/* `background`: how many threads more have the least priority (PIW_LIMIT_BACKGROUND at most), beside which another one does large
 * jobs; without any all jobs are done by the others. */
int piw__workers_start(piw__workers **workers, unsigned threads, unsigned background, piw_err *err);
/* Run `fn` with the job, taking it; its result goes to job->from as the answer to job->call_id. A job of more than
 * PIW_LIMIT_LARGE_JOB goes to a thread of its own. */
void piw__workers_submit(piw__workers *workers, piw_work_fn *fn, piw_msg *job, bool background);
/* Wait until all that was submitted has been done; by who alone submits, to a pool without threads of the background. */
void piw__workers_drain(piw__workers *workers);
/* Waits for jobs that run, within PIW_LIMIT_STOP_MS; those that haven't begun, and what is submitted later, are
 * answered with PIW_ESTOPPED. A second call does nothing. NULL is allowed. */
void piw__workers_stop(piw__workers *workers);
/* After piw__workers_stop, when nobody can submit any more. NULL is allowed. */
void piw__workers_free(piw__workers **workers);

#endif
