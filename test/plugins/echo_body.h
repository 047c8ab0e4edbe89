/* echo_body.h — the soul of the echo fixtures: answers, keeps order and count, defers, works, breaks as it is told.
 *
 * What it has seen survives a swap in its state. ECHO_VERSION and ECHO_NAME are set by the file that includes it;
 * others vary it: ECHO_BAD_START, ECHO_OTHER_STATE, ECHO_LESS (no continuation for work), ECHO_DEAF (no subscription),
 * ECHO_ERRS_EVERY, ECHO_LATE (it isn't ready when start returns; what happens a moment later), ECHO_SLOW_START. */
#ifndef ECHO_BODY_H
#define ECHO_BODY_H

#include "piw/plugin.h"
#include "test/echo.piw.h"

#include <stdlib.h>
#include <time.h>

static piw_continuation_fn on_tick, on_stray, on_later_due;
#ifdef ECHO_LATE
static piw_continuation_fn on_late;
#endif

enum { SENDERS = 1000, HELD = 100000 };

typedef struct soul {
    int64_t seen, out_of_order, notes, ticks, events, strays;
    int64_t last[SENDERS];
    struct held {
        piw_token token;
        int64_t from, n, key;
    } * held;
    uint32_t held_count, held_room;
    int64_t next_key;
    piw_why why;
} soul;

static struct held *hold(soul *self)
{
    if (self->held_count == self->held_room) {
        self->held_room = self->held_room > 0 ? self->held_room * 2 : 16;
        self->held = piw_realloc(self->held, self->held_room * sizeof(*self->held));
    }
    return &self->held[self->held_count];
}

#ifndef ECHO_OTHER_STATE
static void restore(soul *self, const piw_msg *state)
{
    const echo_state *from = echo_state_of(state);
    self->seen = from->seen;
    self->out_of_order = from->out_of_order;
    self->notes = from->notes;
    self->ticks = from->ticks;
    self->events = from->events;
    for (uint32_t i = 0; i < from->last.count; i++)
        self->last[from->last.at[i].key % SENDERS] = from->last.at[i].value;
    for (uint32_t i = 0; i < from->held.count; i++) {
        *hold(self) =
            (struct held){from->held.at[i].token, from->held.at[i].from, from->held.at[i].n, from->held.at[i].key};
        self->held_count++;
        if (from->held.at[i].key >= self->next_key)
            self->next_key = from->held.at[i].key + 1;
    }
}

#endif

static void pause_ms(int64_t ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    soul *self = piw_zalloc(sizeof(*self));
    self->why = why;
    self->next_key = 1;
#ifndef ECHO_OTHER_STATE
    if (state != NULL)
        restore(self, state);
#else
    (void)state;
#endif
    int rc = piw_timer(task, PIW_ON(tick), 0, 20, 20);
#ifdef ECHO_BAD_START
    /* All of this must be undone. */
    echo_NOTE *note;
    piw_msg *msg = echo_NOTE_new(&note);
    piw_cast_to(task, "front", 0, &msg);
    piw_timer(task, PIW_ON(stray), 1, 0, 1);
    free(self->held);
    free(self);
    return piw_err_set(err, rc != 0 ? rc : PIW_EREFUSED, "this fixture never starts");
#else
    (void)err;
    piw_soul_set(task, self);
#ifdef ECHO_SLOW_START
    pause_ms(ECHO_SLOW_START);
#endif
#ifdef ECHO_LATE
    rc = piw_timer(task, PIW_ON(late), 0, 20, 0);
    return rc != 0 ? rc : PIW_EAGAIN;
#endif
    return rc;
#endif
}

#ifdef ECHO_LATE
static int on_late(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    ECHO_LATE;
    return 0;
}
#endif

static void stop(piw_task *task, bool leaving)
{
    (void)leaving;
    soul *self = piw_soul(task);
    free(self->held);
    free(self);
}

#ifndef ECHO_OTHER_STATE
static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    const soul *self = piw_soul(task);
    echo_state *to;
    piw_msg *msg = echo_state_new(&to);
    to->seen = self->seen;
    to->out_of_order = self->out_of_order;
    to->notes = self->notes;
    to->ticks = self->ticks;
    to->events = self->events;
    piw_msg_list(msg, &to->last, SENDERS);
    for (uint32_t i = 0; i < SENDERS; i++) {
        to->last.at[i].key = i;
        to->last.at[i].value = self->last[i];
    }
    piw_msg_list(msg, &to->held, self->held_count);
    for (uint32_t i = 0; i < self->held_count; i++) {
        to->held.at[i].token = self->held[i].token;
        to->held.at[i].from = self->held[i].from;
        to->held.at[i].n = self->held[i].n;
        to->held.at[i].key = self->held[i].key;
    }
    *state = msg;
    return 0;
}
#else
static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)task;
    (void)err;
    other_state *to;
    *state = other_state_new(&to);
    return 0;
}
#endif

static int on_echo(piw_task *task, piw_msg *msg)
{
    soul *self = piw_soul(task);
    const echo_ECHO *body = echo_ECHO_of(msg);
    int64_t *last = &self->last[(uint64_t)body->from % SENDERS];
    bool in_order = body->n == *last + 1;
    piw_msg *answer = echo_ECHO_reply_make(body->n, in_order, ECHO_VERSION);
#ifdef ECHO_ERRS_EVERY
    if (body->n % ECHO_ERRS_EVERY == 0 && body->from == 0) {
        piw_msg_free(&answer);
        return PIW_EREFUSED;
    }
#endif
    int rc = piw_reply(task, msg, &answer);
    if (rc != 0) {
        piw_msg_free(&answer);
        return rc;
    }
    self->seen++;
    self->out_of_order += !in_order;
    *last = body->n;
    return 0;
}

static int on_later(piw_task *task, piw_msg *msg)
{
    soul *self = piw_soul(task);
    const echo_LATER *body = echo_LATER_of(msg);
    piw_token token;
    int rc = piw_defer(task, msg, &token);
    if (rc == 0)
        rc = piw_timer(task, PIW_ON(later_due), (uint64_t)self->next_key, body->ms, 0);
    if (rc != 0)
        return rc;
    *hold(self) = (struct held){token, body->from, body->n, self->next_key++};
    self->held_count++;
    return 0;
}

static int on_later_due(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    soul *self = piw_soul(task);
    for (uint32_t i = 0; i < self->held_count; i++) {
        if (self->held[i].key != (int64_t)key)
            continue;
        piw_msg *answer = echo_LATER_reply_make(self->held[i].n);
        int rc = piw_answer(task, self->held[i].token, &answer);
        if (rc != 0) {
            piw_msg_free(&answer);
            return rc;
        }
        self->held[i] = self->held[--self->held_count];
        return 0;
    }
    self->strays++;
    return 0;
}

static int on_break(piw_task *task, piw_msg *msg)
{
    const echo_BREAK *body = echo_BREAK_of(msg);
    if (piw_text_is(body->how, "silent"))
        return 0;
    if (piw_text_is(body->how, "fail")) {
        piw_fail(task, "the test wants it");
        return PIW_EHANDLER;
    }
    /* One of each: none of them may have an effect. */
    echo_told *told;
    piw_msg *event = echo_told_new(&told);
    piw_emit(task, &event);
    piw_timer(task, PIW_ON(stray), 1, 0, 0);
    piw_timer_stop(task, PIW_ON(tick), 0);
    piw_msg *call = relay_TELL_make(1);
    piw_call(task, &call, PIW_ON(stray), 2, 0);
    piw_token token;
    if (piw_defer(task, msg, &token) == 0)
        piw_answer_error(task, token, PIW_EREFUSED, "undone");
    return PIW_EREFUSED;
}

static int on_stand(piw_task *task, piw_msg *msg)
{
    const soul *self = piw_soul(task);
    echo_STAND_reply *to;
    piw_msg *answer = echo_STAND_reply_new(&to);
    to->seen = self->seen;
    to->out_of_order = self->out_of_order;
    to->notes = self->notes;
    to->ticks = self->ticks;
    to->held = self->held_count;
    to->why = self->why;
    to->version = ECHO_VERSION;
    to->events = self->events;
    to->strays = self->strays;
    int rc = piw_reply(task, msg, &answer);
    if (rc != 0)
        piw_msg_free(&answer);
    return rc;
}

#ifndef ECHO_NO_NOTE
static int on_note(piw_task *task, piw_msg *msg)
{
    (void)msg;
    ((soul *)piw_soul(task))->notes++;
    return 0;
}

#endif

#ifndef ECHO_DEAF
static int on_told(piw_task *task, piw_msg *msg)
{
    (void)msg;
    ((soul *)piw_soul(task))->events++;
    return 0;
}
#endif

static int square(piw_msg *job, piw_msg **result, piw_err *err)
{
    int64_t n = echo_square_of(job)->n;
    if (n == 13)
        return piw_err_set(err, PIW_EREFUSED, "thirteen is not squared");
    if (n < 0)
        pause_ms(-n);
    *result = echo_square_reply_make(n * n);
    return 0;
}

static int on_work(piw_task *task, piw_msg *msg)
{
    piw_token token;
    int rc = piw_defer(task, msg, &token);
    piw_msg *job = echo_square_make(echo_WORK_of(msg)->n);
    if (rc == 0)
        rc = piw_work(task, square, &job, "squared", token.id); /* no PIW_ON: ECHO_LESS hasn't got it */
    piw_msg_free(&job);
    return rc;
}

#ifndef ECHO_LESS
static int on_squared(piw_task *task, piw_msg *reply, uint64_t key)
{
    piw_token token = {key};
    if (piw_msg_error(reply) != 0)
        return piw_answer_error(task, token, piw_msg_error(reply), "%s", piw_msg_error_text(reply));
    piw_msg *answer = echo_WORK_reply_make(echo_square_reply_of(reply)->n);
    int rc = piw_answer(task, token, &answer);
    piw_msg_free(&answer);
    return rc;
}
#endif

static int on_slow(piw_task *task, piw_msg *msg)
{
    pause_ms(echo_SLOW_of(msg)->ms);
    piw_msg *answer = echo_SLOW_reply_new();
    return piw_reply(task, msg, &answer);
}

static int on_never(piw_task *task, piw_msg *msg)
{
    piw_token token;
    return piw_defer(task, msg, &token);
}

static int on_say(piw_task *task, piw_msg *msg)
{
    const echo_SAY *body = echo_SAY_of(msg);
    piw_task_note(task, "%s", body->text.s);
    if (piw_text_is(body->then, "fail"))
        piw_fail(task, "the test wants it");
    if (body->then.len > 0)
        return PIW_EHANDLER;
    piw_msg *answer = echo_SAY_reply_new();
    return piw_reply(task, msg, &answer);
}

static int on_crash(piw_task *task, piw_msg *msg)
{
    (void)task;
    (void)msg;
    __builtin_trap();
}

static int on_tick(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    ((soul *)piw_soul(task))->ticks++;
    return 0;
}

static int on_stray(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    ((soul *)piw_soul(task))->strays++;
    return 0;
}

static const piw_service serves[] = {{"echo", &echo_protocol_def}, PIW_SERVICES_END};
static const piw_service uses[] = {{"relay", &relay_protocol_def}, {"front", &echo_protocol_def}, PIW_SERVICES_END};
#ifdef ECHO_DEAF
static const piw_event subscribes[] = {PIW_EVENTS_END};
#else
static const piw_event subscribes[] = {{&echo_local_protocol_def, ECHO_TOLD}, PIW_EVENTS_END};
#endif
static const piw_event emits[] = {{&echo_local_protocol_def, ECHO_TOLD}, PIW_EVENTS_END};

static const piw_handler handlers[] = {{&echo_protocol_def, ECHO_ECHO, on_echo},
                                       {&echo_protocol_def, ECHO_LATER, on_later},
                                       {&echo_protocol_def, ECHO_BREAK, on_break},
                                       {&echo_protocol_def, ECHO_STAND, on_stand},
#ifndef ECHO_NO_NOTE
                                       {&echo_protocol_def, ECHO_NOTE, on_note},
#endif
                                       {&echo_protocol_def, ECHO_WORK, on_work},
                                       {&echo_protocol_def, ECHO_SLOW, on_slow},
                                       {&echo_protocol_def, ECHO_NEVER, on_never},
                                       {&echo_protocol_def, ECHO_CRASH, on_crash},
                                       {&echo_protocol_def, ECHO_SAY, on_say},
#ifndef ECHO_DEAF
                                       {&echo_local_protocol_def, ECHO_TOLD, on_told},
#endif
                                       PIW_HANDLERS_END};

static const piw_continuation continuations[] = {PIW_CONTINUATION(later_due),
#ifndef ECHO_LESS
                                                 PIW_CONTINUATION(squared),
#endif
#ifdef ECHO_LATE
                                                 PIW_CONTINUATION(late),
#endif
                                                 PIW_CONTINUATION(tick),      PIW_CONTINUATION(stray),
                                                 PIW_CONTINUATIONS_END};

#ifdef ECHO_OTHER_STATE
#define ECHO_STATE_MESSAGE OTHER_STATE
#else
#define ECHO_STATE_MESSAGE ECHO_STATE
#endif

#ifndef ECHO_START
#define ECHO_START start
#endif
#define ECHO_PLUGIN(plugin_name, ...)                                                                                  \
    PIW_PLUGIN(plugin_name, .version = ECHO_VERSION_TEXT, .summary = "a fixture of the runtime's tests",               \
               .serves = serves, .uses = uses, .subscribes = subscribes, .emits = emits,                               \
               .state_protocol = &echo_local_protocol_def, .state_message = ECHO_STATE_MESSAGE, .start = ECHO_START,   \
               .stop = stop, .save = save, .handlers = handlers, .continuations = continuations, __VA_ARGS__)

#endif
