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
/* Answer a request (of a shell or a port) with an error; the request stays the caller's. */
void piw__answer_error(piw__shell *shell, const piw_msg *request, int code, const char *text);
/* What can't be delivered: a request gets the error as its answer, anything else is a dead letter. Takes it. */
void piw__bounce(piw__shell *shell, piw_msg *msg, int code, const char *text);
/* A function of the soul that is no handler (start, save, stop): what it does is collected until the end, then takes
 * effect or is undone. */
piw__record *piw__soul_enter(piw__shell *shell, const char *what);
void piw__soul_leave(piw__shell *shell, piw__record *record, int result, bool commit);
/* Put `msg` in front of all that is to be handled. */
void piw__batch_push(piw__shell *shell, piw_msg *msg);
/* Send what handlers that succeeded have left in the outbox. */
void piw__flush(piw__shell *shell);
/* Is the shell on hold? A soul that isn't ready yet becomes ready first. */
static inline bool piw__rests(const piw__shell *shell)
{
    return atomic_load_explicit(&shell->seen.on_hold, memory_order_relaxed) && shell->supervision.trial.op == NULL &&
           shell->supervision.start_op == NULL;
}
void piw__state_set(piw__shell *shell, piw__state state);
uint64_t piw__trace_new(piw__shell *shell);
/* What was kept back is handled next, before what came later. */
void piw__release_held(piw__shell *shell);

#endif
