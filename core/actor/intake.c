/* intake.c — what comes to a soul from elsewhere than its mailbox: the end of a call's time, timers, descriptors, and the messages
 * of its queues. */
#include "actor/intake.h"

#include "actor/deliver.h"
#include "actor/dispatch.h"
#include "actor/shell.h"

static piw__call *call_of(piw__due *due)
{
    return (piw__call *)(void *)((char *)due - offsetof(piw__call, due));
}

void piw__calls_expire(piw__shell *shell, int64_t now_ns)
{
    for (piw__due *due; (due = piw__heap_first(&shell->waits.call_heap)) != NULL && due->at_ns <= now_ns;) {
        piw__call *call = call_of(due);
        const piw_msg_type *type = call->type;
        if (type->reply >= 0)
            type = &type->protocol->messages[type->reply];
        piw_msg *answer = piw_msg_new(type);
        answer->flags = PIW__ANSWER;
        answer->call_id = call->node.key;
        answer->trace = call->trace;
        const char *text = piw_msg_printf(answer, "%s was not answered in time", call->type->name).s;
        piw__msg_fail(answer, PIW_EDEADLINE, text);
        piw__heap_remove(&shell->waits.call_heap, &call->due);
        piw__accept(shell, answer);
    }
}

void piw__timers_fire(piw__shell *shell, int64_t now_ns)
{
    for (piw__due *due; (due = piw__heap_first(&shell->waits.timer_heap)) != NULL && due->at_ns <= now_ns;) {
        piw__timer *timer = (piw__timer *)(void *)((char *)due - offsetof(piw__timer, due));
        const char *continuation = timer->continuation;
        uint64_t key = timer->key;
        if (shell->soul.task == NULL || piw__rests(shell))
            return;
        if (timer->period_ns > 0) {
            /* The next one stands on the same grid, also after a delay: those missed are left out. */
            int64_t missed = (now_ns - due->at_ns) / timer->period_ns;
            piw__heap_put(&shell->waits.timer_heap, due, due->at_ns + (missed + 1) * timer->period_ns);
        } else {
            piw__timer_end(shell, timer);
        }
        piw__dispatch_bare(shell, continuation, key);
    }
}

void piw__watch_fire(piw__shell *shell, uint64_t serial)
{
    /* An earlier event of the same wait may have ended it. */
    piw__watch *watch = (piw__watch *)piw__table_find(&shell->waits.watches, serial);
    if (watch != NULL && shell->soul.task != NULL)
        piw__dispatch_bare(shell, watch->continuation, watch->key);
}

/* --- Queues --- */

/* How many messages came. `*more`: there may be others, since the budget is used or something came between. */
static unsigned read_one(piw__shell *shell, piw__port *port, bool *more)
{
    unsigned budget = PIW_LIMIT_PORT_BUDGET, count = 0;
    piw_msg *msg;
    while (budget > 0 && shell->soul.state == PIW__RUNNING && !shell->queues.rest) {
        if (atomic_load_explicit(&shell->supervision.ops_waiting, memory_order_acquire))
            break;
        if (piw__port_read(port, &budget, &msg) != 0) {
            *more = budget == 0;
            return count;
        }
        msg->trace = piw__trace_new(shell);
        piw__accept(shell, msg);
        count++;
        if (shell->loop.outbox.full || shell->loop.since_flush >= PIW_LIMIT_OUTBOX)
            piw__flush(shell);
    }
    *more = true;
    return count;
}

/* Whose connections have ended is told first: who comes after them may take their place. */
static void tell_gone(piw__shell *shell, piw__port *port)
{
    piw_peer peer;
    while (shell->soul.state == PIW__RUNNING && (peer = piw__port_gone(port)) != 0) {
        const char *told = piw__image_continuation(shell->soul.task->image, "peer_gone");
        if (told != NULL)
            piw__dispatch_bare(shell, told, peer);
    }
}

/* The last ones are taken when there are no more, or too many for that. */
static void count_last(piw__shell *shell, unsigned count, bool more)
{
    if (!shell->queues.quiet)
        return;
    shell->queues.last_pulls = more && count < shell->queues.last_pulls ? shell->queues.last_pulls - count : 0;
}

unsigned piw__ports_read(piw__shell *shell)
{
    if (shell->queues.count == 0 || !piw__ports_wanted(shell))
        return 0;
    unsigned count = 0;
    uint64_t refused = 0;
    bool more = false;
    shell->queues.dirty = false;
    for (unsigned i = 0; i < shell->queues.count; i++) {
        bool more_here = false;
        tell_gone(shell, shell->queues.ports[i]);
        if (shell->queues.quiet && shell->queues.protocols[i]->queue != PIW_Q_PULL)
            continue;
        count += read_one(shell, shell->queues.ports[i], &more_here);
        more |= more_here;
        refused += piw__port_figures(shell->queues.ports[i]).refused;
    }
    atomic_store_explicit(&shell->seen.figures.refused, refused, memory_order_relaxed);
    count_last(shell, count, more);
    if (count > 0 || more)
        shell->queues.dirty = true;
    return count;
}
