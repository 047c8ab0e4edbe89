/* shell.h — inside the core: the shell of an actor (docs/bus.md#actor): thread, mailbox, timers, watched descriptors,
 * ports, pending calls, deferred requests. The soul comes and goes; what belongs to the shell survives it.
 *
 * Fields are the shell's thread's own but where it is said otherwise. A shell lives as long as its runtime, so that
 * messages may point at it (piw_msg.from). */
#ifndef PIW__SHELL_H
#define PIW__SHELL_H

#include "actor/hub.h"
#include "actor/loop.h"
#include "actor/queues.h"
#include "actor/record.h"
#include "actor/seen.h"
#include "actor/soul.h"
#include "actor/supervision.h"
#include "actor/waits.h"

struct piw__shell {
    piw__mailbox mailbox; /* any thread, through its functions */

    /* Set before the thread starts. */
    piw__hub *hub;
    piw__role *role; /* NULL: a bare endpoint of piw_runtime_call */
    unsigned instance;
    uint64_t number; /* high bits of its trace ids */
    char name[64];   /* for the log: "greeter" or "greeter.2" */
    pthread_t thread;
    bool thread_runs; /* the runtime's */

    piw__supervision supervision;
    _Alignas(64) piw__seen seen;
    _Alignas(64) piw__soul soul;
    piw__loop loop;
    piw__waits waits;
    piw__queues queues;
    piw__record record;
};

/* Make and free; the thread is started and joined by the runtime. Without a role it is bare: a mailbox, and no more. */
int piw__shell_new(piw__hub *hub, piw__role *role, unsigned instance, piw__shell **made, piw_err *err);
void piw__shell_free(piw__shell **shell);
int piw__shell_run(piw__shell *shell, piw_err *err); /* starts the thread */

#endif
