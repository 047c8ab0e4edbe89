/* moment.c — the time of a log line. */
#include "moment.h"

#include <stdio.h>
#include <stdlib.h>

/* What strptime reads in the C locale; the rest is text that can't be taken back. */
static const char conversions[] = "aAbBhdeDFHIjmMpRSTyYzsnt%";
static const char with_date[] = "sFDY";

static const struct {
    const char *name;
    moment_kind kind;
} names[] = {
    {"sec", MOMENT_SEC},
    {"msec", MOMENT_MSEC},
    {"usec", MOMENT_USEC},
    {"msec_frac", MOMENT_MSEC_FRAC},
    {"usec_frac", MOMENT_USEC_FRAC},
};

static int check_conversions(moment_format *format, piw_err *err)
{
    for (const char *at = format->text; *at != '\0'; at++) {
        if (*at != '%')
            continue;
        if (*++at == '\0' || strchr(conversions, *at) == NULL)
            return piw_err_set(err, PIW_EINVAL, "the time format \"%s\" can't be read back: %%%.1s", format->text, at);
        if (strchr(with_date, *at) != NULL || (*at == 'y' && strstr(format->text, "%m") != NULL))
            format->date = true;
    }
    return 0;
}

int moment_format_parse(moment_format *format, const char *text, size_t len, piw_err *err)
{
    static const char usual[] = "[%d/%b/%Y:%H:%M:%S %z]";
    static const char *const prefixes[] = {"begin:", "end:"};
    *format = (moment_format){.kind = MOMENT_STRFTIME};
    for (size_t i = 0; text != NULL && i < PIW_COUNT(prefixes); i++) {
        size_t n = strlen(prefixes[i]);
        if (len >= n && memcmp(text, prefixes[i], n) == 0) {
            text += n;
            len -= n;
            break;
        }
    }
    if (text == NULL || len == 0) {
        text = usual;
        len = strlen(usual);
    }
    if (len >= sizeof(format->text))
        return piw_err_set(err, PIW_EINVAL, "a time format has more than %zu characters", sizeof(format->text) - 1);
    memcpy(format->text, text, len);
    for (size_t i = 0; i < PIW_COUNT(names); i++)
        if (strcmp(format->text, names[i].name) == 0) {
            format->kind = names[i].kind;
            format->date = i <= MOMENT_USEC - MOMENT_SEC;
            return 0;
        }
    return check_conversions(format, err);
}

static bool read_number(const char *text, moment_kind kind, moment *to)
{
    static const int64_t units[] = {[MOMENT_SEC] = 1000000,
                                    [MOMENT_MSEC] = 1000,
                                    [MOMENT_USEC] = 1,
                                    [MOMENT_MSEC_FRAC] = 1000,
                                    [MOMENT_USEC_FRAC] = 1};
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 17 || text[digits] != '\0')
        return false;
    int64_t number = strtoll(text, NULL, 10);
    if (kind >= MOMENT_MSEC_FRAC) {
        if (digits > 6)
            return false;
        if (!to->epoch)
            to->us = number * units[kind];
        return true;
    }
    to->epoch = true;
    return !__builtin_mul_overflow(number, units[kind], &to->us);
}

bool moment_read(const moment_format *format, const char *text, size_t len, moment *to)
{
    char copy[128];
    if (len >= sizeof(copy) || memchr(text, '\0', len) != NULL)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (format->kind != MOMENT_STRFTIME)
        return read_number(copy, format->kind, to);
    to->tm.tm_gmtoff = 0;
    const char *end = strptime(copy, format->text, &to->tm);
    if (end == NULL || *end != '\0')
        return false;
    to->parsed = true;
    if (strstr(format->text, "%z") != NULL) {
        to->zoned = true;
        to->offset_s = to->tm.tm_gmtoff;
    }
    if (strstr(format->text, "%s") != NULL) {
        /* strptime leaves local time. */
        struct tm local = to->tm;
        local.tm_isdst = -1;
        to->epoch = true;
        to->us = (int64_t)mktime(&local) * 1000000;
    }
    return true;
}

/* strptime takes the 31st of any month, and the time would be one of the next month. */
static bool day_exists(const struct tm *tm)
{
    struct tm noon = {.tm_year = tm->tm_year, .tm_mon = tm->tm_mon, .tm_mday = tm->tm_mday, .tm_hour = 12};
    return timegm(&noon) != -1 && noon.tm_mday == tm->tm_mday;
}

bool moment_finish(const moment *from, piw_time *time)
{
    static const int64_t first_us = -62135596800000000, last_us = 253402300799999999; /* the years 1 and 9999 */
    int64_t us = from->us;
    if (!from->epoch) {
        struct tm tm = from->tm;
        tm.tm_isdst = -1;
        if (!from->parsed || (tm.tm_mday > 28 && !day_exists(&tm)))
            return false;
        us += (int64_t)(from->zoned ? timegm(&tm) - from->offset_s : mktime(&tm)) * 1000000;
    }
    *time = (piw_time){.us = us};
    return us >= first_us && us <= last_us;
}
