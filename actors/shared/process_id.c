/* process_id.c — what the kernel has given to this process. */
#include "shared/process_id.h"

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

enum {
    RANDOM_BYTES = 16, /* that each program is begun with */
    STAT_START = 22,   /* the field of /proc/PID/stat with the clock ticks from the machine's start to the process's */
};

/* Others make their secrets of these bytes, and the result is for all to see: hence a hash that tells nothing of them. 0: it can't be
 * computed; then the process's number alone has to do. */
static uint64_t find_out(void)
{
    const void *random = (const void *)getauxval(AT_RANDOM);
    uint8_t hash[EVP_MAX_MD_SIZE];
    uint64_t id = 0;
    if (random == NULL || EVP_Digest(random, RANDOM_BYTES, hash, NULL, EVP_sha256(), NULL) != 1)
        return 0;
    memcpy(&id, hash, sizeof(id));
    return id & ((UINT64_C(1) << (4 * PIW_PROCESS_ID_DIGITS)) - 1);
}

uint64_t piw_process_id(void)
{
    static _Atomic uint64_t found; /* 0: not yet */
    uint64_t id = atomic_load_explicit(&found, memory_order_relaxed);
    if (id == 0) {
        id = find_out();
        atomic_store_explicit(&found, id, memory_order_relaxed);
    }
    return id;
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
