/* deliver.c — what leaves a shell and what is put before it: pushes to mailboxes, error answers, dead letters; its state, and
 * what was kept back for it. */
#include "actor/deliver.h"

#include "actor/shell.h"

void piw__batch_push(piw__shell *shell, piw_msg *msg)
{
    msg->next = shell->loop.batch;
    shell->loop.batch = msg;
}

static bool is_absent(piw__state state)
{
    return state == PIW__ABSENT || state == PIW__FAILED;
}

void piw__state_set(piw__shell *shell, piw__state state)
{
    if (is_absent(shell->soul.state) && !is_absent(state))
        atomic_fetch_sub_explicit(&shell->role->absent, 1, memory_order_relaxed);
    else if (!is_absent(shell->soul.state) && is_absent(state))
        atomic_fetch_add_explicit(&shell->role->absent, 1, memory_order_relaxed);
    shell->soul.state = state;
    atomic_store_explicit(&shell->seen.figures.state, state, memory_order_relaxed);
}

void piw__release_held(piw__shell *shell)
{
    if (shell->loop.kept.first == NULL)
        return;
    shell->loop.kept.last->next = shell->loop.batch;
    shell->loop.batch = shell->loop.kept.first;
    shell->loop.kept = (piw__msg_list){0};
}

/* --- What can't be done ------------------------------------------------------------------------------------------ */

void piw__answer_error(piw__shell *shell, const piw_msg *request, int code, const char *text)
{
    if ((request->flags & PIW__REQUEST) == 0)
        return;
    if (request->from != NULL) {
        piw_msg *answer = piw__msg_error_answer(request, code, text);
        answer->flags |= PIW__ANSWER;
        answer->call_id = request->call_id;
        piw__outbox_add(&shell->loop.outbox, &request->from->mailbox, answer);
        piw__outbox_commit(&shell->loop.outbox);
        return;
    }
    const piw__msg_rest *rest = piw__msg_rest_of(request);
    if (rest->port == NULL)
        return;
    piw_msg *answer = piw__port_fallback(request->type, code, text);
    if (answer == NULL || piw__port_answer(rest->port, rest->peer, &answer) != 0) {
        piw_msg_free(&answer);
        piw__port_release(rest->port, rest->peer);
    }
    shell->queues.dirty = true;
}

void piw__bounce(piw__shell *shell, piw_msg *msg, int code, const char *text)
{
    if ((msg->flags & PIW__REQUEST) != 0) {
        piw__answer_error(shell, msg, code, text);
    } else {
        /* Who disables a task means that it hears nothing: no trouble worth a line. */
        bool meant = msg->type->kind == PIW_M_EVENT && shell->soul.state == PIW__ABSENT;
        piw__figure(&shell->seen.figures.dead_letters, 1);
        piw_log_limited(&shell->supervision.log_dead, 10, meant ? PIW_LOG_DEBUG : PIW_LOG_WARNING,
                        "dead letter: %s.%s was not delivered: %s", msg->type->protocol->name, msg->type->name, text);
    }
    piw_msg_free(&msg);
}

/* --- Sending ----------------------------------------------------------------------------------------------------- */

static void mute(piw__shell *shell, piw__mailbox *by)
{
    for (unsigned i = 0; i < shell->queues.muted_count; i++)
        if (shell->queues.muted_by[i] == by)
            return;
    shell->queues.muted_by =
        piw_realloc(shell->queues.muted_by, (shell->queues.muted_count + 1) * sizeof(*shell->queues.muted_by));
    shell->queues.muted_by[shell->queues.muted_count++] = by;
}

static void bounce_chain(piw__shell *shell, piw_msg *msg)
{
    while (msg != NULL) {
        piw_msg *next = msg->next;
        /* An error answer to ourselves would come back to the same closed mailbox. */
        if (msg->from == shell)
            msg->flags &= (uint16_t)~PIW__REQUEST;
        if ((msg->flags & PIW__ANSWER) != 0)
            piw_msg_free(&msg); /* whoever asked has gone */
        else
            piw__bounce(shell, msg, PIW_ESTOPPED, "its task has stopped");
        msg = next;
    }
}

void piw__flush(piw__shell *shell)
{
    piw__outbox *outbox = &shell->loop.outbox;
    while (outbox->waiting > 0) {
        for (uint32_t i = 0; i < outbox->count; i++) {
            piw__out *out = &outbox->outs[i];
            if (out->count == 0)
                continue;
            piw_msg *first = out->first, *last = out->last;
            uint32_t count = out->count;
            piw__mailbox *to = out->to;
            *out = (piw__out){.to = to};
            outbox->waiting -= count;
            bool muted = false;
            if (piw__mailbox_push(to, first, last, count, &shell->mailbox, &muted) != 0)
                bounce_chain(shell, first);
            else if (muted && shell->queues.count > 0)
                mute(shell, to);
        }
    }
    outbox->full = false;
    shell->loop.since_flush = 0;
    shell->loop.flushed_ns = shell->loop.coarse_ns;
}
