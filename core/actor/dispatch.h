/* dispatch.h — inside the core: one handler at a time, and what follows from it. On the shell's thread. */
#ifndef PIW__DISPATCH_H
#define PIW__DISPATCH_H

#include "actor/shell.h"

/* Handle one message now, keep it for later or refuse it, as the shell's state demands. Takes it. */
void piw__accept(piw__shell *shell, piw_msg *msg);
/* Give one message to the soul; takes it. */
void piw__dispatch(piw__shell *shell, piw_msg *msg);
/* Run a continuation without a message: timers and descriptors. */
void piw__dispatch_bare(piw__shell *shell, const char *continuation, uint64_t key);
void piw__dispatch_idle(piw__shell *shell);
/* On hold; but a soul that isn't ready yet becomes so first. */
static inline bool piw__rests(const piw__shell *shell)
{
    return atomic_load_explicit(&shell->seen.on_hold, memory_order_relaxed) && shell->supervision.trial.op == NULL &&
           shell->supervision.start_op == NULL;
}

#endif
