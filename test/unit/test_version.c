/* Versions in the order of PEP 440. */
#include "shared/version.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

/* Each is older than all that follow. */
static const char *const ascending[] = {
    "",
    "2004d",
    "not a version",
    "1.0-foo",
    "0",
    "0.0.1",
    "1.dev0",
    "1.0.dev456",
    "1.0.dev457",
    "1.0a1.dev2",
    "1.0a1",
    "1.0a2.dev456",
    "1.0a12.dev456",
    "1.0a12",
    "1.0b1.dev456",
    "1.0b2",
    "1.0b2.post345.dev456",
    "1.0b2.post345",
    "1.0rc1.dev456",
    "1.0rc1",
    "1.0",
    "1.0+abc.5",
    "1.0+abc.7",
    "1.0+abc.10",
    "1.0+abd",
    "1.0+5",
    "1.0+5.1",
    "1.0+10",
    "1.0.post0.dev1",
    "1.0.post456.dev34",
    "1.0.post456",
    "1.0.1.dev1",
    "1.0.15",
    "1.1.dev1",
    "1.2",
    "1.10",
    "1.10.1",
    "20231231",
    "20240101000000000000000000000000000001",
    "1!0.5",
    "1!1.0",
    "2!0",
};

START_TEST(versions_are_ordered)
{
    for (size_t i = 0; i < PIW_COUNT(ascending); i++) {
        for (size_t k = 0; k < PIW_COUNT(ascending); k++) {
            if (i >= 1 && i <= 3 && k >= 1 && k <= 3)
                continue; /* legacy ones among themselves: by their text */
            int found = piw_version_compare_text(piw_text_of(ascending[i]), piw_text_of(ascending[k]));
            ck_assert_msg(sign(found) == (i > k) - (i < k), "\"%s\" and \"%s\"", ascending[i], ascending[k]);
        }
    }
}
END_TEST

START_TEST(other_spellings_are_equal)
{
    static const char *const equal[][2] = {
        {"1.0", "1.0.0"},          {"1", "1.0.0.0"},         {"v1.0", "1.0"},
        {" 1.0\n", "1.0"},         {"1.0A1", "1.0a1"},       {"1.0-alpha.1", "1.0a1"},
        {"1.0_beta-2", "1.0b2"},   {"1.0c1", "1.0rc1"},      {"1.0pre1", "1.0rc1"},
        {"1.0preview1", "1.0rc1"}, {"1.0-1", "1.0.post1"},   {"1.0.rev1", "1.0.post1"},
        {"1.0r1", "1.0.post1"},    {"1.0a", "1.0a0"},        {"1.0.post", "1.0.post0"},
        {"1.0.dev", "1.0dev0"},    {"00!1.00", "1"},         {"1.0+Ubuntu-1", "1.0+ubuntu.1"},
        {"1.0+001", "1.0+1"},      {"1.0.DEV1", "1.0.dev1"},
    };
    for (size_t i = 0; i < PIW_COUNT(equal); i++) {
        int found = piw_version_compare_text(piw_text_of(equal[i][0]), piw_text_of(equal[i][1]));
        ck_assert_msg(found == 0, "\"%s\" and \"%s\"", equal[i][0], equal[i][1]);
    }
}
END_TEST

START_TEST(what_is_no_version_is_legacy)
{
    static const char *const bad[] = {"",       "a",      "1.0.", "1..0", "1.0+",  "1.0+a..b",
                                      "1.0+a_", "1.0 a1", "1!",   "!1",   "1.0ax", "1.0\xc3\xa4"};
    for (size_t i = 0; i < PIW_COUNT(bad); i++) {
        piw_version version;
        piw_version_parse(piw_text_of(bad[i]), &version);
        ck_assert_msg(!version.valid, "\"%s\" was taken", bad[i]);
    }
}
END_TEST

START_TEST(pre_releases_are_told)
{
    ck_assert(piw_version_prerelease(piw_text_of("1.1rc1")));
    ck_assert(piw_version_prerelease(piw_text_of("1.1.dev3")));
    ck_assert(piw_version_prerelease(piw_text_of("1.1.post1.dev3")));
    ck_assert(!piw_version_prerelease(piw_text_of("1.1.post1")));
    ck_assert(!piw_version_prerelease(piw_text_of("1.1+a1")));
    ck_assert(!piw_version_prerelease(piw_text_of("something")));
}
END_TEST

START_TEST(tags_of_file_names_match)
{
    ck_assert(piw_version_matches_tag(piw_text_of("1.0-1"), piw_text_of("1.0_1")));
    ck_assert(piw_version_matches_tag(piw_text_of("1.0.post1"), piw_text_of("1.0_1")));
    ck_assert(piw_version_matches_tag(piw_text_of("1.0"), piw_text_of("1.0.0")));
    ck_assert(piw_version_matches_tag(piw_text_of("1.0+local.1"), piw_text_of("1.0+local.1")));
    ck_assert(piw_version_matches_tag(piw_text_of("odd-one"), piw_text_of("odd_one")));
    ck_assert(!piw_version_matches_tag(piw_text_of("1.0"), piw_text_of("1.1")));
    ck_assert(!piw_version_matches_tag(piw_text_of("odd"), piw_text_of("other")));
}
END_TEST

START_TEST(the_longest_version_fits_its_key)
{
    /* Shapes that need the most bytes of key per character. */
    static const char *const shapes[] = {"1.", "1.0+a.", "1+1."};
    for (size_t i = 0; i < PIW_COUNT(shapes); i++) {
        char text[PIW_VERSION_MAX + 1];
        size_t n = strlen(shapes[i]);
        memcpy(text, shapes[i], n);
        while (n + 2 <= PIW_VERSION_MAX - 1) {
            text[n++] = i == 1 ? 'b' : '2';
            text[n++] = '.';
        }
        text[n++] = '3';
        text[n] = '\0';
        piw_version version;
        piw_version_parse(piw_text_of(text), &version);
        ck_assert(version.valid);
        ck_assert_uint_le(version.len, PIW_VERSION_KEY_MAX);
    }
    char endless[PIW_VERSION_MAX + 51];
    memset(endless, '9', sizeof(endless));
    piw_version version;
    piw_version_parse((piw_text){endless, sizeof(endless)}, &version);
    ck_assert(!version.valid);
    ck_assert(!piw_version_acceptable((piw_text){endless, sizeof(endless)}));
    ck_assert(piw_version_acceptable((piw_text){endless, PIW_VERSION_MAX}));
    ck_assert(!piw_version_acceptable(piw_text_of("1/2")));
    ck_assert(!piw_version_acceptable(piw_text_of("1\n2")));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("version");
    TCase *tests = tcase_create("versions");
    tcase_add_test(tests, versions_are_ordered);
    tcase_add_test(tests, other_spellings_are_equal);
    tcase_add_test(tests, what_is_no_version_is_legacy);
    tcase_add_test(tests, pre_releases_are_told);
    tcase_add_test(tests, tags_of_file_names_match);
    tcase_add_test(tests, the_longest_version_fits_its_key);
    suite_add_tcase(suite, tests);
    return suite;
}
