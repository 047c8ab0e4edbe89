/* test_said_once — an outage is said once, then every ten minutes, then that it is over; time is moved by its own figures. */
#include "piw/log.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const int64_t minute_ns = INT64_C(60000000000);

/* The lines that have been logged so far, without their times. */
static char *logged(const char *path)
{
    static char text[8000];
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
        n++;
    return n;
}

static char path[] = "/tmp/piw-outage-XXXXXX";

static void begin(void)
{
    piw_err err = {0};
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(piw_log_open("test", PIW_LOG_ERROR, path, &err), 0);
}

static void end(void)
{
    piw_log_close();
    unlink(path);
}

static void pass(piw_outage *outage, int64_t minutes)
{
    outage->since_ns -= minutes * minute_ns;
    if (outage->said_ns != 0)
        outage->said_ns -= minutes * minute_ns;
}

START_TEST(one_line_then_now_and_then)
{
    piw_outage outage = {0};
    begin();
    for (int i = 0; i < 1000; i++)
        piw_outage_goes_on(&outage, PIW_LOG_WARNING, 0, "the sun is away: %s", "night\nDETAIL: clouds");
    ck_assert_uint_eq(count(logged(path), "the sun is away: night\n"), 1);
    pass(&outage, 9);
    piw_outage_goes_on(&outage, PIW_LOG_WARNING, 0, "the sun is away");
    ck_assert_uint_eq(count(logged(path), "sun"), 1);
    pass(&outage, 2);
    piw_outage_goes_on(&outage, PIW_LOG_WARNING, 0, "the sun is away");
    piw_outage_goes_on(&outage, PIW_LOG_WARNING, 0, "the sun is away");
    ck_assert_uint_eq(count(logged(path), "the sun is away (for 11 minutes now)\n"), 1);
    pass(&outage, 180);
    ck_assert(piw_outage_over(&outage, "the sun is there"));
    ck_assert_uint_eq(count(logged(path), "warning: the sun is there, after 3 hours\n"), 1);
    ck_assert(!piw_outage_over(&outage, "the sun is there"));
    ck_assert_uint_eq(count(logged(path), "sun"), 3);
    end();
}
END_TEST

START_TEST(what_passes_soon_is_not_told)
{
    piw_outage outage = {0};
    begin();
    piw_outage_goes_on(&outage, PIW_LOG_WARNING, 60000, "a hiccup");
    ck_assert(!piw_outage_over(&outage, "all is well"));
    piw_outage_goes_on(&outage, PIW_LOG_WARNING, 60000, "a hiccup");
    pass(&outage, 1);
    piw_outage_goes_on(&outage, PIW_LOG_WARNING, 60000, "a hiccup");
    ck_assert_uint_eq(count(logged(path), "a hiccup\n"), 1);
    end();
}
END_TEST

START_TEST(what_comes_and_goes_is_told_a_few_times)
{
    piw_outage outage = {0};
    begin();
    for (int i = 0; i < 1000; i++) {
        piw_outage_goes_on(&outage, PIW_LOG_WARNING, 0, "it goes");
        piw_outage_over(&outage, "it comes");
    }
    ck_assert_uint_eq(count(logged(path), "it goes"), 6);
    ck_assert_uint_eq(count(logged(path), "it comes"), 6);
    outage.minute_ns -= minute_ns;
    piw_outage_goes_on(&outage, PIW_LOG_WARNING, 0, "it goes");
    ck_assert_uint_eq(count(logged(path), "it goes"), 7);
    end();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("said_once");
    TCase *tc = tcase_create("outage");
    tcase_add_test(tc, one_line_then_now_and_then);
    tcase_add_test(tc, what_passes_soon_is_not_told);
    tcase_add_test(tc, what_comes_and_goes_is_told_a_few_times);
    suite_add_tcase(suite, tc);
    return suite;
}
