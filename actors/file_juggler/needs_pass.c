/* needs_pass.c — wheels that came when the farm had no views are read for what their code needs, in the background: the database
 * says of which it isn't known, the worker pool reads them, the database is told, and the pages of views follow. It keeps how far
 * that has come. */
#include "juggler.h"

#include "db.piw.h"
#include "jobs.h"
#include "shared/text.h"
#include "web.piw.h"

enum {
    FIRST_MS = 1000,  /* after the start: until a wheel is read, what it may cover has to wait */
    NEXT_MS = 200,    /* between two questions: slaves have other work meanwhile */
    AGAIN_MS = 30000, /* after trouble */
    ANSWER_MS = 60000,
};

static int later(piw_task *task, int64_t delay_ms)
{
    return piw_timer(task, PIW_ON(needs_look), 0, delay_ms, 0);
}

int needs_pass_begin(piw_task *task)
{
    return later(task, FIRST_MS);
}

int on_needs_look(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    juggler *self = piw_soul(task);
    piw_err ignored_err = {0};
    if (site_check(self, &ignored_err) != 0)
        return later(task, AGAIN_MS);
    self->needs_began_ns = piw_monotonic_ns();
    piw_msg *call = db_NEEDS_DUE_new();
    int rc = piw_call(task, &call, PIW_ON(needs_due), 0, ANSWER_MS);
    piw_msg_free(&call);
    return rc;
}

/* Keep what has been read, and that all up to a name have been looked at. */
static int keep(piw_task *task, const read_needs_reply *read, piw_text upto)
{
    db_NEEDS_READ *body;
    piw_msg *call = db_NEEDS_READ_new(&body);
    uint32_t count = read != NULL ? read->files.count : 0;
    piw_msg_list(call, &body->files, count);
    for (uint32_t i = 0; i < count; i++) {
        const read_needs_reply_files *from = &read->files.at[i];
        body->files.at[i].filename = piw_text_copy(call, from->filename);
        body->files.at[i].hash = piw_text_copy(call, from->hash);
        if (from->needs == NULL)
            continue;
        wheel_needs *words = piw_msg_alloc(call, sizeof(*words));
        piw_value_copy(call, wheel_needs_type(), from->needs, words);
        body->files.at[i].needs = words;
    }
    if (upto.s != NULL)
        body->upto = piw_text_copy(call, upto);
    int rc = piw_call(task, &call, PIW_ON(needs_kept), upto.s == NULL, ANSWER_MS);
    piw_msg_free(&call);
    return rc;
}

int on_needs_due(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    juggler *self = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        return later(task, AGAIN_MS);
    const db_NEEDS_DUE_reply *due = db_NEEDS_DUE_reply_of(reply);
    if (due->done)
        return 0;
    if (due->files.count == 0)
        return keep(task, NULL, due->upto);
    read_needs *body;
    piw_msg *job = read_needs_new(&body);
    body->root = piw_msg_textz(job, self->root);
    piw_msg_list(job, &body->files, due->files.count);
    for (uint32_t i = 0; i < due->files.count; i++) {
        body->files.at[i].package = piw_text_copy(job, due->files.at[i].package);
        body->files.at[i].filename = piw_text_copy(job, due->files.at[i].filename);
        body->files.at[i].hash = piw_text_copy(job, due->files.at[i].hash);
    }
    if (due->upto.s != NULL)
        body->upto = piw_text_copy(job, due->upto);
    int rc = piw_work_background(task, job_read_needs, &job, PIW_ON(needs_read), 0);
    piw_msg_free(&job);
    return rc;
}

int on_needs_read(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    piw_outage *trouble = &((juggler *)piw_soul(task))->troubles[TROUBLE_NEEDS];
    if (piw_msg_error(reply) != 0) {
        piw_outage_goes_on(
            trouble, PIW_LOG_WARNING, 0,
            "wheels from before the farm had views can't be read, so what they may cover has to wait: %s",
            piw_msg_error_text(reply));
        return later(task, AGAIN_MS);
    }
    piw_outage_over(trouble, "wheels from before the farm had views are read again");
    const read_needs_reply *read = read_needs_reply_of(reply);
    return keep(task, read, read->upto);
}

int on_needs_kept(piw_task *task, piw_msg *reply, uint64_t key)
{
    if (piw_msg_error(reply) != 0)
        return later(task, AGAIN_MS);
    const db_NEEDS_READ_reply *body = db_NEEDS_READ_reply_of(reply);
    for (uint32_t i = 0; i < body->packages.count; i++) {
        piw_msg *pages = web_BOTH_make(body->packages.at[i], false);
        int rc = piw_cast(task, &pages);
        piw_msg_free(&pages);
        if (rc != 0)
            return rc;
    }
    bool last = key != 0;
    if (last)
        piw_info("all wheels from before the farm had views have been read for what they need");
    if (last)
        return 0;
    const juggler *self = piw_soul(task);
    int64_t now_ns = piw_monotonic_ns();
    int64_t rest_ms = pace_rest_ms(&self->bulk_pace, now_ns, now_ns - self->needs_began_ns);
    return later(task, rest_ms > NEXT_MS ? rest_ms : NEXT_MS);
}
