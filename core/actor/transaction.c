/* transaction.c — notes of what a handler did, to be undone or done. */
#include "actor/transaction.h"

#include "actor/deliver.h"
#include "actor/shell.h"
#include "actor/trace.h"
#include "actor/work.h"

#include <stdlib.h>

piw__undo *piw__txn_undo(piw__txn *txn, piw__undo_kind kind)
{
    if (txn->undos_count == txn->undos_room) {
        txn->undos_room = txn->undos_room > 0 ? txn->undos_room * 2 : 16;
        txn->undos = piw_realloc(txn->undos, txn->undos_room * sizeof(*txn->undos));
    }
    piw__undo *undo = &txn->undos[txn->undos_count++];
    *undo = (piw__undo){.kind = kind};
    return undo;
}

piw__do *piw__txn_do(piw__txn *txn, piw__do_kind kind)
{
    if (txn->dos_count == txn->dos_room) {
        txn->dos_room = txn->dos_room > 0 ? txn->dos_room * 2 : 16;
        txn->dos = piw_realloc(txn->dos, txn->dos_room * sizeof(*txn->dos));
    }
    piw__do *act = &txn->dos[txn->dos_count++];
    *act = (piw__do){.kind = kind};
    return act;
}

static void hand_again(piw__shell *shell, piw_msg *msg)
{
    msg->flags = (uint16_t)((msg->flags | PIW__AGAIN) & ~PIW__SETTLED);
    piw__batch_push(shell, msg);
}

static void perform(piw__shell *shell, piw__do *act)
{
    switch (act->kind) {
    case PIW__DO_ANSWER:
        piw__port_answer(act->port, act->peer, &act->msg);
        break;
    case PIW__DO_RELEASE:
        piw__port_release(act->port, act->peer);
        break;
    case PIW__DO_SEND:
        piw__port_send(act->port, act->peer, &act->msg);
        break;
    case PIW__DO_PUBLISH:
        piw__port_publish(act->port, &act->msg);
        break;
    case PIW__DO_PEER_SET:
        piw__port_peer_set(act->port, act->peer, &act->msg);
        break;
    case PIW__DO_PEER_FORGET:
        piw__port_peer_forget(act->port, act->peer);
        break;
    case PIW__DO_WORK:
        piw__flush(shell); /* who waits for a message is woken before a worker is */
        piw__workers_submit(shell->hub->workers, act->fn, act->msg, act->background);
        act->msg = NULL;
        break;
    case PIW__DO_AGAIN:
        hand_again(shell, act->msg);
        act->msg = NULL;
        break;
    }
    if (act->port != NULL)
        shell->queues.dirty = true;
    if (act->msg != NULL)
        piw_msg_free(&act->msg);
}

void piw__txn_commit(piw__shell *shell)
{
    piw__txn *txn = &shell->soul.txn;
    txn->open = false;
    if (__builtin_expect(atomic_load_explicit(&shell->seen.watched, memory_order_relaxed) & PIW__TRACED, 0))
        piw__trace_out(shell);
    piw__outbox_commit(&shell->loop.outbox);
    for (uint32_t i = 0; i < txn->undos_count; i++)
        if (txn->undos[i].kind == PIW__UNDO_TOKEN)
            piw__deferred_free(txn->undos[i].deferred);
    txn->undos_count = 0;
    for (uint32_t i = 0; i < txn->dos_count; i++)
        perform(shell, &txn->dos[i]);
    txn->dos_count = 0;
}

static void revert(piw__shell *shell, piw__undo *undo)
{
    piw__timer *timer;
    switch (undo->kind) {
    case PIW__UNDO_CALL:
        piw__call_end(shell, undo->call);
        break;
    case PIW__UNDO_DEFERRED:
        piw__table_remove(&shell->waits.deferred, &undo->deferred->node);
        /* The message itself goes back to the handler's caller. */
        undo->deferred->kept = NULL;
        piw__deferred_free(undo->deferred);
        break;
    case PIW__UNDO_TOKEN:
        piw__table_put(&shell->waits.deferred, &undo->deferred->node, undo->deferred->node.key);
        break;
    case PIW__UNDO_TIMER:
        timer = piw__timer_find(shell, undo->continuation, undo->key);
        if (undo->existed)
            piw__timer_put(shell, undo->continuation, undo->key, undo->at_ns, undo->period_ns);
        else if (timer != NULL)
            piw__timer_end(shell, timer);
        break;
    case PIW__UNDO_REST:
        shell->queues.rest = undo->existed;
        break;
    }
}

void piw__txn_rollback(piw__shell *shell)
{
    piw__txn *txn = &shell->soul.txn;
    txn->open = false;
    for (uint32_t i = 0; i < txn->dos_count; i++) {
        piw__do *act = &txn->dos[i];
        if (act->kind == PIW__DO_AGAIN)
            act->deferred->kept = act->msg;
        else
            piw_msg_free(&act->msg);
    }
    txn->dos_count = 0;
    for (uint32_t i = txn->undos_count; i > 0; i--)
        revert(shell, &txn->undos[i - 1]);
    txn->undos_count = 0;
    piw__outbox_undo(&shell->loop.outbox, shell->soul.current);
    shell->soul.current_gone = false;
    if (shell->soul.current != NULL)
        shell->soul.current->flags &= (uint16_t)~PIW__SETTLED;
}

void piw__txn_fini(piw__txn *txn)
{
    free(txn->undos);
    free(txn->dos);
    *txn = (piw__txn){0};
}
