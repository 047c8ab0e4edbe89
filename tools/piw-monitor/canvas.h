/* canvas.h — a screen as a grid of cells: what the views draw on, the terminal shows and tests read.
 *
 * All text that comes to a canvas is taken for hostile: control characters, and those that change the direction of
 * writing or can't be seen, are written as escapes; what does not fit is cut by columns. One owner, one thread. */
#ifndef MONITOR_CANVAS_H
#define MONITOR_CANVAS_H

#include "piw/err.h"

#include <wchar.h>

/* A style: one colour, and what may come with it. Colours are a help only; nothing is said by them alone. */
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

/* Something that can be clicked on. What `action` and `arg` mean, the views and ui.c know. */
typedef struct canvas_zone {
    int row, column, rows, width;
    int action;
    int64_t arg;
} canvas_zone;

typedef struct canvas {
    int rows, columns;
    bool ascii; /* the terminal shows nothing else */
    canvas_cell *cells;
    canvas_zone *zones;
    size_t zones_count, zones_size;
} canvas;

/* Blank, of rows × columns, each at least 1. */
canvas *canvas_new(int rows, int columns, bool ascii);
void canvas_free(canvas **self);

/* Put text into at most `width` columns; returns how many it takes. Places outside of the canvas are cut off. */
int canvas_text(canvas *self, int row, int column, int width, unsigned style, piw_text text);
int canvas_print(canvas *self, int row, int column, int width, unsigned style, const char *fmt, ...) PIW_PRINTF(6, 7);
/* The same at the right end of the room. */
void canvas_right(canvas *self, int row, int column, int width, unsigned style, const char *text);
/* How many columns a text takes. */
int canvas_width(const canvas *self, piw_text text);
/* One character `count` times, and what stands for it in ASCII. */
void canvas_fill(canvas *self, int row, int column, int count, unsigned style, wchar_t glyph, char ascii);
/* Add to the style of what is there. */
void canvas_restyle(canvas *self, int row, int column, int count, unsigned style);
/* Values as bars, one a column, right-aligned in rows × width; `top` fills them. */
void canvas_graph(canvas *self, int row, int column, int rows, int width, unsigned style, const float *values,
                  unsigned count, double top);

void canvas_zone_add(canvas *self, canvas_zone zone);
/* What was clicked on: the zone added last, or NULL. */
const canvas_zone *canvas_at(const canvas *self, int row, int column);

/* A row as UTF-8 without the blanks at its end, NUL-terminated; its length. */
size_t canvas_line(const canvas *self, int row, char *to, size_t size);

#endif
