/* oracle.h — the soul of the_oracle: one database connection, and the requests that wait for it.
 *
 * Reads are answered in their handler. Writes are kept (entries) until the mailbox is empty, 10 ms have passed or a
 * group is full, and are then stored in one transaction; so are all requests while the database is away. Notes that
 * nobody waits for (an attempt begins, or ends without a build) are kept until something else is stored, or for a moment:
 * most ride along with a build. */
#ifndef ORACLE_ORACLE_H
#define ORACLE_ORACLE_H

#include "database.h"

#include "db.piw.h"
#include "piw/plugin.h"

enum { INSTANCE_WRITE = 0, INSTANCE_LOG = 1, READ_FROM = 2 };

enum {
    GROUP_MAX = 200,   /* entries of one transaction: a hundred builds with their attempts, some 5 ms of the server's */
    GROUP_AGE_MS = 10, /* the oldest entry of a busy writer waits no longer for company */
    NOTE_AGE_MS = 25,  /* entries that can wait, waited for no longer */
    WAITING_MAX = 50000, /* entries kept while the database is away; more are refused */
    RECONNECT_FIRST_MS = 250,
    RECONNECT_MAX_MS = 10000,
    REST_MS = 200,           /* after a lock or a lack of resources */
    RECORDED_EVERY_MS = 250, /* that builds are being recorded is told */
};

/* One kept request: a copy of it, the token of its answer, and the answer once it is known. */
typedef struct entry {
    struct entry *next;
    piw_msg *msg;
    piw_token token;             /* id 0: a cast */
    piw_msg *reply;              /* to be sent after the commit */
    const struct entry *attempt; /* of a build: its attempt that is stored with it, in the same group */
} entry;

/* Work off one request that stands alone: fills *reply for calls. PIW_EDB, PIW_EDBAWAY or another error: nothing done.
 */
typedef int single_fn(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err);

enum { OWNER_NAME = 64 /* bytes of a session's name; PostgreSQL's NAMEDATALEN */ };

/* Continuation try_again has two timers. */
enum { TIMER_CONNECT = 0, TIMER_NOTES = 1 };

/* The writer's session, connected and checked before the task starts; or why it isn't. */
typedef struct prepared_session {
    database db;
    int rc;
    piw_err err;
} prepared_session;

typedef struct oracle {
    piw_task *task;
    database db;
    int watched; /* the connection's descriptor, also when libpq has closed it already; or -1 */
    bool
        drains; /* PyPI's and operators' requests bring the build queue up to date; after others the_architect does it */
    bool up;    /* connected, checked, and nothing stands in the way of the next statement */
    bool was_ready; /* was connected once: from then on it waits for the database instead of refusing to start */
    bool resting;   /* connected, but waits a moment before the next try */
    prepared_session
        *prepared; /* the first connection, of a master that starts; NULL: it has been used, or there is none */
    int backoff_ms;
    entry *first, **last;
    uint32_t waiting;
    int64_t oldest_ns; /* when the first entry came that can't wait; 0: there is none */
    bool noted;        /* the timer for those that can is set */
    /* A transaction whose commit got no answer: of the first `unknown` entries, with this mark. */
    uint32_t unknown;
    int64_t unknown_mark;
    int64_t pypi_number;          /* of the last batch of PyPI's events that was applied; 0: none, or it had none */
    char predecessor[OWNER_NAME]; /* of a swap: the name of the session that has the lock until it is gone */
    int64_t told_recorded_ns;     /* when it was told last that builds are being recorded */
    int64_t refused_ns;           /* when another master is waited for no longer; 0: none has been met */
    bool handed_over;             /* saved for a successor, and nothing done since */
    piw_outage outage;            /* of the connection */
    piw_outage unable;            /* with a connection: its disk is full, say */
    piw_log_limiter trouble;
} oracle;

/* --- connection.c --- */
/* How loud this instance speaks of its connection. */
piw_log_level oracle_loudness(const oracle *self);
/* The writer tells all tasks that the database is there, or away. */
void oracle_tell(oracle *self, bool up);
/* Notice the connection's end without a request; or no more. */
void oracle_watch(oracle *self);
void oracle_unwatch(oracle *self);
/* Come back after a while, a longer one each time. */
void oracle_try_later(oracle *self);
/* To which these come back; in the_oracle.c. */
piw_continuation_fn on_database_speaks, on_try_again;
/* The connection is lost, or (resting) needs a pause: try again later. */
void oracle_down(oracle *self, const piw_err *err);

/* --- prepare.c: the writer's session, while other plugins are still being loaded --- */
piw_prepare_fn session_prepare;
void session_discard(void *prepared);
/* Connect and check, or take what is prepared. Errors of database_connect and database_check. */
int oracle_connect(oracle *self, piw_err *err);

/* --- owner.c: one master to a database --- */
/* The name of this process's session. */
void owner_name(char to[OWNER_NAME]);
/* Make the database ours, or keep it so beside the soul before this one. PIW_EEXIST: another master has it; PIW_EDBAWAY: not
 * now. Instances that don't write have nothing to take. */
int owner_take(oracle *self, piw_err *err);
/* Is there no sense in waiting for the end of the other master any more? */
bool owner_gives_up(const oracle *self);

/* --- views.c --- */
/* The writer tells the database which views the configuration has. PIW_EREFUSED: it won't have them; PIW_EDBAWAY. */
int views_tell(oracle *self, piw_err *err);

/* --- group.c --- */
/* Store what waits. Returns when nothing waits any more or the database is away (then oracle_down was called). */
void oracle_flush(oracle *self);
/* What became of the transaction whose commit got no answer? 0: settled. PIW_EDBAWAY: not known yet. */
int oracle_settle_unknown(oracle *self, piw_err *err);

/* --- batch.c: kinds of writes that many of are stored in one statement --- */

typedef struct batch_step {
    int kind;
    uint32_t first, count; /* of the batch's entries: those that its statement stores */
} batch_step;

/* A group in the order in which it is stored. */
typedef struct batch {
    entry *entries[GROUP_MAX];
    batch_step steps[GROUP_MAX];
    uint32_t steps_count;
} batch;

bool batch_takes(const piw_msg *msg);
/* True when nobody waits for it and the next start repairs whatever is lost with it. */
bool batch_can_wait(const piw_msg *msg);
/* At most GROUP_MAX entries. */
void batch_arrange(batch *group, entry *const *entries, uint32_t count);
int batch_prepare(database *db, const batch *group, piw_err *err);
/* Within the caller's transaction, and between database_many and database_done. */
int batch_send(database *db, const batch *group, piw_err *err);
/* The answers of the same; fills the entries' replies. */
int batch_take(database *db, const batch *group, piw_err *err);
/* Can what the database answers be found out after the commit too? */
bool batch_answers_last(const batch *group);
/* Does so for the first `count` entries, which are stored. */
int batch_answer_again(database *db, entry *first, uint32_t count, piw_err *err);

/* --- web_log.c: those of the log lane. Each message is a batch by itself. --- */
typedef struct web_log_kind {
    int index; /* of the message's type */
    statement statement;
    void (*put)(params *p, const piw_msg *msg);
    piw_msg *(*reply)(void);
} web_log_kind;
/* NULL: it is none of them. */
const web_log_kind *web_log_kind_of(const piw_msg *msg);

/* --- writes.c, admin.c, reads.c, project.c, why.c, views.c, offers.c --- */
single_fn write_attempt_failed, write_retry, write_pypi_apply, write_pypi_projects, write_pypi_compare, write_reserve,
    write_attempts_void, write_rewrites_save, write_removals_due, write_removals_done, write_site_mark,
    write_withheld_done, write_pypi_pages, write_pypi_facts, write_metadata_made, write_addpkg, write_addver,
    write_rempkg, write_remver, write_abi_change, write_view_change, write_needs_read, write_offers_none,
    write_offers_hold;
single_fn read_pypi_state, read_builds_known, read_abis, read_project, read_projects, read_packages, read_statistics,
    read_known, read_search_index, read_why, read_abi_list, read_site_figures, read_recent_builds, read_metadata_due,
    read_queue_ages, read_view_list, read_needs_due, read_offers_due, read_rewrites_load, read_withheld_due;
/* A wheel's needs as words with a blank between; NULL: not known. */
void add_needs(params *p, int array, const wheel_needs *needs);
/* Fill in the history of each of these packages, with memory of `msg`. */
int read_histories(database *db, piw_msg *msg, project_data *const *packages, size_t count, piw_err *err);
/* The function for a type of message; NULL for those that batch_takes. `*read`: it needs no transaction of ours. */
single_fn *oracle_single(const piw_msg *msg, bool *read);
/* PyPI's word or an operator's, which may change what waits to be built. */
bool oracle_moves_queue(const piw_msg *msg);

#endif
