/* utf8.h — inside the core: mending texts that aren't UTF-8. Any thread. */
#ifndef PIW__UTF8_H
#define PIW__UTF8_H

#include "piw/base.h"

/* Copy with each broken sequence replaced by U+FFFD. `to` NULL: only the length it would have (at most 3 * len). */
size_t piw__utf8_repair(const char *text, size_t len, char *to);

#endif
