/* view.h — the screen for a model, at any size: view.c lays it out, figures.c draws what has a past, list.c the slaves,
 * dialog.c what lies on top; style.c has what they share.
 *
 * Drawing reads no clock and changes nothing but where the list stands (ui.top, ui.page). */
#ifndef MONITOR_VIEW_H
#define MONITOR_VIEW_H

#include "ui.h"

void view_draw(canvas *to, const model *known, ui *person, int64_t now_us);

/* --- The parts, each in its room --- */
typedef struct view_room {
    int row, column, rows, columns;
} view_room;

/* The master's figures, with graphs. */
void view_master(canvas *to, const model *known, view_room room);
/* One slave: who it is, what it does, its figures. */
void view_slave(canvas *to, const model *known, const model_slave *slave, view_room room, int64_t now_us);
/* All slaves below a line of headings. */
void view_list(canvas *to, const model *known, ui *person, view_room room, int64_t now_us);
void view_dialog(canvas *to, const model *known, const ui *person);

/* A line across, with a title in it. */
void view_rule(canvas *to, int row, int column, int columns, const char *title);
unsigned view_level_style(model_level level);
/* A state: its word, sign and colour. */
const char *view_state_name(model_state state);
unsigned view_state_style(model_state state);
/* "cp311: 9 pending" and the like: a number out of a map of the master's. */
int64_t view_lookup(const model *known, const char *abi, bool pending);

#endif
