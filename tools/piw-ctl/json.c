/* json.c — JSON on stdout, written as it goes; what comes from the master is bounded already. */
#include "ctl.h"

#include <math.h>
#include <stdio.h>

static void put_text(const char *text)
{
    putchar('"');
    for (const unsigned char *s = (const unsigned char *)(text != NULL ? text : ""); *s != 0; s++) {
        if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if (*s < 0x20 || *s == 0x7f)
            printf("\\u%04x", *s);
        else
            putchar(*s);
    }
    putchar('"');
}

static void put_pair(const char *name, piw_text text)
{
    printf("\"%s\": ", name);
    put_text(text.s);
}

static void put_row(const task_row *row)
{
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
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
    };
    const struct {
        const char *name;
        piw_text value;
    } texts[] = {{"task", row->task}, {"plugin", row->plugin}, {"version", row->version},
                 {"file", row->file}, {"state", row->state},   {"note", row->note}};
    for (size_t i = 0; i < PIW_COUNT(texts); i++) {
        put_pair(texts[i].name, texts[i].value);
        printf(", ");
    }
    printf("\"isolated\": %s, ", row->isolated ? "true" : "false");
    for (size_t i = 0; i < PIW_COUNT(numbers); i++)
        printf("\"%s\": %lld, ", numbers[i].name, (long long)numbers[i].value);
    printf("\"rate\": %.3f", isfinite(row->rate) ? row->rate : 0.0);
}

void json_tasks(const admin_TASKS *tasks)
{
    printf("{\"tasks\": [");
    for (uint32_t i = 0; i < tasks->tasks.count; i++) {
        printf("%s{", i > 0 ? ", " : "");
        put_row(&tasks->tasks.at[i]);
        putchar('}');
    }
    printf("]}\n");
}

static void put_services(const char *name, const char *third, uint32_t count, const task_service *at)
{
    printf(", \"%s\": [", name);
    for (uint32_t i = 0; i < count; i++) {
        printf("%s{", i > 0 ? ", " : "");
        put_pair("name", at[i].name);
        printf(", ");
        put_pair("protocol", at[i].protocol);
        if (third != NULL) {
            printf(", ");
            put_pair(third, at[i].by);
        }
        putchar('}');
    }
    putchar(']');
}

static void put_texts(const char *name, uint32_t count, const piw_text *at)
{
    printf(", \"%s\": [", name);
    for (uint32_t i = 0; i < count; i++) {
        printf("%s", i > 0 ? ", " : "");
        put_text(at[i].s);
    }
    putchar(']');
}

void json_task(const admin_TASK *task)
{
    putchar('{');
    put_row(&task->row);
    printf(", ");
    put_pair("summary", task->summary);
    put_services("serves", NULL, task->serves.count, task->serves.at);
    put_services("uses", "by", task->uses.count, task->uses.at);
    put_texts("needs", task->needs.count, task->needs.at);
    put_services("queues", "address", task->queues.count, task->queues.at);
    put_texts("messages", task->messages.count, task->messages.at);
    printf(", \"options\": [");
    for (uint32_t i = 0; i < task->options.count; i++) {
        const task_option *option = &task->options.at[i];
        printf("%s{", i > 0 ? ", " : "");
        put_pair("name", option->name);
        printf(", ");
        put_pair("value", option->value);
        printf(", ");
        put_pair("origin", option->origin);
        printf(", ");
        put_pair("help", option->help);
        putchar('}');
    }
    printf("]}\n");
}

void json_lines(const admin_LINES *lines)
{
    printf("{\"lines\": [");
    for (uint32_t i = 0; i < lines->lines.count; i++) {
        printf("%s", i > 0 ? ", " : "");
        put_text(lines->lines.at[i].s);
    }
    printf("]}\n");
}

void json_line(const char *line)
{
    printf("{\"line\": ");
    put_text(line);
    printf("}\n");
}

void json_settings(const char *list, const char *third, const admin_SETTINGS *settings)
{
    printf("{\"%s\": [", list);
    for (uint32_t i = 0; i < settings->settings.count; i++) {
        const setting *one = &settings->settings.at[i];
        printf("%s{", i > 0 ? ", " : "");
        put_pair("name", one->name);
        printf(", ");
        put_pair("value", one->value);
        printf(", ");
        put_pair(third, one->origin);
        putchar('}');
    }
    printf("]}\n");
}

void json_done(const char *text)
{
    printf("{\"done\": ");
    put_text(text);
    printf("}\n");
}
