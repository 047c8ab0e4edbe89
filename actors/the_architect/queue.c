/* queue.c — what the_architect knows of each ABI's queue. */
#include "queue.h"

#include "piw/err.h"

#include <stdlib.h>

void abi_queues_fini(abi_queues *queues)
{
    for (size_t i = 0; i < queues->count; i++)
        free(queues->at[i].tag);
    free(queues->at);
    *queues = (abi_queues){0};
}

void abi_queues_forget(abi_queues *queues)
{
    queues->others = true;
    for (size_t i = 0; i < queues->count; i++)
        queues->at[i].stale = true;
}

void abi_queues_begin(abi_queues *queues)
{
    for (size_t i = 0; i < queues->count; i++)
        queues->at[i].seen = false;
}

static abi_queue *find(abi_queues *queues, const char *tag)
{
    for (size_t i = 0; i < queues->count; i++)
        if (strcmp(queues->at[i].tag, tag) == 0)
            return &queues->at[i];
    queues->at = piw_realloc(queues->at, (queues->count + 1) * sizeof(*queues->at));
    queues->at[queues->count] = (abi_queue){.tag = piw_strdup(tag), .changes = -1, .gone = true};
    return &queues->at[queues->count++];
}

static void set(abi_queue *queue, int64_t pending, int64_t changes)
{
    queue->stale = queue->stale || queue->pending != pending || queue->changes != changes;
    queue->pending = pending;
    queue->changes = changes;
    queue->seen = true;
}

void abi_queues_state(abi_queues *queues, const char *tag, int64_t pending, int64_t changes)
{
    abi_queue *queue = find(queues, tag);
    set(queue, pending, changes);
    queues->others = queues->others || queue->gone;
    queue->gone = false;
}

void abi_queues_end(abi_queues *queues)
{
    for (size_t i = 0; i < queues->count; i++)
        if (!queues->at[i].seen) {
            set(&queues->at[i], 0, -1);
            queues->others = queues->others || !queues->at[i].gone;
            queues->at[i].gone = true;
        }
}

void abi_queues_want(abi_queues *queues, const char *tag, int64_t wanted, bool now)
{
    for (size_t i = 0; i < queues->count; i++)
        if (strcmp(queues->at[i].tag, tag) == 0) {
            queues->at[i].wanted = wanted;
            queues->at[i].stale = queues->at[i].stale || now;
        }
}

abi_queue *abi_queues_stale(abi_queues *queues)
{
    for (size_t i = 0; i < queues->count; i++)
        if (queues->at[i].stale)
            return &queues->at[i];
    return NULL;
}
