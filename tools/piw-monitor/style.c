/* style.c — the words and colours that several parts of the screen use. */
#include "view.h"

unsigned view_level_style(model_level level)
{
    return level == LEVEL_ALARM ? CANVAS_RED | CANVAS_BOLD : level == LEVEL_WARNING ? CANVAS_YELLOW | CANVAS_BOLD : 0;
}

const char *view_state_name(model_state state)
{
    static const char *const names[STATES] = {"new", "idle", "paused", "builds", "sends", "done", "ended", "lost"};
    return names[state];
}

unsigned view_state_style(model_state state)
{
    static const unsigned styles[STATES] = {
        CANVAS_CYAN, 0, CANVAS_YELLOW, CANVAS_GREEN, CANVAS_CYAN, CANVAS_GREEN, CANVAS_DIM, CANVAS_RED | CANVAS_BOLD};
    return styles[state];
}

void view_rule(canvas *to, int row, int column, int columns, const char *title)
{
    canvas_fill(to, row, column, columns, CANVAS_DIM, 0x2500, '-');
    if (title[0] != '\0')
        canvas_print(to, row, column + 1, columns - 2, CANVAS_BOLD, " %s ", title);
}
