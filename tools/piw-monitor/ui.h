/* ui.h — what the person in front of the screen has chosen and asked for; keys and clicks become commands here.
 *
 * Knows nothing of the terminal: keys are characters, or the names below. One owner, one thread. */
#ifndef MONITOR_UI_H
#define MONITOR_UI_H

#include "canvas.h"
#include "model.h"

/* Keys that are no characters. */
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
    int64_t chosen; /* … the one of this number, which may have gone: then commands go nowhere */
    size_t place;   /* where it was last */
    size_t top;     /* the list's first line that is seen; kept by the view */
    int page;       /* lines of the list that are seen; kept by the view */
    ui_dialog dialog;
    command waiting; /* to be confirmed */
    int help_top;
    bool redraw, quit;
    const char *address; /* of the status queue, borrowed */
} ui;

void ui_init(ui *self, const char *address);
/* What is to be commanded now; COMMAND_NONE: nothing. What can't be done is said in a note. */
command ui_key(ui *self, model *known, int key, int64_t now_us);
command ui_click(ui *self, model *known, const canvas *screen, int row, int column, int64_t now_us);
/* The chosen slave; NULL: all, or it has gone. */
model_slave *ui_slave(const ui *self, const model *known);

#endif
