/* jobs.h — what file_juggler has done in the worker pool: everything that syncs, hashes or compresses.
 *
 * Each is a piw_work_fn: it may block, touches no task, and reports what went wrong as one sentence. */
#ifndef FILE_JUGGLER_JOBS_H
#define FILE_JUGGLER_JOBS_H

#include "piw/task.h"

/* check_file: is a received file of the right size and hash, and a sound wheel? When it is, it and its METADATA are on
 * the disk, staged. Errors are our own trouble (disk, memory); a bad file is an answer. */
int job_check_file(piw_msg *job, piw_msg **result, piw_err *err);
/* write_out: have the disk begin with a part of a file that is still being received; not waited for. */
int job_write_out(piw_msg *job, piw_msg **result, piw_err *err);
/* stage_build: log.txt.gz and record. */
int job_stage_build(piw_msg *job, piw_msg **result, piw_err *err);
/* seal_build: the record once more, with all that the build's row needs, synced like the log. */
int job_seal_build(piw_msg *job, piw_msg **result, piw_err *err);
/* publish_build: renames what is staged to its place; doing it again finishes what was left. */
int job_publish_build(piw_msg *job, piw_msg **result, piw_err *err);
/* read_staged: the package of a staged build, its seal if it has one, and its wheels with their hashes. */
int job_read_staged(piw_msg *job, piw_msg **result, piw_err *err);
/* move_withheld: renames between a package's folder and the hidden one; synced. */
int job_move_withheld(piw_msg *job, piw_msg **result, piw_err *err);
/* sync_site: syncfs. */
int job_sync_site(piw_msg *job, piw_msg **result, piw_err *err);
/* empty_trash */
int job_empty_trash(piw_msg *job, piw_msg **result, piw_err *err);

#endif
