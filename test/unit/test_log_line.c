/* What a line of a build's log tells: with pip's times, with colours, of programs, of pip, of the farm itself. */
#include "shared/scribe/log_line.h"

#include "unit.h"

#define STAMP "2026-11-30T13:48:18,042 "

static int weight(const char *line)
{
    return log_line_weight(piw_text_of(line));
}

/* Of lines that say the same, one as it was printed and one of pip's log. */
START_TEST(a_time_before_it_changes_nothing)
{
    static const char *const lines[] = {
        "a.c:1:2: error: it is all wrong",
        "ModuleNotFoundError: No module named 'numpy'",
        "distutils.errors.DistutilsError: it can't be",
        "error: command 'gcc' failed with exit code 1",
        "ERROR: No matching distribution found for setuptools",
        "make: *** [Makefile:3: all] Error 2",
        "CMake Error at CMakeLists.txt:1 (find_package):",
        "../meson.build:28:0: ERROR: Dependency \"openblas\" not found",
        "/usr/bin/ld: cannot find -lgold: No such file or directory",
    };
    for (size_t i = 0; i < PIW_COUNT(lines); i++) {
        char stamped[200];
        snprintf(stamped, sizeof(stamped), STAMP "  %s", lines[i]);
        ck_assert_msg(weight(lines[i]) >= LOG_LINE_ERROR, "%s", lines[i]);
        ck_assert_msg(weight(lines[i]) == weight(stamped), "%s", stamped);
        ck_assert_str_eq(log_line_style(piw_text_of(stamped)), "err");
    }
}
END_TEST

START_TEST(what_is_no_error_has_no_weight)
{
    static const char *const lines[] = {"",
                                        STAMP,
                                        "2026-11-30T13:48:18,042",
                                        STAMP "  adding errors.py",
                                        STAMP "  error:",
                                        STAMP "  gcc -Werror=format-security -c a.c",
                                        "2026-11-30T13:48:18,04",
                                        "make: Nothing to be done for 'all'."};
    for (size_t i = 0; i < PIW_COUNT(lines); i++) {
        ck_assert_msg(weight(lines[i]) == 0, "%s", lines[i]);
        ck_assert_str_eq(log_line_style(piw_text_of(lines[i])), "");
    }
    ck_assert_str_eq(log_line_style(piw_text_of(STAMP "  a.c:1:2: warning: unused")), "warn");
}
END_TEST

/* The nearer to the cause, the more: the compiler's line before Python's, Python's before that of who called it, pip's last; but what the farm
 * itself decided before all. */
START_TEST(the_cause_weighs_more_than_its_echoes)
{
    static const char *const lines[] = {
        STAMP "pip._internal.exceptions.CommandError: Failed to build one or more wheels",
        STAMP "  error: command 'gcc' failed with exit code 1",
        STAMP "  ValueError: it can't be",
        STAMP "  a.c:1:2: error: it is all wrong",
        "the build was stopped: it took longer than the 10800 seconds allowed",
    };
    for (size_t i = 0; i + 1 < PIW_COUNT(lines); i++)
        ck_assert_msg(weight(lines[i]) < weight(lines[i + 1]), "%s", lines[i]);
    ck_assert_int_eq(weight(STAMP "ERROR: Failed building wheel for x"), weight(lines[0]));
    ck_assert_int_eq(weight(STAMP "  error: subprocess-exited-with-error"), weight(lines[0]));
}
END_TEST

START_TEST(what_the_farm_says_comes_first)
{
    static const char *const lines[] = {
        "the build was stopped: its log grew beyond 1 bytes",
        "the build was killed by signal 9",
        "The wheel x-1-py3-none-any.whl was refused: RECORD lists no METADATA",
        "The wheel x-1-py3-none-any.whl could not be transferred in 3 tries: it has another hash",
        "The slave's report of the build was refused: no file has a name",
        "No wheel of version 1!!2 can be published: it is no version by PEP 440",
    };
    for (size_t i = 0; i < PIW_COUNT(lines); i++) {
        char stamped[200];
        snprintf(stamped, sizeof(stamped), STAMP "%s", lines[i]);
        ck_assert_msg(weight(lines[i]) > weight("a.c:1:2: error: it is all wrong"), "%s", lines[i]);
        ck_assert_msg(weight(stamped) == 0, "%s: a package has printed it", stamped);
    }
    ck_assert_int_eq(weight("The wheel is built."), 0);
}
END_TEST

START_TEST(colours_are_taken_out)
{
    static const char *const texts[][2] = {
        {"\x1b[0m\x1b[1m\x1b[38;5;9merror\x1b[0m\x1b[1m: could not compile\x1b[0m\n", "error: could not compile\n"},
        {"none\nat all\n", "none\nat all\n"},
        {"\x1b[K", ""},
        {"cut \x1b[1", "cut \x1b[1"},
        {"cut \x1b", "cut \x1b"},
        {"\x1b[1\nnext", "\x1b[1\nnext"},
        {"\x1b]8;;x\x1b[m", "\x1b]8;;x"},
        {"", ""},
    };
    for (size_t i = 0; i < PIW_COUNT(texts); i++) {
        char text[100];
        uint32_t len = (uint32_t)snprintf(text, sizeof(text), "%s", texts[i][0]);
        text[log_line_plain(text, len)] = '\0';
        ck_assert_str_eq(text, texts[i][1]);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("log line");
    TCase *tests = tcase_create("log line");
    tcase_add_test(tests, a_time_before_it_changes_nothing);
    tcase_add_test(tests, what_is_no_error_has_no_weight);
    tcase_add_test(tests, the_cause_weighs_more_than_its_echoes);
    tcase_add_test(tests, what_the_farm_says_comes_first);
    tcase_add_test(tests, colours_are_taken_out);
    suite_add_tcase(suite, tests);
    return suite;
}
