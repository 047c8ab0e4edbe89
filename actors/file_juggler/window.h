/* window.h — how much of a file is asked for ahead, and in how large pieces, found out by measuring.
 *
 * Too little ahead leaves a far network idle; too much falls out of the processor's caches, holds memory on both sides,
 * and keeps a slow slave's line full. No size is best everywhere, nor for long: so each transfer tries its neighbours' now
 * and then, and goes where more comes, or where as much comes with less ahead. One thread. */
#ifndef FILE_JUGGLER_WINDOW_H
#define FILE_JUGGLER_WINDOW_H

#include "piw/base.h"

typedef struct window {
    uint8_t rung;     /* of the ladder in window.c */
    uint8_t home;     /* the rung that is best as far as is known; another one is being tried */
    int8_t next_try;  /* 1: upwards; -1: downwards */
    uint8_t rests;    /* epochs until the next try */
    int64_t rate;     /* bytes a second at home; 0: not measured yet */
    int64_t began_ns; /* of this epoch; 0: with the next piece */
    int64_t bytes;    /* that have come in it */
} window;

void window_init(window *w);
/* Bytes to have asked for ahead, of at most `most` (but a piece at least), and of each piece. */
int64_t window_ahead(const window *w, int64_t most);
int64_t window_piece(const window *w);
/* So much has come. */
void window_took(window *w, int64_t bytes, int64_t now_ns);
/* The transfer made no progress, on purpose or not: what was measured in this epoch is worthless. */
void window_stood(window *w);

#endif
