/* run.h — inside the core: around each function of the soul that is called. What it does is collected until its end, then takes
 * effect or is undone (transaction.h). On the shell's thread. */
#ifndef PIW__RUN_H
#define PIW__RUN_H

#include "actor/shell.h"
#include "base/clock.h"

/* A handler or continuation begins; dispatch.c ends it. */
static inline piw__flight_entry *piw__run_begin(piw__shell *shell, const char *what, uint64_t trace,
                                                int64_t deadline_ns)
{
    shell->soul.trace = trace;
    shell->soul.deadline_ns = deadline_ns;
    atomic_store_explicit(&shell->seen.busy_in, what, memory_order_relaxed);
    piw__figure(&shell->seen.busy_number, 1);
    shell->soul.timed_ns = piw__times_due(&shell->soul.times, shell->loop.coarse_ns) ? piw_monotonic_ns() : 0;
    piw__txn_begin(&shell->soul.txn);
    return piw__flight_begin(&shell->seen.recorder, what, trace, shell->loop.coarse_ns);
}

/* A function of the soul that is no handler (start, save, stop). */
piw__flight_entry *piw__soul_enter(piw__shell *shell, const char *what);
void piw__soul_leave(piw__shell *shell, piw__flight_entry *record, int result, bool commit);

#endif
