/* secretary.h — inside the_secretary: its soul, and what its files call of each other. The task's thread only. */
#ifndef THE_SECRETARY_SECRETARY_H
#define THE_SECRETARY_SECRETARY_H

#include "db.piw.h"
#include "events.piw.h"
#include "piw/task.h"
#include "requests.h"
#include "the_secretary.piw.h"
#include "unsynced.h"

enum {
    SAVE_EVERY_MS = 1000,
    COUNT_EVERY_S = 10,                 /* what is counted is told */
    SAVED_MAX = 1000000 - UNSYNCED_MAX, /* requests that wait: with those what REWRITES_SAVE takes */
    WAITERS_MAX = 1000,
    ALL_NOTE_EVERY = 100, /* packages */
    ALL_SAY_S = 30,       /* how often the log says how far "all" is */
    ALL_AT_ONCE = 1000,   /* packages taken from the database for "all" when fewer wait as bulk work */
};

/* The site's own pages have no package: one call of a kind at a time. */
enum { IDLE, WRITING, WRITING_AGAIN };

/* Who waits for a package's pages. */
typedef struct waiter {
    piw_token token;
    int64_t after; /* the number of the last writing that began before */
    char package[PIW_NAME_MAX + 1];
} waiter;

typedef struct secretary {
    requests requests;
    unsynced unsynced;
    int64_t sync_ns;     /* when the sync of the site that is under way began, 0: none is */
    int64_t sync_due_ns; /* the next one begins not before this moment */
    int64_t hold_ns;
    secretary_course course; /* as it is saved */
    piw_msg *all_after;      /* a db_PACKAGES call: where "all" is */
    int64_t all_said_ns;
    int64_t all_asked, all_total; /* packages of "all" so far, and about how many there are */
    int64_t search_hold_ns, search_every_ns;
    int64_t search_due_ns;   /* when the search index and the sitemaps are written next */
    int64_t written, failed; /* packages' pages, since that was told */
    int64_t count_at_ns;     /* when it is told next */
    int64_t save_at_ns;      /* not sooner */
    waiter waiters[WAITERS_MAX];
    size_t waiters_count;
    piw_outage unwritten;    /* of packages' pages that can't be written now */
    piw_outage home, search; /* of the site's own, likewise */
    piw_outage unsaved;      /* of what waits, in the database */
    piw_outage unreached;    /* of pages that can't be synced */
    piw_log_limiter trouble;
} secretary;

/* --- hand_on.c --- */
/* Send on the requests that are due, and set the timer for the next one. */
int secretary_go_on(piw_task *task);
/* Make this call, taken, unless one of its kind is under way: then it is made again after that. */
int secretary_call_single(piw_task *task, int64_t *state, piw_msg *call, const char *continuation);
/* Have the search index and the sitemaps written; again, when they are being written already. */
int secretary_search(piw_task *task);
/* To which these come back; in the_secretary.c. */
piw_continuation_fn on_due, on_written, on_search_written, on_all_packages;

/* --- rounds.c: the search index and the sitemaps are written without being asked for --- */
/* The soul has begun: with what its predecessor kept, or NULL. */
int rounds_begin(piw_task *task, secretary *self, const secretary_state *kept);
/* When a package's pages are asked for, the pages about all packages may have changed too. */
void rounds_changed(secretary *self);
int on_round(piw_task *task, piw_msg *reply, uint64_t key);

/* --- waiters.c: who waits for a package's pages --- */
/* The request waits; there are fewer than WAITERS_MAX. */
int waiters_add(piw_task *task, secretary *self, piw_msg *msg, piw_text package);
/* A writing has ended, well or not: `reply` says so. */
void waiters_tell(piw_task *task, secretary *self, const char *package, int64_t number, const piw_msg *reply);
void waiters_save(const secretary *self, piw_msg *msg, secretary_state *body);
void waiters_load(secretary *self, const secretary_state *state);

/* --- syncs.c: pages that are written reach the disk --- */
/* The request's pages were written. */
void syncs_written(secretary *self, const request *r);
/* Begin with those that there are, unless a sync is under way or was just now. */
int syncs_go(piw_task *task);
int on_synced(piw_task *task, piw_msg *reply, uint64_t key);
void syncs_save(const secretary *self, piw_msg *msg, secretary_state *body);
void syncs_load(secretary *self, const secretary_state *state);

/* --- rewrites.c: what waits survives the end of the master --- */
/* Has it read in a moment. */
int rewrites_load(piw_task *task);
int rewrites_save(piw_task *task);
int on_save(piw_task *task, piw_msg *reply, uint64_t key);
int on_saved(piw_task *task, piw_msg *reply, uint64_t key);
int on_load(piw_task *task, piw_msg *reply, uint64_t key);
int on_loaded(piw_task *task, piw_msg *reply, uint64_t key);

#endif
