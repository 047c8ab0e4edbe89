/* database.h — one connection to PostgreSQL, and what its errors mean. Belongs to one instance of the_oracle, whose
 * thread may block here. */
#ifndef ORACLE_DATABASE_H
#define ORACLE_DATABASE_H

#include "params.h"

#include "piw/err.h"

#include <libpq-fe.h>

/* A statement that is run over and over: the server prepares it once a connection. `name` is unique. */
typedef struct statement {
    const char *name, *sql;
} statement;

enum { STATEMENTS_MAX = 32 };

typedef struct database {
    PGconn *conn; /* NULL: not connected */
    const statement *prepared[STATEMENTS_MAX];
    int prepared_count;
    char *dsn;         /* as libpq wants it */
    char *shown;       /* without a password, for messages */
    bool ended;        /* the pipeline's end has been sent */
    bool reads;        /* only reads: statements are cut off after a time */
    bool views;        /* the farm has views (docs/views.md) */
    int64_t session;   /* the server's number of it, when it was checked */
    char name[64];     /* by which others know the session; "": as the address says */
    int64_t linger_ms; /* how long removed wheels stay on disk (docs/site.md#order-of-publication) */
} database;

void database_init(database *db, const char *dsn, bool reads);
void database_fini(database *db);

/* Connect. PIW_EDBAWAY: can't be reached now. PIW_EREFUSED: the server answers, but says no (unknown database or role,
 * failed authentication). */
int database_connect(database *db, piw_err *err);
void database_close(database *db);
/* Is this a database that the master can work with: both schemas' versions, and a role that may do what it must and
 * isn't a superuser? PIW_EREFUSED with one clear line; PIW_EDBAWAY. Leaves the session ready for use. */
int database_check(database *db, piw_err *err);
/* Does it have sessions of its own? PIW_EREFUSED with one clear line; PIW_EDBAWAY. */
int pooler_check(database *db, piw_err *err);

/* Run one statement; `p` may be NULL, and is used up. On 0 `*result` is the caller's (NULL is allowed for statements
 * without rows). PIW_EDB: the data were refused. PIW_EDBAWAY: not now (connection lost, resources, locks). */
int database_query(database *db, const char *sql, params *p, PGresult **result, piw_err *err);
/* The same for a statement without parameters and rows. */
int database_run(database *db, const char *sql, piw_err *err);
/* --- Many statements at a time (libpq's pipeline mode): none waits for the answer of the one before ---
 *
 * database_prepare for each kind, database_many, then in turn any number of database_send, database_flush (the last time
 * database_end) and as many database_take as were sent; at the end database_done, whatever happened. After a statement that failed the server passes
 * over all up to database_done; what it had begun is the caller's to roll back. Errors as those of database_query. */
int database_prepare(database *db, const statement *which, piw_err *err);
int database_many(database *db, piw_err *err);
/* `p` may be NULL, and is used up. */
int database_send(database *db, const statement *which, params *p, piw_err *err);
int database_flush(database *db, piw_err *err);
/* The same as database_flush, and nothing more will be sent: what the server still has to say comes in one piece. */
int database_end(database *db, piw_err *err);
int database_take(database *db, PGresult **result, piw_err *err);
/* Passes over what wasn't taken. The connection is closed if it is of no use any more. */
void database_done(database *db);

/* Has the connection been lost? Looks at what has come in, without waiting. */
bool database_lost(database *db);

/* --- Rows (text form) --- */
bool row_null(const PGresult *result, int row, int column);
int64_t row_int(const PGresult *result, int row, int column); /* NULL: 0 */
bool row_bool(const PGresult *result, int row, int column);
/* Borrowed from the result; a NULL is a null text. */
piw_text row_text(const PGresult *result, int row, int column);
/* A copy in the arena of `msg`. */
piw_text row_copy(piw_msg *msg, const PGresult *result, int row, int column);
/* Copies of the texts that the database has joined there, parted by U+001F. */
void row_split(piw_msg *msg, const PGresult *result, int row, int column, uint32_t *count, piw_text **list);

#endif
