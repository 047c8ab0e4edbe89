/* soul.h — inside of every writer of the site: its soul, and what the files here call of each other. The task's thread only. */
#ifndef SHARED_SCRIBE_SOUL_H
#define SHARED_SCRIBE_SOUL_H

#include "errands.h"
#include "facts.h"
#include "renewal.h"
#include "roster.h"
#include "scribe.h"

#include "shared/pace.h"
#include "shared/text.h"

#include <sys/stat.h>

enum { TROUBLE_PER_MINUTE = 6 };

/* The search index and the sitemaps, while the database is read for them. */
typedef struct search_round {
    uint64_t request; /* the token of the request for them; 0: none */
    piw_buffer downloads, names;
    char after[PIW_NAME_MAX + 1]; /* the last package that was read */
    int64_t began_ns;             /* the present piece of this work: a question, or the writing */
    int64_t rests_till;           /* the next one begins not before this moment */
} search_round;

typedef struct scribe {
    const scribe_writer *writer;
    facts facts;
    errands errands;
    roster roster;
    renewal renewal;
    piw_msg *roster_after; /* a db_PACKAGES call: where the reading is */
    bool roster_loaded, root_stale;
    bool root_urgent;      /* and somebody waits for it: it doesn't rest before */
    bool root_behind;      /* of a view, by what the renewal has written: it follows at its end */
    scribe_course course;  /* of the root list, as it is saved */
    struct stat root_seen; /* the root list as it was written; all 0: not known */
    search_round search;
    pace pace;               /* of all bulk work */
    int64_t bulk_began_ns;   /* the present piece of it: a question to the database, or a package's pages */
    int64_t bulk_rests_till; /* and the next one, not before this moment */
    int64_t bulk_asked_ns;   /* the question that is under way */
    uint32_t bulk_batch;     /* packages of the next one */
    int64_t root_began_ns, root_rests_till; /* likewise of the root list */
    piw_log_limiter trouble;
} scribe;

/* --- search_round.c --- */
int on_search(piw_task *task, piw_msg *msg);
piw_continuation_fn on_search_page, on_search_rested, on_search_written;
void search_round_fini(search_round *self);

/* --- saved.c --- */
void scribe_load(scribe *self, const scribe_state *state);

#endif
