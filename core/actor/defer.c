/* defer.c — requests that outlive their handler: where the answer goes, known by a token. */
#include "actor/deliver.h"
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

piw_msg piw__deferred_request(const piw__deferred *deferred)
{
    return (piw_msg){.type = deferred->type,
                     .from = deferred->from,
                     .call_id = deferred->call_id,
                     .trace = deferred->trace,
                     .flags = PIW__REQUEST | PIW__REST,
                     .rest = {.port = deferred->port, .peer = deferred->peer}};
}

static void fail(piw__shell *shell, piw__deferred *deferred, int code, const char *text)
{
    if (again(shell, deferred))
        return;
    piw_msg request = piw__deferred_request(deferred);
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

void piw__deferred_later(piw__shell *shell)
{
    piw__table *table = &shell->waits.deferred;
    uint32_t bucket = 0;
    piw__node *node = piw__table_next(table, &bucket, NULL);
    while (node != NULL) {
        piw__deferred *deferred = (piw__deferred *)node;
        node = piw__table_next(table, &bucket, node); /* still good when the one before it has gone */
        if ((deferred->type->flags & PIW_M_LATER) == 0)
            continue;
        piw__table_remove(table, &deferred->node);
        fail(shell, deferred, PIW_ESTOPPED, "the master stops");
        piw__deferred_free(deferred);
    }
    atomic_store_explicit(&shell->seen.figures.deferred, table->count, memory_order_relaxed);
}

void piw__deferred_free(piw__deferred *deferred)
{
    piw_msg_free(&deferred->kept);
    free(deferred);
}
