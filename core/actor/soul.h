/* soul.h — inside the core: the soul that a shell has, and what its running handler works on.
 *
 * The shell's thread only. The soul comes and goes; what belongs to the shell survives it. */
#ifndef PIW__SOUL_H
#define PIW__SOUL_H

#include "actor/role.h"
#include "actor/transaction.h"
#include "base/histogram.h"

/* Where a task's services and messages go: resolved when a soul is made. */
typedef struct piw__route {
    const char *service;
    const piw_protocol *protocol;
    struct piw__service *to;
    unsigned turn; /* of the round robin among its instances */
} piw__route;

/* One soul: what plugin code knows as its task. A swap makes a new one beside the old. */
struct piw_task {
    piw__shell *shell;
    const piw__image *image;
    const piw_plugin *plugin;
    const piw__options *options; /* keys of its section, as they were when it was made */
    void *soul;
    uint64_t generation; /* unique in the shell */
    piw__route *routes;
    unsigned routes_count;
    bool ready;
    bool failed;
    char failure[PIW_ERR_TEXT];
    char note[PIW_LIMIT_NOTE + 1]; /* what the soul says it is at */
};

typedef enum {
    PIW__DOWN,     /* no soul yet, or back-off: messages are kept */
    PIW__ABSENT,   /* disabled: calls are answered with PIW_EABSENT, or wait */
    PIW__FAILED,   /* given up after too many failures: as absent */
    PIW__STARTING, /* start said PIW_EAGAIN: answers, timers, events come in, requests are kept */
    PIW__RUNNING,
    PIW__STOPPED, /* the master stops: requests are answered with PIW_ESTOPPED */
} piw__state;

typedef struct piw__soul {
    piw__state state;
    bool full;               /* the process of an isolated soul has as much as it may: the rest waits */
    unsigned away;           /* messages, calls and jobs that are with that process */
    const piw__image *image; /* of the soul, also while there is none */
    piw_task *task;          /* the soul that answers, timers and messages go to */
    uint64_t generation;
    const piw__options *options; /* for the next soul */
    void *kept;                  /* piw_keep: the souls' own */
    piw__times times;
    piw__times recent; /* the same since this soul came */
    int64_t timed_ns;  /* when the running handler began; 0: it is not timed */
    piw__txn txn;

    /* What the running handler works on. */
    piw_msg *current;
    bool current_gone; /* forwarded, or kept by its deferral: not to be freed */
    uint64_t trace;
    int64_t deadline_ns; /* of the request on whose behalf it runs; 0: none */
} piw__soul;

#endif
