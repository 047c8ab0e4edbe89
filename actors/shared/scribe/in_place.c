/* in_place.c — are the files that a package's pages would name in their places? */
#include "in_place.h"

#include "pages.h"
#include "shared/site_path.h"
#include "shared/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

static const char METADATA_SUFFIX[] = ".metadata";

static int compare_builds(const void *key, const void *build)
{
    int64_t wanted = *(const int64_t *)key, id = ((const project_build *)build)->build_id;
    return wanted < id ? -1 : wanted > id;
}

/* One of the package's, by what the database has said; or NULL. */
static const project_build *find_build(const project_data *data, int64_t build_id)
{
    const project_history *history = data->history;
    return history == NULL || history->builds.count == 0 ? NULL
                                                         : bsearch(&build_id, history->builds.at, history->builds.count,
                                                                   sizeof(*history->builds.at), compare_builds);
}

/* Does a page name this file, of any store? */
static bool is_named(const project_data *data, piw_text filename)
{
    for (uint32_t i = 0; i < data->releases.count; i++) {
        const project_release *release = &data->releases.at[i];
        if (!pages_live(data, release))
            continue;
        for (uint32_t k = 0; k < release->files.count; k++)
            if (piw_text_eq(release->files.at[k].filename, filename))
                return true;
        for (uint32_t k = 0; release->views != NULL && k < release->views->files.count; k++)
            if (piw_text_eq(release->views->files.at[k].file.filename, filename))
                return true;
    }
    return false;
}

/* A wheel's metadata comes after it, and pages say that it is there. */
static piw_text wheel_of(const char *name)
{
    piw_text wheel = piw_text_of(name);
    uint32_t n = sizeof(METADATA_SUFFIX) - 1;
    if (wheel.len > n && strcmp(wheel.s + wheel.len - n, METADATA_SUFFIX) == 0)
        wheel.len -= n;
    return wheel;
}

/* Of a build that lies in the journal alone it isn't seen what its file is called: a page may name that if it names any of its release. */
static int check_release(const project_data *data, const project_build *build, piw_err *err)
{
    for (uint32_t i = 0; i < data->releases.count; i++) {
        const project_release *release = &data->releases.at[i];
        bool named = release->files.count > 0 || (release->views != NULL && release->views->files.count > 0);
        if (named && piw_text_eq(release->version, build->version) && pages_live(data, release))
            return piw_err_set(err, PIW_EAGAIN, "build %lld is recorded, and its wheel for %s isn't in its place yet",
                               (long long)build->build_id, build->version.s);
    }
    return 0;
}

static int check_build(const char *root, const project_data *data, const project_build *build, piw_err *err)
{
    char path[PIW_PATH_MAX];
    int64_t build_id = build->build_id;
    if (!piw_path_staged(path, root, build_id, (piw_text){0}))
        return piw_err_set(err, PIW_EINVAL, "the output path %s is too long", root);
    DIR *folder = opendir(path);
    if (folder == NULL && errno == ENOTDIR)
        return check_release(data, build, err);
    if (folder == NULL)
        return errno == ENOENT ? 0 : piw_err_errno(err, "can't list %s", path);
    int rc = 0;
    struct dirent *entry;
    while (rc == 0 && (entry = readdir(folder)) != NULL) {
        piw_text wheel = wheel_of(entry->d_name);
        if (is_named(data, wheel))
            rc = piw_err_set(err, PIW_EAGAIN, "build %lld is recorded, and %.*s of it isn't in its place yet",
                             (long long)build_id, (int)wheel.len, wheel.s);
    }
    closedir(folder);
    return rc;
}

int in_place_check(const char *root, const project_data *data, piw_err *err)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_staging(path, root))
        return piw_err_set(err, PIW_EINVAL, "the output path %s is too long", root);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno == ENOENT ? 0 : piw_err_errno(err, "can't list %s", path);
    int rc = 0;
    struct dirent *entry;
    while (rc == 0 && (entry = readdir(folder)) != NULL) {
        int64_t build_id = piw_staged_build(entry->d_name);
        const project_build *build = build_id > 0 ? find_build(data, build_id) : NULL;
        if (build != NULL)
            rc = check_build(root, data, build, err);
    }
    closedir(folder);
    return rc;
}
