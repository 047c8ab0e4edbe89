/* database.c — one connection to PostgreSQL, and what its errors mean. */
#include "database.h"

#include "piw/log.h"
#include "shared/dsn.h"
#include "shared/schema_version.h"
#include "shared/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { SERVER_MIN = 130000 };

void database_init(database *db, const char *dsn, bool reads)
{
    *db = (database){.dsn = piw_dsn_normal(dsn), .shown = piw_dsn_print(dsn), .reads = reads};
}

void database_fini(database *db)
{
    database_close(db);
    free(db->dsn);
    free(db->shown);
    *db = (database){0};
}

void database_close(database *db)
{
    PQfinish(db->conn);
    db->conn = NULL;
    db->prepared_count = 0;
}

static void first_line(char *to, size_t size, const char *message)
{
    snprintf(to, size, "%s", message != NULL ? message : "");
    to[strcspn(to, "\n")] = '\0';
}

static void say_notice(void *arg, const char *message)
{
    (void)arg;
    piw_debug("database: %s", message);
}

/* What the server says when waiting can't help. A connection that never came up has no SQLSTATE. */
static bool is_refusal(const char *message)
{
    static const char *const signs[] = {"does not exist",
                                        "authentication failed",
                                        "no pg_hba.conf entry",
                                        "no password supplied",
                                        "permission denied",
                                        "not permitted to log in",
                                        "invalid connection option",
                                        "invalid URI",
                                        "missing \"=\"",
                                        "certificate verify failed",
                                        "server certificate for",
                                        "does not support SSL",
                                        "definition of service",
                                        "service file"};
    for (size_t i = 0; i < PIW_COUNT(signs); i++)
        if (strstr(message, signs[i]) != NULL)
            return true;
    return false;
}

/* An address that libpq can't read doesn't mean that the database is away. libpq's message isn't shown: it may quote
 * a password. */
static int check_dsn(const database *db, piw_err *err)
{
    char *why = NULL;
    PQconninfoOption *parsed = PQconninfoParse(db->dsn, &why);
    bool good = parsed != NULL || why == NULL; /* neither: out of memory */
    PQconninfoFree(parsed);
    PQfreemem(why);
    return good ? 0
                : piw_err_set(err, PIW_EREFUSED,
                              "database %s: the address can't be read; write "
                              "postgresql://USER@HOST/DATABASE?OPTION=VALUE, and signs with a meaning in it as %%XX",
                              db->shown);
}

int database_connect(database *db, piw_err *err)
{
    int rc = check_dsn(db, err);
    if (rc != 0)
        return rc;
    /* A server that has gone without a word is noticed within half a minute. */
    static const char *const names[] = {"dbname",           "fallback_application_name",
                                        "client_encoding",  "connect_timeout",
                                        "keepalives_idle",  "keepalives_interval",
                                        "keepalives_count", "tcp_user_timeout",
                                        "application_name", NULL};
    const char *values[] = {db->dsn, "piw-master", "UTF8", "5", "10", "5", "3", "30000", NULL, NULL};
    if (db->name[0] != '\0')
        values[8] = db->name;
    database_close(db);
    db->conn = PQconnectdbParams(names, values, 1);
    if (db->conn == NULL)
        return piw_err_set(err, PIW_EDBAWAY, "no memory for a database connection");
    if (PQstatus(db->conn) != CONNECTION_OK) {
        char text[300];
        first_line(text, sizeof(text), PQerrorMessage(db->conn));
        bool refused = is_refusal(text) && strstr(text, "No such file") == NULL;
        database_close(db);
        return piw_err_set(err, refused ? PIW_EREFUSED : PIW_EDBAWAY, "database %s: %s", db->shown, text);
    }
    PQsetNoticeProcessor(db->conn, say_notice, NULL);
    return 0;
}

static int refuse(database *db, piw_err *err, const char *fmt, ...) PIW_PRINTF(3, 4);
static int refuse(database *db, piw_err *err, const char *fmt, ...)
{
    char text[300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return piw_err_set(err, PIW_EREFUSED, "database %s %s", db->shown, text);
}

/* By name: a look at pg_proc costs as much as all else that a new session is asked. One that isn't there may not be executed. */
#define MAY_EXECUTE                                                                                                    \
    "coalesce(has_function_privilege(to_regproc('piw.drain'), 'EXECUTE') AND "                                         \
    "has_function_privilege(to_regproc('piw.record_builds'), 'EXECUTE') AND "                                          \
    "has_function_privilege(to_regproc('piw.apply_pypi_events'), 'EXECUTE'), false)"

/* Sets the session up, and asks in the same breath for what is nearly always well. `*well`: it is, and nothing else need be
 * asked. */
static int set_up(database *db, bool *well, piw_err *err)
{
    /* Reads give up after half a minute. Writes never do, but for a lock that someone else holds: then they begin anew
     * later, and the task can be stopped meanwhile. */
    const char *query = db->reads
                            ? "SELECT (SELECT version FROM public.configuration WHERE id = 1), (SELECT version FROM "
                              "piw.configuration), has_table_privilege('public.builds', 'SELECT') AND " MAY_EXECUTE
                              ", pg_backend_pid(), set_config('timezone', 'UTC', false), "
                              "set_config('statement_timeout', '30s', false)"
                            : "SELECT (SELECT version FROM public.configuration WHERE id = 1), (SELECT version FROM "
                              "piw.configuration), has_table_privilege('public.builds', 'SELECT') AND " MAY_EXECUTE
                              ", pg_backend_pid(), set_config('timezone', 'UTC', false), "
                              "set_config('lock_timeout', '5s', false), "
                              "set_config('default_transaction_isolation', 'read committed', false)";
    const char *super = PQparameterStatus(db->conn, "is_superuser");
    PGresult *r = NULL;
    int rc = database_query(db, query, NULL, &r, err);
    if (rc != 0)
        return rc;
    db->session = row_int(r, 0, 3);
    *well = super != NULL && strcmp(super, "off") == 0 && piw_text_is(row_text(r, 0, 0), STOCK_SCHEMA_VERSION) &&
            row_int(r, 0, 1) == PIW_SCHEMA_VERSION && row_bool(r, 0, 2);
    PQclear(r);
    return 0;
}

/* What is wrong, in the order in which it is to be mended. */
static int find_fault(database *db, piw_err *err)
{
    PGresult *r = NULL;
    int rc = database_query(db,
                            "SELECT to_regclass('public.configuration') IS NOT NULL, "
                            "to_regclass('piw.configuration') IS NOT NULL, rolsuper, current_user "
                            "FROM pg_roles WHERE rolname = current_user",
                            NULL, &r, err);
    if (rc != 0)
        return rc;
    bool stock = row_bool(r, 0, 0), ours = row_bool(r, 0, 1), super = row_bool(r, 0, 2);
    char role[64];
    snprintf(role, sizeof(role), "%s", PQgetvalue(r, 0, 3));
    PQclear(r);
    if (super)
        return refuse(db, err, "is reached as %s, a superuser, as which the master must not run", role);
    if (!stock)
        return refuse(db, err, "has no tables of a build farm: run piw-initdb first");
    if (!ours)
        return refuse(db, err, "has no schema piw that %s can see: run piw-initdb first", role);
    rc = database_query(db,
                        "SELECT has_schema_privilege('public', 'USAGE') AND has_schema_privilege('piw', 'USAGE') "
                        "AND has_table_privilege('public.configuration', 'SELECT') "
                        "AND has_table_privilege('public.builds', 'SELECT') "
                        "AND has_table_privilege('piw.configuration', 'SELECT') AND " MAY_EXECUTE,
                        NULL, &r, err);
    if (rc != 0)
        return rc;
    bool may = row_bool(r, 0, 0);
    PQclear(r);
    if (!may)
        return refuse(db, err,
                      "does not let %s read its tables and execute its functions: was piw-initdb run with "
                      "--user %s?",
                      role, role);
    rc = database_query(db,
                        "SELECT (SELECT version FROM public.configuration WHERE id = 1), "
                        "(SELECT version FROM piw.configuration)",
                        NULL, &r, err);
    if (rc != 0)
        return rc;
    if (!piw_text_is(row_text(r, 0, 0), STOCK_SCHEMA_VERSION))
        rc = refuse(db, err, "is of version %s, not %s: run piw-initdb", PQgetvalue(r, 0, 0), STOCK_SCHEMA_VERSION);
    else if (row_int(r, 0, 1) != PIW_SCHEMA_VERSION)
        rc = refuse(db, err, "has schema piw of version %s, not %d: run piw-initdb", PQgetvalue(r, 0, 1),
                    PIW_SCHEMA_VERSION);
    PQclear(r);
    return rc;
}

int database_check(database *db, piw_err *err)
{
    if (PQserverVersion(db->conn) < SERVER_MIN)
        return refuse(db, err, "runs on PostgreSQL %d: 13 or newer is needed", PQserverVersion(db->conn) / 10000);
    piw_err found_err = {0};
    bool well = false;
    int rc = set_up(db, &well, err);
    if (rc == 0 && well)
        return 0;
    if (rc != 0 && rc != PIW_EDB)
        return rc;
    int found = find_fault(db, &found_err);
    if (found == 0)
        return rc; /* 0: all is well with what a pooler doesn't tell */
    *err = found_err;
    return found;
}

/* Errors that are no fault of the data: resources, an operator's intervention, a shutdown, locks, a standby; and a session that
 * doesn't have the statements that were prepared in it, or has others: somebody else's, by a pooler. */
static bool is_passing(const char *sqlstate)
{
    static const char *const classes[] = {"08", "26", "42P05", "53", "57P", "40", "55P03", "25006", "58"};
    for (size_t i = 0; i < PIW_COUNT(classes); i++)
        if (strncmp(sqlstate, classes[i], strlen(classes[i])) == 0)
            return true;
    return false;
}

static int settle(database *db, PGresult *r, PGresult **result, piw_err *err)
{
    ExecStatusType status = PQresultStatus(r);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        if (result != NULL)
            *result = r;
        else
            PQclear(r);
        return 0;
    }
    char text[300];
    const char *state = r != NULL ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
    const char *message = r != NULL ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    bool passing = state == NULL || is_passing(state) || PQstatus(db->conn) != CONNECTION_OK;
    first_line(text, sizeof(text), message != NULL ? message : PQerrorMessage(db->conn));
    int rc = piw_err_set(err, passing ? PIW_EDBAWAY : PIW_EDB, "%s%s%s", text, state != NULL ? ", SQLSTATE " : "",
                         state != NULL ? state : "");
    PQclear(r);
    return rc;
}

int database_query(database *db, const char *sql, params *p, PGresult **result, piw_err *err)
{
    params_sent ready = {.values = {0}};
    int count = p != NULL ? p->count : 0;
    if (p != NULL)
        params_values(p, &ready);
    PGresult *r = PQexecParams(db->conn, sql, count, NULL, ready.values, ready.lengths, ready.formats, 0);
    if (p != NULL)
        params_fini(p);
    return settle(db, r, result, err);
}

int database_run(database *db, const char *sql, piw_err *err)
{
    return settle(db, PQexec(db->conn, sql), NULL, err);
}

/* --- Many at a time ----------------------------------------------------------------------------------------------- */

static int cant(database *db, piw_err *err)
{
    return settle(db, NULL, NULL, err);
}

/* A transaction takes more memory than the server's malloc keeps when it is over: it would be given back to the system and
 * fetched anew, page by page, each time (60 us of a build's 500). glibc keeps twice as much as the largest piece that it
 * ever got back; other allocators find nothing in this. */
static int keep_memory(database *db, piw_err *err)
{
    return database_run(db, "SELECT octet_length(repeat(repeat(' ', 1024), 1024))", err);
}

int database_prepare(database *db, const statement *which, piw_err *err)
{
    for (int i = 0; i < db->prepared_count; i++)
        if (db->prepared[i] == which)
            return 0;
    assert(db->prepared_count < STATEMENTS_MAX);
    int rc = db->prepared_count == 0 ? keep_memory(db, err) : 0;
    if (rc == 0)
        rc = settle(db, PQprepare(db->conn, which->name, which->sql, 0, NULL), NULL, err);
    if (rc == 0)
        db->prepared[db->prepared_count++] = which;
    return rc;
}

int database_many(database *db, piw_err *err)
{
    db->ended = false;
    return PQenterPipelineMode(db->conn) != 0 ? 0 : cant(db, err);
}

int database_send(database *db, const statement *which, params *p, piw_err *err)
{
    params_sent ready = {.values = {0}};
    int count = p != NULL ? p->count : 0;
    if (p != NULL)
        params_values(p, &ready);
    int sent = PQsendQueryPrepared(db->conn, which->name, count, ready.values, ready.lengths, ready.formats, 0);
    if (p != NULL)
        params_fini(p);
    return sent != 0 ? 0 : cant(db, err);
}

int database_flush(database *db, piw_err *err)
{
    return PQsendFlushRequest(db->conn) != 0 && PQflush(db->conn) == 0 ? 0 : cant(db, err);
}

int database_end(database *db, piw_err *err)
{
    db->ended = PQpipelineSync(db->conn) != 0;
    return db->ended ? 0 : cant(db, err);
}

int database_take(database *db, PGresult **result, piw_err *err)
{
    PGresult *r = PQgetResult(db->conn);
    int rc = settle(db, r, result, err);
    /* Each answer has an end of its own. */
    if (r != NULL)
        PQclear(PQgetResult(db->conn));
    return rc;
}

/* Read up to where the server begins anew. Two ends in a row: nothing will come any more. */
static bool reach_sync(PGconn *conn)
{
    for (int ends = 0; ends < 2 && PQstatus(conn) == CONNECTION_OK;) {
        PGresult *r = PQgetResult(conn);
        bool reached = r != NULL && PQresultStatus(r) == PGRES_PIPELINE_SYNC;
        ends = r != NULL ? 0 : ends + 1;
        PQclear(r);
        if (reached)
            return true;
    }
    return false;
}

void database_done(database *db)
{
    if (db->conn == NULL || PQpipelineStatus(db->conn) == PQ_PIPELINE_OFF)
        return;
    bool ended = db->ended || PQpipelineSync(db->conn) != 0;
    if (!ended || !reach_sync(db->conn) || PQexitPipelineMode(db->conn) == 0)
        database_close(db);
}

bool database_lost(database *db)
{
    return db->conn == NULL || PQconsumeInput(db->conn) == 0 || PQstatus(db->conn) != CONNECTION_OK;
}

bool row_null(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) != 0;
}

int64_t row_int(const PGresult *result, int row, int column)
{
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

bool row_bool(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

piw_text row_text(const PGresult *result, int row, int column)
{
    if (row_null(result, row, column))
        return (piw_text){0};
    return (piw_text){PQgetvalue(result, row, column), (uint32_t)PQgetlength(result, row, column)};
}

piw_text row_copy(piw_msg *msg, const PGresult *result, int row, int column)
{
    piw_text text = row_text(result, row, column);
    return text.s == NULL ? text : piw_text_copy(msg, text);
}

void row_split(piw_msg *msg, const PGresult *result, int row, int column, uint32_t *count, piw_text **list)
{
    piw_text joined = row_text(result, row, column);
    uint32_t parts = joined.len > 0 ? 1 : 0;
    for (uint32_t i = 0; i < joined.len; i++)
        parts += joined.s[i] == '\x1f';
    *list = piw_msg_alloc(msg, sizeof(piw_text) * parts);
    *count = parts;
    const char *at = joined.s;
    for (uint32_t i = 0; i < parts; i++) {
        size_t len = strcspn(at, "\x1f");
        (*list)[i] = piw_msg_text(msg, at, (uint32_t)len);
        at += len + 1;
    }
}
