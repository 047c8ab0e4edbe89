/* job_log.c — logs of builds: kept before the row is committed, and looked at after the machine went down. */
#include "jobs.h"

#include "file_juggler.piw.h"
#include "log_file.h"
#include "piw/fault.h"
#include "piw/log.h"
#include "shared/atomic_file.h"
#include "shared/site_mark.h"
#include "shared/site_path.h"
#include "shared/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WHEELS_MAX = 1000, LOST_MAX = 100000 };

/* --- Keeping one ------------------------------------------------------------------------------------------------------ */

int job_keeping_begins(int64_t build_id, piw_err *err)
{
    return PIW_FAULT("juggler.log")
               ? piw_err_set(err, PIW_ESYS, "can't write the log of build %lld: the fault point juggler.log is armed",
                             (long long)build_id)
               : 0;
}

int job_keeping_ends(int64_t build_id, piw_err *err)
{
    return PIW_FAULT("juggler.staged")
               ? piw_err_set(err, PIW_ESYS, "build %lld can't be staged: the fault point juggler.staged is armed",
                             (long long)build_id)
               : 0;
}

/* Beside the build's wheels. */
static int stage_log(const char *root, int64_t build_id, const piw_blob *output, piw_err *err)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_staged(path, root, build_id, piw_text_of("log.txt.gz")))
        return piw_err_set(err, PIW_EINVAL, "the number of build %lld makes no path", (long long)build_id);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return piw_err_errno(err, "can't make the staged log %s", path);
    int rc = log_file_write(fd, path, output, err);
    if (close(fd) != 0 && rc == 0)
        rc = piw_err_errno(err, "can't write the staged log %s", path);
    return rc;
}

int job_stage_log(const struct staged_log *log, piw_err *err)
{
    int rc = job_keeping_begins(log->build_id, err);
    if (rc == 0)
        rc = stage_log(log->root.s, log->build_id, log->output, err);
    return rc == 0 ? job_keeping_ends(log->build_id, err) : rc;
}

static int write_log(const job_place *by, const char *path, const piw_blob *output, unsigned flags, piw_err *err)
{
    char tmp[PIW_PATH_MAX];
    int fd;
    int rc = piw_file_begin(by->root, by->room, tmp, &fd, err);
    if (rc != 0)
        return rc;
    rc = log_file_write(fd, path, output, err);
    if (rc == 0)
        return piw_file_commit(&fd, tmp, path, flags, err);
    close(fd);
    unlink(tmp);
    return rc;
}

int job_place_log(const job_place *by, int64_t build_id, const piw_blob *output, bool again, bool *foreign,
                  piw_err *err)
{
    char path[PIW_PATH_MAX];
    unsigned flags = again ? 0 : PIW_FILE_KEEP;
    *foreign = false;
    if (!piw_path_log(path, by->root, build_id))
        return piw_err_set(err, PIW_EINVAL, "the number of build %lld makes no path", (long long)build_id);
    piw_err own_err = {0};
    int rc = by->ready == NULL || by->ready->log.len == 0 ? PIW_ENOENT
                                                          : piw_file_place(by->ready->log.s, path, flags, &own_err);
    if (rc == PIW_ENOENT) {
        own_err = (piw_err){0};
        rc = write_log(by, path, output, flags, &own_err);
    }
    *foreign = rc == PIW_EEXIST;
    if (*foreign)
        piw_warning("build %lld has a log already, %s: it stays", (long long)build_id, path);
    return rc == 0 || *foreign ? 0 : piw_err_set(err, rc, "%s", own_err.text);
}

/* The names of the staged wheels and links. */
static int list_wheels(const keep_log *job, piw_msg *into, keep_log_reply *reply, piw_err *err)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_staged(path, job->root.s, job->build_id, (piw_text){0}))
        return piw_err_set(err, PIW_EINVAL, "the number of build %lld makes no path", (long long)job->build_id);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return piw_err_errno(err, "can't list %s", path);
    piw_msg_list(into, &reply->wheels, WHEELS_MAX);
    reply->wheels.count = 0;
    struct dirent *entry;
    while (reply->wheels.count < WHEELS_MAX && (entry = readdir(folder)) != NULL) {
        if (job_is_wheel(entry->d_name))
            reply->wheels.at[reply->wheels.count++] = piw_msg_textz(into, entry->d_name);
    }
    closedir(folder);
    return 0;
}

int job_keep_log(piw_msg *job, piw_msg **result, piw_err *err)
{
    const keep_log *body = keep_log_of(job);
    int rc = job_keeping_begins(body->build_id, err);
    if (rc == 0)
        rc = piw_site_there(body->root.s, err);
    if (rc != 0)
        return rc;
    keep_log_reply *reply;
    piw_msg *made = keep_log_reply_new(&reply);
    reply->build_id = body->build_id;
    reply->package = piw_msg_text(made, body->package.s, body->package.len);
    reply->view = piw_text_copy_some(made, body->view);
    reply->staged = body->staged;
    rc = body->staged ? stage_log(body->root.s, body->build_id, body->output, err)
                      : job_place_log(&(job_place){.root = body->root.s}, body->build_id, body->output, body->again,
                                      &reply->foreign_log, err);
    if (rc == 0 && body->staged)
        rc = list_wheels(body, made, reply, err);
    if (rc == 0)
        rc = job_keeping_ends(body->build_id, err);
    if (rc == 0)
        *result = made;
    else
        piw_msg_free(&made);
    return rc;
}

int job_place_logs(piw_msg *job, piw_msg **result, piw_err *err)
{
    (void)err; /* each log has its own */
    const place_logs *body = place_logs_of(job);
    piw_err shared_err = {0};
    int shared_rc = piw_site_there(body->root.s, &shared_err);
    place_logs_reply *reply;
    *result = place_logs_reply_new(&reply);
    piw_msg_list(*result, &reply->logs, body->logs.count);
    piw_room room = {.number = body->room == NULL ? 0 : *body->room};
    for (uint32_t i = 0; i < body->logs.count; i++) {
        const place_logs_logs *log = &body->logs.at[i];
        place_logs_reply_logs *to = &reply->logs.at[i];
        const job_place by = {body->root.s, room.number == 0 ? NULL : &room, log->ready};
        piw_err own_err = shared_err;
        int rc = shared_rc;
        if (rc == 0 && log->wheel != NULL) {
            bool *replaced = piw_msg_alloc(*result, sizeof(*replaced));
            rc = job_place_wheel(&by, log->wheel, *result, &to->placed, replaced, &own_err);
            to->replaced = replaced;
        }
        if (rc == 0 && PIW_FAULT("juggler.place"))
            rc = piw_err_set(&own_err, PIW_ESYS,
                             "can't put the log of build %lld in place: the fault point juggler.place is armed",
                             (long long)log->build_id);
        if (rc == 0)
            rc = job_place_log(&by, log->build_id, log->output, log->again, &to->foreign, &own_err);
        if (log->ready != NULL && (rc != 0 || to->foreign || log->wheel == NULL || log->wheel->kept))
            job_drop_ready(log->ready); /* of what isn't in its place now */
        to->build_id = log->build_id;
        to->code = rc;
        to->why = piw_msg_textz(*result, rc != 0 ? own_err.text : "");
    }
    reply->cost = job_room_cost(*result, &room);
    return 0;
}

/* --- After the machine went down -------------------------------------------------------------------------------------- */

/* A part of a log's path as a number, -1 when it isn't one. */
static int number_of(const char *name, const char *end)
{
    if (strspn(name, "0123456789") != 4 || strcmp(name + 4, end) != 0)
        return -1;
    return (int)strtol(name, NULL, 10);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static bool is_others(const check_logs *job, int64_t build_id)
{
    const juggler_settled *others = job->others;
    return others != NULL && others->builds.count > 0 &&
           bsearch(&build_id, others->builds.at, others->builds.count, sizeof(build_id), compare) != NULL;
}

/* Logs in one folder, LOGS/AAAA/BBBB. */
static void check_folder(const check_logs *job, const char *path, int64_t first, check_logs_reply *reply)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder != NULL && reply->lost.count < LOST_MAX && (entry = readdir(folder)) != NULL) {
        int number = number_of(entry->d_name, ".txt.gz");
        char log[PIW_PATH_MAX];
        piw_err err = {0};
        if (number < 0 || first + number < job->low || is_others(job, first + number) ||
            !piw_path_log(log, job->root.s, first + number) || log_file_whole(log))
            continue;
        if (piw_file_remove(log, &err) == 0)
            reply->lost.at[reply->lost.count++] = first + number;
        else
            piw_warning("a log that isn't whole stays: %s", err.text);
    }
    if (folder != NULL)
        closedir(folder);
}

/* Folders in LOGS or LOGS/AAAA that can have builds from `low` on; each holds `each` numbers. */
static int check_below(const check_logs *job, const char *path, int64_t first, int64_t each, check_logs_reply *reply,
                       piw_err *err)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno == ENOENT ? 0 : piw_err_errno(err, "can't list %s", path);
    struct dirent *entry;
    int rc = 0;
    while (rc == 0 && (entry = readdir(folder)) != NULL) {
        int number = number_of(entry->d_name, "");
        int64_t begin = first + number * each;
        char below[PIW_PATH_MAX];
        int n = snprintf(below, sizeof(below), "%s/%.4s", path, entry->d_name);
        if (number < 0 || begin + each <= job->low || n < 0 || n >= PIW_PATH_MAX)
            continue;
        if (each > 10000)
            rc = check_below(job, below, begin, 10000, reply, err);
        else
            check_folder(job, below, begin, reply);
    }
    closedir(folder);
    return rc;
}

int job_check_logs(piw_msg *job, piw_msg **result, piw_err *err)
{
    const check_logs *body = check_logs_of(job);
    char path[PIW_PATH_MAX];
    if (!piw_path_page(path, body->root.s, "logs"))
        return piw_err_set(err, PIW_EINVAL, "the output path %s is too long", body->root.s);
    check_logs_reply *reply;
    piw_msg *made = check_logs_reply_new(&reply);
    piw_msg_list(made, &reply->lost, LOST_MAX);
    reply->lost.count = 0;
    int rc = check_below(body, path, 0, 100000000, reply, err);
    if (rc == 0)
        *result = made;
    else
        piw_msg_free(&made);
    return rc;
}
