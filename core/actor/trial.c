/* trial.c — a successor that has started and isn't ready yet. It has taken over, but requests wait, and so do the
 * answers, events and timers that were the predecessor's. When it fails now, or takes too long, the old plugin takes
 * over again with what it had saved, and finds all of that as it was. */
#include "actor/dispatch.h"
#include "actor/op.h"
#include "actor/shell.h"
#include "base/tuning.h"

void piw__trial_begin(piw__shell *shell, piw__op *op, const piw__image *image, const piw__options *options,
                      piw_msg **state, int64_t began_ns)
{
    shell->supervision.trial = (piw__trial){.op = op,
                                            .image = image,
                                            .options = options,
                                            .state = *state,
                                            .generation = shell->soul.task->generation,
                                            .began_ns = began_ns,
                                            .until_ns = began_ns + piw__tune.swap_ms * INT64_C(1000000)};
    *state = NULL;
    piw__timers_park(shell, shell->supervision.trial.generation);
}

/* It is over, with this outcome. */
static void end(piw__shell *shell, int result, const piw_err *err)
{
    piw__op *op = shell->supervision.trial.op;
    piw_msg_free(&shell->supervision.trial.state);
    shell->supervision.trial = (piw__trial){0};
    piw__op_done(op, result, err);
    piw__op_unref(op);
}

void piw__trial_good(piw__shell *shell)
{
    if (shell->supervision.trial.op == NULL)
        return;
    piw__timers_unpark(shell);
    piw__timers_prune(shell);
    piw__swap_count(shell, shell->supervision.trial.began_ns);
    end(shell, 0, NULL);
}

void piw__trial_cancel(piw__shell *shell)
{
    if (shell->supervision.trial.op == NULL)
        return;
    piw_err err = {0};
    piw_err_set(&err, PIW_ESTOPPED, "task %s was ended before its successor was ready", shell->name);
    end(shell, PIW_ESTOPPED, &err);
}

bool piw__trial_keeps(const piw__shell *shell, const piw_msg *msg)
{
    if (shell->supervision.trial.op == NULL)
        return false;
    const piw__call *call = piw__call_find(shell, msg->call_id);
    return call != NULL && call->generation < shell->supervision.trial.generation;
}

/* The successor goes, and nothing is left of it. */
static void take_back(piw__shell *shell)
{
    piw_task *task = shell->soul.task;
    if (task->plugin->stop != NULL) {
        piw__record *record = piw__soul_enter(shell, "stop");
        task->plugin->stop(task, false);
        piw__soul_leave(shell, record, 0, false);
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
    piw__record *record = piw__soul_enter(shell, "start");
    int ret = task->plugin->start(task, PIW_SWAP, shell->supervision.trial.state, &second);
    bool good = (ret == 0 || ret == PIW_EAGAIN) && !task->failed;
    piw__soul_leave(shell, record, ret, good);
    end(shell, err.code, &err);
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
