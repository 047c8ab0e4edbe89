/* canvas.h — a screen as a grid of cells: what the views draw on, the terminal shows and tests read.
 *
 * Text may come from an attacker: control characters, characters that change the direction of writing and those
 * that can't be seen are shown as escapes. Text that is too long is cut. A canvas belongs to one thread. */
#ifndef MONITOR_CANVAS_H
#define MONITOR_CANVAS_H

#include "piw/err.h"

#include <wchar.h>

/* A style is a colour and any of the attributes below. What a colour says is also said by a word or sign. */
enum {
    CANVAS_RED = 1,
    CANVAS_GREEN,
    CANVAS_YELLOW,
    CANVAS_BLUE,
    CANVAS_MAGENTA,
    CANVAS_CYAN,
    CANVAS_COLOURS = 7, /* mask */
    CANVAS_BOLD = 8,
    CANVAS_DIM = 16,
    CANVAS_REVERSE = 32,
};

enum { CANVAS_MARKS = 2 /* combining characters that one cell shows; more are left out */ };

typedef struct canvas_cell {
    wchar_t text[1 + CANVAS_MARKS + 1];
    uint8_t width; /* 1, or 2 for a wide character; 0: the second half of one */
    uint8_t style;
} canvas_cell;

/* An area that can be clicked on. The views and ui.c give `action` and `arg` their meaning. */
typedef struct canvas_zone {
    int row, column, rows, width;
    int action;
    int64_t arg;
} canvas_zone;

typedef struct canvas {
    int rows, columns;
    bool ascii; /* the terminal can show ASCII only */
    canvas_cell *cells;
    canvas_zone *zones;
    size_t zones_count, zones_size;
} canvas;

/* Makes a blank canvas of rows × columns, each at least 1. */
canvas *canvas_new(int rows, int columns, bool ascii);
void canvas_free(canvas **self);

/* Writes text into at most `width` columns and returns how many it took. What lies outside of the canvas is left
 * out. */
int canvas_text(canvas *self, int row, int column, int width, unsigned style, piw_text text);
int canvas_print(canvas *self, int row, int column, int width, unsigned style, const char *fmt, ...) PIW_PRINTF(6, 7);
/* The same, aligned to the right end of these columns. */
void canvas_right(canvas *self, int row, int column, int width, unsigned style, const char *text);
/* How many columns a text takes. */
int canvas_width(const canvas *self, piw_text text);
/* Writes a character `count` times. `ascii` takes its place where only ASCII can be shown. */
void canvas_fill(canvas *self, int row, int column, int count, unsigned style, wchar_t glyph, char ascii);
/* Adds attributes to the style of cells that were written. */
void canvas_restyle(canvas *self, int row, int column, int count, unsigned style);
/* Draws values as bars, one in each column, aligned to the right of rows × width. A value of `top` is a full bar. */
void canvas_graph(canvas *self, int row, int column, int rows, int width, unsigned style, const float *values,
                  unsigned count, double top);

void canvas_zone_add(canvas *self, canvas_zone zone);
/* The zone at this place; of several, the one that was added last; NULL: there is none. */
const canvas_zone *canvas_at(const canvas *self, int row, int column);

/* Writes a row as UTF-8 with a NUL at its end, without the blanks at the end of the row. Returns its length. */
size_t canvas_line(const canvas *self, int row, char *to, size_t size);

#endif
