/* orders.c — the orders of the runtime carried out: start, swap, hold, disable, stop. */
#include "actor/deliver.h"
#include "actor/op.h"
#include "actor/shell.h"
#include "base/tuning.h"

/* 0: the operation is done; 1: it is kept until the soul is ready. */
static int start(piw__shell *shell, piw__op *op)
{
    piw_err err = {0};
    int ret = piw__soul_start(shell, op->image, op->why, &err);
    if (ret == 0 && shell->soul.state == PIW__STARTING) {
        shell->supervision.start_op = op;
        return 1;
    }
    piw__op_done(op, ret, &err);
    return 0;
}

/* A cold start, also of another image. What was kept back meanwhile is handled by the new soul. 0: the operation is
 * done; 1: it is kept until the soul is ready. */
static int restart(piw__shell *shell, piw__op *op)
{
    const piw__image *before = shell->soul.image;
    const piw__options *options = shell->soul.options;
    piw__soul_end(shell, false, PIW_EHANDLER, "its task was restarted");
    if (op->options != NULL)
        shell->soul.options = op->options;
    memset(shell->supervision.failures_ns, 0, sizeof(shell->supervision.failures_ns));
    shell->supervision.error_count = 0;
    piw_err err = {0};
    piw__figure(&shell->seen.figures.restarts, 1);
    int ret = piw__soul_start(shell, op->image, PIW_RESTART, &err);
    if (ret == 0 && shell->soul.state == PIW__STARTING) {
        piw__start_wait(shell, op);
        return 1;
    }
    if (ret != 0) {
        if (before != NULL)
            shell->soul.image = before;
        shell->soul.options = options;
        piw__soul_failed(shell, err.text);
    }
    piw__op_done(op, ret, &err);
    return 0;
}

static void set_hold(piw__shell *shell, bool on)
{
    atomic_store_explicit(&shell->seen.on_hold, on, memory_order_relaxed);
    shell->queues.dirty = true;
}

/* 0: done; 1: kept until what is there has been worked off. Nothing new comes in from outside meanwhile. */
static int fresh(piw__shell *shell, piw__op *op)
{
    if (shell->supervision.fresh_op != NULL || shell->supervision.stop_op != NULL || shell->soul.task == NULL ||
        atomic_load_explicit(&shell->seen.on_hold, memory_order_relaxed))
        return restart(shell, op);
    shell->supervision.fresh_op = op;
    shell->supervision.drain_until_ns = piw_monotonic_ns() + piw__tune.drain_ms * INT64_C(1000000);
    shell->queues.quiet = true;
    piw__deferred_later(shell);
    return 1;
}

void piw__fresh_check(piw__shell *shell, int64_t now_ns)
{
    piw__op *op = shell->supervision.fresh_op;
    if (op == NULL)
        return;
    bool worked_off = shell->loop.batch == NULL && piw__mailbox_depth(&shell->mailbox) == 0 &&
                      shell->waits.calls.count == 0 && shell->waits.deferred.count == 0 && shell->soul.away == 0;
    if (!worked_off && shell->soul.task != NULL && now_ns < shell->supervision.drain_until_ns)
        return;
    shell->supervision.fresh_op = NULL;
    shell->queues.quiet = false;
    shell->queues.dirty = true;
    if (restart(shell, op) == 0)
        piw__op_unref(op);
    piw__flush(shell);
}

/* The master stops before the new image could begin. */
static void fresh_cancel(piw__shell *shell)
{
    piw_err err = {0};
    if (shell->supervision.fresh_op == NULL)
        return;
    piw_err_set(&err, PIW_ESTOPPED, "the master stops");
    piw__op_done(shell->supervision.fresh_op, PIW_ESTOPPED, &err);
    piw__op_unref(shell->supervision.fresh_op);
    shell->supervision.fresh_op = NULL;
}

/* What is recorded begins where a swap does, so that whoever plays it begins there too: with a soul that has just been made. */
static int record(piw__shell *shell, piw__op *op)
{
    piw_err err = {0};
    int rc = piw__record_check(shell, &err);
    if (rc != 0) {
        piw__op_done(op, rc, &err);
        return 0;
    }
    piw__record_begin(shell, op->recording);
    return piw__swap(shell, op);
}

static void disable(piw__shell *shell, piw__op *op)
{
    set_hold(shell, false);
    piw__soul_end(shell, true, PIW_EABSENT, "its task was disabled");
    piw__record_end(shell, "its task was disabled");
    shell->supervision.restart_at_ns = 0;
    piw__state_set(shell, PIW__ABSENT);
    if (!shell->role->absent_wait)
        piw__release_held(shell);
    if (op->image != NULL)
        shell->soul.image = op->image;
    piw__flush(shell);
    piw__op_done(op, 0, NULL);
}

/* 0: done with it; 1: the operation is kept. */
static int carry_out(piw__shell *shell, piw__op *op)
{
    switch (op->kind) {
    case PIW__OP_START:
        return start(shell, op);
    case PIW__OP_SWAP:
        return piw__swap(shell, op);
    case PIW__OP_RESTART:
        return restart(shell, op);
    case PIW__OP_FRESH:
        return fresh(shell, op);
    case PIW__OP_HOLD:
    case PIW__OP_RELEASE:
        set_hold(shell, op->kind == PIW__OP_HOLD);
        piw__op_done(op, 0, NULL);
        return 0;
    case PIW__OP_RECORD:
        return record(shell, op);
    case PIW__OP_DISABLE:
        disable(shell, op);
        return 0;
    case PIW__OP_QUIET:
        piw__ports_quiet(shell);
        piw__op_done(op, 0, NULL);
        return 0;
    case PIW__OP_STOP:
        set_hold(shell, false);
        fresh_cancel(shell);
        shell->supervision.stop_op = op;
        shell->supervision.drain_until_ns = op->until_ns;
        return 1;
    case PIW__OP_LEAVE:
        set_hold(shell, false);
        shell->loop.leave = true;
        piw__op_done(op, 0, NULL);
        return 0;
    }
    return 0;
}

void piw__ops_run(piw__shell *shell)
{
    pthread_mutex_lock(&shell->supervision.ops_lock);
    piw__op *op = shell->supervision.ops;
    shell->supervision.ops = NULL;
    atomic_store_explicit(&shell->supervision.ops_waiting, false, memory_order_relaxed);
    pthread_mutex_unlock(&shell->supervision.ops_lock);
    while (op != NULL) {
        piw__op *next = op->next;
        if (!piw__op_take(op) || carry_out(shell, op) == 0)
            piw__op_unref(op);
        op = next;
    }
    piw__flush(shell);
}

void piw__stop_check(piw__shell *shell, int64_t now_ns)
{
    piw__op *op = shell->supervision.stop_op;
    if (op == NULL)
        return;
    bool worked_off = shell->loop.batch == NULL && piw__mailbox_depth(&shell->mailbox) == 0 &&
                      shell->waits.calls.count == 0 && shell->soul.away == 0 && shell->queues.last_pulls == 0;
    if (shell->soul.task != NULL && !worked_off && now_ns < shell->supervision.drain_until_ns)
        return;
    if (shell->soul.task != NULL && !worked_off)
        piw_warning("stops with %u messages and %u calls unfinished", piw__mailbox_depth(&shell->mailbox),
                    shell->waits.calls.count);
    piw_err err = {0};
    piw_err_set(&err, PIW_ESTOPPED, "task %s was stopped before it was ready", shell->name);
    piw__start_end(shell, PIW_ESTOPPED, &err);
    piw__soul_end(shell, true, PIW_ESTOPPED, "the master stops");
    shell->supervision.restart_at_ns = 0;
    piw__state_set(shell, PIW__STOPPED);
    piw__release_held(shell);
    piw__flush(shell);
    shell->supervision.stop_op = NULL;
    piw__op_done(op, 0, NULL);
    piw__op_unref(op);
}
