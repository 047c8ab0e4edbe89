/* import.c — what importers say, and their silence (docs/wire.md#imports). */
#include "mr_chase/chase.h"

#include "events.piw.h"
#include "fs.piw.h"
#include "shared/file_check.h"
#include "shared/version.h"

#include <stdlib.h>

int chase_error(piw_task *task, piw_msg *request, const char *why)
{
    piw_msg *answer = import_ERROR_make(piw_text_of(why));
    int rc = piw_reply(task, request, &answer);
    piw_msg_free(&answer);
    return rc;
}

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
        return piw_err_set(err, PIW_EINVAL, "the build can't have taken less than no time");
    return piw_files_check(report->files.at, report->files.count, (piw_text){0}, (piw_text){0}, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const file_state *)a)->filename.s, ((const file_state *)b)->filename.s);
}

/* The importer was given up while it was silent: it hears of that once. */
static int say_lost(chase *self, importer *imp, piw_msg *msg)
{
    piw_err why = {0};
    piw_err_set(&why, PIW_EDEADLINE, "the import of %s %.200s was given up: nothing was heard of it for %lld s",
                imp->package, chase_report(imp)->version.s, (long long)(self->silence_ms + 999) / 1000);
    chase_drop(self, &imp);
    return chase_error(self->task, msg, why.text);
}

/* What an earlier message of this connection began. *done: the message has been dealt with. */
static int settle_earlier(chase *self, piw_msg *msg, bool *done)
{
    importer *imp = chase_of_peer(self, piw_msg_peer(msg));
    *done = imp != NULL && imp->phase != CHASE_SENDING;
    if (imp == NULL)
        return 0;
    if (imp->phase == CHASE_LOST)
        return say_lost(self, imp, msg);
    if (*done)
        return piw_drop(self->task, msg, "an earlier request is not answered yet");
    piw_info("the import of %s is given up: its importer begins another one", imp->package);
    chase_drop(self, &imp);
    return 0;
}

int chase_on_import(piw_task *task, piw_msg *msg)
{
    chase *self = piw_soul(task);
    bool done;
    int rc = settle_earlier(self, msg, &done);
    if (rc != 0 || done)
        return rc;
    piw_err why = {0};
    if (check_report(import_IMPORT_of(msg), &why) != 0)
        return chase_error(task, msg, why.text);
    piw_token token;
    rc = piw_defer(task, msg, &token);
    if (rc != 0)
        return rc;
    piw_msg *report = piw_msg_copy(msg);
    build_state *body = piw_msg_body(report, import_IMPORT_type());
    qsort(body->files.at, body->files.count, sizeof(*body->files.at), by_name);
    importer *imp = chase_add(self, piw_msg_peer(msg), 0, &report);
    imp->request = token;
    chase_go(self, imp, CHASE_KNOWN);
    return 0;
}

int chase_on_sent(piw_task *task, piw_msg *msg)
{
    chase *self = piw_soul(task);
    importer *imp = chase_of_peer(self, piw_msg_peer(msg));
    if (imp == NULL)
        return chase_error(task, msg, "protocol violation");
    if (imp->phase == CHASE_LOST)
        return say_lost(self, imp, msg);
    if (imp->phase != CHASE_SENDING)
        return piw_drop(task, msg, "an earlier request is not answered yet");
    int rc = piw_defer(task, msg, &imp->request);
    if (rc != 0)
        return rc;
    piw_timer_stop(task, "silent", (uint64_t)imp->id);
    chase_go(self, imp, CHASE_VERIFY);
    return 0;
}

/* --- Silence ----------------------------------------------------------------------------------------------------- */

static void listen_until(chase *self, const importer *imp, int64_t delay_ms)
{
    if (piw_timer(self->task, "silent", (uint64_t)imp->id, delay_ms, 0) != 0)
        piw_fail(self->task, "no timer can be set for the import of %s", imp->package);
}

void chase_listen(chase *self, importer *imp)
{
    imp->heard_ns = piw_monotonic_ns();
    listen_until(self, imp, self->silence_ms);
}

int chase_on_alive(piw_task *task, piw_msg *msg)
{
    chase *self = piw_soul(task);
    importer *imp = transfer_alive_of(msg)->slave_id == 0 ? chase_of_id(self, self->turn) : NULL;
    if (imp != NULL)
        imp->heard_ns = piw_monotonic_ns();
    return 0;
}

/* A connection that never speaks again isn't remembered for ever. */
static void lose_turn(chase *self, importer *imp)
{
    piw_warning("the import of %s %s is given up: nothing was heard of it for %lld s", imp->package,
                chase_report(imp)->version.s, (long long)(self->silence_ms + 999) / 1000);
    piw_msg *discard = fs_DISCARD_make(imp->build_id, 0);
    if (piw_cast(self->task, &discard) != 0)
        piw_msg_free(&discard);
    imp->build_id = 0;
    imp->phase = CHASE_LOST;
    chase_remember(self, imp);
    listen_until(self, imp, CHASE_REMEMBER_MS);
    chase_turn_over(self, imp);
}

int chase_on_silent(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    chase *self = piw_soul(task);
    importer *imp = chase_of_id(self, (int64_t)key);
    if (imp != NULL && imp->phase == CHASE_LOST)
        chase_drop(self, &imp);
    if (imp == NULL || imp->phase != CHASE_SENDING)
        return 0;
    int64_t quiet_ms = (piw_monotonic_ns() - imp->heard_ns) / 1000000;
    if (quiet_ms < self->silence_ms)
        listen_until(self, imp, self->silence_ms - quiet_ms + 1);
    else
        lose_turn(self, imp);
    return 0;
}
