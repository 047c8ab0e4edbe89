/* input.h — lines of a file or of standard input, plain or gzip, in bounded memory. One thread. */
#ifndef LOGGER_INPUT_H
#define LOGGER_INPUT_H

#include "piw/err.h"

enum { INPUT_LINE_MAX = 65536 }; /* bytes: Apache takes 8,190 of a request's line and of each header */

typedef struct input input;

/* "-" is standard input, which stays open at the end. */
int input_open(input **in, const char *path, piw_err *err);
void input_close(input **in);
/* To wait for data; -1: there is some already. */
int input_fd(const input *in);
/* Read once. 1: there may be lines; 0: it has ended, and input_line gives the last; or an error with a sentence. */
int input_read(input *in, piw_err *err);
/* The next whole line without its end, borrowed until the next call; false: read more. `*text` NULL: it was longer
 * than INPUT_LINE_MAX. */
bool input_line(input *in, const char **text, size_t *len);

#endif
