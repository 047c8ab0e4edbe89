/* Which blocks of a file are asked for, and which count. */
#include "file_juggler/blocks.c"

#include "unit.h"

enum { BLOCK = 100 };

static blocks map;

static void teardown(void)
{
    blocks_fini(&map);
}

static void begin(int64_t size)
{
    ck_assert(blocks_init(&map, size, BLOCK));
}

static int ask_all(void)
{
    int64_t offset, length;
    int n = 0;
    while (blocks_next(&map, &offset, &length))
        n++;
    return n;
}

START_TEST(blocks_are_asked_for_in_order)
{
    int64_t offset, length;
    begin(250);
    ck_assert(blocks_next(&map, &offset, &length));
    ck_assert_int_eq(offset, 0);
    ck_assert_int_eq(length, 100);
    ck_assert(blocks_next(&map, &offset, &length));
    ck_assert(blocks_next(&map, &offset, &length));
    ck_assert_int_eq(offset, 200);
    ck_assert_int_eq(length, 50);
    ck_assert(!blocks_next(&map, &offset, &length));
    ck_assert_uint_eq(map.missing, 3);
}
END_TEST

START_TEST(so_many_are_in_flight_and_no_more)
{
    begin(100 * BLOCK);
    ck_assert_int_eq(ask_all(), BLOCKS_IN_FLIGHT);
    ck_assert(blocks_wants(&map, 0, BLOCK));
    blocks_take(&map, 0);
    ck_assert_int_eq(ask_all(), 1);
}
END_TEST

START_TEST(only_what_was_asked_for_counts_and_once)
{
    begin(250);
    ck_assert(!blocks_wants(&map, 0, BLOCK));
    ask_all();
    ck_assert(!blocks_wants(&map, 0, BLOCK - 1));
    ck_assert(!blocks_wants(&map, 0, BLOCK + 1));
    ck_assert(!blocks_wants(&map, 0, 0));
    ck_assert(!blocks_wants(&map, 50, BLOCK));
    ck_assert(!blocks_wants(&map, -100, BLOCK));
    ck_assert(!blocks_wants(&map, 200, BLOCK));
    ck_assert(!blocks_wants(&map, 300, BLOCK));
    ck_assert(!blocks_wants(&map, INT64_MAX, 50));
    ck_assert(blocks_wants(&map, 200, 50));
    blocks_take(&map, 200);
    ck_assert(!blocks_wants(&map, 200, 50));
    ck_assert_uint_eq(map.missing, 2);
}
END_TEST

START_TEST(asking_again_asks_for_what_is_missing)
{
    int64_t offset, length;
    begin(300);
    ask_all();
    blocks_take(&map, 100);
    blocks_again(&map);
    ck_assert(!blocks_wants(&map, 0, BLOCK));
    ck_assert(blocks_next(&map, &offset, &length));
    ck_assert_int_eq(offset, 0);
    ck_assert(blocks_next(&map, &offset, &length));
    ck_assert_int_eq(offset, 200);
    ck_assert(!blocks_next(&map, &offset, &length));
    blocks_take(&map, 0);
    blocks_take(&map, 200);
    ck_assert_uint_eq(map.missing, 0);
    blocks_again(&map);
    ck_assert_int_eq(ask_all(), 0);
}
END_TEST

START_TEST(maps_are_saved_and_loaded)
{
    begin(2000);
    ask_all();
    blocks_take(&map, 300);
    blocks_take(&map, 900);
    uint8_t asked[3], got[3];
    ck_assert_uint_eq(blocks_bytes(&map), sizeof asked);
    memcpy(asked, map.asked, sizeof asked);
    memcpy(got, map.got, sizeof got);
    blocks_fini(&map);
    begin(2000);
    ck_assert(!blocks_load(&map, (piw_bytes){asked, 2}, (piw_bytes){got, 3}));
    ck_assert(blocks_load(&map, (piw_bytes){asked, 3}, (piw_bytes){got, 3}));
    ck_assert_uint_eq(map.missing, 18);
    ck_assert_uint_eq(map.in_flight, BLOCKS_IN_FLIGHT - 2);
    ck_assert(blocks_wants(&map, 0, BLOCK));
    ck_assert(!blocks_wants(&map, 300, BLOCK));
    ck_assert_int_eq(ask_all(), 2);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("blocks");
    TCase *tests = tcase_create("blocks");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, blocks_are_asked_for_in_order);
    tcase_add_test(tests, so_many_are_in_flight_and_no_more);
    tcase_add_test(tests, only_what_was_asked_for_counts_and_once);
    tcase_add_test(tests, asking_again_asks_for_what_is_missing);
    tcase_add_test(tests, maps_are_saved_and_loaded);
    suite_add_tcase(suite, tests);
    return suite;
}
