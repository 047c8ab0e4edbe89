/* ui.h — what the user has chosen and asked for. Turns keys and clicks into commands.
 *
 * It doesn't depend on the terminal: a key is a character or one of the names below. A ui belongs to one thread. */
#ifndef MONITOR_UI_H
#define MONITOR_UI_H

#include "canvas.h"
#include "model.h"
#include "search.h"

/* Keys that don't stand for a character. */
enum {
    UI_UP = 0x200000,
    UI_DOWN,
    UI_PAGE_UP,
    UI_PAGE_DOWN,
    UI_HOME,
    UI_END,
    UI_WHEEL_UP,
    UI_WHEEL_DOWN,
    UI_ENTER,
    UI_ESCAPE,
    UI_BACKSPACE,
    UI_REDRAW,
};

/* What zones of the canvas mean. */
enum {
    ZONE_KEY,   /* as if this key were pressed */
    ZONE_SLAVE, /* choose it */
    ZONE_ALL,   /* choose all */
};

typedef enum { DIALOG_NONE, DIALOG_HELP, DIALOG_CONFIRM } ui_dialog;

typedef struct ui {
    bool all;       /* all slaves are chosen; else … */
    int64_t chosen; /* … the one of this number. It may be gone: then commands are refused */
    size_t place;   /* its last index */
    size_t top;     /* the first visible line of the list; set by the view */
    int page;       /* how many lines of the list are visible; set by the view */
    ui_dialog dialog;
    command waiting; /* to be confirmed */
    int help_top;
    ui_search search;
    bool redraw, quit;
    const char *address; /* of the status queue; not ours */
} ui;

void ui_init(ui *self, const char *address);
/* The command that this key means; COMMAND_NONE: none. When it can't be given, a note says so. */
command ui_key(ui *self, model *known, int key, int64_t now_us);
command ui_click(ui *self, model *known, const canvas *screen, int row, int column, int64_t now_us);
/* The chosen slave; NULL: all are chosen, or it is gone. */
model_slave *ui_slave(const ui *self, const model *known);

#endif
