/* withheld.c — wheels that are out of reach while PyPI has them quarantined. The database says which wheels don't lie
 * where they belong, the worker pool moves them, and the database is told. What is interrupted is found again, since
 * the database still says so. Pages don't list what is withheld, so the pages of wheels that are back are asked for
 * last. */
#include "juggler.h"

#include "db.piw.h"
#include "jobs.h"
#include "shared/text.h"
#include "web.piw.h"

enum {
    AT_ONCE = 1000,
    FIRST_MS = 250, /* after a start: what slaves wait for is asked first */
    AGAIN_MS = 2000,
    ANSWER_MS = 60000,
    TIMER_PERIOD = 0, /* keys of the timer: each so often, … */
    TIMER_AGAIN = 1,  /* … and once more after trouble */
};

static int ask(piw_task *task, piw_text after)
{
    piw_msg *call = db_WITHHELD_DUE_make(after, AT_ONCE);
    int rc = piw_call(task, &call, PIW_ON(withheld_due), 0, ANSWER_MS);
    piw_msg_free(&call);
    return rc;
}

int withheld_look(piw_task *task)
{
    juggler *self = piw_soul(task);
    if (self->withheld_busy) {
        self->withheld_again = true;
        return 0;
    }
    int rc = ask(task, piw_text_of(""));
    if (rc == 0) {
        self->withheld_busy = true;
        self->withheld_again = self->withheld_more = self->withheld_missing = false;
    }
    return rc;
}

/* A wheel that is to be taken away may have been missing, or may be found missing by the look that is under way. */
int withheld_published(piw_task *task)
{
    const juggler *self = piw_soul(task);
    return self->withheld_missing || self->withheld_busy ? withheld_look(task) : 0;
}

int withheld_begin(piw_task *task)
{
    int64_t every_ms = piw_option_number(task, "removals-every");
    return piw_timer(task, PIW_ON(withheld), TIMER_PERIOD, FIRST_MS, every_ms);
}

int on_withheld(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    return withheld_look(task);
}

static int end(piw_task *task, juggler *self)
{
    self->withheld_busy = false;
    return self->withheld_again || self->withheld_more ? withheld_look(task) : 0;
}

/* What failed is tried again. */
static int failed(piw_task *task, juggler *self, const piw_msg *reply, const char *what)
{
    piw_outage_goes_on(&self->troubles[TROUBLE_WITHHELD], PIW_LOG_WARNING, 0, "%s: %s", what,
                       piw_msg_error_text(reply));
    self->withheld_busy = false;
    return piw_timer(task, PIW_ON(withheld), TIMER_AGAIN, AGAIN_MS, 0);
}

int on_withheld_due(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    juggler *self = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        return failed(task, self, reply, "can't ask which wheels are quarantined");
    const db_WITHHELD_DUE_reply *due = db_WITHHELD_DUE_reply_of(reply);
    if (due->files.count == 0) {
        piw_outage_over(&self->troubles[TROUBLE_WITHHELD], "quarantined wheels are looked after again");
        return end(task, self);
    }
    move_withheld *body;
    piw_msg *job = move_withheld_new(&body);
    body->root = piw_msg_textz(job, self->root);
    piw_msg_list(job, &body->files, due->files.count);
    for (uint32_t i = 0; i < due->files.count; i++) {
        const db_WITHHELD_DUE_reply_files *from = &due->files.at[i];
        body->files.at[i].package = piw_text_copy(job, from->package);
        body->files.at[i].filename = piw_text_copy(job, from->filename);
        body->files.at[i].hidden = from->hidden;
        body->files.at[i].view = piw_text_copy_some(job, from->view);
    }
    int rc = piw_work(task, job_move_withheld, &job, PIW_ON(withheld_moved), 0);
    piw_msg_free(&job);
    if (rc == 0 && due->files.count == AT_ONCE)
        self->withheld_more = true;
    return rc;
}

static const files_of_views *copy_of_views(piw_msg *msg, const files_of_views *from)
{
    if (from == NULL)
        return NULL;
    files_of_views *to = piw_msg_alloc(msg, sizeof(*to));
    piw_value_copy(msg, files_of_views_type(), from, to);
    return to;
}

int on_withheld_moved(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    juggler *self = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        return failed(task, self, reply, "wheels that are quarantined, or aren't any more, can't be moved");
    const move_withheld_reply *moved = move_withheld_reply_of(reply);
    self->withheld_missing = moved->missing;
    uint32_t of_views = (moved->views_away != NULL ? moved->views_away->at.count : 0) +
                        (moved->views_back != NULL ? moved->views_back->at.count : 0);
    if (moved->away.count + moved->back.count + of_views == 0) {
        self->withheld_more = false; /* nothing but what isn't there */
        return end(task, self);
    }
    tell_each(task, (piw_text){0}, moved->away.at, moved->away.count, tell_removed);
    tell_each(task, (piw_text){0}, moved->back.at, moved->back.count, tell_published);
    tell_of_views(task, moved->views_away, tell_removed);
    tell_of_views(task, moved->views_back, tell_published);
    db_WITHHELD_DONE *body;
    piw_msg *call = db_WITHHELD_DONE_new(&body);
    piw_msg_list(call, &body->away, moved->away.count);
    piw_texts_copy(call, moved->away.at, moved->away.count, body->away.at);
    piw_msg_list(call, &body->back, moved->back.count);
    piw_texts_copy(call, moved->back.at, moved->back.count, body->back.at);
    body->views_away = copy_of_views(call, moved->views_away);
    body->views_back = copy_of_views(call, moved->views_back);
    int rc = piw_call(task, &call, PIW_ON(withheld_done), 0, ANSWER_MS);
    piw_msg_free(&call);
    return rc;
}

int on_withheld_done(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    juggler *self = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        return failed(task, self, reply, "can't tell the database which wheels were moved");
    piw_outage_over(&self->troubles[TROUBLE_WITHHELD], "quarantined wheels are looked after again");
    const db_WITHHELD_DONE_reply *done = db_WITHHELD_DONE_reply_of(reply);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < done->packages.count; i++) {
        piw_msg *pages = web_BOTH_make(done->packages.at[i], true);
        rc = piw_cast(task, &pages);
        piw_msg_free(&pages);
    }
    return rc != 0 ? rc : end(task, self);
}
