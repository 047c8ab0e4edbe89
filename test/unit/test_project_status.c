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
    tcase_add_test(tests, what_is_no_page_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
