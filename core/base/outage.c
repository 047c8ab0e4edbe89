/* outage.c — an outage is said once, then now and then, and that it is over. */
#include "piw/log.h"

#include <stdarg.h>
#include <stdio.h>

enum { AGAIN_S = 600, FIRST_PER_MINUTE = 6, TEXT_MAX = 1000 };

static const int64_t ns_a_second = 1000000000, ns_a_ms = 1000000;

/* "40 seconds", "12 minutes", "5 hours": one unit is enough to know whether to get up. */
static void print_time(int64_t seconds, char *to, size_t size)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    size_t i = 0;
    while (i + 1 < PIW_COUNT(units) && seconds < 2 * units[i].seconds)
        i++;
    int64_t count = seconds / units[i].seconds;
    snprintf(to, size, "%lld %s%s", (long long)count, units[i].name, count == 1 ? "" : "s");
}

/* The cause may be a library's, with lines of its own. */
PIW_PRINTF(2, 0)
static void print_text(char *to, const char *fmt, va_list args)
{
    vsnprintf(to, TEXT_MAX, fmt, args);
    to[strcspn(to, "\n")] = '\0';
}

static bool may_begin(piw_outage *outage, int64_t now_ns)
{
    if (outage->minute_ns == 0 || now_ns - outage->minute_ns >= 60 * ns_a_second) {
        outage->minute_ns = now_ns;
        outage->begun = 0;
    }
    return outage->begun++ < FIRST_PER_MINUTE;
}

void piw_outage_goes_on(piw_outage *outage, piw_log_level level, int64_t after_ms, const char *fmt, ...)
{
    int64_t now_ns = piw_monotonic_ns();
    bool first = outage->said_ns == 0;
    if (outage->since_ns == 0)
        outage->since_ns = now_ns;
    if (first ? now_ns - outage->since_ns < after_ms * ns_a_ms || !may_begin(outage, now_ns)
              : now_ns - outage->said_ns < AGAIN_S * ns_a_second)
        return;
    outage->said_ns = now_ns;
    outage->level = level;
    char text[TEXT_MAX], lasts[40];
    va_list args;
    va_start(args, fmt);
    print_text(text, fmt, args);
    va_end(args);
    print_time((now_ns - outage->since_ns) / ns_a_second, lasts, sizeof(lasts));
    if (first)
        piw_log(level, "%s", text);
    else
        piw_log(level, "%s (for %s now)", text, lasts);
}

bool piw_outage_over(piw_outage *outage, const char *fmt, ...)
{
    bool told = outage->said_ns != 0;
    if (told) {
        char text[TEXT_MAX], lasted[40];
        va_list args;
        va_start(args, fmt);
        print_text(text, fmt, args);
        va_end(args);
        print_time((piw_monotonic_ns() - outage->since_ns) / ns_a_second, lasted, sizeof(lasted));
        piw_log(outage->level, "%s, after %s", text, lasted);
    }
    piw_outage_forget(outage);
    return told;
}

void piw_outage_forget(piw_outage *outage)
{
    outage->since_ns = outage->said_ns = 0;
}
