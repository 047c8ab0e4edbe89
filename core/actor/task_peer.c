/* task_peer.c — peers of outer queues, as a soul sees them: with its own changes that haven't taken effect yet. */
#include "actor/shell.h"
#include "type/carry.h"

static piw__port *port_of(const piw__shell *shell, piw_peer peer)
{
    for (unsigned i = 0; i < shell->queues.count; i++)
        if (piw__port_peer_address(shell->queues.ports[i], peer) != NULL)
            return shell->queues.ports[i];
    return NULL;
}

/* The last change of this peer's record by the running handler; NULL when there is none. */
static const piw__do *change_of(const piw__shell *shell, piw_peer peer)
{
    for (uint32_t i = shell->soul.txn.dos_count; i > 0; i--) {
        const piw__do *act = &shell->soul.txn.dos[i - 1];
        if (act->peer == peer && (act->kind == PIW__DO_PEER_SET || act->kind == PIW__DO_PEER_FORGET))
            return act;
    }
    return NULL;
}

const char *piw_peer_address(piw_task *task, piw_peer peer)
{
    const piw__port *port = port_of(task->shell, peer);
    return port != NULL ? piw__port_peer_address(port, peer) : NULL;
}

int64_t piw_peer_gone_ns(piw_task *task, piw_peer peer, bool *sure)
{
    piw__port *port = port_of(task->shell, peer);
    if (port != NULL)
        return piw__port_peer_gone_ns(port, peer, sure);
    if (sure != NULL)
        *sure = true;
    return 1;
}

int piw_peer_set(piw_task *task, piw_peer peer, piw_msg **record)
{
    piw__shell *shell = task->shell;
    piw__port *port = port_of(shell, peer);
    if (port == NULL)
        return PIW_EDEAD;
    if (!shell->soul.txn.open || (record != NULL && *record != NULL && *record == shell->soul.current))
        return PIW_EINVAL;
    piw__do *act = piw__txn_do(&shell->soul.txn, PIW__DO_PEER_SET);
    act->port = port;
    act->peer = peer;
    if (record != NULL) {
        act->msg = *record;
        *record = NULL;
    }
    return 0;
}

/* A record that another version of the plugin has set becomes this one's; NULL when it can't. */
static const piw_msg *carried(piw_task *task, piw__port *port, piw_peer peer, const piw_msg *record)
{
    piw__shell *shell = task->shell;
    const piw_msg_type *own = piw__image_type(task->image, record->type);
    if (own == record->type || own == NULL)
        return own != NULL ? record : NULL;
    piw_msg *msg = NULL;
    piw_err err = {0};
    uint64_t left = 0;
    if (piw__carry(record, own, &msg, &left, &err) != 0) {
        piw_log_limited(&shell->supervision.log_left, 10, PIW_LOG_WARNING,
                        "a peer is forgotten because its record can't be read: %s", err.text);
        return NULL;
    }
    piw__left_behind(shell, task->image, own, left);
    piw__port_peer_set(port, peer, &msg);
    return piw__port_peer_get(port, peer);
}

const piw_msg *piw_peer_get(piw_task *task, piw_peer peer)
{
    const piw__do *change = change_of(task->shell, peer);
    if (change != NULL)
        return change->msg;
    piw__port *port = port_of(task->shell, peer);
    const piw_msg *record = port != NULL ? piw__port_peer_get(port, peer) : NULL;
    return record != NULL ? carried(task, port, peer, record) : NULL;
}

int piw_peer_each(piw_task *task, const char *queue, piw_peer_fn *fn, void *arg)
{
    piw__shell *shell = task->shell;
    for (unsigned i = 0; i < shell->queues.count; i++) {
        piw__port *port = shell->queues.ports[i];
        if (strcmp(piw__port_name(port), queue) != 0)
            continue;
        uint32_t changes = shell->soul.txn.dos_count;
        for (piw_peer peer = 0; piw__port_peer_next(port, &peer);) {
            const piw_msg *record = piw_peer_get(task, peer);
            int rc = record != NULL ? fn(task, peer, record, arg) : 0;
            if (rc != 0)
                return rc;
        }
        /* Those whose first record was set by this very handler. */
        for (uint32_t n = 0; n < changes; n++) {
            const piw__do *act = &shell->soul.txn.dos[n];
            piw_peer peer = act->peer;
            if (act->port != port || act != change_of(shell, peer) || act->msg == NULL ||
                act->kind != PIW__DO_PEER_SET || piw__port_peer_get(port, peer) != NULL)
                continue;
            int rc = fn(task, peer, act->msg, arg);
            if (rc != 0)
                return rc;
        }
        return 0;
    }
    return PIW_ENOENT;
}

/* To the recording of this task, if there is one. */
static void show(piw__shell *shell, const piw_msg *msg)
{
    if ((atomic_load_explicit(&shell->seen.watched, memory_order_relaxed) & PIW__RECORDED) != 0)
        piw__record_sent(shell, PIW_SENT_PEER, msg, NULL, -1);
}

int piw_peer_send(piw_task *task, piw_peer peer, piw_msg **msg)
{
    piw__shell *shell = task->shell;
    if (!shell->soul.txn.open || *msg == NULL || *msg == shell->soul.current || (*msg)->type->kind != PIW_M_OUT)
        return PIW_EINVAL;
    piw__port *port = port_of(shell, peer);
    if (port == NULL) {
        /* The peer has gone and its port has forgotten it: only the operator is told. */
        piw__figure(&shell->seen.figures.dead_letters, 1);
        piw_msg_free(msg);
        return 0;
    }
    show(shell, *msg);
    piw__do *act = piw__txn_do(&shell->soul.txn, PIW__DO_SEND);
    act->port = port;
    act->peer = peer;
    act->msg = *msg;
    *msg = NULL;
    return 0;
}

void piw_peer_forget(piw_task *task, piw_peer peer)
{
    piw__port *port = port_of(task->shell, peer);
    if (port == NULL || !task->shell->soul.txn.open)
        return;
    piw__do *act = piw__txn_do(&task->shell->soul.txn, PIW__DO_PEER_FORGET);
    act->port = port;
    act->peer = peer;
}

int piw_publish(piw_task *task, piw_msg **msg)
{
    piw__shell *shell = task->shell;
    if (!shell->soul.txn.open || *msg == NULL || *msg == shell->soul.current || (*msg)->type->kind != PIW_M_OUT)
        return PIW_EINVAL;
    for (unsigned i = 0; i < shell->queues.count; i++) {
        if (shell->queues.protocols[i] != (*msg)->type->protocol)
            continue;
        show(shell, *msg);
        piw__do *act = piw__txn_do(&shell->soul.txn, PIW__DO_PUBLISH);
        act->port = shell->queues.ports[i];
        act->msg = *msg;
        *msg = NULL;
        return 0;
    }
    return PIW_ENOENT;
}
