/* disk.h — the room on a file system.
 *
 * Any thread; nothing is kept. */
#ifndef SHARED_DISK_H
#define SHARED_DISK_H

#include <stdint.h>

/* Bytes of the file system that `path` is on: in all, and free for an ordinary user. Neither is touched on failure: -1 with
 * errno. */
int piw_disk_room(const char *path, int64_t *size, int64_t *free_bytes);

#endif
