/* base.h — visibility, attributes and the value types that messages are made of.
 *
 * Everything here is plain data; any thread may use it. */
#ifndef PIW_BASE_H
#define PIW_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "piw/version.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PIW_API               __attribute__((visibility("default")))
#define PIW_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define PIW_CHECKED           __attribute__((warn_unused_result))
#define PIW_COUNT(array)      (sizeof(array) / sizeof((array)[0]))

/* Text: UTF-8, counted and NUL-terminated (the NUL isn't counted). `s == NULL` is "no text" (a null `text?`, an
 * absent optional field); empty text has s = "". Who owns the bytes: the message that the text is part of. */
typedef struct piw_text {
    const char *s;
    uint32_t len;
} piw_text;

/* Bytes: counted, not terminated. */
typedef struct piw_bytes {
    const uint8_t *data;
    uint32_t len;
} piw_bytes;

/* A moment: microseconds since 1970-01-01T00:00:00 UTC, and the zone it was written in, in minutes east.
 * Range: years 1 to 9999. */
typedef struct piw_time {
    int64_t us;
    int16_t zone_min;
} piw_time;

/* A span of time, normalised: 0 <= seconds < 86400, 0 <= micros < 1000000, |days| <= 999999999. */
typedef struct piw_duration {
    int32_t days;
    int32_t seconds;
    int32_t micros;
} piw_duration;

/* A deferred request, as it may be kept in a soul's saved state (IDL type `request`). 0 is no request. */
typedef struct piw_token {
    uint64_t id;
} piw_token;

/* A literal or any NUL-terminated string as piw_text, borrowing the bytes. */
static inline piw_text piw_text_of(const char *s)
{
    return (piw_text){s, s != NULL ? (uint32_t)strlen(s) : 0};
}

static inline bool piw_text_is(piw_text a, const char *b)
{
    size_t n = strlen(b);
    return a.s != NULL && a.len == n && memcmp(a.s, b, n) == 0;
}

static inline bool piw_text_eq(piw_text a, piw_text b)
{
    return a.len == b.len && (a.s == NULL) == (b.s == NULL) && (a.s == NULL || memcmp(a.s, b.s, a.len) == 0);
}

/* Spans <-> microseconds and milliseconds. Spans beyond +-292,000 years saturate. */
PIW_API piw_duration piw_duration_from_us(int64_t us);
PIW_API int64_t piw_duration_us(piw_duration d);
/* Now: wall clock, UTC (for what is stored and shown). */
PIW_API piw_time piw_time_now(void);
/* CLOCK_MONOTONIC in nanoseconds (for every interval). */
PIW_API int64_t piw_monotonic_ns(void);
/* 64 bits that nobody can guess. Who plays a recording of a task gives it again what it read by these three functions. */
PIW_API uint64_t piw_random(void);

#ifdef __cplusplus
}
#endif

#endif
