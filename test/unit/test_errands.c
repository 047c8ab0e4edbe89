/* Packages whose pages are asked for: bulk ones go after the others. */
#include "shared/scribe/errands.c"

#include "unit.h"

#include "the_scribe.piw.h"

enum { MOST = 8 };

static errands all;

static void setup(void)
{
    all = (errands){0};
    piw_protocol_use(&the_scribe_protocol_def);
}

static void teardown(void)
{
    errands_fini(&all);
}

static errand *asked(const char *package, bool bulk)
{
    errand *e = errands_add(&all, piw_text_of(package), PART_BOTH, (piw_token){1});
    e->bulk = bulk;
    e->saved.step = STEP_ASK;
    return e;
}

static errand *held(const char *package, bool bulk)
{
    errand *e = asked(package, bulk);
    mark_form *body;
    e->job = mark_form_new(&body);
    return e;
}

START_TEST(the_kinds_are_gathered_apart)
{
    errand *to[MOST];
    errand *bulk = asked("bulk", true), *gold = asked("gold", false), *renewed = asked("renewed", false);
    renewed->renewal = true;
    ck_assert_uint_eq(errands_gather(&all, to, MOST, false), 1);
    ck_assert_ptr_eq(to[0], gold);
    ck_assert_uint_eq(errands_gather(&all, to, MOST, true), 2);
    ck_assert_ptr_eq(to[0], bulk);
    ck_assert_ptr_eq(to[1], renewed);
}
END_TEST

START_TEST(one_that_is_wanted_soon_is_gathered_with_the_others)
{
    errand *to[MOST];
    errand *e = asked("gold", true);
    e->soon = true;
    ck_assert_uint_eq(errands_gather(&all, to, MOST, true), 0);
    ck_assert_uint_eq(errands_gather(&all, to, MOST, false), 1);
    ck_assert_ptr_eq(to[0], e);
}
END_TEST

START_TEST(calls_are_counted_by_kind)
{
    asked("one", true)->batch = 1;
    asked("two", true)->batch = 1;
    asked("gold", false)->batch = 3;
    asked("silver", false);
    ck_assert_uint_eq(errands_asking(&all, true), 1);
    ck_assert_uint_eq(errands_asking(&all, false), 1);
}
END_TEST

START_TEST(what_is_held_is_under_way_and_not_asked_for_again)
{
    errand *to[MOST];
    held("bulk", true);
    ck_assert_uint_eq(errands_gather(&all, to, MOST, true), 0);
    ck_assert_uint_eq(errands_bulk_under_way(&all), 1);
}
END_TEST

START_TEST(so_many_are_written_at_once)
{
    errand *first = held("one", true), *second = held("two", true), *gold = held("gold", false);
    ck_assert_ptr_eq(errands_held(&all, 1, true), first);
    piw_msg_free(&first->job);
    first->saved.step = STEP_WRITE;
    ck_assert_ptr_null(errands_held(&all, 1, true));
    ck_assert_ptr_eq(errands_held(&all, 2, true), second);
    ck_assert_ptr_eq(errands_held(&all, 1, false), gold);
    ck_assert_ptr_null(errands_held(&all, 0, false));
    /* What somebody else has asked for meanwhile takes no place of theirs. */
    first->soon = true;
    ck_assert_ptr_eq(errands_held(&all, 1, true), second);
    ck_assert_uint_eq(errands_bulk_under_way(&all), 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("errands");
    TCase *tc = tcase_create("errands");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_kinds_are_gathered_apart);
    tcase_add_test(tc, one_that_is_wanted_soon_is_gathered_with_the_others);
    tcase_add_test(tc, calls_are_counted_by_kind);
    tcase_add_test(tc, what_is_held_is_under_way_and_not_asked_for_again);
    tcase_add_test(tc, so_many_are_written_at_once);
    suite_add_tcase(suite, tc);
    return suite;
}
