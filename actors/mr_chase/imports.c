/* imports.c — the imports, by number and by connection. */
#include "mr_chase/chase.h"

#include <stdlib.h>

static bool same_id(const piw_table_node *node, const void *key)
{
    return PIW_TABLE_ENTRY(node, const importer, by_id)->id == *(const int64_t *)key;
}

static bool same_peer(const piw_table_node *node, const void *key)
{
    return PIW_TABLE_ENTRY(node, const importer, by_peer)->peer == *(const piw_peer *)key;
}

importer *chase_of_id(const chase *self, int64_t id)
{
    piw_table_node *node = piw_table_find(&self->by_id, piw_table_hash_u64((uint64_t)id), same_id, &id);
    return node == NULL ? NULL : PIW_TABLE_ENTRY(node, importer, by_id);
}

importer *chase_of_peer(const chase *self, piw_peer peer)
{
    piw_table_node *node = piw_table_find(&self->by_peer, piw_table_hash_u64(peer), same_peer, &peer);
    return node == NULL ? NULL : PIW_TABLE_ENTRY(node, importer, by_peer);
}

importer *chase_next(const chase *self, const importer *imp)
{
    piw_table_node *node = piw_table_next(&self->by_id, imp == NULL ? NULL : &imp->by_id);
    return node == NULL ? NULL : PIW_TABLE_ENTRY(node, importer, by_id);
}

const build_state *chase_report(const importer *imp)
{
    return import_IMPORT_of(imp->report);
}

importer *chase_add(chase *self, piw_peer peer, int64_t id, piw_msg **report)
{
    importer *imp = piw_zalloc(sizeof(*imp));
    if (id == 0)
        id = ++self->last_id;
    imp->id = id;
    imp->peer = peer;
    imp->report = *report;
    *report = NULL;
    imp->verified = piw_msg_alloc(imp->report, (chase_report(imp)->files.count + 1) * sizeof(*imp->verified));
    if (!piw_name_canonical(chase_report(imp)->package, imp->package))
        piw_debug("import %lld has no package name", (long long)id);
    piw_table_add(&self->by_id, &imp->by_id, piw_table_hash_u64((uint64_t)id));
    piw_table_add(&self->by_peer, &imp->by_peer, piw_table_hash_u64(peer));
    return imp;
}

void chase_remove(chase *self, importer **imp)
{
    piw_table_remove(&self->by_id, &(*imp)->by_id);
    piw_table_remove(&self->by_peer, &(*imp)->by_peer);
    piw_msg_free(&(*imp)->report);
    free(*imp);
    *imp = NULL;
}

importer *chase_first_waiting(const chase *self)
{
    importer *first = NULL;
    for (importer *imp = chase_next(self, NULL); imp != NULL; imp = chase_next(self, imp)) {
        if (imp->phase == CHASE_TURN && (first == NULL || imp->id < first->id))
            first = imp;
    }
    return first;
}
