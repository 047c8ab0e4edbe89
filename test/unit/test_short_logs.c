/* Logs of builds without wheels: a short one lies in the journal until it is in its place, which PUBLISH waits for; what goes wrong
 * meanwhile loses none. */
#include "site_house.h"

#include <fcntl.h>

enum { MANY = 300, LONG = 40000 };

static const char *log_at(int64_t build_id)
{
    static char path[64];
    char digits[16];
    snprintf(digits, sizeof(digits), "%012lld", (long long)build_id);
    snprintf(path, sizeof(path), "logs/%.4s/%.4s/%s.txt.gz", digits, digits + 4, digits + 8);
    return path;
}

/* The answer's code. */
static int try_call(piw_msg *msg)
{
    piw_err err = {0};
    piw_msg *answer = NULL;
    int rc = piw_runtime_call(runtime, "fs", &msg, WAIT_MS, &answer, &err);
    if (rc == 0)
        rc = piw_msg_error(answer);
    piw_msg_free(&answer);
    return rc;
}

static int try_stage(int64_t build_id, const char *output)
{
    fs_STAGE *body;
    piw_msg *msg = fs_STAGE_new(&body);
    piw_blob *blob = piw_blob_new(output, strlen(output));
    body->build_id = build_id;
    body->package = piw_msg_textz(msg, "gold");
    body->output = piw_msg_blob(msg, blob);
    piw_blob_unref(&blob);
    return try_call(msg);
}

/* In one step: a worker makes the folder when it is missing. */
static void exchange(void)
{
    char logs[PIW_PATH_MAX];
    snprintf(logs, sizeof(logs), "%s", at("logs"));
    ck_assert_int_eq(renameat2(AT_FDCWD, logs, AT_FDCWD, at("logs.away"), RENAME_EXCHANGE), 0);
}

/* Nothing can be put in place while a file stands where the folder of logs should. */
static void block(void)
{
    ck_assert_int_eq(piw_file_write(root, at("logs.away"), "x", 1, 0, NULL), 0);
    exchange();
}

static void unblock(void)
{
    exchange();
    ck_assert_int_eq(unlink(at("logs.away")), 0);
}

/* A worker may still be at it with what was in the way before, which fails. */
static void publish_at_last(int64_t build_id)
{
    int rc = try_publish(build_id, "gold");
    for (int i = 0; i < WAIT_MS / 20 && rc != 0; i++) {
        usleep(20000);
        rc = try_publish(build_id, "gold");
    }
    ck_assert_int_eq(rc, 0);
}

/* As long as the journal on the disk says nothing of numbers yet, logs are waited for as long ones are. */
static void settle(void)
{
    int64_t build_id = BUILD - 1000;
    int rc = PIW_ESYS;
    stage(build_id, "gold", "over");
    publish(build_id, "gold", NULL);
    for (int i = 0; i < WAIT_MS / 20 && rc != 0; i++) {
        block();
        rc = try_stage(++build_id, "rides");
        unblock();
        if (rc != 0)
            usleep(20000);
    }
    ck_assert_msg(rc == 0, "no log lies in the journal after %d s", WAIT_MS / 1000);
    publish_at_last(build_id);
}

START_TEST(each_is_in_its_place_when_its_build_is_published)
{
    char text[32];
    settle();
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof(text), "log %d\n", i);
        stage(BUILD + i, "gold", text);
    }
    for (int i = MANY; i-- > 0;) {
        snprintf(text, sizeof(text), "log %d\n", i);
        publish(BUILD + i, "gold", NULL);
        ck_log(log_at(BUILD + i), text);
    }
    publish(BUILD, "gold", NULL); /* asked again */
}
END_TEST

START_TEST(a_long_one_is_there_before)
{
    char *text = malloc(LONG + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', LONG);
    text[LONG] = '\0';
    stage(BUILD, "gold", text);
    ck_assert(is_there(log_at(BUILD)));
    publish(BUILD, "gold", NULL);
    free(text);
}
END_TEST

START_TEST(another_s_stays)
{
    char path[64];
    snprintf(path, sizeof(path), "%s", log_at(BUILD));
    ck_assert_int_eq(piw_file_write(root, at(path), "another", 7, 0, NULL), 0);
    stage(BUILD, "gold", "ours");
    publish(BUILD, "gold", NULL);
    char *found = content(path);
    ck_assert_str_eq(found, "another");
    free(found);
}
END_TEST

START_TEST(what_cannot_be_put_in_place_is_tried_again)
{
    settle();
    block();
    stage(BUILD, "gold", "first");
    ck_assert_int_ne(try_publish(BUILD, "gold"), 0);
    /* Now a build's own is waited for before its row. */
    ck_assert_int_ne(try_stage(BUILD + 1, "second"), 0);
    unblock();
    publish_at_last(BUILD);
    ck_log(log_at(BUILD), "first");
    stage(BUILD + 1, "gold", "second");
    ck_log(log_at(BUILD + 1), "second");
    publish(BUILD + 1, "gold", NULL);
    /* And nobody's is any more. */
    stage(BUILD + 2, "gold", "third");
    publish(BUILD + 2, "gold", NULL);
    ck_log(log_at(BUILD + 2), "third");
}
END_TEST

START_TEST(a_swap_loses_none)
{
    piw_err err = {0};
    settle();
    block();
    stage(BUILD, "gold", "first");
    ck_assert_msg(piw_runtime_replace(runtime, "file_juggler", "file_juggler.so", &err) == 0, "%s", err.text);
    ck_assert_int_ne(try_publish(BUILD, "gold"), 0);
    unblock();
    publish_at_last(BUILD);
    ck_log(log_at(BUILD), "first");
}
END_TEST

static bool is_open(int64_t build_id)
{
    char number[32];
    snprintf(number, sizeof(number), "%lld", (long long)build_id);
    piw_msg *answer = call("archive", archive_WAIT_make(piw_text_of("BUILDS_KNOWN("), 1));
    bool found = strstr(archive_WAIT_reply_of(answer)->line.s, number) != NULL;
    piw_msg_free(&answer);
    return found;
}

/* What the task that begins next finds: nothing of these builds, neither on the site nor in the journal. */
static void ck_nothing_left(int count)
{
    char staged[64];
    /* A build that stays open, so that the next start asks, and what came before it is on the disk. */
    stage(BUILD + count, "gold", "on its way");
    settle();
    end();
    begin();
    ck_assert(is_open(BUILD + count));
    for (int i = 0; i < count; i++) {
        snprintf(staged, sizeof(staged), ".staging/%012d", BUILD + i);
        ck_assert_msg(!is_open(BUILD + i), "build %d of %d is open", i, count);
        ck_assert_msg(!is_there(log_at(BUILD + i)), "build %d of %d has a log", i, count);
        ck_assert_msg(!is_there(staged), "build %d of %d is staged", i, count);
    }
}

/* Thrown away at whatever moment, it leaves nothing: no log, and nothing open in the journal, which a task that begins anew, in one
 * way or another, has to know. */
START_TEST(one_that_is_thrown_away_leaves_nothing)
{
    piw_err err = {0};
    settle();
    for (int i = 0; i < MANY; i++) {
        stage(BUILD + i, "gold", "nobody wants it");
        tell("archive", archive_DISCARD_make(BUILD + i, 1));
        if (_i == 1 && i % 10 == 0)
            ck_assert_msg(piw_runtime_replace(runtime, "file_juggler", "file_juggler.so", &err) == 0, "%s", err.text);
        if (_i == 2 && i % 60 == 0)
            ck_assert_msg(piw_runtime_restart(runtime, "file_juggler", &err) == 0, "%s", err.text);
    }
    ck_nothing_left(MANY);
}
END_TEST

/* Its wheel is checked and staged. */
static void bring_wheel(const parcel *p, int64_t build_id)
{
    expect(p, build_id, 1, "local", "gold");
    transfer(p, 1);
    ck_good(build_id, 1);
}

/* A worker keeps the log, of a build without wheels or with one, when nobody wants the build any more: whoever waits hears of that. */
START_TEST(a_log_that_is_being_kept_is_thrown_away)
{
    const bool wheels = _i == 1;
    char *text = malloc(20 * LONG);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < 20 * LONG; i++)
        text[i] = (char)(i * i >> 7);
    parcel p = pack("gold", 1000);
    int in_vain = 0, count = 0;
    settle();
    for (; count < MANY && (in_vain == 0 || count < MANY / 2); count++) {
        archive_STAGE_DISCARD *body;
        piw_msg *msg = archive_STAGE_DISCARD_new(&body);
        piw_blob *blob = piw_blob_new(text, count % 2 == 0 ? 20 * LONG : wheels ? 10 : LONG);
        body->build_id = BUILD + count;
        body->package = piw_text_of("gold");
        body->output = piw_msg_blob(msg, blob);
        piw_blob_unref(&blob);
        if (wheels)
            bring_wheel(&p, BUILD + count);
        piw_msg *answer = call("archive", msg);
        const archive_STAGE_DISCARD_reply *said = archive_STAGE_DISCARD_reply_of(answer);
        in_vain += said->code != 0 && (wheels || strstr(said->why.s, "was thrown away meanwhile") != NULL);
        ck_assert_msg(wheels || said->code == 0 || said->code == PIW_EAGAIN, "%s", said->why.s);
        piw_msg_free(&answer);
    }
    ck_assert_msg(in_vain > 0, "none of %d logs was thrown away while it was being kept", count);
    ck_nothing_left(count);
    piw_buffer_fini(&p.bytes);
    free(text);
}
END_TEST

/* A worker checks its wheel; also when the task fails right after, and hears nothing of the check's end. */
START_TEST(a_wheel_that_is_being_checked_is_thrown_away)
{
    enum { WHEELS = 20 };
    piw_err err = {0};
    parcel p = pack("gold", 2000000);
    settle();
    for (int i = 0; i < WHEELS; i++) {
        expect_last(&p, BUILD + i, 1, "gold", "a log");
        transfer(&p, 1);
        tell("archive", archive_DISCARD_make(BUILD + i, 1));
        if (_i == 1)
            ck_assert_msg(piw_runtime_restart(runtime, "file_juggler", &err) == 0, "%s", err.text);
        ck_bad(BUILD + i, 1, false, "no transfer");
    }
    ck_nothing_left(WHEELS);
    piw_buffer_fini(&p.bytes);
}
END_TEST

/* The next start puts it in its place; without a row it goes again. */
START_TEST(what_a_killed_master_left_in_the_journal_is_put_in_place)
{
    const bool recorded = _i == 0;
    make_folders();
    begin();
    settle();
    block();
    stage(BUILD, "gold", "left behind");
    end();
    unblock();
    begin_asking();
    ck_log(log_at(BUILD), "left behind");
    if (recorded)
        tell("archive", known(BUILD));
    answer_builds();
    if (recorded)
        wait_for("PROJECT(package='gold')", 1);
    for (int i = 0; i < WAIT_MS / 20 && !recorded && is_there(log_at(BUILD)); i++)
        usleep(20000);
    ck_assert_int_eq(is_there(log_at(BUILD)), recorded);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("short_logs");
    TCase *logs = tcase_create("logs");
    tcase_set_timeout(logs, 60);
    tcase_add_checked_fixture(logs, setup, teardown);
    tcase_add_test(logs, each_is_in_its_place_when_its_build_is_published);
    tcase_add_test(logs, a_long_one_is_there_before);
    tcase_add_test(logs, another_s_stays);
    tcase_add_test(logs, what_cannot_be_put_in_place_is_tried_again);
    tcase_add_test(logs, a_swap_loses_none);
    suite_add_tcase(suite, logs);
    TCase *thrown = tcase_create("thrown_away");
    tcase_set_timeout(thrown, 60);
    tcase_add_checked_fixture(thrown, setup, teardown);
    tcase_add_loop_test(thrown, one_that_is_thrown_away_leaves_nothing, 0, 3);
    suite_add_tcase(suite, thrown);
    TCase *working = tcase_create("thrown_away_from_a_worker");
    tcase_set_timeout(working, 60);
    tcase_add_checked_fixture(working, setup, teardown);
    tcase_add_loop_test(working, a_log_that_is_being_kept_is_thrown_away, 0, 2);
    tcase_add_loop_test(working, a_wheel_that_is_being_checked_is_thrown_away, 0, 2);
    suite_add_tcase(suite, working);
    TCase *starts = tcase_create("starts");
    tcase_set_timeout(starts, 60);
    tcase_add_checked_fixture(starts, NULL, teardown);
    tcase_add_loop_test(starts, what_a_killed_master_left_in_the_journal_is_put_in_place, 0, 2);
    suite_add_tcase(suite, starts);
    return suite;
}
