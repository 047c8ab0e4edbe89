/* build_queue.h — what the_architect knows of each ABI's build queue: enough to tell which heads must be read again.
 * One thread. */
#ifndef ARCHITECT_QUEUE_H
#define ARCHITECT_QUEUE_H

#include "piw/base.h"

typedef struct build_queue {
    char *tag;
    int64_t wanted;           /* builds in its head; 0: as many as usual */
    int64_t pending, changes; /* as piw.queue_state gave them; changes -1: not yet read */
    bool stale;               /* its head must be read */
    bool seen;                /* in the state that is being taken in */
    bool gone;                /* the farm knows the ABI no more */
} build_queue;

typedef struct build_queues {
    build_queue *at;
    size_t count;
    bool others; /* than the ABIs that the state before had */
} build_queues;  /* zero-initialised is empty */

void build_queues_fini(build_queues *queues);
/* Every head is to be read again, and the ABIs are told again. */
void build_queues_forget(build_queues *queues);
/* Take in a new state: begin, one call for each ABI, end. An ABI that is missing in it stays, empty and stale. */
void build_queues_begin(build_queues *queues);
void build_queues_state(build_queues *queues, const char *tag, int64_t pending, int64_t changes);
void build_queues_end(build_queues *queues);
/* So many builds of an ABI are wanted in its head; `now`: it is to be read. */
void build_queues_want(build_queues *queues, const char *tag, int64_t wanted, bool now);
/* One whose head is to be read, or NULL. */
build_queue *build_queues_stale(build_queues *queues);

#endif
