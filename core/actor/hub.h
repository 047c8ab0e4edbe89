/* hub.h — inside the core: what the shells of one runtime share: who serves which name, the worker pool, settings, where outer
 * queues are bound, and the wish to end. Owned by the runtime (or the process of an isolated soul), which outlives its shells. */
#ifndef PIW__HUB_H
#define PIW__HUB_H

#include "actor/registry.h"
#include "actor/work.h"

typedef struct piw__hub {
    /* Set before any shell's thread starts. */
    piw__registry registry; /* with a lock of its own */
    piw__workers *workers;
    char **queue_names, **queue_addresses;
    char **queue_curve_addresses; /* the encrypted ones, "": none; NULL: there are none at all */
    size_t queues_count;
    const char *(*setting)(void *arg, const char *name); /* NULL: there are none. Any thread */
    void *arg;

    /* The end. `quit_fd` is an eventfd that becomes readable; the rest is under the lock, the first wish wins. */
    int quit_fd;
    pthread_mutex_t quit_lock;
    bool quit;
    int quit_code;
    char quit_reason[PIW_ERR_TEXT];
} piw__hub;

int piw__hub_init(piw__hub *hub, piw_err *err);
void piw__hub_fini(piw__hub *hub);
/* Ask for an orderly end: code 0, or an error with its reason. Any thread. */
void piw__hub_quit(piw__hub *hub, int code, const char *reason);
/* Make quit_fd readable, and nothing else: a signal handler may do that. */
void piw__hub_wake(piw__hub *hub);

#endif
