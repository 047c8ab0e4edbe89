/* format.h — Apache's LogFormat strings, and lines split by them.
 *
 * A format is made once and read-only then. One thread. */
#ifndef LOGGER_FORMAT_H
#define LOGGER_FORMAT_H

#include "moment.h"

#include "piw/codec.h"

/* What piw-logger wants of a line; other directives are passed over. */
typedef enum {
    FIELD_OTHER,
    FIELD_HOST,        /* %h: the client's name or address */
    FIELD_ADDRESS,     /* %a: its address in any case, so it wins over %h */
    FIELD_TIME,        /* %t: one part of it */
    FIELD_REQUEST,     /* %r: the request's first line */
    FIELD_METHOD,      /* %m */
    FIELD_PATH,        /* %U: without the query */
    FIELD_STATUS,      /* %s %<s: of the request as it came */
    FIELD_LAST_STATUS, /* %>s: as it was answered; wins over %s */
    FIELD_AGENT,       /* %{User-Agent}i */
    FIELDS,
} log_field;

typedef struct log_format log_format;

/* One line's fields, their escapes resolved: any bytes. Valid until the next line is split. */
typedef struct log_line {
    piw_text fields[FIELDS]; /* null: the format has no such field; of FIELD_TIME see below */
    piw_time time;
    int status;
    piw_buffer bytes; /* what the fields point into; freed by log_line_fini */
} log_line;

/* combined, common, common_vhost, or a LogFormat string as it stands in Apache's configuration. PIW_EINVAL with a
 * sentence: not a format, or one from which time, client, request or status can't be had. */
int log_format_parse(log_format **format, const char *text, piw_err *err);
void log_format_free(log_format **format);
/* Has it a user agent? Without one no line becomes an entry. */
bool log_format_has_agent(const log_format *format);

/* Split a line. Otherwise why not, in few words. */
const char *log_format_split(const log_format *format, const char *text, size_t len, log_line *line);
void log_line_fini(log_line *line);

#endif
