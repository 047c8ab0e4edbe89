/* list.c — draws the list of slaves, grouped by their ABIs or views, with as many columns as there is room for. */
#include "format.h"
#include "shared/abi.h"
#include "view.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MARK_COLUMNS = 3,
    LABEL_MIN = 10,
    LABEL_MAX = 28,
    STATE_MIN = 19,
    SINCE_COLUMNS = 7,
    NUMBER_COLUMNS = 5,
    LONG_FROM = 66, /* columns that the longer heading of a group needs */
};

/* A line of the list is that of all slaves, the heading of a queue, or a slave. */
typedef struct line {
    const char *queue;        /* NULL, and slave NULL: the line of all slaves */
    const model_slave *slave; /* NULL: a heading */
    size_t slaves;            /* how many are in the group */
} line;

typedef struct lines {
    line *at;
    size_t count;
} lines;

/* --- The lines of the list ---------------------------------------------------------------------------------------- */

/* Are there builds waiting in this queue, and no slave that could make them? Of a view nobody knows while it isn't known which
 * slaves are of it. */
static bool is_deserted(const model *known, const char *queue)
{
    for (size_t i = 0; i < known->count; i++)
        if (strcmp(model_queue(known->slaves[i]), queue) == 0)
            return false;
    return known->views.count > 0 || piw_abi_typed(piw_text_of(queue));
}

static lines make_lines(const model *known)
{
    const master_stats *stats = model_stats(known);
    uint32_t queues = stats != NULL ? stats->builds_pending.count : 0;
    lines made = {.at = piw_zalloc((1 + 2 * known->count + queues) * sizeof(line)), .count = 1};
    made.at[0].slaves = known->count;
    line *head = NULL;
    for (size_t i = 0; i < known->count; i++) {
        const char *queue = model_queue(known->slaves[i]);
        if (head == NULL || strcmp(head->queue, queue) != 0) {
            head = &made.at[made.count++];
            head->queue = queue;
        }
        head->slaves++;
        made.at[made.count++] = (line){.queue = queue, .slave = known->slaves[i]};
    }
    for (uint32_t i = 0; i < queues; i++) {
        const char *queue = stats->builds_pending.at[i].key.s;
        if (stats->builds_pending.at[i].value > 0 && is_deserted(known, queue))
            made.at[made.count++] = (line){.queue = queue};
    }
    return made;
}

/* The index of the chosen line; `count`: none is chosen. */
static size_t find_chosen(const lines *all, const model_slave *slave, bool everyone)
{
    if (everyone)
        return 0;
    size_t i = 1;
    while (i < all->count && (slave == NULL || all->at[i].slave != slave))
        i++;
    return i;
}

/* Scrolls so that the chosen line is visible. Of the first slave of a group the heading is visible too. */
static void scroll(ui *person, const lines *all, size_t chosen)
{
    size_t page = (size_t)person->page, end = all->count > page ? all->count - page : 0;
    if (chosen < all->count) {
        size_t from = chosen > 1 && all->at[chosen - 1].slave == NULL ? chosen - 1 : chosen;
        if (from < person->top)
            person->top = from;
        if (chosen >= person->top + page)
            person->top = chosen + 1 - page;
    }
    if (person->top > end)
        person->top = end;
}

/* --- Columns ------------------------------------------------------------------------------------------------------ */

typedef struct columns {
    int label, state, since, id, numbers; /* the columns' widths; 0: the column is left out */
    bool shown[FIGURES];
} columns;

/* A slave's number is never cut: commands name slaves by their numbers. */
static int id_width(const model *known)
{
    int64_t largest = known->count > 0 ? known->by_id[known->count - 1]->id : 0;
    int width = 1;
    for (; largest > 9; largest /= 10)
        width++;
    return width < 3 ? 3 : width;
}

static columns lay_out(const model *known, int width)
{
    static const model_figure wanted[] = {FIGURE_DISK, FIGURE_MEMORY, FIGURE_LOAD, FIGURE_TEMPERATURE, FIGURE_SWAP};
    columns made = {0};
    int left = width - MARK_COLUMNS - LABEL_MIN - STATE_MIN;
    made.since = left >= SINCE_COLUMNS ? SINCE_COLUMNS : 0;
    left -= made.since;
    int id_columns = id_width(known) + 1;
    made.id = left >= id_columns ? id_columns : 0;
    left -= made.id;
    for (size_t i = 0; i < PIW_COUNT(wanted) && left >= NUMBER_COLUMNS; i++, left -= NUMBER_COLUMNS) {
        made.shown[wanted[i]] = true;
        made.numbers++;
    }
    int more = left > 0 ? left / 2 : 0;
    made.label = LABEL_MIN + (more < LABEL_MAX - LABEL_MIN ? more : LABEL_MAX - LABEL_MIN);
    made.state = width - MARK_COLUMNS - made.label - made.since - made.id - made.numbers * NUMBER_COLUMNS;
    return made;
}

static void draw_headings(canvas *to, view_room room, const columns *widths)
{
    static const char *const heads[FIGURES] = {[FIGURE_DISK] = "DISK",
                                               [FIGURE_MEMORY] = "MEM",
                                               [FIGURE_SWAP] = "SWAP",
                                               [FIGURE_LOAD] = "LOAD",
                                               [FIGURE_TEMPERATURE] = "TEMP"};
    int column = room.column + MARK_COLUMNS;
    canvas_fill(to, room.row, room.column, room.columns, CANVAS_REVERSE, L' ', ' ');
    if (widths->id > 0)
        canvas_right(to, room.row, column, widths->id - 1, CANVAS_REVERSE, "ID");
    column += widths->id;
    canvas_print(to, room.row, column, widths->label, CANVAS_REVERSE, "SLAVE");
    column += widths->label;
    canvas_print(to, room.row, column, widths->state, CANVAS_REVERSE, "STATE");
    column += widths->state;
    if (widths->since > 0)
        canvas_right(to, room.row, column, widths->since, CANVAS_REVERSE, "SINCE");
    column += widths->since;
    for (model_figure figure = FIGURE_DISK; figure < FIGURES; figure++)
        if (widths->shown[figure]) {
            canvas_right(to, room.row, column, NUMBER_COLUMNS, CANVAS_REVERSE, heads[figure]);
            column += NUMBER_COLUMNS;
        }
}

/* --- Lines -------------------------------------------------------------------------------------------------------- */

static const struct {
    wchar_t glyph;
    char ascii;
} signs[STATES] = {{L'+', '+'},   {0x00b7, '.'}, {L'=', '='}, {0x25ba, '>'},
                   {0x2191, '^'}, {L'-', '-'},   {L'x', 'x'}, {L'#', '#'}};

static void say_state(const model_slave *slave, bool silent, char *to, size_t size)
{
    const slave_BUILD *build = slave->build != NULL ? slave_BUILD_of(slave->build) : NULL;
    bool names = build != NULL && slave->state != STATE_NEW && slave->state != STATE_IDLE &&
                 slave->state != STATE_PAUSED && slave->state != STATE_STOPPED;
    snprintf(to, size, "%s%s%s%s%s%s%s%s", slave->asked != COMMAND_NONE ? model_command_name(slave->asked) : "",
             slave->asked != COMMAND_NONE ? "? " : "", silent ? "silent, " : "", view_state_name(slave->state),
             names ? " " : "", names ? build->package.s : "", names ? " " : "", names ? build->version.s : "");
}

static void draw_number(canvas *to, int row, int column, const model_slave *slave, model_figure figure, unsigned style)
{
    char text[FORMAT_MAX] = "-";
    double value;
    model_level level = model_level_of(&slave->machine, figure);
    if (model_value(&slave->machine, figure, &value))
        snprintf(text, sizeof(text), figure == FIGURE_LOAD && value < 10 ? "%.1f%s" : "%.0f%s",
                 value < 9999 ? value : 9999, level != LEVEL_GOOD ? "!" : "");
    canvas_right(to, row, column, NUMBER_COLUMNS, style | view_level_style(level), text);
}

static void draw_slave(canvas *to, const model *known, const model_slave *slave, view_room room, const columns *widths,
                       int64_t now_us)
{
    char text[1024], age[FORMAT_MAX];
    bool silent = model_silent(slave, now_us), gone = slave->forget_us != 0 && slave->state != STATE_LOST;
    unsigned base = gone ? CANVAS_DIM : 0, style = silent ? CANVAS_RED | CANVAS_BOLD : view_state_style(slave->state);
    int column = room.column + MARK_COLUMNS;
    model_level worst = model_worst(&slave->machine);
    canvas_fill(to, room.row, room.column + 1, 1, style, silent ? L'?' : signs[slave->state].glyph,
                silent ? '?' : signs[slave->state].ascii);
    if (worst != LEVEL_GOOD)
        canvas_print(to, room.row, room.column + 2, 1, view_level_style(worst), "!");
    if (widths->id > 0)
        canvas_print(to, room.row, column, widths->id, base, "%*lld", widths->id - 1, (long long)slave->id);
    column += widths->id;
    canvas_print(to, room.row, column, widths->label - 1, base, "%s", model_label(slave));
    column += widths->label;
    say_state(slave, silent, text, sizeof(text));
    canvas_print(to, room.row, column, widths->state - 1, style, "%s", text);
    column += widths->state;
    snprintf(text, sizeof(text), "%s%s", slave->since_at_least ? ">" : "",
             format_age(model_ago(known, slave->since_us, now_us), age));
    canvas_right(to, room.row, column, widths->since, base, text);
    column += widths->since;
    for (model_figure figure = FIGURE_DISK; figure < FIGURES; figure++)
        if (widths->shown[figure]) {
            draw_number(to, room.row, column, slave, figure, base);
            column += NUMBER_COLUMNS;
        }
    canvas_zone_add(to, (canvas_zone){.row = room.row,
                                      .column = room.column,
                                      .rows = 1,
                                      .width = room.columns,
                                      .action = ZONE_SLAVE,
                                      .arg = slave->id});
}

static void draw_head(canvas *to, const model *known, const line *what, view_room room)
{
    char text[512], pending[FORMAT_MAX], hour[FORMAT_MAX];
    int64_t waiting = view_lookup(known, what->queue, true);
    snprintf(text, sizeof(text),
             room.columns >= LONG_FROM ? "%s  %s pending, %s built in the last hour" : "%s  %s pending",
             model_queue_name(known, what->queue), format_count(waiting, pending),
             format_count(view_lookup(known, what->queue, false), hour));
    if (what->queue[0] == '\0')
        snprintf(text, sizeof(text), "fits no view, so no work");
    view_rule(to, room.row, room.column, room.columns, "");
    canvas_print(to, room.row, room.column + 1, room.columns - 15, CANVAS_BOLD | CANVAS_CYAN, " %s ", text);
    if (what->slaves == 0)
        canvas_right(to, room.row, room.column + room.columns - 14, 13, view_level_style(LEVEL_WARNING), " no slave! ");
    else
        canvas_print(to, room.row, room.column + room.columns - 13, 13, 0, " %zu slave%s ", what->slaves,
                     what->slaves == 1 ? "" : "s");
}

/* The line of all slaves says how many there are in each state. */
static void draw_all(canvas *to, const model *known, view_room room, int64_t now_us)
{
    size_t counts[STATES] = {0}, silent = 0;
    for (size_t i = 0; i < known->count; i++) {
        counts[known->slaves[i]->state]++;
        silent += model_silent(known->slaves[i], now_us);
    }
    static const model_state shown[] = {STATE_BUILDING, STATE_SENDING, STATE_DONE,    STATE_IDLE,
                                        STATE_PAUSED,   STATE_NEW,     STATE_STOPPED, STATE_LOST};
    static const char *const words[STATES] = {"new", "idle", "paused", "building", "sending", "done", "ended", "lost"};
    int column = room.column + MARK_COLUMNS, end = room.column + room.columns;
    column += canvas_print(to, room.row, column, end - column, CANVAS_BOLD, "all slaves");
    for (size_t i = 0; i < PIW_COUNT(shown); i++)
        if (counts[shown[i]] > 0)
            column += canvas_print(to, room.row, column, end - column, view_state_style(shown[i]), "  %zu %s",
                                   counts[shown[i]], words[shown[i]]);
    if (silent > 0)
        canvas_print(to, room.row, column, end - column, view_level_style(LEVEL_ALARM), "  %zu silent!", silent);
    canvas_zone_add(
        to,
        (canvas_zone){.row = room.row, .column = room.column, .rows = 1, .width = room.columns, .action = ZONE_ALL});
}

/* When the list doesn't fit, a bar in the last column shows which part of it is visible. */
static void draw_bar(canvas *to, const ui *person, size_t count, view_room room)
{
    size_t page = (size_t)person->page, thumb = page * page / count, from = person->top * page / count;
    canvas_fill(to, room.row, room.column + room.columns, 1, CANVAS_REVERSE, L' ', ' ');
    for (size_t i = 0; i < page; i++) {
        bool on = i >= from && i < from + (thumb > 0 ? thumb : 1);
        canvas_fill(to, room.row + 1 + (int)i, room.column + room.columns, 1, on ? 0 : CANVAS_DIM, on ? 0x2588 : 0x2502,
                    on ? '#' : '|');
    }
}

void view_list(canvas *to, const model *known, ui *person, view_room room, int64_t now_us)
{
    if (room.rows < 2)
        return;
    lines all = make_lines(known);
    person->page = room.rows - 1;
    bool whole = all.count <= (size_t)person->page;
    room.columns -= !whole;
    columns widths = lay_out(known, room.columns);
    const model_slave *slave = ui_slave(person, known);
    size_t chosen = find_chosen(&all, slave, person->all);
    if (slave != NULL)
        person->place = model_place(known, slave);
    scroll(person, &all, chosen);
    draw_headings(to, room, &widths);
    for (int i = 0; i < person->page && person->top + (size_t)i < all.count; i++) {
        const line *what = &all.at[person->top + (size_t)i];
        view_room row = {room.row + 1 + i, room.column, 1, room.columns};
        if (what->slave != NULL)
            draw_slave(to, known, what->slave, row, &widths, now_us);
        else if (what->queue != NULL)
            draw_head(to, known, what, row);
        else
            draw_all(to, known, row, now_us);
        if (person->top + (size_t)i == chosen) {
            canvas_restyle(to, row.row, row.column, row.columns, CANVAS_REVERSE);
            canvas_fill(to, row.row, row.column, 1, CANVAS_REVERSE | CANVAS_BOLD, L'>', '>');
        }
    }
    if (!whole)
        draw_bar(to, person, all.count, room);
    free(all.at);
}
