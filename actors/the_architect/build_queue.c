/* build_queue.c — what the_architect knows of each ABI's build queue. */
#include "build_queue.h"

#include "piw/err.h"

#include <stdlib.h>

void build_queues_fini(build_queues *queues)
{
    for (size_t i = 0; i < queues->count; i++)
        free(queues->at[i].tag);
    free(queues->at);
    *queues = (build_queues){0};
}

void build_queues_forget(build_queues *queues)
{
    queues->others = true;
    for (size_t i = 0; i < queues->count; i++)
        queues->at[i].stale = true;
}

void build_queues_begin(build_queues *queues)
{
    for (size_t i = 0; i < queues->count; i++)
        queues->at[i].seen = false;
}

static build_queue *find(build_queues *queues, const char *tag)
{
    for (size_t i = 0; i < queues->count; i++)
        if (strcmp(queues->at[i].tag, tag) == 0)
            return &queues->at[i];
    queues->at = piw_realloc(queues->at, (queues->count + 1) * sizeof(*queues->at));
    queues->at[queues->count] = (build_queue){.tag = piw_strdup(tag), .changes = -1, .gone = true};
    return &queues->at[queues->count++];
}

static void set(build_queue *queue, int64_t pending, int64_t changes)
{
    queue->stale = queue->stale || queue->pending != pending || queue->changes != changes;
    queue->pending = pending;
    queue->changes = changes;
    queue->seen = true;
}

void build_queues_state(build_queues *queues, const char *tag, int64_t pending, int64_t changes)
{
    build_queue *queue = find(queues, tag);
    set(queue, pending, changes);
    queues->others = queues->others || queue->gone;
    queue->gone = false;
}

void build_queues_end(build_queues *queues)
{
    for (size_t i = 0; i < queues->count; i++)
        if (!queues->at[i].seen) {
            set(&queues->at[i], 0, -1);
            queues->others = queues->others || !queues->at[i].gone;
            queues->at[i].gone = true;
        }
}

void build_queues_want(build_queues *queues, const char *tag, int64_t wanted, bool now)
{
    for (size_t i = 0; i < queues->count; i++)
        if (strcmp(queues->at[i].tag, tag) == 0) {
            queues->at[i].wanted = wanted;
            queues->at[i].stale = queues->at[i].stale || now;
        }
}

build_queue *build_queues_stale(build_queues *queues)
{
    for (size_t i = 0; i < queues->count; i++)
        if (queues->at[i].stale)
            return &queues->at[i];
    return NULL;
}
