/* The syntax of configuration files, line by line, and what hostile ones do. */
#include "unit.h"

#include "config/config_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static piw__entries parse(const char *text)
{
    piw__entries entries = {0};
    piw_err err = {0};
    int code = piw__config_file_parse(&entries, "a.conf", text, strlen(text), &err);
    ck_assert_msg(code == 0, "%s", err.text);
    return entries;
}

typedef struct line_case {
    const char *line, *key, *value;
    bool bare, quoted;
} line_case;

static const line_case lines[] = {
    {"key = value", "key", "value"},
    {"key=value", "key", "value"},
    {"key: value", "key", "value"},
    {"key:value", "key", "value"},
    {"key value", "key", "value"},
    {"key\tvalue", "key", "value"},
    {"  key   =   value  ", "key", "value"},
    {"key = value\r", "key", "value"},
    {"--key = value", "key", "value"},
    {"key = two words", "key", "two words"},
    {"key", "key", "true", .bare = true},
    {"key # said", "key", "true", .bare = true},
    {"key =", "key", ""},
    {"key = # said", "key", ""},
    {"key = value # said", "key", "value"},
    {"key = value ; said", "key", "value"},
    {"key = value\t# said", "key", "value"},
    {"key = http://host/a#b;c", "key", "http://host/a#b;c"},
    {"key = a=b:c", "key", "a=b:c"},
    {"key == b", "key", "= b"},
    {"key = \"value\"", "key", "value", .quoted = true},
    {"key = 'value'", "key", "value", .quoted = true},
    {"key \"a value\"", "key", "a value", .quoted = true},
    {"key = \" # kept \"", "key", " # kept ", .quoted = true},
    {"key = \"value\" # said", "key", "value", .quoted = true},
    {"key = \"\"", "key", "", .quoted = true},
    {"key = \"it's\"", "key", "it's", .quoted = true},
    {"key = \"a\" b", "key", "\"a\" b"},
    {"key = \"a\"#b", "key", "\"a\"#b"},
    {"key = \"open", "key", "\"open"},
    {"key = \"", "key", "\""},
    {"key = [a, b]", "key", "[a, b]"},
    {"key = [a, b] # said", "key", "[a, b]"},
    {"dsn = postgresql+psycopg2://u:p@h/db?x=1", "dsn", "postgresql+psycopg2://u:p@h/db?x=1"},
    {"tcp://*:5555", "tcp", "//*:5555"},
    {"schl\xc3\xbcssel = w\xc3\xa9", "schl\xc3\xbcssel", "w\xc3\xa9"},
};

START_TEST(one_line)
{
    const line_case *want = &lines[_i];
    piw__entries entries = parse(want->line);
    ck_assert_uint_eq(entries.count, 1);
    ck_assert_str_eq(entries.at[0].key, want->key);
    ck_assert_str_eq(entries.at[0].value, want->value);
    ck_assert_int_eq(entries.at[0].bare, want->bare);
    ck_assert_int_eq(entries.at[0].quoted, want->quoted);
    ck_assert_str_eq(entries.at[0].origin, "a.conf:1");
    ck_assert_str_eq(entries.at[0].section, "");
    piw__entries_fini(&entries);
}
END_TEST

START_TEST(skipped_lines)
{
    piw__entries entries = parse("\n  \n# a = b\n; a = b\n  # a\n---\n--- more\n\r\n");
    ck_assert_uint_eq(entries.count, 0);
    piw__entries_fini(&entries);
}
END_TEST

START_TEST(sections)
{
    piw__entries entries = parse("\xef\xbb\xbfzero = 0\n[master]\none = 1\n [ task:the_scribe ]  # said\n"
                                 "two = 2\n[master]\nthree = 3");
    ck_assert_uint_eq(entries.count, 4);
    ck_assert_str_eq(entries.at[0].section, "");
    ck_assert_str_eq(entries.at[0].key, "zero");
    ck_assert_str_eq(entries.at[1].section, "master");
    ck_assert_str_eq(entries.at[2].section, "task:the_scribe");
    ck_assert_str_eq(entries.at[3].section, "master");
    ck_assert_str_eq(entries.at[3].origin, "a.conf:7");
    ck_assert_uint_eq(entries.sections_count, 3);
    ck_assert_str_eq(entries.sections[1], "master");
    ck_assert_str_eq(entries.sections[2], "task:the_scribe");
    piw__entries_fini(&entries);
}
END_TEST

typedef struct bad_case {
    const char *text;
    size_t len; /* 0: up to the NUL */
    const char *error;
} bad_case;

static const bad_case bad[] = {
    {"a = 1\n[master\n", 0, "a.conf:2: '[master' is not a section such as [master]"},
    {"[a] b", 0, "a.conf:1: '[a] b' is not a section such as [master]"},
    {"[ ]", 0, "a.conf:1: the section has no name"},
    {"= value", 0, "a.conf:1: there is no key before '='"},
    {": value", 0, "a.conf:1: there is no key before ':'"},
    {"a = \xff\xfe", 0, "a.conf:1: the line is not UTF-8 text"},
    {"a = 1\nb = \0c\n", 13, "a.conf:2: the line is not UTF-8 text"},
};

START_TEST(bad_line)
{
    piw__entries entries = {0};
    piw_err err = {0};
    size_t len = bad[_i].len != 0 ? bad[_i].len : strlen(bad[_i].text);
    ck_assert_int_eq(piw__config_file_parse(&entries, "a.conf", bad[_i].text, len, &err), PIW_ECONFIG);
    ck_assert_int_eq(err.code, PIW_ECONFIG);
    ck_assert_str_eq(err.text, bad[_i].error);
    piw__entries_fini(&entries);
}
END_TEST

START_TEST(too_many_entries)
{
    size_t len = (size_t)(PIW__CONFIG_FILE_ENTRIES + 1) * 2;
    char *text = malloc(len);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < len; i += 2)
        memcpy(text + i, "k\n", 2);
    piw__entries entries = {0};
    piw_err err = {0};
    ck_assert_int_eq(piw__config_file_parse(&entries, "a.conf", text, len, &err), PIW_ECONFIG);
    ck_assert_str_eq(err.text, "a.conf:20001: more than 20000 keys");
    piw__entries_fini(&entries);
    free(text);
}
END_TEST

START_TEST(files)
{
    char path[] = "/tmp/piw-conf-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "a = 1\n", 6), 6);
    piw__entries entries = {0};
    piw_err err = {0};
    ck_assert_int_eq(piw__config_file_read(&entries, path, &err), 0);
    ck_assert_int_eq(piw__config_file_read(&entries, path, &err), 0);
    ck_assert_uint_eq(entries.count, 2);
    ck_assert_uint_eq(entries.at[0].file, 0);
    ck_assert_uint_eq(entries.at[1].file, 1);
    ck_assert_int_eq(ftruncate(fd, PIW__CONFIG_FILE_BYTES + 1), 0);
    ck_assert_int_eq(piw__config_file_read(&entries, path, &err), PIW_ECONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "is larger than 1048576 bytes"));
    close(fd);
    unlink(path);
    err = (piw_err){0};
    ck_assert_int_eq(piw__config_file_read(&entries, path, &err), PIW_ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    err = (piw_err){0};
    ck_assert_int_eq(piw__config_file_read(&entries, "/tmp", &err), PIW_ESYS);
    ck_assert_str_eq(err.text, "can't read the configuration file /tmp: Is a directory");
    piw__entries_fini(&entries);
}
END_TEST

typedef struct items_case {
    const char *value, *joined;
} items_case;

static const items_case lists[] = {
    {"a", "a|"},
    {"[a, b]", "a|b|"},
    {"[ a,b ,c ]", "a|b|c|"},
    {"[]", ""},
    {"[ ]", ""},
    {"[a,]", "a|"},
    {"[\"a, b\", 'c']", "a, b|c|"},
    {"[\"a, b]", "\"a, b|"},
    {"[a b]", "a b|"},
    {"a, b", "a, b|"},
    {"[a", "[a|"},
    {"", "|"},
};

START_TEST(list_items)
{
    char **items, joined[128] = "";
    size_t count = piw__config_items(lists[_i].value, &items);
    for (size_t i = 0; i < count; i++) {
        strcat(joined, items[i]);
        strcat(joined, "|");
        free(items[i]);
    }
    free(items);
    ck_assert_str_eq(joined, lists[_i].joined);
}
END_TEST

/* Pieces that matter to the syntax in random order: never a crash, and each entry has a key, a value and an origin. */
START_TEST(random_text)
{
    static const char *const pieces[] = {"key",      "=",    ":",   " ",   "\t",   "\n",  "\r\n", "\"",
                                         "'",        "[",    "]",   "#",   ";",    "---", ",",    "--",
                                         "\xc3\xa9", "\xff", "a b", "[a]", "\x01", "\\",  "~"};
    unsigned seed = 20260;
    const char *given = getenv("PIW_SEED");
    if (given != NULL)
        seed = (unsigned)strtoul(given, NULL, 10);
    printf("# seed %u\n", seed);
    srandom(seed);
    for (int round = 0; round < 20000; round++) {
        char text[256] = "";
        for (long n = random() % 40; n > 0; n--) {
            const char *piece = pieces[(size_t)random() % PIW_COUNT(pieces)];
            if (strlen(text) + strlen(piece) < sizeof(text))
                strcat(text, piece);
        }
        piw__entries entries = {0};
        piw_err err = {0};
        int code = piw__config_file_parse(&entries, "f", text, strlen(text), &err);
        ck_assert(code == 0 || (code == PIW_ECONFIG && err.text[0] == 'f'));
        for (size_t i = 0; i < entries.count; i++) {
            ck_assert_int_gt((int)strlen(entries.at[i].key), 0);
            ck_assert_ptr_nonnull(entries.at[i].origin);
            char **items;
            size_t count = piw__config_items(entries.at[i].value, &items);
            while (count > 0)
                free(items[--count]);
            free(items);
        }
        piw__entries_fini(&entries);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("config_file");
    TCase *tc = tcase_create("syntax");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, one_line, 0, (int)PIW_COUNT(lines));
    tcase_add_test(tc, skipped_lines);
    tcase_add_test(tc, sections);
    tcase_add_loop_test(tc, bad_line, 0, (int)PIW_COUNT(bad));
    tcase_add_test(tc, too_many_entries);
    tcase_add_test(tc, files);
    tcase_add_loop_test(tc, list_items, 0, (int)PIW_COUNT(lists));
    tcase_add_test(tc, random_text);
    suite_add_tcase(suite, tc);
    return suite;
}
