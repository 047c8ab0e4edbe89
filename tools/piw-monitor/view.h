/* view.h — draws a model on a screen of any size. view.c lays out the screen, figures.c draws figures and graphs,
 * list.c the list of slaves, panes.c what is beside it, dialog.c the boxes on top of it; style.c has the words and colours that they share.
 *
 * Drawing reads no clock, and changes only how far the list is scrolled (ui.top, ui.page). */
#ifndef MONITOR_VIEW_H
#define MONITOR_VIEW_H

#include "farm.h"
#include "ui.h"

void view_draw(canvas *to, const model *known, const farm_known *farm, ui *person, int64_t now_us);
/* Is it large enough for panes beside the list? */
bool view_wide(const canvas *to);

/* --- The parts of the screen; each draws into a room --- */
typedef struct view_room {
    int row, column, rows, columns;
} view_room;

/* The master's figures and graphs. */
void view_master(canvas *to, const model *known, view_room room);
/* A slave: who it is, what it does, and its figures. */
void view_slave(canvas *to, const model *known, const model_slave *slave, view_room room, int64_t now_us);
/* The list of all slaves, with a line of column headings. */
void view_list(canvas *to, const model *known, ui *person, view_room room, int64_t now_us);
/* The panes beside and below the list. */
void view_side(canvas *to, const model *known, const farm_known *farm, view_room room, int64_t now_us);
void view_log(canvas *to, const model *known, const farm_known *farm, view_room room, int64_t now_us);
void view_dialog(canvas *to, const model *known, const ui *person);

/* A horizontal line with a title. */
void view_rule(canvas *to, int row, int column, int columns, const char *title);
unsigned view_level_style(model_level level);
/* The word, sign and colour of a state. */
const char *view_state_name(model_state state);
unsigned view_state_style(model_state state);
/* The number that a map of the master's figures has for an ABI, such as 9 pending builds of cp311. */
int64_t view_lookup(const model *known, const char *abi, bool pending);

#endif
