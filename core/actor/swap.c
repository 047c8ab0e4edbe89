/* swap.c — hot swap (docs/bus.md#swap): at a message boundary, on the shell's own thread: save the old soul, start the new
 * one with that, and only then let the old one go. Until then everything can be undone, and the old soul goes on as if
 * nothing had been. */
#include "actor/op.h"
#include "actor/run.h"
#include "actor/shell.h"
#include "base/tuning.h"
#include "type/carry.h"

#include <errno.h>
#include <time.h>

/* --- All or none ------------------------------------------------------------------------------------------------- */

static void decide(piw__swap_group *group, int decision)
{
    if (group->decision == 0)
        group->decision = decision;
    pthread_cond_broadcast(&group->changed);
}

/* This instance can go over (or can't). Returns the decision for all: the last one that can makes it; one that can't,
 * or an instance that doesn't come in time, turns it. */
static bool vote(piw__op *op, bool can)
{
    piw__swap_group *group = op->group;
    if (group == NULL)
        return can;
    struct timespec until = {.tv_sec = op->until_ns / 1000000000, .tv_nsec = op->until_ns % 1000000000};
    pthread_mutex_lock(&group->lock);
    if (!can)
        decide(group, -1);
    else if (group->decision == 0 && ++group->prepared == group->members)
        decide(group, 1);
    while (group->decision == 0)
        if (pthread_cond_timedwait(&group->changed, &group->lock, &until) == ETIMEDOUT)
            decide(group, -1);
    bool go = group->decision > 0;
    pthread_mutex_unlock(&group->lock);
    return go;
}

static bool is_lost(piw__op *op)
{
    if (op->group == NULL)
        return false;
    pthread_mutex_lock(&op->group->lock);
    bool lost = op->group->decision < 0;
    pthread_mutex_unlock(&op->group->lock);
    return lost;
}

/* --- The steps --------------------------------------------------------------------------------------------------- */

static int check_pending(piw__shell *shell, const piw__image *image, piw_err *err)
{
    uint32_t bucket = 0;
    for (piw__node *node = NULL; (node = piw__table_next(&shell->waits.calls, &bucket, node)) != NULL;) {
        const piw__call *call = (const piw__call *)node;
        if (piw__image_continue(image, call->continuation) == NULL)
            return piw_err_set(
                err, PIW_EPLUGIN,
                "%s can't take over from %s: it has no continuation %s, for which an answer to %s is awaited",
                image->file, shell->name, call->continuation, call->type->name);
    }
    return 0;
}

static int save(piw__shell *shell, piw_msg **state, piw_err *err)
{
    const piw_plugin *plugin = shell->soul.task->plugin;
    if (shell->soul.image->state == NULL || plugin->save == NULL)
        return 0;
    piw__flight_entry *entry = piw__soul_enter(shell, "save");
    int ret = plugin->save(shell->soul.task, state, err);
    piw__soul_leave(shell, entry, ret, false);
    if (ret != 0)
        return piw_err_set(err, ret, "%s could not save its state: %s", shell->name, piw_err_name(ret));
    if (*state == NULL || (*state)->type != shell->soul.image->state)
        return piw_err_set(err, PIW_EPLUGIN, "%s saved something that is not its state", shell->name);
    return 0;
}

/* What was saved as the new plugin reads it, which may be of another version; the same message when it is not. */
static int read_state(piw__shell *shell, const piw__image *image, piw_msg *saved, piw_msg **state, piw_err *err)
{
    *state = saved;
    if (saved == NULL || image->state == NULL || saved->type == image->state)
        return 0;
    uint64_t left = 0;
    int ret = piw__carry(saved, image->state, state, &left, err);
    if (ret != 0)
        return piw_err_set(err, ret, "%s can't take over from %s: its state can't be read", image->file, shell->name);
    piw__left_behind(shell, image, saved->type, left);
    return 0;
}

/* The new soul is there and has started: the old one goes. */
static void go_over(piw__shell *shell, piw_task *new_task)
{
    piw_task *old = shell->soul.task;
    piw__soul_is(shell, new_task);
    piw__watches_clear(shell, old->generation);
    if (old->plugin->stop != NULL) {
        /* Whatever it sends now would double what its successor does. */
        piw__flight_entry *entry = piw__soul_enter(shell, "stop");
        old->plugin->stop(old, false);
        piw__soul_leave(shell, entry, 0, false);
    }
    piw__task_free(&old);
    shell->queues.dirty = true;
}

/* Start what is to follow. 0 or PIW_EAGAIN: it has a soul. */
static int start(piw__shell *shell, piw_task *task, const piw_msg *state, piw_err *err)
{
    int64_t began_ns = piw_monotonic_ns();
    if ((atomic_load_explicit(&shell->seen.watched, memory_order_relaxed) & PIW__RECORDED) != 0)
        piw__record_start(shell, task, PIW_SWAP, state);
    int rc = task->plugin->start(task, PIW_SWAP, state, err);
    int64_t took_ms = (piw_monotonic_ns() - began_ns) / 1000000;
    if ((rc != 0 && rc != PIW_EAGAIN) || task->failed)
        return piw_err_set(err, rc != 0 && rc != PIW_EAGAIN ? rc : PIW_EHANDLER, "%s did not start: %s",
                           task->image->file, task->failed ? task->failure : piw_err_name(rc));
    if (took_ms <= piw__tune.swap_ms)
        return rc;
    if (task->plugin->stop != NULL)
        task->plugin->stop(task, false);
    return piw_err_set(err, PIW_EDEADLINE, "%s took %lld ms to start, %d are allowed: task %s goes on as it was",
                       task->image->file, (long long)took_ms, piw__tune.swap_ms, shell->name);
}

/* 0: it is done; 1: the new soul isn't ready yet, and keeps the operation; else an error. */
static int swap(piw__shell *shell, piw__op *op, int64_t began_ns, piw_err *err)
{
    piw_msg *saved = NULL, *state = NULL;
    int rc = check_pending(shell, op->image, err);
    if (rc == 0)
        rc = save(shell, &saved, err);
    if (rc == 0)
        rc = read_state(shell, op->image, saved, &state, err);
    if (rc != 0) {
        piw_msg_free(&saved);
        vote(op, false);
        return rc;
    }
    piw_task *task = piw__task_new(shell, op->image);
    if (op->options != NULL)
        task->options = op->options;
    piw__flight_entry *entry = piw__soul_enter(shell, "start");
    rc = start(shell, task, state, err);
    if (state != saved)
        piw_msg_free(&state);
    bool started = rc == 0 || rc == PIW_EAGAIN, ready = rc == 0 || task->ready;
    if (vote(op, started)) {
        const piw__image *image = shell->soul.image;
        const piw__options *old_options = shell->soul.options;
        piw__soul_leave(shell, entry, rc, true);
        go_over(shell, task);
        if (!ready) {
            piw__trial_begin(shell, op, image, old_options, &saved, began_ns);
            return 1;
        }
        piw_msg_free(&saved);
        piw__timers_prune(shell);
        piw__soul_ready(shell);
        return 0;
    }
    piw_msg_free(&saved);
    if (started) {
        op->followed = true;
        piw_err_set(err, PIW_EREFUSED, "another instance of task %s could not go over in time", shell->role->name);
        if (task->plugin->stop != NULL)
            task->plugin->stop(task, false);
    }
    piw__soul_leave(shell, entry, rc, false);
    piw__watches_clear(shell, task->generation);
    piw__task_free(&task);
    return err->code;
}

int piw__swap(piw__shell *shell, piw__op *op)
{
    piw_err err = {0};
    int64_t began = piw_monotonic_ns();
    if (is_lost(op)) {
        op->followed = true;
        piw_err_set(&err, PIW_EREFUSED, "another instance of task %s could not go over", shell->role->name);
        piw__op_done(op, err.code, &err);
        return 0;
    }
    int ret;
    if (shell->soul.state == PIW__RUNNING) {
        ret = swap(shell, op, began, &err);
        if (ret > 0)
            return 1;
    } else if (shell->soul.task == NULL && vote(op, true)) {
        /* Nothing to take over from: it failed, and waits or was given up. The new plugin begins cold. */
        const piw__image *image = shell->soul.image;
        const piw__options *options = shell->soul.options;
        memset(shell->supervision.failures_ns, 0, sizeof(shell->supervision.failures_ns));
        if (op->options != NULL)
            shell->soul.options = op->options;
        ret = piw__soul_start(shell, op->image, PIW_RESTART, &err);
        if (ret != 0) {
            shell->soul.image = image != NULL ? image : shell->soul.image;
            shell->soul.options = options;
            piw__soul_failed(shell, err.text);
        } else if (shell->soul.state == PIW__STARTING) {
            piw__start_wait(shell, op);
            return 1;
        }
    } else {
        ret = piw_err_set(&err, PIW_EREFUSED, "%s is not ready itself: try again later", shell->name);
        vote(op, false);
    }
    if (ret == 0)
        piw__swap_count(shell, began);
    piw__op_done(op, ret, &err);
    return 0;
}
