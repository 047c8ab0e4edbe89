/* test_monitor_panes.c — what a large screen shows beside the slaves, from tables of any form; and the search of slaves. */
#include "monitor_screen.h"
#include "piw-monitor/farm.h"

/* An answer of lines; NULL ends them. */
static piw_msg *answer(const char *const *lines)
{
    admin_LINES *body;
    piw_msg *msg = admin_LINES_new(&body);
    uint32_t count = 0;
    while (lines[count] != NULL)
        count++;
    piw_msg_list(msg, &body->lines, count);
    for (uint32_t i = 0; i < count; i++)
        body->lines.at[i] = piw_text_of(lines[i]);
    return msg;
}

static int take_builds(const char *const *lines, piw_err *err)
{
    piw_msg *msg = answer(lines);
    int rc = farm_take_builds(&beside, admin_LINES_of(msg), now, err);
    piw_msg_free(&msg);
    return rc;
}

static int take_queues(const char *const *lines, piw_err *err)
{
    piw_msg *msg = answer(lines);
    int rc = farm_take_queues(&beside, admin_LINES_of(msg), now, err);
    piw_msg_free(&msg);
    return rc;
}

#define HEADS      ">build\tended\tpackage\tversion\tabi\tresult\t>seconds\t>slave"
#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void a_farm(void)
{
    piw_err err = {0};
    piw_msg *next = answer(LINES(">place\tpackage\tversion", "1\tscipy\t1.0", "2\t\x1b[2J\t\x1b"));
    model_connected(known, true, now);
    hear_hello(100 * SECOND);
    hear_stats(0, INT64_C(40) << 30, 9);
    arrive(7, "pi-9", "cp39", builds("numpy", "1.26.4"));
    arrive(8, "pi-11\x1b", "cp39", builds("scipy", "1.0"));
    arrive(19, "garage", "cp311", slave_SLEEP_make(false));
    ck_assert_int_eq(take_builds(LINES(HEADS, "5\t2026-09-21T14:13:20Z\tnumpy\t1.26.3\tcp39\tbuilt\t61.5\t7",
                                       "6\tnonsense\t\x1b[31mevil\t\xff\tcp39\tfailed\t1e300\t8"),
                                 &err),
                     0);
    ck_assert_int_eq(
        take_queues(LINES("abi\t>waiting\t>building\t>resting\t>slaves", "cp311\t12\t1\t2\t0", "cp39\t3\t0\t0\t2"),
                    &err),
        0);
    ck_assert_int_eq(farm_take_next(&beside, admin_LINES_of(next), "cp39", now, &err), 0);
    piw_msg_free(&next);
}

START_TEST(tables_become_panes)
{
    a_farm();
    look(132, 43);
    SEES("1 failure of the last 2 builds");
    SEES("5");
    SEES("numpy 1.26.3");
    SEES("\\x1b[31mevil");
    SEES("1m01s built");
    SEES("next for cp39:");
    ck_assert_int_lt(find(" cp39          3"), find(" cp311        12"));
    look(119, 43);
    SEES_NOT("of the last 2 builds");
    look(120, 29);
    SEES_NOT("of the last 2 builds");
    look(80, 24);
    SEES_NOT("of the last 2 builds");
    for (int columns = 1; columns <= 260; columns += 7)
        for (int rows = 1; rows <= 70; rows++)
            look(columns, rows); /* under a sanitizer this is a test */
}
END_TEST

START_TEST(the_newest_is_first)
{
    a_farm();
    ck_assert_int_eq(beside.builds[0].number, 6);
    ck_assert_int_eq(farm_last(&beside, 7)->number, 5);
    ck_assert_int_eq(farm_last(&beside, 0)->number, 6); /* the newest failure */
    ck_assert_ptr_null(farm_last(&beside, 19));
}
END_TEST

START_TEST(old_figures_say_so)
{
    a_farm();
    look(132, 43);
    SEES_NOT("as of");
    model_connected(known, false, now);
    look(132, 43);
    SEES("as of 0s ago");
    now += 30 * SECOND;
    model_connected(known, true, now);
    look(132, 43);
    SEES("as of 30s ago");
    snprintf(beside.builds_state.why, sizeof(beside.builds_state.why), "the database is away");
    look(132, 43);
    SEES("the database is away");
    SEES("numpy 1.26.3");
}
END_TEST

START_TEST(why_there_are_no_panes)
{
    model_connected(known, true, now);
    snprintf(beside.link.why, sizeof(beside.link.why), "nobody may");
    look(132, 43);
    SEES("No builds, queues and log: nobody may");
    look(80, 24);
    SEES_NOT("nobody may");
}
END_TEST

START_TEST(what_is_no_table_is_refused)
{
    static const char *const bad[][3] = {
        {">build\tpackage", "1\tnumpy", NULL}, {HEADS, "1\t2", NULL}, {HEADS, "", NULL}, {"", "", NULL}};
    for (size_t i = 0; i < PIW_COUNT(bad); i++) {
        piw_err err = {0};
        ck_assert_int_eq(take_builds(bad[i], &err), PIW_ESHAPE);
        ck_assert_ptr_nonnull(strstr(err.text, "in another form"));
    }
    piw_err err = {0};
    ck_assert_int_eq(take_builds((const char *const[]){NULL}, &err), PIW_ESHAPE);
    ck_assert_int_eq(take_queues(LINES("abi", "cp39"), &err), PIW_ESHAPE);
    look(200, 60);
}
END_TEST

START_TEST(tables_are_bounded)
{
    piw_err err = {0};
    const char *lines[2001] = {HEADS};
    char *row = piw_sprintf("4\t\t%0900d\t%0900d\tcp39\tbuilt\t1\t7", 1, 2);
    for (size_t i = 1; i < 2000; i++)
        lines[i] = row;
    ck_assert_int_eq(take_builds(lines, &err), 0);
    ck_assert_uint_eq(beside.builds_count, FARM_BUILDS);
    look(200, 60);
    free(row);
}
END_TEST

static void type(const char *text)
{
    KEY('/');
    for (; *text != '\0'; text++)
        KEY((unsigned char)*text);
}

START_TEST(a_slave_is_found)
{
    a_farm();
    type("GAR");
    look(80, 24);
    SEES("/GAR");
    SEES("1 slave; Enter jumps");
    KEY(UI_ENTER);
    ck_assert_int_eq(person.chosen, 19);
    look(80, 24);
    SEES("? Help");
    type("pi-");
    KEY(UI_ENTER);
    ck_assert_int_eq(person.chosen, 7);
    KEY('n');
    ck_assert_int_eq(person.chosen, 8);
    KEY('n');
    ck_assert_int_eq(person.chosen, 7); /* round again */
    KEY('N');
    ck_assert_int_eq(person.chosen, 8);
    type("9"); /* a label has it too, but no other has that number */
    KEY(UI_ENTER);
    ck_assert_int_eq(person.chosen, 7);
    type("19");
    KEY(UI_ENTER);
    ck_assert_int_eq(person.chosen, 19);
    type("qk");
    KEY(UI_ESCAPE);
    ck_assert(!person.quit && person.dialog == DIALOG_NONE && !person.search.open);
    ck_assert_int_eq(person.chosen, 19);
    type("nowhere");
    KEY(UI_ENTER);
    look(80, 24);
    SEES("no slave has 'nowhere'");
    ck_assert_int_eq(person.chosen, 19);
}
END_TEST

START_TEST(what_is_typed_is_bounded_text)
{
    KEY('n');
    look(80, 24);
    SEES("nothing was searched for yet");
    KEY('/');
    for (int i = 0; i < 100; i++)
        KEY(L'日');
    ck_assert_uint_le(strlen(person.search.text), SEARCH_MAX);
    ck_assert_uint_eq(piw_utf8_valid(person.search.text, strlen(person.search.text)), strlen(person.search.text));
    KEY(UI_DOWN);
    KEY(0x1b);
    KEY(UI_BACKSPACE);
    ck_assert_uint_eq(strlen(person.search.text), SEARCH_MAX / 3 * 3 - 3);
    for (int i = 0; i < 100; i++)
        KEY(UI_BACKSPACE);
    ck_assert_str_eq(person.search.text, "");
    KEY(0x1f600);
    ck_assert_uint_eq(piw_utf8_valid(person.search.text, 4), 4);
    KEY(UI_BACKSPACE);
    KEY(UI_ENTER); /* an empty one ends */
    ck_assert(!person.search.open);
    look(24, 5);
}
END_TEST

static setting told(const char *name, const char *value)
{
    return (setting){piw_text_of(name), piw_text_of(value), piw_text_of("piwheels.conf:1")};
}

START_TEST(slaves_stand_below_their_views)
{
    const setting all[] = {
        told("output-path", "/var/www"),
        told("site.common", "a-common-one"),
        told("view:trixie-arm64.1.2.abi", "cp311"),
        told("view:trixie-arm64.1.2.platform", "linux_aarch64"),
        told("view:a-common-one.abi", "cp39"),
        told("view:a-common-one.platform", "linux_armv7l"),
    };
    admin_SETTINGS *body;
    piw_msg *msg = admin_SETTINGS_new(&body);
    piw_err err = {0};
    body->settings.at = (setting *)all;
    body->settings.count = PIW_COUNT(all);
    a_farm();
    ck_assert_int_eq(take_queues(LINES("abi\t>waiting\t>building\t>resting\t>slaves", "trixie-arm64.1.2\t12\t1\t2\t0",
                                       "cp39\t3\t0\t0\t2"),
                                 &err),
                     0);
    look(132, 43);
    SEES(" cp39  9 pending");
    ck_assert_int_eq(farm_take_settings(&beside, body, &err), 0);
    ck_assert(beside.views_came);
    model_take_views(known, &beside.views);
    look(132, 43);
    SEES(" a-common-one  9 pending");
    SEES(" fits no view, so no work");
    SEES("next for a-common-one:");
    ck_assert_int_lt(find("fits no view"), find("garage"));
    ck_assert_int_lt(find("garage"), find(" a-common-one  9"));
    SEES_NOT(" cp39  9 pending");
    slave_hello *hello;
    piw_msg *arm = make_slave_hello(&hello, "tree", "cp311");
    hello->platform = piw_text_of("linux_aarch64");
    hear_slave(20, 0, "HELLO", arm);
    piw_msg_free(&arm);
    look(160, 43);
    SEES(" trixie-arm64.1.2  0 pending");
    ck_assert_uint_eq(known->count, 4);
    ck_assert_uint_eq(model_place(known, model_find(known, 20)), 3);
    ck_assert_str_eq(model_queue(model_find(known, 20)), "trixie-arm64.1.2");
    piw_msg_free(&msg);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("monitor_panes");
    TCase *tests = tcase_create("monitor_panes");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, tables_become_panes);
    tcase_add_test(tests, the_newest_is_first);
    tcase_add_test(tests, old_figures_say_so);
    tcase_add_test(tests, why_there_are_no_panes);
    tcase_add_test(tests, what_is_no_table_is_refused);
    tcase_add_test(tests, tables_are_bounded);
    tcase_add_test(tests, slaves_stand_below_their_views);
    tcase_add_test(tests, a_slave_is_found);
    tcase_add_test(tests, what_is_typed_is_bounded_text);
    suite_add_tcase(suite, tests);
    return suite;
}
