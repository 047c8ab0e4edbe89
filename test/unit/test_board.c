/* test_board.c — what a Raspberry Pi's firmware tells of the board, and what its revision codes stand for. */
#include "shared/board.h"
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

static char folder[UNIT_FOLDER];

static void setup(void)
{
    unit_folder(folder);
}

static void write_property(const char *name, const void *data, size_t len)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, len, file), len);
    fclose(file);
}

static void teardown(void)
{
    unit_remove(folder);
}

START_TEST(facts_are_big_endian_numbers)
{
    static const struct {
        const char *revision, *serial; /* bytes */
        const char *shown, *serial_shown;
    } boards[] = {
        {"\x00\x90\x00\xc1", "\x00\x00\x00\x00\x5a\x1c\x0d\x0e", "9000c1", "5a1c0d0e"},
        {"\x00\xa0\x20\x82", "\x00\x00\x00\x00\x0b\xad\xca\xfe", "a02082", "badcafe"},
        {"\x00\xc0\x31\x12", "\x10\x00\x00\x00\x8e\x5a\x01\x02", "c03112", "100000008e5a0102"},
        {"\x00\xd0\x41\x70", "\xf0\x12\x34\x56\x78\x9a\xbc\xde", "d04170", "f0123456789abcde"},
        {"\x00\x00\x00\x0e", "\x00\x00\x00\x00\x00\x00\x00\x00", "e", "0"},
    };
    char fact[PIW_BOARD_FACT];
    for (size_t i = 0; i < PIW_COUNT(boards); i++) {
        write_property("linux,revision", boards[i].revision, 4);
        write_property("linux,serial", boards[i].serial, 8);
        piw_board_revision(folder, fact);
        ck_assert_str_eq(fact, boards[i].shown);
        piw_board_serial(folder, fact);
        ck_assert_str_eq(fact, boards[i].serial_shown);
    }
}
END_TEST

START_TEST(what_is_missing_or_odd_is_unknown)
{
    char fact[PIW_BOARD_FACT];
    piw_board_revision(folder, fact);
    ck_assert_str_eq(fact, "unknown");
    piw_board_serial(folder, fact);
    ck_assert_str_eq(fact, "unknown");
    write_property("linux,revision", "\x00\xa0\x20", 3);
    write_property("linux,serial", "123456789", 9);
    piw_board_revision(folder, fact);
    ck_assert_str_eq(fact, "unknown");
    piw_board_serial(folder, fact);
    ck_assert_str_eq(fact, "unknown");
}
END_TEST

START_TEST(codes_have_names)
{
    static const struct {
        const char *code, *name;
    } known[] = {
        {"900021", "Pi Model A+ 1.1, 512 MB"},
        {"900032", "Pi Model B+ 1.2, 512 MB"},
        {"900092", "Pi Zero 1.2, 512 MB"},
        {"920093", "Pi Zero 1.3, 512 MB"},
        {"9000c1", "Pi Zero W 1.1, 512 MB"},
        {"902120", "Pi Zero 2 W 1.0, 512 MB"},
        {"a01041", "Pi 2 Model B 1.1, 1 GB"},
        {"a22042", "Pi 2 Model B 1.2, 1 GB"},
        {"9020e0", "Pi 3 Model A+ 1.0, 512 MB"},
        {"a02082", "Pi 3 Model B 1.2, 1 GB"},
        {"A02082", "Pi 3 Model B 1.2, 1 GB"},
        {"a020d3", "Pi 3 Model B+ 1.3, 1 GB"},
        {"a020a0", "Pi Compute Module 3 1.0, 1 GB"},
        {"a02100", "Pi Compute Module 3+ 1.0, 1 GB"},
        {"a03111", "Pi 4 Model B 1.1, 1 GB"},
        {"b03111", "Pi 4 Model B 1.1, 2 GB"},
        {"c03111", "Pi 4 Model B 1.1, 4 GB"},
        {"c03112", "Pi 4 Model B 1.2, 4 GB"},
        {"2c03112", "Pi 4 Model B 1.2, 4 GB"}, /* the warranty bit */
        {"d03114", "Pi 4 Model B 1.4, 8 GB"},
        {"c03130", "Pi 400 1.0, 4 GB"},
        {"d03140", "Pi Compute Module 4 1.0, 8 GB"},
        {"c04170", "Pi 5 Model B 1.0, 4 GB"},
        {"d04170", "Pi 5 Model B 1.0, 8 GB"},
        {"e04171", "Pi 5 Model B 1.1, 16 GB"},
        {"d04190", "Pi 500 1.0, 8 GB"},
        {"d04180", "Pi Compute Module 5 1.0, 8 GB"},
        {"2", "Pi Model B 1.0, 256 MB"},
        {"000e", "Pi Model B 2.0, 512 MB"},
        {"1000010", "Pi Model B+ 1.2, 512 MB"}, /* the old warranty bit */
        {"15", "Pi Model A+ 1.1, 256 or 512 MB"},
    };
    char name[PIW_BOARD_NAME];
    for (size_t i = 0; i < PIW_COUNT(known); i++) {
        ck_assert_msg(piw_board_name(known[i].code, name), "%s", known[i].code);
        ck_assert_str_eq(name, known[i].name);
    }
}
END_TEST

START_TEST(other_codes_have_none)
{
    /* A type, a memory and an old number that nobody has heard of, and what is no code at all. */
    static const char *const codes[] = {"unknown", "",         "0",       "a02ff0", "a02070",    "f03112",
                                        "1f",      "c03112 x", "-c03112", "0xe",    "123456789", "c0311\x1b"};
    char name[PIW_BOARD_NAME];
    for (size_t i = 0; i < PIW_COUNT(codes); i++) {
        ck_assert_msg(!piw_board_name(codes[i], name), "%s", codes[i]);
        ck_assert_str_eq(name, "");
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("board");
    TCase *tests = tcase_create("board");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, facts_are_big_endian_numbers);
    tcase_add_test(tests, what_is_missing_or_odd_is_unknown);
    tcase_add_test(tests, codes_have_names);
    tcase_add_test(tests, other_codes_have_none);
    suite_add_tcase(suite, tests);
    return suite;
}
