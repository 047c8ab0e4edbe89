/* trace.h — inside the core: the messages of one task, printed, for whoever watches it (piw-ctl trace).
 *
 * A tracer belongs to a role and is shared by its instances: a ring of printed lines under a lock, numbered from 1. The
 * shells write while they are marked as traced; it falls by itself when nobody has asked for a while. */
#ifndef PIW__TRACE_H
#define PIW__TRACE_H

#include "type/message.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct piw__role piw__role;
typedef struct piw__shell piw__shell;

enum {
    PIW__TRACE_LINES = 8192,  /* kept for a watcher that asks five times a second: 40,000 a second */
    PIW__TRACE_LINE = 900,    /* bytes */
    PIW__TRACE_ANSWER = 1000, /* lines at once: they fit into one answer of the admin queue */
    PIW__TRACE_MATCH = 208,
    PIW__TRACE_KEEP_MS = 10000, /* a watcher that has gone is noticed after so long */
};

typedef struct piw__tracer {
    pthread_mutex_t lock;
    int64_t until_ns; /* nobody has asked since: it ends */
    uint64_t next;    /* number of the next line */
    bool on;
    char match[PIW__TRACE_MATCH]; /* what all watchers ask for, else empty: all is kept */
    char *lines[PIW__TRACE_LINES];
} piw__tracer;

/* --- On the shell's thread, while it is traced -------------------------------------------------------------------- */

void piw__trace_in(piw__shell *shell, const piw_msg *msg);
/* What the handler that ends well is about to send; before its commit. */
void piw__trace_out(piw__shell *shell);

/* --- Whoever watches; under runtime->admin ------------------------------------------------------------------------ */

/* Begin, or go on for another while. `match` is a shell pattern for any part of a line, "" for all. */
void piw__trace_on(piw__role *role, const char *match);
void piw__trace_off(piw__role *role);
/* The lines from number `after` on that match, as many as an answer holds, each given to `say`; 0: none, only the next
 * number. Returns the number to go on with; *lost is how many are no longer there. */
uint64_t piw__trace_read(piw__role *role, uint64_t after, const char *match, void (*say)(void *to, const char *line),
                         void *to, uint64_t *lost);
void piw__tracer_free(piw__tracer *tracer);

#endif
