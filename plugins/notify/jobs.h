/* jobs.h — what notify has done in the worker pool. Any thread. */
#ifndef NOTIFY_JOBS_H
#define NOTIFY_JOBS_H

#include "piw/task.h"

piw_work_fn job_post_notice, job_keep_state;
/* Write a file whole or not at all, for its owner alone, and have it reach the disk. */
int notify_write(const char *path, const void *data, size_t len, piw_err *err);

#endif
