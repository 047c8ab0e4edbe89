/* datetime.c — moments and spans: now, arithmetic, and RFC 3339. */
#include "base/reads.h"
#include "type/wire.h"

#include <stdio.h>
#include <time.h>

enum { DAY = 86400, MILLION = 1000000 };

/* Days from 1970-01-01 to the given day of the proleptic Gregorian calendar: years are counted from March, so that the
 * leap day is the last of its year, in eras of 400 years of 146097 days. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

static bool leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* The first microsecond of year 1 and the last of year 9999, UTC. */
#define TIME_MIN (-62135596800 * MILLION)
#define TIME_MAX (253402300800 * MILLION - 1)

bool piw__time_valid(piw_time t)
{
    if (t.us < TIME_MIN || t.us > TIME_MAX || t.zone_min <= -1440 || t.zone_min >= 1440)
        return false;
    int64_t local = t.us + (int64_t)t.zone_min * 60 * MILLION;
    return local >= TIME_MIN && local <= TIME_MAX;
}

piw_time piw_time_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (piw_time){.us = piw__read(PIW__READ_DAY, (int64_t)now.tv_sec * MILLION + now.tv_nsec / 1000)};
}

size_t piw_time_format(piw_time t, char *to, size_t size)
{
    if (size > 0)
        to[0] = '\0';
    if (!piw__time_valid(t))
        return 0;
    int64_t local = t.us + (int64_t)t.zone_min * 60 * MILLION;
    int64_t seconds = local / MILLION, micros = local % MILLION;
    if (micros < 0) {
        micros += MILLION;
        seconds--;
    }
    int64_t days = seconds / DAY, of_day = seconds % DAY;
    if (of_day < 0) {
        of_day += DAY;
        days--;
    }
    int year, month, day;
    date_of(days, &year, &month, &day);
    char text[64], zone[16] = "Z", fraction[16] = "";
    if (micros != 0)
        snprintf(fraction, sizeof(fraction), ".%06d", (int)micros);
    if (t.zone_min != 0) {
        int off = t.zone_min < 0 ? -t.zone_min : t.zone_min;
        snprintf(zone, sizeof(zone), "%c%02d:%02d", t.zone_min < 0 ? '-' : '+', off / 60, off % 60);
    }
    int n = snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d%s%s", year, month, day, (int)(of_day / 3600),
                     (int)(of_day / 60 % 60), (int)(of_day % 60), fraction, zone);
    if ((size_t)n >= size)
        return 0;
    memcpy(to, text, (size_t)n + 1);
    return (size_t)n;
}

typedef struct scan {
    const char *at, *end;
} scan;

static bool digits(scan *s, int count, int *value)
{
    *value = 0;
    for (int i = 0; i < count; i++, s->at++) {
        if (s->at == s->end || *s->at < '0' || *s->at > '9')
            return false;
        *value = *value * 10 + (*s->at - '0');
    }
    return true;
}

static bool one(scan *s, char c)
{
    if (s->at == s->end || (*s->at | 0x20) != (c | 0x20))
        return false;
    s->at++;
    return true;
}

/* Microseconds of ".123456789": further digits are cut off. */
static bool fraction(scan *s, int *micros)
{
    *micros = 0;
    if (s->at == s->end || *s->at != '.')
        return true;
    s->at++;
    int seen = 0;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++, seen++)
        if (seen < 6)
            *micros = *micros * 10 + (*s->at - '0');
    for (int i = seen; i < 6; i++)
        *micros *= 10;
    return seen > 0;
}

static bool zone(scan *s, int *minutes)
{
    *minutes = 0;
    if (one(s, 'Z'))
        return true;
    if (s->at == s->end || (*s->at != '+' && *s->at != '-'))
        return false;
    bool west = *s->at++ == '-';
    int hour, minute;
    if (!digits(s, 2, &hour) || s->at == s->end || *s->at++ != ':' || !digits(s, 2, &minute) || hour > 23 ||
        minute > 59)
        return false;
    *minutes = (hour * 60 + minute) * (west ? -1 : 1);
    return true;
}

int piw_time_parse(const char *text, size_t len, piw_time *t)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    scan s = {text, text + len};
    int year, month, day, hour, minute, second, micros, minutes;
    if (!digits(&s, 4, &year) || !one(&s, '-') || !digits(&s, 2, &month) || !one(&s, '-') || !digits(&s, 2, &day) ||
        !one(&s, 'T') || !digits(&s, 2, &hour) || !one(&s, ':') || !digits(&s, 2, &minute) || !one(&s, ':') ||
        !digits(&s, 2, &second) || !fraction(&s, &micros) || !zone(&s, &minutes) || s.at != s.end)
        return PIW_EINVAL;
    if (year < 1 || month < 1 || month > 12 || day < 1 ||
        day > lengths[month - 1] + (month == 2 && leap(year) ? 1 : 0) || hour > 23 || minute > 59 || second > 59)
        return PIW_EINVAL;
    int64_t local = days_of(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    piw_time made = {.us = (local - (int64_t)minutes * 60) * MILLION + micros, .zone_min = (int16_t)minutes};
    if (!piw__time_valid(made))
        return PIW_EINVAL;
    *t = made;
    return 0;
}

bool piw__duration_valid(piw_duration d)
{
    return d.days >= -PIW__DAYS_MAX && d.days <= PIW__DAYS_MAX && d.seconds >= 0 && d.seconds < DAY && d.micros >= 0 &&
           d.micros < MILLION;
}

bool piw__duration_normal(int64_t days, int64_t seconds, int64_t micros, piw_duration *d)
{
    /* No valid duration has larger parts, and within these bounds no sum below overflows. */
    const int64_t far = (int64_t)1 << 53;
    if (days < -far || days > far || seconds < -far || seconds > far || micros < -far || micros > far)
        return false;
    int64_t carry = micros / MILLION - (micros % MILLION < 0);
    micros -= carry * MILLION;
    seconds += carry;
    carry = seconds / DAY - (seconds % DAY < 0);
    seconds -= carry * DAY;
    days += carry;
    if (days < -PIW__DAYS_MAX || days > PIW__DAYS_MAX)
        return false;
    *d = (piw_duration){(int32_t)days, (int32_t)seconds, (int32_t)micros};
    return true;
}

piw_duration piw_duration_from_us(int64_t us)
{
    int64_t micros = us % MILLION, seconds = us / MILLION - (micros < 0);
    int64_t days = seconds / DAY - (seconds % DAY < 0);
    return (piw_duration){(int32_t)days, (int32_t)(seconds - days * DAY),
                          (int32_t)(micros < 0 ? micros + MILLION : micros)};
}

int64_t piw_duration_us(piw_duration d)
{
    /* Seconds and microseconds with one sign: then nothing overflows on the way that doesn't in the end. */
    int64_t seconds = (int64_t)d.days * DAY + d.seconds, micros = d.micros, us;
    if (seconds < 0 && micros > 0) {
        seconds++;
        micros -= MILLION;
    }
    if (__builtin_mul_overflow(seconds, (int64_t)MILLION, &us) || __builtin_add_overflow(us, micros, &us))
        return seconds < 0 ? INT64_MIN : INT64_MAX;
    return us;
}
