/* The reader of PyPI's list of projects: whole and in pieces, and hostile ones. */
#include "cloud_gazer/json_reader.c"
#include "cloud_gazer/listing.c"

#include "unit.h"

#include <stdio.h>

/* What was read, one line a project, the serial of the list last. */
static char seen[4096];

static int read_list(const char *json, size_t len, size_t piece, piw_err *err)
{
    gazer_listing *listing = gazer_listing_new();
    int failed = 0;
    seen[0] = '\0';
    *err = (piw_err){0};
    for (size_t at = 0; at < len && failed == 0; at += piece)
        failed = gazer_listing_feed(listing, json + at, len - at < piece ? len - at : piece, err);
    if (failed == 0)
        failed = gazer_listing_end(listing, err);
    size_t count = 0, to = 0;
    const gazer_listed *listed = failed == 0 ? gazer_listing_projects(listing, &count) : NULL;
    for (size_t i = 0; i < count; i++)
        to +=
            (size_t)snprintf(seen + to, sizeof(seen) - to, "%s|%lld\n", listed[i].package, (long long)listed[i].serial);
    if (failed == 0)
        snprintf(seen + to, sizeof(seen) - to, "%lld", (long long)gazer_listing_serial(listing));
    gazer_listing_free(&listing);
    return failed;
}

static int read_whole(const char *json, piw_err *err)
{
    return read_list(json, strlen(json), strlen(json) + 1, err);
}

START_TEST(reads_projects)
{
    const char *json =
        "{\"meta\": {\"_last-serial\": 50, \"api-version\": \"1.0\", \"more\": [1, {\"name\": \"no\"}]},\n"
        " \"projects\": [{\"_last-serial\": 7, \"name\": \"Foo.Bar\"}, {\"name\": \"b\\u0061z\", "
        "\"_last-serial\": 60, \"extra\": {\"name\": \"x\", \"_last-serial\": 1}},\n"
        " {\"name\": \"foo_bar\", \"_last-serial\": 9}, {\"name\": \"../etc\", \"_last-serial\": 8}, "
        "{\"name\": \"\", \"_last-serial\": 8}], \"other\": [{\"name\": \"y\", \"_last-serial\": 3}]}\n";
    piw_err err;
    for (size_t piece = 1; piece < 80; piece += 3) {
        ck_assert_msg(read_list(json, strlen(json), piece, &err) == 0, "%s", err.text);
        ck_assert_str_eq(seen, "baz|60\nfoo-bar|9\n60");
    }
    for (size_t len = 0; len < strlen(json) - 2; len++)
        ck_assert_int_ne(read_list(json, len, 50, &err), 0);
}
END_TEST

START_TEST(refuses_what_is_no_list)
{
    static const struct {
        const char *json, *says;
    } bad[] = {
        {"", "no JSON"},
        {"<html>busy</html>", "no JSON"},
        {"[]", "no object"},
        {"7", "lacks its projects"},
        {"{}", "lacks its projects"},
        {"{\"meta\": {\"_last-serial\": 1}, \"projects\": {}}", "lacks its projects"},
        {"{\"meta\": {\"_last-serial\": \"1\"}, \"projects\": []}", "lacks meta._last-serial"},
        {"{\"meta\": {\"_last-serial\": 1.5}, \"projects\": []}", "lacks meta._last-serial"},
        {"{\"meta\": {\"_last-serial\": 1}, \"projects\": [{\"name\": \"a\"}]}", "project a has no _last-serial"},
        {"{\"meta\": {\"_last-serial\": 1}, \"projects\": [{\"name\": \"a\", \"_last-serial\": null}]}",
         "project a has no _last-serial"},
        {"{\"meta\": {\"_last-serial\": 1}, \"projects\": [{\"name\": \"a\", \"_last-serial\": 99999999999999999999}]}",
         "no JSON"},
        {"{\"meta\": {\"_last-serial\": 1}, \"projects\": []} more", "no JSON"},
        {"{\"meta\": {\"_last-serial\": 1}, \"projects\": [{\"name\": \"\xff\xfe\", \"_last-serial\": 1}]}", "no JSON"},
    };
    piw_err err;
    for (size_t i = 0; i < PIW_COUNT(bad); i++) {
        ck_assert_msg(read_whole(bad[i].json, &err) != 0, "accepted: %s", bad[i].json);
        ck_assert_msg(strstr(err.text, bad[i].says) != NULL, "%s: %s", bad[i].json, err.text);
    }
    enum { DEPTH = 1 << 20 };
    char *deep = piw_alloc(DEPTH + 16);
    memcpy(deep, "{\"meta\": ", 9);
    memset(deep + 9, '[', DEPTH);
    ck_assert_int_ne(read_list(deep, DEPTH + 9, 4096, &err), 0);
    ck_assert_msg(strstr(err.text, "nested") != NULL, "%s", err.text);
    free(deep);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("pypi_list");
    TCase *tests = tcase_create("pypi_list");
    tcase_add_test(tests, reads_projects);
    tcase_add_test(tests, refuses_what_is_no_list);
    suite_add_tcase(suite, tests);
    return suite;
}
