/* crowd_body.h — the soul behind the crowd queue: what it knows of a peer is in the peer's record, what it owes is in its
 * state. CROWD_VERSION is set by the file that includes it. */
#ifndef CROWD_BODY_H
#define CROWD_BODY_H

#include "piw/plugin.h"
#include "test/crowd.piw.h"

#include <stdlib.h>

static piw_continuation_fn on_later_due;

typedef struct soul {
    struct held {
        piw_token token;
        int64_t n, key;
    } * held;
    uint32_t held_count, held_room;
    int64_t next_key;
} soul;

static void hold(soul *self, struct held held)
{
    if (self->held_count == self->held_room) {
        self->held_room = self->held_room > 0 ? self->held_room * 2 : 64;
        self->held = piw_realloc(self->held, self->held_room * sizeof(*self->held));
    }
    self->held[self->held_count++] = held;
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    (void)err;
    soul *self = piw_zalloc(sizeof(*self));
    self->next_key = 1;
    if (state != NULL) {
        const crowd_state *from = crowd_state_of(state);
        self->next_key = from->next_key;
        for (uint32_t i = 0; i < from->held.count; i++)
            hold(self, (struct held){from->held.at[i].token, from->held.at[i].n, from->held.at[i].key});
    }
    piw_soul_set(task, self);
    return 0;
}

static void stop(piw_task *task, bool leaving)
{
    (void)leaving;
    soul *self = piw_soul(task);
    free(self->held);
    free(self);
}

static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    const soul *self = piw_soul(task);
    crowd_state *to;
    piw_msg *msg = crowd_state_new(&to);
    to->next_key = self->next_key;
    piw_msg_list(msg, &to->held, self->held_count);
    for (uint32_t i = 0; i < self->held_count; i++) {
        to->held.at[i].token = self->held[i].token;
        to->held.at[i].n = self->held[i].n;
        to->held.at[i].key = self->held[i].key;
    }
    *state = msg;
    return 0;
}

static int answer(piw_task *task, piw_msg *msg, int64_t n, bool in_order)
{
    piw_msg *out = crowd_ANSWER_make(n, in_order);
    int rc = piw_reply(task, msg, &out);
    piw_msg_free(&out);
    return rc;
}

static int on_ask(piw_task *task, piw_msg *msg)
{
    int64_t n = crowd_ASK_of(msg)->n;
    piw_peer peer = piw_msg_peer(msg);
    const piw_msg *before = piw_peer_get(task, peer);
    int64_t last = before != NULL ? crowd_peer_of(before)->last : 0;
    crowd_peer *body;
    piw_msg *record = crowd_peer_new(&body);
    body->last = n;
    int rc = piw_peer_set(task, peer, &record);
    if (rc != 0) {
        piw_msg_free(&record);
        return rc;
    }
    return answer(task, msg, n, n == last + 1);
}

static int on_later(piw_task *task, piw_msg *msg)
{
    soul *self = piw_soul(task);
    const crowd_LATER *body = crowd_LATER_of(msg);
    piw_token token;
    int rc = piw_defer(task, msg, &token);
    if (rc == 0)
        rc = piw_timer(task, PIW_ON(later_due), (uint64_t)self->next_key, body->ms, 0);
    if (rc == 0)
        hold(self, (struct held){token, body->n, self->next_key++});
    return rc;
}

static int on_later_due(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    soul *self = piw_soul(task);
    for (uint32_t i = 0; i < self->held_count; i++) {
        if (self->held[i].key != (int64_t)key)
            continue;
        piw_msg *out = crowd_ANSWER_make(self->held[i].n, true);
        int rc = piw_answer(task, self->held[i].token, &out);
        piw_msg_free(&out);
        self->held[i] = self->held[--self->held_count];
        return rc;
    }
    return 0;
}

static int on_fault(piw_task *task, piw_msg *msg)
{
    if (piw_again(msg))
        return answer(task, msg, crowd_FAULT_of(msg)->n, true);
    if (crowd_FAULT_of(msg)->fail)
        piw_fail(task, "the test wants it");
    return PIW_EREFUSED;
}

static int on_keep(piw_task *task, piw_msg *msg)
{
    if (piw_again(msg))
        return answer(task, msg, crowd_KEEP_of(msg)->n, true);
    piw_token token;
    return piw_defer(task, msg, &token);
}

static int on_hush(piw_task *task, piw_msg *msg)
{
    (void)task;
    (void)msg;
    return 0;
}

static const piw_service queues[] = {{"crowd", &crowd_protocol_def}, PIW_SERVICES_END};
static const piw_handler handlers[] = {
    {&crowd_protocol_def, CROWD_ASK, on_ask},     {&crowd_protocol_def, CROWD_LATER, on_later},
    {&crowd_protocol_def, CROWD_FAULT, on_fault}, {&crowd_protocol_def, CROWD_KEEP, on_keep},
    {&crowd_protocol_def, CROWD_HUSH, on_hush},   PIW_HANDLERS_END};
static const piw_continuation continuations[] = {PIW_CONTINUATION(later_due), PIW_CONTINUATIONS_END};

#define CROWD_PLUGIN(text)                                                                                             \
    PIW_PLUGIN(crowd, .version = text, .summary = "a fixture of the runtime's tests", .queues = queues,                \
               .state_protocol = &crowd_local_protocol_def, .state_message = CROWD_STATE, .start = start,              \
               .stop = stop, .save = save, .handlers = handlers, .continuations = continuations)

#endif
