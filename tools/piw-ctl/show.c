/* show.c — prints tables for people. Each column is as wide as its widest cell. */
#include "common/age.h"
#include "ctl.h"
#include "piw/codec.h"

#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS_MAX = 13, CELL_MAX = 400, LINE_MAX = 4100 };

typedef struct table {
    size_t columns, rows;
    bool right[COLUMNS_MAX]; /* numbers */
    size_t width[COLUMNS_MAX];
    char (*cells)[CELL_MAX];
} table;

/* The width in characters, not in bytes: a character of UTF-8 may have several. */
size_t show_width(const char *text)
{
    size_t width = 0;
    for (; *text != 0; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void put(table *made, size_t row, size_t column, const char *text)
{
    char *cell = made->cells[row * made->columns + column];
    show_clean(text != NULL ? text : "", cell, CELL_MAX);
    size_t width = show_width(cell);
    if (width > made->width[column])
        made->width[column] = width;
}

static table table_new(const char *const *heads, size_t columns, size_t rows)
{
    table made = {.columns = columns, .rows = rows + 1};
    made.cells = piw_zalloc(made.rows * columns * CELL_MAX);
    for (size_t i = 0; i < columns; i++) {
        made.right[i] = heads[i][0] == '>';
        put(&made, 0, i, heads[i] + made.right[i]);
    }
    return made;
}

static void print_row(const table *made, size_t row)
{
    for (size_t i = 0; i < made->columns; i++) {
        const char *cell = made->cells[row * made->columns + i];
        int gap = (int)(made->width[i] - show_width(cell));
        bool last = i + 1 == made->columns;
        if (made->right[i])
            printf("%*s%s%s", gap, "", cell, last ? "" : "  ");
        else
            printf("%s%*s%s", cell, last ? 0 : gap, "", last ? "" : "  ");
    }
    putchar('\n');
}

/* The length of the character at `at`. Does it act on a terminal, turn text around, or is it none? */
static size_t next_char(const char *at, bool *acts)
{
    static const char *const turning[] = {"\u061c", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a", "\u202b",
                                          "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"};
    unsigned char first = (unsigned char)at[0];
    size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    *acts = first < 0x20 || first == 0x7f || (first == 0xc2 && (unsigned char)at[1] < 0xa0);
    if (strnlen(at, len) < len || piw_utf8_valid(at, len) != len) {
        *acts = true;
        return 1;
    }
    for (size_t i = 0; !*acts && first >= 0x80 && i < PIW_COUNT(turning); i++)
        *acts = strncmp(at, turning[i], strlen(turning[i])) == 0;
    return len;
}

static char replacement(char acting)
{
    return acting == '\t' ? ' ' : '?';
}

const char *show_clean(const char *text, char *to, size_t size)
{
    size_t used = 0, len;
    bool acts;
    for (; *text != 0; text += len) {
        len = next_char(text, &acts);
        size_t takes = acts ? 1 : len;
        if (used + takes >= size)
            break;
        if (acts)
            to[used] = replacement(*text);
        else
            memcpy(to + used, text, len);
        used += takes;
    }
    to[used] = 0;
    return to;
}

void show_line(const char *text)
{
    size_t len;
    bool acts;
    for (; *text != 0; text += len) {
        len = next_char(text, &acts);
        if (acts)
            putchar(replacement(*text));
        else
            fwrite(text, len, 1, stdout);
    }
    putchar('\n');
}

const char *show_time_us(int64_t us, char *to, size_t size)
{
    if (us == 0)
        snprintf(to, size, "-");
    else if (us < 1000)
        snprintf(to, size, "%lld us", (long long)us);
    else if (us < 10000)
        snprintf(to, size, "%.1f ms", (double)us / 1000);
    else if (us < 1000000)
        snprintf(to, size, "%lld ms", (long long)us / 1000);
    else
        snprintf(to, size, "%.1f s", (double)us / 1e6);
    return to;
}

static void put_number(table *made, size_t row, size_t column, int64_t number)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld", (long long)number);
    put(made, row, column, text);
}

static void put_task(table *made, size_t row, const task_row *task)
{
    char text[32];
    put(made, row, 0, task->task.s);
    put(made, row, 1, task->state.s);
    put(made, row, 2, task->plugin.s);
    put(made, row, 3, task->version.s);
    put(made, row, 4, task->file.len > 0 ? task->file.s : "(built in)");
    put_number(made, row, 5, task->instances);
    put_number(made, row, 6, task->images);
    put_number(made, row, 7, task->restarts);
    put_number(made, row, 8, task->mailbox);
    snprintf(text, sizeof(text), "%.1f", task->rate);
    put(made, row, 9, text);
    put(made, row, 10, show_time_us(task->p50_us, text, sizeof(text)));
    put(made, row, 11, show_time_us(task->p99_us, text, sizeof(text)));
    put(made, row, 12, tool_age(task->uptime_s, text, sizeof(text)));
}

void show_tasks(const admin_TASKS *tasks)
{
    static const char *const heads[] = {"TASK",      "STATE",    "PLUGIN", "VERSION", "FILE", ">INST", ">IMAGES",
                                        ">RESTARTS", ">MAILBOX", ">MSG/S", ">P50",    ">P99", ">UP"};
    table made = table_new(heads, PIW_COUNT(heads), tasks->tasks.count);
    for (uint32_t i = 0; i < tasks->tasks.count; i++)
        put_task(&made, i + 1, &tasks->tasks.at[i]);
    print_row(&made, 0);
    for (uint32_t i = 0; i < tasks->tasks.count; i++) {
        print_row(&made, i + 1);
        if (tasks->tasks.at[i].note.len > 0) {
            printf("    ");
            show_line(tasks->tasks.at[i].note.s);
        }
    }
    free(made.cells);
}

static void show_services(const char *head, const char *between, uint32_t count, const task_service *at)
{
    for (uint32_t i = 0; i < count; i++)
        printf("%-10s %s%s%s\n", i == 0 ? head : "", at[i].name.s, at[i].by.len > 0 ? between : "", at[i].by.s);
}

static void show_row(const task_row *row)
{
    char p50[32], p99[32], pause[32], up[32], note[LINE_MAX];
    printf("%-10s %s%s%s\n", "state", row->state.s, row->note.len > 0 ? ": " : "",
           show_clean(row->note.s, note, sizeof(note)));
    printf("%-10s %s %s, %s, %lld image%s\n", "plugin", row->plugin.s, row->version.s,
           row->file.len > 0 ? row->file.s : "built in", (long long)row->images, row->images == 1 ? "" : "s");
    printf("%-10s %lld instance%s%s, up %s, %lld restarts, %lld swaps, last pause %s\n", "life",
           (long long)row->instances, row->instances == 1 ? "" : "s", row->isolated ? ", isolated" : "",
           tool_age(row->uptime_s, up, sizeof(up)), (long long)row->restarts, (long long)row->swaps,
           show_time_us(row->pause_us, pause, sizeof(pause)));
    if (row->left_behind != NULL && *row->left_behind > 0)
        printf(
            "%-10s %lld values of the state that another version left were dropped, since this one doesn't know them\n",
            "left", (long long)*row->left_behind);
    printf("%-10s %lld handled, %.1f/s, p50 %s, p99 %s, %lld slow, %lld errors\n", "work", (long long)row->handled,
           row->rate, show_time_us(row->p50_us, p50, sizeof(p50)), show_time_us(row->p99_us, p99, sizeof(p99)),
           (long long)row->slow, (long long)row->errors);
    if (row->refused != NULL && *row->refused > 0)
        printf("%-10s %lld that came from outside and were no messages\n", "refused", (long long)*row->refused);
    printf("%-10s %lld in the mailbox, %lld calls open, %lld deferred, %lld dead letters, %lld unanswered\n", "waiting",
           (long long)row->mailbox, (long long)row->calls_open, (long long)row->deferred, (long long)row->dead_letters,
           (long long)row->unanswered);
}

void show_task(const admin_TASK *task)
{
    printf("%s%s%s\n", task->row.task.s, task->summary.len > 0 ? ": " : "", task->summary.s);
    show_row(&task->row);
    show_services("serves", "", task->serves.count, task->serves.at);
    show_services("uses", " of ", task->uses.count, task->uses.at);
    for (uint32_t i = 0; i < task->needs.count; i++)
        printf("%-10s %s\n", i == 0 ? "needs" : "", task->needs.at[i].s);
    show_services("queues", " at ", task->queues.count, task->queues.at);
    for (uint32_t i = 0; i < task->messages.count; i++)
        printf("%-10s %s\n", i == 0 ? "messages" : "", task->messages.at[i].s);
    for (uint32_t i = 0; i < task->options.count; i++)
        printf("%-10s %s = %s (%s): %s\n", i == 0 ? "options" : "", task->options.at[i].name.s,
               task->options.at[i].value.s, task->options.at[i].origin.s, task->options.at[i].help.s);
}

void show_lines(const admin_LINES *lines)
{
    for (uint32_t i = 0; i < lines->lines.count; i++)
        show_line(lines->lines.at[i].s);
}

void show_settings(const admin_SETTINGS *settings)
{
    static const char *const heads[] = {"NAME", "VALUE", "FROM"};
    table made = table_new(heads, PIW_COUNT(heads), settings->settings.count);
    for (uint32_t i = 0; i < settings->settings.count; i++) {
        put(&made, i + 1, 0, settings->settings.at[i].name.s);
        put(&made, i + 1, 1, settings->settings.at[i].value.s);
        put(&made, i + 1, 2, settings->settings.at[i].origin.s);
    }
    for (size_t i = 1; i < made.rows; i++)
        print_row(&made, i);
    free(made.cells);
}
