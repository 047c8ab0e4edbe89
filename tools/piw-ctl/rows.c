/* rows.c — tables that tasks answer with (proto/orders.piw): gathered, shown to people, written as JSON. */
#include "ctl.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static void free_list(ctl_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        free(rows->at[i]);
    free(rows->at);
    rows->at = NULL;
    rows->count = 0;
}

void rows_fini(ctl_rows *rows)
{
    free_list(rows);
    free(rows->heads);
    rows->heads = NULL;
}

int rows_take(ctl_rows *rows, const admin_LINES *lines, piw_err *err)
{
    if (lines->lines.count == 0 || (rows->heads != NULL && strcmp(rows->heads, lines->lines.at[0].s) != 0))
        return piw_err_set(err, PIW_ESHAPE, "the master answered with something else than a table");
    if (rows->heads == NULL)
        rows->heads = piw_strdup(lines->lines.at[0].s);
    rows->at = piw_realloc(rows->at, (rows->count + lines->lines.count) * sizeof(*rows->at));
    for (uint32_t i = 1; i < lines->lines.count; i++)
        rows->at[rows->count++] = piw_strdup(lines->lines.at[i].s);
    return 0;
}

void rows_clear(ctl_rows *rows)
{
    free_list(rows);
}

/* The next cell of a line, ended in place; NULL: there is none. */
static char *next_cell(char **rest)
{
    return strsep(rest, "\t");
}

int64_t rows_number(const ctl_rows *rows, size_t row)
{
    return strtoll(rows->at[row], NULL, 10);
}

/* --- For people ----------------------------------------------------------------------------------------------------- */

static void measure(ctl_widths *widths, const char *line)
{
    char *copy = piw_strdup(line), *rest = copy;
    const char *cell;
    for (size_t i = 0; i < ROWS_COLUMNS_MAX && (cell = next_cell(&rest)) != NULL; i++) {
        size_t width = show_width(cell + (cell[0] == '>'));
        widths->at[i] = width > widths->at[i] ? width : widths->at[i];
    }
    free(copy);
}

static void print_line(const ctl_widths *widths, const char *heads, const char *line, bool is_head)
{
    char *copy = piw_strdup(line), *rest = copy, *kinds = piw_strdup(heads), *kinds_rest = kinds;
    char *cell, clean[400];
    const char *kind;
    for (size_t i = 0; i < ROWS_COLUMNS_MAX && (cell = next_cell(&rest)) != NULL; i++) {
        kind = next_cell(&kinds_rest);
        bool right = kind != NULL && kind[0] == '>';
        cell += is_head && cell[0] == '>';
        for (char *at = cell; is_head && *at != '\0'; at++)
            *at = (char)toupper((unsigned char)*at);
        show_clean(cell, clean, sizeof(clean));
        int gap = (int)(widths->at[i] - show_width(clean));
        if (right)
            printf("%*s%s%s", gap, "", clean, rest != NULL ? "  " : "");
        else
            printf("%s%*s%s", clean, rest != NULL ? gap : 0, "", rest != NULL ? "  " : "");
    }
    putchar('\n');
    free(kinds);
    free(copy);
}

void rows_show(const ctl_rows *rows, size_t from, ctl_widths *widths)
{
    bool first = widths->at[0] == 0;
    measure(widths, rows->heads);
    for (size_t i = from; i < rows->count; i++)
        measure(widths, rows->at[i]);
    if (first)
        print_line(widths, rows->heads, rows->heads, true);
    for (size_t i = from; i < rows->count; i++)
        print_line(widths, rows->heads, rows->at[i], false);
}

/* --- For scripts ---------------------------------------------------------------------------------------------------- */

void rows_json(const ctl_rows *rows, size_t row, ctl_field_fn *put, void *arg)
{
    char *copy = piw_strdup(rows->at[row]), *rest = copy, *heads = piw_strdup(rows->heads), *heads_rest = heads;
    const char *cell, *head;
    while ((cell = next_cell(&rest)) != NULL && (head = next_cell(&heads_rest)) != NULL)
        put(arg, head + (head[0] == '>'), cell, head[0] == '>');
    free(heads);
    free(copy);
}
