/* process_id.c — what the kernel says of this process. Where there is no /proc its number alone has to do. */
#include "shared/process_id.h"

#include "shared/table.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STAT_START = 22 /* the field of /proc/PID/stat with the clock ticks from the machine's start to the process's */
};

static const uint64_t HASH_BEGIN = 0xcbf29ce484222325;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t id;    /* written once, as the next one is */
static uint64_t ticks; /* from the machine's start to the process's: however the clock is set, they stay */

/* A whole small file, NUL-terminated; "" when it can't be read. */
static void read_small(const char *path, char *to, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t len = file != NULL ? fread(to, 1, size - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    to[len] = '\0';
}

static uint64_t read_ticks(void)
{
    char text[1024];
    read_small("/proc/self/stat", text, sizeof(text));
    const char *at = strrchr(text, ')'); /* the end of field 2, which may hold anything */
    for (int field = 2; at != NULL && field < STAT_START; field++)
        at = strchr(at + 1, ' ');
    return at != NULL ? strtoull(at + 1, NULL, 10) : 0;
}

static void find_out(void)
{
    char boot[64];
    struct stat numbers;
    ticks = read_ticks();
    read_small("/proc/sys/kernel/random/boot_id", boot, sizeof(boot));
    uint64_t parts[] = {(uint64_t)getpid(), ticks, stat("/proc/self/ns/pid", &numbers) == 0 ? numbers.st_ino : 0};
    uint64_t hash = piw_table_hash(HASH_BEGIN, parts, sizeof(parts));
    id = piw_table_hash(hash, boot, strlen(boot)) & ((UINT64_C(1) << (4 * PIW_PROCESS_ID_DIGITS)) - 1);
}

uint64_t piw_process_id(void)
{
    pthread_once(&once, find_out);
    return id;
}

int64_t piw_process_began(void)
{
    char text[65536];
    long rate = sysconf(_SC_CLK_TCK);
    pthread_once(&once, find_out);
    read_small("/proc/stat", text, sizeof(text));
    const char *at = strstr(text, "\nbtime ");
    return at != NULL && rate > 0 ? strtoll(at + strlen("\nbtime "), NULL, 10) + (int64_t)(ticks / (uint64_t)rate) : 0;
}
