/* plugin_files.c — what other tasks are told of wheels, and files that plugins have put into the site. */
#include "juggler.h"

#include "events.piw.h"
#include "file_juggler.piw.h"
#include "fs.piw.h"
#include "jobs.h"
#include "shared/names.h"
#include "shared/site_path.h"
#include "shared/text.h"

static void emit(piw_task *task, piw_msg *event)
{
    if (piw_emit(task, &event) != 0)
        piw_msg_free(&event);
}

/* --- Wheels --- */

void tell_published(piw_task *task, piw_text view, piw_text package, const piw_text *files, uint32_t count)
{
    if (count == 0)
        return;
    wheel_published *body;
    piw_msg *event = wheel_published_new(&body);
    body->package = piw_text_copy(event, package);
    body->view = piw_text_copy_some(event, view);
    piw_msg_list(event, &body->files, count);
    piw_texts_copy(event, files, count, body->files.at);
    emit(task, event);
}

void tell_removed(piw_task *task, piw_text view, piw_text package, const piw_text *files, uint32_t count)
{
    if (count == 0)
        return;
    wheel_removed *body;
    piw_msg *event = wheel_removed_new(&body);
    body->package = piw_text_copy(event, package);
    body->view = piw_text_copy_some(event, view);
    piw_msg_list(event, &body->files, count);
    piw_texts_copy(event, files, count, body->files.at);
    emit(task, event);
}

void tell_each(piw_task *task, piw_text view, const piw_text *files, uint32_t count, tell_fn *tell)
{
    for (uint32_t i = 0; i < count; i++) {
        char package[PIW_NAME_MAX + 1];
        piw_text name = {files[i].s, (uint32_t)strcspn(files[i].s, "-")};
        if (piw_name_canonical(name, package))
            tell(task, view, piw_text_of(package), &files[i], 1);
    }
}

void tell_placed(piw_task *task, piw_text view, const juggler_names *placed)
{
    if (placed != NULL)
        tell_each(task, view, placed->at.at, placed->at.count, tell_published);
}

void tell_of_views(piw_task *task, const files_of_views *files, tell_fn *tell)
{
    for (uint32_t i = 0; files != NULL && i < files->at.count; i++)
        tell_each(task, files->at.at[i].view, &files->at.at[i].filename, 1, tell);
}

/* --- Files of plugins --- */

static int put_or_remove(piw_task *task, piw_msg *msg, piw_text path, piw_blob *data, const char *continuation)
{
    const juggler *self = piw_soul(task);
    char place[PIW_PATH_MAX];
    piw_err site_err = {0};
    if (!piw_path_plugin(place, self->root, path))
        return piw_refuse(task, msg, PIW_EINVAL,
                          "\"%s\" is no file that plugins may write: feeds/NAME, or project/PACKAGE/feed.atom", path.s);
    if (site_check(self, &site_err) != 0)
        return piw_refuse(task, msg, PIW_EAGAIN, "%s", site_err.text);
    put_file *body;
    piw_msg *job = put_file_new(&body);
    body->root = piw_msg_textz(job, self->root);
    body->path = piw_text_copy(job, path);
    body->data = data != NULL ? piw_msg_blob(job, data) : NULL;
    piw_token token;
    int rc = piw_defer(task, msg, &token);
    if (rc == 0)
        rc = piw_work(task, job_put_file, &job, continuation, token.id);
    piw_msg_free(&job);
    return rc;
}

static int answer_put(piw_task *task, const piw_msg *reply, uint64_t key, piw_msg *answer)
{
    piw_token token = {key};
    int rc = piw_msg_error(reply) != 0
                 ? piw_answer_error(task, token, piw_msg_error(reply), "%s", piw_msg_error_text(reply))
                 : piw_answer(task, token, &answer);
    piw_msg_free(&answer);
    return rc;
}

int on_write_file(piw_task *task, piw_msg *msg)
{
    const fs_WRITE_FILE *body = fs_WRITE_FILE_of(msg);
    return put_or_remove(task, msg, body->path, body->data, PIW_ON(file_written));
}

int on_remove_file(piw_task *task, piw_msg *msg)
{
    return put_or_remove(task, msg, fs_REMOVE_FILE_of(msg)->path, NULL, PIW_ON(file_removed));
}

int on_file_written(piw_task *task, piw_msg *reply, uint64_t key)
{
    juggler *self = piw_soul(task);
    bool written = piw_msg_error(reply) == 0 && put_file_reply_of(reply)->written;
    self->unsynced = self->unsynced || written;
    return answer_put(task, reply, key, fs_WRITE_FILE_reply_make(written));
}

int on_file_removed(piw_task *task, piw_msg *reply, uint64_t key)
{
    return answer_put(task, reply, key, fs_REMOVE_FILE_reply_new());
}
