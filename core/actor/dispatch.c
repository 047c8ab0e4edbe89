/* dispatch.c — one message, one handler, and what follows from its result. */
#include "actor/dispatch.h"

#include "actor/deliver.h"
#include "actor/record.h"
#include "actor/run.h"
#include "actor/shell.h"
#include "actor/trace.h"
#include "base/clock.h"
#include "type/carry.h"

#include <stdio.h>
#include <time.h>

/* --- Running a function of the soul ------------------------------------------------------------------------------ */

/* How long has this handler taken? While handlers are quick the clock is read after every eighth only: reading it takes
 * as long as a small handler. */
static inline void look_at_clock(piw__shell *shell)
{
    if (__builtin_expect(shell->loop.clock_rest > 0, 1)) {
        shell->loop.clock_rest--;
        return;
    }
    int64_t now = piw__coarse_ns();
    if (now - shell->loop.coarse_ns > PIW_LIMIT_HANDLER_MS * INT64_C(1000000) && !shell->soul.task->plugin->blocks)
        piw__figure(&shell->seen.figures.slow, 1);
    shell->loop.clock_rest = now == shell->loop.coarse_ns ? 7 : 0;
    shell->loop.coarse_ns = now;
}

static inline unsigned watched(const piw__shell *shell)
{
    return __builtin_expect(atomic_load_explicit(&shell->seen.watched, memory_order_relaxed), 0);
}

/* Most handlers only change their state. */
static inline void commit(piw__shell *shell)
{
    piw__txn *txn = &shell->soul.txn;
    if (shell->loop.outbox.touched_count == 0 && txn->undos_count == 0 && txn->dos_count == 0)
        txn->open = false;
    else
        piw__txn_commit(shell);
}

static inline void leave(piw__shell *shell, piw__flight_entry *entry, const char *what, int result)
{
    if (__builtin_expect(result == 0, 1))
        commit(shell);
    else
        piw__txn_rollback(shell);
    if ((watched(shell) & PIW__RECORDED) != 0)
        piw__record_done(shell, result);
    atomic_store_explicit(&shell->seen.busy_in, NULL, memory_order_relaxed);
    piw__flight_end(entry, result);
    if (__builtin_expect(shell->soul.timed_ns != 0, 0)) {
        int64_t took_ns = piw_monotonic_ns() - shell->soul.timed_ns;
        piw__times_note(&shell->soul.times, took_ns);
        piw__times_note(&shell->soul.recent, took_ns);
    }
    look_at_clock(shell);
    piw__figure(&shell->seen.figures.handled, 1);
    shell->loop.since_flush++;
    if (__builtin_expect(result != 0, 0)) {
        piw__figure(&shell->seen.figures.errors, 1);
        piw_log_limited(&shell->supervision.log_errors, 20, PIW_LOG_WARNING, "%s failed: %s", what,
                        piw_err_name(result));
    }
}

static inline void check(piw__shell *shell, int result)
{
    if (__builtin_expect(result != 0 || shell->soul.state != PIW__RUNNING || shell->soul.task->failed, 0))
        piw__soul_check(shell, result);
}

static __attribute__((noinline)) void unanswered(piw__shell *shell, const piw_msg *msg)
{
    char text[200];
    snprintf(text, sizeof(text), "%s left %s.%s without an answer", shell->name, msg->type->protocol->name,
             msg->type->name);
    piw__figure(&shell->seen.figures.unanswered, 1);
    piw_log_limited(&shell->supervision.log_unanswered, 10, PIW_LOG_ERROR, "%s: this is a bug of the task", text);
    piw__answer_error(shell, msg, PIW_EUNANSWERED, text);
}

/* The handler refused the message: the queue may want it asked once more, else the asker gets the error. */
static __attribute__((noinline)) void refused(piw__shell *shell, piw_msg *msg, int result)
{
    if ((msg->type->flags & PIW_M_AGAIN) != 0 && (msg->flags & (PIW__AGAIN | PIW__REQUEST)) == PIW__REQUEST) {
        msg->flags |= PIW__AGAIN;
        piw__batch_push(shell, msg);
        return;
    }
    char text[200];
    snprintf(text, sizeof(text), "%s failed on %s.%s: %s", shell->name, msg->type->protocol->name, msg->type->name,
             piw_err_name(result));
    piw__answer_error(shell, msg, result < 0 ? result : PIW_EHANDLER, text);
    piw_msg_free(&msg);
}

static __attribute__((noinline)) bool too_late(piw__shell *shell, piw_msg *msg)
{
    if (msg->deadline_ns > piw_monotonic_ns())
        return false;
    piw__figure(&shell->seen.figures.late, 1);
    piw__answer_error(shell, msg, PIW_EDEADLINE, "its deadline had passed before it was handled");
    piw_msg_free(&msg);
    return true;
}

/* To whoever watches the task. */
static void show_message(piw__shell *shell, const piw_msg *msg)
{
    unsigned by = watched(shell);
    if ((by & PIW__TRACED) != 0)
        piw__trace_in(shell, msg);
    if ((by & PIW__RECORDED) != 0)
        piw__record_message(shell, msg);
}

static void show_answer(piw__shell *shell, const piw_msg *msg, bool work)
{
    unsigned by = watched(shell);
    if ((by & PIW__TRACED) != 0)
        piw__trace_in(shell, msg);
    if ((by & PIW__RECORDED) != 0)
        piw__record_answer(shell, msg, work);
}

static void dispatch_message(piw__shell *shell, piw_msg *msg)
{
    piw_task *task = shell->soul.task;
    const piw_msg_type *type = msg->type;
    piw_handler_fn *fn = piw__image_handler(task->image, type);
    if (__builtin_expect(fn == NULL, 0)) {
        /* A subscription of an image that the task had before: registrations last as long as the task. */
        if (type->kind == PIW_M_EVENT) {
            piw_msg_free(&msg);
            return;
        }
        piw__bounce(shell, msg, PIW_ENOENT, "its receiver has no handler for it");
        return;
    }
    if (msg->deadline_ns != 0 && too_late(shell, msg))
        return;
    if (msg->trace == 0)
        msg->trace = piw__trace_new(shell);
    shell->soul.current = msg;
    shell->soul.current_gone = false;
    piw__flight_entry *entry = piw__run_begin(shell, type->name, msg->trace, msg->deadline_ns);
    if (watched(shell) != 0)
        show_message(shell, msg);
    int result = fn(task, msg);
    leave(shell, entry, type->name, result);
    shell->soul.current = NULL;
    if (!shell->soul.current_gone) {
        if (__builtin_expect(result != 0, 0)) {
            refused(shell, msg, result);
        } else {
            if (__builtin_expect((msg->flags & (PIW__REQUEST | PIW__SETTLED)) == PIW__REQUEST, 0))
                unanswered(shell, msg);
            piw_msg_free(&msg);
        }
    }
    check(shell, result);
}

/* What a worker made for another version of the plugin is read as this one's; when it can't be, it is an error. */
static void carry_result(piw__shell *shell, piw_msg **result)
{
    piw_msg *msg = *result, *own = NULL;
    const piw_msg_type *type = piw__image_type(shell->soul.task->image, msg->type);
    if (__builtin_expect(type == msg->type, 1) || type == NULL)
        return;
    piw_err err = {0};
    uint64_t left = 0;
    if (piw__carry(msg, type, &own, &left, &err) != 0) {
        own = piw_msg_new(type);
        piw__msg_fail(own, PIW_ESHAPE, piw_msg_textz(own, err.text).s);
    }
    piw__left_behind(shell, shell->soul.task->image, type, left);
    piw_msg_free(result);
    *result = own;
}

static void dispatch_answer(piw__shell *shell, piw_msg *msg)
{
    piw__call *call = piw__call_find(shell, msg->call_id);
    piw_continuation_fn *fn = call != NULL ? piw__image_continue(shell->soul.task->image, call->continuation) : NULL;
    if (fn == NULL) {
        /* Its deadline has passed, or the soul that asked has gone. */
        piw__figure(&shell->seen.figures.late, 1);
        piw_debug("an answer %s.%s came too late", msg->type->protocol->name, msg->type->name);
        piw_msg_free(&msg);
        return;
    }
    bool work = call->work;
    if (work)
        carry_result(shell, &msg);
    const char *what = call->continuation;
    uint64_t key = call->key;
    uint64_t trace = call->trace;
    int64_t deadline_ns = call->inherited_ns;
    piw__call_end(shell, call);
    piw__flight_entry *entry = piw__run_begin(shell, what, trace, deadline_ns);
    if (watched(shell) != 0)
        show_answer(shell, msg, work);
    int result = fn(shell->soul.task, msg, key);
    leave(shell, entry, what, result);
    piw_msg_free(&msg);
    check(shell, result);
}

static void keep(piw__shell *shell, piw_msg *msg)
{
    msg->next = NULL;
    if (shell->loop.kept.last != NULL)
        shell->loop.kept.last->next = msg;
    else
        shell->loop.kept.first = msg;
    shell->loop.kept.last = msg;
    shell->loop.kept.count++;
}

/* There is no soul that takes everything. */
static __attribute__((noinline)) void accept_by_state(piw__shell *shell, piw_msg *msg)
{
    char text[120];
    if ((msg->flags & PIW__ANSWER) != 0 && !piw__trial_keeps(shell, msg)) {
        piw__dispatch(shell, msg);
        return;
    }
    switch (shell->soul.state) {
    case PIW__STARTING:
        if (msg->type->kind == PIW_M_EVENT && shell->supervision.trial.op == NULL)
            piw__dispatch(shell, msg);
        else
            keep(shell, msg);
        break;
    case PIW__ABSENT:
    case PIW__FAILED:
        if (shell->role->absent_wait) {
            keep(shell, msg);
            break;
        }
        snprintf(text, sizeof(text), "%s is %s", shell->name, shell->soul.state == PIW__ABSENT ? "disabled" : "down");
        piw__bounce(shell, msg, PIW_EABSENT, text);
        break;
    case PIW__STOPPED:
        piw__bounce(shell, msg, PIW_ESTOPPED, "the master stops");
        break;
    default:
        keep(shell, msg);
        break;
    }
}

void piw__accept(piw__shell *shell, piw_msg *msg)
{
    if (__builtin_expect(shell->soul.state == PIW__RUNNING && !shell->soul.full, 1))
        piw__dispatch(shell, msg);
    else
        accept_by_state(shell, msg);
}

void piw__dispatch(piw__shell *shell, piw_msg *msg)
{
    if ((msg->flags & PIW__ANSWER) != 0)
        dispatch_answer(shell, msg);
    else
        dispatch_message(shell, msg);
}

void piw__dispatch_bare(piw__shell *shell, const char *continuation, uint64_t key)
{
    piw_continuation_fn *fn = piw__image_continue(shell->soul.task->image, continuation);
    if (fn == NULL)
        return;
    piw__flight_entry *entry = piw__run_begin(shell, continuation, piw__trace_new(shell), 0);
    if ((watched(shell) & PIW__RECORDED) != 0)
        piw__record_bare(shell, continuation, key);
    int result = fn(shell->soul.task, NULL, key);
    leave(shell, entry, continuation, result);
    check(shell, result);
}

void piw__dispatch_idle(piw__shell *shell)
{
    piw_idle_fn *fn = shell->soul.task->plugin->idle;
    piw__flight_entry *entry = piw__run_begin(shell, "idle", piw__trace_new(shell), 0);
    if ((watched(shell) & PIW__RECORDED) != 0)
        piw__record_bare(shell, NULL, 0);
    int result = fn(shell->soul.task);
    leave(shell, entry, "idle", result);
    check(shell, result);
}
