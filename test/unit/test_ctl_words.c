/* test_ctl_words.c — piw-ctl: which name was meant, and which line of a log tells why a build failed. */
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
    ck_assert_int_eq(line_of("2026-11-29T21:25 KeyError: is no stamp of pip's"), -1);
    ck_assert_int_eq(line_of(""), -1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ctl_words");
    TCase *all = tcase_create("words");
    tcase_add_test(all, test_near);
    tcase_add_test(all, test_error_line);
    suite_add_tcase(suite, all);
    return suite;
}
