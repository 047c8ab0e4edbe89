/* run.c — start, save and stop of a soul, around which its shell does as around a handler. */
#include "actor/run.h"

#include "actor/deliver.h"
#include "actor/shell.h"

piw__flight_entry *piw__soul_enter(piw__shell *shell, const char *what)
{
    shell->soul.current = NULL;
    shell->soul.current_gone = false;
    return piw__run_begin(shell, what, piw__trace_new(shell), 0);
}

void piw__soul_leave(piw__shell *shell, piw__flight_entry *record, int result, bool commit)
{
    if (commit)
        piw__txn_commit(shell);
    else
        piw__txn_rollback(shell);
    if ((atomic_load_explicit(&shell->seen.watched, memory_order_relaxed) & PIW__RECORDED) != 0)
        piw__record_done(shell, commit ? 0 : result != 0 ? result : PIW_EREFUSED);
    atomic_store_explicit(&shell->seen.busy_in, NULL, memory_order_relaxed);
    piw__flight_end(record, result);
    shell->loop.coarse_ns = piw__coarse_ns();
}
