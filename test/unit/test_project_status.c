/* What a project's page of the Simple API says of the project, and pages that say nothing. */
#include "cloud_gazer/json_reader.c"
#include "cloud_gazer/page.c"

#include "unit.h"

static int read_page(const char *json, char *status)
{
    piw_err err = {0};
    gazer_page *page = gazer_page_new("foo");
    int failed = 0;
    for (size_t at = 0; json[at] != '\0' && failed == 0; at++)
        failed = gazer_page_feed(page, json + at, 1, &err);
    if (failed == 0)
        failed = gazer_page_end(page, &err);
    strcpy(status, gazer_page_status(page));
    gazer_page_free(&page);
    return failed;
}

START_TEST(the_status_is_found_where_it_stands)
{
    static const struct {
        const char *json, *status;
    } cases[] = {
        {"{\"meta\": {\"status\": \"no\"}, \"project-status\": {\"reason\": \"x\", \"status\": \"quarantined\"}, "
         "\"files\": []}",
         "quarantined"},
        {"{\"project-status\": {\"more\": {\"status\": \"no\"}, \"status\": \"active\"}}", "active"},
        {"{\"files\": [{\"project-status\": {\"status\": \"no\"}}], \"size\": 1e400}", ""},
        {"{\"project-status\": \"quarantined\"}", ""},
        {"{\"project-status\": {\"status\": null}}", ""},
        {"{\"project-status\": {\"status\": \"a text that is longer than a status is\"}}", ""},
    };
    char status[32];
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        ck_assert_msg(read_page(cases[i].json, status) == 0, "refused: %s", cases[i].json);
        ck_assert_str_eq(status, cases[i].status);
    }
}
END_TEST

START_TEST(reasons_of_yanks_go_by_version)
{
    static const char json[] =
        "{\"project-status\": {\"status\": \"archived\", \"reason\": \"moved\\u0007\"}, \"files\": ["
        "{\"filename\": \"foo-1.0.tar.gz\", \"yanked\": \"first\", \"hashes\": {\"yanked\": \"no\"}},"
        "{\"yanked\": \"second\", \"filename\": \"Foo-1.0-py3-none-any.whl\"},"
        "{\"filename\": \"foo-0.9-beta.zip\", \"yanked\": \"old\"},"
        "{\"filename\": \"foo-2.0.tar.gz\", \"yanked\": true}, {\"filename\": \"foo-3.0.tar.gz\", \"yanked\": \"\"},"
        "{\"filename\": \"foobar-4.0.tar.gz\", \"yanked\": \"another's\"}, {\"yanked\": \"nobody's\"},"
        "{\"filename\": \"foo-../..-py3-none-any.whl\", \"yanked\": \"a path\"}]}";
    piw_err err = {0};
    piw_protocol_use(&db_protocol_def);
    gazer_page *page = gazer_page_new("foo");
    ck_assert_int_eq(gazer_page_feed(page, json, sizeof(json) - 1, &err), 0);
    ck_assert_int_eq(gazer_page_end(page, &err), 0);
    db_PYPI_FACTS *facts;
    piw_msg *msg = db_PYPI_FACTS_new(&facts);
    gazer_page_put(page, msg, facts, false);
    gazer_page_free(&page);
    ck_assert_str_eq(facts->package.s, "foo");
    ck_assert_str_eq(facts->status.s, "archived");
    ck_assert_str_eq(facts->reason.s, "moved\xef\xbf\xbd");
    ck_assert_uint_eq(facts->yanks.count, 2);
    ck_assert_str_eq(facts->yanks.at[0].version.s, "0.9-beta");
    ck_assert_str_eq(facts->yanks.at[0].reason.s, "old");
    ck_assert_str_eq(facts->yanks.at[1].version.s, "1.0");
    ck_assert_str_eq(facts->yanks.at[1].reason.s, "first");
    piw_msg_free(&msg);
}
END_TEST

START_TEST(long_reasons_are_cut_where_a_character_ends)
{
    piw_buffer json = {0};
    piw_put(&json, "{\"files\": [{\"filename\": \"foo-1.tar.gz\", \"yanked\": \"x");
    for (int i = 0; i < 3000; i++)
        piw_put(&json, "\xe2\x82\xac");
    piw_put(&json, "\"}]}");
    piw_err err = {0};
    piw_protocol_use(&db_protocol_def);
    gazer_page *page = gazer_page_new("foo");
    ck_assert_int_eq(gazer_page_feed(page, json.data, json.len, &err), 0);
    ck_assert_int_eq(gazer_page_end(page, &err), 0);
    db_PYPI_FACTS *facts;
    piw_msg *msg = db_PYPI_FACTS_new(&facts);
    gazer_page_put(page, msg, facts, false);
    ck_assert_uint_eq(facts->yanks.count, 1);
    ck_assert_uint_eq(piw_utf8_chars(facts->yanks.at[0].reason.s, facts->yanks.at[0].reason.len), GAZER_REASON_CHARS);
    gazer_page_free(&page);
    piw_msg_free(&msg);
    piw_buffer_fini(&json);
}
END_TEST

START_TEST(wheels_are_told_when_they_are_wanted)
{
    static const char json[] =
        "{\"files\": [{\"filename\": \"foo-1.0.tar.gz\"}, {\"filename\": \"Foo-1.0-1-cp311-cp311-linux_armv7l.whl\", "
        "\"requires-python\": null, \"yanked\": false}, {\"filename\": \"foo-0.9-py3-none-any.whl\", \"yanked\": \"it "
        "is "
        "broken\"}, {\"yanked\": true, \"filename\": \"foo-0.8-py3-none-any.whl\"}, {\"requires-python\": \">=3.9, "
        "<3.12\", "
        "\"filename\": \"foo-1.0-py2.py3-none-any.whl\", \"yanked\": \"\"}, {\"filename\": \"foo-1.0.whl\"},"
        "{\"filename\": \"bar-1.0-py3-none-any.whl\"}, {\"filename\": \"foo-../..-py3-none-any.whl\"}]}";
    piw_err err = {0};
    piw_protocol_use(&db_protocol_def);
    gazer_page *page = gazer_page_new("foo");
    ck_assert_int_eq(gazer_page_feed(page, json, sizeof(json) - 1, &err), 0);
    ck_assert_int_eq(gazer_page_end(page, &err), 0);
    db_PYPI_FACTS *facts;
    piw_msg *msg = db_PYPI_FACTS_new(&facts);
    gazer_page_put(page, msg, facts, false);
    ck_assert_ptr_null(facts->wheels);
    gazer_page_put(page, msg, facts, true);
    gazer_page_free(&page);
    ck_assert_uint_eq(facts->wheels->wheels.count, 2);
    ck_assert_str_eq(facts->wheels->wheels.at[0].version.s, "1.0");
    ck_assert_str_eq(facts->wheels->wheels.at[0].tags.s, "cp311-cp311-linux_armv7l");
    ck_assert_int_eq(*facts->wheels->wheels.at[0].pythons, INT64_MAX);
    ck_assert_str_eq(facts->wheels->wheels.at[1].tags.s, "py2.py3-none-any");
    ck_assert_int_eq(*facts->wheels->wheels.at[1].pythons, 7 << 9);
    piw_msg_free(&msg);
}
END_TEST

START_TEST(what_is_no_page_is_refused)
{
    static const char *const bad[] = {"", "<html>", "[]", "{\"project-status\": {\"status\": \"active\"}"};
    char status[32];
    for (size_t i = 0; i < PIW_COUNT(bad); i++)
        ck_assert_msg(read_page(bad[i], status) != 0, "accepted: %s", bad[i]);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("project_status");
    TCase *tests = tcase_create("project_status");
    tcase_add_test(tests, the_status_is_found_where_it_stands);
    tcase_add_test(tests, reasons_of_yanks_go_by_version);
    tcase_add_test(tests, long_reasons_are_cut_where_a_character_ends);
    tcase_add_test(tests, wheels_are_told_when_they_are_wanted);
    tcase_add_test(tests, what_is_no_page_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
