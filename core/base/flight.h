/* flight.h — inside the core: the flight recorder, the headers of the last messages of one shell.
 *
 * The shell's thread writes. Any thread, and the handler of SIGSEGV, may print: an entry that is being written may
 * then look mixed, which a look at a crash can bear. */
#ifndef PIW__RECORDER_H
#define PIW__RECORDER_H

#include "piw/limits.h"
#include "piw/type.h"

#include <stdatomic.h>

/* Each field is written by the shell's thread and read by printers, relaxed: nothing follows from the order. `what`
 * is a name of a type or continuation, interned, so that it outlives every image. */
typedef struct piw__flight_entry {
    _Atomic(const char *) what;
    _Atomic uint64_t trace;
    _Atomic int64_t at_ns; /* coarse monotonic clock */
    _Atomic int result;    /* of the handler; 1 while it runs */
} piw__flight_entry;

typedef struct piw__recorder {
    _Atomic uint32_t next;
    piw__flight_entry ring[PIW_LIMIT_RECORDER];
} piw__recorder;

static inline piw__flight_entry *piw__flight_begin(piw__recorder *recorder, const char *what, uint64_t trace,
                                                   int64_t at_ns)
{
    uint32_t n = atomic_load_explicit(&recorder->next, memory_order_relaxed);
    piw__flight_entry *entry = &recorder->ring[n % PIW_LIMIT_RECORDER];
    atomic_store_explicit(&entry->what, what, memory_order_relaxed);
    atomic_store_explicit(&entry->trace, trace, memory_order_relaxed);
    atomic_store_explicit(&entry->at_ns, at_ns, memory_order_relaxed);
    atomic_store_explicit(&entry->result, 1, memory_order_relaxed);
    atomic_store_explicit(&recorder->next, n + 1, memory_order_relaxed);
    return entry;
}

static inline void piw__flight_end(piw__flight_entry *entry, int result)
{
    if (__builtin_expect(result != 1, 1))
        atomic_store_explicit(&entry->result, result, memory_order_relaxed);
}

/* Oldest first, to a descriptor, with async-signal-safe calls only. At most `last` entries. */
void piw__recorder_print(const piw__recorder *recorder, const char *name, int fd, unsigned last);
/* The same lines, without their ends, given to `say`. */
void piw__recorder_each(const piw__recorder *recorder, const char *name, unsigned last,
                        void (*say)(void *to, const char *line), void *to);

#endif
