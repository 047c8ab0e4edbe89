/* job_withhold.c — a job for the worker pool: moves wheels out of reach of the web server, and back. */
#include "jobs.h"

#include "file_juggler.piw.h"
#include "piw/fault.h"
#include "shared/atomic_file.h"
#include "shared/site_mark.h"
#include "shared/site_path.h"
#include "shared/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_there(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

/* Only the master can enter the folder, however the web server is configured. */
static int make_folder(const char *root, piw_err *err)
{
    char folder[PIW_PATH_MAX];
    if (!piw_path_quarantine(folder, root))
        return piw_err_set(err, PIW_EINVAL, "the output path is too long");
    if (mkdir(folder, 0700) == 0)
        return piw_folder_sync_of(folder, err);
    return errno == EEXIST ? 0 : piw_err_errno(err, "can't make the folder %s for what is quarantined", folder);
}

/* Back into its place. A file that is in both places stays in both. */
static int move_back(const char *from, const char *to, piw_err *err)
{
    if (!is_there(from) || is_there(to))
        return 0;
    int rc = piw_folder_make_for(to, err);
    return rc != 0 || rename(from, to) == 0 || errno == ENOENT ? rc
                                                               : piw_err_errno(err, "can't move %s to %s", from, to);
}

/* Out of reach, in the place of an older one of its name that lies there. In one step, since a look and the end of a build that was
 * left may move the same. */
static int move_away(const char *from, const char *to, piw_err *err)
{
    if (!is_there(from))
        return 0;
    int rc = piw_folder_make_for(to, err);
    return rc != 0 || rename(from, to) == 0 || errno == ENOENT ? rc
                                                               : piw_err_errno(err, "can't move %s to %s", from, to);
}

typedef struct places {
    char wheel[PIW_PATH_MAX], metadata[PIW_PATH_MAX], away[PIW_PATH_MAX], away_metadata[PIW_PATH_MAX];
} places;

/* Too long a name has no METADATA beside it, and an empty path for it. */
static int find_places(places *p, const char *home, piw_text package, piw_text filename, piw_err *err)
{
    (void)piw_path_metadata(p->metadata, home, package, filename);
    (void)piw_path_withheld_metadata(p->away_metadata, home, package, filename);
    return piw_path_simple(p->wheel, home, package, filename) && piw_path_withheld(p->away, home, package, filename)
               ? 0
               : piw_err_set(err, PIW_EINVAL, "\"%s\" of \"%s\" makes no safe path", filename.s, package.s);
}

int job_withhold(const char *home, piw_text package, piw_text filename, bool *there, piw_err *err)
{
    places p;
    int rc = find_places(&p, home, package, filename, err);
    if (rc == 0)
        rc = make_folder(home, err);
    if (rc == 0)
        rc = move_away(p.wheel, p.away, err);
    *there = rc == 0 && is_there(p.away);
    return rc == 0 ? move_away(p.metadata, p.away_metadata, err) : rc;
}

static int put_back(const char *home, const move_withheld_files *file, piw_err *err)
{
    places p;
    int rc = find_places(&p, home, file->package, file->filename, err);
    if (rc == 0)
        rc = move_back(p.away, p.wheel, err);
    return rc == 0 ? move_back(p.away_metadata, p.metadata, err) : rc;
}

/* One that has gone holds nothing. */
static int sync_folder(const char *path, piw_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : piw_err_errno(err, "can't open the folder %s", path);
    int rc = fsync(fd) == 0 ? 0 : piw_err_errno(err, "can't sync the folder %s", path);
    close(fd);
    return rc;
}

/* The folder, and its own name. */
static int sync_names(char *folder, piw_err *err)
{
    int rc = sync_folder(folder, err);
    *strrchr(folder, '/') = '\0';
    return rc == 0 ? sync_folder(folder, err) : rc;
}

int job_withheld_sync(const char *home, piw_text package, piw_err *err)
{
    char place[PIW_PATH_MAX], away[PIW_PATH_MAX];
    if (!piw_path_simple(place, home, package, (piw_text){0}) ||
        !piw_path_withheld(away, home, package, piw_text_of("x")))
        return piw_err_set(err, PIW_EINVAL, "the package \"%s\" makes no safe path", package.s);
    *strrchr(away, '/') = '\0';
    rmdir(away); /* does nothing while anything is in it */
    int rc = sync_names(place, err);
    return rc == 0 ? sync_names(away, err) : rc;
}

/* Sets *there when it lies where it belongs now, or, if that is its place, in neither: there is nothing to put back then. */
static int move_file(const move_withheld *job, const move_withheld_files *file, bool *there, piw_err *err)
{
    char home[PIW_PATH_MAX];
    if (PIW_FAULT("juggler.withhold"))
        return piw_err_set(err, PIW_ESYS, "the fault point juggler.withhold is armed");
    if (!piw_path_view(home, job->root.s, file->view))
        return piw_err_set(err, PIW_EINVAL, "\"%s\" is no view's name", file->view.s);
    if (file->hidden)
        return job_withhold(home, file->package, file->filename, there, err);
    *there = true;
    return put_back(home, file, err);
}

/* Also what was found where it belongs: whoever brought it there may have come no further. Once for a package's files that stand
 * beside each other. */
static int sync_moved(const move_withheld *job, piw_err *err)
{
    char home[PIW_PATH_MAX];
    int rc =
        PIW_FAULT("juggler.withheld") ? piw_err_set(err, PIW_ESYS, "the fault point juggler.withheld is armed") : 0;
    for (uint32_t i = 0; rc == 0 && i < job->files.count; i++) {
        const move_withheld_files *file = &job->files.at[i];
        if (i > 0 && piw_text_eq(file->package, file[-1].package) && piw_text_eq(file->view, file[-1].view))
            continue;
        if (piw_path_view(home, job->root.s, file->view))
            rc = job_withheld_sync(home, file->package, err);
    }
    return rc;
}

/* Of views' files, with room for as many. */
static files_of_views *new_list(piw_msg *msg, uint32_t room)
{
    files_of_views *list = piw_msg_alloc(msg, sizeof(*list));
    piw_msg_list(msg, &list->at, room);
    list->at.count = 0;
    return list;
}

static void note_moved(piw_msg *msg, files_of_views *list, const move_withheld_files *file)
{
    list->at.at[list->at.count++] =
        (files_of_views_at){piw_text_copy(msg, file->view), piw_text_copy(msg, file->filename)};
}

int job_move_withheld(piw_msg *job, piw_msg **result, piw_err *err)
{
    const move_withheld *body = move_withheld_of(job);
    int rc = piw_site_there(body->root.s, err);
    if (rc != 0)
        return rc;
    move_withheld_reply *reply;
    piw_msg *made = move_withheld_reply_new(&reply);
    piw_msg_list(made, &reply->away, body->files.count);
    piw_msg_list(made, &reply->back, body->files.count);
    reply->away.count = reply->back.count = 0;
    files_of_views *views_away = new_list(made, body->files.count), *views_back = new_list(made, body->files.count);
    reply->views_away = views_away;
    reply->views_back = views_back;
    for (uint32_t i = 0; rc == 0 && i < body->files.count; i++) {
        const move_withheld_files *file = &body->files.at[i];
        bool there = false;
        rc = move_file(body, file, &there, err);
        piw_text name = piw_text_copy(made, file->filename);
        if (rc != 0)
            break;
        if (file->view.len > 0 && (!file->hidden || there))
            note_moved(made, file->hidden ? views_away : views_back, file);
        else if (!file->hidden)
            reply->back.at[reply->back.count++] = name;
        else if (there)
            reply->away.at[reply->away.count++] = name;
        else
            reply->missing = true;
    }
    if (rc == 0)
        rc = sync_moved(body, err);
    if (rc != 0) {
        piw_msg_free(&made);
        return rc;
    }
    *result = made;
    return 0;
}
