/* How long bulk work rests while builds are being recorded, and how large its pieces are. */
#include "shared/pace.h"

#include "unit.h"

static const int64_t MS = 1000000;
static const pace fourfold = {.lasts_ms = 100, .times = 4, .least_ms = 2, .most_ms = 1000};

START_TEST(without_builds_nothing_rests)
{
    pace p = fourfold;
    ck_assert(!pace_yields(&p, 5 * MS));
    ck_assert_int_eq(pace_rest_ms(&p, 5 * MS, 50 * MS), 0);
}
END_TEST

START_TEST(it_rests_so_many_times_as_long_as_it_took)
{
    pace p = fourfold;
    pace_recorded(&p, 5 * MS);
    ck_assert_int_eq(pace_rest_ms(&p, 55 * MS, 50 * MS), 200);
    ck_assert_int_eq(pace_rest_ms(&p, 55 * MS, 7 * MS), 28);
}
END_TEST

START_TEST(it_goes_on_at_full_speed_when_builds_are_over)
{
    pace p = fourfold;
    pace_recorded(&p, 5 * MS);
    ck_assert_int_ne(pace_rest_ms(&p, 105 * MS, 50 * MS), 0);
    ck_assert_int_eq(pace_rest_ms(&p, 106 * MS, 50 * MS), 0);
    pace_recorded(&p, 106 * MS);
    ck_assert_int_ne(pace_rest_ms(&p, 106 * MS, 50 * MS), 0);
}
END_TEST

START_TEST(a_rest_has_its_bounds)
{
    pace p = fourfold;
    pace_recorded(&p, 5 * MS);
    ck_assert_int_eq(pace_rest_ms(&p, 5 * MS, 0), 2);
    ck_assert_int_eq(pace_rest_ms(&p, 5 * MS, 300 * MS), 1000);
    ck_assert_int_eq(pace_rest_ms(&p, 5 * MS, INT64_MAX), 1000);
}
END_TEST

START_TEST(the_next_piece_is_as_large_as_time_allows)
{
    const pace p = {.piece_ms = 30};
    ck_assert_uint_eq(pace_size(&p, 4, 32, 31 * MS), 2);
    ck_assert_uint_eq(pace_size(&p, 1, 32, 3000 * MS), 1);
    ck_assert_uint_eq(pace_size(&p, 4, 32, 20 * MS), 4);
    ck_assert_uint_eq(pace_size(&p, 4, 32, 5 * MS), 8);
    ck_assert_uint_eq(pace_size(&p, 20, 32, 5 * MS), 32);
    ck_assert_uint_eq(pace_size(&p, 32, 32, 5 * MS), 32);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("pace");
    TCase *tc = tcase_create("pace");
    tcase_add_test(tc, without_builds_nothing_rests);
    tcase_add_test(tc, it_rests_so_many_times_as_long_as_it_took);
    tcase_add_test(tc, it_goes_on_at_full_speed_when_builds_are_over);
    tcase_add_test(tc, a_rest_has_its_bounds);
    tcase_add_test(tc, the_next_piece_is_as_large_as_time_allows);
    suite_add_tcase(suite, tc);
    return suite;
}
