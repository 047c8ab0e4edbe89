/* shell.h — inside the core: the shell of an actor (DESIGN §2): thread, mailbox, timers, watched descriptors, ports,
 * pending calls, deferred requests. The soul comes and goes; what belongs to the shell survives it.
 *
 * Fields are the shell's thread's own but where it is said otherwise. A shell lives as long as its runtime, so that
 * messages may point at it (piw_msg.from). */
#ifndef PIW__SHELL_H
#define PIW__SHELL_H

#include "actor/hub.h"
#include "actor/role.h"
#include "bus/mailbox.h"
#include "bus/outbox.h"
#include "plugin/image.h"
#include "port/port.h"
#include "base/clock.h"
#include "base/flight.h"
#include "base/table.h"
#include "base/histogram.h"
#include "actor/transaction.h"

#include <stdatomic.h>

typedef struct piw__op piw__op;

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

/* A swap to a soul that has started and isn't ready yet (trial.c). */
typedef struct piw__trial {
    piw__op *op;             /* a reference; NULL: there is none */
    const piw__image *image; /* of the predecessor, */
    const piw__options *options;
    piw_msg *state;      /* and what it saved; NULL: nothing */
    uint64_t generation; /* of the new soul: answers and timers of earlier ones wait */
    int64_t began_ns, until_ns;
} piw__trial;

typedef struct piw__msg_list {
    piw_msg *first, *last;
    uint32_t count;
} piw__msg_list;

/* Written by the shell's thread, read by any: figures only, nothing is ordered by them (relaxed on both sides). */
typedef struct piw__figures {
    _Atomic uint64_t handled, errors, slow, restarts, swaps, dead_letters, unanswered, dropped, late;
    _Atomic uint64_t calls_open, deferred, pause_last_ns, pause_max_ns;
    _Atomic uint64_t left_behind; /* values that another version of the plugin had kept and this one doesn't know */
    _Atomic int state;
} piw__figures;

struct piw__shell {
    piw__mailbox mailbox; /* any thread, through its functions */

    /* Set before the thread starts. */
    piw__hub *hub;
    piw__role *role; /* NULL: a bare endpoint of piw_runtime_call */
    unsigned instance;
    uint64_t number; /* high bits of its trace ids */
    char name[64];   /* for the log: "the_scribe" or "the_oracle.2" */
    pthread_t thread;
    bool thread_runs; /* the runtime's */

    /* Orders from the runtime: any thread, under the lock. `ops_waiting` is set (release) after an order was put in the
     * list and read (acquire) at each message boundary; the lock orders the list itself. */
    pthread_mutex_t ops_lock;
    piw__op *ops;
    _Atomic bool ops_waiting;

    /* For the monitor thread: name of the handler that runs (NULL: none) and a number that changes with each.
     * Relaxed: the monitor compares two looks a long time apart. */
    _Alignas(64) _Atomic(const char *) busy_in;
    _Atomic uint64_t busy_number;
    _Atomic bool stuck;            /* written by the monitor only */
    _Atomic int64_t long_since_ns; /* its handler runs for long, since then; 0: it doesn't; the monitor's too */
    _Atomic bool blocks;           /* the soul's handlers may block */
    _Atomic(const char *) version; /* of the soul; in its image, which is never unmapped */
    _Atomic int64_t since_ns;      /* when the soul began; 0: there is none */
    _Atomic uint64_t rate_milli;   /* messages in 1,000 seconds; written by the monitor only */
    _Atomic int pid;               /* process of its isolated soul; 0: none. Written by the shell's thread */
    _Atomic bool on_hold;          /* handles nothing until it is released; written by the shell's thread */
    /* Its messages are printed for `piw-ctl trace`. Set (release, after role->tracer) by who traces, also cleared by the
     * shell's thread when nobody asks any more. */
    _Atomic bool tracing;
    char failure[PIW_ERR_TEXT];    /* why the soul failed last; under ops_lock */
    char note[PIW_LIMIT_NOTE + 1]; /* the soul's note; under ops_lock */
    _Atomic unsigned notes;        /* how often it has changed; written by the shell's thread */
    piw__figures figures;
    piw__recorder recorder;

    _Alignas(64) piw__state state;
    bool full;               /* the process of an isolated soul has as much as it may: the rest waits */
    unsigned away;           /* messages, calls and jobs that are with that process */
    const piw__image *image; /* of the soul, also while there is none */
    piw_task *task;          /* the soul that answers, timers and messages go to */
    uint64_t generation;
    const piw__options *options; /* for the next soul */
    piw__times times;
    int64_t timed_ns; /* when the running handler began; 0: it is not timed */
    piw_msg *batch;   /* taken from the mailbox, not yet handled */
    piw__msg_list held;
    piw__outbox outbox;
    piw__txn txn;
    unsigned since_flush;
    unsigned clock_rest;           /* handlers until the clock is read again */
    bool lingers;                  /* has worked since it slept: looks a moment before it sleeps again */
    int64_t coarse_ns, flushed_ns; /* the coarse clock: last look, last flush */

    /* What the running handler works on. */
    piw_msg *current;
    bool current_gone; /* forwarded, or kept by its deferral: not to be freed */
    uint64_t trace;
    int64_t deadline_ns; /* of the request on whose behalf it runs; 0: none */
    uint64_t next_trace, next_call, next_watch, next_token;

    piw__table calls, timers, deferred, watches;
    piw__heap call_heap, timer_heap;
    piw__call *free_calls;

    int epoll_fd;
    piw__port **ports;
    char **endpoints; /* where they are bound; written before the first soul starts, then read by any thread */
    const piw_protocol **port_protocols;
    unsigned ports_count;
    bool ports_quiet;    /* the master stops: no more requests from outside */
    bool ports_rest;     /* the soul wants no more of them now */
    unsigned last_pulls; /* quiet: messages that may still be taken from PULL queues, whose senders think them taken */
    uint64_t idle_mark;  /* messages handled when idle was called last */
    bool ports_dirty;    /* something was sent: the wake-up may have been swallowed */
    piw__mailbox **muted_by;
    unsigned muted_count;

    /* Supervision. */
    int64_t error_window_ns;
    unsigned error_count;
    piw_log_limiter log_errors, log_dead, log_unanswered, log_left;
    int64_t failures_ns[16]; /* the last ones, a ring */
    unsigned failures_next;
    int64_t restart_at_ns;       /* 0: no back-off under way */
    piw__op *start_op, *stop_op; /* completed when ready; when drained */
    int64_t start_until_ns;      /* the order to start anew waits no longer; 0: as long as it takes */
    piw__trial trial;
    piw__op *fresh_op; /* likewise: another image begins cold when this one is worked off */
    int64_t drain_until_ns;
    bool leave; /* the thread ends */
};

/* Make and free; the thread is started and joined by the runtime. */
int piw__shell_init(piw__shell *shell, piw__hub *hub, piw__role *role, unsigned instance, piw_err *err);
void piw__shell_fini(piw__shell *shell);
int piw__shell_run(piw__shell *shell, piw_err *err); /* starts the thread */

/* --- dispatch.c: one handler at a time, and what follows from it. On the shell's thread -------------------------- */

/* Handle one message as the shell's state wants it: now, later, or never. Takes it. */
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
static inline void piw__figure(_Atomic uint64_t *figure, uint64_t add)
{
    /* One writer, the shell's thread. */
    atomic_store_explicit(figure, atomic_load_explicit(figure, memory_order_relaxed) + add, memory_order_relaxed);
}
/* On hold; but a soul that isn't ready yet becomes so first. */
static inline bool piw__rests(const piw__shell *shell)
{
    return atomic_load_explicit(&shell->on_hold, memory_order_relaxed) && shell->trial.op == NULL &&
           shell->start_op == NULL;
}
void piw__state_set(piw__shell *shell, piw__state state);
uint64_t piw__trace_new(piw__shell *shell);
/* What was kept back is handled next, before what came later. */
void piw__release_held(piw__shell *shell);

/* --- calls.c, timer.c, defer.c ----------------------------------------------------------------------------------- */

piw__call *piw__call_new(piw__shell *shell, const piw_task *task, const char *continuation, uint64_t key);
void piw__call_end(piw__shell *shell, piw__call *call); /* out of all tables, recycled */
piw__call *piw__call_find(const piw__shell *shell, uint64_t id);
/* Deadlines that have passed: their continuations get the error. */
void piw__calls_expire(piw__shell *shell, int64_t now_ns);
void piw__calls_drop(piw__shell *shell);                     /* the soul that made them has gone */
void piw__calls_end(piw__shell *shell, uint64_t generation); /* of one soul */
void piw__calls_fini(piw__shell *shell);

void piw__timers_fire(piw__shell *shell, int64_t now_ns);
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
void piw__deferred_answer(piw__shell *shell, piw__deferred *deferred, piw_msg *answer); /* takes both */
void piw__deferred_free(piw__deferred *deferred);

/* --- watch.c ----------------------------------------------------------------------------------------------------- */

enum { PIW__POLL_WAKE = 0, PIW__POLL_PORT = 1, PIW__POLL_WATCH = 1 << 16 };
void piw__watches_clear(piw__shell *shell, uint64_t generation); /* of one soul; 0: all */
void piw__watch_fire(piw__shell *shell, uint64_t serial);

/* --- queues.c ----------------------------------------------------------------------------------------------------- */

/* Bind the queues of the image, if that hasn't been done. */
int piw__ports_open(piw__shell *shell, const piw__image *image, piw_err *err);
void piw__ports_close(piw__shell *shell);
/* May requests from outside be taken in now? */
bool piw__ports_wanted(piw__shell *shell);
/* The master stops: no more requests; of PULL queues what has come already is still read, before the shell stops. */
void piw__ports_quiet(piw__shell *shell);
/* Read each port until it has no more or its budget is used; how many messages came. */
unsigned piw__ports_read(piw__shell *shell);
/* Do these two images serve the same queues? */
bool piw__ports_same(const piw__image *a, const piw__image *b);

/* --- supervise.c, swap.c: souls come and go ---------------------------------------------------------------------- */

piw_task *piw__task_new(piw__shell *shell, const piw__image *image);
void piw__task_free(piw_task **task);
/* Start a soul where there is none. 0: ready or about to be; else err says why and the shell has no soul. */
int piw__soul_start(piw__shell *shell, const piw__image *image, piw_why why, piw_err *err);
/* End the soul, if there is one, with all that was its own: calls, timers, watches, deferred requests. */
void piw__soul_end(piw__shell *shell, bool leaving, int code, const char *text);
/* The soul has failed: end it; restart later or give up. */
void piw__soul_failed(piw__shell *shell, const char *why);
/* After a handler: has the soul said that it can't go on, or erred too often, or become ready? */
void piw__soul_check(piw__shell *shell, int result);
/* piw_ready was called, or start returned 0. */
void piw__soul_ready(piw__shell *shell);
/* The soul has gone: what was its own ends, its deferred requests get the error. */
void piw__soul_gone(piw__shell *shell, int code, const char *text);
/* Its note is what others see of the shell; none when there is no soul. */
void piw__note_show(piw__shell *shell);
/* It is the shell's now. */
void piw__soul_is(piw__shell *shell, piw_task *task);
/* The order, a reference to which is taken, is done when the soul is ready; or it has waited long enough for that. */
void piw__start_wait(piw__shell *shell, piw__op *op);
void piw__start_late(piw__shell *shell);
/* Back-off over? */
void piw__soul_retry(piw__shell *shell, int64_t now_ns);
/* Carry out the orders that wait. */
void piw__ops_run(piw__shell *shell);
/* A change that waits until all is worked off: is it, or is the time for that over? */
void piw__fresh_check(piw__shell *shell, int64_t now_ns);
/* Stopping: is everything worked off? Then stop. */
void piw__stop_check(piw__shell *shell, int64_t now_ns);
/* Swap the soul for one of another image (swap.c). 1: the order is kept until that one is ready. */
int piw__swap(piw__shell *shell, piw__op *op);
void piw__swap_count(piw__shell *shell, int64_t began_ns);
/* So many values of a message that another version of the plugin had made are not known to this one: counted and said. */
void piw__left_behind(piw__shell *shell, const piw__image *image, const piw_msg_type *type, uint64_t left);

/* --- trial.c: a successor that isn't ready yet -------------------------------------------------------------------- */

/* Takes the state and a reference to the order. */
void piw__trial_begin(piw__shell *shell, piw__op *op, const piw__image *image, const piw__options *options,
                      piw_msg **state, int64_t began_ns);
/* The successor is ready. */
void piw__trial_good(piw__shell *shell);
/* It failed, or it took too long: the old plugin takes over again, with what was saved for its successor. */
void piw__trial_back(piw__shell *shell, const char *why);
/* Neither goes on. */
void piw__trial_cancel(piw__shell *shell);
/* Was this answer awaited by the predecessor? Then it waits until it is known who gets it. */
bool piw__trial_keeps(const piw__shell *shell, const piw_msg *msg);

#endif
