/* wheel_pass.c — what is done in the background for wheels that lack something, in the order of their names: the database says
 * which are next, the worker pool deals with them, the database is told, keeps how far that has come, and the pages follow. */
#include "juggler.h"

#include "db.piw.h"
#include "jobs.h"
#include "shared/text.h"
#include "web.piw.h"

enum {
    NEXT_MS = 200,    /* between two questions, at least: slaves have other work meanwhile */
    AGAIN_MS = 30000, /* after trouble */
    ANSWER_MS = 60000,
};

typedef struct pass {
    int first_ms; /* after the start */
    juggler_trouble trouble;
    const char *waits, *again, *over; /* what is said in trouble, after it, and when all have been dealt with */
    piw_msg *(*ask)(void);            /* which are next? */
    piw_msg *(*job)(const juggler *self, const piw_msg *answer); /* for these; NULL: all have been dealt with */
    piw_work_fn *work;                                           /* its result is a wheels_done */
    piw_msg *(*tell)(wheels_done **body);
} pass;

/* Wheels of an adopted tree get their METADATA beside them. */
static piw_msg *metadata_job(const juggler *self, const piw_msg *answer)
{
    const db_METADATA_DUE_reply *due = db_METADATA_DUE_reply_of(answer);
    if (due->done)
        return NULL;
    make_metadata *body;
    piw_msg *job = make_metadata_new(&body);
    body->root = piw_msg_textz(job, self->root);
    piw_value_copy(job, wheels_for_metadata_type(), &due->wheels, &body->wheels);
    return job;
}

/* Wheels that came when the farm had no views are read for what their code needs. */
static piw_msg *needs_job(const juggler *self, const piw_msg *answer)
{
    const db_NEEDS_DUE_reply *due = db_NEEDS_DUE_reply_of(answer);
    if (due->done)
        return NULL;
    read_needs *body;
    piw_msg *job = read_needs_new(&body);
    body->root = piw_msg_textz(job, self->root);
    piw_value_copy(job, wheels_for_needs_type(), &due->wheels, &body->wheels);
    return job;
}

static const pass passes[] = {
    [PASS_METADATA] = {2000, /* when others have asked for what they need */
                       TROUBLE_METADATA, "wheels without METADATA beside them have to wait for it",
                       "METADATA is put beside wheels again",
                       "all wheels that can be read have their METADATA beside them", db_METADATA_DUE_new, metadata_job,
                       job_make_metadata, db_METADATA_MADE_new},
    [PASS_NEEDS] = {1000, /* until a wheel is read, what it may cover has to wait */
                    TROUBLE_NEEDS,
                    "wheels from before the farm had views can't be read, so what they may cover has to wait",
                    "wheels from before the farm had views are read again",
                    "all wheels from before the farm had views have been read for what they need", db_NEEDS_DUE_new,
                    needs_job, job_read_needs, db_NEEDS_READ_new},
};

static int later(piw_task *task, uint64_t which, int64_t delay_ms)
{
    return piw_timer(task, PIW_ON(pass_look), which, delay_ms, 0);
}

int wheel_pass_begin(piw_task *task, wheel_pass which)
{
    return later(task, which, passes[which].first_ms);
}

int on_pass_look(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    juggler *self = piw_soul(task);
    piw_err ignored_err = {0};
    if (site_check(self, &ignored_err) != 0)
        return later(task, key, AGAIN_MS);
    self->pass_began_ns[key] = piw_monotonic_ns();
    piw_msg *call = passes[key].ask();
    int rc = piw_call(task, &call, PIW_ON(pass_due), key, ANSWER_MS);
    piw_msg_free(&call);
    return rc;
}

int on_pass_due(piw_task *task, piw_msg *reply, uint64_t key)
{
    if (piw_msg_error(reply) != 0)
        return later(task, key, AGAIN_MS);
    piw_msg *job = passes[key].job(piw_soul(task), reply);
    int rc = job != NULL ? piw_work_background(task, passes[key].work, &job, PIW_ON(pass_worked), key) : 0;
    piw_msg_free(&job);
    return rc;
}

int on_pass_worked(piw_task *task, piw_msg *reply, uint64_t key)
{
    const pass *p = &passes[key];
    piw_outage *trouble = &((juggler *)piw_soul(task))->troubles[p->trouble];
    if (piw_msg_error(reply) != 0) {
        piw_outage_goes_on(trouble, PIW_LOG_WARNING, 0, "%s: %s", p->waits, piw_msg_error_text(reply));
        return later(task, key, AGAIN_MS);
    }
    piw_outage_over(trouble, "%s", p->again);
    const wheels_done *done = piw_msg_any_body(reply);
    wheels_done *body;
    piw_msg *call = p->tell(&body);
    piw_value_copy(call, wheels_done_type(), done, body);
    int rc = piw_call(task, &call, done->upto.s != NULL ? PIW_ON(pass_told) : PIW_ON(pass_over), key, ANSWER_MS);
    piw_msg_free(&call);
    return rc;
}

static int write_pages(piw_task *task, const changed_packages *changed)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < changed->packages.count; i++) {
        piw_msg *pages = web_BOTH_make(changed->packages.at[i], false);
        rc = piw_cast(task, &pages);
        piw_msg_free(&pages);
    }
    return rc;
}

int on_pass_told(piw_task *task, piw_msg *reply, uint64_t key)
{
    if (piw_msg_error(reply) != 0)
        return later(task, key, AGAIN_MS);
    const juggler *self = piw_soul(task);
    int64_t now_ns = piw_monotonic_ns();
    int64_t rest_ms = pace_rest_ms(&self->bulk_pace, now_ns, now_ns - self->pass_began_ns[key]);
    int rc = write_pages(task, piw_msg_any_body(reply));
    return rc == 0 ? later(task, key, rest_ms > NEXT_MS ? rest_ms : NEXT_MS) : rc;
}

int on_pass_over(piw_task *task, piw_msg *reply, uint64_t key)
{
    if (piw_msg_error(reply) != 0)
        return later(task, key, AGAIN_MS);
    piw_info("%s", passes[key].over);
    return write_pages(task, piw_msg_any_body(reply));
}
