/* The database's tasks in a runtime, towards a real database: test/system/test_db_tasks.py makes one and names it in
 * PIW_TEST_DSN (as the master's role) and PIW_TEST_ADMIN_DSN (as superuser). Without them the tests are left out. */
#include "unit.h"

#include "db.piw.h"
#include "runtime/runtime.h"
#include "test/db_storm.piw.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    WAIT_MS = 30000, /* for anything that must come */
    OFFER_MS = 1000, /* from a change to what slaves are given */
    START_MS = 20000,
    STORM = 1000,
};

static struct {
    piw_runtime *runtime;
    PGconn *admin;
    char plugins[2][512];
    const char *dsn;
    bool viewed; /* the farm has views: the common one, and one that is called other */
} house;

static const char *setting(void *arg, const char *name)
{
    (void)arg;
    static const char *const views[][2] = {
        {"views", "base other"},          {"view:base.abi", "cp39"},   {"view:base.platform", "linux_x86_64"},
        {"view:base.os_name", "debian"},  {"view:other.abi", "cp311"}, {"view:other.platform", "linux_armv7l"},
        {"view:other.os_name", "debian"},
    };
    for (size_t i = 0; house.viewed && i < PIW_COUNT(views); i++)
        if (strcmp(name, views[i][0]) == 0)
            return views[i][1];
    return strcmp(name, "dsn") == 0 ? house.dsn : NULL;
}

static PGresult *admin_query(const char *sql)
{
    PGresult *r = PQexec(house.admin, sql);
    ck_assert_msg(PQresultStatus(r) == PGRES_TUPLES_OK || PQresultStatus(r) == PGRES_COMMAND_OK, "%s: %s", sql,
                  PQerrorMessage(house.admin));
    return r;
}

static void admin(const char *sql)
{
    PQclear(admin_query(sql));
}

static int64_t admin_int(const char *sql)
{
    PGresult *r = admin_query(sql);
    int64_t value = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    return value;
}

static void set_up(void)
{
    piw_protocol_use(&db_protocol_def);
    piw_protocol_use(&storm_protocol_def);
    house.dsn = getenv("PIW_TEST_DSN");
    house.admin = PQconnectdb(getenv("PIW_TEST_ADMIN_DSN"));
    ck_assert_msg(PQstatus(house.admin) == CONNECTION_OK, "%s", PQerrorMessage(house.admin));
    admin("SET client_min_messages = warning; TRUNCATE packages, build_abis, piw.attempts, piw.pages_due, "
          "rewrites_pending CASCADE");
    admin("INSERT INTO build_abis VALUES ('cp39'), ('cp311')");
    unit_plugins(house.plugins);
}

static int try_start(piw_err *err)
{
    const char *dirs[] = {house.plugins[0], house.plugins[1]};
    const piw_runtime_config config = {
        .plugin_dirs = dirs, .plugin_dirs_count = 2, .trust_files = true, .setting = setting};
    static const char *const tasks[] = {"the_oracle", "seraph", "db_storm", "the_architect"};
    ck_assert_msg(piw_runtime_new(&house.runtime, &config, err) == 0, "%s", err->text);
    for (size_t i = 0; i < PIW_COUNT(tasks); i++) {
        const piw_task_config task = {.name = tasks[i], .enabled = true, .critical = -1};
        ck_assert_msg(piw_runtime_add(house.runtime, &task, err) == 0, "%s: %s", tasks[i], err->text);
    }
    return piw_runtime_start(house.runtime, START_MS, err);
}

static void start_house(void)
{
    set_up();
    piw_err err = {0};
    ck_assert_msg(try_start(&err) == 0, "%s", err.text);
}

static void start_viewed_house(void)
{
    house.viewed = true;
    start_house();
}

static void stop_house(void)
{
    if (house.runtime != NULL) {
        piw_runtime_stop(house.runtime);
        piw_runtime_free(&house.runtime);
    }
    PQfinish(house.admin);
    house.admin = NULL;
}

static int try_call(const char *service, piw_msg *msg, int timeout_ms, piw_msg **answer, piw_err *err)
{
    *answer = NULL;
    int rc = piw_runtime_call(house.runtime, service, &msg, timeout_ms, answer, err);
    piw_msg_free(&msg);
    return rc != 0 ? rc : piw_msg_error(*answer);
}

static piw_msg *call(const char *service, piw_msg *msg)
{
    const char *name = piw_msg_type_of(msg)->name;
    piw_err err = {0};
    piw_msg *answer = NULL;
    int rc = try_call(service, msg, WAIT_MS, &answer, &err);
    ck_assert_msg(rc == 0, "%s: %s", name, answer != NULL ? piw_msg_error_text(answer) : err.text);
    return answer;
}

static void tell(const char *service, piw_msg *msg)
{
    piw_msg *answer = call(service, msg);
    piw_msg_free(&answer);
}

/* --- Each call --------------------------------------------------------------------------------------------------------- */

static void add_event(piw_msg *msg, pypi_event *event, const char *name, const char *version, const char *action,
                      int64_t serial)
{
    event->package = piw_msg_textz(msg, "some-thing");
    event->name = piw_msg_textz(msg, name);
    event->version = piw_msg_textz(msg, version);
    event->timestamp = (piw_time){.us = 1700000000000000 + serial};
    event->action = piw_msg_textz(msg, action);
    event->serial = serial;
}

static void follow_pypi(void)
{
    int64_t serial = admin_int("UPDATE configuration SET pypi_serial = pypi_serial + 1000000 RETURNING pypi_serial");
    db_PYPI_APPLY *body = NULL;
    piw_msg *msg = db_PYPI_APPLY_new(&body);
    body->serial = serial + 4;
    piw_msg_list(msg, &body->events, 4);
    add_event(msg, &body->events.at[0], "Some.Thing", NULL, "create", serial + 1);
    add_event(msg, &body->events.at[1], "Some\"Th\\ing", "1.0", "source", serial + 2);
    add_event(msg, &body->events.at[2], "some_thing", "2.0", "source", serial + 3);
    add_event(msg, &body->events.at[3], "some_thing", "2.0", "yank", serial + 4);
    piw_msg *answer = call("db", msg);
    const db_PYPI_APPLY_reply *reply = db_PYPI_APPLY_reply_of(answer);
    ck_assert_uint_eq(reply->changes.count, 2);
    ck_assert_str_eq(reply->changes.at[0].change.s, "new_package");
    ck_assert_ptr_null(reply->changes.at[0].version.s);
    ck_assert_str_eq(reply->changes.at[1].change.s, "yanked");
    ck_assert_str_eq(reply->changes.at[1].version.s, "2.0");
    piw_msg_free(&answer);

    answer = call("db", db_PYPI_STATE_new());
    ck_assert_int_eq(db_PYPI_STATE_reply_of(answer)->serial, serial + 4);
    ck_assert_uint_eq(db_PYPI_STATE_reply_of(answer)->applied.count, 4);
    piw_msg_free(&answer);
}

/* One event of PyPI's log as a batch that has a number, after another or after none (0); the code of its answer. One of a year that the
 * database does not have is refused. */
static int send_batch(int64_t number, int64_t after, const char *version, int64_t serial, bool good)
{
    db_PYPI_APPLY *body = NULL;
    piw_msg *msg = db_PYPI_APPLY_new(&body), *answer = NULL;
    piw_err err = {0};
    body->serial = serial;
    piw_msg_list(msg, &body->events, 1);
    add_event(msg, &body->events.at[0], "some-thing", version, "source", serial);
    if (!good)
        body->events.at[0].timestamp.us = INT64_C(-300000000000000000);
    body->number = &number;
    body->after = after != 0 ? &after : NULL;
    int rc = try_call("db", msg, WAIT_MS, &answer, &err);
    piw_msg_free(&answer);
    return rc;
}

/* What was sent behind a batch that isn't applied isn't either, whatever there was before it. */
START_TEST(a_batch_follows_only_the_one_that_it_names)
{
    int64_t serial = admin_int("UPDATE configuration SET pypi_serial = pypi_serial + 1000000 RETURNING pypi_serial");
    ck_assert_int_eq(send_batch(11, 10, "1", serial + 1, true), PIW_EREFUSED);
    ck_assert_int_eq(send_batch(11, 0, "1", serial + 1, true), 0);
    ck_assert_int_eq(send_batch(12, 11, "2", serial + 2, true), 0);
    ck_assert_int_eq(send_batch(13, 12, "3", serial + 3, false), PIW_EDB);
    ck_assert_int_eq(send_batch(14, 13, "4", serial + 4, true), PIW_EREFUSED);
    ck_assert_int_eq(admin_int("SELECT pypi_serial FROM configuration"), serial + 2);
    ck_assert_int_eq(send_batch(15, 0, "3", serial + 3, true), 0);
    ck_assert_int_eq(send_batch(16, 15, "4", serial + 4, true), 0);
    /* A soul that has just begun knows of none. */
    piw_err err = {0};
    ck_assert_msg(piw_runtime_replace(house.runtime, "the_oracle", "the_oracle.so", &err) == 0, "%s", err.text);
    ck_assert_int_eq(send_batch(17, 16, "5", serial + 5, true), PIW_EREFUSED);
    ck_assert_int_eq(admin_int("SELECT count(*) FROM versions WHERE package = 'some-thing'"), 4);
    ck_assert_int_eq(admin_int("SELECT pypi_serial FROM configuration"), serial + 4);
}
END_TEST

static int64_t reserve_builds(int64_t count)
{
    piw_msg *answer = call("db", db_RESERVE_make(piw_text_of("build"), count));
    int64_t first = db_RESERVE_reply_of(answer)->first;
    piw_msg_free(&answer);
    return first;
}

static const char hash_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static piw_msg *fill_build(build_row **filled, int64_t number, const char *hash)
{
    piw_msg *msg = db_LOGBUILD_new(filled);
    build_row *body = *filled;
    body->build_id = number;
    body->slave_id = 7;
    body->package = piw_msg_textz(msg, "some-thing");
    body->version = piw_msg_textz(msg, "1.0");
    body->abi_tag = piw_msg_textz(msg, "cp39");
    body->status = true;
    body->duration = piw_duration_from_us(90000001);
    piw_msg_list(msg, &body->files, 1);
    built_file *file = &body->files.at[0];
    file->metadata_hash = piw_msg_textz(msg, hash_a);
    file->state = (file_state){.filename = piw_msg_textz(msg, "some_thing-1.0-cp39-cp39-linux_x86_64.whl"),
                               .filesize = 12345,
                               .filehash = piw_msg_textz(msg, hash),
                               .package_tag = piw_msg_textz(msg, "some_thing"),
                               .package_version_tag = piw_msg_textz(msg, "1.0"),
                               .py_version_tag = piw_msg_textz(msg, "cp39"),
                               .abi_tag = piw_msg_textz(msg, "cp39"),
                               .platform_tag = piw_msg_textz(msg, "linux_x86_64"),
                               .requires_python = piw_msg_textz(msg, ">=3.7,\x01!=\"3.8\""),
                               .location = piw_msg_textz(msg, "/simple")};
    piw_msg_list(msg, &file->state.dependencies, 3);
    static const char *const tools[] = {"apt", "pip", ""};
    for (int i = 0; i < 3; i++) {
        file->state.dependencies.at[i].key = piw_msg_textz(msg, tools[i]);
        piw_msg_list(msg, &file->state.dependencies.at[i].value, 2);
        file->state.dependencies.at[i].value.at[0] = piw_msg_printf(msg, "of %s", tools[i]);
        file->state.dependencies.at[i].value.at[1] = piw_msg_textz(msg, "a");
    }
    return msg;
}

static piw_msg *build_with_file(int64_t number, const char *hash)
{
    build_row *body = NULL;
    return fill_build(&body, number, hash);
}

static void check_project(int64_t build)
{
    piw_msg *answer = call("db", db_PROJECT_make(piw_text_of("some-thing")));
    const project_data *data = &db_PROJECT_reply_of(answer)->data;
    ck_assert(db_PROJECT_reply_of(answer)->found);
    ck_assert_str_eq(data->name.s, "some_thing");
    ck_assert_uint_eq(data->aliases.count, 2);
    ck_assert_uint_eq(data->releases.count, 2);
    const project_release *one = &data->releases.at[0], *two = &data->releases.at[1];
    ck_assert_str_eq(one->version.s, "1.0");
    ck_assert(!one->yanked && two->yanked);
    ck_assert_uint_eq(one->files.count, 1);
    ck_assert_uint_eq(two->files.count, 0);
    const project_file *file = &one->files.at[0];
    ck_assert_str_eq(file->filename.s, "some_thing-1.0-cp39-cp39-linux_x86_64.whl");
    ck_assert_str_eq(file->filehash.s, hash_a);
    ck_assert_str_eq(file->metadata_hash.s, hash_a);
    ck_assert_str_eq(file->requires_python.s, ">=3.7,\xef\xbf\xbd!=\"3.8\"");
    ck_assert_int_eq(file->filesize, 12345);
    ck_assert_int_gt(file->uploaded.us, 1700000000000000);
    ck_assert_uint_eq(file->apt_dependencies.count, 2);
    ck_assert_str_eq(file->apt_dependencies.at[1].s, "of apt");
    ck_assert_uint_eq(file->pip_dependencies.count, 2);
    ck_assert_uint_eq(one->abis.count, 2);
    ck_assert_str_eq(one->abis.at[0].key.s, "cp39");
    ck_assert_str_eq(one->abis.at[0].value.status.s, "success");
    ck_assert_int_eq(*one->abis.at[0].value.build_id, build);
    ck_assert_str_eq(one->abis.at[1].value.status.s, "pending");
    ck_assert_ptr_null(one->abis.at[1].value.build_id);
    piw_msg_free(&answer);

    answer = call("db", db_PROJECT_make(piw_text_of("nosuch")));
    ck_assert(!db_PROJECT_reply_of(answer)->found);
    piw_msg_free(&answer);
}

static void check_reads(void)
{
    piw_msg *answer = call("db", db_ABIS_new());
    const db_ABIS_reply *abis = db_ABIS_reply_of(answer);
    ck_assert_uint_eq(abis->abis.count, 2);
    ck_assert_str_eq(abis->abis.at[0].s, "cp39");
    piw_msg_free(&answer);

    answer = call("db", db_PACKAGES_make(piw_text_of(""), 10));
    ck_assert_uint_eq(db_PACKAGES_reply_of(answer)->packages.count, 1);
    ck_assert_str_eq(db_PACKAGES_reply_of(answer)->packages.at[0].s, "some-thing");
    piw_msg_free(&answer);
    answer = call("db", db_PACKAGES_make(piw_text_of("some-thing"), 10));
    ck_assert_uint_eq(db_PACKAGES_reply_of(answer)->packages.count, 0);
    piw_msg_free(&answer);

    answer = call("db", db_STATISTICS_new());
    const db_STATISTICS_reply *stats = db_STATISTICS_reply_of(answer);
    ck_assert_int_eq(stats->files_count, 1);
    ck_assert_int_eq(stats->packages_built, 1);
    ck_assert_int_eq(stats->builds_size, 12345);
    ck_assert_int_eq(stats->builds_time.seconds, 90);
    ck_assert_uint_eq(stats->builds_last_hour.count, 2);
    ck_assert_int_eq(stats->builds_last_hour.at[0].value, 1);
    ck_assert_int_eq(stats->builds_pending.at[0].value, 1);
    piw_msg_free(&answer);
}

/* Whatever was committed and not yet heard of by who keeps the requests comes back after a start: a kill loses no page. */
static void check_pages_due(const char *package, const char *command)
{
    piw_msg *answer = call("db", db_REWRITES_LOAD_new());
    const db_REWRITES_LOAD_reply *reply = db_REWRITES_LOAD_reply_of(answer);
    const rewrite *due = NULL;
    for (uint32_t i = 0; i < reply->rewrites.count; i++)
        if (strcmp(reply->rewrites.at[i].package.s, package) == 0)
            due = &reply->rewrites.at[i];
    ck_assert_msg(due != NULL, "the pages of %s are not due", package);
    ck_assert_str_eq(due->command.s, command);
    piw_msg_free(&answer);
    admin("TRUNCATE piw.pages_due");
}

/* Who holds a request for the project's page alone hasn't heard of what was committed since and needs the index too. */
static void check_greater_note(void)
{
    admin("INSERT INTO piw.pages_due VALUES ('p1', now(), 'BOTH'), ('p2', now(), 'PROJECT')");
    db_REWRITES_SAVE *body = NULL;
    piw_msg *msg = db_REWRITES_SAVE_new(&body);
    piw_msg_list(msg, &body->rewrites, 2);
    body->rewrites.at[0] = (rewrite){piw_text_of("p1"), {.us = 1700000000123456}, piw_text_of("PROJECT")};
    body->rewrites.at[1] = (rewrite){piw_text_of("p2"), {.us = 1700000000123456}, piw_text_of("BOTH")};
    tell("db", msg);
    ck_assert_int_eq(admin_int("SELECT count(*)::integer FROM piw.pages_due WHERE package = 'p2'"), 0);
    check_pages_due("p1", "BOTH");
}

static void check_rewrites(void)
{
    db_REWRITES_SAVE *body = NULL;
    piw_msg *msg = db_REWRITES_SAVE_new(&body);
    piw_msg_list(msg, &body->rewrites, 2);
    for (int i = 0; i < 2; i++)
        body->rewrites.at[i] = (rewrite){piw_msg_printf(msg, "p%d", i),
                                         {.us = 1700000000123456 - i},
                                         piw_msg_textz(msg, i == 0 ? "BOTH" : "PROJECT")};
    tell("db", msg);
    piw_msg *answer = call("db", db_REWRITES_LOAD_new());
    const db_REWRITES_LOAD_reply *reply = db_REWRITES_LOAD_reply_of(answer);
    ck_assert_uint_eq(reply->rewrites.count, 2);
    ck_assert_str_eq(reply->rewrites.at[0].package.s, "p1");
    ck_assert_int_eq(reply->rewrites.at[1].added_at.us, 1700000000123456);
    ck_assert_str_eq(reply->rewrites.at[1].command.s, "BOTH");
    piw_msg_free(&answer);
}

START_TEST(every_call)
{
    follow_pypi();
    check_pages_due("some-thing", "BOTH");
    int64_t build = reserve_builds(10);
    piw_msg *answer = call("db", build_with_file(build, hash_a));
    ck_assert(db_LOGBUILD_reply_of(answer)->recorded);
    ck_assert_uint_eq(db_LOGBUILD_reply_of(answer)->kept.count, 0);
    piw_msg_free(&answer);
    check_pages_due("some-thing", "BOTH");
    check_project(build);
    ck_assert_int_eq(admin_int("SELECT piw.drain()::integer"), 0); /* as the_architect does */
    check_reads();
    check_rewrites();
    check_greater_note();

    answer = call("db", build_with_file(build + 1, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"));
    ck_assert_uint_eq(db_LOGBUILD_reply_of(answer)->kept.count, 1);
    ck_assert_str_eq(db_LOGBUILD_reply_of(answer)->kept.at[0].s, "some_thing-1.0-cp39-cp39-linux_x86_64.whl");
    piw_msg_free(&answer);
    answer = call("db", build_with_file(build, hash_a));
    ck_assert(!db_LOGBUILD_reply_of(answer)->recorded);
    ck_assert_str_eq(db_LOGBUILD_reply_of(answer)->why.s, "a build of this number is recorded already");
    piw_msg_free(&answer);

    db_BUILDS_KNOWN *known = NULL;
    piw_msg *msg = db_BUILDS_KNOWN_new(&known);
    piw_msg_list(msg, &known->build_ids, 3);
    known->build_ids.at[0] = build;
    known->build_ids.at[1] = INT64_MAX;
    known->build_ids.at[2] = build + 1;
    answer = call("db", msg);
    ck_assert_uint_eq(db_BUILDS_KNOWN_reply_of(answer)->known.count, 2);
    piw_msg_free(&answer);

    tell("db", db_ATTEMPTS_VOID_new());
    answer = call("db", db_REMOVALS_DUE_make(10));
    piw_msg_free(&answer);

    piw_err err = {0};
    ck_assert_int_eq(try_call("db", db_RESERVE_make(piw_text_of("nosuch"), 1), WAIT_MS, &answer, &err), PIW_EDB);
    ck_assert_ptr_nonnull(strstr(answer != NULL ? piw_msg_error_text(answer) : err.text, "RESERVE"));
    piw_msg_free(&answer);
}
END_TEST

/* --- Groups, and a database that goes away --------------------------------------------------------------------------- */

static int64_t begin_storm(int count, int64_t bad)
{
    admin("INSERT INTO packages VALUES ('storm') ON CONFLICT DO NOTHING;"
          "INSERT INTO versions VALUES ('storm', '1') ON CONFLICT DO NOTHING");
    int64_t first = reserve_builds(count);
    tell("storm", storm_STORM_make(first, count, bad >= 0 ? first + bad : 0, piw_text_of("storm"), piw_text_of("1")));
    return first;
}

/* Nobody is told when an attempt is noted. */
static void wait_for_attempts(int64_t running)
{
    int64_t until = piw_monotonic_ns() + WAIT_MS * INT64_C(1000000), found = -1;
    while (found != running && piw_monotonic_ns() < until) {
        found = admin_int("SELECT count(*) FROM piw.attempts WHERE state = 'running'");
        usleep(10000);
    }
    ck_assert_int_eq(found, running);
}

static void end_storm(int64_t recorded, int64_t refused)
{
    piw_msg *answer = call("storm", storm_RESULT_new());
    const storm_RESULT_reply *result = storm_RESULT_reply_of(answer);
    ck_assert_int_eq(result->recorded, recorded);
    ck_assert_int_eq(result->refused, refused);
    ck_assert_int_eq(result->known + result->other, 0);
    piw_msg_free(&answer);
    ck_assert_int_eq(admin_int("SELECT count(*) FROM builds WHERE package = 'storm'"), recorded);
    wait_for_attempts(recorded + refused);
}

START_TEST(a_bad_row_in_a_group_stands_alone)
{
    begin_storm(STORM, STORM / 2);
    end_storm(STORM - 1, 1);
    ck_assert_int_lt(admin_int("SELECT count(DISTINCT xmin::text) FROM builds WHERE package = 'storm'"), STORM / 4);
}
END_TEST

START_TEST(an_attempt_waits_for_no_build)
{
    tell("storm", storm_ATTEMPT_make(7, piw_text_of("alone"), piw_text_of("1")));
    wait_for_attempts(1);
    /* Nor is it lost when the task changes hands before it is stored. */
    piw_err err = {0};
    tell("storm", storm_ATTEMPT_make(8, piw_text_of("alone"), piw_text_of("1")));
    ck_assert_msg(piw_runtime_replace(house.runtime, "the_oracle", "the_oracle.so", &err) == 0, "%s", err.text);
    wait_for_attempts(2);
}
END_TEST

/* Whether it was stored before its build or together with it. */
START_TEST(an_attempt_ends_with_its_build)
{
    admin("INSERT INTO packages VALUES ('brief') ON CONFLICT DO NOTHING;"
          "INSERT INTO versions VALUES ('brief', '1') ON CONFLICT DO NOTHING");
    build_row *body = NULL;
    piw_msg *build = db_LOGBUILD_new(&body);
    body->build_id = reserve_builds(1);
    body->slave_id = 9;
    body->package = piw_msg_textz(build, "brief");
    body->version = piw_msg_textz(build, "1");
    body->abi_tag = piw_msg_textz(build, "cp311");
    body->duration = piw_duration_from_us(1000);
    char sql[200];
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM piw.attempts WHERE slave_id = 9 AND state = 'failed' AND build_id = %lld",
             (long long)body->build_id);
    tell("storm", storm_ATTEMPT_make(9, piw_text_of("brief"), piw_text_of("1")));
    tell("storm", storm_EVENTS_new()); /* what it sent before is on its way by then */
    tell("db", build);
    ck_assert_int_eq(admin_int(sql), 1);
    ck_assert_int_eq(admin_int("SELECT count(*) FROM piw.attempts WHERE slave_id = 9"), 1);
}
END_TEST

static void cut_connections(void)
{
    admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'piwheels'");
}

START_TEST(cut_connections_lose_and_double_nothing)
{
    for (int round = 0; round < 3; round++) {
        admin("TRUNCATE packages, piw.attempts CASCADE");
        begin_storm(STORM, -1);
        for (int i = 0; i < 5; i++)
            cut_connections();
        end_storm(STORM, 0);
    }
}
END_TEST

START_TEST(an_outage_is_waited_for)
{
    admin("ALTER ROLE piwheels CONNECTION LIMIT 0");
    cut_connections();
    piw_err err = {0};
    piw_msg *answer = NULL;
    /* Nothing comes while it is away, and the caller's own patience ends it. */
    ck_assert_int_eq(try_call("db", db_ABIS_new(), 300, &answer, &err), PIW_EDEADLINE);
    piw_msg_free(&answer);
    piw_msg *reserve = db_RESERVE_make(piw_text_of("slave"), 1);
    ck_assert_int_eq(try_call("db", reserve, 300, &answer, &err), PIW_EDEADLINE);
    piw_msg_free(&answer);
    admin("ALTER ROLE piwheels CONNECTION LIMIT -1");
    tell("db", db_ABIS_new());
    int64_t before = admin_int("SELECT last_value FROM piw.slave_numbers");
    answer = call("db", db_RESERVE_make(piw_text_of("slave"), 1));
    ck_assert_int_ge(db_RESERVE_reply_of(answer)->first, before);
    piw_msg_free(&answer);
    answer = call("storm", storm_EVENTS_new());
    ck_assert_int_ge(storm_EVENTS_reply_of(answer)->down, 1);
    ck_assert_int_ge(storm_EVENTS_reply_of(answer)->up, 1);
    piw_msg_free(&answer);
}
END_TEST

START_TEST(a_swap_loses_no_request)
{
    piw_err err = {0};
    begin_storm(STORM, -1);
    for (int i = 0; i < 5; i++)
        ck_assert_msg(piw_runtime_replace(house.runtime, "the_oracle", "the_oracle.so", &err) == 0, "%s", err.text);
    end_storm(STORM, 0);
}
END_TEST

/* PIW_FAULTS cuts the connection around a commit (test_db_tasks.py): what became of it is asked for. */
START_TEST(an_unknown_commit_is_settled)
{
    begin_storm(STORM, -1);
    end_storm(STORM, 0);
}
END_TEST

enum { CUT_BUILDS = 8, CUT_FIRST = 900001 }; /* so many that one of them meets the fault point */

static const char *cut_name(piw_msg *msg, int n, const char *machine)
{
    return piw_msg_printf(msg, "some_thing-1.0-%d-cp39-cp39-%s.whl", n, machine).s;
}

/* One build's files: a name that all have, with bytes of its own; and a new one whose second name is somebody else's. */
static piw_msg *build_with_three(int n, const char *queue)
{
    build_row *body = NULL;
    piw_msg *msg = fill_build(&body, CUT_FIRST + n, hash_a);
    file_state state = body->files.at[0].state;
    body->abi_tag = piw_msg_textz(msg, queue);
    piw_msg_list(msg, &body->files, 2);
    for (int i = 0; i < 2; i++)
        body->files.at[i] = (built_file){.metadata_hash = piw_msg_textz(msg, hash_a), .state = state};
    body->files.at[0].state.filehash = piw_msg_printf(msg, "%064d", n);
    body->files.at[1].state.filename = piw_text_of(cut_name(msg, n, "linux_armv7l"));
    body->files.at[1].state.platform_tag = piw_msg_textz(msg, "linux_armv7l");
    body->files.at[1].armv6_too = true;
    return msg;
}

/* Wherever the connection is cut, a build hears which of its files stayed, and no more. */
static void check_cut_builds(const char *queue)
{
    for (int n = 0; n < CUT_BUILDS; n++) {
        piw_msg *answer = call("db", build_with_three(n, queue));
        const db_LOGBUILD_reply *reply = db_LOGBUILD_reply_of(answer);
        ck_assert_msg(reply->recorded, "build %d: %s", n, reply->why.s);
        ck_assert_str_eq(reply->why.s, "");
        ck_assert_uint_eq(reply->kept.count, n == 0 ? 1 : 2);
        ck_assert_str_eq(reply->kept.at[0].s, cut_name(answer, n, "linux_armv6l"));
        if (n > 0)
            ck_assert_str_eq(reply->kept.at[1].s, "some_thing-1.0-cp39-cp39-linux_x86_64.whl");
        piw_msg_free(&answer);
    }
}

#define OTHERS                                                                                                         \
    "SELECT 'some_thing-1.0-' || n || '-cp39-cp39-linux_armv6l.whl', 900000, 1, repeat('c', 64), 'some_thing', "       \
    "'1.0', "                                                                                                          \
    "'cp39', 'cp39', 'linux_armv6l', NULL"

START_TEST(an_unknown_commit_tells_which_files_stayed)
{
    admin("INSERT INTO packages VALUES ('some-thing'); INSERT INTO versions VALUES ('some-thing', '1.0');"
          "INSERT INTO builds VALUES (900000, 'some-thing', '1.0', 1, now(), '1 s', true, 'cp311');"
          "INSERT INTO files " OTHERS " FROM generate_series(0, 7) n");
    check_cut_builds("cp39");
    ck_assert_int_eq(admin_int("SELECT count(*) FROM builds"), CUT_BUILDS + 1);
    ck_assert_int_eq(admin_int("SELECT count(*) FROM files"), 2 * CUT_BUILDS + 1);
}
END_TEST

START_TEST(an_unknown_commit_tells_which_files_of_a_view_stayed)
{
    admin("INSERT INTO packages VALUES ('some-thing'); INSERT INTO versions VALUES ('some-thing', '1.0');"
          "INSERT INTO piw.view_builds VALUES (900000, 'other', 'some-thing', '1.0', 1, now(), '1 s', true);"
          "INSERT INTO piw.view_files SELECT 'other', f.*, '/simple', NULL, now() FROM (" OTHERS
          " FROM generate_series(0, 7) n) f");
    check_cut_builds("other");
    ck_assert_int_eq(admin_int("SELECT count(*) FROM piw.view_builds"), CUT_BUILDS + 1);
    ck_assert_int_eq(admin_int("SELECT count(*) FROM piw.view_files"), 2 * CUT_BUILDS + 1);
    ck_assert_int_eq(admin_int("SELECT count(*) FROM files"), 0);
}
END_TEST

/* --- The queue ----------------------------------------------------------------------------------------------------------- */

/* As much longer as there are more programs than processors: what others take is not ours to answer for. */
static int fair_ms(int ms)
{
    double load = 0, processors = (double)sysconf(_SC_NPROCESSORS_ONLN);
    return getloadavg(&load, 1) == 1 && load > processors ? (int)(ms * load / processors) : ms;
}

static void offered(const char *abi, const char *package, bool absent, int timeout_ms)
{
    piw_err err = {0};
    piw_msg *answer = NULL;
    int rc = try_call("storm", storm_OFFERED_make(piw_text_of(abi), piw_text_of(package), piw_text_of("1"), absent),
                      fair_ms(timeout_ms), &answer, &err);
    ck_assert_msg(rc == 0, "%s is %s for %s: %s", package, absent ? "still offered" : "not offered", abi,
                  answer != NULL ? piw_msg_error_text(answer) : err.text);
    piw_msg_free(&answer);
}

START_TEST(changes_are_offered_within_a_second)
{
    admin("INSERT INTO packages VALUES ('fresh'); INSERT INTO versions VALUES ('fresh', '1')");
    offered("cp39", "fresh", false, OFFER_MS);
    admin("UPDATE versions SET skip = 'no' WHERE package = 'fresh'");
    offered("cp39", "fresh", true, OFFER_MS);
    admin("UPDATE versions SET skip = '' WHERE package = 'fresh'");
    offered("cp39", "fresh", false, OFFER_MS);
    admin("SELECT log_build_failure('fresh', '1', 1, '1 s', 'cp39')");
    offered("cp311", "fresh", false, OFFER_MS);
    offered("cp39", "fresh", true, OFFER_MS);
    admin("INSERT INTO build_abis VALUES ('cp310')");
    offered("cp310", "fresh", false, OFFER_MS);
    offered("cp311", "fresh", true, OFFER_MS);
    admin("DELETE FROM packages");
    offered("cp310", "fresh", true, OFFER_MS);
    cut_connections();
    admin("INSERT INTO packages VALUES ('later'); INSERT INTO versions VALUES ('later', '1')");
    offered("cp39", "later", false, WAIT_MS);
}
END_TEST

/* --- Starting ------------------------------------------------------------------------------------------------------------ */

static void refuses_start(const char *dsn, const char *pattern)
{
    set_up();
    house.dsn = dsn;
    piw_err err = {0};
    ck_assert_int_ne(try_start(&err), 0);
    ck_assert_msg(strstr(err.text, pattern) != NULL, "%s", err.text);
}

START_TEST(a_superuser_is_refused)
{
    refuses_start(getenv("PIW_TEST_ADMIN_DSN"), "superuser");
}
END_TEST

START_TEST(an_unreadable_address_is_refused)
{
    refuses_start("postgresql:///farm?host=%zz", "can't be read");
}
END_TEST

START_TEST(another_version_is_refused)
{
    set_up();
    admin("UPDATE configuration SET version = '0.22'");
    piw_err err = {0};
    ck_assert_int_ne(try_start(&err), 0);
    admin("UPDATE configuration SET version = '0.23'");
    ck_assert_msg(strstr(err.text, "is of version 0.22, not 0.23") != NULL, "%s", err.text);
}
END_TEST

START_TEST(a_database_that_comes_later_is_waited_for)
{
    set_up();
    admin("ALTER ROLE piwheels CONNECTION LIMIT 0");
    ck_assert_int_eq(PQsendQuery(house.admin, "SELECT pg_sleep(1); ALTER ROLE piwheels CONNECTION LIMIT -1"), 1);
    piw_err err = {0};
    ck_assert_msg(try_start(&err) == 0, "%s", err.text);
    for (PGresult *r = PQgetResult(house.admin); r != NULL; r = PQgetResult(house.admin))
        PQclear(r);
    tell("db", db_ABIS_new());
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("oracle");
    if (getenv("PIW_TEST_DSN") == NULL || getenv("PIW_TEST_ADMIN_DSN") == NULL) {
        printf("skip oracle - test_db_tasks.py runs it with a database\n");
        return suite;
    }
    TCase *running = tcase_create("running");
    tcase_add_checked_fixture(running, start_house, stop_house);
    tcase_set_timeout(running, 120);
    tcase_add_test(running, every_call);
    tcase_add_test(running, a_batch_follows_only_the_one_that_it_names);
    tcase_add_test(running, a_bad_row_in_a_group_stands_alone);
    tcase_add_test(running, an_attempt_waits_for_no_build);
    tcase_add_test(running, an_attempt_ends_with_its_build);
    tcase_add_test(running, cut_connections_lose_and_double_nothing);
    tcase_add_test(running, an_outage_is_waited_for);
    tcase_add_test(running, a_swap_loses_no_request);
    tcase_add_test(running, changes_are_offered_within_a_second);
    suite_add_tcase(suite, running);
    TCase *faults = tcase_create("faults");
    tcase_add_checked_fixture(faults, start_house, stop_house);
    tcase_set_timeout(faults, 120);
    tcase_add_test(faults, an_unknown_commit_is_settled);
    tcase_add_test(faults, an_unknown_commit_tells_which_files_stayed);
    suite_add_tcase(suite, faults);
    TCase *views = tcase_create("views");
    tcase_add_checked_fixture(views, start_viewed_house, stop_house);
    tcase_set_timeout(views, 120);
    tcase_add_test(views, an_unknown_commit_tells_which_files_of_a_view_stayed);
    suite_add_tcase(suite, views);
    TCase *starting = tcase_create("starting");
    tcase_add_checked_fixture(starting, NULL, stop_house);
    tcase_set_timeout(starting, 60);
    tcase_add_test(starting, a_superuser_is_refused);
    tcase_add_test(starting, an_unreadable_address_is_refused);
    tcase_add_test(starting, another_version_is_refused);
    tcase_add_test(starting, a_database_that_comes_later_is_waited_for);
    suite_add_tcase(suite, starting);
    return suite;
}
