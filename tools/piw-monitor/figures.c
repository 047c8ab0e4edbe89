/* figures.c — draws the figures of the master and of a slave, each with its name, value and a graph of its past
 * values. */
#include "format.h"
#include "shared/board.h"
#include "view.h"

#include <stdio.h>

enum {
    NAME_COLUMNS = 9,
    VALUE_COLUMNS = 5,
    TAIL_COLUMNS = 11,
    TAIL_FROM = 36, /* with so many columns there is room behind the graph to say how much is free */
    GAP = 2,        /* columns between the two halves */
    WIDE_FROM = 56,
    GRAPH_MAX = 512,
    TOTALS_MAX = 256, /* bytes of the line of totals */
};

static const char *const names[FIGURES] = {"Builds/h", "Pending", "New/h", "Downl./h", "Disk",
                                           "Memory",   "Swap",    "Load",  "CPU temp"};

/* The value of a full bar: 100 for a percentage, else the largest value in the graph. */
static double top_of(model_figure figure, const float *values, unsigned count)
{
    double top = figure == FIGURE_LOAD ? 1 : figure == FIGURE_TEMPERATURE ? 90 : 4;
    if (figure >= FIGURE_DISK && figure <= FIGURE_SWAP)
        return 100;
    for (unsigned i = 0; i < count; i++)
        if ((double)values[i] > top)
            top = (double)values[i];
    return top;
}

/* Writes the present value, with a mark when it is critical, and the text behind the graph. */
static void say_machine(const model_machine *machine, model_figure figure, char *value, char *tail, size_t size)
{
    char number[FORMAT_MAX];
    double known;
    tail[0] = '\0';
    bool has = model_value(machine, figure, &known);
    const char *mark = model_level_of(machine, figure) != LEVEL_GOOD ? "!" : "";
    if (!has)
        snprintf(value, size, "-");
    else if (figure == FIGURE_LOAD)
        snprintf(value, size, known < 100 ? "%.1f%s" : "%.0f%s", known < 9999 ? known : 9999, mark);
    else if (figure == FIGURE_TEMPERATURE)
        snprintf(value, size, "%.0fC%s", known, mark);
    else
        snprintf(value, size, "%.0f%%%s", known, mark);
    int64_t available = figure == FIGURE_DISK     ? machine->disk_free
                        : figure == FIGURE_MEMORY ? machine->mem_free
                                                  : machine->swap_free;
    if (has && figure <= FIGURE_SWAP)
        snprintf(tail, size, "%s free", format_size(available < 0 ? 0 : available, number));
}

static void draw_figure(canvas *to, const history *past, model_figure figure, view_room room, const char *value,
                        const char *tail, model_level level)
{
    float values[GRAPH_MAX];
    int tail_columns = tail != NULL && room.columns >= TAIL_FROM ? TAIL_COLUMNS : 0;
    int left = NAME_COLUMNS + VALUE_COLUMNS + 1, width = room.columns - left - tail_columns;
    unsigned style = level != LEVEL_GOOD ? view_level_style(level) : figure < FIGURE_DISK ? CANVAS_CYAN : CANVAS_GREEN;
    canvas_text(to, room.row, room.column, NAME_COLUMNS, 0, piw_text_of(names[figure]));
    canvas_right(to, room.row, room.column + NAME_COLUMNS, VALUE_COLUMNS, view_level_style(level) | CANVAS_BOLD, value);
    if (tail_columns > 0)
        canvas_right(to, room.row, room.column + room.columns - tail_columns, tail_columns, CANVAS_DIM, tail);
    width = width < GRAPH_MAX ? width : GRAPH_MAX;
    unsigned count = width > 0 && strcmp(value, "-") != 0 ? history_graph(past, figure, values, (unsigned)width) : 0;
    canvas_graph(to, room.row, room.column + left, room.rows, width, style, values, count,
                 top_of(figure, values, count));
}

static void draw_machine(canvas *to, const history *past, const model_machine *machine, model_figure figure,
                         view_room room)
{
    char value[FORMAT_MAX], tail[FORMAT_MAX];
    say_machine(machine, figure, value, tail, sizeof(value));
    draw_figure(to, past, figure, room, value, tail, model_level_of(machine, figure));
}

/* --- The master --------------------------------------------------------------------------------------------------- */

static void draw_farm(canvas *to, const model *known, model_figure figure, view_room room)
{
    const master_stats *stats = model_stats(known);
    char value[FORMAT_MAX] = "-";
    int64_t now = 0;
    if (figure == FIGURE_NEW)
        now = stats != NULL ? stats->new_last_hour : 0;
    else if (figure == FIGURE_DOWNLOADS)
        now = stats != NULL ? stats->downloads_last_hour : 0;
    else
        now = view_lookup(known, NULL, figure == FIGURE_PENDING);
    if (stats != NULL)
        format_count(now, value);
    draw_figure(to, &known->past, figure, room, value, NULL, LEVEL_GOOD);
}

int64_t view_lookup(const model *known, const char *abi, bool pending)
{
    const master_stats *stats = model_stats(known);
    int64_t sum = 0;
    if (stats == NULL)
        return 0;
    uint32_t count = pending ? stats->builds_pending.count : stats->builds_last_hour.count;
    for (uint32_t i = 0; i < count; i++) {
        piw_text key = pending ? stats->builds_pending.at[i].key : stats->builds_last_hour.at[i].key;
        int64_t value = pending ? stats->builds_pending.at[i].value : stats->builds_last_hour.at[i].value;
        if ((abi == NULL || piw_text_is(key, abi)) && value > 0 && __builtin_add_overflow(sum, value, &sum))
            return INT64_MAX;
    }
    return sum;
}

/* The line of totals, which have no graph. It has a shorter form for when the longer one doesn't fit. */
static void draw_totals(canvas *to, const model *known, view_room room)
{
    const master_stats *stats = model_stats(known);
    char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX], d[FORMAT_MAX], e[FORMAT_MAX], f[FORMAT_MAX];
    if (stats == NULL)
        return;
    format_count(stats->packages_built, a);
    format_count(stats->files_count, b);
    format_size(stats->builds_size, c);
    format_age(piw_duration_us(stats->builds_time), d);
    format_count(stats->downloads_last_month, e);
    format_count(stats->downloads_all, f);
    char text[TOTALS_MAX];
    snprintf(text, sizeof(text), "%s packages, %s files, %sB, built in %s; downloads: %s a month, %s in all", a, b, c,
             d, e, f);
    if (canvas_width(to, piw_text_of(text)) > room.columns)
        snprintf(text, sizeof(text), "%s packages, %s files, %sB, %s; %s downloads/month, %s ever", a, b, c, d, e, f);
    canvas_text(to, room.row, room.column, room.columns, 0, piw_text_of(text));
}

static void draw_one(canvas *to, const model *known, model_figure figure, view_room room)
{
    if (figure < FIGURE_DISK)
        draw_farm(to, known, figure, room);
    else
        draw_machine(to, &known->past, &known->machine, figure, room);
}

static void master_narrow(canvas *to, const model *known, view_room room)
{
    static const model_figure wanted[] = {FIGURE_BUILDS, FIGURE_PENDING,     FIGURE_DISK, FIGURE_MEMORY,   FIGURE_LOAD,
                                          FIGURE_SWAP,   FIGURE_TEMPERATURE, FIGURE_NEW,  FIGURE_DOWNLOADS};
    for (int i = 0; i < room.rows && i < (int)PIW_COUNT(wanted); i++)
        draw_one(to, known, wanted[i], (view_room){room.row + i, room.column, 1, room.columns});
}

void view_master(canvas *to, const model *known, view_room room)
{
    static const model_figure left[] = {FIGURE_BUILDS, FIGURE_PENDING, FIGURE_NEW, FIGURE_DOWNLOADS};
    static const model_figure right[] = {FIGURE_DISK, FIGURE_MEMORY, FIGURE_LOAD, FIGURE_TEMPERATURE, FIGURE_SWAP};
    room.column++;
    room.columns -= 2;
    if (room.columns + 2 < WIDE_FROM) {
        master_narrow(to, known, room);
        return;
    }
    int half = (room.columns - GAP) / 2, other = room.column + half + GAP;
    int tall = room.rows > (int)PIW_COUNT(right) ? (room.rows - 1) / (int)PIW_COUNT(right) : 1;
    for (int i = 0; i < (int)PIW_COUNT(left) && (i + 1) * tall <= room.rows; i++)
        draw_one(to, known, left[i], (view_room){room.row + i * tall, room.column, tall, half});
    for (int i = 0; i < (int)PIW_COUNT(right) && (i + 1) * tall <= room.rows; i++)
        draw_one(to, known, right[i], (view_room){room.row + i * tall, other, tall, room.columns - half - GAP});
    if (room.rows > (int)PIW_COUNT(right))
        draw_totals(to, known, (view_room){room.row + room.rows - 1, room.column, 1, room.columns});
}

/* --- A slave ------------------------------------------------------------------------------------------------------ */

/* Says in a sentence what the slave does. */
static void say_doing(const model *known, const model_slave *slave, int64_t now_us, char *to, size_t size)
{
    char age[FORMAT_MAX];
    const slave_BUILD *build = slave->build != NULL ? slave_BUILD_of(slave->build) : NULL;
    bool works = slave->state == STATE_BUILDING || slave->state == STATE_SENDING || slave->state == STATE_DONE;
    snprintf(to, size, "%s", view_state_name(slave->state));
    if (works && build != NULL)
        format_add(to, size, " %s %s", build->package.s, build->version.s);
    format_add(to, size, " since %s%s", slave->since_at_least ? "more than " : "",
               format_age(model_ago(known, slave->since_us, now_us), age));
    if (slave->asked != COMMAND_NONE)
        format_add(to, size, ", %s was asked for", model_command_name(slave->asked));
    if (slave->state == STATE_SENDING && slave->send != NULL)
        format_add(to, size, ": %s", slave_SEND_of(slave->send)->filename.s);
}

static void say_who(const model_slave *slave, int64_t now_us, char *to, size_t size)
{
    enum { SKEW_US = 30 * 1000000 };
    char text[FORMAT_MAX];
    const slave_hello *hello = model_hello(slave);
    snprintf(to, size, "heard %s ago", format_age(now_us - slave->heard_us, text));
    if (slave->skew_us > SKEW_US || slave->skew_us < -SKEW_US)
        format_add(to, size, ", clock %s %s", format_age(slave->skew_us < 0 ? -slave->skew_us : slave->skew_us, text),
                   slave->skew_us < 0 ? "behind!" : "ahead!");
    if (hello == NULL)
        return;
    char board[PIW_BOARD_NAME];
    if (piw_board_name(hello->board_revision.s, board))
        format_add(to, size, "; %s (%s)", board, hello->board_revision.s);
    else
        format_add(to, size, "; board %s", hello->board_revision.s);
    format_add(to, size, ", %s %s", hello->os_name.s, hello->os_version.s);
}

/* Says what the slave is called, what it builds for, and how long a build may take. */
static void say_title(const model *known, const model_slave *slave, char *to, size_t size)
{
    char text[FORMAT_MAX];
    const slave_hello *hello = model_hello(slave);
    snprintf(to, size, "Slave %lld %s, %s on %s", (long long)slave->id, model_label(slave), model_abi(slave),
             hello != NULL ? hello->platform.s : "?");
    if (slave->queue != NULL)
        format_add(to, size, slave->queue[0] != '\0' ? ", view %s" : ", fits no view",
                   model_queue_name(known, slave->queue));
    if (hello != NULL)
        format_add(to, size, ", build limit %s", format_age(piw_duration_us(hello->build_timeout), text));
}

void view_slave(canvas *to, const model *known, const model_slave *slave, view_room room, int64_t now_us)
{
    static const model_figure wanted[] = {FIGURE_DISK, FIGURE_LOAD, FIGURE_MEMORY, FIGURE_TEMPERATURE, FIGURE_SWAP};
    char text[2048];
    say_title(known, slave, text, sizeof(text));
    view_rule(to, room.row, room.column, room.columns, text);
    room.column++;
    room.columns -= 2;
    say_doing(known, slave, now_us, text, sizeof(text));
    if (room.rows > 1)
        canvas_print(to, room.row + 1, room.column, room.columns, view_state_style(slave->state), "%s", text);
    say_who(slave, now_us, text, sizeof(text));
    if (room.rows > 2)
        canvas_print(to, room.row + 2, room.column, room.columns, 0, "%s", text);
    int across = room.columns + 2 < WIDE_FROM ? 1 : 2, half = across == 1 ? room.columns : (room.columns - GAP) / 2;
    for (int i = 0; i < (int)PIW_COUNT(wanted) && 3 + i / across < room.rows; i++) {
        view_room cell = {room.row + 3 + i / across, room.column + i % across * (half + GAP), 1, half};
        draw_machine(to, &slave->past, &slave->machine, wanted[i], cell);
    }
}
