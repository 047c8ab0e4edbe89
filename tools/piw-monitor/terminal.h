/* terminal.h — the terminal: the only place that knows of curses. One a program, one thread. */
#ifndef MONITOR_TERMINAL_H
#define MONITOR_TERMINAL_H

#include "canvas.h"

/* Take over the terminal on standard input and output. PIW_EUSAGE: there is none, or none that can place text. */
int term_open(piw_err *err);
/* Give it back as it was. Safe to call when it isn't open. */
void term_close(void);
/* Readable when there is something for term_next. */
int term_fd(void);
/* It may have another size now. */
void term_resized(void);
/* A blank canvas of its size. */
canvas *term_canvas(void);
/* Show it; `anew`: also what the terminal should show already. */
void term_show(const canvas *what, bool anew);

typedef struct term_event {
    int key;         /* a character, or a name of ui.h; 0: a click */
    int row, column; /* of the click */
} term_event;
/* The next thing the person did, if there is one. Does not wait. */
bool term_next(term_event *event);

#endif
