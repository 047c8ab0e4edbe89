/* age.c — a span of time in two units, for people. */
#include "common/age.h"

#include <stdio.h>

const char *tool_age(int64_t seconds, char *to, size_t size)
{
    long long s = seconds < 0 ? 0 : seconds;
    if (s < 60)
        snprintf(to, size, "%llds", s);
    else if (s < 3600)
        snprintf(to, size, "%lldm%02llds", s / 60, s % 60);
    else if (s < 86400)
        snprintf(to, size, "%lldh%02lldm", s / 3600, s / 60 % 60);
    else if (s < 100ll * 86400)
        snprintf(to, size, "%lldd%02lldh", s / 86400, s / 3600 % 24);
    else
        snprintf(to, size, "%lldd", s / 86400 < 99999 ? s / 86400 : 99999);
    return to;
}
