#include "jobs.h"

#include "file_juggler.piw.h"
#include "piw/fault.h"
#include "piw/log.h"
#include "shared/atomic_file.h"
#include "shared/names.h"
#include "shared/site_mark.h"
#include "shared/site_path.h"
#include "shared/wheel_name.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WHEELS_MAX = 1000 };
static const char METADATA_SUFFIX[] = ".metadata";

static bool ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n > m && strcmp(s + n - m, suffix) == 0;
}

static bool is_kept(const publish_build *job, const char *filename)
{
    for (uint32_t i = 0; i < job->kept.count; i++) {
        if (piw_text_is(job->kept.at[i], filename))
            return true;
    }
    return false;
}

static int fault(piw_err *err, const char *point, const char *path)
{
    return piw_err_set(err, PIW_ESYS, "can't put %s in place: the fault point %s is armed", path, point);
}

/* Is the staged file a link: another name of one of the build's wheels? */
static bool is_link(const char *path)
{
    struct stat there;
    return lstat(path, &there) == 0 && S_ISLNK(there.st_mode);
}

/* A wheel's name for linux_armv6l, once the wheel is in place. When that one's published bytes stay, ours go under this
 * name alone. A real file of this name is never replaced. */
static int place_link(const publish_build *job, const char *name, piw_err *err)
{
    char from[PIW_PATH_MAX], to[PIW_PATH_MAX], wheel[PIW_PATH_MAX], target[PIW_FILENAME_MAX + 1];
    if (!piw_path_staged(from, job->root.s, job->build_id, piw_text_of(name)) ||
        !piw_path_simple(to, job->root.s, job->package, piw_text_of(name)))
        return piw_err_set(err, PIW_EINVAL, "the staged link \"%s\" makes no safe path", name);
    if (!is_link(from))
        return 0;
    ssize_t n = readlink(from, target, sizeof target - 1);
    if (n <= 0)
        return piw_err_errno(err, "can't read the staged link %s", from);
    target[n] = '\0';
    if (!piw_path_staged(wheel, job->root.s, job->build_id, piw_text_of(target)))
        return piw_err_set(err, PIW_EINVAL, "the staged link \"%s\" leads nowhere", name);
    int rc = is_kept(job, target) ? piw_file_place(wheel, to, PIW_FILE_KEEP, err)
                                  : piw_link_write(job->root.s, to, target, err);
    if (rc == PIW_EEXIST)
        piw_info("%s is there already, for itself: it stays", to);
    return rc == PIW_EEXIST ? 0 : rc;
}

static int place_wheel(const publish_build *job, const char *name, piw_err *err)
{
    char from[PIW_PATH_MAX], to[PIW_PATH_MAX];
    if (!piw_path_staged(from, job->root.s, job->build_id, piw_text_of(name)) ||
        !piw_path_simple(to, job->root.s, job->package, piw_text_of(name)))
        return piw_err_set(err, PIW_EINVAL, "the staged file \"%s\" makes no safe path", name);
    if (is_link(from))
        return 0;
    if (PIW_FAULT("juggler.rename"))
        return fault(err, "juggler.rename", to);
    return piw_file_place(from, to, 0, err);
}

/* The staged FILE.metadata, beside its wheel. */
static int place_metadata(const publish_build *job, const char *name, piw_err *err)
{
    char from[PIW_PATH_MAX], to[PIW_PATH_MAX];
    piw_text wheel = {name, (uint32_t)(strlen(name) - (sizeof METADATA_SUFFIX - 1))};
    if (!piw_path_staged(from, job->root.s, job->build_id, piw_text_of(name)) ||
        !piw_path_metadata(to, job->root.s, job->package, wheel))
        return piw_err_set(err, PIW_EINVAL, "the staged file \"%s\" makes no safe path", name);
    if (PIW_FAULT("juggler.metadata"))
        return fault(err, "juggler.metadata", to);
    return piw_file_place(from, to, 0, err);
}

/* Everything staged whose name ends so, but for what is kept. Wheels go before their metadata. */
static int place_all(const publish_build *job, DIR *folder, const char *suffix,
                     int (*place)(const publish_build *, const char *, piw_err *), int64_t *count, piw_err *err)
{
    rewinddir(folder);
    struct dirent *entry;
    int rc = 0;
    while (rc == 0 && (entry = readdir(folder)) != NULL) {
        const char *name = entry->d_name;
        if (name[0] == '.' || !ends_with(name, suffix))
            continue;
        char wheel[256];
        snprintf(wheel, sizeof wheel, "%s", name);
        if (ends_with(wheel, METADATA_SUFFIX))
            wheel[strlen(wheel) - (sizeof METADATA_SUFFIX - 1)] = '\0';
        if (is_kept(job, wheel)) {
            piw_debug("%s of build %" PRId64 " is dropped: the published file stays", name, job->build_id);
            continue;
        }
        piw_err why = {0}; /* each has its own: one that has gone already is no error */
        rc = place(job, name, &why);
        if (rc == 0)
            ++*count;
        else if (rc == PIW_ENOENT) /* another publication of the same build was quicker */
            rc = 0;
        else
            piw_err_set(err, rc, "%s", why.text);
    }
    return rc;
}

/* The folder's entries reach the disk before the staged copies are forgotten. */
static int sync_package(const publish_build *job, piw_err *err)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_simple(path, job->root.s, job->package, piw_text_of("index.html")))
        return piw_err_set(err, PIW_EINVAL, "the package \"%s\" makes no safe path", job->package.s);
    return piw_folder_sync_of(path, err);
}

static int place_log(const publish_build *job, bool *placed, piw_err *err)
{
    char from[PIW_PATH_MAX], to[PIW_PATH_MAX];
    if (!piw_path_staged(from, job->root.s, job->build_id, piw_text_of("log.txt.gz")) ||
        !piw_path_log(to, job->root.s, job->build_id))
        return piw_err_set(err, PIW_EINVAL, "the number of build %" PRId64 " makes no path", job->build_id);
    if (access(from, F_OK) != 0)
        return 0;
    piw_err why = {0};
    int rc = piw_file_place(from, to, PIW_FILE_KEEP, &why);
    if (rc == PIW_EEXIST) {
        piw_warning("build %" PRId64 " has a log already, %s: it stays", job->build_id, to);
        return 0;
    }
    *placed = rc == 0;
    return rc == 0 ? 0 : piw_err_set(err, rc, "%s", why.text);
}

static int publish(const publish_build *job, const char *path, DIR *folder, publish_build_reply *reply, piw_err *err)
{
    int64_t metadata = 0, links = 0;
    int rc = place_all(job, folder, ".whl", place_wheel, &reply->wheels, err);
    if (rc == 0)
        rc = place_all(job, folder, ".whl", place_link, &links, err);
    if (rc == 0)
        rc = place_all(job, folder, ".whl.metadata", place_metadata, &metadata, err);
    if (rc == 0 && reply->wheels + metadata > 0)
        rc = sync_package(job, err);
    if (rc == 0)
        rc = place_log(job, &reply->log, err);
    return rc == 0 ? piw_folder_remove(path, err) : rc;
}

int job_publish_build(piw_msg *job, piw_msg **result, piw_err *err)
{
    const publish_build *body = publish_build_of(job);
    char path[PIW_PATH_MAX];
    if (!piw_name_is_canonical(body->package) || !piw_path_staged(path, body->root.s, body->build_id, (piw_text){0}))
        return piw_err_set(err, PIW_EINVAL, "build %" PRId64 " of \"%s\" makes no safe path", body->build_id,
                           body->package.s);
    int rc = piw_site_there(body->root.s, err);
    if (rc != 0)
        return rc;
    publish_build_reply *reply;
    piw_msg *made = publish_build_reply_new(&reply);
    DIR *folder = opendir(path);
    if (folder == NULL)
        /* Another publication was quicker; or the site has just gone. */
        rc = errno == ENOENT ? piw_site_there(body->root.s, err) : piw_err_errno(err, "can't list %s", path);
    else
        rc = publish(body, path, folder, reply, err);
    if (folder != NULL)
        closedir(folder);
    if (rc != 0) {
        piw_msg_free(&made);
        return rc;
    }
    *result = made;
    return 0;
}
