/* database.h — what piw-initdb does to a database. One connection, one thread; the caller begins and ends the
 * transaction. */
#ifndef INITDB_DATABASE_H
#define INITDB_DATABASE_H

#include "piw/err.h"

#include <libpq-fe.h>
#include <stdbool.h>

/* What stands in the database, and so what is to be done. */
typedef struct database_state {
    bool empty;    /* nothing of ours: create both schemas */
    bool stock_22; /* the stock schema is of release 0.22: upgrade it */
    int piw;       /* version of schema piw; 0: there is none */
} database_state;

/* Nothing is to be done. */
bool database_is_current(const database_state *state);

/* Connect. The error names the database, without its password. */
int database_open(const char *dsn, PGconn **conn, piw_err *err);
/* Are we a superuser, and is `user` a role that exists and isn't one? */
int database_check_roles(PGconn *conn, const char *user, piw_err *err);
/* PIW_EREFUSED for versions that this program can't handle, and when the role could not use what is there. */
int database_look(PGconn *conn, const char *user, database_state *state, piw_err *err);
/* How many versions an upgrade brings back into the build queue, because fewer builds do for an ABI by the new rule;
 * says how far it is. -1: that rule stays as it is. Not within a transaction; leaves the database as it was. */
int database_count_back(PGconn *conn, const database_state *state, long *versions, piw_err *err);
/* Is the ABI built for already? */
int database_has_abi(PGconn *conn, const char *abi, bool *there, piw_err *err);
/* Build for it from now on. Schema piw must be there, as this program makes it. */
int database_add_abi(PGconn *conn, const char *abi, piw_err *err);
/* How many ABIs there are. */
int database_count_abis(PGconn *conn, long *abis, piw_err *err);
/* Make what is missing, saying each step, and how long it took, on stdout. */
int database_make(PGconn *conn, const database_state *state, const char *user, piw_err *err);
/* How many of schema piw's triggers on stock tables are gone or off, so that changes don't reach the build queue;
 * `repair` puts them in place again. */
int database_check_triggers(PGconn *conn, bool repair, long *lost, piw_err *err);
/* Compare the build queue with its definition; `differences` is how many rows differ. With repair, make it right.
 * Not within a transaction: the master may go on meanwhile. */
int database_check_queue(PGconn *conn, bool repair, long *differences, piw_err *err);
/* A statement without parameters and rows: BEGIN, COMMIT, … */
int database_run(PGconn *conn, const char *sql, const char *what, piw_err *err);

#endif
