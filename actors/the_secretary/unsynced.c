/* unsynced.c — packages whose pages are written, and may not have reached the disk. */
#include "unsynced.h"

#include "piw/err.h"

#include <stdlib.h>

static uint64_t hash_of(const unsynced *all, piw_text package)
{
    return piw_table_hash(all->seed, package.s, package.len);
}

static bool same(const piw_table_node *node, const void *key)
{
    return piw_text_eq(*(const piw_text *)key, PIW_TABLE_ENTRY(node, const unsynced_page, node)->saved.package);
}

static unsynced_page *next(const unsynced *all, const unsynced_page *page)
{
    piw_table_node *node = piw_table_next(&all->by_package, page == NULL ? NULL : &page->node);
    return node == NULL ? NULL : PIW_TABLE_ENTRY(node, unsynced_page, node);
}

static void forget(unsynced *all, unsynced_page *page)
{
    piw_table_remove(&all->by_package, &page->node);
    free(page);
}

void unsynced_init(unsynced *all)
{
    *all = (unsynced){.seed = piw_table_seed()};
}

void unsynced_fini(unsynced *all)
{
    unsynced_reached(all, INT64_MAX);
    piw_table_fini(&all->by_package);
}

static unsynced_page *find(const unsynced *all, piw_text package)
{
    piw_table_node *node = piw_table_find(&all->by_package, hash_of(all, package), same, &package);
    return node == NULL ? NULL : PIW_TABLE_ENTRY(node, unsynced_page, node);
}

void unsynced_add(unsynced *all, const secretary_page *page)
{
    unsynced_page *known = find(all, page->package);
    if (known != NULL) {
        known->saved.index = known->saved.index || page->index;
        known->saved.written_ns = page->written_ns;
        return;
    }
    if (all->by_package.count >= UNSYNCED_MAX)
        return;
    unsynced_page *made = piw_alloc(sizeof(*made) + page->package.len + 1);
    *made = (unsynced_page){.saved = *page};
    memcpy(made->package, page->package.s, page->package.len + 1);
    made->saved.package.s = made->package;
    piw_table_add(&all->by_package, &made->node, hash_of(all, made->saved.package));
}

void unsynced_reached(unsynced *all, int64_t before_ns)
{
    for (unsynced_page *page = next(all, NULL), *following; page != NULL; page = following) {
        following = next(all, page);
        if (page->saved.written_ns < before_ns)
            forget(all, page);
    }
}

size_t unsynced_count(const unsynced *all)
{
    return all->by_package.count;
}

const unsynced_page *unsynced_next(const unsynced *all, const unsynced_page *page)
{
    return next(all, page);
}
