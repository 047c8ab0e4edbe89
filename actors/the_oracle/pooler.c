/* pooler.c — the master's sessions are its own: it holds a lock, prepares statements and sets how the session works.
 *
 * A pooler in front of the server may give a session to somebody else after each transaction. Then the lock keeps no other master
 * away, and a statement is prepared where it isn't run. Through such a one two connections speak with one session of the server,
 * which is what is looked for here. One that keeps a session for a connection does no harm. */
#include "oracle.h"

enum { LOOKS = 4 };

static int session_of(database *db, int64_t *pid, piw_err *err)
{
    PGresult *r = NULL;
    int rc = database_query(db, "SELECT pg_backend_pid()", NULL, &r, err);
    if (rc == 0)
        *pid = row_int(r, 0, 0);
    PQclear(r);
    return rc;
}

/* Others may use the pool as well and be given a session in between, so one look isn't enough. */
static int look(database *db, database *other, int64_t first, bool *shared, piw_err *err)
{
    int64_t own = first, others = 0;
    int rc = 0;
    for (int i = 0; rc == 0 && !*shared && i < LOOKS; i++) {
        rc = session_of(other, &others, err);
        if (rc == 0)
            rc = session_of(db, &own, err);
        *shared = rc == 0 && (own == others || own != first);
    }
    return rc;
}

int pooler_check(database *db, piw_err *err)
{
    if (db->session == PQbackendPID(db->conn)) /* a pooler tells a number of its own */
        return 0;
    database other;
    bool shared = false;
    database_init(&other, db->dsn, true);
    int rc = database_connect(&other, err);
    if (rc == 0)
        rc = look(db, &other, db->session, &shared, err);
    database_fini(&other);
    if (rc != 0 || !shared)
        return rc;
    return piw_err_set(err, PIW_EREFUSED,
                       "database %s is behind a pooler that gives a session to others after each transaction: "
                       "the master needs sessions of its own (pool_mode = session of PgBouncer)",
                       db->shown);
}
