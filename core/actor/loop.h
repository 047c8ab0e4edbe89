/* loop.h — inside the core: the turns of a shell's thread: what it has taken in, what is to leave, what it knows of the time.
 *
 * The shell's thread only. */
#ifndef PIW__LOOP_H
#define PIW__LOOP_H

#include "bus/outbox.h"

typedef struct piw__msg_list {
    piw_msg *first, *last;
    uint32_t count;
} piw__msg_list;

typedef struct piw__loop {
    piw_msg *batch; /* taken from the mailbox, not yet handled */
    piw__msg_list kept;
    piw__outbox outbox;
    unsigned since_flush;
    unsigned clock_rest;           /* handlers until the clock is read again */
    bool lingers;                  /* has worked since it slept: looks a moment before it sleeps again */
    int64_t coarse_ns, flushed_ns; /* the coarse clock: last look, last flush */
    uint64_t idle_mark;            /* messages handled when idle was called last */
    uint64_t next_trace;
    int epoll_fd;
    bool leave; /* the thread ends */
} piw__loop;

#endif
