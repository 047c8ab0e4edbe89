/* queues.h — inside the core: the ports of a shell: outer queues that its task serves.
 *
 * The shell's thread only, but for the endpoints. */
#ifndef PIW__QUEUES_H
#define PIW__QUEUES_H

#include "actor/role.h"
#include "bus/mailbox.h"
#include "port/port.h"

typedef struct piw__queues {
    piw__port **ports;
    char **endpoints; /* where they are bound; written before the first soul starts, then read by any thread */
    const piw_protocol **protocols;
    unsigned count;
    bool quiet;          /* the master stops: no more requests from outside */
    bool rest;           /* the soul wants no more of them now */
    bool dirty;          /* something was sent: the wake-up may have been swallowed */
    unsigned last_pulls; /* quiet: messages that may still be taken from PULL queues, whose senders think them taken */
    piw__mailbox **muted_by;
    unsigned muted_count;
} piw__queues;

/* Bind the queues of the image, if that hasn't been done. */
int piw__ports_open(piw__shell *shell, const piw__image *image, piw_err *err);
void piw__ports_close(piw__shell *shell);
/* May requests from outside be taken in now? */
bool piw__ports_wanted(piw__shell *shell);
/* The master stops: no more requests; of PULL queues what has come already is still read, before the shell stops. */
void piw__ports_quiet(piw__shell *shell);
/* Do these two images serve the same queues? */
bool piw__ports_same(const piw__image *a, const piw__image *b);

#endif
