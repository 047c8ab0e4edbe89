/* supervise.c — souls come and go (docs/bus.md#failure): start, failure, back-off, giving up, stop. */
#include "actor/deliver.h"
#include "actor/isolate.h"
#include "actor/op.h"
#include "actor/registry.h"
#include "actor/run.h"
#include "actor/shell.h"
#include "base/tuning.h"

#include <stdio.h>
#include <stdlib.h>

/* --- The soul as an object --------------------------------------------------------------------------------------- */

static void add_routes(piw_task *task, const piw_service *list)
{
    piw__registry *registry = &task->shell->hub->registry;
    for (unsigned i = 0; list != NULL && list[i].name != NULL; i++) {
        piw__service *service = piw__registry_find(registry, list[i].name);
        if (service == NULL)
            continue;
        task->routes = piw_realloc(task->routes, (task->routes_count + 1) * sizeof(*task->routes));
        task->routes[task->routes_count++] =
            (piw__route){.service = service->name, .protocol = service->protocol, .to = service};
    }
}

piw_task *piw__task_new(piw__shell *shell, const piw__image *image)
{
    piw_task *task = piw_zalloc(sizeof(*task));
    task->shell = shell;
    task->image = image;
    task->plugin = image->plugin;
    task->options = shell->soul.options;
    task->generation = ++shell->soul.generation;
    /* What it uses first: a task that serves and uses one protocol (it stands before the other) means the other's
     * service. */
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

void piw__start_end(piw__shell *shell, int result, const piw_err *err)
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
    snprintf(shell->seen.failure, sizeof(shell->seen.failure), "%s", why);
    pthread_mutex_unlock(&shell->supervision.ops_lock);
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
    piw__start_end(shell, ret, &err);
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
    piw__start_end(shell, 0, NULL);
    if (atomic_load_explicit(&shell->seen.on_hold, memory_order_relaxed))
        atomic_store_explicit(&shell->supervision.ops_waiting, true,
                              memory_order_relaxed); /* handle nothing more in this turn */
}

int piw__soul_start(piw__shell *shell, const piw__image *image, piw_why why, piw_err *err)
{
    int rc = piw__ports_open(shell, image, err);
    if (rc != 0)
        return rc;
    piw_task *task = piw__task_new(shell, shell->role->isolate ? piw__isolate_image(image) : image);
    shell->soul.task = task;
    shell->soul.image = image;
    shell->supervision.restart_at_ns = 0;
    atomic_store_explicit(&shell->seen.blocks, task->plugin->blocks, memory_order_relaxed);
    atomic_store_explicit(&shell->seen.version, image->plugin->version, memory_order_release);
    atomic_store_explicit(&shell->seen.since_ns, piw_monotonic_ns(), memory_order_relaxed);
    piw__flight_entry *entry = piw__soul_enter(shell, "start");
    if ((atomic_load_explicit(&shell->seen.watched, memory_order_relaxed) & PIW__RECORDED) != 0)
        piw__record_start(shell, task, why, NULL);
    rc = task->plugin->start(task, why, NULL, err);
    bool good = (rc == 0 || rc == PIW_EAGAIN) && !task->failed;
    piw__soul_leave(shell, entry, rc, good);
    if (!good) {
        piw_err_set(err, rc != 0 && rc != PIW_EAGAIN ? rc : PIW_EHANDLER, "%s",
                    task->failed ? task->failure : "it did not start");
        piw__watches_clear(shell, task->generation);
        piw__task_free(&shell->soul.task);
        piw__note_show(shell);
        atomic_store_explicit(&shell->seen.since_ns, 0, memory_order_relaxed);
        return err != NULL ? err->code : PIW_EHANDLER;
    }
    piw__state_set(shell, PIW__STARTING);
    if (rc == 0 || task->ready)
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
    piw__times_clear(&shell->soul.recent);
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
    piw__start_end(shell, PIW_ESTOPPED, &err);
    if (task->plugin->stop != NULL) {
        piw__flight_entry *entry = piw__soul_enter(shell, "stop");
        task->plugin->stop(task, leaving);
        piw__soul_leave(shell, entry, 0, leaving);
    }
    shell->soul.task = NULL;
    shell->queues.rest = false;
    shell->queues.last_pulls = 0;
    piw__task_free(&task);
    piw__soul_gone(shell, code, text);
}

void piw__left_behind(piw__shell *shell, const piw__image *image, const piw_msg_type *type, uint64_t left)
{
    if (left == 0)
        return;
    piw__figure(&shell->seen.figures.left_behind, left);
    piw_log_limited(&shell->supervision.log_left, 10, PIW_LOG_INFO,
                    "%s has no field for %llu values of %s that another version saved: they are dropped", image->file,
                    (unsigned long long)left, type->name);
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
    snprintf(reason, sizeof(reason), "task %s failed %d times in %d s, the last time because: %s", shell->name,
             piw__tune.failures, piw__tune.failures_window_ms / 1000, why);
    if (shell->role->critical)
        piw__hub_quit(shell->hub, PIW_EHANDLER, reason);
    else
        piw_error("%s; it stays down until it is enabled again", reason);
}

/* The successor is removed without a trace. */
static void take_back(piw__shell *shell)
{
    piw_task *task = shell->soul.task;
    if (task->plugin->stop != NULL) {
        piw__flight_entry *entry = piw__soul_enter(shell, "stop");
        task->plugin->stop(task, false);
        piw__soul_leave(shell, entry, 0, false);
    }
    piw__watches_clear(shell, task->generation);
    piw__timers_end(shell, task->generation);
    piw__calls_end(shell, task->generation);
    shell->soul.task = NULL;
    piw__task_free(&task);
    piw__timers_unpark(shell);
    shell->supervision.error_count = 0;
}

void piw__trial_back(piw__shell *shell, const char *why)
{
    const piw__image *image = shell->supervision.trial.image;
    piw_err err = {0}, second = {0};
    piw_err_set(&err, PIW_EHANDLER, "%s did not start: %s", shell->soul.image->file, why);
    piw_warning("%s; %s goes on", err.text, image->file);
    take_back(shell);
    piw_task *task = piw__task_new(shell, image);
    task->options = shell->supervision.trial.options;
    piw__flight_entry *entry = piw__soul_enter(shell, "start");
    if ((atomic_load_explicit(&shell->seen.watched, memory_order_relaxed) & PIW__RECORDED) != 0)
        piw__record_start(shell, task, PIW_SWAP, shell->supervision.trial.state);
    int ret = task->plugin->start(task, PIW_SWAP, shell->supervision.trial.state, &second);
    bool good = (ret == 0 || ret == PIW_EAGAIN) && !task->failed;
    piw__soul_leave(shell, entry, ret, good);
    piw__trial_end(shell, err.code, &err);
    if (good) {
        piw__soul_is(shell, task);
        if (ret == 0 || task->ready)
            piw__soul_ready(shell);
        shell->queues.dirty = true;
        return;
    }
    if (task->failed)
        piw_err_set(&second, PIW_EHANDLER, "%s", task->failure);
    shell->soul.image = image;
    shell->soul.options = task->options;
    piw__task_free(&task);
    piw__soul_gone(shell, PIW_EHANDLER, "its task failed");
    piw__soul_failed(shell, second.text);
}

void piw__soul_failed(piw__shell *shell, const char *why_)
{
    char why[PIW_ERR_TEXT], text[PIW_ERR_TEXT + 80];
    snprintf(why, sizeof(why), "%s", why_); /* it may stand in the soul that ends here */
    if (shell->supervision.trial.op != NULL) {
        piw__trial_back(shell, why);
        return;
    }
    snprintf(text, sizeof(text), "task %s failed: %s", shell->name, why);
    piw_error("failed: %s", why);
    note_failure(shell, why);
    piw_err err = {0};
    piw_err_set(&err, PIW_EHANDLER, "%s", text);
    piw__start_end(shell, PIW_EHANDLER, &err);
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
