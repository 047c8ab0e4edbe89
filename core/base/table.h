/* table.h — inside the core: two intrusive containers, a hash table by 64-bit key and a heap by due time.
 *
 * Each belongs to one thread; the caller owns the nodes. */
#ifndef PIW__TABLE_H
#define PIW__TABLE_H

#include "piw/base.h"

/* Keys need not be unique: the caller compares what it finds and goes on with piw__table_more. */
typedef struct piw__node {
    struct piw__node *next;
    uint64_t key;
} piw__node;

typedef struct piw__table {
    piw__node **buckets;
    uint32_t buckets_count; /* a power of two, or 0 before the first entry */
    uint32_t count;
} piw__table;

void piw__table_put(piw__table *table, piw__node *node, uint64_t key);
piw__node *piw__table_find(const piw__table *table, uint64_t key);
/* The next node with the same key, or NULL. */
piw__node *piw__table_more(const piw__node *node);
void piw__table_remove(piw__table *table, piw__node *node);
/* Take out any one node (to empty the table); NULL when there is none. */
piw__node *piw__table_pop(piw__table *table);
/* Go through all: *bucket 0 and node NULL begin; NULL at the end. The table must not change meanwhile. */
piw__node *piw__table_next(const piw__table *table, uint32_t *bucket, piw__node *node);
void piw__table_fini(piw__table *table);

/* Spreads a pointer and a number over 64 bits. */
static inline uint64_t piw__mix(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ (b + 0x9e3779b97f4a7c15u + (a << 6) + (a >> 2))) * 0xff51afd7ed558ccdu;
    return x ^ (x >> 32);
}

/* A moment in a heap; where == 0: in none. */
typedef struct piw__due {
    int64_t at_ns;
    uint32_t where;
} piw__due;

typedef struct piw__heap {
    piw__due **at; /* from 1 */
    uint32_t count, room;
} piw__heap;

void piw__heap_put(piw__heap *heap, piw__due *due, int64_t at_ns); /* moves it when it is in already */
void piw__heap_remove(piw__heap *heap, piw__due *due);             /* nothing when it is in none */
static inline piw__due *piw__heap_first(const piw__heap *heap)
{
    return heap->count > 0 ? heap->at[1] : NULL;
}
void piw__heap_fini(piw__heap *heap);

#endif
