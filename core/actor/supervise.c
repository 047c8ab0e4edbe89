/* supervise.c — start, failure, back-off, giving up and stop of souls (docs/bus.md#failure); and what the runtime has
 * shells do. */
#include "actor/dispatch.h"
#include "actor/isolate.h"
#include "actor/op.h"
#include "actor/registry.h"
#include "actor/shell.h"
#include "base/tuning.h"

#include <stdio.h>
#include <stdlib.h>

piw__tuning piw__tune = {.restart_ms = PIW_LIMIT_RESTART_MS,
                         .restart_max_ms = PIW_LIMIT_RESTART_MAX_MS,
                         .failures = PIW_LIMIT_FAILURES,
                         .failures_window_ms = PIW_LIMIT_FAILURES_MS,
                         .errors_per_s = PIW_LIMIT_ERRORS_PER_S,
                         .stuck_ms = PIW_LIMIT_STUCK_MS,
                         .boundary_ms = PIW_LIMIT_STUCK_MS,
                         .swap_ms = PIW_LIMIT_SWAP_MS,
                         .drain_ms = PIW_LIMIT_DRAIN_MS,
                         .stop_ms = PIW_LIMIT_STOP_MS};

/* --- The soul as an object --------------------------------------------------------------------------------------- */

static void add_routes(piw_task *task, const piw_service *list)
{
    piw__registry *registry = &task->shell->hub->registry;
    for (unsigned i = 0; list != NULL && list[i].name != NULL; i++) {
        piw__service *service = piw__registry_find(registry, list[i].name);
        if (service == NULL)
            continue;
        task->routes = piw_realloc(task->routes, (task->routes_count + 1) * sizeof *task->routes);
        task->routes[task->routes_count++] =
            (piw__route){.service = service->name, .protocol = service->protocol, .to = service};
    }
}

piw_task *piw__task_new(piw__shell *shell, const piw__image *image)
{
    piw_task *task = piw_zalloc(sizeof *task);
    task->shell = shell;
    task->image = image;
    task->plugin = image->plugin;
    task->options = shell->soul.options;
    task->generation = ++shell->soul.generation;
    /* What it uses first: a task that serves and uses one protocol (it stands before the other) means the other's service. */
    add_routes(task, image->plugin->uses);
    add_routes(task, image->plugin->serves);
    return task;
}

void piw__task_free(piw_task **task)
{
    if (*task == NULL)
        return;
    free((*task)->routes);
    free(*task);
    *task = NULL;
}

/* --- Start and end ----------------------------------------------------------------------------------------------- */

/* The order to start waits for its outcome. */
static void finish_start(piw__shell *shell, int result, const piw_err *err)
{
    piw__op *op = shell->supervision.start_op;
    shell->supervision.start_op = NULL;
    shell->supervision.start_until_ns = 0;
    if (op == NULL)
        return;
    piw__op_done(op, result, err);
    piw__op_unref(op);
}

static void note_failure(piw__shell *shell, const char *why)
{
    pthread_mutex_lock(&shell->supervision.ops_lock);
    snprintf(shell->seen.failure, sizeof shell->seen.failure, "%s", why);
    pthread_mutex_unlock(&shell->supervision.ops_lock);
}

void piw__note_show(piw__shell *shell)
{
    const char *note = shell->soul.task != NULL ? shell->soul.task->note : "";
    if (strcmp(shell->seen.note, note) == 0)
        return; /* nobody else writes it */
    pthread_mutex_lock(&shell->supervision.ops_lock);
    snprintf(shell->seen.note, sizeof shell->seen.note, "%s", note);
    pthread_mutex_unlock(&shell->supervision.ops_lock);
    atomic_fetch_add_explicit(&shell->seen.notes, 1, memory_order_release);
}

void piw__start_wait(piw__shell *shell, piw__op *op)
{
    shell->supervision.start_op = op;
    shell->supervision.start_until_ns = piw_monotonic_ns() + piw__tune.swap_ms * INT64_C(1000000);
}

void piw__start_late(piw__shell *shell)
{
    piw_err err = {0};
    int ret = 0;
    /* The same plugin as before may take its time; another one isn't taken. */
    if (shell->supervision.start_op->kind == PIW__OP_FRESH)
        ret = piw_err_set(&err, PIW_EDEADLINE, "%s was not ready within %d ms", shell->soul.image->file,
                          piw__tune.swap_ms);
    finish_start(shell, ret, &err);
}

void piw__soul_ready(piw__shell *shell)
{
    piw__state_set(shell, PIW__RUNNING);
    piw__release_held(shell);
    shell->queues.dirty = true;
    note_failure(shell, "");
    piw_info("ready");
    /* Whoever waits for it finds it so. */
    piw__trial_good(shell);
    finish_start(shell, 0, NULL);
    if (atomic_load_explicit(&shell->seen.on_hold, memory_order_relaxed))
        atomic_store_explicit(&shell->supervision.ops_waiting, true,
                              memory_order_relaxed); /* handle nothing more in this turn */
}

int piw__soul_start(piw__shell *shell, const piw__image *image, piw_why why, piw_err *err)
{
    int ret = piw__ports_open(shell, image, err);
    if (ret != 0)
        return ret;
    piw_task *task = piw__task_new(shell, shell->role->isolate ? piw__isolate_image(image) : image);
    shell->soul.task = task;
    shell->soul.image = image;
    shell->supervision.restart_at_ns = 0;
    atomic_store_explicit(&shell->seen.blocks, task->plugin->blocks, memory_order_relaxed);
    atomic_store_explicit(&shell->seen.version, image->plugin->version, memory_order_release);
    atomic_store_explicit(&shell->seen.since_ns, piw_monotonic_ns(), memory_order_relaxed);
    piw__record *record = piw__soul_enter(shell, "start");
    ret = task->plugin->start(task, why, NULL, err);
    bool good = (ret == 0 || ret == PIW_EAGAIN) && !task->failed;
    piw__soul_leave(shell, record, ret, good);
    if (!good) {
        piw_err_set(err, ret != 0 && ret != PIW_EAGAIN ? ret : PIW_EHANDLER, "%s",
                    task->failed ? task->failure : "it did not start");
        piw__watches_clear(shell, task->generation);
        piw__task_free(&shell->soul.task);
        piw__note_show(shell);
        atomic_store_explicit(&shell->seen.since_ns, 0, memory_order_relaxed);
        return err != NULL ? err->code : PIW_EHANDLER;
    }
    piw__state_set(shell, PIW__STARTING);
    if (ret == 0 || task->ready)
        piw__soul_ready(shell);
    return 0;
}

void piw__soul_gone(piw__shell *shell, int code, const char *text)
{
    piw__watches_clear(shell, 0);
    piw__timers_clear(shell);
    piw__calls_drop(shell);
    piw__note_show(shell);
    atomic_store_explicit(&shell->seen.since_ns, 0, memory_order_relaxed);
    piw__state_set(shell, PIW__DOWN);
    piw__deferred_fail(shell, code, text);
}

void piw__soul_is(piw__shell *shell, piw_task *task)
{
    shell->soul.task = task;
    shell->soul.image = task->image;
    shell->soul.options = task->options;
    atomic_store_explicit(&shell->seen.blocks, task->plugin->blocks, memory_order_relaxed);
    atomic_store_explicit(&shell->seen.version, task->plugin->version, memory_order_release);
    atomic_store_explicit(&shell->seen.since_ns, piw_monotonic_ns(), memory_order_relaxed);
    piw__note_show(shell);
    piw__state_set(shell, PIW__STARTING);
}

void piw__soul_end(piw__shell *shell, bool leaving, int code, const char *text)
{
    piw_task *task = shell->soul.task;
    if (task == NULL)
        return;
    piw__trial_cancel(shell);
    piw_err err = {0};
    piw_err_set(&err, PIW_ESTOPPED, "task %s was ended before it was ready", shell->name);
    finish_start(shell, PIW_ESTOPPED, &err);
    if (task->plugin->stop != NULL) {
        piw__record *record = piw__soul_enter(shell, "stop");
        task->plugin->stop(task, leaving);
        piw__soul_leave(shell, record, 0, leaving);
    }
    shell->soul.task = NULL;
    shell->queues.rest = false;
    shell->queues.last_pulls = 0;
    piw__task_free(&task);
    piw__soul_gone(shell, code, text);
}

/* --- Failure ----------------------------------------------------------------------------------------------------- */

/* Failures within the window, this one included. */
static unsigned count_failure(piw__shell *shell, int64_t now)
{
    shell->supervision.failures_ns[shell->supervision.failures_next++ % PIW_COUNT(shell->supervision.failures_ns)] =
        now;
    unsigned count = 0;
    for (unsigned i = 0; i < PIW_COUNT(shell->supervision.failures_ns); i++)
        if (shell->supervision.failures_ns[i] != 0 &&
            now - shell->supervision.failures_ns[i] <= piw__tune.failures_window_ms * INT64_C(1000000))
            count++;
    return count;
}

static int64_t back_off_ns(unsigned failures)
{
    int64_t ms = piw__tune.restart_ms;
    for (unsigned i = 1; i < failures && ms < piw__tune.restart_max_ms; i++)
        ms *= 2;
    return (ms < piw__tune.restart_max_ms ? ms : piw__tune.restart_max_ms) * 1000000;
}

static void give_up(piw__shell *shell, const char *why)
{
    piw__state_set(shell, PIW__FAILED);
    piw__release_held(shell);
    char reason[PIW_ERR_TEXT + 160];
    snprintf(reason, sizeof reason, "task %s failed %d times in %d s, the last time because: %s", shell->name,
             piw__tune.failures, piw__tune.failures_window_ms / 1000, why);
    if (shell->role->critical) {
        piw__hub_quit(shell->hub, PIW_EHANDLER, reason);
    } else {
        piw_error("%s; it stays down until it is enabled again", reason);
    }
}

void piw__soul_failed(piw__shell *shell, const char *why_)
{
    char why[PIW_ERR_TEXT], text[PIW_ERR_TEXT + 80];
    snprintf(why, sizeof why, "%s", why_); /* it may stand in the soul that ends here */
    if (shell->supervision.trial.op != NULL) {
        piw__trial_back(shell, why);
        return;
    }
    snprintf(text, sizeof text, "task %s failed: %s", shell->name, why);
    piw_error("failed: %s", why);
    note_failure(shell, why);
    piw_err err = {0};
    piw_err_set(&err, PIW_EHANDLER, "%s", text);
    finish_start(shell, PIW_EHANDLER, &err);
    piw__soul_end(shell, false, PIW_EHANDLER, text);
    shell->supervision.error_count = 0;
    int64_t now = piw_monotonic_ns();
    unsigned failures = count_failure(shell, now);
    if (failures >= (unsigned)piw__tune.failures) {
        give_up(shell, why);
        return;
    }
    piw__state_set(shell, PIW__DOWN);
    int64_t delay = back_off_ns(failures);
    shell->supervision.restart_at_ns = now + delay;
    piw_warning("starts again in %d ms", (int)(delay / 1000000));
}

void piw__soul_check(piw__shell *shell, int result)
{
    piw_task *task = shell->soul.task;
    if (task == NULL)
        return;
    if (result != 0) {
        int64_t now = piw_monotonic_ns();
        if (now - shell->supervision.error_window_ns > 1000000000) {
            shell->supervision.error_window_ns = now;
            shell->supervision.error_count = 0;
        }
        if (++shell->supervision.error_count >= (unsigned)piw__tune.errors_per_s)
            piw_fail(task, "%u handler errors within a second", shell->supervision.error_count);
    }
    if (task->failed)
        piw__soul_failed(shell, task->failure);
    else if (shell->soul.state == PIW__STARTING && task->ready)
        piw__soul_ready(shell);
}

void piw__soul_retry(piw__shell *shell, int64_t now_ns)
{
    (void)now_ns;
    shell->supervision.restart_at_ns = 0;
    piw_err err = {0};
    piw__figure(&shell->seen.figures.restarts, 1);
    if (piw__soul_start(shell, shell->soul.image, PIW_RESTART, &err) != 0)
        piw__soul_failed(shell, err.text);
}

/* --- Orders ------------------------------------------------------------------------------------------------------ */

/* 0: the order is done; 1: it is kept until the soul is ready. */
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

/* A cold start, also of another image. What was kept back meanwhile is handled by the new soul. 0: the order is done; 1: it
 * is kept until the soul is ready. */
static int restart(piw__shell *shell, piw__op *op)
{
    const piw__image *before = shell->soul.image;
    const piw__options *options = shell->soul.options;
    piw__soul_end(shell, false, PIW_EHANDLER, "its task was restarted");
    if (op->options != NULL)
        shell->soul.options = op->options;
    memset(shell->supervision.failures_ns, 0, sizeof shell->supervision.failures_ns);
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

static void disable(piw__shell *shell, piw__op *op)
{
    set_hold(shell, false);
    piw__soul_end(shell, true, PIW_EABSENT, "its task was disabled");
    shell->supervision.restart_at_ns = 0;
    piw__state_set(shell, PIW__ABSENT);
    if (!shell->role->absent_wait)
        piw__release_held(shell);
    if (op->image != NULL)
        shell->soul.image = op->image;
    piw__flush(shell);
    piw__op_done(op, 0, NULL);
}

/* 0: done with it; 1: the order is kept. */
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
    finish_start(shell, PIW_ESTOPPED, &err);
    piw__soul_end(shell, true, PIW_ESTOPPED, "the master stops");
    shell->supervision.restart_at_ns = 0;
    piw__state_set(shell, PIW__STOPPED);
    piw__release_held(shell);
    piw__flush(shell);
    shell->supervision.stop_op = NULL;
    piw__op_done(op, 0, NULL);
    piw__op_unref(op);
}
