/* disk.c — the free space of a file system. */
#include "shared/disk.h"

#include <sys/statvfs.h>

int piw_disk_room(const char *path, int64_t *size, int64_t *free_bytes)
{
    struct statvfs disk;
    if (statvfs(path, &disk) != 0)
        return -1;
    /* Each factor is widened before they meet: on 32-bit machines a block's size has 32 bits. */
    *size = (int64_t)disk.f_blocks * (int64_t)disk.f_frsize;
    *free_bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    return 0;
}
