/* job_sync.c — what builds need on the disk before their rows may be committed, for many builds together.
 *
 * Write-out of all of them is begun before any of it is waited for, so that the file system gives all of them room in one
 * transaction of its own, and the first fdatasync writes that for all. One syncfs would be quicker still, but waits for
 * whatever else is being written to the file system, such as another slave's large wheel (docs/performance.md). */
#include "jobs.h"

#include "file_juggler.piw.h"
#include "piw/fault.h"
#include "shared/site_path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

typedef int file_fn(const char *path, piw_err *err);

static int begin_file(const char *path, piw_err *err)
{
    (void)err;
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return 0; /* said when it is waited for */
    /* Some file systems can't; then waiting for it writes it too. */
    (void)!sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    close(fd);
    return 0;
}

static int end_file(const char *path, piw_err *err)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ELOOP ? 0 : piw_err_errno(err, "can't open %s", path); /* a link is synced with its folder */
    int rc = fdatasync(fd) == 0 ? 0 : piw_err_errno(err, "can't sync %s", path);
    close(fd);
    return rc;
}

static int sync_folder(const char *path, piw_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return piw_err_errno(err, "can't open the folder %s", path);
    int rc = fsync(fd) == 0 ? 0 : piw_err_errno(err, "can't sync the folder %s", path);
    close(fd);
    return rc;
}

/* Each wheel of a staged build, or the log of one that isn't staged; nothing of one that lies in the journal. `folder` becomes where they
 * lie, "" for nowhere. */
static int each_file(const sync_builds *job, int64_t build_id, file_fn *fn, char *folder, piw_err *err)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_staged(folder, job->root.s, build_id, (piw_text){0}) || !piw_path_log(path, job->root.s, build_id))
        return piw_err_set(err, PIW_EINVAL, "the number of build %lld makes no path", (long long)build_id);
    DIR *wheels = opendir(folder);
    if (wheels == NULL && errno == ENOTDIR) {
        folder[0] = '\0';
        return 0;
    }
    if (wheels == NULL && errno != ENOENT)
        return piw_err_errno(err, "can't list %s", folder);
    if (wheels == NULL) {
        memcpy(folder, path, sizeof(path));
        *strrchr(folder, '/') = '\0';
        return fn(path, err);
    }
    int rc = 0;
    struct dirent *entry;
    while (rc == 0 && (entry = readdir(wheels)) != NULL) {
        if (job_is_wheel(entry->d_name) && piw_path_staged(path, job->root.s, build_id, piw_text_of(entry->d_name)))
            rc = fn(path, err);
    }
    closedir(wheels);
    return rc;
}

static int sync_build(const sync_builds *job, int64_t build_id, piw_err *err)
{
    char folder[PIW_PATH_MAX];
    int rc = each_file(job, build_id, end_file, folder, err);
    return rc == 0 && folder[0] != '\0' ? sync_folder(folder, err) : rc;
}

static bool is_noted(const early_syncs_at *it)
{
    return it->noted != NULL && *it->noted;
}

/* Does any of it need more than the journal's bytes: the name of a folder, or of the journal itself? */
static bool needs_folder(const sync_builds *job)
{
    bool needs = job->builds.count > 0 || job->named == NULL || !*job->named;
    for (uint32_t i = 0; i < job->early->at.count; i++)
        needs = needs || (job->early->at.at[i].names && !is_noted(&job->early->at.at[i]));
    return needs;
}

/* The journal, and the folder that it and the builds' folders lie in. A journal that has gone has a successor, which holds
 * the same and reached the disk before: unless the site has gone, as the folder shows then. */
static int sync_shared(const sync_builds *job, int64_t *named, piw_err *err)
{
    char staging[PIW_PATH_MAX];
    if (!piw_path_staging(staging, job->root.s))
        return piw_err_set(err, PIW_EINVAL, "the output path %s is too long", job->root.s);
    bool gone = access(job->journal.s, F_OK) != 0 && errno == ENOENT;
    int rc = gone ? 0 : end_file(job->journal.s, err);
    if (rc != 0 || (!gone && !needs_folder(job)))
        return rc;
    rc = sync_folder(staging, err);
    *named = rc == 0 && job->number != NULL ? *job->number : 0;
    return rc;
}

static int early_file(const sync_builds *job, const early_syncs_at *it, uint32_t i, file_fn *fn, piw_err *err)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_staged(path, job->root.s, it->build_id, it->wheels.at[i]))
        return piw_err_set(err, PIW_EINVAL, "\"%s\" makes no safe path", it->wheels.at[i].s);
    return fn(path, err);
}

/* The names of its files, or the files. */
static int sync_early(const sync_builds *job, const early_syncs_at *it, piw_err *err)
{
    char folder[PIW_PATH_MAX];
    int rc = 0;
    if (is_noted(it))
        return 0; /* the journal has it */
    if (it->names)
        return piw_path_staged(folder, job->root.s, it->build_id, (piw_text){0})
                   ? sync_folder(folder, err)
                   : piw_err_set(err, PIW_EINVAL, "the number of build %lld makes no path", (long long)it->build_id);
    for (uint32_t i = 0; rc == 0 && i < it->wheels.count; i++)
        rc = early_file(job, it, i, end_file, err);
    return rc;
}

/* Nothing is gained by it when there is but one file: one build's, or the journal, which alone has what is noted. */
static bool many_files(const sync_builds *job)
{
    uint32_t all = job->builds.count + job->early->at.count, noted = 0;
    for (uint32_t i = 0; i < job->early->at.count; i++)
        noted += is_noted(&job->early->at.at[i]);
    return all > 1 && noted < all;
}

static void begin_all(const sync_builds *job, bool names)
{
    char folder[PIW_PATH_MAX];
    const early_syncs_at *early = job->early->at.at;
    uint32_t count = job->early->at.count;
    if (names)
        begin_file(job->journal.s, NULL);
    for (uint32_t i = 0; i < job->builds.count; i++)
        each_file(job, job->builds.at[i].build_id, begin_file, folder, NULL);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < early[i].wheels.count; k++)
            early_file(job, &early[i], k, begin_file, NULL);
}

static bool any_names(const sync_builds *job)
{
    bool names = job->builds.count > 0;
    for (uint32_t i = 0; i < job->early->at.count; i++)
        names = names || job->early->at.at[i].names;
    return names;
}

int job_sync_builds(piw_msg *job, piw_msg **result, piw_err *err)
{
    (void)err; /* each build has its own */
    const sync_builds *body = sync_builds_of(job);
    const early_syncs *early = body->early;
    sync_builds_reply *reply;
    *result = sync_builds_reply_new(&reply);
    piw_msg_list(*result, &reply->builds, body->builds.count);
    early_synced *early_done = piw_msg_alloc(*result, sizeof(*early_done));
    piw_msg_list(*result, &early_done->at, early->at.count);
    reply->early = early_done;
    bool names = any_names(body);
    if (many_files(body))
        begin_all(body, names);
    piw_err shared_err = {0};
    int64_t *named = piw_msg_alloc(*result, sizeof(*named));
    reply->named = named;
    int shared_rc = PIW_FAULT("juggler.sync")
                        ? piw_err_set(&shared_err, PIW_ESYS, "can't sync: the fault point juggler.sync is armed")
                    : names ? sync_shared(body, named, &shared_err)
                            : 0;
    for (uint32_t i = 0; i < body->builds.count; i++) {
        piw_err own_err = shared_err;
        sync_builds_reply_builds *to = &reply->builds.at[i];
        to->token = body->builds.at[i].token;
        to->seal = body->builds.at[i].seal;
        to->code = shared_rc != 0 ? shared_rc : sync_build(body, body->builds.at[i].build_id, &own_err);
        to->why = piw_msg_textz(*result, to->code != 0 ? own_err.text : "");
    }
    for (uint32_t i = 0; i < early->at.count; i++) {
        piw_err own_err = shared_err;
        early_synced_at *to = &early_done->at.at[i];
        to->key = early->at.at[i].key;
        to->names = early->at.at[i].names;
        to->code = shared_rc != 0 ? shared_rc : sync_early(body, &early->at.at[i], &own_err);
        to->why = piw_msg_textz(*result, to->code != 0 ? own_err.text : "");
    }
    return 0;
}
