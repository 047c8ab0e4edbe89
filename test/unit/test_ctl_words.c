/* test_ctl_words.c — piw-ctl: which name was meant, which line of a log tells why a build failed, and what of a text a terminal gets. */
#include "unit.h"

#include "common/build_log.h"
#include "piw-ctl/ctl.h"

START_TEST(test_near)
{
    static const char *const names[] = {"the_scribe", "the_secretary", "slave_driver", "list", "log"};
    static const struct {
        const char *word, *meant;
    } cases[] = {{"the_scrbe", "the_scribe"},       {"scribe", "the_scribe"},
                 {"slave_dirver", "slave_driver"},  {"lsit", "list"},
                 {"the_secretry", "the_secretary"}, {"lgo", "log"}};
    for (size_t i = 0; i < PIW_COUNT(cases); i++)
        ck_assert_str_eq(near_name(cases[i].word, names, PIW_COUNT(names)), cases[i].meant);
    ck_assert_ptr_null(near_name("zzzzzz", names, PIW_COUNT(names)));
    ck_assert_ptr_null(near_name("", names, PIW_COUNT(names)));
    char longest[200];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    ck_assert_ptr_null(near_name(longest, names, PIW_COUNT(names)));
}
END_TEST

static ssize_t line_of(const char *text)
{
    char *copy = piw_strdup(text), *rest = copy, *lines[20], *line;
    size_t count = 0;
    while (count < PIW_COUNT(lines) && (line = strsep(&rest, "\n")) != NULL)
        lines[count++] = line;
    ssize_t found = build_log_error(lines, count);
    free(copy);
    return found;
}

START_TEST(test_error_line)
{
    ck_assert_int_eq(line_of("fine\nx.c:1:2: fatal error: y.h: No such file\nerror: command 'gcc' failed"), 1);
    ck_assert_int_eq(
        line_of("ERROR: early\n  Traceback\n  KeyError: 'a'\n  ModuleNotFoundError: No module\nERROR: end"), 3);
    ck_assert_int_eq(line_of("x\n  ERROR: No matching distribution\nERROR: more"), 1);
    ck_assert_int_eq(line_of("a: undefined reference to `b'"), 0);
    ck_assert_int_eq(line_of("Successfully built x\nError\nTerror: is no exception, and this no word: error"), -1);
    ck_assert_int_eq(line_of("2026-11-29T21:25:27,747   Traceback\n2026-11-29T21:25:27,747   KeyError: 'a'\n"
                             "2026-11-29T21:25:27,748 ERROR: Failed building wheel for x"),
                     1);
    ck_assert_int_eq(line_of("2026-11-29T21:25:27,747 fine\n2026-11-29T21:25:27,748 ERROR: No matching distribution"),
                     1);
    ck_assert_int_eq(
        line_of("2026-11-29T21:25:27,747   KeyError: 'a'\n"
                "2026-11-29T21:25:27,748 pip._internal.exceptions.InstallationSubprocessError: exited with 1\n"
                "2026-11-29T21:25:27,748 pip._internal.exceptions.MetadataGenerationFailed: failed"),
        0);
    ck_assert_int_eq(
        line_of("2026-11-29T21:25:27,747   ERROR: Could not find a version of x\n"
                "2026-11-29T21:25:27,748 pip._internal.exceptions.InstallationSubprocessError: exited with 1"),
        0);
    ck_assert_int_eq(line_of("fine\npip._internal.exceptions.CommandError: Failed"), 1);
    ck_assert_int_eq(line_of("a\n../meson.build:3:0: ERROR: Dependency x not found\nerror: more"), 1);
    ck_assert_int_eq(line_of("a\n  error[E0432]: unresolved import\nerror: could not compile"), 1);
    ck_assert_int_eq(line_of("2026-11-29T21:25 KeyError: is no stamp of pip's"), -1);
    ck_assert_int_eq(line_of(""), -1);
}
END_TEST

START_TEST(test_clean)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {{"a\x1b[2J\tb", "a?[2J b"},
                 {"\xc2\x9b"
                  "2J\xc2\xa0",
                  "?2J\xc2\xa0"},
                 {"\x9b"
                  "2J",
                  "?2J"},
                 {"日本 \xe6\x97", "日本 ??"},
                 {"a\u202egnp.exe\u2066", "a?gnp.exe?"},
                 {"\u200d\u2027\u2060", "\u200d\u2027\u2060"},
                 {"", ""}};
    char to[64];
    for (size_t i = 0; i < PIW_COUNT(cases); i++)
        ck_assert_str_eq(show_clean(cases[i].text, to, sizeof(to)), cases[i].shown);
    ck_assert_str_eq(show_clean("abc日本", to, 6), "abc"); /* no half of a character */
    ck_assert_str_eq(show_clean("abc日本", to, 7), "abc日");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ctl_words");
    TCase *all = tcase_create("words");
    tcase_add_test(all, test_near);
    tcase_add_test(all, test_error_line);
    tcase_add_test(all, test_clean);
    suite_add_tcase(suite, all);
    return suite;
}
