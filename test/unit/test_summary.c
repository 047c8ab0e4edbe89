/* The summary of a project's JSON, found while the document streams in. */
#include "shared/summary.c"

#include "db.piw.h"
#include "unit.h"

#include <stdio.h>

/* The summary of a document that comes in pieces, or "none". */
static const char *summary_of(const char *json, size_t piece)
{
    static char result[2048];
    piw_summary *summary = piw_zalloc(sizeof(*summary));
    db_DESCRIBE *body;
    piw_msg *msg = db_DESCRIBE_new(&body);
    size_t len = strlen(json);
    for (size_t at = 0; at < len; at += piece)
        if (!piw_summary_feed(summary, json + at, len - at < piece ? len - at : piece))
            break;
    bool found = piw_summary_text(summary, msg, 200, &body->description);
    snprintf(result, sizeof(result), "%s", found ? body->description.s : "none");
    piw_msg_free(&msg);
    free(summary);
    return result;
}

START_TEST(finds_it_where_it_belongs)
{
    static const struct {
        const char *json, *summary;
    } cases[] = {
        {"{\"info\": {\"author\": \"x\", \"description\": \"a \\\"summary\\\": no\", \"summary\": \"Yes, this\"}}",
         "Yes, this"},
        {"{\"info\": {\"urls\": {\"summary\": \"no\"}, \"list\": [\"summary\", {\"summary\": \"no\"}], "
         "\"summary\": \"yes\"}}",
         "yes"},
        {"{\"summary\": \"no\", \"other\": {\"summary\": \"no\"}, \"info\": {\"summary\": \"yes\"}}", "yes"},
        {"{\"releases\": {\"info\": {\"summary\": \"no\"}}}", "none"},
        {"{\"last\": \"info\", \"other\": {\"summary\": \"no\"}}", "none"},
        {"{\"info\": {\"name\": \"summary\", \"x\": \"no\"}}", "none"},
        {"{\"info\": {\"summary\": null}}", "none"},
        {"{\"info\": {\"summary\": 12}}", "none"},
        {"{\"info\": {\"summary\": {\"summary\": \"no\"}}}", "none"},
        {"{\"info\": [], \"summary\": \"no\"}", "none"},
        {"{\"info\": {\"summary\": \"\"}}", ""},
        {"{\"info\": {\"summary\": \"caf\\u00e9 \\ud83d\\ude00 \\\\ \\/\"}}", "caf\xc3\xa9 \xf0\x9f\x98\x80 \\ /"},
        {"{\"info\": {\"summary\": \"cut off", "none"},
        {"", "none"},
        {"}}}{{{", "none"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "none"},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++)
        for (size_t piece = 1; piece < 60; piece += 7)
            ck_assert_msg(strcmp(summary_of(cases[i].json, piece), cases[i].summary) == 0, "%s gives %s", cases[i].json,
                          summary_of(cases[i].json, piece));
}
END_TEST

START_TEST(cuts_what_is_long)
{
    static char json[PIW_SUMMARY_MAX * 3];
    for (int shift = 0; shift < 8; shift++) {
        snprintf(json, sizeof(json), "{\"info\": {\"summary\": \"%.*s", shift, "xxxxxxxx");
        size_t at = strlen(json);
        while (at < sizeof(json) - 40)
            at += (size_t)snprintf(json + at, 16, "\\ud83d\\ude00");
        snprintf(json + at, sizeof(json) - at, "\"}}");
        const char *text = summary_of(json, 1000);
        ck_assert_uint_eq(piw_utf8_chars(text, strlen(text)), 200);
        ck_assert_str_eq(text + strlen(text) - 3, "\xe2\x80\xa6");
    }
}
END_TEST

Suite *unit_suite(void)
{
    piw_protocol_use(&db_protocol_def);
    Suite *suite = suite_create("summary");
    TCase *tests = tcase_create("summary");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, finds_it_where_it_belongs);
    tcase_add_test(tests, cuts_what_is_long);
    suite_add_tcase(suite, tests);
    return suite;
}
