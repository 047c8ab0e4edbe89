/* saved.c — the state that is kept over a swap. */
#include "juggler.h"
#include "shared/text.h"

#include <stdlib.h>

static void save_transfer(piw_msg *msg, const transfer *t, juggler_transfer *to)
{
    piw_value_copy(msg, juggler_transfer_type(), t->about, to);
    to->peer = (int64_t)t->peer;
    to->asked = to->got = piw_msg_bytes(msg, t->map.got, blocks_bytes(&t->map));
    juggler_pieces *pieces = piw_msg_alloc(msg, sizeof *pieces);
    piw_msg_list(msg, &pieces->at, t->map.pieces_count);
    for (uint32_t i = 0; i < t->map.pieces_count; i++)
        blocks_piece(&t->map, i, &pieces->at.at[i].offset, &pieces->at.at[i].length);
    to->pieces = pieces;
}

static void save_syncs(piw_msg *msg, const juggler *j, file_juggler_state *body)
{
    juggler_syncs *syncs = piw_msg_alloc(msg, sizeof *syncs);
    piw_msg_list(msg, &syncs->builds, j->waiting_count);
    for (uint32_t i = 0; i < j->waiting_count; i++)
        syncs->builds.at[i] = j->waiting[i];
    body->syncs = syncs;
    juggler_over *over = piw_msg_alloc(msg, sizeof *over);
    piw_msg_list(msg, &over->builds, j->journal.builds.count);
    over->builds.count = 0;
    for (const journal_entry *at = journal_next(&j->journal, NULL); at != NULL; at = journal_next(&j->journal, at)) {
        if (at->state != JOURNAL_IS_OPEN)
            over->builds.at[over->builds.count++] = at->build->build_id;
    }
    body->over = over;
}

static void load_syncs(juggler *j, const file_juggler_state *state)
{
    uint32_t waiting = state->syncs == NULL ? 0 : state->syncs->builds.count;
    if (waiting > 0) {
        j->waiting = piw_alloc(waiting * sizeof *j->waiting);
        memcpy(j->waiting, state->syncs->builds.at, waiting * sizeof *j->waiting);
    }
    j->waiting_count = j->waiting_room = waiting;
    for (uint32_t i = 0; state->over != NULL && i < state->over->builds.count; i++)
        upkeep_over(j, state->over->builds.at[i]);
}

int juggler_save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    juggler *j = piw_soul(task);
    file_juggler_state *body;
    piw_msg *msg = file_juggler_state_new(&body);
    piw_msg_list(msg, &body->transfers, j->transfers.by_slave.count);
    uint32_t n = 0;
    for (transfer *t = transfers_next(&j->transfers, NULL); t != NULL; t = transfers_next(&j->transfers, t))
        save_transfer(msg, t, &body->transfers.at[n++]);
    piw_msg_list(msg, &body->leftovers, j->unfinished_count);
    juggler_settled *settled = piw_msg_alloc(msg, sizeof *settled);
    piw_msg_list(msg, &settled->builds, j->unfinished_count);
    settled->builds.count = 0;
    body->settled = settled;
    save_syncs(msg, j, body);
    for (uint32_t i = 0; i < j->unfinished_count; i++) {
        const unfinished *from = &j->unfinished[i];
        body->leftovers.at[i] = from->recorded ? from->id : -from->id;
        if (from->settled)
            settled->builds.at[settled->builds.count++] = from->id;
    }
    const file_juggler_state *published = j->published == NULL ? NULL : file_juggler_state_of(j->published);
    piw_msg_list(msg, &body->published, j->published_count);
    for (uint32_t i = 0; published != NULL && i < j->published_count; i++)
        body->published.at[i] = piw_text_copy(msg, published->published.at[i]);
    *state = msg;
    return 0;
}

int juggler_load(juggler *j, const file_juggler_state *state, piw_err *err)
{
    for (uint32_t i = 0; i < state->transfers.count; i++) {
        int rc = transfers_resume(&j->transfers, j->root, &state->transfers.at[i], err);
        if (rc != 0)
            return rc;
    }
    if (state->leftovers.count > 0)
        j->unfinished = piw_zalloc(state->leftovers.count * sizeof *j->unfinished);
    const juggler_settled *settled = state->settled;
    for (uint32_t i = 0, k = 0; i < state->leftovers.count; i++) {
        unfinished *to = &j->unfinished[i];
        to->id = llabs(state->leftovers.at[i]);
        to->recorded = state->leftovers.at[i] > 0;
        to->settled = settled != NULL && k < settled->builds.count && settled->builds.at[k] == to->id;
        k += to->settled ? 1 : 0;
    }
    j->unfinished_count = j->unfinished_room = state->leftovers.count;
    load_syncs(j, state);
    for (uint32_t i = 0; i < state->published.count; i++)
        upkeep_published(j, state->published.at[i]);
    return 0;
}
