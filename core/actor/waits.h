/* waits.h — inside the core: what a shell waits for: answers to its calls, timers, descriptors; and requests that wait for it.
 *
 * The shell's thread only (calls.c, timer.c, watch.c, defer.c). */
#ifndef PIW__WAITS_H
#define PIW__WAITS_H

#include "actor/role.h"
#include "base/table.h"
#include "port/port.h"
#include "type/message.h"

/* A call that waits for its answer, or work for its result. */
typedef struct piw__call {
    piw__node node;           /* key: the call's id */
    piw__due due;             /* its deadline */
    const char *continuation; /* interned */
    uint64_t key;
    uint64_t generation; /* of the soul that made it, moved on by a swap */
    uint64_t trace;
    int64_t inherited_ns;     /* deadline of the request on whose behalf it was made; 0: none */
    const piw_msg_type *type; /* of what was asked */
    bool work;
} piw__call;

typedef struct piw__timer {
    piw__node node; /* key: mixed from name and key */
    piw__due due;
    const char *continuation; /* interned */
    uint64_t key;
    int64_t period_ns;   /* 0: once */
    uint64_t generation; /* of the soul that set it last */
} piw__timer;

typedef struct piw__watch {
    piw__node node; /* key: serial, the epoll data */
    int fd;
    const char *continuation;
    uint64_t key;
    uint64_t generation;
} piw__watch;

/* A request that was kept open: where its answer goes. */
typedef struct piw__deferred {
    piw__node node; /* key: the token */
    const piw_msg_type *type;
    piw__shell *from;
    uint64_t call_id;
    piw__port *port;
    piw_peer peer;
    uint64_t trace;
    piw_msg *kept; /* the message itself, when the queue gives it once more after an error */
} piw__deferred;

typedef struct piw__waits {
    piw__table calls, timers, deferred, watches;
    piw__heap call_heap, timer_heap;
    piw__call *free_calls;
    uint64_t next_call, next_watch, next_token;
} piw__waits;

piw__call *piw__call_new(piw__shell *shell, const piw_task *task, const char *continuation, uint64_t key);
void piw__call_end(piw__shell *shell, piw__call *call); /* out of all tables, recycled */
piw__call *piw__call_find(const piw__shell *shell, uint64_t id);
void piw__calls_drop(piw__shell *shell);                     /* the soul that made them has gone */
void piw__calls_end(piw__shell *shell, uint64_t generation); /* of one soul */
void piw__calls_fini(piw__shell *shell);

void piw__timers_clear(piw__shell *shell);
/* After a swap: those whose continuation the new soul hasn't got end. */
void piw__timers_prune(piw__shell *shell);
piw__timer *piw__timer_find(const piw__shell *shell, const char *continuation, uint64_t key);
void piw__timer_put(piw__shell *shell, const char *continuation, uint64_t key, int64_t at_ns, int64_t period_ns);
void piw__timer_end(piw__shell *shell, piw__timer *timer);
/* Timers that a soul before `generation` has set rest, or go on; those of that soul end. */
void piw__timers_park(piw__shell *shell, uint64_t generation);
void piw__timers_unpark(piw__shell *shell);
void piw__timers_end(piw__shell *shell, uint64_t generation);

/* All deferred requests get the error (or are given once more, where the queue says so). */
void piw__deferred_fail(piw__shell *shell, int code, const char *text);
/* The request without its body, as what an answer needs. */
piw_msg piw__deferred_request(const piw__deferred *deferred);
/* Those whose type lets others go first wait for what may come, not for what is under way: nothing more comes, so they get
 * the error at once. */
void piw__deferred_later(piw__shell *shell);
void piw__deferred_free(piw__deferred *deferred);

enum { PIW__POLL_WAKE = 0, PIW__POLL_PORT = 1, PIW__POLL_WATCH = 1 << 16 };
void piw__watches_clear(piw__shell *shell, uint64_t generation); /* of one soul; 0: all */

#endif
