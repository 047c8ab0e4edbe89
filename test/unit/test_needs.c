/* What the user says of an import: the file of dependencies; and the time of a release. */
#include "../../tools/piw-import/files.c"
#include "../../tools/piw-import/needs.c"

#include "../../tools/piw-add/released.c"
#include "unit.h"

#include <stdio.h>

/* "apt=a,b pip=c other=d" of a text, or its error. */
static const char *needs_of(const char *text, size_t len)
{
    static char shown[1024];
    static const char *const names[] = {"apt=", "pip=", "other="};
    needs list = {0};
    piw_err err = {0};
    size_t used = 0;
    shown[0] = '\0';
    if (needs_parse(text, len, &list, &err) != 0)
        snprintf(shown, sizeof(shown), "%s", err.text);
    for (int kind = 0; err.code == 0 && kind < NEEDS_KINDS; kind++)
        for (size_t i = 0; i < list.lists[kind].count; i++)
            used += (size_t)snprintf(shown + used, sizeof(shown) - used, "%s%s%s",
                                     i > 0      ? ","
                                     : used > 0 ? " "
                                                : "",
                                     i > 0 ? "" : names[kind], list.lists[kind].at[i]);
    needs_fini(&list);
    return shown;
}

START_TEST(needs_are_read)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"", ""},
        {"\n\n  \t\r\n# nothing\n   # nothing\n", ""},
        {"libfoo1", "apt=libfoo1"},
        {"libopenblas0 zlib1g", "apt=libopenblas0,zlib1g"},
        {" libc6:armhf\t zlib1g  # two\r\napt: a1 b2 a1\npip: C.d  E_f", "apt=libc6:armhf,zlib1g,a1,b2 pip=c-d,e-f"},
        {"libfoo1\r\nlibbar2\r\n", "apt=libfoo1,libbar2"},
        {"  libfoo1  # why\nlibfoo1\napt:lib.x\npip:x", "apt=libfoo1,lib.x pip=x"},
        {"apt: libfoo1\napt:\tlibbar2\nlibc6:armhf\napt: libc6:armhf", "apt=libfoo1,libbar2,libc6:armhf"},
        {"pip: Other_Thing\npip: other.thing\n: /opt/lib/my lib.so\nlibfoo1",
         "apt=libfoo1 pip=other-thing other=/opt/lib/my lib.so"},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++)
        ck_assert_str_eq(needs_of(cases[i].text, strlen(cases[i].text)), cases[i].wanted);
}
END_TEST

START_TEST(bad_needs_are_refused_with_their_line)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"aa\nbb, cc\n", "line 2: 'bb,' is no name of an apt package"},
        {"a,b", "line 1: 'a,b' is no name of an apt package"},
        {"apt: aa pip: b", "line 1: 'pip:' is no name of an apt package"},
        {"lib#x", "line 1: 'lib#x' is no name of an apt package"},
        {"libfoo1 ; id", "line 1: ';' is no name of an apt package"},
        {"\n\nsnap: x", "line 3: 'snap' is neither apt nor pip"},
        {"apt:", "line 1: a name is missing"},
        {"apt: # x", "line 1: a name is missing"},
        {"pip: /", "line 1: '/' is no name of a Python package"},
        {"lib\x1b[2J", "line 1: 'lib\\x1b[2J' is not UTF-8"},
        {"lib\xff", "line 1: 'lib\\xff' is not UTF-8"},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        const char *got = needs_of(cases[i].text, strlen(cases[i].text));
        ck_assert_msg(strncmp(got, cases[i].wanted, strlen(cases[i].wanted)) == 0, "%s gives %s", cases[i].text, got);
    }
    ck_assert_ptr_nonnull(strstr(needs_of("a\0b", 3), "is not UTF-8"));
    char name[300];
    memset(name, 'x', sizeof(name));
    ck_assert_uint_gt(strlen(needs_of(name, 255)), 255);
    ck_assert_ptr_nonnull(strstr(needs_of(name, 256), "at most 255 characters"));
}
END_TEST

START_TEST(needs_are_bounded)
{
    piw_buffer text = {0};
    for (int i = 0; i <= LIST_MAX; i++) {
        char line[32];
        ck_assert_int_eq(piw_buffer_add(&text, line, (size_t)snprintf(line, sizeof(line), "lib%d\n", i)), 0);
    }
    ck_assert_str_eq(needs_of((const char *)text.data, text.len), "line 10001: there are more than 10000");
    piw_buffer_fini(&text);
}
END_TEST

START_TEST(releases_have_a_time)
{
    piw_time time;
    char text[40];
    ck_assert_int_eq(add_released_parse("2024-03-01 12:34:56", &time, NULL), 0);
    piw_time_format(time, text, sizeof(text));
    ck_assert_str_eq(text, "2024-03-01T12:34:56Z");
    static const char *const bad[] = {"",
                                      "2024-03-01",
                                      "2024-03-01T12:34:56",
                                      "2024-03-01 12:34:56Z",
                                      "2024-03-01 12:34:56.5",
                                      "2024-02-30 12:34:56",
                                      "2024-13-01 12:34:56",
                                      "2024-03-01 24:34:56",
                                      "2024-03-01 12:60:56",
                                      "0000-03-01 12:34:56",
                                      "2024-3-01 12:34:561",
                                      " 024-03-01 12:34:56",
                                      "-024-03-01 12:34:56"};
    for (size_t i = 0; i < PIW_COUNT(bad); i++) {
        piw_err err = {0};
        ck_assert_msg(add_released_parse(bad[i], &time, &err) == PIW_EUSAGE, "%s is taken", bad[i]);
        ck_assert_ptr_nonnull(strstr(err.text, bad[i]));
    }
    ck_assert_int_eq(add_released_now().us % 1000000, 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("needs");
    TCase *group = tcase_create("needs");
    tcase_add_test(group, needs_are_read);
    tcase_add_test(group, bad_needs_are_refused_with_their_line);
    tcase_add_test(group, needs_are_bounded);
    tcase_add_test(group, releases_have_a_time);
    suite_add_tcase(suite, group);
    return suite;
}
