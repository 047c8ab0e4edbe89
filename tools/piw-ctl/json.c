/* json.c — the master's answers as JSON for scripts: each is one document, printed on one line. */
#include "ctl.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static cJSON *begin(void)
{
    /* As everywhere in this program: without memory it says so and ends. */
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = piw_alloc, .free_fn = free});
    return cJSON_CreateObject();
}

static void end(cJSON *document)
{
    char *line = cJSON_PrintUnformatted(document);
    puts(line);
    cJSON_free(line);
    cJSON_Delete(document);
}

static cJSON *string_of(const char *text)
{
    return cJSON_CreateString(text != NULL ? text : "");
}

static void add_text(cJSON *to, const char *name, const char *text)
{
    cJSON_AddItemToObject(to, name, string_of(text));
}

/* cJSON keeps numbers as doubles, which hold 53 bits, and prints 2.0 as 2. So numbers are added as text. */
static void add_count(cJSON *to, const char *name, int64_t value)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%lld", (long long)value);
    cJSON_AddRawToObject(to, name, digits);
}

static void add_rate(cJSON *to, const char *name, double value)
{
    char digits[400];
    snprintf(digits, sizeof(digits), "%.3f", isfinite(value) ? value : 0.0);
    cJSON_AddRawToObject(to, name, digits);
}

static void add_texts(cJSON *to, const char *name, uint32_t count, const piw_text *at)
{
    cJSON *list = cJSON_AddArrayToObject(to, name);
    for (uint32_t i = 0; i < count; i++)
        cJSON_AddItemToArray(list, string_of(at[i].s));
}

/* An object at the end of a list. */
static cJSON *add_object(cJSON *list)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToArray(list, object);
    return object;
}

static void add_row(cJSON *to, const task_row *row)
{
    const struct {
        const char *name;
        piw_text value;
    } texts[] = {{"task", row->task}, {"plugin", row->plugin}, {"version", row->version},
                 {"file", row->file}, {"state", row->state},   {"note", row->note}};
    const struct {
        const char *name;
        int64_t value;
    } counts[] = {
        {"instances", row->instances},
        {"images", row->images},
        {"restarts", row->restarts},
        {"swaps", row->swaps},
        {"handled", row->handled},
        {"errors", row->errors},
        {"slow", row->slow},
        {"dead_letters", row->dead_letters},
        {"unanswered", row->unanswered},
        {"calls_open", row->calls_open},
        {"deferred", row->deferred},
        {"mailbox", row->mailbox},
        {"p50_us", row->p50_us},
        {"p99_us", row->p99_us},
        {"pause_us", row->pause_us},
        {"uptime_s", row->uptime_s},
        {"left_behind", row->left_behind != NULL ? *row->left_behind : 0},
        {"refused", row->refused != NULL ? *row->refused : 0},
    };
    for (size_t i = 0; i < PIW_COUNT(texts); i++)
        add_text(to, texts[i].name, texts[i].value.s);
    cJSON_AddBoolToObject(to, "isolated", row->isolated);
    for (size_t i = 0; i < PIW_COUNT(counts); i++)
        add_count(to, counts[i].name, counts[i].value);
    add_rate(to, "rate", row->rate);
}

void json_tasks(const admin_TASKS *tasks)
{
    cJSON *document = begin();
    cJSON *list = cJSON_AddArrayToObject(document, "tasks");
    for (uint32_t i = 0; i < tasks->tasks.count; i++)
        add_row(add_object(list), &tasks->tasks.at[i]);
    end(document);
}

/* `third` is the name of the field beside `name` and `protocol`; NULL: there is none. */
static void add_services(cJSON *to, const char *name, const char *third, uint32_t count, const task_service *at)
{
    cJSON *list = cJSON_AddArrayToObject(to, name);
    for (uint32_t i = 0; i < count; i++) {
        cJSON *service = add_object(list);
        add_text(service, "name", at[i].name.s);
        add_text(service, "protocol", at[i].protocol.s);
        if (third != NULL)
            add_text(service, third, at[i].by.s);
    }
}

void json_task(const admin_TASK *task)
{
    cJSON *document = begin();
    add_row(document, &task->row);
    add_text(document, "summary", task->summary.s);
    add_services(document, "serves", NULL, task->serves.count, task->serves.at);
    add_services(document, "uses", "by", task->uses.count, task->uses.at);
    add_texts(document, "needs", task->needs.count, task->needs.at);
    add_services(document, "queues", "address", task->queues.count, task->queues.at);
    add_texts(document, "messages", task->messages.count, task->messages.at);
    cJSON *list = cJSON_AddArrayToObject(document, "options");
    for (uint32_t i = 0; i < task->options.count; i++) {
        cJSON *option = add_object(list);
        add_text(option, "name", task->options.at[i].name.s);
        add_text(option, "value", task->options.at[i].value.s);
        add_text(option, "origin", task->options.at[i].origin.s);
        add_text(option, "help", task->options.at[i].help.s);
    }
    end(document);
}

void json_lines(const admin_LINES *lines)
{
    cJSON *document = begin();
    add_texts(document, "lines", lines->lines.count, lines->lines.at);
    end(document);
}

void json_settings(const char *list, const char *third, const admin_SETTINGS *settings)
{
    cJSON *document = begin();
    cJSON *all = cJSON_AddArrayToObject(document, list);
    for (uint32_t i = 0; i < settings->settings.count; i++) {
        cJSON *one = add_object(all);
        add_text(one, "name", settings->settings.at[i].name.s);
        add_text(one, "value", settings->settings.at[i].value.s);
        add_text(one, third, settings->settings.at[i].origin.s);
    }
    end(document);
}

static void json_text(const char *name, const char *text)
{
    cJSON *document = begin();
    add_text(document, name, text);
    end(document);
}

void json_line(const char *line)
{
    json_text("line", line);
}

void json_done(const char *text)
{
    json_text("done", text);
}

/* --- Tables and logs ------------------------------------------------------------------------------------------------ */

static bool is_number(const char *text)
{
    size_t digits = strspn(text, "0123456789"), more = 0;
    if (text[digits] == '.')
        more = 1 + strspn(text + digits + 1, "0123456789");
    return digits > 0 && more != 1 && text[digits + more] == '\0';
}

/* An empty cell has no value. */
static void put_field(void *arg, const char *name, const char *value, bool number)
{
    cJSON *to = arg;
    if (value[0] == '\0')
        cJSON_AddNullToObject(to, name);
    else if (number && is_number(value))
        cJSON_AddRawToObject(to, name, value);
    else
        add_text(to, name, value);
}

void json_rows(const char *name, const ctl_rows *rows)
{
    cJSON *document = begin();
    cJSON *list = cJSON_AddArrayToObject(document, name);
    for (size_t i = 0; i < rows->count; i++)
        rows_json(rows, i, put_field, add_object(list));
    end(document);
}

void json_row(const ctl_rows *row)
{
    cJSON *document = begin();
    rows_json(row, 0, put_field, document);
    end(document);
}

static void add_lines(cJSON *to, const char *name, char *const *lines, size_t first, size_t after)
{
    cJSON *list = cJSON_AddArrayToObject(to, name);
    for (size_t i = first; i < after; i++)
        cJSON_AddItemToArray(list, string_of(lines[i]));
}

void json_log(int64_t build, const char *path, char *const *lines, size_t count, size_t first, size_t after)
{
    cJSON *document = begin();
    add_count(document, "build", build);
    add_text(document, "file", path);
    add_count(document, "error_line", after > first ? (int64_t)first + 1 : 0);
    add_lines(document, "error", lines, first, after);
    add_lines(document, "log", lines, 0, count);
    end(document);
}
