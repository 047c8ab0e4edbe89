/* saved.c — the state that is kept over a swap. */
#include "juggler.h"
#include "shared/text.h"

#include <stdlib.h>

static void save_held(piw_msg *msg, const transfer *t, juggler_transfer *to)
{
    juggler_held *held = piw_msg_alloc(msg, sizeof(*held));
    piw_blob *data = piw_blob_new(t->held, (size_t)t->about->size);
    held->data = piw_msg_blob(msg, data);
    piw_blob_unref(&data);
    piw_value_copy(msg, last_file_type(), juggler_last(t), &held->last);
    early_save(msg, t, held);
    to->held = held;
}

static void save_transfer(piw_msg *msg, const transfer *t, juggler_transfer *to)
{
    piw_value_copy(msg, juggler_transfer_type(), t->about, to);
    to->peer = (int64_t)t->peer;
    to->asked = to->got = piw_msg_bytes(msg, t->map.got, blocks_bytes(&t->map));
    juggler_pieces *pieces = piw_msg_alloc(msg, sizeof(*pieces));
    piw_msg_list(msg, &pieces->at, t->map.pieces_count);
    for (uint32_t i = 0; i < t->map.pieces_count; i++)
        blocks_piece(&t->map, i, &pieces->at.at[i].offset, &pieces->at.at[i].length);
    to->pieces = pieces;
    piw_token *verify = t->early.verify.id == 0 ? NULL : piw_msg_alloc(msg, sizeof(*verify));
    if (verify != NULL)
        *verify = t->early.verify;
    to->verify = verify;
    int64_t *storing = t->storing == 0 ? NULL : piw_msg_alloc(msg, sizeof(*storing));
    if (storing != NULL)
        *storing = (int64_t)t->storing;
    to->storing = storing;
    if (t->held != NULL)
        save_held(msg, t, to);
}

/* An earlier version knows nothing of builds that lie in the journal as a whole, and would take them for published ones. It refuses a
 * state with a transfer of no size, and isn't swapped in then; present ones pass over it. */
static void save_small(piw_msg *msg, juggler_transfer *to)
{
    to->filename =
        piw_msg_textz(msg, "a build that lies in the journal with its wheel, which an earlier version doesn't know");
}

static bool is_for_earlier(const juggler_transfer *saved)
{
    return saved->size == 0 && saved->build_id == 0;
}

/* Which records hold wheels: nobody has to read them for that. */
static void save_whole(piw_msg *msg, const juggler *self, file_juggler_state *body)
{
    juggler_settled *whole = piw_msg_alloc(msg, sizeof(*whole));
    piw_msg_list(msg, &whole->builds, self->journal.whole);
    whole->builds.count = 0;
    for (const journal_entry *at = journal_next(&self->journal, NULL); at != NULL;
         at = journal_next(&self->journal, at))
        if (at->whole)
            whole->builds.at[whole->builds.count++] = at->build_id;
    body->whole = whole;
}

static void load_whole(juggler *self, const file_juggler_state *state)
{
    self->small_unknown = state->whole == NULL;
    for (uint32_t i = 0; state->whole != NULL && i < state->whole->builds.count; i++)
        journal_is_whole(&self->journal, state->whole->builds.at[i]);
}

static void save_syncs(piw_msg *msg, const juggler *self, file_juggler_state *body)
{
    juggler_syncs *syncs = piw_msg_alloc(msg, sizeof(*syncs));
    piw_msg_list(msg, &syncs->builds, self->waiting_count);
    for (uint32_t i = 0; i < self->waiting_count; i++)
        syncs->builds.at[i] = self->waiting[i];
    body->syncs = syncs;
    juggler_over *over = piw_msg_alloc(msg, sizeof(*over));
    piw_msg_list(msg, &over->builds, self->journal.builds.count);
    over->builds.count = 0;
    for (const journal_entry *at = journal_next(&self->journal, NULL); at != NULL;
         at = journal_next(&self->journal, at)) {
        if (at->state != JOURNAL_IS_OPEN)
            over->builds.at[over->builds.count++] = at->build_id;
    }
    body->over = over;
    juggler_sync_run *run = piw_msg_alloc(msg, sizeof(*run));
    *run = (juggler_sync_run){
        .running = self->syncing, .key = (int64_t)self->sync_key, .file = self->journal.synced_number};
    piw_msg_list(msg, &run->builds, over->builds.count);
    run->builds.count = 0;
    for (const journal_entry *at = self->journal.syncing; at != NULL; at = at->next)
        run->builds.at[run->builds.count++] = at->build_id;
    body->sync_run = run;
    if (self->journal.fd < 0) /* the last one hasn't all that is open: all are read again */
        return;
    juggler_files *files = piw_msg_alloc(msg, sizeof(*files));
    *files = (juggler_files){.first = self->journal.first_number, .last = self->journal.number};
    body->journal = files;
}

static void load_syncs(juggler *self, const file_juggler_state *state)
{
    uint32_t waiting = state->syncs == NULL ? 0 : state->syncs->builds.count;
    if (waiting > 0) {
        self->waiting = piw_alloc(waiting * sizeof(*self->waiting));
        memcpy(self->waiting, state->syncs->builds.at, waiting * sizeof(*self->waiting));
    }
    self->waiting_count = self->waiting_room = waiting;
    const juggler_sync_run *run = state->sync_run;
    if (run != NULL && run->running) { /* its end comes to us */
        for (uint32_t i = 0; i < run->builds.count; i++)
            journal_end(&self->journal, run->builds.at[i]);
        journal_sync_begins(&self->journal);
        self->journal.synced_number = run->file;
        self->sync_key = (uint64_t)run->key;
        self->syncing = true;
    }
    for (uint32_t i = 0; state->over != NULL && i < state->over->builds.count; i++)
        journal_end(&self->journal, state->over->builds.at[i]);
}

int juggler_save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    juggler *self = piw_soul(task);
    file_juggler_state *body;
    piw_msg *msg = file_juggler_state_new(&body);
    piw_msg_list(msg, &body->transfers, self->transfers.by_slave.count + 1);
    uint32_t n = 0;
    for (transfer *t = transfers_next(&self->transfers, NULL); t != NULL; t = transfers_next(&self->transfers, t)) {
        transfers_flush(&self->transfers, self->root, t);
        save_transfer(msg, t, &body->transfers.at[n++]);
    }
    if (small_any(self))
        save_small(msg, &body->transfers.at[n++]);
    body->transfers.count = n;
    piw_msg_list(msg, &body->leftovers, self->unfinished_count);
    juggler_settled *settled = piw_msg_alloc(msg, sizeof(*settled));
    piw_msg_list(msg, &settled->builds, self->unfinished_count);
    settled->builds.count = 0;
    body->settled = settled;
    juggler_settled *others = piw_msg_alloc(msg, sizeof(*others));
    piw_msg_list(msg, &others->builds, self->unfinished_count);
    others->builds.count = 0;
    body->others = others;
    save_syncs(msg, self, body);
    logs_save(self, msg, body);
    if (!self->small_unknown)
        save_whole(msg, self, body);
    counts_save(self, msg, body);
    ready_fini(self); /* its successor writes them when they are asked for */
    for (uint32_t i = 0; i < self->unfinished_count; i++) {
        const unfinished *from = &self->unfinished[i];
        body->leftovers.at[i] = from->recorded ? from->id : -from->id;
        if (from->settled)
            settled->builds.at[settled->builds.count++] = from->id;
        if (from->others)
            others->builds.at[others->builds.count++] = from->id;
    }
    const file_juggler_state *published = self->published == NULL ? NULL : file_juggler_state_of(self->published);
    piw_msg_list(msg, &body->published, self->published_count);
    for (uint32_t i = 0; published != NULL && i < self->published_count; i++)
        body->published.at[i] = piw_text_copy(msg, published->published.at[i]);
    *state = msg;
    return 0;
}

/* Is this the next one of a list, which is in the same order? */
static bool is_next(const juggler_settled *list, uint32_t *at, int64_t id)
{
    if (list == NULL || *at >= list->builds.count || list->builds.at[*at] != id)
        return false;
    ++*at;
    return true;
}

int juggler_load(juggler *self, const file_juggler_state *state, piw_err *err)
{
    for (uint32_t i = 0; i < state->transfers.count; i++) {
        const juggler_transfer *saved = &state->transfers.at[i];
        int rc = is_for_earlier(saved) ? 0 : transfers_resume(&self->transfers, self->root, saved, err);
        if (rc != 0)
            return rc;
        if (saved->held != NULL)
            early_resume(self, transfers_of_slave(&self->transfers, saved->slave_id));
    }
    if (state->leftovers.count > 0)
        self->unfinished = piw_zalloc(state->leftovers.count * sizeof(*self->unfinished));
    uint32_t settled = 0, others = 0;
    for (uint32_t i = 0; i < state->leftovers.count; i++) {
        unfinished *to = &self->unfinished[i];
        to->id = llabs(state->leftovers.at[i]);
        to->recorded = state->leftovers.at[i] > 0;
        to->settled = is_next(state->settled, &settled, to->id);
        to->others = is_next(state->others, &others, to->id);
    }
    self->unfinished_count = self->unfinished_room = state->leftovers.count;
    load_whole(self, state);
    load_syncs(self, state);
    logs_load(self, state);
    counts_load(self, state);
    for (uint32_t i = 0; i < state->published.count; i++)
        upkeep_published(self, state->published.at[i]);
    return 0;
}
