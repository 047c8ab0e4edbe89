/* progress.h — how far long work is: a bar on a terminal, elsewhere a line now and then. One thread.
 *
 * The bar takes the screen's last line, no more than its width, and no colours; where the terminal can't go back in a line (TERM is
 * dumb or isn't set) there are lines as in a file. What ends in less than a second shows nothing. */
#ifndef COMMON_PROGRESS_H
#define COMMON_PROGRESS_H

#include "piw/base.h"

#include <stdio.h>

/* Zero: silent. */
typedef struct tool_progress {
    FILE *to;      /* NULL: nothing is shown (--quiet, --json) */
    bool terminal; /* it shows a bar */
    bool shown;    /* the bar stands there now */
    int64_t begun_ns, next_ns;
} tool_progress;

void tool_progress_begin(tool_progress *self, FILE *to);
/* So much of `total` is done (0: nobody knows how much there is), and what it is, in words without the end of a line. Written when
 * it is time again, or `now`. */
void tool_progress_show(tool_progress *self, bool now, int64_t done, int64_t total, const char *fmt, ...)
    PIW_PRINTF(5, 6);
/* What a task says of long work begins "12 % done": 12; -1: it says something else. */
int tool_progress_percent(const char *note);
/* A bar of so many percent and a text that says so itself. On a terminal alone. */
void tool_progress_note(tool_progress *self, int percent, const char *text);
/* "[####      ] " with so many columns between the brackets; returns the length. */
size_t tool_progress_bar(double part, size_t columns, char *to, size_t size);
/* Before something else is written, and at the end: the bar goes away. */
void tool_progress_clear(tool_progress *self);

#endif
