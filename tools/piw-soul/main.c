/* piw-soul — holds the soul of one task with isolate = process. piw-master starts it; it is of no use by hand. */
#include "runtime/soul_process.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *only = argc == 2 ? argv[1] : "";
    if (strcmp(only, "-h") == 0 || strcmp(only, "--help") == 0) {
        puts("usage: piw-soul\n\nHolds a task with isolate = process. piw-master starts it, nobody else does.");
        return 0;
    }
    if (strcmp(only, "--version") == 0) {
        puts("piw-soul " PIW_VERSION);
        return 0;
    }
    return piw_soul_main(argc, argv);
}
