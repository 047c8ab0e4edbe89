/* The reader of a project's document: whole and in pieces, and hostile ones. */
#include "cloud_gazer/json_reader.c"
#include "cloud_gazer/project.c"

#include "unit.h"

/* What was read: name and serial, then one line a release. */
static char seen[4096];

static void note(const gazer_project *project)
{
    db_PYPI_PROJECTS *body;
    piw_msg *msg = db_PYPI_PROJECTS_new(&body);
    piw_msg_list(msg, &body->projects, 1);
    pypi_project *made = &body->projects.at[0];
    gazer_project_put(project, msg, made);
    size_t to = (size_t)snprintf(seen, sizeof(seen), "%s %s %lld\n", made->package.s, made->name.s,
                                 (long long)gazer_project_serial(project));
    for (uint32_t i = 0; i < made->releases.count; i++) {
        const pypi_release *from = &made->releases.at[i];
        to += (size_t)snprintf(seen + to, sizeof(seen) - to, "%s|%lld|%s%s\n", from->version.s,
                               from->timestamp != NULL ? (long long)from->timestamp->us / 1000000 : -1,
                               from->source ? "source" : "", from->yanked ? "yanked" : "");
    }
    piw_msg_free(&msg);
}

static int read_document(const char *json, size_t len, size_t piece, piw_err *err)
{
    gazer_project *project = gazer_project_new("foo-bar");
    int failed = 0;
    seen[0] = '\0';
    *err = (piw_err){0};
    for (size_t at = 0; at < len && failed == 0; at += piece)
        failed = gazer_project_feed(project, json + at, len - at < piece ? len - at : piece, err);
    if (failed == 0)
        failed = gazer_project_end(project, err);
    if (failed == 0)
        note(project);
    gazer_project_free(&project);
    return failed;
}

static int read_whole(const char *json, piw_err *err)
{
    return read_document(json, strlen(json), strlen(json) + 1, err);
}

#define AT "\"upload_time_iso_8601\": \"1970-01-01T00:00:"

START_TEST(reads_releases)
{
    const char *json =
        "{\"info\": {\"name\": \"Foo.Bar\", \"version\": \"2.0\", \"yanked\": true, \"classifiers\": [\"name\"]},\n"
        " \"last_serial\": 77, \"releases\": {\n"
        "  \"2.0\": [{\"packagetype\": \"bdist_wheel\", " AT
        "09Z\", \"yanked\": false, \"digests\": {\"yanked\": true}},\n"
        "           {\"packagetype\": \"sdist\", " AT "07.5Z\", \"yanked\": true}],\n"
        "  \"1.0\": [{" AT "05Z\", \"packagetype\": \"bdist_egg\", \"yanked\": true}],\n"
        "  \"0.9\": [], \"\": [{\"packagetype\": \"sdist\"}]},\n"
        " \"urls\": [{\"packagetype\": \"sdist\", \"yanked\": true}], \"vulnerabilities\": []}\n";
    piw_err err;
    for (size_t piece = 1; piece < 80; piece += 3) {
        ck_assert_msg(read_document(json, strlen(json), piece, &err) == 0, "%s", err.text);
        ck_assert_str_eq(seen, "foo-bar Foo.Bar 77\n0.9|-1|\n1.0|5|yanked\n2.0|7|source\n");
    }
    for (size_t len = 0; len < strlen(json) - 2; len++)
        ck_assert_int_ne(read_document(json, len, 50, &err), 0);
}
END_TEST

#define NAME "\"info\": {\"name\": \"foo-bar\"}"

START_TEST(refuses_what_is_no_document)
{
    static const struct {
        const char *json, *says;
    } bad[] = {
        {"", "no JSON"},
        {"[]", "no object"},
        {"{" NAME "}", "nothing about its releases"},
        {"{" NAME ", \"releases\": null}", "nothing about its releases"},
        {"{" NAME ", \"releases\": []}", "nothing about its releases"},
        {"{\"releases\": {}}", "has not its name"},
        {"{\"info\": {\"name\": \"other\"}, \"releases\": {}}", "has not its name"},
        {"{\"info\": {\"name\": 7}, \"releases\": {}}", "has not its name"},
        {"{" NAME ", \"releases\": {\"1\": [], \"1\": []}}", "the release 1 twice"},
    };
    piw_err err;
    for (size_t i = 0; i < PIW_COUNT(bad); i++) {
        ck_assert_msg(read_whole(bad[i].json, &err) != 0, "accepted: %s", bad[i].json);
        ck_assert_msg(strstr(err.text, bad[i].says) != NULL, "%s: %s", bad[i].json, err.text);
    }
}
END_TEST

START_TEST(sizes_are_bounded)
{
    enum { RELEASES = GAZER_RELEASES_MAX + 1 };
    piw_buffer json = {0};
    char text[64];
    ck_assert_int_eq(piw_buffer_add(&json, "{" NAME ", \"releases\": {", strlen("{" NAME ", \"releases\": {")), 0);
    for (int i = 0; i < RELEASES; i++) {
        int len = snprintf(text, sizeof(text), "%s\"%d\": []", i > 0 ? ", " : "", i);
        ck_assert_int_eq(piw_buffer_add(&json, text, (size_t)len), 0);
    }
    ck_assert_int_eq(piw_buffer_add(&json, "}}", 2), 0);
    piw_err err;
    ck_assert_int_ne(read_document((const char *)json.data, json.len, 4096, &err), 0);
    ck_assert_msg(strstr(err.text, "more than 20000 releases") != NULL, "%s", err.text);
    piw_buffer_fini(&json);
}
END_TEST

Suite *unit_suite(void)
{
    piw_protocol_use(&db_protocol_def);
    Suite *suite = suite_create("pypi_project");
    TCase *tests = tcase_create("pypi_project");
    tcase_add_test(tests, reads_releases);
    tcase_add_test(tests, refuses_what_is_no_document);
    tcase_add_test(tests, sizes_are_bounded);
    suite_add_tcase(suite, tests);
    return suite;
}
