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
    ck_assert_ptr_null(requests_due(&all, 59, false));
    ck_assert_ptr_eq(requests_due(&all, 60, false), r);
}
END_TEST

START_TEST(now_is_now)
{
    ask("silver", PART_BOTH, 50);
    request *r = ask("gold", PART_PROJECT, 60);
    ask("gold", PART_BOTH, 10);
    ck_assert_ptr_eq(requests_due(&all, 10, false), r);
    ck_assert_int_eq(requests_next_due(&all, false), 10);
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
        request *r = requests_due(&all, 1000, false);
        ck_assert_ptr_nonnull(r);
        ck_assert_int_ge(r->saved.due_ns, last);
        last = r->saved.due_ns;
        requests_fly(&all, r);
        requests_done(&all, r);
    }
    ck_assert_uint_eq(requests_count(&all), 0);
    ck_assert_int_eq(requests_next_due(&all, false), INT64_MAX);
}
END_TEST

START_TEST(what_is_asked_for_while_it_is_written_waits_behind)
{
    request *r = ask("gold", PART_PROJECT, 0);
    uint64_t number = requests_fly(&all, r);
    ck_assert_ptr_eq(requests_flying(&all, number), r);
    ck_assert_ptr_null(requests_due(&all, 1000, false));
    ask("gold", PART_PROJECT, 70);
    ask("gold", PART_BOTH, 80);
    requests_done(&all, r);
    ck_assert_ptr_null(requests_flying(&all, number));
    ck_assert_uint_eq(requests_count(&all), 1);
    ck_assert_int_eq(r->saved.part, PART_BOTH);
    ck_assert_int_eq(requests_next_due(&all, false), 70);
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
    ck_assert_int_eq(requests_next_due(&all, false), 500);
}
END_TEST

START_TEST(a_removal_wins_and_is_due_at_once)
{
    request *r = ask("gold", PART_BOTH, 60);
    ask("gold", PART_REMOVE, 5);
    ck_assert_int_eq(r->saved.part, PART_REMOVE);
    ck_assert_ptr_eq(requests_due(&all, 5, false), r);
    requests_fly(&all, r);
    ask("gold", PART_BOTH, 65);
    requests_done(&all, r);
    ck_assert_int_eq(r->saved.part, PART_BOTH);
    ck_assert_int_eq(requests_next_due(&all, false), 65);
}
END_TEST

static request *ask_of_all(const char *package, int64_t due_ns)
{
    return requests_ask_of_all(&all, piw_text_of(package), PART_BOTH, due_ns, (piw_time){0});
}

START_TEST(bulk_ones_wait_apart)
{
    char name[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        ck_assert(ask_of_all(name, 0)->bulk);
    }
    request *gold = ask("gold", PART_BOTH, 60);
    ck_assert_ptr_eq(requests_due(&all, 60, false), gold);
    ck_assert_ptr_ne(requests_due(&all, 60, true), gold);
    ck_assert_uint_eq(requests_waiting(&all, true), 1000);
    ck_assert_uint_eq(requests_waiting(&all, false), 1);
    ck_assert_uint_eq(all.of_all, 1000);
}
END_TEST

START_TEST(what_somebody_else_asks_for_is_bulk_no_more)
{
    request *waits = ask_of_all("gold", 0), *flies = ask_of_all("silver", 0);
    requests_fly(&all, flies);
    ck_assert_uint_eq(all.flying_bulk, 1);
    ask("gold", PART_PROJECT, 60);
    ask("silver", PART_PROJECT, 60);
    ck_assert(!waits->bulk);
    ck_assert(!flies->bulk);
    ck_assert_uint_eq(all.flying_bulk, 0);
    ck_assert_ptr_null(requests_due(&all, 59, false));
    ck_assert_ptr_eq(requests_due(&all, 60, false), waits);
    ck_assert_int_eq(waits->saved.part, PART_BOTH);
    ck_assert_ptr_null(requests_due(&all, 1000, true));
    requests_done(&all, flies);
    ck_assert_int_eq(flies->saved.due_ns, 60);
    /* And the other way round: what waits already stays what it is. */
    ck_assert_ptr_eq(ask_of_all("gold", 0), waits);
    ck_assert(!waits->bulk);
    ck_assert_int_eq(waits->saved.due_ns, 60);
    ck_assert_uint_eq(all.of_all, 2);
}
END_TEST

START_TEST(one_of_all_is_done_when_nothing_of_it_is_left)
{
    request *r = ask_of_all("gold", 0);
    requests_fly(&all, r);
    ask_of_all("gold", 0);
    requests_done(&all, r);
    ck_assert_uint_eq(all.of_all, 1);
    ck_assert_ptr_eq(requests_due(&all, 0, true), r);
    requests_fly(&all, r);
    requests_failed(&all, r, 50);
    ck_assert_uint_eq(all.of_all, 1);
    requests_fly(&all, r);
    requests_done(&all, r);
    ck_assert_uint_eq(all.of_all, 0);
    ck_assert_uint_eq(all.flying_bulk, 0);
    ck_assert_uint_eq(requests_count(&all), 0);
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
    tcase_add_test(tests, bulk_ones_wait_apart);
    tcase_add_test(tests, what_somebody_else_asks_for_is_bulk_no_more);
    tcase_add_test(tests, one_of_all_is_done_when_nothing_of_it_is_left);
    suite_add_tcase(suite, tests);
    return suite;
}
