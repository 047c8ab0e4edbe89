/* imports.c — the records of imports, and whose turn it is. Importers can't be told apart on the file queue (all say 0),
 * so one transfers at a time; the others wait in the order in which they came. */
#include "mr_chase/chase.h"

#include "fs.piw.h"

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

void chase_drop(chase *self, importer **imp)
{
    importer *gone = *imp;
    chase_turn_over(self, gone);
    piw_timer_stop(self->task, "again", (uint64_t)gone->id);
    piw_timer_stop(self->task, "silent", (uint64_t)gone->id);
    /* When its row may exist, what is staged is settled at the next start, by whether it does. */
    if (gone->build_id != 0 && !gone->sent_before) {
        piw_msg *discard = fs_DISCARD_make(gone->build_id, 0);
        if (piw_cast(self->task, &discard) != 0)
            piw_msg_free(&discard);
    }
    piw_msg *none = NULL;
    if (piw_peer_set(self->task, gone->peer, &none) != 0)
        piw_debug("the record of an importer that left is gone already");
    chase_remove(self, imp);
}

/* The one that has waited longest. */
static importer *first_waiting(const chase *self)
{
    importer *first = NULL;
    for (importer *imp = chase_next(self, NULL); imp != NULL; imp = chase_next(self, imp)) {
        if (imp->phase == CHASE_TURN && (first == NULL || imp->id < first->id))
            first = imp;
    }
    return first;
}

static void next_turn(chase *self)
{
    importer *imp = self->turn == 0 ? first_waiting(self) : NULL;
    if (imp == NULL)
        return;
    self->turn = imp->id;
    chase_go(self, imp, CHASE_EXPECT);
}

void chase_queue(chase *self, importer *imp)
{
    imp->phase = CHASE_TURN;
    next_turn(self);
}

void chase_turn_over(chase *self, const importer *imp)
{
    if (self->turn != imp->id)
        return;
    self->turn = 0;
    next_turn(self);
}
