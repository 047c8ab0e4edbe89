/* table.c — hash table with chains, and binary heap with back references. */
#include "base/table.h"

#include "piw/err.h"

#include <stdlib.h>

enum { BUCKETS_MIN = 16, HEAP_MIN = 16 };

static inline uint32_t bucket_of(const piw__table *table, uint64_t key)
{
    return (uint32_t)(key ^ (key >> 29)) & (table->buckets_count - 1);
}

static void grow(piw__table *table)
{
    uint32_t old_count = table->buckets_count;
    piw__node **old = table->buckets;
    table->buckets_count = old_count > 0 ? old_count * 2 : BUCKETS_MIN;
    table->buckets = piw_zalloc(table->buckets_count * sizeof(*table->buckets));
    for (uint32_t i = 0; i < old_count; i++) {
        for (piw__node *node = old[i]; node != NULL;) {
            piw__node *next = node->next;
            piw__node **bucket = &table->buckets[bucket_of(table, node->key)];
            node->next = *bucket;
            *bucket = node;
            node = next;
        }
    }
    free(old);
}

void piw__table_put(piw__table *table, piw__node *node, uint64_t key)
{
    if (table->count >= table->buckets_count)
        grow(table);
    piw__node **bucket = &table->buckets[bucket_of(table, key)];
    node->key = key;
    node->next = *bucket;
    *bucket = node;
    table->count++;
}

piw__node *piw__table_find(const piw__table *table, uint64_t key)
{
    if (table->count == 0)
        return NULL;
    piw__node *node = table->buckets[bucket_of(table, key)];
    while (node != NULL && node->key != key)
        node = node->next;
    return node;
}

piw__node *piw__table_more(const piw__node *node)
{
    piw__node *other = node->next;
    while (other != NULL && other->key != node->key)
        other = other->next;
    return other;
}

void piw__table_remove(piw__table *table, piw__node *node)
{
    piw__node **link = &table->buckets[bucket_of(table, node->key)];
    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    node->next = NULL;
    table->count--;
}

piw__node *piw__table_pop(piw__table *table)
{
    uint32_t bucket = 0;
    piw__node *node = piw__table_next(table, &bucket, NULL);
    if (node != NULL)
        piw__table_remove(table, node);
    return node;
}

piw__node *piw__table_next(const piw__table *table, uint32_t *bucket, piw__node *node)
{
    if (node != NULL && node->next != NULL)
        return node->next;
    if (node != NULL)
        (*bucket)++;
    for (; *bucket < table->buckets_count; (*bucket)++)
        if (table->buckets[*bucket] != NULL)
            return table->buckets[*bucket];
    return NULL;
}

void piw__table_fini(piw__table *table)
{
    free(table->buckets);
    *table = (piw__table){0};
}

static void place(piw__heap *heap, uint32_t where, piw__due *due)
{
    heap->at[where] = due;
    due->where = where;
}

static void sift(piw__heap *heap, uint32_t where, piw__due *due)
{
    while (where > 1 && heap->at[where / 2]->at_ns > due->at_ns) {
        place(heap, where, heap->at[where / 2]);
        where /= 2;
    }
    for (;;) {
        uint32_t child = where * 2;
        if (child > heap->count)
            break;
        if (child < heap->count && heap->at[child + 1]->at_ns < heap->at[child]->at_ns)
            child++;
        if (heap->at[child]->at_ns >= due->at_ns)
            break;
        place(heap, where, heap->at[child]);
        where = child;
    }
    place(heap, where, due);
}

void piw__heap_put(piw__heap *heap, piw__due *due, int64_t at_ns)
{
    due->at_ns = at_ns;
    if (due->where == 0) {
        if (heap->count + 1 >= heap->room) {
            heap->room = heap->room > 0 ? heap->room * 2 : HEAP_MIN;
            heap->at = piw_realloc(heap->at, heap->room * sizeof(*heap->at));
        }
        place(heap, ++heap->count, due);
    }
    sift(heap, due->where, due);
}

void piw__heap_remove(piw__heap *heap, piw__due *due)
{
    uint32_t where = due->where;
    if (where == 0)
        return;
    due->where = 0;
    piw__due *last = heap->at[heap->count--];
    if (last != due)
        sift(heap, where, last);
}

void piw__heap_fini(piw__heap *heap)
{
    free(heap->at);
    *heap = (piw__heap){0};
}
