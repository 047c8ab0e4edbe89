/* table.h — a small hash table of nodes that lie inside what they find (chained, grows, never shrinks).
 *
 * The table owns the array of chains only; nodes belong to the caller, who unlinks them before freeing them. One
 * thread at a time. */
#ifndef SHARED_TABLE_H
#define SHARED_TABLE_H

#include "piw/base.h"

typedef struct piw_table_node {
    struct piw_table_node *next;
    uint64_t hash;
} piw_table_node;

typedef struct piw_table {
    piw_table_node **chains; /* NULL until the first node */
    size_t chains_count;     /* a power of two */
    size_t count;
} piw_table;

/* The structure around a node. */
#define PIW_TABLE_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Is this node the one that is looked for? */
typedef bool piw_table_match_fn(const piw_table_node *node, const void *key);

void piw_table_add(piw_table *table, piw_table_node *node, uint64_t hash);
piw_table_node *piw_table_find(const piw_table *table, uint64_t hash, piw_table_match_fn *match, const void *key);
/* Unlink a node that is in the table. */
void piw_table_remove(piw_table *table, piw_table_node *node);
/* Frees the chains; the nodes stay as they are. */
void piw_table_fini(piw_table *table);

/* Walk: `node` NULL begins; NULL at the end. The node returned may be removed (and freed) only after the next one was
 * asked for. */
piw_table_node *piw_table_next(const piw_table *table, const piw_table_node *node);

/* Hashes: of a number, and of bytes going on from an earlier hash (begin with piw_table_seed(), which differs from run
 * to run, so that nobody outside can choose names that collide). */
uint64_t piw_table_hash_u64(uint64_t value);
uint64_t piw_table_seed(void);
uint64_t piw_table_hash(uint64_t hash, const void *data, size_t len);

#endif
