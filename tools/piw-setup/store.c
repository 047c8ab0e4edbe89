/* store.c — PostgreSQL of this machine: that it runs, the role, the database, its tables. */
#include "setup.h"

#include "child.h"

#include <stdlib.h>
#include <time.h>

enum { SERVER_WAIT_S = 60 };

static bool server_answers(void)
{
    const char *argv[] = {"pg_isready", "--quiet", NULL};
    return child_run(SETUP_SUPERUSER, argv, NULL, NULL) == 0;
}

int setup_server(const setup *self, piw_err *err)
{
    (void)self;
    if (server_answers()) {
        setup_say("kept", "PostgreSQL runs");
        return 0;
    }
    const char *argv[] = {"service", "postgresql", "start", NULL};
    int rc = child_run(NULL, argv, NULL, err);
    if (rc != 0) {
        piw_err_prefix(err, "PostgreSQL doesn't run and can't be started");
        return rc;
    }
    int64_t until_ns = piw_monotonic_ns() + SERVER_WAIT_S * INT64_C(1000000000);
    while (!server_answers()) {
        if (piw_monotonic_ns() > until_ns)
            return piw_err_set(err, PIW_EDBAWAY,
                               "PostgreSQL was started but doesn't answer on its socket: see /var/log/postgresql");
        nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    }
    setup_say("started", "PostgreSQL");
    return 0;
}

/* Does the query have a row? The names in it are this program's own. */
static int has_row(const char *query, bool *has, piw_err *err)
{
    char *said = NULL;
    const char *argv[] = {"psql", "-X", "-A", "-t", "-q", "-d", "postgres", "-c", query, NULL};
    int rc = child_run(SETUP_SUPERUSER, argv, &said, err);
    if (rc == 0)
        *has = said[0] == '1';
    free(said);
    return rc;
}

static int make_once(const char *query, const char *const argv[], const char *what, piw_err *err)
{
    bool has = false;
    int rc = has_row(query, &has, err);
    if (rc == 0 && !has)
        rc = child_run(SETUP_SUPERUSER, argv, NULL, err);
    if (rc == 0)
        setup_say(has ? "kept" : "made", "%s", what);
    return rc;
}

static int make_tables(const setup *self, piw_err *err)
{
    size_t count = 0;
    while (self->abis[count] != NULL)
        count++;
    const char **argv = piw_alloc((count + 3) * sizeof(*argv));
    char *program = piw_sprintf("%s/piw-initdb", self->programs), *said = NULL;
    argv[0] = program;
    argv[1] = "--yes";
    for (size_t i = 0; i <= count; i++)
        argv[i + 2] = self->abis[i];
    int rc = child_run(SETUP_SUPERUSER, argv, &said, err);
    if (rc == 0)
        for (char *rest = said, *line; (line = strsep(&rest, "\n")) != NULL;)
            if (*line != '\0')
                setup_say("piw-initdb", "%s", line);
    free(program);
    free(said);
    free(argv);
    return rc;
}

int setup_database(const setup *self, piw_err *err)
{
    const char *role[] = {"createuser", "--no-password", SETUP_MASTER_USER, NULL};
    const char *database[] = {"createdb", "--encoding=UTF8", "--template=template0", SETUP_DATABASE, NULL};
    int rc = make_once("SELECT 1 FROM pg_roles WHERE rolname = '" SETUP_MASTER_USER "'", role,
                       "role " SETUP_MASTER_USER ", which may read tables and call functions", err);
    rc = rc != 0 ? rc
                 : make_once("SELECT 1 FROM pg_database WHERE datname = '" SETUP_DATABASE "'", database,
                             "database " SETUP_DATABASE, err);
    return rc != 0 ? rc : make_tables(self, err);
}
