/* The relay of the runtime's tests: asks echo on behalf of others, and hands requests on as they are. */
#include "piw/plugin.h"
#include "test/echo.piw.h"

#include <stdlib.h>

static piw_continuation_fn on_echoed, on_waited;

enum { WINDOW = 100, ASKS = 64 };

typedef struct ask {
    bool used;
    piw_token token;
    int64_t from, count, sent, answers, errors, out_of_order;
} ask;

typedef struct soul {
    ask asks[ASKS];
    piw_token waiter;
    int64_t waits_since_ns;
} soul;

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    (void)state;
    (void)err;
    piw_soul_set(task, piw_zalloc(sizeof(soul)));
    return 0;
}

static void stop(piw_task *task, bool leaving)
{
    (void)leaving;
    free(piw_soul(task));
}

static int send_next(piw_task *task, ask *one, uint64_t slot)
{
    piw_msg *msg = echo_ECHO_make(one->from, one->sent + 1);
    int rc = piw_call_to(task, "echo", 0, &msg, PIW_ON(echoed), slot, 30000);
    if (rc != 0) {
        piw_msg_free(&msg);
        return rc;
    }
    one->sent++;
    return 0;
}

static int on_ask(piw_task *task, piw_msg *msg)
{
    soul *self = piw_soul(task);
    const relay_ASK *body = relay_ASK_of(msg);
    uint64_t slot = 0;
    while (slot < ASKS && self->asks[slot].used)
        slot++;
    if (slot == ASKS)
        return PIW_ELIMIT;
    ask one = {.used = true, .from = body->from, .count = body->count};
    int rc = piw_defer(task, msg, &one.token);
    for (int i = 0; rc == 0 && i < WINDOW && one.sent < one.count; i++)
        rc = send_next(task, &one, slot);
    if (rc == 0)
        self->asks[slot] = one;
    return rc;
}

static int on_echoed(piw_task *task, piw_msg *reply, uint64_t key)
{
    soul *self = piw_soul(task);
    ask *one = &self->asks[key];
    one->answers++;
    if (piw_msg_error(reply) != 0)
        one->errors++;
    else if (!echo_ECHO_reply_of(reply)->in_order || echo_ECHO_reply_of(reply)->n != one->answers)
        one->out_of_order++;
    if (one->sent < one->count)
        return send_next(task, one, key);
    if (one->answers < one->count)
        return 0;
    piw_msg *answer = relay_ASK_reply_make(one->answers, one->errors, one->out_of_order);
    one->used = false;
    return piw_answer(task, one->token, &answer);
}

static int on_wait(piw_task *task, piw_msg *msg)
{
    soul *self = piw_soul(task);
    piw_msg *call = echo_NEVER_new();
    int rc = piw_defer(task, msg, &self->waiter);
    if (rc == 0)
        rc = piw_call_to(task, "echo", -1, &call, PIW_ON(waited), 0, relay_WAIT_of(msg)->deadline_ms);
    self->waits_since_ns = piw_monotonic_ns();
    return rc;
}

static int on_waited(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    const soul *self = piw_soul(task);
    piw_msg *answer =
        relay_WAIT_reply_make(piw_msg_error(reply), (piw_monotonic_ns() - self->waits_since_ns) / 1000000);
    int rc = piw_answer(task, self->waiter, &answer);
    piw_msg_free(&answer);
    return rc;
}

static int on_tell(piw_task *task, piw_msg *msg)
{
    echo_told *told;
    piw_msg *event = echo_told_new(&told);
    told->n = relay_TELL_of(msg)->n;
    int ret = piw_emit(task, &event);
    piw_msg *answer = relay_TELL_reply_new();
    return ret == 0 ? piw_reply(task, msg, &answer) : ret;
}

static int on_hand_on(piw_task *task, piw_msg *msg)
{
    return piw_forward(task, msg, "echo", -1);
}

static const piw_service serves[] = {{"relay", &relay_protocol_def}, {"front", &echo_protocol_def}, PIW_SERVICES_END};
static const piw_service uses[] = {{"echo", &echo_protocol_def}, PIW_SERVICES_END};
static const char *const needs[] = {"echo", NULL};
static const piw_event emits[] = {{&echo_local_protocol_def, ECHO_TOLD}, PIW_EVENTS_END};

static const piw_handler handlers[] = {
    {&relay_protocol_def, RELAY_ASK, on_ask},     {&relay_protocol_def, RELAY_WAIT, on_wait},
    {&relay_protocol_def, RELAY_TELL, on_tell},   {&echo_protocol_def, ECHO_ECHO, on_hand_on},
    {&echo_protocol_def, ECHO_LATER, on_hand_on}, {&echo_protocol_def, ECHO_BREAK, on_hand_on},
    {&echo_protocol_def, ECHO_STAND, on_hand_on}, {&echo_protocol_def, ECHO_NOTE, on_hand_on},
    {&echo_protocol_def, ECHO_WORK, on_hand_on},  {&echo_protocol_def, ECHO_SLOW, on_hand_on},
    {&echo_protocol_def, ECHO_NEVER, on_hand_on}, {&echo_protocol_def, ECHO_CRASH, on_hand_on},
    {&echo_protocol_def, ECHO_SAY, on_hand_on},   PIW_HANDLERS_END};

static const piw_continuation continuations[] = {PIW_CONTINUATION(echoed), PIW_CONTINUATION(waited),
                                                 PIW_CONTINUATIONS_END};

PIW_PLUGIN(relay, .version = "1", .summary = "a fixture of the runtime's tests", .serves = serves, .uses = uses,
           .needs = needs, .emits = emits, .start = start, .stop = stop, .handlers = handlers,
           .continuations = continuations);
