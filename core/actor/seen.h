/* seen.h — inside the core: what other threads may look at while a shell works.
 *
 * The monitor, piw-ctl and tests read; each field says who writes. Relaxed on all sides: nothing is ordered by them. */
#ifndef PIW__SEEN_H
#define PIW__SEEN_H

#include "base/flight.h"
#include "piw/err.h"
#include "piw/limits.h"

#include <stdatomic.h>

/* Written by the shell's thread, read by any: figures only, nothing is ordered by them (relaxed on both sides). */
typedef struct piw__figures {
    _Atomic uint64_t handled, errors, slow, restarts, swaps, dead_letters, unanswered, dropped, late;
    _Atomic uint64_t calls_open, deferred, pause_last_ns, pause_max_ns;
    _Atomic uint64_t refused;     /* what came to its queues and was no message */
    _Atomic uint64_t left_behind; /* values that another version of the plugin had kept and this one doesn't know */
    _Atomic int state;
} piw__figures;

/* One word, so that a task that nobody watches pays for one look. */
enum { PIW__TRACED = 1u << 0, PIW__RECORDED = 1u << 1 };

typedef struct piw__seen {
    /* Name of the handler that runs (NULL: none) and a number that changes with each: the monitor compares two looks a long
     * time apart. */
    _Atomic(const char *) busy_in;
    _Atomic uint64_t busy_number;
    /* Written by the monitor only: the numbers of the last handler that ran for long, and of the last one that was stuck. Neither
     * says that it still runs: piw__seen_long_ns, piw__seen_stuck. */
    _Atomic uint64_t long_number, stuck_number;
    _Atomic int64_t long_since_ns; /* since when that one runs for long */
    _Atomic bool blocks;           /* the soul's handlers may block */
    _Atomic(const char *) version; /* of the soul; in its image, which is never unmapped */
    _Atomic int64_t since_ns;      /* when the soul began; 0: there is none */
    _Atomic uint64_t rate_milli;   /* messages in 1,000 seconds; written by the monitor only */
    _Atomic int pid;               /* process of its isolated soul; 0: none. Written by the shell's thread */
    _Atomic bool on_hold;          /* handles nothing until it is released; written by the shell's thread */
    /* PIW__TRACED: its messages are printed for `piw-ctl trace`. Set (release, after role->tracer) by who traces, also cleared
     * by the shell's thread when nobody asks any more. PIW__RECORDED: record.c; set and cleared by the shell's thread. */
    _Atomic unsigned watched;
    char failure[PIW_ERR_TEXT];    /* why the soul failed last; under the shell's ops_lock */
    char note[PIW_LIMIT_NOTE + 1]; /* the soul's note; likewise */
    _Atomic unsigned notes;        /* how often it has changed; written by the shell's thread */
    piw__figures figures;
    piw__recorder recorder;
} piw__seen;

/* Does the handler of that number still run? So that nobody who looks between two of the monitor's looks is told of one that
 * has ended. */
static inline bool piw__seen_runs(const piw__seen *seen, uint64_t number)
{
    return number != 0 && atomic_load_explicit(&seen->busy_in, memory_order_relaxed) != NULL &&
           atomic_load_explicit(&seen->busy_number, memory_order_relaxed) == number;
}

static inline bool piw__seen_stuck(const piw__seen *seen)
{
    return piw__seen_runs(seen, atomic_load_explicit(&seen->stuck_number, memory_order_relaxed));
}

/* Since when its handler runs for long; 0: it doesn't. */
static inline int64_t piw__seen_long_ns(const piw__seen *seen)
{
    return piw__seen_runs(seen, atomic_load_explicit(&seen->long_number, memory_order_relaxed))
               ? atomic_load_explicit(&seen->long_since_ns, memory_order_relaxed)
               : 0;
}

static inline void piw__figure(_Atomic uint64_t *figure, uint64_t add)
{
    /* One writer, the shell's thread. */
    atomic_store_explicit(figure, atomic_load_explicit(figure, memory_order_relaxed) + add, memory_order_relaxed);
}

#endif
