/* escape.h — inside the core: text from outside made safe for a terminal and a log of lines. Any thread. */
#ifndef PIW__ESCAPE_H
#define PIW__ESCAPE_H

#include "piw/base.h"

/* Copy `len` bytes into `to` (at most `size` bytes with the NUL), writing control characters (C0, DEL, C1) and bytes
 * that aren't UTF-8 as \n, \t, \xHH or \u00HH. Longer text is cut and ends in "…". Returns the length written. */
size_t piw__escape(char *to, size_t size, const char *from, size_t len);

#endif
