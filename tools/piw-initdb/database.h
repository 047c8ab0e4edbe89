/* database.h — what piw-initdb does to a database. One connection, one thread; the caller begins and ends the
 * transaction. */
#ifndef INITDB_DATABASE_H
#define INITDB_DATABASE_H

#include "piw/err.h"

#include <libpq-fe.h>

typedef enum {
    DATABASE_EMPTY,   /* nothing of ours: create */
    DATABASE_STOCK,   /* release 0.23 without schema piw: adopt */
    DATABASE_CURRENT, /* both are there */
} database_state;

/* Connect. The error names the database, without its password. */
int database_open(const char *dsn, PGconn **conn, piw_err *err);
/* Are we a superuser, and is `user` a role that exists and isn't one? */
int database_check_roles(PGconn *conn, const char *user, piw_err *err);
/* Which of the states; PIW_EREFUSED for versions that this program can't handle. */
int database_look(PGconn *conn, database_state *state, piw_err *err);
/* Make what is missing, saying each step on stdout. */
int database_make(PGconn *conn, database_state state, const char *user, piw_err *err);
/* Compare the queue with its definition; `differences` is how many rows differ. With repair, make it right. */
int database_check_queue(PGconn *conn, bool repair, long *differences, piw_err *err);
/* A statement without parameters and rows: BEGIN, COMMIT, … */
int database_run(PGconn *conn, const char *sql, const char *what, piw_err *err);

#endif
