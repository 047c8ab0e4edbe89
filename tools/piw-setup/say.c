/* say.c — what a step has done, on a line of its own. */
#include "setup.h"

#include <stdarg.h>
#include <stdio.h>

void setup_say(const char *what, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    printf("%-11s ", what);
    vprintf(fmt, args);
    putchar('\n');
    fflush(stdout);
    va_end(args);
}
