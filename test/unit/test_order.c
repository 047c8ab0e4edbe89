/* PyPI's events in the order in which they may be applied: the window, the sorting, the serial to be stored. */
#include "cloud_gazer/order.c"

#include "unit.h"

#include <stdio.h>

static gazer_order *order;

static void teardown(void)
{
    gazer_order_free(&order);
}

static bool add(const char *name, const char *version, int64_t time_s, const char *action, int64_t serial)
{
    gazer_event event = {piw_text_of(name), version != NULL ? piw_text_of(version) : (piw_text){0}, time_s,
                         piw_text_of(action), serial};
    return gazer_order_add(order, &event);
}

/* The next batch as text, "serial serial … > stored"; confirmed. */
static const char *deliver(uint32_t max)
{
    static char text[1024];
    text[0] = '\0';
    piw_msg *msg = gazer_order_batch(order, max, false);
    if (msg == NULL)
        return "nothing";
    const db_PYPI_APPLY *body = db_PYPI_APPLY_of(msg);
    for (uint32_t i = 0; i < body->events.count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%lld ", (long long)body->events.at[i].serial);
    snprintf(text + strlen(text), sizeof(text) - strlen(text), "> %lld", (long long)body->serial);
    piw_msg_free(&msg);
    gazer_order_confirm(order);
    return text;
}

START_TEST(waits_for_five_minutes_of_later_events)
{
    order = gazer_order_new(1000000, NULL, 0);
    ck_assert_int_eq(gazer_order_from(order, false), 998000);
    ck_assert(add("a", NULL, 1000, "create", 1000001));
    ck_assert_str_eq(deliver(100), "nothing");
    ck_assert(add("a", "1", 1299, "add source file a-1.tar.gz", 1000002));
    ck_assert_str_eq(deliver(100), "nothing");
    ck_assert(add("b", NULL, 1300, "create", 1000003));
    ck_assert_str_eq(deliver(100), "1000001 > 1000001");
    ck_assert_str_eq(deliver(100), "nothing");
    /* Caught up, the last minutes are read once more: what was seen doesn't count. */
    ck_assert_int_eq(gazer_order_from(order, true), 1000001);
    ck_assert_int_eq(gazer_order_from(order, false), 1000003);
    ck_assert(!add("a", "1", 1299, "add source file a-1.tar.gz", 1000002));
    ck_assert(!add("a", NULL, 1000, "create", 1000001));
    /* An event of no concern is a later event too, and progress when its time has come. */
    ck_assert(add("c", NULL, 2000, "add Owner someone", 1000004));
    ck_assert_str_eq(deliver(100), "1000002 1000003 > 1000003");
    ck_assert(add("c", NULL, 3000, "remove Owner someone", 1000005));
    ck_assert_str_eq(deliver(100), "> 1000004");
}
END_TEST

START_TEST(sorts_by_time_then_serial)
{
    order = gazer_order_new(1000000, NULL, 0);
    add("a", "2", 500, "add source file x", 1000001);
    add("a", "1", 400, "add source file x", 1000002);
    add("a", NULL, 400, "create", 1000003);
    add("z", NULL, 2000, "create", 1000004);
    /* The serial stored with a batch never runs ahead of what is still to come. */
    ck_assert_str_eq(deliver(1), "1000002 > 1000000");
    ck_assert_str_eq(deliver(1), "1000003 > 1000000");
    ck_assert_uint_eq(gazer_order_progress(order).applied, 2);
    ck_assert_int_eq(gazer_order_progress(order).applied_s, 400);
    ck_assert_str_eq(deliver(1), "1000001 > 1000003");
    ck_assert_uint_eq(gazer_order_progress(order).applied, 3);
    ck_assert_int_eq(gazer_order_progress(order).applied_s, 500);
    ck_assert_uint_eq(gazer_order_progress(order).waiting, 1);
}
END_TEST

START_TEST(the_next_ones_are_put_in_order_beside_a_batch)
{
    order = gazer_order_new(1000000, NULL, 0);
    add("a", NULL, 400, "create", 1000001);
    add("b", NULL, 500, "create", 1000002);
    add("y", NULL, 2000, "create", 1000003);
    piw_msg *msg = gazer_order_batch(order, 1, false);
    add("c", NULL, 600, "create", 1000004);
    add("z", NULL, 3000, "create", 1000005);
    ck_assert_uint_eq(order->ready_count, 2);
    ck_assert(gazer_order_ahead(order, 3));
    ck_assert_uint_eq(order->ready_count, 4);
    piw_msg_free(&msg);
    /* The batch stays the first. */
    gazer_order_take_back(order, 0);
    ck_assert_str_eq(deliver(1), "1000001 > 1000001");
    ck_assert_str_eq(deliver(10), "1000002 1000004 1000003 > 1000004");
    ck_assert_str_eq(deliver(10), "nothing");
}
END_TEST

START_TEST(an_unripe_early_serial_holds_the_stored_one_back)
{
    order = gazer_order_new(1000000, NULL, 0);
    add("late", NULL, 1990, "create", 1000001); /* low serial, high time */
    add("a", NULL, 400, "create", 1000002);
    add("b", NULL, 2000, "create", 1000003);
    ck_assert_str_eq(deliver(100), "1000002 > 1000000");
    ck_assert_int_eq(gazer_order_from(order, true), 1000000);
    add("c", NULL, 2300, "create", 1000004);
    ck_assert_str_eq(deliver(100), "1000001 1000003 > 1000003");
    ck_assert(!add("a", NULL, 400, "create", 1000002));
}
END_TEST

START_TEST(applied_ones_are_passed_over)
{
    int64_t applied[] = {999000, 999900, 1000000};
    order = gazer_order_new(1000000, applied, 3);
    ck_assert(!add("a", NULL, 1, "remove project", 999000));
    ck_assert(add("b", NULL, 2, "create", 999500));
    ck_assert(!add("c", NULL, 3, "create", 998000));
    add("d", NULL, 5000, "create", 1000001);
    ck_assert_str_eq(deliver(10), "999500 > 1000000");
}
END_TEST

START_TEST(old_history_waits_for_its_whole)
{
    order = gazer_order_new(5, NULL, 0);
    ck_assert_int_eq(gazer_order_from(order, false), 0);
    add("a", NULL, 1000, "create", 10);
    add("b", NULL, 9000, "create", 11);
    ck_assert(gazer_order_waits(order, false));
    ck_assert(!gazer_order_waits(order, true));
    add("c", NULL, 500, "create", 628000);
    ck_assert(!gazer_order_waits(order, false));
    ck_assert_str_eq(deliver(10), "628000 10 > 10");
}
END_TEST

START_TEST(actions_mean_what_they_mean)
{
    static const struct {
        const char *action;
        bool version;
        const char *meaning;
        bool whole;
    } cases[] = {
        {"create", false, "create", true},
        {"create", true, "create", true},
        {"remove", false, "remove", true},
        {"remove", true, "remove", false},
        {"remove project", true, "remove", true},
        {"remove release", true, "remove", false},
        {"remove release", false, NULL, false},
        {"remove file x-1.tar.gz", true, "unsource", false},
        {"remove file x-1.zip", true, "unsource", false},
        {"remove file x-1.linux-x86_64.tar.gz", true, NULL, false},
        {"remove file x-1-py3-none-any.whl", true, NULL, false},
        {"remove file x-1.tar.gz", false, NULL, false},
        {"remove file .zip", true, NULL, false},
        {"project quarantined", false, "quarantine", true},
        {"project quarantined", true, "quarantine", true},
        {"project quarantine cleared", false, "clear", true},
        {"release quarantined", true, "quarantine", false},
        {"release quarantined", false, NULL, false},
        {"release quarantine cleared", true, "clear", false},
        {"project quarantine", false, NULL, false},
        {"project&#32;quarantined", false, "quarantine", true},
        {"project&#x20;quarantine&#x20;cleared", false, "clear", true},
        {"remove file x-1&#46;tar&#x2e;gz", true, "unsource", false},
        {"project&#;quarantined", false, NULL, false},
        {"project&#0;quarantined", false, NULL, false},
        {"project quarantined&#x", false, NULL, false},
        {"add source file x-1.tar.gz", true, "source", false},
        {"add source file x-1.tar.gz", false, NULL, false},
        {"add py3 file x-1-py3-none-any.whl", true, "binary", false},
        {"add bdist_wininst file with a very very very very very very very very long name indeed", true, "binary",
         false},
        {"add Owner someone", true, NULL, false},
        {"add  file", true, NULL, false},
        {"add", true, NULL, false},
        {"new release", true, NULL, false},
        {"yank release", true, "yank", false},
        {"unyank release", true, "unyank", false},
        {"yank release", false, NULL, false},
        {"", false, NULL, false},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        bool whole;
        const char *meaning = gazer_action(piw_text_of(cases[i].action), cases[i].version, &whole);
        ck_assert_pstr_eq(meaning, cases[i].meaning);
        if (meaning != NULL)
            ck_assert_int_eq(whole, cases[i].whole);
    }
}
END_TEST

START_TEST(names_become_canonical_and_odd_ones_are_left_out)
{
    char long_text[300];
    memset(long_text, 'a', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    order = gazer_order_new(1000000, NULL, 0);
    add("Foo__Bar.baz", "1.0", 100, "add source file x", 1000001);
    add(long_text, NULL, 100, "create", 1000002);
    add("a", long_text, 100, "add source file x", 1000003);
    add("", NULL, 100, "create", 1000004);
    add("../etc", NULL, 100, "create", 1000005);
    add("a", "1\n2", 100, "add source file x", 1000006);
    add("a", NULL, -7, "create", 1000007);
    add("a", NULL, INT64_MAX, "create", 1000008);
    add("z", NULL, 500, "create", 1000009);
    piw_msg *msg = gazer_order_batch(order, 10, true);
    const db_PYPI_APPLY *body = db_PYPI_APPLY_of(msg);
    ck_assert_uint_eq(body->events.count, 1);
    ck_assert(body->development);
    ck_assert_str_eq(body->events.at[0].package.s, "foo-bar-baz");
    ck_assert_str_eq(body->events.at[0].name.s, "Foo__Bar.baz");
    ck_assert_str_eq(body->events.at[0].version.s, "1.0");
    ck_assert_str_eq(body->events.at[0].action.s, "source");
    ck_assert_int_eq(body->events.at[0].timestamp.us, 100000000);
    ck_assert_int_eq(body->serial, 1000008);
    piw_err err = {0};
    ck_assert_msg(piw_msg_check(msg, &err) == 0, "%s", err.text);
    piw_msg_free(&msg);
}
END_TEST

START_TEST(an_unconfirmed_batch_comes_again)
{
    order = gazer_order_new(1000000, NULL, 0);
    for (int i = 1; i <= 5; i++)
        add("a", NULL, i, "create", 1000000 + i);
    add("z", NULL, 5000, "create", 1000010);
    piw_msg *msg = gazer_order_batch(order, 4, false);
    piw_msg_free(&msg);
    gazer_order_take_back(order, 0);
    ck_assert_str_eq(deliver(2), "1000001 1000002 > 1000002");
    ck_assert_str_eq(deliver(10), "1000003 1000004 1000005 > 1000009");
}
END_TEST

/* Serials of a batch, its stored one, and whether it follows the one with the number *before, which becomes its own. */
static const char *send(uint32_t max, int64_t *before)
{
    static char text[1024];
    piw_msg *msg = gazer_order_batch(order, max, false);
    if (msg == NULL)
        return "nothing";
    const db_PYPI_APPLY *body = db_PYPI_APPLY_of(msg);
    ck_assert(body->after == NULL || *body->after == *before);
    snprintf(text, sizeof(text), "%lld-%lld > %lld%s", (long long)body->events.at[0].serial,
             (long long)body->events.at[body->events.count - 1].serial, (long long)body->serial,
             body->after != NULL ? " after" : "");
    ck_assert_int_ne(*body->number, *before);
    *before = *body->number;
    piw_msg_free(&msg);
    return text;
}

START_TEST(a_second_batch_follows_the_one_that_is_under_way)
{
    int64_t number = 0;
    order = gazer_order_new(1000000, NULL, 0);
    for (int i = 1; i <= 8; i++)
        add("a", NULL, i, "create", 1000000 + i);
    add("z", NULL, 5000, "create", 1000010);
    ck_assert(gazer_order_ahead(order, 8));
    ck_assert_str_eq(send(3, &number), "1000001-1000003 > 1000003");
    ck_assert(gazer_order_ahead(order, 5));
    ck_assert(!gazer_order_ahead(order, 6));
    ck_assert_str_eq(send(3, &number), "1000004-1000006 > 1000006 after");
    ck_assert_uint_eq(gazer_order_progress(order).waiting, 9);
    ck_assert_int_eq(gazer_order_progress(order).stored, 1000000);
    /* The first is applied: the next follows the second. */
    gazer_order_confirm(order);
    ck_assert_int_eq(gazer_order_progress(order).stored, 1000003);
    ck_assert_str_eq(send(1, &number), "1000007-1000007 > 1000007 after");
    /* That couldn't be sent. */
    gazer_order_take_back(order, 1);
    gazer_order_confirm(order);
    ck_assert_int_eq(gazer_order_progress(order).stored, 1000006);
    ck_assert_str_eq(send(2, &number), "1000007-1000008 > 1000009");
    gazer_order_confirm(order);
    ck_assert_uint_eq(gazer_order_progress(order).applied, 8);
    ck_assert_str_eq(send(2, &number), "nothing");
}
END_TEST

START_TEST(batches_behind_a_refused_one_come_again_with_it)
{
    int64_t number = 0;
    order = gazer_order_new(1000000, NULL, 0);
    for (int i = 1; i <= 4; i++)
        add("a", NULL, i, "create", 1000000 + i);
    add("z", NULL, 5000, "create", 1000010);
    send(2, &number);
    ck_assert_str_eq(send(2, &number), "1000003-1000004 > 1000009 after");
    gazer_order_take_back(order, 0);
    ck_assert_str_eq(send(1, &number), "1000001-1000001 > 1000001");
    gazer_order_confirm(order);
    ck_assert_str_eq(send(10, &number), "1000002-1000004 > 1000009");
}
END_TEST

Suite *unit_suite(void)
{
    piw_protocol_use(&db_protocol_def);
    Suite *suite = suite_create("order");
    TCase *tests = tcase_create("order");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, waits_for_five_minutes_of_later_events);
    tcase_add_test(tests, sorts_by_time_then_serial);
    tcase_add_test(tests, the_next_ones_are_put_in_order_beside_a_batch);
    tcase_add_test(tests, an_unripe_early_serial_holds_the_stored_one_back);
    tcase_add_test(tests, applied_ones_are_passed_over);
    tcase_add_test(tests, old_history_waits_for_its_whole);
    tcase_add_test(tests, actions_mean_what_they_mean);
    tcase_add_test(tests, names_become_canonical_and_odd_ones_are_left_out);
    tcase_add_test(tests, an_unconfirmed_batch_comes_again);
    tcase_add_test(tests, a_second_batch_follows_the_one_that_is_under_way);
    tcase_add_test(tests, batches_behind_a_refused_one_come_again_with_it);
    suite_add_tcase(suite, tests);
    return suite;
}
