/* conversation.c — what importers say, their silence, and all that they are told. */
#include "mr_chase/chase.h"

#include "events.piw.h"
#include "shared/file_check.h"
#include "shared/version.h"
#include "transfers.piw.h"

#include <stdlib.h>

/* --- Answers ------------------------------------------------------------------------------------------------------- */

static void answer(chase *self, importer *imp, piw_msg *msg)
{
    if (imp->saved.request.id == 0 || piw_answer(self->task, imp->saved.request, &msg) != 0) {
        piw_debug("the importer of %s ended before its answer came", imp->package);
        piw_msg_free(&msg);
    }
    imp->saved.request = (piw_token){0};
}

static void set_silent(chase *self, const importer *imp, int64_t delay_ms)
{
    if (piw_timer(self->task, PIW_ON(silent), (uint64_t)imp->saved.id, delay_ms, 0) != 0)
        piw_fail(self->task, "no timer can be set for the import of %s", imp->package);
}

/* The importer has been told to send: from now on it may be silent for a while only. */
static void listen(chase *self, importer *imp)
{
    imp->heard_ns = piw_monotonic_ns();
    set_silent(self, imp, self->silence_ms);
}

static void say_send(chase *self, importer *imp)
{
    answer(self, imp, import_SEND_make(chase_report(imp)->files.at[imp->saved.verified.count].filename));
    chase_remember(self, imp);
    listen(self, imp);
}

/* Forget an import; its importer isn't told. If the build may have a row, its staged files stay: the next start of
 * the master publishes them when it has, and removes them when it hasn't. */
static void forget(chase *self, importer **imp)
{
    importer *gone = *imp;
    piw_timer_stop(self->task, PIW_ON(again), (uint64_t)gone->saved.id);
    piw_timer_stop(self->task, PIW_ON(silent), (uint64_t)gone->saved.id);
    chase_import_discard(self, gone);
    piw_msg *none = NULL;
    if (piw_peer_set(self->task, (piw_peer)gone->saved.peer, &none) != 0)
        piw_debug("the record of an importer that left is gone already");
    chase_remove(self, imp);
}

/* Importers can't be told apart on the file queue (all say 0), so one transfers at a time; the others wait in the order in
 * which they came. When the one whose turn it was has done with its transfers, the next one's begin. */
static void pass_turn(chase *self)
{
    const importer *has = chase_of_id(self, self->turn);
    if (has != NULL && has->saved.phase >= CHASE_EXPECT && has->saved.phase <= CHASE_VERIFY)
        return;
    importer *next = chase_first_waiting(self);
    self->turn = next != NULL ? next->saved.id : 0;
    if (next != NULL)
        chase_import_go(self, next, CHASE_EXPECT);
}

/* --- How an import goes on ----------------------------------------------------------------------------------------- */

/* An answer to what was asked in a phase: it is of no use when the import has left that. */
static int go_on(piw_task *task, const piw_msg *reply, uint64_t key, int phase)
{
    chase *self = piw_soul(task);
    importer *imp = chase_of_id(self, (int64_t)key);
    if (imp == NULL || imp->saved.phase != phase)
        return 0;
    piw_err err = {0};
    switch (chase_import_answered(self, imp, reply, &err)) {
    case CHASE_SENDING:
        say_send(self, imp);
        break;
    case CHASE_DONE:
        answer(self, imp, import_DONE_make(piw_text_of("IMPORT")));
        forget(self, &imp);
        break;
    case CHASE_REFUSED:
        piw_warning("the import of %s %s is refused: %s", imp->package, chase_report(imp)->version.s, err.text);
        answer(self, imp, import_ERROR_make(piw_text_of(err.text)));
        forget(self, &imp);
        break;
    default:
        break;
    }
    pass_turn(self);
    return 0;
}

int on_known(piw_task *task, piw_msg *reply, uint64_t key)
{
    return go_on(task, reply, key, CHASE_KNOWN);
}

int on_number(piw_task *task, piw_msg *reply, uint64_t key)
{
    return go_on(task, reply, key, CHASE_NUMBER);
}

int on_expected(piw_task *task, piw_msg *reply, uint64_t key)
{
    chase *self = piw_soul(task);
    importer *imp = chase_of_id(self, (int64_t)key);
    if (imp != NULL && chase_import_expected_again(self, imp, reply))
        return 0;
    return go_on(task, reply, key, CHASE_EXPECT);
}

int on_verified(piw_task *task, piw_msg *reply, uint64_t key)
{
    return go_on(task, reply, key, CHASE_VERIFY);
}

int on_staged(piw_task *task, piw_msg *reply, uint64_t key)
{
    return go_on(task, reply, key, CHASE_STAGE);
}

int on_recorded(piw_task *task, piw_msg *reply, uint64_t key)
{
    return go_on(task, reply, key, CHASE_RECORD);
}

int on_was_recorded(piw_task *task, piw_msg *reply, uint64_t key)
{
    return go_on(task, reply, key, CHASE_RECORDED);
}

int on_published(piw_task *task, piw_msg *reply, uint64_t key)
{
    return go_on(task, reply, key, CHASE_PUBLISH);
}

int on_again(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    chase *self = piw_soul(task);
    importer *imp = chase_of_id(self, (int64_t)key);
    if (imp != NULL)
        chase_import_step(self, imp);
    return 0;
}

/* --- What importers say -------------------------------------------------------------------------------------------- */

/* Package and version are the operator's word, so only their syntax is looked at, and that of the files. */
static int check_report(const build_state *report, piw_err *err)
{
    char package[PIW_NAME_MAX + 1];
    if (!report->status)
        return piw_err_set(err, PIW_EINVAL, "importing a failed build is not supported");
    if (report->files.count == 0)
        return piw_err_set(err, PIW_EINVAL, "no files listed for import");
    if (!piw_name_canonical(report->package, package))
        return piw_err_set(err, PIW_EINVAL, "\"%s\" is no package name", report->package.s);
    if (!piw_version_acceptable(report->version))
        return piw_err_set(err, PIW_EINVAL, "\"%s\" is no version", report->version.s);
    if (piw_duration_us(report->duration) < 0)
        return piw_err_set(err, PIW_EINVAL, "the build can't have taken a negative time");
    return piw_files_check(report->files.at, report->files.count, (piw_text){0}, (piw_text){0}, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const file_state *)a)->filename.s, ((const file_state *)b)->filename.s);
}

/* The importer was given up while it was silent: it hears of that once. */
static int say_lost(chase *self, importer *imp, piw_msg *msg)
{
    piw_err err = {0};
    piw_err_set(&err, PIW_EDEADLINE, "the import of %s %.200s was given up: nothing was heard of it for %lld s",
                imp->package, chase_report(imp)->version.s, (long long)(self->silence_ms + 999) / 1000);
    forget(self, &imp);
    return chase_error(self->task, msg, err.text);
}

/* What an earlier message of this connection began. *done: the message has been dealt with. */
static int settle_earlier(chase *self, piw_msg *msg, bool *done)
{
    importer *imp = chase_of_peer(self, piw_msg_peer(msg));
    *done = imp != NULL && imp->saved.phase != CHASE_SENDING;
    if (imp == NULL)
        return 0;
    if (imp->saved.phase == CHASE_LOST)
        return say_lost(self, imp, msg);
    if (*done)
        return piw_drop(self->task, msg, "an earlier request is not answered yet");
    piw_info("the import of %s is given up: its importer begins another one", imp->package);
    forget(self, &imp);
    pass_turn(self);
    return 0;
}

int chase_on_import(piw_task *task, piw_msg *msg)
{
    chase *self = piw_soul(task);
    bool done;
    int rc = settle_earlier(self, msg, &done);
    if (rc != 0 || done)
        return rc;
    piw_err err = {0};
    if (check_report(import_IMPORT_of(msg), &err) != 0)
        return chase_error(task, msg, err.text);
    piw_token token;
    rc = piw_defer(task, msg, &token);
    if (rc != 0)
        return rc;
    piw_msg *report = piw_msg_copy(msg);
    build_state *body = piw_msg_body(report, import_IMPORT_type());
    qsort(body->files.at, body->files.count, sizeof(*body->files.at), by_name);
    importer *imp = chase_add(self, piw_msg_peer(msg), 0, &report);
    imp->saved.request = token;
    chase_import_go(self, imp, CHASE_KNOWN);
    return 0;
}

int chase_on_sent(piw_task *task, piw_msg *msg)
{
    chase *self = piw_soul(task);
    importer *imp = chase_of_peer(self, piw_msg_peer(msg));
    if (imp == NULL)
        return chase_error(task, msg, "protocol violation");
    if (imp->saved.phase == CHASE_LOST)
        return say_lost(self, imp, msg);
    if (imp->saved.phase != CHASE_SENDING)
        return piw_drop(task, msg, "an earlier request is not answered yet");
    int rc = piw_defer(task, msg, &imp->saved.request);
    if (rc != 0)
        return rc;
    piw_timer_stop(task, PIW_ON(silent), (uint64_t)imp->saved.id);
    chase_import_go(self, imp, CHASE_VERIFY);
    return 0;
}

/* --- Silence ----------------------------------------------------------------------------------------------------- */

int chase_on_alive(piw_task *task, piw_msg *msg)
{
    chase *self = piw_soul(task);
    importer *imp = transfer_alive_of(msg)->slave_id == 0 ? chase_of_id(self, self->turn) : NULL;
    if (imp != NULL)
        imp->heard_ns = piw_monotonic_ns();
    return 0;
}

int chase_on_unknown(piw_task *task, piw_msg *msg)
{
    chase *self = piw_soul(task);
    importer *imp = transfer_unknown_of(msg)->slave_id == 0 ? chase_of_id(self, self->turn) : NULL;
    if (imp != NULL)
        chase_import_expect_again(self, imp);
    return 0;
}

/* An import that lost its turn is forgotten after a while, though its connection may never speak again. */
static void lose_turn(chase *self, importer *imp)
{
    piw_warning("the import of %s %s is given up: nothing was heard of it for %lld s", imp->package,
                chase_report(imp)->version.s, (long long)(self->silence_ms + 999) / 1000);
    chase_import_discard(self, imp);
    imp->saved.phase = CHASE_LOST;
    chase_remember(self, imp);
    set_silent(self, imp, CHASE_REMEMBER_MS);
    pass_turn(self);
}

int on_silent(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    chase *self = piw_soul(task);
    importer *imp = chase_of_id(self, (int64_t)key);
    if (imp != NULL && imp->saved.phase == CHASE_LOST)
        forget(self, &imp);
    if (imp == NULL || imp->saved.phase != CHASE_SENDING)
        return 0;
    int64_t quiet_ms = (piw_monotonic_ns() - imp->heard_ns) / 1000000;
    if (quiet_ms < self->silence_ms)
        set_silent(self, imp, self->silence_ms - quiet_ms + 1);
    else
        lose_turn(self, imp);
    return 0;
}

/* --- Restart ------------------------------------------------------------------------------------------------------ */

void chase_resume(chase *self)
{
    importer *imp = chase_next(self, NULL), *next;
    for (; imp != NULL; imp = next) {
        next = chase_next(self, imp);
        if (imp->saved.phase == CHASE_SENDING) {
            self->turn = imp->saved.id;
            listen(self, imp);
        } else if (imp->saved.phase >= CHASE_RECORD && imp->saved.phase <= CHASE_PUBLISH) {
            imp->saved.sent_before = true;
            chase_import_go(self, imp, imp->saved.phase == CHASE_RECORD ? CHASE_RECORDED : imp->saved.phase);
        } else if (imp->saved.phase != CHASE_LOST) {
            forget(self, &imp);
        }
    }
}
