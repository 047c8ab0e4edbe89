/* main.c — piw-initdb: creates the database of a build farm, or adds schema piw to a stock one (docs/database.md). */
#include "common/programs.h"
#include "database.h"

#include "piw/options.h"
#include "shared/abi.h"
#include "shared/dsn.h"
#include "shared/schema_version.h"

#include <stdio.h>
#include <stdlib.h>

static const piw_opt options[] = {
    {'d', "dsn", PIW_OPT_TEXT, "DSN", "postgres:///piwheels", "the database, as a superuser reaches it"},
    {'u', "user", PIW_OPT_TEXT, "NAME", "piwheels", "the role that the master will use"},
    {0, "abi", PIW_OPT_LIST, "ABI", NULL, "build for this ABI, such as cp311; repeatable", .cli_only = true},
    {'y', "yes", PIW_OPT_SWITCH, NULL, NULL, "don't ask", .cli_only = true},
    {0, "debug", PIW_OPT_SWITCH, NULL, NULL, "show what the server says meanwhile", .cli_only = true},
    {0, "dry-run", PIW_OPT_SWITCH, NULL, NULL, "do everything, then take it back", .cli_only = true},
    {0, "check-queue", PIW_OPT_SWITCH, NULL, NULL, "compare the build queue with its definition", .cli_only = true},
    {0, "repair", PIW_OPT_SWITCH, NULL, NULL, "with --check-queue: make it right", .cli_only = true},
    PIW_OPT_END,
};

static const piw_program program = {
    .name = "piw-initdb",
    .section = "initdb",
    .summary = "Creates the database of the build farm, or adopts a stock one.",
    .options = options,
    .sections = farm_sections,
};

static void say_notice(void *arg, const char *message)
{
    if (*(const bool *)arg)
        fputs(message, stderr);
}

/* What is to be done. */
typedef struct plan {
    database_state state;
    const char *const *abis; /* to be built for; all those that were named */
    size_t abis_count;
    bool adds;          /* some of them aren't yet */
    long versions_back; /* that an upgrade brings back into the build queue */
} plan;

/* "cp39, cp311"; the caller's. */
static char *names_of(const plan *to_do)
{
    char *names = piw_strdup(to_do->abis_count > 0 ? to_do->abis[0] : "");
    for (size_t i = 1; i < to_do->abis_count; i++) {
        char *more = piw_sprintf("%s, %s", names, to_do->abis[i]);
        free(names);
        names = more;
    }
    return names;
}

/* What is going to be done, as a question; the caller's. */
static char *question_of(PGconn *conn, const plan *to_do, const char *user)
{
    const database_state *state = &to_do->state;
    if (state->empty)
        return piw_sprintf("Create the build farm's tables in database %s, for user %s?", PQdb(conn), user);
    if (database_is_current(state)) {
        char *names = names_of(to_do), *question = piw_sprintf("Build for %s in database %s?", names, PQdb(conn));
        free(names);
        return question;
    }
    if (to_do->versions_back > 0)
        return piw_sprintf(
            "Upgrade schema piw in database %s from version %d to %d, and bring %ld %s back into its build "
            "queue?%s",
            PQdb(conn), state->piw, PIW_SCHEMA_VERSION, to_do->versions_back,
            to_do->versions_back == 1 ? "version" : "versions",
            state->stock_22 ? " And upgrade its stock schema from 0.22 to 0.23?" : "");
    if (state->piw != 0)
        return piw_sprintf("Upgrade schema piw in database %s from version %d to %d?%s", PQdb(conn), state->piw,
                           PIW_SCHEMA_VERSION, state->stock_22 ? " And its stock schema from 0.22 to 0.23?" : "");
    return piw_sprintf("%sdd schema piw to the stock database %s, for user %s?",
                       state->stock_22 ? "Upgrade it from release 0.22 to 0.23, and a" : "A", PQdb(conn), user);
}

/* 1: go on, 0: the user said no, negative: error. */
static int agree(const piw_config *config, PGconn *conn, const plan *to_do, piw_err *err)
{
    if (piw_config_switch(config, "yes") || piw_config_switch(config, "dry-run"))
        return 1;
    char *question = question_of(conn, to_do, piw_config_text(config, "user"));
    int answer = piw_ask(question);
    free(question);
    return answer < 0 ? piw_err_set(err, answer, "no answer: nothing was changed (--yes doesn't ask)") : answer;
}

static int check_queue(const piw_config *config, PGconn *conn, const database_state *state, piw_err *err)
{
    if (!database_is_current(state))
        return piw_err_set(err, PIW_EREFUSED, "database %s has no schema piw %s: run piw-initdb first", PQdb(conn),
                           state->piw == 0 ? "yet" : "of this program's version");
    bool repair = piw_config_switch(config, "repair");
    long lost = 0, differences = 0;
    int rc = database_check_triggers(conn, repair, &lost, err);
    if (rc != 0)
        return rc;
    if (lost > 0 && !repair)
        return piw_err_set(
            err, PIW_EDB,
            "%ld of the triggers that keep the build queue right %s gone or off: use --check-queue --repair", lost,
            lost == 1 ? "is" : "are");
    if (lost > 0)
        printf("%ld of the triggers that keep the build queue right %s gone or off and %s in place again\n", lost,
               lost == 1 ? "was" : "were", lost == 1 ? "is" : "are");
    rc = database_check_queue(conn, repair, &differences, err);
    if (rc != 0)
        return rc;
    if (differences == 0)
        printf("the build queue is as its definition says\n");
    else if (repair)
        printf("%ld %s of the build queue %s right now\n", differences, differences == 1 ? "row" : "rows",
               differences == 1 ? "was wrong and is" : "were wrong and are");
    else
        return piw_err_set(err, PIW_EDB, "%ld %s of the build queue %s wrong: use --check-queue --repair", differences,
                           differences == 1 ? "row" : "rows", differences == 1 ? "is" : "are");
    return 0;
}

/* What is there, and so what is to be done: nothing when neither the schemas nor the ABIs differ. */
static int look(const piw_config *config, PGconn *conn, plan *to_do, piw_err *err)
{
    const char *user = piw_config_text(config, "user");
    int rc = database_check_roles(conn, user, err);
    if (rc == 0)
        rc = database_look(conn, user, &to_do->state, err);
    to_do->abis_count = piw_config_list(config, "abi", &to_do->abis);
    for (size_t i = 0; rc == 0 && i < to_do->abis_count; i++) {
        bool there = false;
        if (!to_do->state.empty)
            rc = database_has_abi(conn, to_do->abis[i], &there, err);
        to_do->adds = to_do->adds || !there;
    }
    return rc;
}

/* Said also when nobody is asked. */
static int look_ahead(PGconn *conn, plan *to_do, piw_err *err)
{
    int rc = database_count_back(conn, &to_do->state, &to_do->versions_back, err);
    if (rc == 0 && to_do->versions_back >= 0)
        printf("%ld %s back into the build queue with the upgrade\n", to_do->versions_back,
               to_do->versions_back == 1 ? "version comes" : "versions come");
    return rc;
}

static int make(PGconn *conn, const plan *to_do, const char *user, piw_err *err)
{
    int rc = database_is_current(&to_do->state) ? 0 : database_make(conn, &to_do->state, user, err);
    for (size_t i = 0; rc == 0 && i < to_do->abis_count; i++)
        rc = database_add_abi(conn, to_do->abis[i], err);
    long abis = 0;
    if (rc == 0)
        rc = database_count_abis(conn, &abis, err);
    if (rc == 0 && abis == 0)
        printf(
            "nothing is built yet, for the farm has no ABI: piw-initdb --abi cp311, or later piw-ctl abi add cp311\n");
    return rc;
}

/* 0: done or nothing to do, 1: the user said no. */
static int work(const piw_config *config, PGconn *conn, piw_err *err)
{
    plan to_do = {0};
    int rc = look(config, conn, &to_do, err);
    if (rc != 0)
        return rc;
    if (piw_config_switch(config, "check-queue"))
        return check_queue(config, conn, &to_do.state, err);
    if (database_is_current(&to_do.state) && !to_do.adds) {
        printf("database %s is up to date\n", PQdb(conn));
        return 0;
    }
    rc = look_ahead(conn, &to_do, err);
    if (rc != 0)
        return rc;
    int answer = agree(config, conn, &to_do, err);
    if (answer <= 0)
        return answer < 0 ? answer : 1;
    rc = database_run(conn, "BEGIN", "beginning", err);
    if (rc == 0)
        rc = make(conn, &to_do, piw_config_text(config, "user"), err);
    bool dry = piw_config_switch(config, "dry-run");
    if (rc == 0)
        rc = database_run(conn, dry ? "ROLLBACK" : "COMMIT", "committing", err);
    if (rc == 0)
        printf(dry ? "dry run: database %s is as it was\n" : "database %s is ready\n", PQdb(conn));
    return rc;
}

static int check_abis(const piw_config *config, piw_err *err)
{
    const char *const *abis;
    size_t count = piw_config_list(config, "abi", &abis);
    for (size_t i = 0; i < count; i++)
        if (!piw_abi_typed(piw_text_of(abis[i])))
            return piw_err_set(err, PIW_EUSAGE,
                               "--abi '%.100s' is no ABI tag of an interpreter, such as cp311 or cp313t", abis[i]);
    return count == 0 || !piw_config_switch(config, "check-queue")
               ? 0
               : piw_err_set(err, PIW_EUSAGE, "--abi doesn't go with --check-queue");
}

int main(int argc, char **argv)
{
    piw_err err = {0};
    piw_config *config = NULL;
    PGconn *conn = NULL;
    int rc = piw_config_load(&config, &program, argc, argv, &err);
    if (rc == 1)
        return EXIT_SUCCESS;
    if (rc == 0 && piw_config_switch(config, "repair") && !piw_config_switch(config, "check-queue"))
        rc = piw_err_set(&err, PIW_EUSAGE, "--repair goes with --check-queue");
    if (rc == 0)
        rc = check_abis(config, &err);
    if (rc == 0 && !piw_dsn_is_uri(piw_config_text(config, "dsn")))
        rc = piw_err_set(&err, PIW_ECONFIG, "dsn (%s) must begin with postgres:// or postgresql://",
                         piw_config_origin(config, "dsn"));
    if (rc == 0)
        rc = database_open(piw_config_text(config, "dsn"), &conn, &err);
    if (rc == 0) {
        static bool debug;
        debug = piw_config_switch(config, "debug");
        PQsetNoticeProcessor(conn, say_notice, &debug);
        rc = work(config, conn, &err);
    }
    PQfinish(conn);
    piw_config_free(&config);
    return rc == 1 ? 2 : piw_program_exit(&program, &err);
}
