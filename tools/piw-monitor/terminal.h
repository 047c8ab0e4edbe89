/* terminal.h — the terminal. Only terminal.c uses curses. A program has one terminal, and uses it in one thread. */
#ifndef MONITOR_TERMINAL_H
#define MONITOR_TERMINAL_H

#include "canvas.h"

/* Takes over the terminal on standard input and output. PIW_EUSAGE: there is none, or it can't move its cursor. */
int term_open(piw_err *err);
/* Gives the terminal back as it was. May be called when it isn't open. */
void term_close(void);
/* The descriptor that is readable when term_next has something. */
int term_fd(void);
/* Looks at the terminal's size again. */
void term_resized(void);
/* A blank canvas of the terminal's size. */
canvas *term_canvas(void);
/* Shows a canvas. `anew` draws everything, not only what has changed. */
void term_show(const canvas *what, bool anew);

typedef struct term_event {
    int key;         /* a character, or a name of ui.h; 0: a click */
    int row, column; /* of the click */
} term_event;
/* The next key or click, if there is one. Doesn't wait. */
bool term_next(term_event *event);

#endif
