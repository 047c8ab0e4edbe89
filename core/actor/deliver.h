/* deliver.h — inside the core: what leaves a shell and what is put before it. On the shell's thread. */
#ifndef PIW__DELIVER_H
#define PIW__DELIVER_H

#include "actor/shell.h"

static inline uint64_t piw__trace_new(piw__shell *shell)
{
    return shell->number << 40 | ++shell->loop.next_trace;
}

/* Put `msg` in front of all that is to be handled. */
void piw__batch_push(piw__shell *shell, piw_msg *msg);
void piw__state_set(piw__shell *shell, piw__state state);
/* What was kept back is handled next, before what came later. */
void piw__release_held(piw__shell *shell);
/* Answer a request (of a shell or a port) with an error; the request stays the caller's. */
void piw__answer_error(piw__shell *shell, const piw_msg *request, int code, const char *text);
/* What can't be delivered: a request gets the error as its answer, anything else is a dead letter. Takes it. */
void piw__bounce(piw__shell *shell, piw_msg *msg, int code, const char *text);
/* Send what handlers that succeeded have left in the outbox. */
void piw__flush(piw__shell *shell);

#endif
