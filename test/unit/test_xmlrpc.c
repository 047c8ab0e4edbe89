/* The reader of PyPI's answers: good ones whole and in pieces, faults, and hostile ones. */
#include "cloud_gazer/xmlrpc.c"

#include "unit.h"

#include <stdio.h>

#define LIST(events)                                                                                                   \
    "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><array><data>\n" events                        \
    "</data></array></value>\n</param>\n</params>\n</methodResponse>\n"
#define EVENT(name, version, time, action, serial)                                                                     \
    "<value><array><data>\n<value><string>" name "</string></value>\n<value>" version "</value>\n<value><int>" time    \
    "</int></value>\n<value><string>" action "</string></value>\n<value><int>" serial                                  \
    "</int></value>\n</data></array></value>\n"
#define STRING_OF(text) "<string>" text "</string>"

/* What was read, one line an event. */
static char seen_events[4096];

static void note(void *arg, const gazer_event *event)
{
    (void)arg;
    size_t at = strlen(seen_events);
    snprintf(seen_events + at, sizeof(seen_events) - at, "%.*s|%.*s|%lld|%.*s|%lld\n", (int)event->name.len,
             event->name.s, event->version.s != NULL ? (int)event->version.len : 3,
             event->version.s != NULL ? event->version.s : "nil", (long long)event->time_s, (int)event->action.len,
             event->action.s, (long long)event->serial);
}

static int read_all(const char *xml, size_t len, size_t piece, piw_err *err)
{
    gazer_xmlrpc *parser = gazer_xmlrpc_new(note, NULL);
    int failed = 0;
    seen_events[0] = '\0';
    *err = (piw_err){0};
    for (size_t at = 0; at < len && failed == 0; at += piece)
        failed = gazer_xmlrpc_feed(parser, xml + at, len - at < piece ? len - at : piece, err);
    if (failed == 0)
        failed = gazer_xmlrpc_end(parser, err);
    gazer_xmlrpc_free(&parser);
    return failed;
}

static int read_text_whole(const char *xml, piw_err *err)
{
    return read_all(xml, strlen(xml), strlen(xml) + 1, err);
}

START_TEST(reads_events)
{
    piw_err err;
    const char *xml = LIST(EVENT("Foo.Bar", STRING_OF("1.0"), "1700000000", "create", "17") EVENT(
        "b&amp;c", "<nil/>", "-5", "add source file x.tar.gz", "18") EVENT("plain", "2", "1", "", "5000000000"));
    const char *expected = "Foo.Bar|1.0|1700000000|create|17\n"
                           "b&c|nil|-5|add source file x.tar.gz|18\n"
                           "plain|2|1||5000000000\n";
    /* One byte at a time must give the same as all at once. */
    for (size_t piece = 1; piece < 70; piece += 3) {
        ck_assert_int_eq(read_all(xml, strlen(xml), piece, &err), 0);
        ck_assert_str_eq(seen_events, expected);
    }
    ck_assert_int_eq(read_text_whole(xml, &err), 0);
    ck_assert_str_eq(seen_events, expected);
}
END_TEST

START_TEST(spaces_between_elements_mean_nothing)
{
    piw_err err;
    ck_assert_int_eq(read_text_whole(LIST("<value> <array> <data> <value> <string>a</string> </value> <value> <nil/> "
                                          "</value><value> <i4>1</i4>\n</value><value><string></string></value>"
                                          "<value> <i8>2</i8> </value></data></array></value>"),
                                     &err),
                     0);
    ck_assert_str_eq(seen_events, "a|nil|1||2\n");
}
END_TEST

START_TEST(an_empty_list_is_an_answer)
{
    piw_err err;
    ck_assert_int_eq(read_text_whole(LIST(""), &err), 0);
    ck_assert_str_eq(seen_events, "");
}
END_TEST

START_TEST(a_fault_is_told_with_its_code)
{
    piw_err err;
    const char *xml = "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>-32500</int>"
                      "</value></member><member><name>faultString</name><value><string>HTTPTooManyRequests: slow "
                      "down</string></value></member></struct></value></fault></methodResponse>";
    ck_assert_int_eq(read_text_whole(xml, &err), PIW_EREFUSED);
    ck_assert_ptr_nonnull(strstr(err.text, "-32500"));
    ck_assert_ptr_nonnull(strstr(err.text, "slow down"));
}
END_TEST

#define FAULT(text)                                                                                                    \
    "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>-32500</int></value></member>"    \
    "<member><name>faultString</name><value><string>" text                                                             \
    "</string></value></member></struct></value></fault></methodResponse>"

START_TEST(references_are_decoded_and_bad_ones_replaced)
{
    piw_err err;
    const char *xml =
        LIST(EVENT("a&#38;b", STRING_OF("1"), "1", "add&#32;&#x61;&#27;&#x1b;&#0;&#xD800;&#1114112;&amp;#27;", "1"));
    for (size_t piece = 1; piece < 40; piece++) {
        ck_assert_int_eq(read_all(xml, strlen(xml), piece, &err), 0);
        ck_assert_str_eq(seen_events,
                         "a&b|1|1|add a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd&#27;|1\n");
    }
    ck_assert_int_ne(read_text_whole(LIST(EVENT("a&#", STRING_OF("1"), "1", "create", "1")), &err), 0);
}
END_TEST

START_TEST(a_fault_says_when_the_limit_ends)
{
    static const struct {
        const char *xml;
        int64_t seconds;
    } cases[] = {
        {FAULT("HTTPTooManyRequests: The action could not be performed because there were too many requests by the "
               "client. "
               "Limit may reset in 37 seconds."),
         37},
        {FAULT("Limit may reset in 1 second."), 1},
        {FAULT("Limit may reset in 0 seconds."), 0},
        {FAULT("Limit may reset in -5 seconds."), 0},
        {FAULT("Limit may reset in 99999999999999999999999 seconds."), 0},
        {FAULT("Limit may reset in a while."), 0},
        {FAULT("slow down"), 0},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        piw_err err = {0};
        gazer_xmlrpc *parser = gazer_xmlrpc_new(NULL, NULL);
        ck_assert_int_eq(gazer_xmlrpc_feed(parser, cases[i].xml, strlen(cases[i].xml), &err), 0);
        ck_assert_int_eq(gazer_xmlrpc_end(parser, &err), PIW_EREFUSED);
        ck_assert_int_eq(gazer_xmlrpc_reset_s(parser), cases[i].seconds);
        gazer_xmlrpc_free(&parser);
    }
}
END_TEST

START_TEST(what_is_no_answer_is_refused)
{
    static const char *const bad[] = {
        "",
        "<html><body>busy</body></html>",
        "not xml at all",
        "<methodResponse><params>",
        LIST("<value><int>1</int></value>") "<more/>",
        LIST("<value><array><data></data></array></value>"),
        LIST(EVENT("a", "<nil/>", "x", "create", "1")),
        LIST(EVENT("a", "<nil/>", "1", "create", "99999999999999999999")),
        LIST(EVENT("a", "<nil/>", "1", "create", "")),
        LIST("<value><array><data><value><int>1</int></value><value><nil/></value><value><int>1</int></value>"
             "<value>a</value><value><int>1</int></value></data></array></value>"),
        LIST("<value><array><data><value>a</value><value><nil/></value><value><int>1</int></value>"
             "<value>a</value><value><int>1</int></value><value>more</value></data></array></value>"),
        LIST("<value><array><data><value><array><data></data></array></value></data></array></value>"),
        "<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]>" LIST(""),
        LIST(EVENT("\x01", "<nil/>", "1", "create", "1")),
        LIST(EVENT("\xff\xfe", "<nil/>", "1", "create", "1")),
    };
    for (size_t i = 0; i < PIW_COUNT(bad); i++) {
        piw_err err;
        ck_assert_msg(read_text_whole(bad[i], &err) < 0, "accepted: %s", bad[i]);
        ck_assert_msg(err.text[0] != '\0', "no sentence for: %s", bad[i]);
    }
}
END_TEST

START_TEST(depth_and_lengths_are_bounded)
{
    piw_err err;
    enum { SIZE = 1 << 20 };
    char *xml = piw_zalloc(SIZE + 4096);
    for (int i = 0; i < 1000; i++)
        strcat(xml, "<value>");
    ck_assert_int_eq(read_text_whole(xml, &err), PIW_ELIMIT);

    const char *head = "<methodResponse><params><param><value><array><data><value><array><data><value>";
    strcpy(xml, head);
    memset(xml + strlen(head), 'a', SIZE);
    ck_assert_int_eq(read_all(xml, strlen(head) + SIZE, 1000, &err), PIW_ELIMIT);
    /* Outside of values long text costs nothing. */
    strcpy(xml, "<methodResponse>");
    memset(xml + 16, ' ', SIZE);
    strcpy(xml + 16 + SIZE,
           "<params><param><value><array><data></data></array></value></param></params></methodResponse>");
    ck_assert_int_eq(read_text_whole(xml, &err), 0);
    free(xml);
}
END_TEST

START_TEST(any_cut_is_an_error)
{
    piw_err err;
    const char *xml = LIST(EVENT("a", STRING_OF("1"), "1", "create", "1"));
    size_t end = (size_t)(strstr(xml, "</methodResponse>") - xml);
    for (size_t len = 0; len <= end; len++)
        ck_assert_int_lt(read_all(xml, len, 50, &err), 0);
}
END_TEST

START_TEST(the_request_holds_the_serial)
{
    char *body = gazer_xmlrpc_request(123456789012LL);
    ck_assert_ptr_nonnull(strstr(body, "<methodName>changelog_since_serial</methodName>"));
    ck_assert_ptr_nonnull(strstr(body, "<int>123456789012</int>"));
    free(body);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("xmlrpc");
    TCase *tests = tcase_create("xmlrpc");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, reads_events);
    tcase_add_test(tests, spaces_between_elements_mean_nothing);
    tcase_add_test(tests, an_empty_list_is_an_answer);
    tcase_add_test(tests, a_fault_is_told_with_its_code);
    tcase_add_test(tests, references_are_decoded_and_bad_ones_replaced);
    tcase_add_test(tests, a_fault_says_when_the_limit_ends);
    tcase_add_test(tests, what_is_no_answer_is_refused);
    tcase_add_test(tests, depth_and_lengths_are_bounded);
    tcase_add_test(tests, any_cut_is_an_error);
    tcase_add_test(tests, the_request_holds_the_serial);
    suite_add_tcase(suite, tests);
    return suite;
}
