#include "database.h"

#include "schema.h"
#include "shared/dsn.h"

#include <stdio.h>
#include <stdlib.h>

static const char stock_version[] = "0.23";
enum {
    PIW_SCHEMA_VERSION = 1,
    REPAIR_SLICE = 10000, /* versions looked at in one step of a repair: some tenths of a second */
};

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
        message_of(*conn, text, sizeof text);
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
    piw_err_set(err, PIW_EDB, "%s: %s", what, message_of(conn, text, sizeof text));
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
        rc = piw_err_set(err, PIW_EDB, "%s: %s", what, message_of(conn, text, sizeof text));
    }
    PQclear(result);
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
    return 0;
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
    if (major == 0 && minor <= 22)
        return piw_err_set(err, PIW_EREFUSED,
                           "the database is of version %s: bring it to %s first, with the piw-initdb "
                           "of that stock release",
                           version, stock_version);
    return piw_err_set(err, PIW_EREFUSED, "the database is of version %s, which is newer than this program's %s",
                       version, stock_version);
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

int database_look(PGconn *conn, database_state *state, piw_err *err)
{
    char *there = NULL, *version = NULL, *piw = NULL;
    int rc = one_value(conn, "looking for tables", "SELECT to_regclass('public.configuration')", &there, err);
    if (rc == 0 && there == NULL) {
        *state = DATABASE_EMPTY;
        return check_empty(conn, err);
    }
    if (rc == 0)
        rc = one_value(conn, "reading the version", "SELECT version FROM public.configuration WHERE id = 1", &version,
                       err);
    if (rc == 0 && (version == NULL || strcmp(version, stock_version) != 0))
        rc = refuse_version(version != NULL ? version : "", err);
    free(there);
    free(version);
    if (rc != 0)
        return rc;
    rc = one_value(conn, "looking for schema piw", "SELECT to_regclass('piw.configuration')", &there, err);
    *state = there == NULL ? DATABASE_STOCK : DATABASE_CURRENT;
    if (rc == 0 && there != NULL)
        rc = one_value(conn, "reading the version of schema piw", "SELECT version FROM piw.configuration", &piw, err);
    if (rc == 0 && there != NULL && (piw == NULL || atoi(piw) != PIW_SCHEMA_VERSION))
        rc = piw_err_set(err, PIW_EREFUSED,
                         "schema piw is of version %s, this program's is %d: use the piw-initdb that "
                         "came with it",
                         piw != NULL ? piw : "(none)", PIW_SCHEMA_VERSION);
    free(there);
    free(piw);
    return rc;
}

static int run_file(PGconn *conn, const schema_file *file, const char *doing, piw_err *err)
{
    printf("%s\n", doing);
    fflush(stdout);
    return database_run(conn, file->sql, file->name, err);
}

int database_make(PGconn *conn, database_state state, const char *user, piw_err *err)
{
    int rc = 0;
    if (state == DATABASE_EMPTY)
        rc = run_file(conn, &schema_public, "creating the tables and functions of release 0.23", err);
    static const char *const doing[] = {"creating schema piw: the build queue", "creating schema piw: writing",
                                        "creating schema piw: reading",
                                        "creating schema piw: triggers; counting what is there"};
    for (size_t i = 0; rc == 0 && schema_piw[i].name != NULL; i++)
        rc = run_file(conn, &schema_piw[i], doing[i], err);
    if (rc != 0)
        return rc;
    const char *values[] = {user, state == DATABASE_EMPTY ? "public piw" : "piw"};
    PGresult *set =
        query(conn, "naming the role", "SELECT set_config('piw.role', $1, true), set_config('piw.schemas', $2, true)",
              2, values, err);
    if (set == NULL)
        return PIW_EDB;
    PQclear(set);
    return run_file(conn, &schema_grants, "granting privileges", err);
}

/* Everything that is noted becomes queue rows. */
static int settle_queue(PGconn *conn, piw_err *err)
{
    char sql[64];
    snprintf(sql, sizeof sql, "SELECT piw.drain(%d)", REPAIR_SLICE);
    int rc = 0;
    for (bool more = true; rc == 0 && more;) {
        char *text = NULL;
        rc = one_value(conn, "filling the queue", sql, &text, err);
        more = text != NULL && text[0] == 't';
        free(text);
    }
    return rc;
}

int database_check_queue(PGconn *conn, bool repair, long *differences, piw_err *err)
{
    char *text = NULL;
    int rc = settle_queue(conn, err);
    if (rc == 0)
        rc = one_value(conn, "comparing the queue", "SELECT count(*) FROM piw.check_queue()", &text, err);
    if (rc != 0)
        return rc;
    *differences = text != NULL ? atol(text) : 0;
    free(text);
    if (!repair || *differences == 0)
        return 0;
    rc = database_run(conn, "SELECT piw.recount()", "counting anew", err);
    return rc != 0 ? rc : settle_queue(conn, err);
}
