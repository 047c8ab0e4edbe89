/* conditions.c — conditional requests and ranges of a file. */
#include "conditions.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Not by the C library, which writes and reads names in the language of the process. */
const char *web_date_print(time_t when, char *to)
{
    struct tm tm = {0};
    gmtime_r(&when, &tm); /* a file's time has a year of four digits */
    snprintf(to, WEB_DATE_SIZE, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[tm.tm_wday % 7], (unsigned)tm.tm_mday % 100,
             months[tm.tm_mon % 12], (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
             (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
    return to;
}

/* A year of two digits is the latest one that isn't more than 50 years ahead (RFC 9110 5.6.7). */
static int whole_year(int year)
{
    time_t now = time(NULL);
    struct tm tm = {0};
    gmtime_r(&now, &tm);
    int this_year = tm.tm_year + 1900, whole = this_year - this_year % 100 + year;
    return whole > this_year + 50 ? whole - 100 : whole;
}

/* Fields of a date in the form of today, or in one of the obsolete ones, of RFC 850 and of C's asctime, which are to be understood
 * too. The day of the week says nothing. */
static bool read_fields(const char *text, struct tm *tm, char month[4])
{
    int end = 0;
    if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &tm->tm_mday, month, &tm->tm_year,
               &tm->tm_hour, &tm->tm_min, &tm->tm_sec, &end) == 6 &&
        end > 0)
        return text[end] == '\0';
    if (sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month, &tm->tm_mday, &tm->tm_hour, &tm->tm_min,
               &tm->tm_sec, &tm->tm_year, &end) == 6 &&
        end > 0)
        return text[end] == '\0';
    if (sscanf(text, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &tm->tm_mday, month, &tm->tm_year,
               &tm->tm_hour, &tm->tm_min, &tm->tm_sec, &end) != 6 ||
        end == 0 || text[end] != '\0' || tm->tm_year < 0)
        return false;
    tm->tm_year = whole_year(tm->tm_year);
    return true;
}

bool web_date_read(const char *text, time_t *when)
{
    struct tm tm = {0};
    char month[4] = "";
    if (!read_fields(text, &tm, month))
        return false;
    while (tm.tm_mon < 12 && strcmp(months[tm.tm_mon], month) != 0)
        tm.tm_mon++;
    if (tm.tm_mon == 12 || tm.tm_year < 1970 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
        tm.tm_min > 59 || tm.tm_sec > 60 || tm.tm_hour < 0 || tm.tm_min < 0 || tm.tm_sec < 0)
        return false;
    tm.tm_year -= 1900;
    *when = timegm(&tm);
    return true;
}

/* Is the tag in a list of them, or the list "*"? A weak one is another name of a strong one only where `weak` allows it. */
static bool listed(const char *list, const char *etag, bool weak)
{
    size_t len = strlen(etag);
    for (const char *at = list; *at != '\0';) {
        while (*at == ' ' || *at == '\t' || *at == ',')
            at++;
        if (*at == '*')
            return true;
        bool is_weak = at[0] == 'W' && at[1] == '/';
        at += is_weak ? 2 : 0;
        if (*at != '"')
            return false;
        const char *end = strchr(at + 1, '"');
        if (end == NULL)
            return false;
        if ((weak || !is_weak) && (size_t)(end + 1 - at) == len && memcmp(at, etag, len) == 0)
            return true;
        at = end + 1;
    }
    return false;
}

/* Digits as a number that stops at the largest; NULL: there are none. */
static const char *number(const char *at, uint64_t *value)
{
    if (*at < '0' || *at > '9')
        return NULL;
    for (*value = 0; *at >= '0' && *at <= '9'; at++)
        *value = *value > (UINT64_MAX - 9) / 10 ? UINT64_MAX : *value * 10 + (uint64_t)(*at - '0');
    return at;
}

/* 200 when there is no range, several, or none that can be read; 206; 416 when it lies beyond the end. */
static unsigned read_range(const char *range, uint64_t size, uint64_t *first, uint64_t *count)
{
    static const char unit[] = "bytes=";
    if (strncasecmp(range, unit, strlen(unit)) != 0)
        return 200;
    const char *at = range + strlen(unit);
    uint64_t from = 0, to = UINT64_MAX;
    bool suffix = *at == '-';
    at = number(suffix ? at + 1 : at, &from);
    if (at != NULL && !suffix && *at == '-') {
        at++;
        if (*at != '\0' && (at = number(at, &to)) != NULL && to < from)
            return 200;
    } else if (!suffix) {
        return 200;
    }
    if (at == NULL || *at != '\0')
        return 200;
    if (size == 0 || (suffix ? from == 0 : from >= size))
        return 416;
    *first = suffix ? (from < size ? size - from : 0) : from;
    *count = (suffix || to >= size ? size : to + 1) - *first;
    return 206;
}

static bool still_the_same(const char *if_range, const web_copy *copy)
{
    time_t when;
    if (if_range[0] == '"')
        return strcmp(if_range, copy->etag) == 0;
    return web_date_read(if_range, &when) && when == copy->modified;
}

unsigned web_decide(const web_conditions *conditions, const web_copy *copy, uint64_t *first, uint64_t *count)
{
    time_t when;
    *first = 0;
    *count = copy->size;
    if (conditions->if_match != NULL) {
        if (!listed(conditions->if_match, copy->etag, false))
            return 412;
    } else if (conditions->if_unmodified_since != NULL && web_date_read(conditions->if_unmodified_since, &when) &&
               copy->modified > when) {
        return 412;
    }
    if (conditions->if_none_match != NULL) {
        if (listed(conditions->if_none_match, copy->etag, true))
            return 304;
    } else if (conditions->if_modified_since != NULL && web_date_read(conditions->if_modified_since, &when) &&
               copy->modified <= when) {
        return 304;
    }
    if (conditions->range == NULL || (conditions->if_range != NULL && !still_the_same(conditions->if_range, copy)))
        return 200;
    return read_range(conditions->range, copy->size, first, count);
}
