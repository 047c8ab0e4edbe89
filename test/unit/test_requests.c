/* Page requests: held, merged, handed on in the order in which they are due. */
#include "the_secretary/requests.c"

#include "unit.h"

#include <stdio.h>

static requests all;

static void setup(void)
{
    requests_init(&all);
}

static void teardown(void)
{
    requests_fini(&all);
}

static request *ask(const char *package, page_part what, int64_t due_ns)
{
    return requests_ask(&all, piw_text_of(package), what, due_ns, (piw_time){0});
}

START_TEST(duplicates_merge_and_the_greater_part_wins)
{
    request *r = ask("gold", PART_PROJECT, 60);
    ck_assert_ptr_eq(ask("gold", PART_BOTH, 70), r);
    ck_assert_ptr_eq(ask("gold", PART_PROJECT, 80), r);
    ck_assert_uint_eq(requests_count(&all), 1);
    ck_assert_int_eq(r->saved.part, PART_BOTH);
    /* Held from the first asking on. */
    ck_assert_ptr_null(requests_due(&all, 59));
    ck_assert_ptr_eq(requests_due(&all, 60), r);
}
END_TEST

START_TEST(now_is_now)
{
    ask("silver", PART_BOTH, 50);
    request *r = ask("gold", PART_PROJECT, 60);
    ask("gold", PART_BOTH, 10);
    ck_assert_ptr_eq(requests_due(&all, 10), r);
    ck_assert_int_eq(requests_next_due(&all), 10);
}
END_TEST

START_TEST(the_one_due_first_comes_first)
{
    char name[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        ask(name, PART_PROJECT, (i * 7919) % 1000);
    }
    int64_t last = -1;
    for (int i = 0; i < 1000; i++) {
        request *r = requests_due(&all, 1000);
        ck_assert_ptr_nonnull(r);
        ck_assert_int_ge(r->saved.due_ns, last);
        last = r->saved.due_ns;
        requests_fly(&all, r);
        requests_done(&all, r);
    }
    ck_assert_uint_eq(requests_count(&all), 0);
    ck_assert_int_eq(requests_next_due(&all), INT64_MAX);
}
END_TEST

START_TEST(what_is_asked_for_while_it_is_written_waits_behind)
{
    request *r = ask("gold", PART_PROJECT, 0);
    uint64_t number = requests_fly(&all, r);
    ck_assert_ptr_eq(requests_flying(&all, number), r);
    ck_assert_ptr_null(requests_due(&all, 1000));
    ask("gold", PART_PROJECT, 70);
    ask("gold", PART_BOTH, 80);
    requests_done(&all, r);
    ck_assert_ptr_null(requests_flying(&all, number));
    ck_assert_uint_eq(requests_count(&all), 1);
    ck_assert_int_eq(r->saved.part, PART_BOTH);
    ck_assert_int_eq(requests_next_due(&all), 70);
}
END_TEST

START_TEST(what_failed_stays_queued)
{
    request *r = ask("gold", PART_PROJECT, 0);
    requests_fly(&all, r);
    ask("gold", PART_BOTH, 70);
    requests_failed(&all, r, 500);
    ck_assert_uint_eq(requests_count(&all), 1);
    ck_assert_int_eq(r->saved.part, PART_BOTH);
    ck_assert_uint_eq(r->saved.tries, 1);
    ck_assert_int_eq(requests_next_due(&all), 500);
}
END_TEST

START_TEST(a_removal_wins_and_is_due_at_once)
{
    request *r = ask("gold", PART_BOTH, 60);
    ask("gold", PART_REMOVE, 5);
    ck_assert_int_eq(r->saved.part, PART_REMOVE);
    ck_assert_ptr_eq(requests_due(&all, 5), r);
    requests_fly(&all, r);
    ask("gold", PART_BOTH, 65);
    requests_done(&all, r);
    ck_assert_int_eq(r->saved.part, PART_BOTH);
    ck_assert_int_eq(requests_next_due(&all), 65);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("requests");
    TCase *tests = tcase_create("requests");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, duplicates_merge_and_the_greater_part_wins);
    tcase_add_test(tests, now_is_now);
    tcase_add_test(tests, the_one_due_first_comes_first);
    tcase_add_test(tests, what_is_asked_for_while_it_is_written_waits_behind);
    tcase_add_test(tests, what_failed_stays_queued);
    tcase_add_test(tests, a_removal_wins_and_is_due_at_once);
    suite_add_tcase(suite, tests);
    return suite;
}
