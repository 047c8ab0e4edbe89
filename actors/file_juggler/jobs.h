/* jobs.h — what file_juggler has done in the worker pool: everything that syncs, hashes or compresses.
 *
 * Each is a piw_work_fn: it may block, touches no task, and reports what went wrong as one sentence. */
#ifndef FILE_JUGGLER_JOBS_H
#define FILE_JUGGLER_JOBS_H

#include "piw/task.h"

#include <string.h>

enum { JOB_SYNCED_ALONE = 1 << 20 /* bytes: wheels that are larger are synced when they are checked */ };

/* Is this, in a staging folder, a wheel or another name of one? */
static inline bool job_is_wheel(const char *name)
{
    size_t len = strlen(name);
    return name[0] != '.' && len > 4 && strcmp(name + len - 4, ".whl") == 0;
}

/* check_file: is a received file of the right size and hash, and a sound wheel? When it is, its
 * METADATA is staged beside it, and with `log` the build's log; a large one is on the disk. Errors are our own trouble (disk, memory); a bad file is an answer. */
int job_check_file(piw_msg *job, piw_msg **result, piw_err *err);
/* read_along: store what has come of a file, and read on in it (along.c). */
int job_read_along(piw_msg *job, piw_msg **result, piw_err *err);
/* A part of it. */
int job_write_at(int fd, const void *data, size_t len, int64_t at, piw_err *err);
/* write_out: have the disk begin with a part of a file that is still being received; not waited for. */
int job_write_out(piw_msg *job, piw_msg **result, piw_err *err);
/* A part of job_check_file: the log of a staged build. */
struct staged_log;
int job_stage_log(const struct staged_log *log, piw_err *err);
/* keep_log: staged beside the wheels, or in its place. */
int job_keep_log(piw_msg *job, piw_msg **result, piw_err *err);
/* The fault points before a build's log is kept, and after it. */
int job_keeping_begins(int64_t build_id, piw_err *err);
int job_keeping_ends(int64_t build_id, piw_err *err);
/* How something comes from the journal into its place: by way of a room (atomic_file.h; NULL: none), or it was written before and is
 * renamed (NULL: it wasn't). */
struct ready_files;
typedef struct job_place {
    const char *root;
    struct piw_room *room;
    const struct ready_files *ready;
} job_place;
/* What it has cost, in the arena of `msg`; NULL when no file was made. */
const struct room_cost *job_room_cost(piw_msg *msg, const struct piw_room *room);
/* make_ready: what can't be written isn't, and is said when it is asked for. */
int job_make_ready(piw_msg *job, piw_msg **result, piw_err *err);
/* What was made so, and isn't in its place, goes. */
void job_drop_ready(const struct ready_files *files);
/* Write the log of a build without wheels where the site has it. `again`: what lies there is its own; else another's stays, which is
 * said, and *foreign becomes true. */
int job_place_log(const job_place *by, int64_t build_id, const piw_blob *output, bool again, bool *foreign,
                  piw_err *err);
/* place_logs: never an error, each log has its own. */
int job_place_logs(piw_msg *job, piw_msg **result, piw_err *err);
/* check_logs: those that reached the disk in part only are removed. */
int job_check_logs(piw_msg *job, piw_msg **result, piw_err *err);
/* sync_builds: never an error, each build has its own. */
int job_sync_builds(piw_msg *job, piw_msg **result, piw_err *err);
/* seal_build: beside what is staged, a record with all that the build's row needs; record and log are synced. */
int job_seal_build(piw_msg *job, piw_msg **result, piw_err *err);
/* publish_build: renames what is staged to its place; doing it again finishes what was left. */
int job_publish_build(piw_msg *job, piw_msg **result, piw_err *err);
/* A wheel of the same name may still lie out of reach: its row went while it was quarantined, and no removal will see to it, as the
 * row is there again; or this one was recorded before. It comes in the other's place, and *replaced says so. */
int job_replace_withheld(const char *home, piw_text package, piw_text name, bool *replaced, piw_err *err);
/* The wheel may have been taken out of reach before its metadata was here. */
int job_follow_withheld(const char *home, piw_text package, piw_text wheel, const char *metadata, piw_err *err);
/* A part of place_logs: the wheel of a build that lies in the journal, its second name and METADATA, but for what is kept. What was put
 * in place, in `names`. */
struct placed_wheel;
struct juggler_names;
int job_place_wheel(const job_place *by, const struct placed_wheel *job, piw_msg *names,
                    const struct juggler_names **placed, bool *replaced, piw_err *err);
/* Was all of such a build put in its place, and is it whole? */
struct noted_build;
bool job_is_placed(const char *root, int64_t build_id, piw_text package, piw_text view,
                   const struct noted_build *noted);
/* Make its staging folder, in its mark's place, or in that of a folder which isn't whole. */
int job_stage_noted(const char *root, int64_t build_id, piw_text package, piw_text view,
                    const struct noted_build *noted, piw_err *err);
/* read_staged: the package of a staged build, its seal if it has one, and its wheels with their hashes. */
int job_read_staged(piw_msg *job, piw_msg **result, piw_err *err);
/* read_seals: those that can be read. */
int job_read_seals(piw_msg *job, piw_msg **result, piw_err *err);
/* A part of it: with the build queue that its version waits in. There is room for one more. */
struct sealed_versions;
struct sealed_build;
void job_add_sealed(piw_msg *msg, struct sealed_versions *to, piw_text package, const struct sealed_build *sealed);
/* move_withheld: renames between a package's folder and the hidden one; synced. */
int job_move_withheld(piw_msg *job, piw_msg **result, piw_err *err);
/* Parts of it. One wheel and what lies beside it go out of reach; *there: it lies there, by whoever. */
int job_withhold(const char *home, piw_text package, piw_text filename, bool *there, piw_err *err);
/* What was renamed of a package's wheels, in either direction, reaches the disk. */
int job_withheld_sync(const char *home, piw_text package, piw_err *err);
/* put_file: written whole or not at all, unless it has these bytes; or removed. */
int job_put_file(piw_msg *job, piw_msg **result, piw_err *err);
/* make_metadata: of wheels that can be read. */
int job_make_metadata(piw_msg *job, piw_msg **result, piw_err *err);
/* read_needs: of wheels in the common store; what can't be read needs nobody knows what. */
int job_read_needs(piw_msg *job, piw_msg **result, piw_err *err);
/* sync_site: syncfs. */
int job_sync_site(piw_msg *job, piw_msg **result, piw_err *err);
/* empty_trash */
int job_empty_trash(piw_msg *job, piw_msg **result, piw_err *err);

#endif
