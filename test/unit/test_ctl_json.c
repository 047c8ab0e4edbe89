/* What piw-ctl prints for scripts: keys in their order, whole numbers whole, and texts from the master that mean harm. */
#include "piw-ctl/ctl.h"
#include "unit.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

/* What was printed since, as a document; the line itself in `text`. */
static FILE *printed;
static int before = -1;
static char text[8192];

static void begin(void)
{
    fflush(stdout);
    printed = tmpfile();
    before = dup(STDOUT_FILENO);
    ck_assert(printed != NULL && before >= 0);
    ck_assert_int_ge(dup2(fileno(printed), STDOUT_FILENO), 0);
}

static cJSON *end(void)
{
    fflush(stdout);
    ck_assert_int_ge(dup2(before, STDOUT_FILENO), 0);
    close(before);
    rewind(printed);
    size_t len = fread(text, 1, sizeof(text) - 1, printed);
    fclose(printed);
    text[len] = 0;
    ck_assert_ptr_eq(strchr(text, '\n'), text + len - 1);
    cJSON *document = cJSON_Parse(text);
    ck_assert_msg(document != NULL, "no JSON: %s", text);
    return document;
}

static const char *keys(const cJSON *object)
{
    static char all[1000];
    size_t len = 0;
    for (const cJSON *at = object->child; at != NULL; at = at->next)
        len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", len > 0 ? " " : "", at->string);
    return all;
}

static const char *text_of(const cJSON *object, const char *name)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    ck_assert_msg(value != NULL, "%s is no text", name);
    return value;
}

static task_row row_of(void)
{
    return (task_row){.task = piw_text_of("the_scribe"),
                      .note = piw_text_of("a \"note\"\\\n\x1b[31m\xe2\x82\xac"),
                      .isolated = true,
                      .instances = 2,
                      .handled = 9007199254740993,
                      .rate = 2};
}

#define ROW_KEYS                                                                                                       \
    "task plugin version file state note isolated instances images restarts swaps handled errors slow dead_letters "   \
    "unanswered calls_open deferred mailbox p50_us p99_us pause_us uptime_s left_behind refused rate"

START_TEST(a_row_has_all_keys_in_their_order)
{
    task_row rows[] = {row_of(), {.rate = NAN}};
    begin();
    json_tasks(&(admin_TASKS){.tasks = {.count = 2, .at = rows}});
    cJSON *document = end();
    ck_assert_str_eq(keys(document), "tasks");
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(document, "tasks");
    ck_assert_int_eq(cJSON_GetArraySize(list), 2);
    const cJSON *row = cJSON_GetArrayItem(list, 0);
    ck_assert_str_eq(keys(row), ROW_KEYS);
    ck_assert_str_eq(text_of(row, "task"), "the_scribe");
    ck_assert_str_eq(text_of(row, "note"), "a \"note\"\\\n\x1b[31m\xe2\x82\xac");
    ck_assert(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(row, "isolated")));
    /* More than a double holds, and a rate that happens to be whole. */
    ck_assert_ptr_nonnull(strstr(text, "\"handled\":9007199254740993,"));
    ck_assert_ptr_nonnull(strstr(text, "\"rate\":2.000}"));
    ck_assert_ptr_nonnull(strstr(text, "\"rate\":0.000}"));
    ck_assert_str_eq(text_of(cJSON_GetArrayItem(list, 1), "task"), "");
    /* A terminal must not take it for orders. */
    for (const char *at = text; *at != '\n'; at++)
        ck_assert((unsigned char)*at >= 0x20);
    cJSON_Delete(document);
}
END_TEST

START_TEST(a_task_is_told_whole)
{
    task_service service = {.name = piw_text_of("db"), .protocol = piw_text_of("db"), .by = piw_text_of("seraph")};
    piw_text needs = piw_text_of("db");
    task_option option = {.name = piw_text_of("every"), .help = piw_text_of("how often")};
    admin_TASK task = {.row = row_of(),
                       .serves = {.count = 1, .at = &service},
                       .uses = {.count = 1, .at = &service},
                       .needs = {.count = 1, .at = &needs},
                       .queues = {.count = 1, .at = &service},
                       .options = {.count = 1, .at = &option}};
    begin();
    json_task(&task);
    cJSON *document = end();
    ck_assert_str_eq(keys(document), ROW_KEYS " summary serves uses needs queues messages options");
    const struct {
        const char *list, *keys;
    } lists[] = {{"serves", "name protocol"},
                 {"uses", "name protocol by"},
                 {"queues", "name protocol address"},
                 {"options", "name value origin help"}};
    for (size_t i = 0; i < PIW_COUNT(lists); i++) {
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(document, lists[i].list);
        ck_assert_int_eq(cJSON_GetArraySize(list), 1);
        ck_assert_str_eq(keys(list->child), lists[i].keys);
    }
    const cJSON *messages = cJSON_GetObjectItemCaseSensitive(document, "messages");
    ck_assert(cJSON_IsArray(messages) && cJSON_GetArraySize(messages) == 0);
    cJSON_Delete(document);
}
END_TEST

START_TEST(lines_and_settings)
{
    piw_text lines[] = {piw_text_of("one"), {0}, piw_text_of("a\x01\"b")};
    begin();
    json_lines(&(admin_LINES){.lines = {.count = 3, .at = lines}});
    cJSON_Delete(end());
    ck_assert_str_eq(text, "{\"lines\":[\"one\",\"\",\"a\\u0001\\\"b\"]}\n");
    begin();
    json_line("l\n");
    cJSON_Delete(end());
    ck_assert_str_eq(text, "{\"line\":\"l\\n\"}\n");
    begin();
    json_done(NULL);
    cJSON_Delete(end());
    ck_assert_str_eq(text, "{\"done\":\"\"}\n");
    setting one = {.name = piw_text_of("n"), .value = piw_text_of("v"), .origin = piw_text_of("o")};
    begin();
    json_settings("limits", "reason", &(admin_SETTINGS){.settings = {.count = 1, .at = &one}});
    cJSON_Delete(end());
    ck_assert_str_eq(text, "{\"limits\":[{\"name\":\"n\",\"value\":\"v\",\"reason\":\"o\"}]}\n");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ctl_json");
    TCase *tests = tcase_create("ctl_json");
    tcase_add_test(tests, a_row_has_all_keys_in_their_order);
    tcase_add_test(tests, a_task_is_told_whole);
    tcase_add_test(tests, lines_and_settings);
    suite_add_tcase(suite, tests);
    return suite;
}
