/* conditions.h — conditional requests and ranges of a file (RFC 9110 13 and 14). Any thread. */
#ifndef WEB_SERVER_CONDITIONS_H
#define WEB_SERVER_CONDITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { WEB_DATE_SIZE = 32, WEB_ETAG_SIZE = 64 };

/* What a request says of the copy that its sender has; NULL: nothing. */
typedef struct web_conditions {
    const char *if_match, *if_none_match, *if_modified_since, *if_unmodified_since, *if_range, *range;
} web_conditions;

/* A file as it is now. */
typedef struct web_copy {
    const char *etag; /* strong */
    time_t modified;
    uint64_t size;
} web_copy;

/* What is answered: 200, 206 with `first` and `count`, 304, 412 or 416. One range is given; who asks for several gets all. */
unsigned web_decide(const web_conditions *conditions, const web_copy *copy, uint64_t *first, uint64_t *count);

/* "Sun, 06 Nov 1994 08:49:37 GMT". Returns `to`, which has WEB_DATE_SIZE bytes. */
const char *web_date_print(time_t when, char *to);
/* The same read, and the two obsolete forms of HTTP's dates; false: it is none of them. */
bool web_date_read(const char *text, time_t *when);

#endif
