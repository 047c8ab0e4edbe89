/* format.c — writes figures as short text, and compares names as people sort them. */
#include "format.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

static const char *scale(double n, double step, const char *units, char *to)
{
    const char *unit = units;
    double size = n < 0 ? -n : n;
    while (size >= 999.5 && unit[1] != '\0') {
        size /= step;
        unit++;
    }
    const char *sign = n < 0 ? "-" : "";
    int decimals = *unit == ' ' || size >= 99.95 ? 0 : 1;
    if (*unit == ' ')
        snprintf(to, FORMAT_MAX, "%s%.0f", sign, size);
    else
        snprintf(to, FORMAT_MAX, "%s%.*f%c", sign, decimals, size, *unit);
    return to;
}

const char *format_count(int64_t n, char *to)
{
    if (n > -10000 && n < 10000)
        snprintf(to, FORMAT_MAX, "%lld", (long long)n);
    else
        scale((double)n, 1000, " kMGTPE", to);
    return to;
}

const char *format_size(int64_t bytes, char *to)
{
    return scale((double)bytes, 1024, " KMGTPE", to);
}

void format_add(char *to, size_t size, const char *fmt, ...)
{
    size_t len = strlen(to);
    va_list args;
    va_start(args, fmt);
    vsnprintf(to + len, size - len, fmt, args);
    va_end(args);
}

int format_order(const char *a, const char *b)
{
    while (*a != '\0' && *b != '\0') {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            while (*a == '0' && isdigit((unsigned char)a[1]))
                a++;
            while (*b == '0' && isdigit((unsigned char)b[1]))
                b++;
            size_t na = strspn(a, "0123456789"), nb = strspn(b, "0123456789");
            int less = na != nb ? (na < nb ? -1 : 1) : strncmp(a, b, na);
            if (less != 0)
                return less;
            a += na;
            b += nb;
        } else if (*a != *b) {
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        } else {
            a++;
            b++;
        }
    }
    return (*a != '\0') - (*b != '\0');
}
