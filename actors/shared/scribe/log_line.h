/* log_line.h — what a line of a build's log tells, as slaves bring them: of pip's own log, where each line begins with its time, of what
 * pip printed, and of what slave and master add at the end. */
#ifndef LOG_LINE_H
#define LOG_LINE_H

#include "piw/base.h"

enum { LOG_LINE_ERROR = 2 /* from this weight on it is an error, and looks so */ };

/* How likely the line is what a build failed of: 0 not at all, more for what is nearer to the cause. */
int log_line_weight(piw_text line);
/* Its class on the page: "err", "warn" or "". */
const char *log_line_style(piw_text line);
/* Take colours and the like, which are for terminals, out of a text, within it: its length then. */
uint32_t log_line_plain(char *text, uint32_t len);

#endif
