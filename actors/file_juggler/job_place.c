/* job_place.c — parts of jobs for the worker pool: what lies in the journal of a build with a small wheel is put in its place on the site,
 * written before that, or staged as any other build's. */
#include "jobs.h"

#include "file_juggler.piw.h"
#include "log_file.h"
#include "piw/codec.h"
#include "piw/fault.h"
#include "piw/log.h"
#include "shared/atomic_file.h"
#include "shared/site_mark.h"
#include "shared/site_path.h"
#include "shared/text.h"
#include "shared/wheel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- METADATA --------------------------------------------------------------------------------------------------------- */

/* What is put beside the wheel: from the journal, or, when it is long, from the wheel. */
typedef struct beside {
    const void *data;
    size_t len;
    piw_wheel wheel;
} beside;

static int open_beside(beside *it, piw_text filename, const noted_wheel *wheel, piw_err *err)
{
    *it = (beside){.len = piw_blob_size(wheel->metadata)};
    if (wheel->metadata != NULL) {
        it->data = piw_blob_data(wheel->metadata);
        return 0;
    }
    int rc = piw_wheel_read_bytes(piw_blob_data(wheel->data), piw_blob_size(wheel->data), filename.s, NULL, NULL,
                                  &it->wheel, err);
    it->data = it->wheel.metadata_bytes;
    it->len = it->wheel.metadata_len;
    return rc;
}

static void close_beside(beside *it)
{
    piw_wheel_fini(&it->wheel);
}

/* --- Into their places ------------------------------------------------------------------------------------------------ */

static int fault(piw_err *err, const char *point, const char *path)
{
    return piw_err_set(err, PIW_ESYS, "can't put %s in place: the fault point %s is armed", path, point);
}

/* What was written before it was asked for takes its place; what wasn't, or has gone, is written now. */
static int put(const job_place *by, piw_text ready, const char *to, const void *data, size_t len, unsigned flags,
               piw_err *err)
{
    piw_err own_err = {0};
    int rc = ready.len == 0 ? PIW_ENOENT : piw_file_place(ready.s, to, flags, &own_err);
    if (rc == PIW_ENOENT)
        return piw_file_write_in(by->root, by->room, to, data, len, flags, err);
    return rc == 0 ? 0 : piw_err_set(err, rc, "%s", own_err.text);
}

static int place_bytes(const job_place *by, const placed_wheel *job, piw_text name, unsigned flags, bool *replaced,
                       piw_err *err)
{
    char to[PIW_PATH_MAX];
    piw_text ready = by->ready == NULL ? (piw_text){0} : by->ready->wheel;
    if (!piw_path_simple(to, job->home.s, job->package, name))
        return piw_err_set(err, PIW_EINVAL, "\"%s\" makes no safe path", name.s);
    if (PIW_FAULT("juggler.rename"))
        return fault(err, "juggler.rename", to);
    int rc = job_replace_withheld(job->home.s, job->package, name, replaced, err);
    return rc == 0 ? put(by, ready, to, piw_blob_data(job->wheel.data), piw_blob_size(job->wheel.data), flags, err)
                   : rc;
}

/* As a link to the wheel; where another one keeps that name, as the file itself. A file of this name is never replaced by a link. */
static int place_second(const job_place *by, const placed_wheel *job, bool *replaced, piw_err *err)
{
    char to[PIW_PATH_MAX];
    piw_err own_err = {0};
    if (!piw_path_simple(to, job->home.s, job->package, job->second))
        return piw_err_set(err, PIW_EINVAL, "\"%s\" makes no safe path", job->second.s);
    int rc = job->kept ? 0 : job_replace_withheld(job->home.s, job->package, job->second, replaced, &own_err);
    if (rc == 0)
        rc = job->kept ? place_bytes(by, job, job->second, PIW_FILE_KEEP, replaced, &own_err)
                       : piw_link_write(by->root, to, job->filename.s, &own_err);
    if (rc == PIW_EEXIST)
        piw_info("%s is a file of its own already: it stays", to);
    return rc == 0 || rc == PIW_EEXIST ? 0 : piw_err_set(err, rc, "%s", own_err.text);
}

static int place_beside(const job_place *by, const placed_wheel *job, piw_text name, piw_text ready, const beside *it,
                        piw_err *err)
{
    char to[PIW_PATH_MAX], away[PIW_PATH_MAX];
    if (!piw_path_metadata(to, job->home.s, job->package, name) ||
        !piw_path_withheld_metadata(away, job->home.s, job->package, name)) {
        if (ready.len > 0)
            (void)unlink(ready.s);
        return 0; /* too long a name: it has none */
    }
    if (PIW_FAULT("juggler.metadata"))
        return fault(err, "juggler.metadata", to);
    int rc = piw_file_remove(away, err);
    *strrchr(away, '/') = '\0';
    rmdir(away); /* does nothing while others are in the folder */
    if (rc == 0)
        rc = put(by, ready, to, it->data, it->len, 0, err);
    return rc == 0 ? job_follow_withheld(job->home.s, job->package, name, to, err) : rc;
}

static int place_files(const job_place *by, const placed_wheel *job, const beside *it, bool *replaced, piw_err *err)
{
    piw_text ready = by->ready == NULL || job->kept ? (piw_text){0} : by->ready->metadata;
    bool second = job->second.len > 0 && !job->second_kept;
    int rc = job->kept ? 0 : place_bytes(by, job, job->filename, 0, replaced, err);
    if (rc == 0 && second)
        rc = place_second(by, job, replaced, err);
    if (rc == 0 && !job->kept)
        rc = place_beside(by, job, job->filename, ready, it, err);
    if (rc == 0 && second)
        rc = place_beside(by, job, job->second, (piw_text){0}, it, err);
    return rc;
}

int job_place_wheel(const job_place *by, const placed_wheel *job, piw_msg *names, const juggler_names **placed,
                    bool *replaced, piw_err *err)
{
    beside it;
    int rc = open_beside(&it, job->filename, &job->wheel, err);
    if (rc == 0)
        rc = place_files(by, job, &it, replaced, err);
    close_beside(&it);
    if (rc != 0)
        return rc;
    juggler_names *made = piw_msg_alloc(names, sizeof(*made));
    piw_msg_list(names, &made->at, 2);
    made->at.count = 0;
    if (!job->kept)
        made->at.at[made->at.count++] = piw_text_copy(names, job->filename);
    if (job->second.len > 0 && !job->second_kept)
        made->at.at[made->at.count++] = piw_text_copy(names, job->second);
    *placed = made;
    return 0;
}

const room_cost *job_room_cost(piw_msg *msg, const piw_room *room)
{
    if (room->files == 0)
        return NULL;
    room_cost *cost = piw_msg_alloc(msg, sizeof(*cost));
    *cost = (room_cost){.room = room->number, .files = room->files, .ns = room->ns};
    return cost;
}

/* --- Before that is asked for ------------------------------------------------------------------------------------------ */

/* A file of its own in the room; *path is "" when it can't be made: then it is written when it is asked for, which says what is wrong. */
static void write_ready(const make_ready *job, piw_room *room, piw_msg *made, piw_text *path, const void *data,
                        size_t len)
{
    char tmp[PIW_PATH_MAX];
    int fd;
    piw_err ignored_err = {0};
    *path = piw_msg_textz(made, "");
    if (piw_file_begin(job->root.s, room, tmp, &fd, &ignored_err) != 0)
        return;
    bool written = !PIW_FAULT("juggler.ready") && (data != NULL ? piw_write_all(fd, data, len) == 0
                                                                : log_file_write(fd, tmp, job->log, &ignored_err) == 0);
    written = close(fd) == 0 && written;
    if (written)
        *path = piw_msg_textz(made, tmp);
    else
        unlink(tmp);
}

int job_make_ready(piw_msg *job, piw_msg **result, piw_err *err)
{
    const make_ready *body = make_ready_of(job);
    beside it = {0};
    int rc = piw_site_there(body->root.s, err);
    if (rc == 0)
        rc = open_beside(&it, body->filename, &body->wheel, err);
    if (rc != 0)
        return rc;
    make_ready_reply *reply;
    *result = make_ready_reply_new(&reply);
    reply->build_id = body->build_id;
    reply->files.metadata = piw_msg_textz(*result, "");
    piw_room room = {.number = body->room};
    write_ready(body, &room, *result, &reply->files.wheel, piw_blob_data(body->wheel.data),
                piw_blob_size(body->wheel.data));
    if (it.len > 0)
        write_ready(body, &room, *result, &reply->files.metadata, it.data, it.len);
    write_ready(body, &room, *result, &reply->files.log, NULL, 0);
    close_beside(&it);
    reply->cost = job_room_cost(*result, &room);
    return 0;
}

void job_drop_ready(const ready_files *files)
{
    const piw_text all[] = {files->wheel, files->metadata, files->log};
    for (size_t i = 0; i < PIW_COUNT(all); i++)
        if (all[i].len > 0)
            (void)unlink(all[i].s); /* what can't be removed goes with piw_tmp_clear */
}

/* --- Are they there? -------------------------------------------------------------------------------------------------- */

static bool leads_to(const char *path, piw_text target)
{
    char found[PIW_PATH_MAX];
    ssize_t n = readlink(path, found, sizeof(found) - 1);
    return n >= 0 && (size_t)n == target.len && memcmp(found, target.s, target.len) == 0;
}

/* One of its names, with what lies beside it: at its address, or out of reach. */
static bool name_is_placed(const char *home, piw_text package, const noted_build *noted, uint32_t i, const beside *it)
{
    char paths[2][PIW_PATH_MAX], metadata[2][PIW_PATH_MAX];
    piw_text name = noted->wheels.at[i];
    bool long_name = !piw_path_metadata(metadata[0], home, package, name);
    if (!piw_path_simple(paths[0], home, package, name) || !piw_path_withheld(paths[1], home, package, name) ||
        (!long_name && !piw_path_withheld_metadata(metadata[1], home, package, name)))
        return false;
    for (int at = 0; at < 2; at++) {
        bool there = i == 0
                         ? piw_file_holds(paths[at], piw_blob_data(noted->wheel.data), piw_blob_size(noted->wheel.data))
                         : leads_to(paths[at], noted->wheels.at[0]);
        if (there && (long_name || piw_file_holds(metadata[at], it->data, it->len)))
            return true;
    }
    return false;
}

/* Its log comes last. Had it not been put in place, wheels of these bytes would be another build's. */
bool job_is_placed(const char *root, int64_t build_id, piw_text package, piw_text view, const noted_build *noted)
{
    char log[PIW_PATH_MAX], home[PIW_PATH_MAX];
    beside it;
    piw_err err = {0};
    if (!piw_path_log(log, root, build_id) || !piw_path_view(home, root, view) || !log_file_whole(log))
        return false;
    bool placed = open_beside(&it, noted->wheels.at[0], &noted->wheel, &err) == 0;
    for (uint32_t i = 0; placed && i < noted->wheels.count; i++)
        placed = name_is_placed(home, package, noted, i, &it);
    close_beside(&it);
    return placed;
}

/* --- Staged ----------------------------------------------------------------------------------------------------------- */

static int open_in(const char *folder, const char *name, char *path, int *fd, piw_err *err)
{
    int n = snprintf(path, PIW_PATH_MAX, "%s/%s", folder, name);
    if (n < 0 || n >= PIW_PATH_MAX)
        return piw_err_set(err, PIW_EINVAL, "the path of %s is too long", name);
    *fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return *fd >= 0 ? 0 : piw_err_errno(err, "can't make the staged file %s", path);
}

static int stage_bytes(const char *folder, const char *name, const void *data, size_t len, piw_err *err)
{
    char path[PIW_PATH_MAX];
    int fd = -1;
    int rc = open_in(folder, name, path, &fd, err);
    if (rc != 0)
        return rc;
    rc = piw_write_all(fd, data, len) == 0 ? 0 : piw_err_errno(err, "can't write the staged file %s", path);
    if (close(fd) != 0 && rc == 0)
        rc = piw_err_errno(err, "can't write the staged file %s", path);
    return rc;
}

static int stage_beside(const char *folder, piw_text name, const beside *it, piw_err *err)
{
    char metadata[PIW_PATH_MAX];
    int n = snprintf(metadata, sizeof(metadata), "%s.metadata", name.s);
    return n > 0 && piw_path_component((piw_text){metadata, (uint32_t)n})
               ? stage_bytes(folder, metadata, it->data, it->len, err)
               : 0;
}

static int stage_second(const char *folder, const noted_build *noted, piw_err *err)
{
    char path[PIW_PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s", folder, noted->wheels.at[1].s);
    if (n < 0 || n >= PIW_PATH_MAX)
        return piw_err_set(err, PIW_EINVAL, "the path of %s is too long", noted->wheels.at[1].s);
    return symlink(noted->wheels.at[0].s, path) == 0 ? 0 : piw_err_errno(err, "can't make the link %s", path);
}

/* One that is in its place stays there. */
static int stage_log(const char *root, const char *folder, int64_t build_id, const piw_blob *log, piw_err *err)
{
    char path[PIW_PATH_MAX];
    int fd = -1;
    if (piw_path_log(path, root, build_id) && log_file_whole(path))
        return 0;
    int rc = open_in(folder, "log.txt.gz", path, &fd, err);
    if (rc != 0)
        return rc;
    rc = log_file_write(fd, path, log, err);
    if (close(fd) != 0 && rc == 0)
        rc = piw_err_errno(err, "can't write the staged log %s", path);
    return rc;
}

/* What its row needs, and whose its wheel is: an older master can't read the journal's record of a long log. */
static int stage_record(const char *folder, int64_t build_id, piw_text package, piw_text view, const noted_build *noted,
                        piw_err *err)
{
    staged_record *record;
    piw_buffer bytes = {0};
    if (noted->sealed == NULL && view.len == 0)
        return 0;
    piw_msg *msg = staged_record_new(&record);
    record->build_id = build_id;
    record->package = package;
    record->view = view;
    record->sealed = noted->sealed;
    int rc = piw_record_write(msg, &bytes, err);
    if (rc == 0)
        rc = stage_bytes(folder, "record", bytes.data, bytes.len, err);
    piw_buffer_fini(&bytes);
    piw_msg_free(&msg);
    return rc;
}

static int fill(const char *root, const char *folder, int64_t build_id, const noted_build *noted, piw_err *err)
{
    beside it;
    int rc = open_beside(&it, noted->wheels.at[0], &noted->wheel, err);
    if (rc == 0)
        rc = stage_bytes(folder, noted->wheels.at[0].s, piw_blob_data(noted->wheel.data),
                         piw_blob_size(noted->wheel.data), err);
    if (rc == 0 && noted->wheels.count > 1)
        rc = stage_second(folder, noted, err);
    for (uint32_t i = 0; rc == 0 && i < noted->wheels.count; i++)
        rc = stage_beside(folder, noted->wheels.at[i], &it, err);
    close_beside(&it);
    return rc == 0 ? stage_log(root, folder, build_id, noted->log, err) : rc;
}

/* Staged, at its address, or out of reach. Of a second name, whatever it is. */
static bool lies_somewhere(const char *folder, const char *home, piw_text package, const noted_build *noted, uint32_t i)
{
    char paths[3][PIW_PATH_MAX];
    struct stat there;
    piw_text name = noted->wheels.at[i];
    const piw_blob *data = noted->wheel.data;
    int n = snprintf(paths[0], PIW_PATH_MAX, "%s/%s", folder, name.s);
    if (n < 0 || n >= PIW_PATH_MAX || !piw_path_simple(paths[1], home, package, name) ||
        !piw_path_withheld(paths[2], home, package, name))
        return false;
    for (int at = 0; at < 3; at++)
        if (i > 0 ? lstat(paths[at], &there) == 0 : piw_file_holds(paths[at], piw_blob_data(data), piw_blob_size(data)))
            return true;
    return false;
}

/* What was staged in a hurry was never synced, and the machine may have gone down: are wheel and log whole, there or in their places?
 * What lies beside them is made again when they are put in place. */
static bool is_whole(const char *root, const char *folder, int64_t build_id, piw_text package, piw_text view,
                     const noted_build *noted)
{
    char home[PIW_PATH_MAX], staged[PIW_PATH_MAX], log[PIW_PATH_MAX];
    int n = snprintf(staged, sizeof(staged), "%s/log.txt.gz", folder);
    bool whole = n > 0 && n < PIW_PATH_MAX && piw_path_log(log, root, build_id) && piw_path_view(home, root, view) &&
                 (log_file_whole(staged) || log_file_whole(log));
    for (uint32_t i = 0; whole && i < noted->wheels.count; i++)
        whole = lies_somewhere(folder, home, package, noted, i);
    return whole;
}

int job_stage_noted(const char *root, int64_t build_id, piw_text package, piw_text view, const noted_build *noted,
                    piw_err *err)
{
    char tmp[PIW_PATH_MAX], folder[PIW_PATH_MAX];
    struct stat there;
    if (!piw_path_staged(folder, root, build_id, (piw_text){0}))
        return piw_err_set(err, PIW_EINVAL, "the number of build %lld makes no path", (long long)build_id);
    if (lstat(folder, &there) == 0 && S_ISDIR(there.st_mode) && is_whole(root, folder, build_id, package, view, noted))
        return 0;
    int rc = piw_folder_begin(root, tmp, err);
    if (rc != 0)
        return rc;
    rc = fill(root, tmp, build_id, noted, err);
    if (rc == 0)
        rc = stage_record(tmp, build_id, package, view, noted, err);
    if (rc == 0)
        return piw_folder_commit(tmp, folder, err);
    piw_err ignored_err = {0};
    (void)piw_folder_remove(tmp, &ignored_err);
    return rc;
}
