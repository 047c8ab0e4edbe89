/* dialog.c — the boxes that lie on top of the screen: help, and the questions whether a command is meant. */
#include "view.h"

#include <stdio.h>

enum { BOX_MAX = 64 };

/* Draws an empty box in the middle of the screen. Returns the room inside its frame. */
static view_room draw_box(canvas *to, int rows, const char *title)
{
    int columns = to->columns - 2 < BOX_MAX ? to->columns - 2 : BOX_MAX;
    rows = rows + 2 < to->rows ? rows + 2 : to->rows;
    int row = (to->rows - rows) / 2, column = (to->columns - columns) / 2;
    for (int i = 0; i < rows; i++) {
        bool edge = i == 0 || i == rows - 1;
        canvas_fill(to, row + i, column, columns, 0, edge ? 0x2500 : L' ', edge ? '-' : ' ');
        canvas_fill(to, row + i, column, 1, 0, i == 0 ? 0x250c : edge ? 0x2514 : 0x2502, edge ? '+' : '|');
        canvas_fill(to, row + i, column + columns - 1, 1, 0,
                    i == 0 ? 0x2510
                    : edge ? 0x2518
                           : 0x2502,
                    edge ? '+' : '|');
    }
    canvas_print(to, row, column + 2, columns - 4, CANVAS_BOLD, " %s ", title);
    return (view_room){row + 1, column + 2, rows - 2, columns - 4};
}

static void draw_help(canvas *to, const ui *person)
{
    static const char *const text[] = {
        "up down pgup pgdn home end, wheel, click",
        "         choose a slave, or all of them",
        "p  r     pause the farm; let it go on",
        "s        skip: throw away what is being built",
        "k        kill: it ends when its build has ended",
        "z  w     sleep after the build; wake",
        "         s k z w act on what is chosen",
        "t        terminate the master, in order",
        "a        choose all      Ctrl+L  draw anew",
        "/        search a slave by its number, or a part of its",
        "n  N     label, ABI or board; the next, or the one before",
        "q        leave this screen; the farm goes on",
        "",
        "> builds   ^ sends    - done    . idle",
        "= paused   + new      x ended   # lost",
        "? silent for longer than it said it would be",
        "! disk or memory 90 % in use, swap 50 %,",
        "  load 8, 70 C; red: 95 %, 90 %, 16, 80 C",
        ">5m      since then, or longer",
    };
    int count = (int)PIW_COUNT(text);
    view_room room = draw_box(to, count, "Help (any key ends it)");
    int top = person->help_top < count - room.rows ? person->help_top : count - room.rows;
    for (int i = 0; i < room.rows && top + i < count; i++)
        canvas_print(to, room.row + i, room.column, room.columns, 0, "%s", text[top + i]);
    if (room.rows < count)
        canvas_print(to, room.row + room.rows, room.column, room.columns, CANVAS_DIM, " up, down: more ");
}

static void draw_confirm(canvas *to, const model *known, const ui *person)
{
    char question[512];
    const char *effect = "";
    command what = person->waiting;
    const model_slave *slave = what.all ? NULL : model_find(known, what.slave_id);
    if (what.kind == COMMAND_QUIT) {
        const master_hello *hello = known->hello != NULL ? status_HELLO_of(known->hello) : NULL;
        snprintf(question, sizeof(question), "Terminate the master%s%s?", hello != NULL ? " on " : "",
                 hello != NULL ? hello->label.s : "");
        effect = "It stops in order; its slaves wait for another.";
    } else if (what.all) {
        snprintf(question, sizeof(question), "%s all slaves?",
                 what.kind == COMMAND_KILL ? "Kill" : "Skip what is built by");
        effect =
            what.kind == COMMAND_KILL ? "Each ends when its build has ended." : "All builds under way are thrown away.";
    } else {
        snprintf(question, sizeof(question), "Kill slave %lld %s?", (long long)what.slave_id,
                 slave != NULL ? model_label(slave) : "");
        effect = "It ends when its build has ended.";
    }
    view_room room = draw_box(to, 5, "Sure?");
    canvas_print(to, room.row, room.column, room.columns, CANVAS_BOLD, "%s", question);
    canvas_print(to, room.row + 1, room.column, room.columns, 0, "%s", effect);
    canvas_print(to, room.row + 3, room.column + 2, 9, CANVAS_REVERSE | CANVAS_BOLD, " y  Yes ");
    canvas_print(to, room.row + 3, room.column + 13, 9, CANVAS_REVERSE | CANVAS_BOLD, " n  No ");
    canvas_zone_add(to, (canvas_zone){room.row + 3, room.column + 2, 1, 8, ZONE_KEY, 'y'});
    canvas_zone_add(to, (canvas_zone){room.row + 3, room.column + 13, 1, 7, ZONE_KEY, 'n'});
}

void view_dialog(canvas *to, const model *known, const ui *person)
{
    if (person->dialog == DIALOG_HELP)
        draw_help(to, person);
    else if (person->dialog == DIALOG_CONFIRM)
        draw_confirm(to, known, person);
}
