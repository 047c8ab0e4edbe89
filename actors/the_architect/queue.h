/* queue.h — what the_architect knows of each ABI's queue: enough to tell which heads must be read again. One thread. */
#ifndef ARCHITECT_QUEUE_H
#define ARCHITECT_QUEUE_H

#include "piw/base.h"

typedef struct abi_queue {
    char *tag;
    int64_t wanted;           /* builds in its head; 0: as many as usual */
    int64_t pending, changes; /* as piw.queue_state gave them; changes -1: not yet read */
    bool stale;               /* its head must be read */
    bool seen;                /* in the state that is being taken in */
    bool gone;                /* the farm knows the ABI no more */
} abi_queue;

typedef struct abi_queues {
    abi_queue *at;
    size_t count;
    bool others; /* than the ABIs that the state before had */
} abi_queues;    /* zero-initialised is empty */

void abi_queues_fini(abi_queues *queues);
/* Every head is to be read again, and the ABIs are told again. */
void abi_queues_forget(abi_queues *queues);
/* Take in a new state: begin, one call for each ABI, end. An ABI that is missing in it stays, empty and stale. */
void abi_queues_begin(abi_queues *queues);
void abi_queues_state(abi_queues *queues, const char *tag, int64_t pending, int64_t changes);
void abi_queues_end(abi_queues *queues);
/* So many builds of an ABI are wanted in its head; `now`: it is to be read. */
void abi_queues_want(abi_queues *queues, const char *tag, int64_t wanted, bool now);
/* One whose head is to be read, or NULL. */
abi_queue *abi_queues_stale(abi_queues *queues);

#endif
