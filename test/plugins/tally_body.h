/* tally_body.h — the soul behind the tally queue, in versions that know ever more. TALLY_VERSION is set by the file that
 * includes it; TALLY_FAILS makes one that takes over and then fails before it is ready. */
#ifndef TALLY_BODY_H
#define TALLY_BODY_H

#include "piw/plugin.h"
#include "tally.piw.h"

#include <stdio.h>
#include <stdlib.h>

static piw_continuation_fn on_fail, on_squared;

/* Nothing but what the saved state says: the message of the version that runs. */
typedef struct soul {
    piw_msg *state;
    tally_state *at;
} soul;

static void begin(soul *self)
{
    self->state = tally_state_new(&self->at);
    self->at->next_key = 1;
    piw_msg_list(self->state, &self->at->words, 2);
    self->at->words.at[0].name = piw_msg_textz(self->state, "one");
    self->at->words.at[1].name = piw_msg_textz(self->state, "two");
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    (void)err;
    soul *self = piw_zalloc(sizeof(*self));
    if (state != NULL) {
        self->state = piw_msg_copy(state);
        self->at = piw_msg_body(self->state, tally_state_type());
    } else {
        begin(self);
    }
    piw_soul_set(task, self);
#ifdef TALLY_FAILS
    int ret = piw_timer(task, PIW_ON(fail), 0, 1, 0);
    return ret != 0 ? ret : PIW_EAGAIN;
#else
    return 0;
#endif
}

static void stop(piw_task *task, bool leaving)
{
    (void)leaving;
    soul *self = piw_soul(task);
    piw_msg_free(&self->state);
    free(self);
}

static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    *state = piw_msg_copy(((const soul *)piw_soul(task))->state);
    return 0;
}

/* What each version has and earlier ones haven't. */
static void grow(soul *self)
{
    (void)self;
#if TALLY_VERSION >= 2
    if (self->at->note.s == NULL)
        self->at->note = piw_msg_textz(self->state, "noted");
    if (self->at->words.at[0].weight == NULL) {
        int64_t *weight = piw_msg_alloc(self->state, sizeof(*weight));
        *weight = 7;
        self->at->words.at[0].weight = weight;
    }
#endif
#if TALLY_VERSION >= 3
    if (self->at->words.at[1].place == NULL) {
        tally_place *place = piw_msg_alloc(self->state, sizeof(*place));
        *place = (tally_place){.x = 5, .y = piw_msg_textz(self->state, "high")};
        self->at->words.at[1].place = place;
    }
#endif
}

static int answer(piw_task *task, piw_msg *msg, int64_t n, bool in_order)
{
    piw_msg *out = tally_SUM_make(n, in_order);
    int rc = piw_reply(task, msg, &out);
    piw_msg_free(&out);
    return rc;
}

static int on_add(piw_task *task, piw_msg *msg)
{
    soul *self = piw_soul(task);
    int64_t n = tally_ADD_of(msg)->n;
    piw_peer peer = piw_msg_peer(msg);
    const piw_msg *before = piw_peer_get(task, peer);
    int64_t last = before != NULL ? tally_peer_of(before)->last : 0;
    tally_peer *body;
    piw_msg *record = tally_peer_new(&body);
    body->last = n;
#if TALLY_VERSION >= 2
    int64_t *times = piw_msg_alloc(record, sizeof(*times));
    *times = 1 + (before != NULL && tally_peer_of(before)->times != NULL ? *tally_peer_of(before)->times : 0);
    body->times = times;
#endif
    int rc = piw_peer_set(task, peer, &record);
    piw_msg_free(&record);
    if (rc == 0)
        rc = answer(task, msg, n, n == last + 1);
    if (rc != 0)
        return rc;
    self->at->total++;
    grow(self);
    return 0;
}

static int square(piw_msg *job, piw_msg **result, piw_err *err)
{
    (void)err;
    int64_t n = tally_square_of(job)->n;
    tally_square_reply *body;
    *result = tally_square_reply_new(&body);
    body->square = n * n;
#if TALLY_VERSION >= 2
    int64_t *cube = piw_msg_alloc(*result, sizeof(*cube));
    *cube = n * n * n;
    body->cube = cube;
#endif
    return 0;
}

/* Requests that wait: the state's list, made anew (the arena keeps the old one until the next swap). */
static void held_set(soul *self, piw_token token, int64_t key)
{
    typeof(self->at->held) old = self->at->held;
    piw_msg_list(self->state, &self->at->held, old.count + 1);
    if (old.count > 0)
        memcpy(self->at->held.at, old.at, old.count * sizeof(*old.at));
    self->at->held.at[old.count].token = token;
    self->at->held.at[old.count].key = key;
}

static int on_later(piw_task *task, piw_msg *msg)
{
    soul *self = piw_soul(task);
    piw_token token;
    int rc = piw_defer(task, msg, &token);
    piw_msg *job = tally_square_make(tally_LATER_of(msg)->n);
    if (rc == 0)
        rc = piw_work(task, square, &job, PIW_ON(squared), (uint64_t)self->at->next_key);
    piw_msg_free(&job);
    if (rc == 0)
        held_set(self, token, self->at->next_key++);
    return rc;
}

static int on_squared(piw_task *task, piw_msg *reply, uint64_t key)
{
    soul *self = piw_soul(task);
    for (uint32_t i = 0; i < self->at->held.count; i++) {
        if (self->at->held.at[i].key != (int64_t)key)
            continue;
        piw_msg *out = tally_SUM_make(piw_msg_error(reply) == 0 ? tally_square_reply_of(reply)->square : -1, true);
        int rc = piw_answer(task, self->at->held.at[i].token, &out);
        piw_msg_free(&out);
        self->at->held.at[i] = self->at->held.at[--self->at->held.count];
        return rc;
    }
    return 0;
}

static int on_tell(piw_task *task, piw_msg *msg)
{
    const soul *self = piw_soul(task);
    char texts[1000];
    int len = 0;
    for (uint32_t i = 0; i < self->at->words.count; i++) {
        len += snprintf(texts + len, sizeof(texts) - (size_t)len, "%s", self->at->words.at[i].name.s);
#if TALLY_VERSION >= 2
        if (self->at->words.at[i].weight != NULL)
            len += snprintf(texts + len, sizeof(texts) - (size_t)len, "=%d", (int)*self->at->words.at[i].weight);
#endif
#if TALLY_VERSION >= 3
        if (self->at->words.at[i].place != NULL)
            len += snprintf(texts + len, sizeof(texts) - (size_t)len, "@%s", self->at->words.at[i].place->y.s);
#endif
        len += snprintf(texts + len, sizeof(texts) - (size_t)len, " ");
    }
#if TALLY_VERSION >= 2
    snprintf(texts + len, sizeof(texts) - (size_t)len, "%s", self->at->note.s != NULL ? self->at->note.s : "-");
#endif
    piw_msg *out = tally_KNOWN_make(TALLY_VERSION, self->at->total, self->at->held.count, piw_text_of(texts));
    int rc = piw_reply(task, msg, &out);
    piw_msg_free(&out);
    return rc;
}

static int on_fail(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    piw_fail(task, "the test wants it");
    return PIW_EHANDLER;
}

static const piw_service queues[] = {{"tally", &tally_protocol_def}, PIW_SERVICES_END};
static const piw_handler handlers[] = {{&tally_protocol_def, TALLY_ADD, on_add},
                                       {&tally_protocol_def, TALLY_LATER, on_later},
                                       {&tally_protocol_def, TALLY_TELL, on_tell},
                                       PIW_HANDLERS_END};
static const piw_continuation continuations[] = {PIW_CONTINUATION(squared), PIW_CONTINUATION(fail),
                                                 PIW_CONTINUATIONS_END};

PIW_PLUGIN(tally, .version = "1", .summary = "a fixture of the runtime's tests", .queues = queues,
           .state_protocol = &tally_local_protocol_def, .state_message = TALLY_STATE, .start = start, .stop = stop,
           .save = save, .handlers = handlers, .continuations = continuations);

#endif
