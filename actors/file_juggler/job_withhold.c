/* job_withhold.c — a job for the worker pool: moves wheels out of reach of the web server, and back. */
#include "jobs.h"

#include "file_juggler.piw.h"
#include "piw/fault.h"
#include "shared/atomic_file.h"
#include "shared/site_mark.h"
#include "shared/site_path.h"
#include "shared/text.h"

#include <errno.h>
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

/* Sets *there when `to` is there afterwards. A file that is in both places stays in both. */
static int move(const char *from, const char *to, bool *there, piw_err *err)
{
    *there = is_there(to);
    if (!is_there(from) || *there)
        return 0;
    int rc = piw_folder_make_for(to, err);
    if (rc == 0 && rename(from, to) != 0)
        rc = piw_err_errno(err, "can't move %s to %s", from, to);
    if (rc == 0)
        rc = piw_folder_sync_of(to, err);
    if (rc == 0)
        rc = piw_folder_sync_of(from, err);
    *there = rc == 0;
    return rc;
}

/* Move a file out of reach; an older one of its name that lies there is replaced. */
static int move_away(const char *from, const char *to, bool *there, piw_err *err)
{
    if (is_there(from) && is_there(to) && unlink(to) != 0 && errno != ENOENT)
        return piw_err_errno(err, "can't replace %s", to);
    return move(from, to, there, err);
}

static int move_file(const move_withheld *job, const move_withheld_files *file, bool *there, piw_err *err)
{
    char wheel[PIW_PATH_MAX], metadata[PIW_PATH_MAX], away[PIW_PATH_MAX], away_metadata[PIW_PATH_MAX];
    char home[PIW_PATH_MAX];
    if (!piw_path_view(home, job->root.s, file->view) || !piw_path_simple(wheel, home, file->package, file->filename) ||
        !piw_path_metadata(metadata, home, file->package, file->filename) ||
        !piw_path_withheld(away, home, file->package, file->filename) ||
        !piw_path_withheld_metadata(away_metadata, home, file->package, file->filename))
        return piw_err_set(err, PIW_EINVAL, "\"%s\" of \"%s\" makes no safe path", file->filename.s, file->package.s);
    bool ignored;
    int rc = file->view.len > 0 ? make_folder(home, err) : 0;
    if (rc != 0)
        return rc;
    if (file->hidden) {
        rc = move_away(wheel, away, there, err);
        return rc == 0 ? move_away(metadata, away_metadata, &ignored, err) : rc;
    }
    rc = move(away, wheel, there, err);
    if (rc == 0)
        rc = move(away_metadata, metadata, &ignored, err);
    *strrchr(away, '/') = '\0';
    rmdir(away);   /* does nothing while others are in the folder */
    *there = true; /* if it is in neither place, there is nothing to put back */
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
    if (rc == 0)
        rc = make_folder(body->root.s, err);
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
        rc = PIW_FAULT("juggler.withhold") ? piw_err_set(err, PIW_ESYS, "the fault point juggler.withhold is armed")
                                           : move_file(body, file, &there, err);
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
    if (rc != 0) {
        piw_msg_free(&made);
        return rc;
    }
    *result = made;
    return 0;
}
