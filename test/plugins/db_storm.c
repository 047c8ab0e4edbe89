/* db_storm — stands where slave_driver and big_brother stand towards the database: many builds at once, and the queue. */
#include "builds.piw.h"
#include "db.piw.h"
#include "events.piw.h"
#include "piw/plugin.h"
#include "stats.piw.h"
#include "test/db_storm.piw.h"

#include <stdlib.h>

static piw_continuation_fn on_stored;

enum { ABIS_MAX = 8 };

typedef struct storm {
    int64_t expected, recorded, known, refused, other;
    int64_t up, down;
    piw_token result;
    piw_msg *heads[ABIS_MAX]; /* copies of builds_QUEUE */
    piw_token offered;
    piw_msg *wanted; /* a copy of storm_OFFERED */
} storm;

static int answer_result(piw_task *task, storm *self)
{
    if (self->result.id == 0 || self->recorded + self->known + self->refused + self->other < self->expected)
        return 0;
    piw_msg *answer = storm_RESULT_reply_make(self->recorded, self->known, self->refused, self->other);
    piw_token token = self->result;
    self->result = (piw_token){0};
    return piw_answer(task, token, &answer);
}

static int send_build(piw_task *task, const storm_STORM *asked, int64_t number)
{
    build_row *body = NULL;
    piw_msg *build = db_LOGBUILD_new(&body);
    body->build_id = number;
    body->slave_id = number;
    body->package = piw_msg_text(build, asked->package.s, asked->package.len);
    body->version = piw_msg_text(build, asked->version.s, asked->version.len);
    /* Wider than the column. */
    body->abi_tag = number == asked->bad ? piw_msg_printf(build, "%0150d", 0) : piw_msg_textz(build, "cp39");
    body->duration = piw_duration_from_us(1000);
    int rc = piw_call(task, &build, PIW_ON(stored), (uint64_t)number, -1);
    if (rc != 0)
        return rc;
    piw_msg *attempt = db_ATTEMPT_make(number, asked->package, asked->version, piw_text_of("cp311"), (piw_text){0});
    return piw_cast(task, &attempt);
}

static int on_storm(piw_task *task, piw_msg *msg)
{
    storm *self = piw_soul(task);
    const storm_STORM *asked = storm_STORM_of(msg);
    for (int64_t i = 0; i < asked->count; i++) {
        int rc = send_build(task, asked, asked->first + i);
        if (rc != 0)
            return rc;
    }
    self->expected = asked->count;
    self->recorded = self->known = self->refused = self->other = 0;
    piw_msg *answer = storm_STORM_reply_new();
    return piw_reply(task, msg, &answer);
}

static int on_attempt(piw_task *task, piw_msg *msg)
{
    const storm_ATTEMPT *asked = storm_ATTEMPT_of(msg);
    piw_msg *attempt =
        db_ATTEMPT_make(asked->slave, asked->package, asked->version, piw_text_of("cp311"), (piw_text){0});
    int rc = piw_cast(task, &attempt);
    piw_msg *answer = storm_ATTEMPT_reply_new();
    return rc != 0 ? rc : piw_reply(task, msg, &answer);
}

static int on_stored(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    storm *self = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        *(piw_msg_error(reply) == PIW_EDB ? &self->refused : &self->other) += 1;
    else
        *(db_LOGBUILD_reply_of(reply)->recorded ? &self->recorded : &self->known) += 1;
    return answer_result(task, self);
}

static int on_result(piw_task *task, piw_msg *msg)
{
    storm *self = piw_soul(task);
    int rc = piw_defer(task, msg, &self->result);
    return rc != 0 ? rc : answer_result(task, self);
}

/* --- The queue ------------------------------------------------------------------------------------------------------- */

static bool holds(const builds_QUEUE *queue, const storm_OFFERED *wanted)
{
    for (uint32_t i = 0; i < queue->builds.count; i++)
        if (piw_text_eq(queue->builds.at[i].package, wanted->package) &&
            piw_text_eq(queue->builds.at[i].version, wanted->version))
            return true;
    return false;
}

static int answer_offered(piw_task *task, storm *self)
{
    for (int i = 0; self->offered.id != 0 && i < ABIS_MAX && self->heads[i] != NULL; i++) {
        const builds_QUEUE *queue = builds_QUEUE_of(self->heads[i]);
        const storm_OFFERED *wanted = storm_OFFERED_of(self->wanted);
        if (!piw_text_eq(queue->abi_tag, wanted->abi_tag) || holds(queue, wanted) == wanted->absent)
            continue;
        piw_msg *answer = storm_OFFERED_reply_make(queue->total);
        piw_token token = self->offered;
        self->offered = (piw_token){0};
        piw_msg_free(&self->wanted);
        return piw_answer(task, token, &answer);
    }
    return 0;
}

static int on_queue(piw_task *task, piw_msg *msg)
{
    storm *self = piw_soul(task);
    int i = 0;
    while (i < ABIS_MAX - 1 && self->heads[i] != NULL &&
           !piw_text_eq(builds_QUEUE_of(self->heads[i])->abi_tag, builds_QUEUE_of(msg)->abi_tag))
        i++;
    piw_msg_free(&self->heads[i]);
    self->heads[i] = piw_msg_copy(msg);
    return answer_offered(task, self);
}

static int on_offered(piw_task *task, piw_msg *msg)
{
    storm *self = piw_soul(task);
    int rc = piw_defer(task, msg, &self->offered);
    if (rc != 0)
        return rc;
    piw_msg_free(&self->wanted);
    self->wanted = piw_msg_copy(msg);
    return answer_offered(task, self);
}

/* --- Events and the rest --------------------------------------------------------------------------------------------- */

static int on_up(piw_task *task, piw_msg *msg)
{
    (void)msg;
    ((storm *)piw_soul(task))->up++;
    return 0;
}

static int on_down(piw_task *task, piw_msg *msg)
{
    (void)msg;
    ((storm *)piw_soul(task))->down++;
    return 0;
}

static int on_events(piw_task *task, piw_msg *msg)
{
    const storm *self = piw_soul(task);
    piw_msg *answer = storm_EVENTS_reply_make(self->up, self->down);
    return piw_reply(task, msg, &answer);
}

static int on_stats(piw_task *task, piw_msg *msg)
{
    (void)task;
    (void)msg;
    return 0;
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    (void)state;
    (void)err;
    piw_soul_set(task, piw_zalloc(sizeof(storm)));
    return 0;
}

static void stop(piw_task *task, bool leaving)
{
    (void)leaving;
    storm *self = piw_soul(task);
    for (int i = 0; i < ABIS_MAX; i++)
        piw_msg_free(&self->heads[i]);
    piw_msg_free(&self->wanted);
    free(self);
}

static const piw_service serves[] = {
    {"storm", &storm_protocol_def}, {"builds", &builds_protocol_def}, {"stats", &stats_protocol_def}, PIW_SERVICES_END};
static const piw_service uses[] = {{"db", &db_protocol_def}, PIW_SERVICES_END};
static const piw_event subscribes[] = {
    {&events_protocol_def, DATABASE_UP}, {&events_protocol_def, DATABASE_DOWN}, PIW_EVENTS_END};
static const piw_handler handlers[] = {
    {&storm_protocol_def, STORM_STORM, on_storm},   {&storm_protocol_def, STORM_ATTEMPT, on_attempt},
    {&storm_protocol_def, STORM_RESULT, on_result}, {&storm_protocol_def, STORM_OFFERED, on_offered},
    {&storm_protocol_def, STORM_EVENTS, on_events}, {&builds_protocol_def, BUILDS_QUEUE, on_queue},
    {&builds_protocol_def, BUILDS_ABIS, on_stats},  {&stats_protocol_def, STATS_QUEUE, on_stats},
    {&stats_protocol_def, STATS_SITE, on_stats},    {&stats_protocol_def, STATS_DISK, on_stats},
    {&stats_protocol_def, STATS_SLAVE, on_stats},   {&stats_protocol_def, STATS_SLAVE_GONE, on_stats},
    {&stats_protocol_def, STATS_PAUSED, on_stats},  {&stats_protocol_def, STATS_PAUSE, on_stats},
    {&stats_protocol_def, STATS_FIGURES, on_stats}, {&events_protocol_def, DATABASE_UP, on_up},
    {&events_protocol_def, DATABASE_DOWN, on_down}, PIW_HANDLERS_END,
};
static const piw_continuation continuations[] = {PIW_CONTINUATION(stored), PIW_CONTINUATIONS_END};

PIW_PLUGIN(db_storm, .version = "1.0", .summary = "many builds at once, for tests", .serves = serves, .uses = uses,
           .subscribes = subscribes, .start = start, .stop = stop, .handlers = handlers,
           .continuations = continuations);
