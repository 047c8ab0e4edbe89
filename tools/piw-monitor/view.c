/* view.c — lays out the screen of a monitor, at any size. */
#include "view.h"

#include "format.h"

#include <stdio.h>

enum {
    ROWS_MIN = 5,
    COLUMNS_MIN = 24,
    PANE_FROM = 22,      /* with so many rows the chosen slave has a pane of its own */
    PANE_ROWS = 6,       /* of that pane: its title, two lines of text, three rows of figures */
    WIDE_FROM = 56,      /* with so many columns figures stand side by side */
    PANES_COLUMNS = 120, /* with so many columns … */
    PANES_ROWS = 30,     /* … and rows there are panes beside and below the list */
    SIDE_MAX = 90,
    SILENT_US = 45 * 1000000, /* longer than a master should be silent, which sends STATS every 10 s */
};

/* --- The first line ----------------------------------------------------------------------------------------------- */

/* The master doesn't say that the farm is paused: what slaves are told shows it. A slave may also have been paused
 * alone, and so may those that were paused before a build was given out to another. */
static bool all_paused(const model *known)
{
    size_t paused = 0, living = 0;
    int64_t last_us = INT64_MIN;
    for (size_t i = 0; i < known->count; i++) {
        const model_slave *slave = known->slaves[i];
        if (slave->state == STATE_NEW || slave->state == STATE_IDLE)
            return false;
        living += slave->state < STATE_STOPPED;
        if (slave->state != STATE_PAUSED)
            continue;
        paused++;
        last_us = slave->since_us > last_us ? slave->since_us : last_us;
    }
    bool told = known->pause == PAUSE_TOLD || paused == living || paused > 1;
    return paused > 0 && told && last_us >= known->going_us && known->pause != PAUSE_OVER;
}

static void title_right(const model *known, const ui *person, int64_t now_us, char *to, size_t size)
{
    char age[FORMAT_MAX];
    if (!known->online && known->hello == NULL)
        snprintf(to, size, "no master at %.100s yet ", person->address);
    else if (!known->online)
        snprintf(to, size, "the master has gone ");
    else if (known->hello == NULL)
        snprintf(to, size, "waiting for the master ");
    else if (now_us - known->heard_us > SILENT_US)
        snprintf(to, size, "silent for %s ", format_age(now_us - known->heard_us, age));
    else
        snprintf(to, size, "%s%zu slave%s ",
                 all_paused(known)                                           ? "paused, "
                 : known->pause == PAUSE_ASKED || known->pause == PAUSE_TOLD ? "pausing, "
                                                                             : "",
                 known->count, known->count == 1 ? "" : "s");
}

/* A long host name is cut, so that there is room for what follows it. */
static void title_left(canvas *to, const model *known, int room, int64_t now_us)
{
    char age[FORMAT_MAX];
    unsigned style = CANVAS_REVERSE | CANVAS_BOLD;
    const master_hello *hello = known->hello != NULL ? status_HELLO_of(known->hello) : NULL;
    if (hello == NULL) {
        canvas_print(to, 0, 0, room, style, " piwheels");
        return;
    }
    int used = 1 + canvas_text(to, 0, 1, room / 2, style, hello->label);
    canvas_print(to, 0, used, room - used, style, ", up %s, %s %s",
                 format_age(model_ago(known, hello->started.us, now_us), age), hello->os_name.s, hello->os_version.s);
}

static void draw_title(canvas *to, const model *known, const ui *person, int64_t now_us)
{
    char right[160];
    title_right(known, person, now_us, right, sizeof(right));
    bool well = known->online && known->hello != NULL;
    canvas_fill(to, 0, 0, to->columns, CANVAS_REVERSE, L' ', ' ');
    int width = canvas_width(to, piw_text_of(right)), room = to->columns - width - 1;
    title_left(to, known, room, now_us);
    canvas_right(to, 0, room > 0 ? room : 0, to->columns - (room > 0 ? room : 0),
                 CANVAS_REVERSE | CANVAS_BOLD | (well ? 0 : CANVAS_RED), right);
}

/* --- The last lines ----------------------------------------------------------------------------------------------- */

static void draw_notes(canvas *to, const model *known, int row, int rows, int64_t now_us)
{
    char age[FORMAT_MAX];
    for (int i = 0; i < rows; i++) {
        const model_note *note = model_note_at(known, (unsigned)i);
        if (note == NULL)
            return;
        canvas_print(to, row + i, 1, 6, CANVAS_DIM, "%6s", format_age(now_us - note->at_us, age));
        canvas_print(to, row + i, 8, to->columns - 8, view_level_style(note->level), "%s", note->text);
    }
}

/* Shows as many keys as fit, the most important ones first. Each can be clicked on. */
static void draw_keys(canvas *to, int row)
{
    static const struct {
        char key;
        const char *name;
    } keys[] = {{'?', "Help"}, {'q', "Quit"},  {'p', "Pause"}, {'r', "Resume"},    {'s', "Skip"},
                {'k', "Kill"}, {'z', "Sleep"}, {'w', "Wake"},  {'t', "Terminate"}, {'/', "Search"}};
    int column = 0;
    for (size_t i = 0; i < PIW_COUNT(keys); i++) {
        int width = (int)strlen(keys[i].name) + 3;
        if (column + width > to->columns)
            break;
        canvas_print(to, row, column, 3, CANVAS_REVERSE | CANVAS_BOLD, " %c ", keys[i].key);
        canvas_print(to, row, column + 3, width - 3, 0, "%s", keys[i].name);
        canvas_zone_add(
            to, (canvas_zone){
                    .row = row, .column = column, .rows = 1, .width = width, .action = ZONE_KEY, .arg = keys[i].key});
        column += width + 1;
    }
}

/* What is typed after /, in place of the keys. */
static void draw_search(canvas *to, const model *known, const ui_search *what, int row)
{
    int used = canvas_print(to, row, 0, to->columns, CANVAS_BOLD, "/%s", what->text);
    canvas_fill(to, row, used, 1, CANVAS_REVERSE, L' ', '_');
    size_t count = search_count(what, known);
    canvas_print(to, row, used + 2, to->columns - used - 2, 0, "%zu slave%s; Enter jumps, Esc ends", count,
                 count == 1 ? "" : "s");
}

/* --- The whole screen --------------------------------------------------------------------------------------------- */

bool view_wide(const canvas *to)
{
    return to->columns >= PANES_COLUMNS && to->rows >= PANES_ROWS;
}

/* How many rows the master's figures get. On a large screen there are more, and the graphs are taller. */
static int master_rows(const canvas *to)
{
    int rows = to->rows;
    if (rows < 8)
        return 0;
    if (to->columns < WIDE_FROM)
        return rows < 12 ? 2 : rows < 16 ? 3 : rows < 30 ? 5 : 9;
    if (view_wide(to))
        return rows < 50 ? 6 : 11;
    return rows < 12 ? 2 : rows < 16 ? 3 : rows < 34 ? 6 : rows < 50 ? 11 : 16;
}

/* The chosen slave has a pane below the list, where there is room for it. */
static void draw_list(canvas *to, const model *known, ui *person, view_room room, bool apart, int64_t now_us)
{
    const model_slave *slave = apart ? ui_slave(person, known) : NULL;
    int pane = slave != NULL ? PANE_ROWS : 0;
    view_list(to, known, person, (view_room){room.row, room.column, room.rows - pane, room.columns}, now_us);
    if (pane > 0)
        view_slave(to, known, slave, (view_room){room.row + room.rows - pane, room.column, pane, room.columns}, now_us);
}

/* The list and, on a large screen, the panes; or the one line that says why there are none. */
static void draw_body(canvas *to, const model *known, const farm_known *farm, ui *person, view_room room,
                      int64_t now_us)
{
    bool apart = to->rows >= PANE_FROM;
    if (view_wide(to) && farm->builds_state.known) {
        int side = room.columns * 2 / 5 < SIDE_MAX ? room.columns * 2 / 5 : SIDE_MAX, log = room.rows / 3;
        int left = room.columns - side - 1;
        draw_list(to, known, person, (view_room){room.row, room.column, room.rows - log, left}, apart, now_us);
        view_side(to, known, farm, (view_room){room.row, room.column + left + 1, room.rows - log, side}, now_us);
        view_log(to, known, farm, (view_room){room.row + room.rows - log, room.column, log, room.columns}, now_us);
        return;
    }
    const char *why = farm->link.why[0] != '\0' ? farm->link.why : farm->builds_state.why;
    if (view_wide(to) && known->online && why[0] != '\0')
        canvas_print(to, room.row + --room.rows, room.column + 1, room.columns - 2, CANVAS_DIM,
                     "No builds, queues and log: %s", why);
    draw_list(to, known, person, room, apart, now_us);
}

void view_draw(canvas *to, const model *known, const farm_known *farm, ui *person, int64_t now_us)
{
    if (to->rows < ROWS_MIN || to->columns < COLUMNS_MIN) {
        canvas_print(to, 0, 0, to->columns, 0, "too small");
        return;
    }
    int rows = to->rows, figures = master_rows(to), notes = rows >= 30 ? 3 : rows >= 8 ? 1 : 0;
    const model_slave *slave = ui_slave(person, known);
    view_room top = {1, 0, figures, to->columns};
    draw_title(to, known, person, now_us);
    if (rows < PANE_FROM && slave != NULL && figures > 0)
        view_slave(to, known, slave, top, now_us);
    else
        view_master(to, known, top);
    draw_body(to, known, farm, person, (view_room){1 + figures, 0, rows - 2 - figures - notes, to->columns}, now_us);
    draw_notes(to, known, rows - 1 - notes, notes, now_us);
    if (person->search.open)
        draw_search(to, known, &person->search, rows - 1);
    else
        draw_keys(to, rows - 1);
    view_dialog(to, known, person);
}
