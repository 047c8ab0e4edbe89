/* Which room temporary files are made in. */
#include "file_juggler/rooms.c"

#include "unit.h"

enum { US = 1000 };

static rooms r;

/* So many files, a few at a time; the room of the last. */
static int64_t make(int files, int64_t each_ns)
{
    int64_t room = 0;
    for (; files > 0; files -= 4) {
        room = rooms_take(&r, 4);
        rooms_cost(&r, room, 4, 4 * each_ns);
    }
    return room;
}

START_TEST(one_that_is_full_is_left)
{
    rooms_init(&r, 7);
    ck_assert_int_eq(make(FULL, 10 * US), 8);
    ck_assert_int_eq(make(4, 10 * US), 9);
    ck_assert_int_eq(make(FULL, 10 * US), 10);
}
END_TEST

START_TEST(one_that_is_dear_is_left)
{
    rooms_init(&r, 0);
    ck_assert_int_eq(make(LOOK, 10 * US), 1);
    ck_assert_int_eq(make(LOOK, 29 * US), 1);
    ck_assert_int_eq(make(LOOK, 40 * US), 1);
    ck_assert_int_eq(make(LOOK, 40 * US), 2); /* it is dear as well */
    ck_assert_int_eq(make(LOOK, 10 * US), 3);
    ck_assert_int_eq(make(FULL - LOOK, 10 * US), 3);
}
END_TEST

/* A disk on which all are alike has one room after the other filled. */
START_TEST(what_is_dear_everywhere_stays)
{
    rooms_init(&r, 0);
    ck_assert_int_eq(make(FULL, 900 * US), 1);
    ck_assert_int_eq(make(FULL, 1200 * US), 2);
}
END_TEST

/* The first room may be a bad one: each file costs more than the one before. */
START_TEST(the_first_one_is_left_too)
{
    rooms_init(&r, 0);
    int64_t room = 1;
    int files = 0;
    for (; room == 1 && files < FULL; files += LOOK)
        room = make(LOOK, (10 + files / 2) * US);
    ck_assert_int_eq(room, 2);
    ck_assert_int_le(files, 6 * LOOK);
}
END_TEST

/* What comes late, of a room that was left, says nothing of this one. */
START_TEST(others_dont_count)
{
    rooms_init(&r, 0);
    make(FULL, 10 * US);
    ck_assert_int_eq(make(LOOK, 10 * US), 2);
    rooms_cost(&r, 1, FULL, INT64_C(500) * US * FULL);
    ck_assert_int_eq(make(LOOK, 10 * US), 2);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("rooms");
    TCase *cases = tcase_create("which");
    tcase_add_test(cases, one_that_is_full_is_left);
    tcase_add_test(cases, one_that_is_dear_is_left);
    tcase_add_test(cases, what_is_dear_everywhere_stays);
    tcase_add_test(cases, the_first_one_is_left_too);
    tcase_add_test(cases, others_dont_count);
    suite_add_tcase(suite, cases);
    return suite;
}
