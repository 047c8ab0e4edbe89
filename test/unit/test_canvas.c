/* The grid that piw-monitor draws on: hostile text, cutting by columns, graphs, clicks; and short forms of figures. */
#include "piw-monitor/canvas.h"
#include "piw-monitor/format.h"
#include "piw-monitor/history.h"
#include "unit.h"

#include <locale.h>
#include <stdio.h>

static char text[1024];

static const char *line(const canvas *self, int row)
{
    canvas_line(self, row, text, sizeof(text));
    return text;
}

/* What a text looks like in so many columns, and how many it took. */
static const char *shown(const char *of, int width, bool ascii, int *used)
{
    canvas *self = canvas_new(1, 60, ascii);
    int took = canvas_text(self, 0, 0, width, 0, piw_text_of(of));
    if (used != NULL)
        *used = took;
    line(self, 0);
    canvas_free(&self);
    return text;
}

static void setup(void)
{
    ck_assert_ptr_nonnull(setlocale(LC_ALL, "C.UTF-8"));
}

START_TEST(control_characters_are_escaped)
{
    ck_assert_str_eq(shown("a\x1b[31mb", 40, false, NULL), "a\\x1b[31mb");
    ck_assert_str_eq(shown("a\nb\tc\x7f", 40, false, NULL), "a\\x0ab\\x09c\\x7f");
    ck_assert_str_eq(shown("a\xc2\x9b"
                           "31mb",
                           40, false, NULL),
                     "a\\x9b31mb"); /* CSI as one character */
    ck_assert_str_eq(shown("a\xe2\x80\xae"
                           "cba",
                           40, false, NULL),
                     "a\\u202ecba"); /* writing turns round */
    ck_assert_str_eq(shown("a\xe2\x80\x8b"
                           "b",
                           40, false, NULL),
                     "a\\u200bb"); /* nothing to be seen */
}
END_TEST

START_TEST(what_is_no_utf8_is_replaced)
{
    ck_assert_str_eq(shown("a\xff\xc3(b", 40, false, NULL), "a\xef\xbf\xbd\xef\xbf\xbd(b");
    ck_assert_str_eq(shown("\xe2\x82", 40, false, NULL), "\xef\xbf\xbd\xef\xbf\xbd");
    ck_assert_str_eq(shown("\xed\xa0\x80", 40, false, NULL), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}
END_TEST

START_TEST(text_is_cut_by_columns)
{
    int used;
    ck_assert_str_eq(shown("abcdef", 6, false, &used), "abcdef");
    ck_assert_int_eq(used, 6);
    ck_assert_str_eq(shown("abcdef", 4, false, &used), "abc…");
    ck_assert_int_eq(used, 4);
    ck_assert_str_eq(shown("abcdef", 4, true, NULL), "abc~");
    ck_assert_str_eq(shown("日本語", 6, false, &used), "日本語");
    ck_assert_int_eq(used, 6);
    ck_assert_str_eq(shown("日本語", 5, false, &used), "日本…");
    ck_assert_str_eq(shown("日本語", 4, false, &used), "日…"); /* half of a character is not shown */
    ck_assert_int_eq(used, 3);
    ck_assert_str_eq(shown("a\x1b", 3, false, NULL), "a\\…");
    ck_assert_str_eq(shown("köln", 40, true, NULL), "k?ln");
    ck_assert_str_eq(shown("abc", 0, false, &used), "");
    ck_assert_int_eq(used, 0);
}
END_TEST

START_TEST(marks_stay_with_their_character)
{
    int used;
    ck_assert_str_eq(shown("e\xcc\x81x", 10, false, &used), "e\xcc\x81x");
    ck_assert_int_eq(used, 2);
    /* A hundred of them on one: two are shown. */
    char tower[300] = "a";
    for (int i = 0; i < 100; i++)
        strcat(tower, "\xcc\x81");
    strcat(tower, "b");
    ck_assert_str_eq(shown(tower, 10, false, &used), "a\xcc\x81\xcc\x81"
                                                     "b");
    ck_assert_int_eq(used, 2);
    ck_assert_str_eq(shown("\xcc\x81x", 10, false, NULL), "x"); /* with nothing before it */
}
END_TEST

START_TEST(nothing_is_drawn_outside)
{
    canvas *self = canvas_new(2, 6, false);
    canvas_text(self, 0, 3, 40, 0, piw_text_of("abcdef"));
    canvas_text(self, 5, 0, 40, 0, piw_text_of("below"));
    canvas_text(self, -1, 0, 40, 0, piw_text_of("above"));
    canvas_text(self, 1, -2, 40, 0, piw_text_of("left"));
    ck_assert_str_eq(line(self, 0), "   abc");
    ck_assert_str_eq(line(self, 1), "ft");
    /* A wide character that has no room for its second half. */
    canvas_text(self, 1, 5, 40, 0, piw_text_of("日"));
    ck_assert_str_eq(line(self, 1), "ft");
    canvas_free(&self);
}
END_TEST

START_TEST(half_of_a_wide_character_takes_the_other_half)
{
    canvas *self = canvas_new(1, 6, false);
    canvas_text(self, 0, 0, 6, 0, piw_text_of("日本語"));
    canvas_text(self, 0, 1, 1, 0, piw_text_of("x"));
    ck_assert_str_eq(line(self, 0), " x本語");
    canvas_text(self, 0, 4, 1, 0, piw_text_of("y"));
    ck_assert_str_eq(line(self, 0), " x本y");
    canvas_free(&self);
}
END_TEST

START_TEST(graphs)
{
    const float values[] = {0, 25, 50, 100, 200};
    canvas *self = canvas_new(3, 8, false), *plain = canvas_new(1, 8, true);
    canvas_graph(self, 0, 0, 1, 8, 0, values, 5, 100);
    ck_assert_str_eq(line(self, 0), "   ▁▂▄▇▇");
    canvas_graph(self, 1, 0, 2, 8, 0, values, 5, 100);
    ck_assert_str_eq(line(self, 1), "      ▇▇");
    ck_assert_str_eq(line(self, 2), "   ▁▄███");
    canvas_graph(plain, 0, 0, 1, 8, 0, values, 5, 100);
    ck_assert_str_eq(line(plain, 0), "   _.=##");
    canvas_free(&self);
    canvas_free(&plain);
}
END_TEST

START_TEST(the_last_zone_is_on_top)
{
    canvas *self = canvas_new(4, 10, false);
    canvas_zone_add(self, (canvas_zone){.row = 0, .column = 0, .rows = 4, .width = 10, .action = 1, .arg = 5});
    canvas_zone_add(self, (canvas_zone){.row = 1, .column = 2, .rows = 1, .width = 3, .action = 2, .arg = 6});
    ck_assert_int_eq(canvas_at(self, 1, 2)->action, 2);
    ck_assert_int_eq(canvas_at(self, 1, 4)->arg, 6);
    ck_assert_int_eq(canvas_at(self, 1, 5)->action, 1);
    ck_assert_int_eq(canvas_at(self, 2, 2)->action, 1);
    ck_assert_ptr_null(canvas_at(self, 4, 2));
    canvas_free(&self);
}
END_TEST

/* --- Figures ----------------------------------------------------------------------------------------------------- */

START_TEST(short_forms)
{
    char to[FORMAT_MAX];
    const int64_t s = 1000000;
    ck_assert_str_eq(format_age(-5 * s, to), "0s");
    ck_assert_str_eq(format_age(59 * s, to), "59s");
    ck_assert_str_eq(format_age(134 * s, to), "2m14s");
    ck_assert_str_eq(format_age(11520 * s, to), "3h12m");
    ck_assert_str_eq(format_age(100 * 3600 * s, to), "4d04h");
    ck_assert_str_eq(format_age(INT64_MAX, to), "99999d");
    ck_assert_str_eq(format_count(0, to), "0");
    ck_assert_str_eq(format_count(9999, to), "9999");
    ck_assert_str_eq(format_count(12345, to), "12.3k");
    ck_assert_str_eq(format_count(999999, to), "1.0M");
    ck_assert_str_eq(format_count(-12345, to), "-12.3k");
    ck_assert_str_eq(format_count(INT64_MAX, to), "9.2E");
    ck_assert_str_eq(format_size(999, to), "999");
    ck_assert_str_eq(format_size(1000, to), "1.0K");
    ck_assert_str_eq(format_size(82938056704, to), "77.2G");
    ck_assert_int_lt(format_order("pi-9", "pi-11"), 0);
    ck_assert_int_gt(format_order("pi-11", "pi-9"), 0);
    ck_assert_int_eq(format_order("pi-07", "pi-7"), 0);
    ck_assert_int_lt(format_order("pi", "pi-7"), 0);
}
END_TEST

START_TEST(samples_take_their_place_by_time)
{
    history past = {.figures = 1, .max = 4};
    float out[8];
    for (int i = 1; i <= 3; i++)
        history_add(&past, i * 10, &(float){(float)i});
    history_add(&past, 20, &(float){99}); /* known already */
    history_add(&past, 15, &(float){1.5f});
    ck_assert_uint_eq(history_graph(&past, 0, out, 8), 4);
    ck_assert(out[0] == 1 && out[1] == 1.5f && out[2] == 2 && out[3] == 3);
    history_add(&past, 5, &(float){0.5f}); /* older than all that is kept */
    history_add(&past, 40, &(float){4});
    ck_assert_uint_eq(history_graph(&past, 0, out, 8), 4);
    ck_assert(out[0] == 1.5f && out[3] == 4);
    history_add(&past, 25, &(float){2.5f}); /* into the middle, and the oldest goes */
    ck_assert_uint_eq(history_graph(&past, 0, out, 8), 4);
    ck_assert(out[0] == 2 && out[1] == 2.5f && out[2] == 3 && out[3] == 4);
    history_fini(&past);
}
END_TEST

START_TEST(a_clock_set_back_begins_anew)
{
    history past = {.figures = 1, .max = 4};
    float out[8];
    history_add(&past, INT64_C(5000000000), &(float){1});
    history_add(&past, INT64_C(1000000000), &(float){2});
    ck_assert_uint_eq(history_graph(&past, 0, out, 8), 1);
    ck_assert(out[0] == 2);
    history_fini(&past);
}
END_TEST

START_TEST(many_samples_in_few_columns)
{
    history past = {.figures = 2, .max = 100};
    float out[10], before[10];
    for (int i = 0; i < 250; i++)
        history_add(&past, i, (float[]){(float)i, 7});
    unsigned count = history_graph(&past, 0, before, 10);
    ck_assert_uint_le(count, 10);
    ck_assert_uint_ge(count, 9);
    ck_assert(before[count - 1] > before[0] && before[0] >= 150);
    ck_assert_uint_eq(history_graph(&past, 1, out, 10), count);
    ck_assert(out[0] == 7 && out[count - 1] == 7);
    /* One sample more: all but the ends stay where they are, or all move on by one. */
    history_add(&past, 250, (float[]){250, 7});
    unsigned after = history_graph(&past, 0, out, 10);
    int shift = out[2] == before[2] ? 0 : 1;
    for (unsigned i = 1; i + 2 < count && i + 2 < after; i++)
        ck_assert(out[i] == before[i + (unsigned)shift]);
    history_fini(&past);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("canvas");
    TCase *tests = tcase_create("canvas");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, control_characters_are_escaped);
    tcase_add_test(tests, what_is_no_utf8_is_replaced);
    tcase_add_test(tests, text_is_cut_by_columns);
    tcase_add_test(tests, marks_stay_with_their_character);
    tcase_add_test(tests, nothing_is_drawn_outside);
    tcase_add_test(tests, half_of_a_wide_character_takes_the_other_half);
    tcase_add_test(tests, graphs);
    tcase_add_test(tests, the_last_zone_is_on_top);
    tcase_add_test(tests, short_forms);
    tcase_add_test(tests, samples_take_their_place_by_time);
    tcase_add_test(tests, a_clock_set_back_begins_anew);
    tcase_add_test(tests, many_samples_in_few_columns);
    suite_add_tcase(suite, tests);
    return suite;
}
