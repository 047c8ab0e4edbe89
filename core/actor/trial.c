/* trial.c — A successor that has started and isn't ready yet: it has taken over, but requests wait, and so do the answers,
 * events and timers that were the predecessor's. When it fails now, or takes too long, the old plugin takes over again with
 * what it had saved, and finds all of that as it was. */
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

void piw__trial_end(piw__shell *shell, int result, const piw_err *err)
{
    piw__op *op = shell->supervision.trial.op;
    piw_msg_free(&shell->supervision.trial.state);
    shell->supervision.trial = (piw__trial){0};
    piw__op_done(op, result, err);
    piw__op_unref(op);
}

void piw__swap_count(piw__shell *shell, int64_t began_ns)
{
    uint64_t pause = (uint64_t)(piw_monotonic_ns() - began_ns);
    atomic_store_explicit(&shell->seen.figures.pause_last_ns, pause, memory_order_relaxed);
    if (pause > atomic_load_explicit(&shell->seen.figures.pause_max_ns, memory_order_relaxed))
        atomic_store_explicit(&shell->seen.figures.pause_max_ns, pause, memory_order_relaxed);
    piw__figure(&shell->seen.figures.swaps, 1);
}

void piw__trial_good(piw__shell *shell)
{
    if (shell->supervision.trial.op == NULL)
        return;
    piw__timers_unpark(shell);
    piw__timers_prune(shell);
    piw__swap_count(shell, shell->supervision.trial.began_ns);
    piw__trial_end(shell, 0, NULL);
}

void piw__trial_cancel(piw__shell *shell)
{
    if (shell->supervision.trial.op == NULL)
        return;
    piw_err err = {0};
    piw_err_set(&err, PIW_ESTOPPED, "task %s was ended before its successor was ready", shell->name);
    piw__trial_end(shell, PIW_ESTOPPED, &err);
}

bool piw__trial_keeps(const piw__shell *shell, const piw_msg *msg)
{
    if (shell->supervision.trial.op == NULL)
        return false;
    const piw__call *call = piw__call_find(shell, msg->call_id);
    return call != NULL && call->generation < shell->supervision.trial.generation;
}
