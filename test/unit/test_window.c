/* How much is asked for ahead: what a window makes of lines that are near, far, slow, and that change. */
#include "file_juggler/window.c"

#include "unit.h"

enum { NS = 1000000000 };

static window win;
static int64_t now_ns, sent;

/* A line, simulated: so many bytes a second at best, and so long until an answer begins to come. */
typedef struct line {
    double rate;
    int64_t round_ns;
    int64_t best; /* bytes ahead beyond which it gets slower, as caches overflow; 0: never */
} line;

static void begin(void)
{
    window_init(&win);
    now_ns = NS;
    sent = 0;
}

/* What comes in so long a time. A window a round trip, or what the line can, whichever is less. */
static void run(const line *l, int64_t for_ns)
{
    int64_t until_ns = now_ns + for_ns;
    while (now_ns < until_ns) {
        int64_t ahead = window_ahead(&win, INT64_MAX), piece = window_piece(&win);
        double rate = l->rate;
        if (l->best > 0 && ahead > l->best)
            rate /= 2;
        double windowed = (double)ahead * NS / (double)(l->round_ns + (int64_t)((double)piece / rate * NS));
        rate = windowed < rate ? windowed : rate;
        now_ns += (int64_t)((double)piece / rate * NS);
        sent += piece;
        window_took(&win, piece, now_ns);
    }
}

static double rate_over(const line *l, int64_t for_ns)
{
    int64_t before = sent, began_ns = now_ns;
    run(l, for_ns);
    return (double)(sent - before) * NS / (double)(now_ns - began_ns);
}

START_TEST(a_far_network_is_filled)
{
    const line far = {.rate = 100e6, .round_ns = NS / 20}; /* 5 MB under way */
    begin();
    run(&far, 20LL * NS);
    ck_assert_double_gt(rate_over(&far, 10LL * NS), 0.8 * far.rate);
}
END_TEST

START_TEST(what_no_longer_fits_the_cache_is_not_kept)
{
    const line near = {.rate = 1e9, .round_ns = 50000, .best = 1 << 20};
    begin();
    run(&near, 1LL * NS);
    ck_assert_double_gt(rate_over(&near, 1LL * NS), 0.85 * near.rate);
}
END_TEST

START_TEST(less_ahead_is_kept_when_it_does_as_well)
{
    const line wide = {.rate = 50e6, .round_ns = 100000};
    begin();
    run(&wide, 10LL * NS);
    ck_assert_int_le(window_ahead(&win, INT64_MAX), 512 << 10);
    ck_assert_double_gt(rate_over(&wide, 5LL * NS), 0.9 * wide.rate);
}
END_TEST

/* A slave that hears nothing for five seconds says HELLO again: no piece takes as long. */
START_TEST(pieces_are_small_on_a_slow_line)
{
    const line slow = {.rate = 30e3, .round_ns = NS / 10};
    begin();
    run(&slow, 60LL * NS);
    ck_assert_int_le(window_piece(&win), 64 << 10);
}
END_TEST

START_TEST(a_line_that_changes_is_followed)
{
    const line near = {.rate = 400e6, .round_ns = 100000}, far = {.rate = 100e6, .round_ns = NS / 10};
    begin();
    run(&near, 2LL * NS);
    run(&far, 30LL * NS);
    double reached = rate_over(&far, 10LL * NS);
    ck_assert_double_gt(reached, 0.5 * far.rate);
    run(&near, 5LL * NS);
    ck_assert_double_gt(rate_over(&near, 2LL * NS), 0.85 * near.rate);
}
END_TEST

START_TEST(no_more_is_ahead_than_others_leave)
{
    begin();
    ck_assert_int_eq(window_ahead(&win, 300 << 10), 300 << 10);
    ck_assert_int_eq(window_ahead(&win, 1), window_piece(&win));
    for (size_t i = 0; i < PIW_COUNT(ladder); i++) {
        ck_assert_int_le(ladder[i].piece, 1 << 20);
        ck_assert_int_le(ladder[i].count, 10);
    }
}
END_TEST

/* While it stands on purpose nothing is learnt from it. */
START_TEST(a_rest_says_nothing)
{
    const line near = {.rate = 400e6, .round_ns = 100000};
    begin();
    run(&near, NS);
    int64_t rate = win.rate;
    for (int i = 0; i < 100; i++) {
        window_stood(&win);
        now_ns += NS;
        window_took(&win, 1, now_ns);
    }
    ck_assert_int_eq(win.rate, rate);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("window");
    TCase *tests = tcase_create("window");
    tcase_add_test(tests, a_far_network_is_filled);
    tcase_add_test(tests, what_no_longer_fits_the_cache_is_not_kept);
    tcase_add_test(tests, less_ahead_is_kept_when_it_does_as_well);
    tcase_add_test(tests, pieces_are_small_on_a_slow_line);
    tcase_add_test(tests, a_line_that_changes_is_followed);
    tcase_add_test(tests, no_more_is_ahead_than_others_leave);
    tcase_add_test(tests, a_rest_says_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}
