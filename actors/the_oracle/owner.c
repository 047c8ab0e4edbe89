/* owner.c — one master to a database: the writer's session holds an advisory lock for as long as it lives.
 *
 * PostgreSQL gives the lock back whenever the session ends, however that came: a killed master leaves nothing behind, and after
 * a restart of the server the first to come has it. To become the owner a session must have had the lock alone; then it holds it
 * shared. So the next soul of the same master can hold it too before the one it follows lets go, and nobody comes in between.
 * Who has it is told by the session's application_name. */
#include "oracle.h"

#include "shared/process_id.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

/* "piw-mast" as one number, and as the two halves that pg_locks shows. */
#define LOCK_KEY  "8100136441794884468"
#define LOCK_HIGH "1885959981"
#define LOCK_LOW  "1835103092"

enum {
    WAIT_OTHER_MS = 15000, /* a predecessor that is at its end is waited for so long */
    LOOK_AGAIN_MS = 250,
};

/* A name holds 63 characters. What begins it, up to its last space, tells this process from every other, also where many machines have
 * names that begin alike and a master of the same number, as containers do; then it says when it began. */
void owner_name(char to[OWNER_NAME])
{
    struct utsname machine = {.nodename = "unknown"};
    (void)uname(&machine);
    machine.nodename[strcspn(machine.nodename, " ")] = '\0';
    snprintf(to, OWNER_NAME, "piw-master %d@%.22s %0*llx %lld", (int)getpid(), machine.nodename, PIW_PROCESS_ID_DIGITS,
             (unsigned long long)piw_process_id(), (long long)piw_process_began());
}

static bool same_process(const char *a, const char *b)
{
    const char *end = strrchr(a, ' ');
    return end != NULL && strncmp(a, b, (size_t)(end + 1 - a)) == 0;
}

/* What an operator is told of a session that has the lock. */
static void describe(const PGresult *r, char *to, size_t size)
{
    int pid = 0;
    char host[64], began[40] = "an unknown time";
    long long start = 0;
    if (sscanf(PQgetvalue(r, 0, 1), "piw-master %d@%63s %*[0-9a-f] %lld", &pid, host, &start) != 3) {
        snprintf(to, size, "session %s of the database server, of role %s", PQgetvalue(r, 0, 0), PQgetvalue(r, 0, 2));
        return;
    }
    if (start > 0)
        piw_time_format((piw_time){.us = start * 1000000}, began, sizeof(began));
    snprintf(to, size, "process %d on %s, started %s", pid, host, began);
}

/* Become the owner if there is none. */
static int try_alone(database *db, bool *got, piw_err *err)
{
    PGresult *r = NULL;
    int rc = database_query(db,
                            "SELECT CASE WHEN NOT pg_try_advisory_lock(" LOCK_KEY ") THEN false "
                            "WHEN pg_try_advisory_lock_shared(" LOCK_KEY ") THEN pg_advisory_unlock(" LOCK_KEY
                            ") ELSE false END",
                            NULL, &r, err);
    *got = rc == 0 && row_bool(r, 0, 0);
    PQclear(r);
    return rc;
}

/* A session that has the lock beside this one: its number, name and role, or no row. */
static int find_owner(database *db, PGresult **r, piw_err *err)
{
    return database_query(db,
                          "SELECT l.pid, coalesce(a.application_name, ''), coalesce(a.usename, '') FROM pg_locks l "
                          "LEFT JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted "
                          "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
                          "AND l.classid = " LOCK_HIGH " AND l.objid = " LOCK_LOW
                          " AND l.objsubid = 1 AND l.pid <> pg_backend_pid() LIMIT 1",
                          NULL, r, err);
}

static bool is_of(const PGresult *owner, const char *name)
{
    return PQntuples(owner) > 0 && same_process(name, PQgetvalue(owner, 0, 1));
}

/* Hold the lock beside the predecessor in a swap, which lets go when this soul has taken its place. */
static int follow(database *db, const char *predecessor, bool *got, piw_err *err)
{
    PGresult *r = NULL;
    int rc = database_query(db, "SELECT pg_try_advisory_lock_shared(" LOCK_KEY ")", NULL, &r, err);
    bool beside = rc == 0 && row_bool(r, 0, 0);
    PQclear(r);
    r = NULL;
    if (beside)
        rc = find_owner(db, &r, err);
    *got = beside && rc == 0 && is_of(r, predecessor);
    PQclear(r);
    if (beside && rc == 0 && !*got) /* it was lost meanwhile: whoever has it is another master */
        rc = database_query(db, "SELECT pg_advisory_unlock_shared(" LOCK_KEY ")", NULL, NULL, err);
    return rc;
}

/* A session of this very process that nobody speaks through any more: the network lost it, or a soul that failed. */
static int end_session(database *db, const PGresult *owner, piw_err *err)
{
    params p = {0};
    params_int(&p, row_int(owner, 0, 0));
    piw_info("the database still has an earlier session of this master: it is ended");
    int rc = database_query(db, "SELECT pg_terminate_backend($1)", &p, NULL, err);
    return rc != 0 ? rc : piw_err_set(err, PIW_EDBAWAY, "an earlier session of this master is at its end");
}

static int refuse(oracle *self, const PGresult *owner, piw_err *err)
{
    char who[160];
    describe(owner, who, sizeof(who));
    if (!self->was_ready && self->refused_ns == 0) {
        self->refused_ns = piw_monotonic_ns() + WAIT_OTHER_MS * INT64_C(1000000);
        piw_warning("waiting up to %d s for the end of the database's other master: %s", WAIT_OTHER_MS / 1000, who);
    }
    self->backoff_ms = LOOK_AGAIN_MS;
    return piw_err_set(
        err, PIW_EEXIST,
        "database %s has another master: %s; stop that one first, or give this one a database of its own",
        self->db.shown, who);
}

static int settle_with(oracle *self, const char *name, piw_err *err)
{
    PGresult *owner = NULL;
    int rc = find_owner(&self->db, &owner, err);
    if (rc == 0 && PQntuples(owner) == 0)
        rc = piw_err_set(err, PIW_EDBAWAY, "the database's other master has just ended");
    else if (rc == 0)
        rc = is_of(owner, name) ? end_session(&self->db, owner, err) : refuse(self, owner, err);
    PQclear(owner);
    return rc;
}

int owner_take(oracle *self, piw_err *err)
{
    database *db = &self->db;
    bool got = false;
    int rc = 0;
    if (piw_task_instance(self->task) != INSTANCE_WRITE)
        return 0;
    if (self->predecessor[0] != '\0')
        rc = follow(db, self->predecessor, &got, err);
    self->predecessor[0] = '\0';
    if (rc == 0 && !got)
        rc = try_alone(db, &got, err);
    if (rc == 0 && !got)
        rc = settle_with(self, db->name, err);
    if (rc == 0)
        self->refused_ns = 0;
    return rc;
}

bool owner_gives_up(const oracle *self)
{
    return self->was_ready || (self->refused_ns != 0 && piw_monotonic_ns() >= self->refused_ns);
}
