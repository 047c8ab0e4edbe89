/* process_id.c — what the kernel has given to this process. */
#include "shared/process_id.h"

#include "shared/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

enum {
    RANDOM_BYTES =
        16, /* that each program is begun with; others make their secrets of them, so they aren't shown as they are */
    STAT_START = 22, /* the field of /proc/PID/stat with the clock ticks from the machine's start to the process's */
};

static const uint64_t HASH_BEGIN = 0xcbf29ce484222325;

uint64_t piw_process_id(void)
{
    const void *random = (const void *)getauxval(AT_RANDOM);
    uint64_t hash = random == NULL ? 0 : piw_table_hash(HASH_BEGIN, random, RANDOM_BYTES);
    return hash & ((UINT64_C(1) << (4 * PIW_PROCESS_ID_DIGITS)) - 1);
}

/* A whole small file, NUL-terminated; "" when it can't be read. */
static void read_small(const char *path, char *to, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t len = file != NULL ? fread(to, 1, size - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    to[len] = '\0';
}

static uint64_t start_ticks(void)
{
    char text[1024];
    read_small("/proc/self/stat", text, sizeof(text));
    const char *at = strrchr(text, ')'); /* the end of field 2, which may hold anything */
    for (int field = 2; at != NULL && field < STAT_START; field++)
        at = strchr(at + 1, ' ');
    return at != NULL ? strtoull(at + 1, NULL, 10) : 0;
}

int64_t piw_process_began(void)
{
    char text[65536];
    long rate = sysconf(_SC_CLK_TCK);
    read_small("/proc/stat", text, sizeof(text));
    const char *at = strstr(text, "\nbtime ");
    return at != NULL && rate > 0
               ? strtoll(at + strlen("\nbtime "), NULL, 10) + (int64_t)(start_ticks() / (uint64_t)rate)
               : 0;
}
