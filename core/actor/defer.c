/* defer.c — requests that outlive their handler: where the answer goes, known by a token. */
#include "actor/dispatch.h"
#include "actor/shell.h"

#include <stdlib.h>

/* The queue may give a deferred request once more after an error. For that its message is needed. */
static bool again(piw__shell *shell, piw__deferred *deferred)
{
    piw_msg *msg = deferred->kept;
    if (msg == NULL)
        return false;
    deferred->kept = NULL;
    msg->flags = (uint16_t)((msg->flags | PIW__AGAIN) & ~PIW__SETTLED);
    piw__batch_push(shell, msg);
    return true;
}

void piw__deferred_answer(piw__shell *shell, piw__deferred *deferred, piw_msg *answer)
{
    answer->trace = deferred->trace;
    if (deferred->from != NULL) {
        answer->flags |= PIW__ANSWER;
        answer->call_id = deferred->call_id;
        piw__outbox_add(&shell->loop.outbox, &deferred->from->mailbox, answer);
    } else {
        piw__do *act = piw__txn_do(&shell->soul.txn, PIW__DO_ANSWER);
        act->port = deferred->port;
        act->peer = deferred->peer;
        act->msg = answer;
    }
}

static void fail(piw__shell *shell, piw__deferred *deferred, int code, const char *text)
{
    if (again(shell, deferred))
        return;
    piw_msg request = {.type = deferred->type,
                       .from = deferred->from,
                       .call_id = deferred->call_id,
                       .port = deferred->port,
                       .peer = deferred->peer,
                       .trace = deferred->trace,
                       .flags = PIW__REQUEST};
    piw__answer_error(shell, &request, code, text);
}

void piw__deferred_fail(piw__shell *shell, int code, const char *text)
{
    for (piw__node *node; (node = piw__table_pop(&shell->waits.deferred)) != NULL;) {
        piw__deferred *deferred = (piw__deferred *)node;
        fail(shell, deferred, code, text);
        piw__deferred_free(deferred);
    }
    atomic_store_explicit(&shell->seen.figures.deferred, 0, memory_order_relaxed);
}

void piw__deferred_free(piw__deferred *deferred)
{
    piw_msg_free(&deferred->kept);
    free(deferred);
}
