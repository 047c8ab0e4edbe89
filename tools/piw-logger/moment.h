/* moment.h — the time of a log line: %t, or what one or several %{…}t give. Any thread. */
#ifndef LOGGER_MOMENT_H
#define LOGGER_MOMENT_H

#include "piw/err.h"

#include <time.h>

/* What a %{…}t shows. */
typedef enum { MOMENT_STRFTIME, MOMENT_SEC, MOMENT_MSEC, MOMENT_USEC, MOMENT_MSEC_FRAC, MOMENT_USEC_FRAC } moment_kind;

typedef struct moment_format {
    moment_kind kind;
    char text[128]; /* MOMENT_STRFTIME */
    bool date;      /* the day can be had from it */
} moment_format;

/* A time that is being put together; zero-initialised is empty. */
typedef struct moment {
    struct tm tm;
    bool parsed; /* tm holds something */
    bool zoned;  /* with its offset from UTC in seconds */
    long offset_s;
    bool epoch; /* us is since 1970, whole */
    int64_t us; /* else the fraction of the second */
} moment;

/* What stands between the braces of %{…}t; NULL: %t itself. PIW_EINVAL: no sense can be made of it. */
int moment_format_parse(moment_format *format, const char *text, size_t len, piw_err *err);
/* Read a part; false, with `to` changed or not: it is none of this format. */
bool moment_read(const moment_format *format, const char *text, size_t len, moment *to);
/* The time of all parts; without a zone it is local time. False: there is no such time. */
bool moment_finish(const moment *from, piw_time *time);

#endif
