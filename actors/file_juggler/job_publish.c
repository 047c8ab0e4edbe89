/* job_publish.c — a job for the worker pool: puts the staged files of a build in their places on the site. */
#include "jobs.h"

#include "file_juggler.piw.h"
#include "log_file.h"
#include "piw/fault.h"
#include "piw/log.h"
#include "shared/atomic_file.h"
#include "shared/names.h"
#include "shared/site_mark.h"
#include "shared/site_path.h"
#include "shared/text.h"
#include "shared/wheel.h"
#include "shared/wheel_name.h"

#include <dirent.h>
#include <errno.h>
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

/* The root of the store that its wheels are for. */
static const char *home_of(const publish_build *job)
{
    return job->home.s != NULL ? job->home.s : job->root.s;
}

static bool is_among(const piw_text *names, uint32_t count, piw_text filename)
{
    for (uint32_t i = 0; i < count; i++) {
        if (piw_text_eq(names[i], filename))
            return true;
    }
    return false;
}

static bool is_kept(const publish_build *job, const char *filename)
{
    return is_among(job->kept.at, job->kept.count, piw_text_of(filename));
}

static bool is_withheld(const publish_build *job, piw_text filename)
{
    return job->withheld != NULL && is_among(job->withheld->at.at, job->withheld->at.count, filename);
}

/* Where the wheel, or link, goes. */
static bool find_goal(const publish_build *job, const char *name, char *to)
{
    piw_text filename = piw_text_of(name);
    return is_withheld(job, filename) ? piw_path_withheld(to, home_of(job), job->package, filename)
                                      : piw_path_simple(to, home_of(job), job->package, filename);
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

/* Publish the second name of a wheel, for linux_armv6l, once the wheel itself is in place: as a link to it. Where
 * another wheel keeps the first name, ours is published under the second name alone. A file of that name is never
 * replaced by a link. */
static int place_link(const publish_build *job, const char *name, piw_err *err)
{
    char from[PIW_PATH_MAX], to[PIW_PATH_MAX], wheel[PIW_PATH_MAX], target[PIW_FILENAME_MAX + 1];
    if (!piw_path_staged(from, job->root.s, job->build_id, piw_text_of(name)) || !find_goal(job, name, to))
        return piw_err_set(err, PIW_EINVAL, "the staged link \"%s\" makes no safe path", name);
    if (!is_link(from))
        return 0;
    ssize_t n = readlink(from, target, sizeof(target) - 1);
    if (n <= 0)
        return piw_err_errno(err, "can't read the staged link %s", from);
    target[n] = '\0';
    if (!piw_path_staged(wheel, job->root.s, job->build_id, piw_text_of(target)))
        return piw_err_set(err, PIW_EINVAL, "the staged link \"%s\" leads nowhere", name);
    int rc = is_kept(job, target) ? piw_file_place(wheel, to, PIW_FILE_KEEP, err)
                                  : piw_link_write(job->root.s, to, target, err);
    if (rc == PIW_EEXIST)
        piw_info("%s is a file of its own already: it stays", to);
    return rc == PIW_EEXIST ? 0 : rc;
}

static int place_wheel(const publish_build *job, const char *name, piw_err *err)
{
    char from[PIW_PATH_MAX], to[PIW_PATH_MAX];
    if (!piw_path_staged(from, job->root.s, job->build_id, piw_text_of(name)) || !find_goal(job, name, to))
        return piw_err_set(err, PIW_EINVAL, "the staged file \"%s\" makes no safe path", name);
    if (is_link(from))
        return 0;
    if (PIW_FAULT("juggler.rename"))
        return fault(err, "juggler.rename", to);
    return piw_file_place(from, to, 0, err);
}

static bool is_there(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

int job_replace_withheld(const char *home, piw_text package, piw_text name, bool *replaced, piw_err *err)
{
    char away[PIW_PATH_MAX];
    if (!piw_path_withheld(away, home, package, name))
        return 0;
    *replaced = *replaced || is_there(away);
    int rc = piw_file_remove(away, err);
    *strrchr(away, '/') = '\0';
    rmdir(away); /* does nothing while others are in the folder */
    return rc;
}

static int replace_withheld(const publish_build *job, const char *name, bool *replaced, piw_err *err)
{
    char from[PIW_PATH_MAX];
    return piw_path_staged(from, job->root.s, job->build_id, piw_text_of(name)) && is_there(from)
               ? job_replace_withheld(home_of(job), job->package, piw_text_of(name), replaced, err)
               : 0;
}

int job_follow_withheld(const char *home, piw_text package, piw_text wheel, const char *metadata, piw_err *err)
{
    char place[PIW_PATH_MAX], away[PIW_PATH_MAX], away_metadata[PIW_PATH_MAX];
    if (!piw_path_simple(place, home, package, wheel) || !piw_path_withheld(away, home, package, wheel) ||
        !piw_path_withheld_metadata(away_metadata, home, package, wheel) || is_there(place) || !is_there(away))
        return 0;
    return rename(metadata, away_metadata) == 0 || errno == ENOENT
               ? 0
               : piw_err_errno(err, "can't move %s to %s", metadata, away_metadata);
}

/* The staged FILE.metadata, beside its wheel. */
static int place_metadata(const publish_build *job, const char *name, piw_err *err)
{
    char from[PIW_PATH_MAX], to[PIW_PATH_MAX];
    piw_text wheel = {name, (uint32_t)(strlen(name) - (sizeof(METADATA_SUFFIX) - 1))};
    if (!piw_path_staged(from, job->root.s, job->build_id, piw_text_of(name)) ||
        !(is_withheld(job, wheel) ? piw_path_withheld_metadata(to, home_of(job), job->package, wheel)
                                  : piw_path_metadata(to, home_of(job), job->package, wheel)))
        return piw_err_set(err, PIW_EINVAL, "the staged file \"%s\" makes no safe path", name);
    if (PIW_FAULT("juggler.metadata"))
        return fault(err, "juggler.metadata", to);
    int rc = piw_file_place(from, to, 0, err);
    return rc == 0 ? job_follow_withheld(home_of(job), job->package, wheel, to, err) : rc;
}

/* Names of wheels of a build. */
typedef struct wheels_placed {
    piw_msg *msg; /* in whose arena they are */
    juggler_names *names;
    bool replaced; /* one of them had a namesake out of reach */
} wheels_placed;

static wheels_placed begin_names(piw_msg *msg)
{
    wheels_placed made = {.msg = msg, .names = piw_msg_alloc(msg, sizeof(*made.names))};
    piw_msg_list(msg, &made.names->at, WHEELS_MAX);
    made.names->at.count = 0;
    return made;
}

/* Each wheel is named once, however many passes go over it. */
static void note_placed(wheels_placed *placed, const char *name)
{
    juggler_names *names = placed->names;
    if (names->at.count < WHEELS_MAX && !is_among(names->at.at, names->at.count, piw_text_of(name)))
        names->at.at[names->at.count++] = piw_msg_textz(placed->msg, name);
}

/* Put in place, or out of reach, every staged file whose name ends in `suffix`, but for those whose published file stays, and note the
 * names of wheels that are in place in `placed`. The caller has wheels put in place before their metadata. */
static int place_all(const publish_build *job, DIR *folder, const char *suffix,
                     int (*place)(const publish_build *, const char *, piw_err *), wheels_placed *placed, piw_err *err)
{
    rewinddir(folder);
    struct dirent *entry;
    int rc = 0;
    while (rc == 0 && (entry = readdir(folder)) != NULL) {
        const char *name = entry->d_name;
        if (name[0] == '.' || !ends_with(name, suffix))
            continue;
        char wheel[256];
        snprintf(wheel, sizeof(wheel), "%s", name);
        if (ends_with(wheel, METADATA_SUFFIX))
            wheel[strlen(wheel) - (sizeof(METADATA_SUFFIX) - 1)] = '\0';
        if (is_kept(job, wheel)) {
            piw_debug("%s of build %lld is dropped: the published file stays", name, (long long)job->build_id);
            continue;
        }
        piw_err own_err = {0}; /* an error of this file alone: that a file has gone already is none */
        bool ignored, away = is_withheld(job, piw_text_of(wheel));
        rc = replace_withheld(job, name, &placed->replaced, &own_err);
        if (rc == 0 && away) /* an older one goes there first: later it would come in this one's place */
            rc = job_withhold(home_of(job), job->package, piw_text_of(wheel), &ignored, &own_err);
        rc = rc != 0 ? rc : place(job, name, &own_err);
        if (rc == PIW_ENOENT) /* another publication of the same build was quicker */
            rc = 0;
        else if (rc != 0)
            piw_err_set(err, rc, "%s", own_err.text);
        else if (strcmp(name, wheel) == 0 && !away)
            note_placed(placed, name);
    }
    return rc;
}

/* --- What may not have reached the disk before the machine went down -------------------------------------------------- */

static bool is_mended(const publish_build *job)
{
    return job->mend.count > 0;
}

/* Where a wheel, or link, may lie, and its METADATA beside it: in its place, or out of reach. */
static bool find_place(const publish_build *job, piw_text name, bool away, char *wheel, char *metadata)
{
    return away ? piw_path_withheld(wheel, home_of(job), job->package, name) &&
                      piw_path_withheld_metadata(metadata, home_of(job), job->package, name)
                : piw_path_simple(wheel, home_of(job), job->package, name) &&
                      piw_path_metadata(metadata, home_of(job), job->package, name);
}

/* FILE.metadata of one that lies there: made again from the wheel, unless it is right. PIW_ENOENT: it doesn't, or not any more. */
static int mend_there(const publish_build *job, piw_text name, bool away, piw_err *err)
{
    char link[PIW_PATH_MAX], path[PIW_PATH_MAX], to[PIW_PATH_MAX], unused[PIW_PATH_MAX], target[PIW_FILENAME_MAX + 1];
    if (!find_place(job, name, away, link, to))
        return 0; /* too long a name: it has none */
    ssize_t n = readlink(link, target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = '\0';
    piw_text wheel_name = n > 0 ? piw_text_of(target) : name;
    piw_err own_err = {0};
    piw_wheel wheel;
    int rc = !find_place(job, wheel_name, away, path, unused)
                 ? piw_err_set(&own_err, PIW_EINVAL, "the link %s leads out of its folder", link)
                 : piw_wheel_read(path, wheel_name.s, &wheel, &own_err);
    if (rc == PIW_ENOENT && n > 0 && find_place(job, wheel_name, !away, path, unused)) {
        own_err = (piw_err){0}; /* the link was moved, and the wheel is to follow, or the other way round */
        rc = piw_wheel_read(path, wheel_name.s, &wheel, &own_err);
    }
    if (rc == PIW_ENOENT)
        return rc;
    if (rc != 0) {
        piw_warning("%s can't be made: %s", to, own_err.text);
        return rc == PIW_EREFUSED || rc == PIW_EINVAL ? 0 : piw_err_set(err, rc, "%s", own_err.text);
    }
    if (!piw_file_holds(to, wheel.metadata_bytes, wheel.metadata_len))
        rc = piw_file_write(job->root.s, to, wheel.metadata_bytes, wheel.metadata_len, 0, err);
    piw_wheel_fini(&wheel);
    if (rc != 0 || is_there(link))
        return rc;
    rc = piw_file_remove(to, err);
    return rc == 0 ? PIW_ENOENT : rc;
}

/* A look may move it meanwhile, there or back. In neither place: it isn't published, or was removed since. */
static int mend_metadata(const publish_build *job, piw_text name, piw_err *err)
{
    int rc = PIW_ENOENT;
    for (int i = 0; rc == PIW_ENOENT && i < 4; i++)
        rc = mend_there(job, name, i % 2 != 0, err);
    return rc == PIW_ENOENT ? 0 : rc;
}

static int mend(const publish_build *job, piw_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < job->mend.count; i++)
        rc = mend_metadata(job, job->mend.at[i], err);
    return rc;
}

/* Those that are quarantined and lay in their places before go out of reach; then note what lies there, also of what isn't said to be:
 * the database is to know of it, whatever it thought before. */
static int withhold(const publish_build *job, wheels_placed *away, piw_err *err)
{
    char place[PIW_PATH_MAX], metadata[PIW_PATH_MAX];
    const juggler_names *withheld = job->withheld;
    bool there;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && withheld != NULL && i < withheld->at.count; i++) {
        rc = job_withhold(home_of(job), job->package, withheld->at.at[i], &there, err);
        if (rc == 0 && there)
            note_placed(away, withheld->at.at[i].s);
    }
    for (uint32_t i = 0; rc == 0 && i < job->mend.count; i++)
        if (find_place(job, job->mend.at[i], false, place, metadata) && !is_there(place) &&
            find_place(job, job->mend.at[i], true, place, metadata) && is_there(place))
            note_placed(away, job->mend.at[i].s);
    return rc == 0 && away->names->at.count > 0 ? job_withheld_sync(home_of(job), job->package, err) : rc;
}

/* --- The log, and all of it ------------------------------------------------------------------------------------------- */

static int place_log(const publish_build *job, bool *placed, piw_err *err)
{
    char from[PIW_PATH_MAX], to[PIW_PATH_MAX];
    if (!piw_path_staged(from, job->root.s, job->build_id, piw_text_of("log.txt.gz")) ||
        !piw_path_log(to, job->root.s, job->build_id))
        return piw_err_set(err, PIW_EINVAL, "the number of build %lld makes no path", (long long)job->build_id);
    if (access(from, F_OK) != 0)
        return 0;
    if (is_mended(job) && !log_file_whole(from)) {
        piw_warning("the log of build %lld was lost when the machine went down", (long long)job->build_id);
        return 0;
    }
    piw_err own_err = {0};
    bool torn = is_mended(job) && piw_file_there(to) && !log_file_whole(to);
    int rc = piw_file_place(from, to, torn ? 0 : PIW_FILE_KEEP, &own_err);
    if (rc == PIW_EEXIST) {
        piw_warning("build %lld has a log already, %s: it stays", (long long)job->build_id, to);
        return 0;
    }
    *placed = rc == 0;
    return rc == 0 ? 0 : piw_err_set(err, rc, "%s", own_err.text);
}

static int publish(const publish_build *job, const char *path, DIR *folder, wheels_placed *placed, wheels_placed *away,
                   publish_build_reply *reply, piw_err *err)
{
    int rc = place_all(job, folder, ".whl", place_wheel, placed, err);
    if (rc == 0)
        rc = place_all(job, folder, ".whl", place_link, placed, err);
    if (rc == 0 && !is_mended(job))
        rc = place_all(job, folder, ".whl.metadata", place_metadata, placed, err);
    reply->wheels = placed->names->at.count;
    if (rc == 0)
        rc = place_log(job, &reply->log, err);
    if (rc == 0)
        rc = mend(job, err); /* while the folder is there, pages wait for it */
    if (rc == 0)
        rc = withhold(job, away, err);
    if (rc == 0)
        rc = is_mended(job) ? piw_folder_remove(path, err) : piw_folder_spare(job->root.s, path, job->build_id, err);
    return rc;
}

int job_publish_build(piw_msg *job, piw_msg **result, piw_err *err)
{
    const publish_build *body = publish_build_of(job);
    char path[PIW_PATH_MAX];
    if (!piw_name_is_canonical(body->package) || !piw_path_staged(path, body->root.s, body->build_id, (piw_text){0}))
        return piw_err_set(err, PIW_EINVAL, "build %lld of \"%s\" makes no safe path", (long long)body->build_id,
                           body->package.s);
    int rc = piw_site_there(body->root.s, err);
    if (rc != 0)
        return rc;
    publish_build_reply *reply;
    piw_msg *made = publish_build_reply_new(&reply);
    wheels_placed placed = begin_names(made), away = begin_names(made);
    reply->placed = placed.names;
    reply->away = away.names;
    reply->view = piw_text_copy_some(made, body->view);
    DIR *folder = opendir(path);
    if (folder != NULL) {
        rc = publish(body, path, folder, &placed, &away, reply, err);
        closedir(folder);
    } else { /* another publication was quicker; or the site has just gone */
        rc = errno == ENOENT || errno == ENOTDIR ? piw_site_there(body->root.s, err)
                                                 : piw_err_errno(err, "can't list %s", path);
        if (rc == 0)
            rc = mend(body, err);
        if (rc == 0)
            rc = withhold(body, &away, err);
    }
    bool *replaced = piw_msg_alloc(made, sizeof(*replaced));
    *replaced = placed.replaced;
    reply->replaced = replaced;
    reply->build_id = body->build_id;
    if (rc != 0) {
        piw_msg_free(&made);
        return rc;
    }
    *result = made;
    return 0;
}
