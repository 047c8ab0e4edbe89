/* Builds with one small wheel and a short log: all of one lies in the journal until it is put in its place; what goes wrong meanwhile
 * loses none, and leaves nothing.
 *
 * TEST-TIMEOUT: 300 */
#include "site_house.h"

#include <pthread.h>
#include <stdlib.h>

#define MARK  ".staging/000123456789"
#define WHEEL "simple/gold/gold-1.0-py3-none-any.whl"
#define LOG   "logs/0001/2345/6789.txt.gz"

enum { LARGE = 49000, MANY = 100 };

static parcel p;

static bool is_folder(const char *name)
{
    struct stat info;
    return stat(at(name), &info) == 0 && S_ISDIR(info.st_mode);
}

/* Nothing of it is staged: there is a mark, and no more. */
static void ck_lies(const char *mark)
{
    struct stat info;
    ck_assert_int_eq(stat(at(mark), &info), 0);
    ck_assert(S_ISREG(info.st_mode));
    ck_assert_int_eq(info.st_size, 0);
}

static void receive(const parcel *from, int64_t build_id, const char *package, const char *output)
{
    expect_last(from, build_id, build_id, package, output);
    transfer(from, build_id);
    piw_msg *verdict = verify(build_id, build_id);
    ck_assert(is_staged_too(verdict));
    piw_msg_free(&verdict);
}

static void swap(void)
{
    piw_err err = {0};
    ck_assert_msg(piw_runtime_replace(runtime, "file_juggler", "file_juggler.so", &err) == 0, "%s", err.text);
}

static void anew(void)
{
    piw_err err = {0};
    ck_assert_msg(piw_runtime_restart(runtime, "file_juggler", &err) == 0, "%s", err.text);
}

static void run(const char *command)
{
    ck_assert_int_eq(setenv("SITE", root, 1), 0);
    ck_assert_int_eq(system(command), 0);
}

/* As kill -9 would leave the folder: it is put back as it was before the orderly end. */
static void killed(void)
{
    run("cp -a $SITE $SITE.kept");
    end();
    run("rm -rf $SITE && mv $SITE.kept $SITE");
}

/* A .dist-info whose METADATA ends with these lines. */
static void maker_metadata(maker *m, const char *lines)
{
    static const char head[] = "Metadata-Version: 2.1\nName: gold\nVersion: 1.0\n";
    static const char wheel[] = "Wheel-Version: 1.0\nGenerator: maker\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    static const char record[] = "gold-1.0.dist-info/RECORD,,\n";
    piw_buffer text = {0};
    maker_put(&text, head, strlen(head));
    maker_put(&text, lines, strlen(lines));
    maker_file(m, "gold-1.0.dist-info/METADATA", text.data, text.len, &(maker_odd){.deflate = true});
    maker_file(m, "gold-1.0.dist-info/WHEEL", wheel, strlen(wheel), NULL);
    maker_put(&m->record, record, strlen(record));
    maker_add(m, "gold-1.0.dist-info/RECORD", m->record.data, m->record.len, NULL);
    piw_buffer_fini(&text);
}

static void ck_placed(void)
{
    ck_bytes(WHEEL, &p.bytes);
    ck_assert(is_there(WHEEL ".metadata"));
    ck_log(LOG, "all is well");
    ck_assert(!is_there(MARK));
}

static void begin_small(void)
{
    setup();
    p = pack("gold", 3000);
}

static void end_small(void)
{
    teardown();
    piw_buffer_fini(&p.bytes);
}

/* --- Its way ---------------------------------------------------------------------------------------------------------- */

START_TEST(it_lies_in_the_journal_until_it_is_published)
{
    receive(&p, BUILD, "gold", "all is well");
    ck_lies(MARK);
    ck_assert(!is_there("simple/gold"));
    ck_assert(!is_there("logs"));
    publish(BUILD, "gold", NULL);
    ck_placed();
    struct stat info;
    ck_assert_int_eq(stat(at(WHEEL), &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0644);
    publish(BUILD, "gold", NULL); /* asked again */
    ck_placed();
}
END_TEST

START_TEST(what_is_large_is_staged)
{
    char *output = malloc(LARGE + 1);
    parcel large = pack("silver", LARGE);
    ck_assert_ptr_nonnull(output);
    memset(output, 'x', LARGE);
    output[LARGE] = '\0';
    receive(&large, BUILD, "silver", "short");
    ck_assert(!is_folder(MARK) || large.bytes.len > 49152);
    receive(&p, BUILD + 1, "gold", "short");
    ck_lies(".staging/000123456790");
    receive(&p, BUILD + 2, "gold", output);
    ck_lies(".staging/000123456791");
    free(output);
    piw_buffer_fini(&large.bytes);
    large = pack("silver", LARGE + 1000);
    receive(&large, BUILD + 3, "silver", "short");
    ck_assert(is_folder(".staging/000123456792"));
    piw_buffer_fini(&large.bytes);
}
END_TEST

/* The journal is read at each swap: there is a bound to what lies there. */
START_TEST(only_so_much_lies_there)
{
    char *output = malloc(LARGE + 1), name[64];
    parcel large = pack("silver", LARGE - 2000);
    int staged = 0;
    ck_assert_ptr_nonnull(output);
    memset(output, 'x', LARGE);
    output[LARGE] = '\0';
    for (int i = 0; i < MANY; i++) {
        receive(&large, BUILD + i, "silver", output);
        snprintf(name, sizeof(name), ".staging/%012lld", (long long)BUILD + i);
        staged += is_folder(name);
    }
    ck_assert_int_gt(staged, 10);
    ck_assert_int_lt(staged, MANY - 10);
    for (int i = 0; i < MANY; i++)
        publish(BUILD + i, "silver", NULL);
    ck_bytes("simple/silver/silver-1.0-py3-none-any.whl", &large.bytes);
    free(output);
    piw_buffer_fini(&large.bytes);
}
END_TEST

START_TEST(its_second_name_comes_with_it)
{
    maker m = {.tags = "py3-none-linux_armv7l"};
    parcel two = {0};
    maker_file(&m, "gold.py", "x = 1\n", 6, NULL);
    maker_dist_info(&m, "gold", "1.0", "");
    two.bytes = maker_end(&m);
    snprintf(two.name, sizeof(two.name), "gold-1.0-py3-none-linux_armv7l.whl");
    maker_hash(&two.bytes, two.hash);
    receive(&two, BUILD, "gold", "all is well");
    ck_lies(MARK);
    if (_i == 1)
        swap();
    publish(BUILD, "gold", _i == 2 ? two.name : NULL);
    struct stat info;
    ck_assert_int_eq(lstat(at("simple/gold/gold-1.0-py3-none-linux_armv6l.whl"), &info), 0);
    ck_assert_int_eq(S_ISLNK(info.st_mode),
                     _i != 2); /* where another wheel keeps the first name it is published alone */
    ck_bytes("simple/gold/gold-1.0-py3-none-linux_armv6l.whl", &two.bytes);
    ck_assert(is_there("simple/gold/gold-1.0-py3-none-linux_armv6l.whl.metadata"));
    ck_assert_int_eq(is_there("simple/gold/gold-1.0-py3-none-linux_armv7l.whl"), _i != 2);
    piw_buffer_fini(&two.bytes);
}
END_TEST

START_TEST(what_is_published_stays_where_it_is_kept)
{
    parcel other = pack("gold", 2000);
    receive(&p, BUILD, "gold", "all is well");
    publish(BUILD, "gold", NULL);
    receive(&other, BUILD + 1, "gold", "other bytes");
    publish(BUILD + 1, "gold", other.name);
    ck_placed();
    ck_log("logs/0001/2345/6790.txt.gz", "other bytes");
    ck_assert(!is_there(".staging/000123456790"));
    piw_buffer_fini(&other.bytes);
}
END_TEST

START_TEST(a_damaged_one_leaves_nothing)
{
    parcel other = pack("gold", 3000);
    other.bytes.data[1000] ^= 1;
    expect_last(&p, BUILD, 7, "gold", "all is well");
    transfer(&other, 7);
    ck_bad(BUILD, 7, false, "SHA-256");
    ck_assert(!is_there(MARK));
    receive(&p, BUILD, "gold", "all is well");
    publish(BUILD, "gold", NULL);
    ck_placed();
    piw_buffer_fini(&other.bytes);
}
END_TEST

START_TEST(one_that_is_given_up_leaves_nothing)
{
    expect_last(&p, BUILD, BUILD, "gold", "all is well");
    if (_i > 0)
        transfer(&p, BUILD);
    if (_i > 1)
        ck_good(BUILD, BUILD);
    if (_i > 2)
        swap();
    tell("archive", archive_DISCARD_make(BUILD, 1));
    if (_i > 1)
        wait_gone(MARK);
    publish(BUILD, "gold", NULL); /* nobody would */
    ck_assert(!is_there("simple/gold"));
    ck_assert(!is_there(MARK));
}
END_TEST

START_TEST(it_is_sent_again)
{
    parcel large = pack("gold", LARGE + 1000);
    receive(&p, BUILD, "gold", "first");
    if (_i == 0) { /* what comes now is staged */
        receive(&large, BUILD, "gold", "second");
        ck_assert(is_folder(MARK));
        publish(BUILD, "gold", NULL);
        ck_bytes(WHEEL, &large.bytes);
        ck_log(LOG, "second");
    } else {
        receive(&p, BUILD, "gold", "all is well");
        publish(BUILD, "gold", NULL);
        ck_placed();
    }
    ck_assert(!is_there(MARK));
    piw_buffer_fini(&large.bytes);
}
END_TEST

/* Whoever records it may have forgotten that its check saw to that. */
START_TEST(it_is_staged_already)
{
    receive(&p, BUILD, "gold", "all is well");
    stage(BUILD, "gold", "all is well");
    ck_lies(MARK);
    publish(BUILD, "gold", NULL);
    ck_placed();
}
END_TEST

/* --- Swaps and trouble ------------------------------------------------------------------------------------------------ */

START_TEST(swaps_lose_none)
{
    expect_last(&p, BUILD, BUILD, "gold", "all is well");
    if (_i == 0)
        swap();
    transfer(&p, BUILD);
    if (_i == 1)
        swap();
    piw_msg *verdict = verify(BUILD, BUILD);
    ck_assert(is_staged_too(verdict));
    piw_msg_free(&verdict);
    if (_i == 2)
        swap();
    ck_lies(MARK);
    publish(BUILD, "gold", NULL);
    if (_i == 3)
        swap();
    ck_placed();
}
END_TEST

/* Wherever its jobs are then. */
START_TEST(many_swaps_lose_none)
{
    for (int i = 0; i < MANY / 2; i++) {
        expect_last(&p, BUILD + i, BUILD, "gold", "all is well");
        transfer(&p, BUILD);
        for (int k = 0; k < i % 4; k++)
            swap();
        piw_msg *verdict = verify(BUILD + i, BUILD);
        ck_assert(is_staged_too(verdict));
        piw_msg_free(&verdict);
        publish(BUILD + i, "gold", NULL);
        ck_bytes(WHEEL, &p.bytes);
        ck_assert_int_eq(unlink(at(WHEEL)), 0);
    }
}
END_TEST

static void *ask(void *code)
{
    piw_msg *msg = fs_VERIFY_make(BUILD, BUILD), *answer = NULL;
    piw_err err = {0};
    int *rc = code;
    *rc = piw_runtime_call(runtime, "fs", &msg, WAIT_MS, &answer, &err);
    *rc = *rc == 0 ? piw_msg_error(answer) : *rc;
    piw_msg_free(&answer);
    return NULL;
}

/* All that it has said before was heard. */
static void heard(piw_client *client, const parcel *small)
{
    int64_t offset, length;
    expect(small, BUILD + 1, 8, "local", "gold");
    hello(client, 8);
    while (!asked(client, &offset, &length) || length != (int64_t)small->bytes.len)
        ;
}

/* Who waits for its check hears of it, whoever says meanwhile that the file is theirs. */
START_TEST(each_verify_is_answered)
{
    parcel damaged = pack("gold", 3000), small = pack("gold", 100);
    damaged.bytes.data[500] ^= 1;
    piw_client *other = connect_file();
    for (int i = 0; i < MANY / 4; i++) {
        pthread_t thread;
        int code = 1;
        expect_last(&p, BUILD, BUILD, "gold", "all is well");
        transfer(i % 2 == 0 ? &p : &damaged, BUILD);
        ck_assert_int_eq(pthread_create(&thread, NULL, ask, &code), 0);
        if (i % 3 > 0)
            swap();
        hello(other, BUILD);
        if (i % 3 > 1)
            swap();
        hello(other, BUILD);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        ck_assert_msg(code == 0 || code == PIW_EAGAIN, "%s", piw_err_name(code));
        heard(other, &small);
    }
    piw_client_close(&other);
    piw_buffer_fini(&small.bytes);
    piw_buffer_fini(&damaged.bytes);
}
END_TEST

/* The journal has it by the wheel alone. */
START_TEST(a_long_metadata_is_read_from_the_wheel)
{
    enum { LINE = 1000, LINES = 100 };
    char *words = malloc(LINES * LINE + 1);
    ck_assert_ptr_nonnull(words);
    memset(words, 'x', LINES * LINE);
    for (int i = 0; i < LINES; i++)
        memcpy(words + (size_t)i * LINE, "X-Word: ", 8), words[(size_t)i * LINE + LINE - 1] = '\n';
    words[LINES * LINE] = '\0';
    maker m = {0};
    parcel talks = {0};
    maker_file(&m, "gold.py", "x = 1\n", 6, NULL);
    maker_metadata(&m, words);
    talks.bytes = maker_end(&m);
    snprintf(talks.name, sizeof(talks.name), "gold-1.0-py3-none-any.whl");
    maker_hash(&talks.bytes, talks.hash);
    receive(&talks, BUILD, "gold", "all is well");
    ck_lies(MARK);
    if (_i == 1)
        swap();
    publish(BUILD, "gold", NULL);
    char *found = content(WHEEL ".metadata");
    ck_assert_uint_gt(strlen(found), LINES * LINE);
    free(found);
    free(words);
    piw_buffer_fini(&talks.bytes);
}
END_TEST

/* A file stands where its package's folder should. */
static void block(void)
{
    ck_assert_int_eq(piw_file_write(root, at("simple/gold"), "x", 1, 0, NULL), 0);
}

static void unblock(void)
{
    ck_assert_int_eq(unlink(at("simple/gold")), 0);
}

static void publish_at_last(int64_t build_id)
{
    int rc = try_publish(build_id, "gold");
    for (int i = 0; i < WAIT_MS / 20 && rc != 0; i++) {
        usleep(20000);
        rc = try_publish(build_id, "gold");
    }
    ck_assert_int_eq(rc, 0);
}

START_TEST(what_cannot_be_put_in_place_is_tried_again)
{
    receive(&p, BUILD, "gold", "all is well");
    store("gold", p.name, p.hash);
    if (_i > 0)
        tell("archive", known(BUILD));
    block();
    ck_assert_int_ne(try_publish(BUILD, "gold"), 0);
    if (_i > 1)
        swap();
    else /* until then others are staged */
        receive(&p, BUILD + 1, "gold", "later");
    ck_assert(_i > 1 || is_folder(".staging/000123456790"));
    unblock();
    publish_at_last(BUILD);
    wait_gone(MARK); /* it may just have been looked at as one that was left */
    ck_placed();
}
END_TEST

static void know_both(void)
{
    archive_KNOWN *body;
    piw_msg *msg = archive_KNOWN_new(&body);
    piw_msg_list(msg, &body->build_ids, 2);
    body->build_ids.at[0] = BUILD;
    body->build_ids.at[1] = BUILD + 1;
    tell("archive", msg);
}

/* One whose turn came before couldn't be put in its place; it doesn't come in the place of what was published since. */
START_TEST(the_last_one_of_a_name_stays)
{
    parcel other = pack("gold", 2000);
    receive(&p, BUILD, "gold", "all is well");
    receive(&other, BUILD + 1, "gold", "other bytes");
    store("gold", other.name, other.hash);
    know_both();
    block();
    ck_assert_int_ne(try_publish(BUILD, "gold"), 0);
    if (_i == 1)
        swap();
    ck_assert_int_ne(try_publish(BUILD + 1, "gold"), 0);
    unblock();
    wait_gone(".staging/000123456790");
    wait_gone(MARK);
    ck_bytes(WHEEL, &other.bytes);
    ck_log(LOG, "all is well");
    piw_buffer_fini(&other.bytes);
}
END_TEST

/* Pages wait for it. */
START_TEST(no_page_names_it_before)
{
    receive(&p, BUILD, "gold", "all is well");
    store("gold", p.name, p.hash);
    tell("archive", known(BUILD));
    piw_msg *msg = scribe_BOTH_make(piw_text_of("gold")), *answer = NULL;
    piw_err err = {0};
    ck_assert_int_eq(piw_runtime_call(runtime, "scribe", &msg, WAIT_MS, &answer, &err), 0);
    int code = piw_msg_error(answer);
    piw_msg_free(&answer);
    if (code == 0) /* the stand-in tells of no builds */
        ck_assert(is_there("simple/gold/index.html"));
    publish(BUILD, "gold", NULL);
    tell("scribe", scribe_BOTH_make(piw_text_of("gold")));
    ck_placed();
}
END_TEST

/* Once the present one doesn't await anything any more that the older one doesn't know. */
static int try_older(bool taken, piw_err *err)
{
    int rc = -1;
    bool awaits = true;
    for (int i = 0; i < WAIT_MS / 20 && (awaits || (taken && rc != 0)); i++) {
        *err = (piw_err){0};
        rc = piw_runtime_replace(runtime, "file_juggler", "juggler_older.so", err);
        awaits = rc != 0 && strstr(err->text, "is awaited") != NULL;
        if (awaits || (taken && rc != 0))
            usleep(20000);
    }
    return rc;
}

/* It knows nothing of builds that lie in the journal, and would take them for published ones. */
START_TEST(an_older_version_has_to_wait)
{
    piw_err err = {0};
    receive(&p, BUILD, "gold", "all is well");
    if (_i == 1)
        swap();
    ck_assert_int_ne(try_older(false, &err), 0);
    ck_assert_msg(strstr(err.text, "lies in the journal with its wheel") != NULL, "%s", err.text);
    ck_lies(MARK);
    publish(BUILD, "gold", NULL);
    ck_placed();
    if (_i == 1)
        swap();
    ck_assert_msg(try_older(true, &err) == 0, "%s", err.text);
}
END_TEST

/* --- Starts ----------------------------------------------------------------------------------------------------------- */

/* The next start: the build has its row, and the database says so when it has been asked once in vain. */
static void begin_recorded(void)
{
    begin_asking();
    store("gold", p.name, p.hash);
    tell("archive", known(BUILD));
    answer_builds();
    wait_for("PROJECT(package='gold')", 2);
}

/* In order it is staged, which an older master understands. */
START_TEST(at_the_end_it_is_staged)
{
    receive(&p, BUILD, "gold", "all is well");
    end();
    ck_assert(is_folder(MARK));
    ck_bytes(MARK "/gold-1.0-py3-none-any.whl", &p.bytes);
    ck_assert(is_there(MARK "/gold-1.0-py3-none-any.whl.metadata"));
    ck_log(MARK "/log.txt.gz", "all is well");
    begin_recorded();
    ck_placed();
}
END_TEST

/* What was staged at an orderly end may not have reached the disk; the journal has. */
START_TEST(what_was_staged_and_torn_is_staged_again)
{
    static const char *const torn[] = {"gold-1.0-py3-none-any.whl", "gold-1.0-py3-none-any.whl.metadata", "log.txt.gz"};
    char name[100];
    const int which = _i % 3;
    snprintf(name, sizeof(name), "%s/%s", MARK, torn[which]);
    receive(&p, BUILD, "gold", "all is well");
    end();
    ck_assert_int_eq(_i < 3 ? truncate(at(name), 0) : unlink(at(name)), 0);
    begin_recorded();
    ck_placed();
}
END_TEST

/* The same of a log in its place. */
START_TEST(a_torn_log_is_made_again)
{
    receive(&p, BUILD, "gold", "all is well");
    publish(BUILD, "gold", NULL);
    killed();
    ck_assert_int_eq(truncate(at(LOG), _i == 0 ? 0 : 10), 0);
    begin_recorded();
    ck_placed();
}
END_TEST

/* With a row it is put in place, without one it goes; also where its bytes were put in place and didn't all reach the disk. */
START_TEST(what_a_killed_master_left_is_finished_or_removed)
{
    const bool recorded = _i != 0;
    receive(&p, BUILD, "gold", "all is well");
    if (_i == 2)
        publish(BUILD, "gold", NULL);
    killed();
    if (_i == 2) {
        ck_placed();
        ck_assert_int_eq(truncate(at(WHEEL), 10), 0);
    } else {
        ck_lies(MARK);
    }
    begin_asking();
    ck_lies(MARK); /* pages wait */
    store("gold", p.name, p.hash);
    if (recorded)
        tell("archive", known(BUILD));
    answer_builds();
    if (recorded)
        wait_for("PROJECT(package='gold')", 2);
    wait_gone(MARK);
    if (recorded)
        ck_placed();
    ck_assert_int_eq(is_there("simple/gold"), recorded);
}
END_TEST

/* The mark may be lost, and not the record; or the record, and not the mark. */
START_TEST(marks_follow_the_journal)
{
    receive(&p, BUILD, "gold", "all is well");
    killed();
    if (_i == 0)
        ck_assert_int_eq(unlink(at(MARK)), 0);
    else
        run("rm $SITE/.staging/journal.0*");
    away_at_start = "yes";
    begin();
    if (_i == 0)
        wait_for("BUILDS_KNOWN(", 1);
    ck_assert_int_eq(is_there(MARK), _i == 0);
    ck_assert(!is_folder(MARK));
}
END_TEST

START_TEST(what_is_kept_is_asked_for_when_the_task_begins_anew)
{
    parcel other = pack("gold", 2000);
    receive(&p, BUILD, "gold", "all is well");
    publish(BUILD, "gold", NULL);
    receive(&other, BUILD + 1, "gold", "other bytes");
    store("gold", p.name, p.hash);
    tell("archive", known(BUILD + 1));
    anew();
    wait_gone(".staging/000123456790");
    wait_there("logs/0001/2345/6790.txt.gz");
    ck_bytes(WHEEL, &p.bytes);
    piw_buffer_fini(&other.bytes);
}
END_TEST

/* Whoever built it may still have it recorded. */
START_TEST(when_the_task_begins_anew_it_stays)
{
    receive(&p, BUILD, "gold", "all is well");
    anew();
    publish(BUILD, "gold", NULL);
    ck_placed();
}
END_TEST

static void seal(const built_file *file)
{
    build_row *body;
    piw_msg *msg = fs_SEAL_new(&body);
    body->build_id = BUILD;
    body->slave_id = 7;
    body->package = piw_text_of("gold");
    body->version = piw_text_of("1.0");
    body->abi_tag = piw_text_of("cp311");
    body->status = true;
    body->duration = piw_duration_from_us(1500000);
    piw_msg_list(msg, &body->files, 1);
    piw_value_copy(msg, built_file_type(), file, &body->files.at[0]);
    tell("fs", msg);
}

START_TEST(what_was_sealed_is_recorded_and_put_in_place)
{
    expect_last(&p, BUILD, BUILD, "gold", "all is well");
    transfer(&p, BUILD);
    piw_msg *verdict = verify(BUILD, BUILD);
    seal(&fs_VERIFY_reply_of(verdict)->file);
    piw_msg_free(&verdict);
    ck_lies(MARK);
    if (_i == 0) { /* its row comes in time after all */
        publish(BUILD, "gold", NULL);
        ck_placed();
        return;
    }
    if (_i == 1)
        killed();
    else
        end();
    ck_assert_int_eq(is_there(MARK "/record"), _i == 2); /* for a master that can't read the journal's */
    begin_asking();
    store("gold", p.name, p.hash);
    answer_builds();
    wait_for("PROJECT(package='gold')", 2);
    wait_for("LOGBUILD(build_id=123456789, slave_id=7, package='gold', version='1.0', abi_tag='cp311', status=true", 1);
    ck_placed();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("small_builds");
    TCase *cases = tcase_create("small_builds");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, begin_small, end_small);
    tcase_add_test(cases, it_lies_in_the_journal_until_it_is_published);
    tcase_add_test(cases, what_is_large_is_staged);
    tcase_add_test(cases, only_so_much_lies_there);
    tcase_add_loop_test(cases, its_second_name_comes_with_it, 0, 3);
    tcase_add_test(cases, what_is_published_stays_where_it_is_kept);
    tcase_add_test(cases, a_damaged_one_leaves_nothing);
    tcase_add_loop_test(cases, one_that_is_given_up_leaves_nothing, 0, 4);
    tcase_add_loop_test(cases, it_is_sent_again, 0, 2);
    tcase_add_test(cases, it_is_staged_already);
    tcase_add_loop_test(cases, swaps_lose_none, 0, 4);
    tcase_add_test(cases, many_swaps_lose_none);
    tcase_add_test(cases, each_verify_is_answered);
    tcase_add_loop_test(cases, a_long_metadata_is_read_from_the_wheel, 0, 2);
    tcase_add_loop_test(cases, what_cannot_be_put_in_place_is_tried_again, 0, 3);
    tcase_add_loop_test(cases, the_last_one_of_a_name_stays, 0, 2);
    tcase_add_test(cases, no_page_names_it_before);
    tcase_add_test(cases, at_the_end_it_is_staged);
    tcase_add_loop_test(cases, what_was_staged_and_torn_is_staged_again, 0, 6);
    tcase_add_loop_test(cases, a_torn_log_is_made_again, 0, 2);
    tcase_add_loop_test(cases, what_a_killed_master_left_is_finished_or_removed, 0, 3);
    tcase_add_loop_test(cases, marks_follow_the_journal, 0, 2);
    tcase_add_test(cases, what_is_kept_is_asked_for_when_the_task_begins_anew);
    tcase_add_test(cases, when_the_task_begins_anew_it_stays);
    tcase_add_loop_test(cases, what_was_sealed_is_recorded_and_put_in_place, 0, 3);
    suite_add_tcase(suite, cases);
    TCase *older = tcase_create("older");
    tcase_set_timeout(older, 60);
    tcase_add_checked_fixture(older, begin_small, end_small);
    tcase_add_loop_test(older, an_older_version_has_to_wait, 0, 2);
    suite_add_tcase(suite, older);
    return suite;
}
