/* format.h — writes figures as short text, and compares names as people sort them. */
#ifndef MONITOR_FORMAT_H
#define MONITOR_FORMAT_H

#include "common/age.h"
#include "piw/base.h"

enum { FORMAT_MAX = 32 };

/* Each writes to `to`, which has FORMAT_MAX bytes, and returns it. */
/* "5s", "2m14s", "3h12m", "4d05h", "812d": at most 6 characters. */
static inline const char *format_age(int64_t us, char *to)
{
    return tool_age(us / 1000000, to, FORMAT_MAX);
}
/* "742", "12.3k", "1.2M": at most 5 characters, a minus apart. */
const char *format_count(int64_t n, char *to);
/* Bytes: "742", "1.2K", "78G": at most 5 characters. */
const char *format_size(int64_t bytes, char *to);
/* Appends to the text in `to`, as much as fits `size`. */
void format_add(char *to, size_t size, const char *fmt, ...) PIW_PRINTF(3, 4);
/* As strcmp, but numbers inside of the names are compared by their values: pi-9 comes before pi-11. */
int format_order(const char *a, const char *b);

#endif
