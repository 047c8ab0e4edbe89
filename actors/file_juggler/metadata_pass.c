/* metadata_pass.c — wheels of an adopted tree get their METADATA beside them, in the background: the database says of which it
 * isn't known, the worker pool makes the files, the database is told, and the pages follow. It keeps how far that has come. */
#include "juggler.h"

#include "db.piw.h"
#include "jobs.h"
#include "shared/text.h"
#include "web.piw.h"

enum {
    FIRST_MS = 2000,  /* after the start, when others have asked for what they need */
    NEXT_MS = 200,    /* between two questions: there is no hurry */
    AGAIN_MS = 30000, /* after trouble */
    ANSWER_MS = 60000,
};

static int later(piw_task *task, int64_t delay_ms)
{
    return piw_timer(task, PIW_ON(metadata_look), 0, delay_ms, 0);
}

int metadata_pass_begin(piw_task *task)
{
    return later(task, FIRST_MS);
}

int on_metadata_look(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    juggler *self = piw_soul(task);
    piw_err ignored_err = {0};
    if (site_check(self, &ignored_err) != 0)
        return later(task, AGAIN_MS);
    self->metadata_began_ns = piw_monotonic_ns();
    piw_msg *call = db_METADATA_DUE_new();
    int rc = piw_call(task, &call, PIW_ON(metadata_due), 0, ANSWER_MS);
    piw_msg_free(&call);
    return rc;
}

/* Keep what has been made, and that all up to a name have been looked at. */
static int keep(piw_task *task, const make_metadata_reply *made, piw_text upto)
{
    db_METADATA_MADE *body;
    piw_msg *call = db_METADATA_MADE_new(&body);
    uint32_t count = made != NULL ? made->files.count : 0;
    piw_msg_list(call, &body->files, count);
    for (uint32_t i = 0; i < count; i++) {
        body->files.at[i].filename = piw_text_copy(call, made->files.at[i].filename);
        body->files.at[i].hash = piw_text_copy(call, made->files.at[i].hash);
    }
    if (upto.s != NULL)
        body->upto = piw_text_copy(call, upto);
    int rc = piw_call(task, &call, PIW_ON(metadata_made), upto.s == NULL, ANSWER_MS);
    piw_msg_free(&call);
    return rc;
}

int on_metadata_due(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    juggler *self = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        return later(task, AGAIN_MS);
    const db_METADATA_DUE_reply *due = db_METADATA_DUE_reply_of(reply);
    if (due->done)
        return 0;
    if (due->files.count == 0)
        return keep(task, NULL, due->upto);
    make_metadata *body;
    piw_msg *job = make_metadata_new(&body);
    body->root = piw_msg_textz(job, self->root);
    piw_msg_list(job, &body->files, due->files.count);
    for (uint32_t i = 0; i < due->files.count; i++) {
        body->files.at[i].package = piw_text_copy(job, due->files.at[i].package);
        body->files.at[i].filename = piw_text_copy(job, due->files.at[i].filename);
    }
    if (due->upto.s != NULL)
        body->upto = piw_text_copy(job, due->upto);
    int rc = piw_work_background(task, job_make_metadata, &job, PIW_ON(metadata_written), 0);
    piw_msg_free(&job);
    return rc;
}

int on_metadata_written(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    if (piw_msg_error(reply) != 0) {
        piw_outage_goes_on(&((juggler *)piw_soul(task))->troubles[TROUBLE_METADATA], PIW_LOG_WARNING, 0,
                           "wheels without METADATA beside them have to wait for it: %s", piw_msg_error_text(reply));
        return later(task, AGAIN_MS);
    }
    piw_outage_over(&((juggler *)piw_soul(task))->troubles[TROUBLE_METADATA], "METADATA is put beside wheels again");
    const make_metadata_reply *made = make_metadata_reply_of(reply);
    return keep(task, made, made->upto);
}

int on_metadata_made(piw_task *task, piw_msg *reply, uint64_t key)
{
    if (piw_msg_error(reply) != 0)
        return later(task, AGAIN_MS);
    const db_METADATA_MADE_reply *body = db_METADATA_MADE_reply_of(reply);
    for (uint32_t i = 0; i < body->packages.count; i++) {
        piw_msg *pages = web_BOTH_make(body->packages.at[i], false);
        int rc = piw_cast(task, &pages);
        piw_msg_free(&pages);
        if (rc != 0)
            return rc;
    }
    bool last = key != 0;
    if (last)
        piw_info("all wheels that can be read have their METADATA beside them");
    if (last)
        return 0;
    const juggler *self = piw_soul(task);
    int64_t now_ns = piw_monotonic_ns();
    int64_t rest_ms = pace_rest_ms(&self->bulk_pace, now_ns, now_ns - self->metadata_began_ns);
    return later(task, rest_ms > NEXT_MS ? rest_ms : NEXT_MS);
}
