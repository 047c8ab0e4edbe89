/* age.h — a span of time in two units, for people. */
#ifndef COMMON_AGE_H
#define COMMON_AGE_H

#include <stddef.h>
#include <stdint.h>

/* "59s", "2m14s", "3h12m", "4d04h", "99999d" at most; what is negative is "0s". Writes to `to`, returns it. */
const char *tool_age(int64_t seconds, char *to, size_t size);

#endif
