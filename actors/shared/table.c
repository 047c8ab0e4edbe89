/* table.c — a small hash table of nodes that lie inside what they find. */
#include "shared/table.h"

#include "piw/err.h"

#include <stdlib.h>

enum { FIRST_CHAINS = 64 };

static void grow(piw_table *table)
{
    size_t count = table->chains_count == 0 ? FIRST_CHAINS : table->chains_count * 2;
    piw_table_node **chains = piw_zalloc(count * sizeof(*chains));
    for (size_t i = 0; i < table->chains_count; i++) {
        piw_table_node *node = table->chains[i];
        while (node != NULL) {
            piw_table_node *next = node->next;
            piw_table_node **chain = &chains[node->hash & (count - 1)];
            node->next = *chain;
            *chain = node;
            node = next;
        }
    }
    free(table->chains);
    table->chains = chains;
    table->chains_count = count;
}

void piw_table_add(piw_table *table, piw_table_node *node, uint64_t hash)
{
    if (table->count >= table->chains_count)
        grow(table);
    piw_table_node **chain = &table->chains[hash & (table->chains_count - 1)];
    node->hash = hash;
    node->next = *chain;
    *chain = node;
    table->count++;
}

piw_table_node *piw_table_find(const piw_table *table, uint64_t hash, piw_table_match_fn *match, const void *key)
{
    if (table->chains_count == 0)
        return NULL;
    piw_table_node *node = table->chains[hash & (table->chains_count - 1)];
    while (node != NULL && (node->hash != hash || !match(node, key)))
        node = node->next;
    return node;
}

void piw_table_remove(piw_table *table, piw_table_node *node)
{
    piw_table_node **at = &table->chains[node->hash & (table->chains_count - 1)];
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    node->next = NULL;
    table->count--;
}

void piw_table_fini(piw_table *table)
{
    free(table->chains);
    *table = (piw_table){0};
}

piw_table_node *piw_table_next(const piw_table *table, const piw_table_node *node)
{
    size_t chain = 0;
    if (node != NULL) {
        if (node->next != NULL)
            return node->next;
        chain = (node->hash & (table->chains_count - 1)) + 1;
    }
    for (; chain < table->chains_count; chain++)
        if (table->chains[chain] != NULL)
            return table->chains[chain];
    return NULL;
}

uint64_t piw_table_hash_u64(uint64_t value)
{
    value ^= value >> 33;
    value *= 0xff51afd7ed558ccdULL;
    value ^= value >> 33;
    value *= 0xc4ceb9fe1a85ec53ULL;
    return value ^ (value >> 33);
}

uint64_t piw_table_seed(void)
{
    return piw_random();
}

uint64_t piw_table_hash(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
    return piw_table_hash_u64(hash ^ len);
}
