/* canvas.c — a screen as a grid of cells. */
#include "canvas.h"

#include "piw/codec.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_BYTES = 2048, REPLACEMENT = 0xfffd, ELLIPSIS = 0x2026 };

canvas *canvas_new(int rows, int columns, bool ascii)
{
    canvas *self = piw_zalloc(sizeof(*self));
    self->rows = rows;
    self->columns = columns;
    self->ascii = ascii;
    self->cells = piw_zalloc((size_t)rows * (size_t)columns * sizeof(*self->cells));
    for (int i = 0; i < rows * columns; i++) {
        self->cells[i].text[0] = L' ';
        self->cells[i].width = 1;
    }
    return self;
}

void canvas_free(canvas **self)
{
    if (*self == NULL)
        return;
    free((*self)->cells);
    free((*self)->zones);
    free(*self);
    *self = NULL;
}

static canvas_cell *cell_at(const canvas *self, int row, int column)
{
    bool inside = row >= 0 && row < self->rows && column >= 0 && column < self->columns;
    return inside ? &self->cells[row * self->columns + column] : NULL;
}

static void blank(canvas_cell *cell)
{
    wmemset(cell->text, 0, PIW_COUNT(cell->text));
    cell->text[0] = L' ';
    cell->width = 1;
}

/* A wide character takes two cells. When one of them is written over, the other becomes a blank. */
static void put(canvas *self, int row, int column, unsigned style, wchar_t glyph, int width)
{
    canvas_cell *cell = cell_at(self, row, column);
    if (cell == NULL || (width == 2 && cell_at(self, row, column + 1) == NULL))
        return;
    if (cell->width == 0)
        blank(cell - 1);
    canvas_cell *last = cell + width - 1;
    if (last->width == 2 && cell_at(self, row, column + width) != NULL)
        blank(last + 1);
    blank(cell);
    cell->text[0] = glyph;
    cell->width = (uint8_t)width;
    cell->style = (uint8_t)style;
    if (width == 2) {
        blank(last);
        last->width = 0;
        last->style = (uint8_t)style;
    }
}

/* --- Text from outside -------------------------------------------------------------------------------------------- */

/* Reads the next character. A byte that isn't UTF-8 becomes a replacement character. */
static wchar_t next_char(const char **s, const char *end)
{
    const unsigned char *at = (const unsigned char *)*s;
    unsigned first = *at;
    int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
    if (end - *s < more + 1 || piw_utf8_valid(*s, (size_t)more + 1) != (size_t)more + 1) {
        ++*s;
        return REPLACEMENT;
    }
    unsigned code = more == 0 ? first : first & (0x3fu >> more);
    for (int i = 1; i <= more; i++)
        code = code << 6 | (at[i] & 0x3f);
    *s += more + 1;
    return (wchar_t)code;
}

/* Characters that would act on the terminal, change the direction of the text behind them, or can't be seen. */
static bool is_escaped(wchar_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || c == 0x180e ||
           (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
           c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

/* Splits a text into glyphs with their widths. A combining mark has the width 0 and belongs to the glyph before it. */
typedef struct reader {
    const char *s, *end;
    bool ascii;
    char escape[16];
    size_t escape_at;
} reader;

static bool next_glyph(reader *self, wchar_t *glyph, int *width)
{
    *width = 1;
    if (self->escape[self->escape_at] != '\0') {
        *glyph = (wchar_t)self->escape[self->escape_at++];
        return true;
    }
    if (self->s >= self->end)
        return false;
    wchar_t c = next_char(&self->s, self->end);
    if (is_escaped(c)) {
        snprintf(self->escape, sizeof(self->escape), c < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)c);
        self->escape_at = 1;
        *glyph = L'\\';
        return true;
    }
    if (self->ascii && c >= 0x80) {
        *glyph = L'?';
        return true;
    }
    *width = wcwidth(c);
    *glyph = *width >= 0 && *width <= 2 ? c : REPLACEMENT;
    if (*width < 0 || *width > 2)
        *width = 1;
    return true;
}

static reader begin(const canvas *self, piw_text text)
{
    return (reader){.s = text.s, .end = text.s + text.len, .ascii = self->ascii};
}

int canvas_width(const canvas *self, piw_text text)
{
    reader read = begin(self, text);
    wchar_t glyph;
    int width, sum = 0;
    while (text.s != NULL && next_glyph(&read, &glyph, &width))
        sum += width;
    return sum;
}

static void add_mark(canvas *self, int row, int column, wchar_t mark)
{
    canvas_cell *cell = cell_at(self, row, column);
    if (cell != NULL && cell->width == 0)
        cell--;
    for (size_t i = 1; cell != NULL && i <= CANVAS_MARKS; i++)
        if (cell->text[i] == 0) {
            cell->text[i] = mark;
            return;
        }
}

int canvas_text(canvas *self, int row, int column, int width, unsigned style, piw_text text)
{
    if (text.s == NULL || width <= 0)
        return 0;
    bool cut = canvas_width(self, text) > width;
    int room = cut ? width - 1 : width, used = 0, wide;
    reader read = begin(self, text);
    wchar_t glyph;
    while (next_glyph(&read, &glyph, &wide) && used + wide <= room) {
        if (wide > 0)
            put(self, row, column + used, style, glyph, wide);
        else if (used > 0)
            add_mark(self, row, column + used - 1, glyph);
        used += wide;
    }
    if (cut)
        put(self, row, column + used++, style, self->ascii ? L'~' : ELLIPSIS, 1);
    return used;
}

int canvas_print(canvas *self, int row, int column, int width, unsigned style, const char *fmt, ...)
{
    char text[LINE_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return canvas_text(self, row, column, width, style, piw_text_of(text));
}

void canvas_right(canvas *self, int row, int column, int width, unsigned style, const char *text)
{
    int wanted = canvas_width(self, piw_text_of(text));
    int gap = wanted < width ? width - wanted : 0;
    canvas_text(self, row, column + gap, width - gap, style, piw_text_of(text));
}

/* --- Shapes ------------------------------------------------------------------------------------------------------- */

void canvas_fill(canvas *self, int row, int column, int count, unsigned style, wchar_t glyph, char ascii)
{
    for (int i = 0; i < count; i++)
        put(self, row, column + i, style, self->ascii ? (wchar_t)ascii : glyph, 1);
}

void canvas_restyle(canvas *self, int row, int column, int count, unsigned style)
{
    for (int i = 0; i < count; i++) {
        canvas_cell *cell = cell_at(self, row, column + i);
        if (cell != NULL)
            cell->style |= (uint8_t)style;
    }
}

void canvas_graph(canvas *self, int row, int column, int rows, int width, unsigned style, const float *values,
                  unsigned count, double top)
{
    static const char levels[] = " _.-=+*#@";
    for (unsigned i = 0; i < count && (int)i < width; i++) {
        double part = top > 0 && isfinite(values[i]) ? (double)values[i] / top : 0;
        /* A bar is at most seven eighths high, so that a graph doesn't touch the one above it. */
        int filled = (int)((part < 0 ? 0 : part > 1 ? 1 : part) * (8 * rows - 1) + 0.5);
        if (filled == 0)
            filled = 1; /* there was a sample: a line along the bottom */
        for (int r = 0; r < rows; r++) {
            int level = filled - 8 * (rows - 1 - r);
            level = level < 0 ? 0 : level > 8 ? 8 : level;
            if (level > 0)
                canvas_fill(self, row + r, column + width - (int)count + (int)i, 1, style, (wchar_t)(0x2580 + level),
                            levels[level]);
        }
    }
}

/* --- Clicks ------------------------------------------------------------------------------------------------------- */

void canvas_zone_add(canvas *self, canvas_zone zone)
{
    if (self->zones_count == self->zones_size) {
        self->zones_size = self->zones_size == 0 ? 64 : self->zones_size * 2;
        self->zones = piw_realloc(self->zones, self->zones_size * sizeof(*self->zones));
    }
    self->zones[self->zones_count++] = zone;
}

const canvas_zone *canvas_at(const canvas *self, int row, int column)
{
    for (size_t i = self->zones_count; i > 0; i--) {
        const canvas_zone *zone = &self->zones[i - 1];
        if (row >= zone->row && row < zone->row + zone->rows && column >= zone->column &&
            column < zone->column + zone->width)
            return zone;
    }
    return NULL;
}

/* --- Reading ------------------------------------------------------------------------------------------------------ */

static size_t add_utf8(wchar_t c, char *to)
{
    unsigned code = (unsigned)c;
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    for (size_t i = more; i > 0; i--, code >>= 6)
        to[i] = (char)(0x80 | (code & 0x3f));
    to[0] = (char)(0xff00u >> (more + 1) | code);
    return more + 1;
}

size_t canvas_line(const canvas *self, int row, char *to, size_t size)
{
    size_t len = 0, end = 0;
    for (int column = 0; column < self->columns; column++) {
        const canvas_cell *cell = cell_at(self, row, column);
        for (size_t i = 0; cell != NULL && cell->width > 0 && cell->text[i] != 0 && len + 5 < size; i++)
            len += add_utf8(cell->text[i], to + len);
        if (cell != NULL && cell->text[0] != L' ')
            end = len;
    }
    to[end] = '\0';
    return end;
}
