/* database.c — what piw-initdb does to a database. */
#include "database.h"

#include "common/progress.h"

#include "schema.h"
#include "shared/dsn.h"
#include "shared/schema_version.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { REPAIR_SLICE = 10000 }; /* versions looked at in one step of a repair: some tenths of a second */

/* The server's message without its newline at the end. */
static const char *message_of(const PGconn *conn, char *to, size_t size)
{
    snprintf(to, size, "%s", PQerrorMessage(conn));
    to[strcspn(to, "\n")] = '\0';
    return to;
}

int database_open(const char *dsn, PGconn **conn, piw_err *err)
{
    char *normal = piw_dsn_normal(dsn), *shown = piw_dsn_print(dsn);
    const char *names[] = {"dbname", "fallback_application_name", "client_encoding", "connect_timeout", NULL};
    const char *values[] = {normal, "piw-initdb", "UTF8", "10", NULL};
    *conn = PQconnectdbParams(names, values, 1);
    int rc = 0;
    if (*conn == NULL) {
        rc = piw_err_set(err, PIW_ENOMEM, "no memory for a database connection");
    } else if (PQstatus(*conn) != CONNECTION_OK) {
        char text[300];
        message_of(*conn, text, sizeof(text));
        rc = piw_err_set(err, PIW_EDBAWAY, "can't connect to database %s: %s%s", shown, text,
                         strstr(text, "does not exist") != NULL ? " (create it first: createdb)" : "");
        PQfinish(*conn);
        *conn = NULL;
    }
    free(normal);
    free(shown);
    return rc;
}

/* Run with text parameters; NULL and err set when it fails. */
static PGresult *query(PGconn *conn, const char *what, const char *sql, int count, const char *const *values,
                       piw_err *err)
{
    PGresult *result = PQexecParams(conn, sql, count, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return result;
    char text[300];
    piw_err_set(err, PIW_EDB, "%s: %s", what, message_of(conn, text, sizeof(text)));
    PQclear(result);
    return NULL;
}

int database_run(PGconn *conn, const char *sql, const char *what, piw_err *err)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    int rc = 0;
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        char text[300];
        rc = piw_err_set(err, PIW_EDB, "%s: %s", what, message_of(conn, text, sizeof(text)));
    }
    PQclear(result);
    return rc;
}

/* Owners, members of powerful roles and whom somebody has granted it may do what no GRANT of ours gives. */
static int check_reach(PGconn *conn, const char *user, piw_err *err)
{
    static const char sql[] =
        "SELECT format('it is a member of role %s: REVOKE %I FROM %I', r.rolname, r.rolname, $1::name)"
        " FROM pg_roles r WHERE r.rolname <> $1::name AND pg_has_role($1::name, r.oid, 'MEMBER') AND (r.rolsuper OR "
        "r.rolname IN"
        " ('pg_write_all_data', 'pg_write_server_files', 'pg_execute_server_program'))"
        " UNION ALL SELECT format('it owns the database: ALTER DATABASE %I OWNER TO %I', d.datname, current_user)"
        " FROM pg_database d WHERE d.datname = current_database() AND pg_has_role($1::name, d.datdba, 'MEMBER')"
        " UNION ALL SELECT format('it owns %s: ALTER TABLE %s OWNER TO %I', c.oid::regclass, c.oid::regclass, "
        "current_user)"
        " FROM pg_class c WHERE c.relnamespace IN (SELECT n.oid FROM pg_namespace n WHERE n.nspname IN ('public', "
        "'piw'))"
        " AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND pg_has_role($1::name, c.relowner, 'MEMBER')"
        " UNION ALL SELECT format('it owns %s: ALTER ROUTINE %s OWNER TO %I', p.oid::regprocedure, p.oid::regprocedure,"
        " current_user) FROM pg_proc p WHERE p.pronamespace IN (SELECT n.oid FROM pg_namespace n"
        " WHERE n.nspname IN ('public', 'piw')) AND pg_has_role($1::name, p.proowner, 'MEMBER')"
        " UNION ALL SELECT format('it has %s on %s: REVOKE %s ON %s FROM %s', x.privilege_type, c.oid::regclass,"
        " x.privilege_type, c.oid::regclass, CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END)"
        " FROM pg_class c CROSS JOIN aclexplode(c.relacl) x"
        " WHERE c.relnamespace IN (SELECT n.oid FROM pg_namespace n WHERE n.nspname IN ('public', 'piw'))"
        " AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND x.privilege_type <> 'SELECT'"
        " AND CASE x.grantee WHEN 0 THEN true ELSE pg_has_role($1::name, x.grantee, 'MEMBER') END"
        " LIMIT 1";
    PGresult *reach = query(conn, "reading privileges", sql, 1, &user, err);
    if (reach == NULL)
        return PIW_EDB;
    int rc = PQntuples(reach) == 0
                 ? 0
                 : piw_err_set(err, PIW_EREFUSED, "user %s may do more than read and call functions, %s", user,
                               PQgetvalue(reach, 0, 0));
    PQclear(reach);
    return rc;
}

int database_check_roles(PGconn *conn, const char *user, piw_err *err)
{
    PGresult *own =
        query(conn, "reading roles", "SELECT rolsuper FROM pg_roles WHERE rolname = current_user", 0, NULL, err);
    if (own == NULL)
        return PIW_EDB;
    bool super = PQntuples(own) == 1 && PQgetvalue(own, 0, 0)[0] == 't';
    PQclear(own);
    if (!super)
        return piw_err_set(err, PIW_EREFUSED,
                           "user %s is not a superuser of the database server: run piw-initdb as one (postgres)",
                           PQuser(conn));
    PGresult *other = query(conn, "reading roles", "SELECT rolsuper FROM pg_roles WHERE rolname = $1", 1, &user, err);
    if (other == NULL)
        return PIW_EDB;
    bool known = PQntuples(other) == 1, other_super = known && PQgetvalue(other, 0, 0)[0] == 't';
    PQclear(other);
    if (!known)
        return piw_err_set(err, PIW_ENOENT,
                           "user %s does not exist: create it first (createuser %s), or name another "
                           "with --user",
                           user, user);
    if (other_super)
        return piw_err_set(err, PIW_EREFUSED, "user %s is a superuser: the master must not run as one", user);
    return check_reach(conn, user, err);
}

/* The one value of a one-row query as a copy, or NULL with err untouched when there is no row. */
static int one_value(PGconn *conn, const char *what, const char *sql, char **value, piw_err *err)
{
    *value = NULL;
    PGresult *result = query(conn, what, sql, 0, NULL, err);
    if (result == NULL)
        return PIW_EDB;
    if (PQntuples(result) > 0 && !PQgetisnull(result, 0, 0))
        *value = piw_strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    return 0;
}

static int refuse_version(const char *version, piw_err *err)
{
    int major = 0, minor = 0;
    char rest = '\0';
    if (sscanf(version, "%d.%d%c", &major, &minor, &rest) != 2)
        return piw_err_set(err, PIW_EREFUSED, "the database says it is of version '%s', which is unknown", version);
    if (major == 0 && minor < 22)
        return piw_err_set(err, PIW_EREFUSED,
                           "the database has version %s, older than 0.22: run the piw-initdb of the stock release %s "
                           "first, then this one",
                           version, STOCK_SCHEMA_VERSION);
    return piw_err_set(err, PIW_EREFUSED, "the database has version %s, which is newer than this program's %s", version,
                       STOCK_SCHEMA_VERSION);
}

/* Names and descriptions are any text, so the encoding must hold it; tables of somebody else are in the way. */
static int check_empty(PGconn *conn, piw_err *err)
{
    const char *encoding = PQparameterStatus(conn, "server_encoding");
    if (encoding == NULL || strcmp(encoding, "UTF8") != 0)
        return piw_err_set(err, PIW_EREFUSED,
                           "database %s is encoded in %s, UTF8 is needed: create it anew (createdb --encoding=UTF8 "
                           "--template=template0)",
                           PQdb(conn), encoding != NULL ? encoding : "an unknown way");
    char *table = NULL;
    int rc = one_value(conn, "looking for tables",
                       "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname IN "
                       "('packages', 'package_names', 'versions', 'build_abis', 'builds', 'files', 'dependencies', "
                       "'downloads', 'searches', 'project_page_hits', 'project_json_downloads', 'web_page_hits', "
                       "'rewrites_pending', 'preinstalled_apt_packages', 'builds_pending') ORDER BY relname LIMIT 1",
                       &table, err);
    if (rc == 0 && table != NULL)
        rc = piw_err_set(err, PIW_EREFUSED,
                         "database %s holds a table %s of something else: use a database of the farm's own", PQdb(conn),
                         table);
    free(table);
    return rc;
}

/* Stock's tables are the stock role's: adopting gives nobody rights on them. */
static int check_stock_rights(PGconn *conn, const char *user, piw_err *err)
{
    PGresult *r = query(conn, "reading privileges",
                        "SELECT has_table_privilege($1, 'public.configuration', 'SELECT') "
                        "AND has_function_privilege($1, 'public.get_pypi_serial()', 'EXECUTE')",
                        1, &user, err);
    if (r == NULL)
        return PIW_EDB;
    bool may = PQgetvalue(r, 0, 0)[0] == 't';
    PQclear(r);
    return may ? 0
               : piw_err_set(
                     err, PIW_EREFUSED,
                     "user %s may not use the tables in database %s, which were made for another one: name that "
                     "with --user",
                     user, PQdb(conn));
}

static int look_at_piw(PGconn *conn, database_state *state, piw_err *err)
{
    char *there = NULL, *version = NULL;
    int rc = one_value(conn, "looking for schema piw", "SELECT to_regclass('piw.configuration')", &there, err);
    if (rc == 0 && there != NULL)
        rc = one_value(conn, "reading the version of schema piw", "SELECT version FROM piw.configuration", &version,
                       err);
    state->piw = version != NULL ? atoi(version) : 0;
    if (rc == 0 && there == NULL)
        rc = one_value(conn, "looking for schema piw", "SELECT 1 FROM pg_namespace WHERE nspname = 'piw'", &version,
                       err);
    if (rc == 0 && there == NULL && version != NULL)
        rc = piw_err_set(err, PIW_EREFUSED, "database %s holds a schema piw of something else: drop or rename it",
                         PQdb(conn));
    else if (rc == 0 && there != NULL && (state->piw < 1 || state->piw > PIW_SCHEMA_VERSION))
        rc =
            piw_err_set(err, PIW_EREFUSED,
                        "schema piw is of version %s, this program knows 1 to %d: use the piw-initdb that came with it",
                        version != NULL ? version : "(none)", PIW_SCHEMA_VERSION);
    free(there);
    free(version);
    return rc;
}

int database_look(PGconn *conn, const char *user, database_state *state, piw_err *err)
{
    *state = (database_state){0};
    char *there = NULL, *version = NULL;
    int rc = one_value(conn, "looking for tables", "SELECT to_regclass('public.configuration')", &there, err);
    if (rc == 0 && there == NULL) {
        state->empty = true;
        return check_empty(conn, err);
    }
    free(there);
    if (rc == 0)
        rc = one_value(conn, "reading the version", "SELECT version FROM public.configuration WHERE id = 1", &version,
                       err);
    state->stock_22 = version != NULL && strcmp(version, "0.22") == 0;
    if (rc == 0 && !state->stock_22 && (version == NULL || strcmp(version, STOCK_SCHEMA_VERSION) != 0))
        rc = refuse_version(version != NULL ? version : "", err);
    free(version);
    if (rc == 0)
        rc = check_stock_rights(conn, user, err);
    return rc != 0 ? rc : look_at_piw(conn, state, err);
}

bool database_is_current(const database_state *state)
{
    return !state->empty && !state->stock_22 && state->piw == PIW_SCHEMA_VERSION;
}

/* --- Making ---------------------------------------------------------------------------------------------------------- */

static double seconds_since(int64_t begin_ns)
{
    return (double)(piw_monotonic_ns() - begin_ns) / 1e9;
}

enum { WORTH_SAYING_S = 1 };

/* A step that takes long: for how long already, and how far it is if it tells. */
typedef struct progress {
    tool_progress shown;
    int64_t begin_ns;
    int percent; /* the latest; 0: it hasn't told */
    PQnoticeReceiver receiver;
} progress;

static void say_progress(progress *self)
{
    tool_progress_show(&self->shown, false, self->percent, self->percent > 0 ? 100 : 0, "%s%.0f s so far",
                       self->percent > 0 ? "" : "  ", seconds_since(self->begin_ns));
}

/* How far the step is (piw.tell_progress), or something for whoever listens otherwise. */
static void on_notice(void *arg, const PGresult *result)
{
    progress *self = arg;
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (code != NULL && text != NULL && strcmp(code, "PIW01") == 0)
        self->percent = atoi(text); /* "37 % done" */
    else
        self->receiver(NULL, result); /* libpq's own, which calls the notice processor */
}

/* Wait for the next result. NULL: it was the last. */
static PGresult *next_result(PGconn *conn, progress *step)
{
    while (PQisBusy(conn)) {
        struct pollfd fd = {.fd = PQsocket(conn), .events = POLLIN};
        (void)poll(&fd, 1, WORTH_SAYING_S * 1000); /* whatever comes of it, the connection tells */
        if (PQconsumeInput(conn) == 0)
            break;
        say_progress(step);
    }
    return PQgetResult(conn);
}

/* Run statements that may take long, showing how far they are. The first value of the last of them goes to `value` as a
 * copy, unless that is NULL. */
static int run_long(PGconn *conn, const char *sql, const char *what, char **value, piw_err *err)
{
    progress step = {.begin_ns = piw_monotonic_ns()};
    tool_progress_begin(&step.shown, stdout);
    step.receiver = PQsetNoticeReceiver(conn, on_notice, &step);
    int rc = 0;
    char text[300];
    if (PQsendQuery(conn, sql) == 0)
        rc = piw_err_set(err, PIW_EDB, "%s: %s", what, message_of(conn, text, sizeof(text)));
    for (PGresult *r; (r = next_result(conn, &step)) != NULL; PQclear(r)) {
        ExecStatusType status = PQresultStatus(r);
        if (rc == 0 && status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
            rc = piw_err_set(err, PIW_EDB, "%s: %s", what, message_of(conn, text, sizeof(text)));
        if (rc != 0 || value == NULL || PQntuples(r) == 0)
            continue;
        free(*value);
        *value = PQgetisnull(r, 0, 0) ? NULL : piw_strdup(PQgetvalue(r, 0, 0));
    }
    PQsetNoticeReceiver(conn, step.receiver, NULL);
    tool_progress_clear(&step.shown);
    if (rc == 0 && seconds_since(step.begin_ns) >= WORTH_SAYING_S)
        printf("  done in %.1f s\n", seconds_since(step.begin_ns));
    fflush(stdout);
    return rc;
}

static int run_file(PGconn *conn, const schema_file *file, piw_err *err)
{
    printf("%s\n", file->doing);
    fflush(stdout);
    return run_long(conn, file->sql, file->name, NULL, err);
}

static int run_files(PGconn *conn, const schema_file *files, piw_err *err)
{
    int rc = 0;
    for (; rc == 0 && files->name != NULL; files++)
        rc = run_file(conn, files, err);
    return rc;
}

/* A count of a stock table may take long: what is ahead is said first, from the server's own estimate. */
static int run_counts(PGconn *conn, piw_err *err)
{
    char *rows = NULL;
    int rc =
        one_value(conn, "estimating",
                  "SELECT string_agg(c.relname || ' ' || greatest(c.reltuples, 0)::bigint, ', ' ORDER BY c.relname) "
                  "FROM pg_class c WHERE c.oid IN ('public.versions'::regclass, 'public.builds'::regclass, "
                  "'public.files'::regclass, 'public.downloads'::regclass)",
                  &rows, err);
    if (rc == 0)
        printf("about to count, by the server's estimate: %s rows\n", rows != NULL ? rows : "no");
    free(rows);
    return rc != 0 ? rc : run_files(conn, schema_counts, err);
}

/* Functions of another version can't be worked with: whoever has a connection would fail at each statement. */
static int check_nobody_works(PGconn *conn, piw_err *err)
{
    char *there = NULL;
    int rc = one_value(conn, "looking for a master",
                       "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                       "AND application_name LIKE 'piw-master%' HAVING count(*) > 0",
                       &there, err);
    if (rc == 0 && there != NULL)
        rc = piw_err_set(err, PIW_EREFUSED, "a master is connected to database %s: stop it first, then upgrade",
                         PQdb(conn));
    free(there);
    return rc;
}

int database_count_back(PGconn *conn, const database_state *state, long *versions, piw_err *err)
{
    *versions = -1;
    if (state->piw == 0 || state->piw >= SCHEMA_COVERAGE)
        return 0;
    int rc = check_nobody_works(conn, err);
    if (rc == 0)
        rc = database_run(conn, "BEGIN", "beginning", err);
    if (rc != 0)
        return rc;
    printf("looking for versions whose builds do for fewer ABIs than was thought\n");
    fflush(stdout);
    char *text = NULL;
    for (const schema_file *file = schema_count_back; rc == 0 && file->name != NULL; file++)
        rc = run_long(conn, file->sql, file->name, &text, err);
    *versions = text != NULL ? atol(text) : 0;
    free(text);
    piw_err ignored_err = {0};
    int taken_back = database_run(conn, "ROLLBACK", "taking it back", rc == 0 ? err : &ignored_err);
    return rc != 0 ? rc : taken_back;
}

int database_has_abi(PGconn *conn, const char *abi, bool *there, piw_err *err)
{
    PGresult *r = query(conn, "looking at the ABIs", "SELECT FROM public.build_abis WHERE abi_tag = $1 AND skip = ''",
                        1, &abi, err);
    if (r == NULL)
        return PIW_EDB;
    *there = PQntuples(r) > 0;
    PQclear(r);
    return 0;
}

int database_add_abi(PGconn *conn, const char *abi, piw_err *err)
{
    PGresult *r = query(conn, "adding an ABI", "SELECT outcome FROM piw.add_abi($1)", 1, &abi, err);
    if (r == NULL)
        return PIW_EDB;
    printf(strcmp(PQgetvalue(r, 0, 0), "known") == 0 ? "%s is built for already\n" : "%s is built for from now on\n",
           abi);
    PQclear(r);
    return 0;
}

int database_count_abis(PGconn *conn, long *abis, piw_err *err)
{
    char *text = NULL;
    int rc = one_value(conn, "counting the ABIs", "SELECT count(*) FROM public.build_abis", &text, err);
    *abis = text != NULL ? atol(text) : 0;
    free(text);
    return rc;
}

static int upgrade_piw(PGconn *conn, int from, piw_err *err)
{
    int rc = check_nobody_works(conn, err);
    if (rc == 0)
        rc = run_file(conn, &schema_drop_programs, err);
    for (const schema_step *step = schema_steps; rc == 0 && step->from != 0; step++)
        if (step->from >= from)
            rc = run_file(conn, &step->tables, err);
    if (rc == 0)
        rc = run_files(conn, schema_piw_programs, err);
    for (const schema_step *step = schema_steps; rc == 0 && step->from != 0; step++)
        if (step->from >= from && step->fill.name != NULL)
            rc = run_file(conn, &step->fill, err);
    return rc;
}

static int make_piw(PGconn *conn, bool empty, piw_err *err)
{
    int rc = run_files(conn, schema_piw_tables, err);
    if (rc == 0)
        rc = run_files(conn, schema_piw_programs, err);
    return rc != 0 || empty ? rc : run_counts(conn, err);
}

static int grant(PGconn *conn, const char *user, const char *schemas, piw_err *err)
{
    const char *values[] = {user, schemas};
    PGresult *set =
        query(conn, "naming the role", "SELECT set_config('piw.role', $1, true), set_config('piw.schemas', $2, true)",
              2, values, err);
    if (set == NULL)
        return PIW_EDB;
    PQclear(set);
    return run_file(conn, &schema_grants, err);
}

/* The function that release 0.23 brings is the only one of the stock schema that gets anew what the others have. */
static int grant_project_data(PGconn *conn, const char *user, piw_err *err)
{
    PGresult *r = query(conn, "naming the role",
                        "SELECT format('REVOKE ALL ON FUNCTION public.get_project_data(text) FROM PUBLIC; "
                        "GRANT EXECUTE ON FUNCTION public.get_project_data(text) TO %I', $1::text)",
                        1, &user, err);
    if (r == NULL)
        return PIW_EDB;
    int rc = database_run(conn, PQgetvalue(r, 0, 0), "granting get_project_data", err);
    PQclear(r);
    return rc;
}

/* What the transaction has made so far, in numbers. */
static int say_contents(PGconn *conn, piw_err *err)
{
    char *text = NULL;
    int rc =
        one_value(conn, "counting",
                  "SELECT format('schema piw has version %s, %s tables, %s functions, %s triggers on stock tables', "
                  "(SELECT version FROM piw.configuration), "
                  "(SELECT count(*) FROM pg_class WHERE relnamespace = 'piw'::regnamespace AND relkind = 'r'), "
                  "(SELECT count(*) FROM pg_proc WHERE pronamespace = 'piw'::regnamespace), "
                  "(SELECT count(*) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
                  "WHERE p.pronamespace = 'piw'::regnamespace AND NOT t.tgisinternal))",
                  &text, err);
    if (rc == 0)
        printf("%s\n", text);
    free(text);
    return rc;
}

int database_make(PGconn *conn, const database_state *state, const char *user, piw_err *err)
{
    /* Locks on the tables are waited for, but not for ever. */
    int rc = database_run(conn, "SET LOCAL lock_timeout = '60s'", "setting a timeout", err);
    if (rc == 0 && state->empty)
        rc = run_files(conn, schema_public, err);
    if (rc == 0 && state->stock_22)
        rc = run_files(conn, schema_stock_step, err);
    if (rc == 0 && state->stock_22)
        rc = grant_project_data(conn, user, err);
    if (rc == 0 && state->piw == 0)
        rc = make_piw(conn, state->empty, err);
    else if (rc == 0 && state->piw < PIW_SCHEMA_VERSION)
        rc = upgrade_piw(conn, state->piw, err);
    if (rc == 0)
        rc = grant(conn, user, state->empty ? "public piw" : "piw", err);
    return rc != 0 ? rc : say_contents(conn, err);
}

/* --- Checking -------------------------------------------------------------------------------------------------------- */

/* Everything that is noted becomes rows of the build queue. */
static int settle_queue(PGconn *conn, piw_err *err)
{
    char sql[64];
    snprintf(sql, sizeof(sql), "SELECT piw.drain(%d)", REPAIR_SLICE);
    int rc = 0;
    for (bool more = true; rc == 0 && more;) {
        char *text = NULL;
        rc = one_value(conn, "filling the queue", sql, &text, err);
        more = text != NULL && text[0] == 't';
        free(text);
    }
    return rc;
}

/* How many of our triggers on stock tables are not there, or don't fire. */
static int count_lost(PGconn *conn, long *lost, piw_err *err)
{
    static const char word[] = "CREATE TRIGGER ";
    char *there = NULL;
    int rc =
        one_value(conn, "looking at the triggers",
                  "SELECT count(*) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
                  "WHERE p.pronamespace = 'piw'::regnamespace AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')",
                  &there, err);
    *lost = there != NULL ? -atol(there) : 0;
    free(there);
    for (const char *at = strstr(schema_attach.sql, word); at != NULL; at = strstr(at + 1, word))
        ++*lost;
    return rc;
}

int database_check_triggers(PGconn *conn, bool repair, long *lost, piw_err *err)
{
    int rc = count_lost(conn, lost, err);
    if (rc != 0 || *lost == 0 || !repair)
        return rc;
    rc = database_run(conn, "BEGIN", "beginning", err);
    if (rc == 0)
        rc = run_file(conn, &schema_attach, err);
    return rc != 0 ? rc : database_run(conn, "COMMIT", "committing", err);
}

int database_check_queue(PGconn *conn, bool repair, long *differences, piw_err *err)
{
    char *text = NULL;
    int rc = settle_queue(conn, err);
    if (rc == 0) {
        if (isatty(STDOUT_FILENO))
            printf("comparing the build queue with its definition\n");
        rc = run_long(conn,
                      repair ? "SELECT piw.repair_queue()"
                             : "SELECT (SELECT count(*) FROM piw.check_queue()) + (SELECT count(*) FROM "
                               "piw.check_totals())",
                      "comparing the queue", &text, err);
    }
    if (rc != 0)
        return rc;
    *differences = text != NULL ? atol(text) : 0;
    free(text);
    return repair ? settle_queue(conn, err) : 0;
}
