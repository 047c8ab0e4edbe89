/* Which parts of a file are asked for, and which count. */
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

/* In pieces of at most `most` bytes. */
static int ask_all(int64_t most)
{
    int64_t offset, length;
    int n = 0;
    while (blocks_next(&map, most, &offset, &length))
        n++;
    return n;
}

static void ck_next(int64_t most, int64_t offset, int64_t length)
{
    int64_t found_offset, found_length;
    ck_assert(blocks_next(&map, most, &found_offset, &found_length));
    ck_assert_int_eq(found_offset, offset);
    ck_assert_int_eq(found_length, length);
}

START_TEST(pieces_are_asked_for_in_order)
{
    int64_t offset, length;
    begin(1050);
    ck_next(1, 0, 100);
    ck_next(100, 100, 100);
    ck_next(399, 200, 300);
    ck_next(400, 500, 400);
    ck_next(1000, 900, 150);
    ck_assert(!blocks_next(&map, 1000, &offset, &length));
    ck_assert_uint_eq(map.missing, 11);
    ck_assert_int_eq(map.in_flight, 1050);
}
END_TEST

START_TEST(so_many_are_in_flight_and_no_more)
{
    begin(100 * BLOCK);
    ck_assert_int_eq(ask_all(300), PIECES_MAX);
    ck_assert_int_eq(map.in_flight, PIECES_MAX * 300);
    ck_assert(blocks_wants(&map, 0, 300));
    blocks_take(&map, 0);
    ck_assert_int_eq(map.in_flight, (PIECES_MAX - 1) * 300);
    ck_assert_int_eq(ask_all(200), 1);
}
END_TEST

START_TEST(only_what_was_asked_for_counts_and_once)
{
    begin(250);
    ck_assert(!blocks_wants(&map, 0, BLOCK));
    ask_all(BLOCK);
    ck_assert(!blocks_wants(&map, 0, BLOCK - 1));
    ck_assert(!blocks_wants(&map, 0, BLOCK + 1));
    ck_assert(!blocks_wants(&map, 0, 2 * BLOCK));
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

/* A part of a piece, or two as one, was not asked for. */
START_TEST(a_piece_comes_as_it_was_asked_for)
{
    begin(1000);
    ck_next(300, 0, 300);
    ck_next(300, 300, 300);
    ck_assert(!blocks_wants(&map, 0, 100));
    ck_assert(!blocks_wants(&map, 100, 200));
    ck_assert(!blocks_wants(&map, 0, 600));
    ck_assert(blocks_wants(&map, 300, 300));
    blocks_take(&map, 300);
    ck_assert_uint_eq(map.missing, 7);
    ck_assert(!blocks_wants(&map, 300, 300));
    ck_assert(blocks_wants(&map, 0, 300));
}
END_TEST

START_TEST(what_is_under_way_is_known_and_what_has_come_without_a_gap)
{
    begin(950);
    ask_all(200);
    blocks_take(&map, 400);
    blocks_take(&map, 800);
    ck_assert_int_eq(blocks_whole(&map), 0);
    ck_assert_uint_eq(map.pieces_count, 3);
    static const int64_t offsets[] = {0, 200, 600};
    int64_t offset, length;
    for (uint32_t i = 0; i < 3; i++) {
        blocks_piece(&map, i, &offset, &length);
        ck_assert_int_eq(offset, offsets[i]);
        ck_assert_int_eq(length, 200);
    }
    blocks_take(&map, 0);
    ck_assert_int_eq(blocks_whole(&map), 200);
    blocks_take(&map, 200);
    ck_assert_int_eq(blocks_whole(&map), 600);
    blocks_take(&map, 600);
    ck_assert_int_eq(blocks_whole(&map), 950);
    ck_assert_uint_eq(map.missing, 0);
    ck_assert_int_eq(map.in_flight, 0);
    blocks_clear(&map);
    ck_assert_uint_eq(map.missing, 10);
    ck_assert_int_eq(blocks_whole(&map), 0);
    ck_next(200, 0, 200);
}
END_TEST

/* What is here and isn't stored yet is neither wanted nor asked for again, until it is lost. */
START_TEST(what_has_come_waits_until_it_is_stored)
{
    int64_t offset, length;
    begin(1000);
    ask_all(200);
    blocks_came(&map, 0);
    blocks_came(&map, 400);
    ck_assert(!blocks_wants(&map, 0, 200));
    ck_assert(blocks_wants(&map, 200, 200));
    ck_assert(!blocks_piece(&map, 0, &offset, &length));
    ck_assert(blocks_piece(&map, 1, &offset, &length));
    ck_assert_int_eq(map.in_flight, 600);
    ck_assert_int_eq(map.here, 400);
    ck_assert_uint_eq(map.missing, 10);
    ck_assert_int_eq(blocks_whole(&map), 0);
    ck_assert(!blocks_next(&map, 1000, &offset, &length));
    blocks_take(&map, 0);
    blocks_take(&map, 0); /* of a job whose pieces came twice */
    ck_assert_int_eq(map.here, 200);
    ck_assert_int_eq(blocks_whole(&map), 200);
    blocks_lose_all(&map);
    ck_assert(blocks_wants(&map, 400, 200));
    ck_assert_int_eq(map.in_flight, 800);
    ck_assert_int_eq(map.here, 0);
    ck_assert_uint_eq(map.missing, 8);
}
END_TEST

START_TEST(maps_are_saved_and_loaded)
{
    begin(2000);
    ask_all(200);
    blocks_take(&map, 0);
    blocks_take(&map, 800);
    uint8_t got[3];
    ck_assert_uint_eq(blocks_bytes(&map), sizeof(got));
    memcpy(got, map.got, sizeof(got));
    blocks_fini(&map);
    begin(2000);
    ck_assert(!blocks_load(&map, (piw_bytes){got, 2}));
    ck_assert(blocks_load(&map, (piw_bytes){got, 3}));
    ck_assert_uint_eq(map.missing, 16);
    ck_assert_int_eq(blocks_whole(&map), 200);
    static const struct {
        int64_t offset, length;
        bool good;
    } pieces[] = {
        {200, 200, true},      {200, 100, false}, {100, 100, false}, {300, 200, false},        {450, 100, false},
        {600, 400, false},     {600, 0, false},   {600, 150, false}, {1900, 200, false},       {-100, 100, false},
        {INT64_MAX, 1, false}, {600, 200, true},  {1900, 100, true}, {1000, INT64_MAX, false},
    };
    for (size_t i = 0; i < PIW_COUNT(pieces); i++)
        ck_assert_msg(blocks_load_piece(&map, pieces[i].offset, pieces[i].length) == pieces[i].good, "piece %zu", i);
    ck_assert_int_eq(map.in_flight, 500);
    ck_assert(blocks_wants(&map, 200, 200));
    ck_next(1000, 400, 200);
    ck_next(1000, 1000, 900);
    ck_assert_int_eq(ask_all(1000), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("blocks");
    TCase *tests = tcase_create("blocks");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, pieces_are_asked_for_in_order);
    tcase_add_test(tests, so_many_are_in_flight_and_no_more);
    tcase_add_test(tests, only_what_was_asked_for_counts_and_once);
    tcase_add_test(tests, a_piece_comes_as_it_was_asked_for);
    tcase_add_test(tests, what_is_under_way_is_known_and_what_has_come_without_a_gap);
    tcase_add_test(tests, what_has_come_waits_until_it_is_stored);
    tcase_add_test(tests, maps_are_saved_and_loaded);
    suite_add_tcase(suite, tests);
    return suite;
}
