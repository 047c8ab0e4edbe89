/* juggler.h — inside file_juggler: its soul, and what its files call of each other. The task's thread only. */
#ifndef FILE_JUGGLER_JUGGLER_H
#define FILE_JUGGLER_JUGGLER_H

#include "shared/site_mark.h"
#include "transfers.h"

typedef struct leftover {
    int64_t id;
    bool recorded; /* it has a row */
    bool settled;  /* not found at boot: its row may still be under way, so without one it is kept */
} leftover;

typedef struct juggler {
    char *root; /* the output path */
    transfers transfers;
    bool unsynced; /* something was put in place since the last sync */
    bool syncing;  /* a sync is under way */
    int64_t hurry_ns; /* when somebody last waited for the end of a build; 0: never */
    bool writing_out; /* a write_out job is under way */
    piw_log_limiter strangers, sync_trouble, removal_trouble, withheld_trouble;

    /* leftovers.c: builds found staged that nobody finishes, worked off from the end, so the oldest first. */
    leftover *leftovers;
    uint32_t leftovers_count, leftovers_room;
    piw_msg *reading; /* a read_staged_reply: the one that is being dealt with */

    /* withheld.c */
    bool withheld_busy, withheld_again; /* it looks; and has to look once more */
    bool withheld_missing;              /* what is to be taken away wasn't there: a publication may bring it */

    /* site_watch.c */
    char mark[PIW_SITE_MARK_LEN + 1]; /* the database's; "" until it has said it */
    bool mark_asked;                  /* it is asked */
    bool site_settled;                /* whether the site is there is known, or as good as known */
    bool site_unseen;                 /* it wasn't there when the master started */
    bool site_away;
    unsigned site_looks; /* since it is away */
    piw_log_limiter site_trouble;

    /* upkeep.c: packages published since REMOVALS_DUE was asked for, NUL-terminated texts in an arena. */
    piw_msg *published;
    uint32_t published_count;
} juggler;

static inline piw_text juggler_root(const juggler *j)
{
    return piw_text_of(j->root);
}

/* --- file_queue.c: what slaves and importers send --- */
int on_file_hello(piw_task *task, piw_msg *msg);
int on_file_chunk(piw_task *task, piw_msg *msg);
int on_paced(piw_task *task, piw_msg *reply, uint64_t key);
int on_written_out(piw_task *task, piw_msg *reply, uint64_t key);
/* Somebody waits for the end of a build: transfers yield for a moment. */
void file_queue_yield(juggler *j);

/* --- leftovers.c: what an earlier master, or a task before it began anew, left staged --- */
/* Find it. Only at boot. */
int leftovers_find(juggler *j, piw_err *err);
/* Find what is staged now, but for what is listed already or in `except`, and begin with it. */
int leftovers_settle(piw_task *task, const int64_t *except, uint32_t count);
/* Ask the database which of them have a row, if there are any. */
int leftovers_begin(piw_task *task);
int on_leftovers(piw_task *task, piw_msg *reply, uint64_t key);
int on_builds_known(piw_task *task, piw_msg *reply, uint64_t key);
int on_leftover_read(piw_task *task, piw_msg *reply, uint64_t key);
int on_leftover_recorded(piw_task *task, piw_msg *reply, uint64_t key);
int on_leftover_known(piw_task *task, piw_msg *reply, uint64_t key);
int on_leftover_project(piw_task *task, piw_msg *reply, uint64_t key);
int on_leftover_published(piw_task *task, piw_msg *reply, uint64_t key);

/* --- upkeep.c: room on the disk, files that are due for removal, syncing, trash --- */
int upkeep_begin(piw_task *task);
int on_disk(piw_task *task, piw_msg *reply, uint64_t key);
int on_removals(piw_task *task, piw_msg *reply, uint64_t key);
int on_removals_due(piw_task *task, piw_msg *reply, uint64_t key);
int on_sync(piw_task *task, piw_msg *reply, uint64_t key);
int on_synced(piw_task *task, piw_msg *reply, uint64_t key);
int on_trash_emptied(piw_task *task, piw_msg *reply, uint64_t key);
/* Note that a package's files are being put in place: a removal that was decided before must not hit them. */
void upkeep_published(juggler *j, piw_text package);
/* Throw away a build's staging folder: moved aside now, removed in the pool. */
int upkeep_discard(piw_task *task, int64_t build_id);

/* --- withheld.c: wheels that are out of reach while PyPI has them quarantined --- */
/* Look what is to be taken away or put back. */
int withheld_look(piw_task *task);
int withheld_begin(piw_task *task);
int on_withheld(piw_task *task, piw_msg *reply, uint64_t key);
int on_withheld_due(piw_task *task, piw_msg *reply, uint64_t key);
int on_withheld_moved(piw_task *task, piw_msg *reply, uint64_t key);
int on_withheld_done(piw_task *task, piw_msg *reply, uint64_t key);

/* --- site_watch.c: is the output folder the farm's site? --- */
int site_watch_begin(piw_task *task, piw_why why);
int on_site_look(piw_task *task, piw_msg *reply, uint64_t key);
int on_site_mark(piw_task *task, piw_msg *reply, uint64_t key);

/* --- saved.c: the state over a swap --- */
int juggler_save(piw_task *task, piw_msg **state, piw_err *err);
int juggler_load(juggler *j, const file_juggler_state *state, piw_err *err);

#endif
