/* fd.h — inside the core: all of so many bytes, through interruptions and in however many pieces. */
#ifndef PIW__FD_H
#define PIW__FD_H

#include "piw/base.h"

/* Each: 0, or -1 with errno; a file that ends before is EIO. */
int piw__fd_read(int fd, void *data, size_t size);
int piw__fd_write(int fd, const void *data, size_t size);
/* From `offset` of a regular file on to where the other is. */
int piw__fd_copy(int from, size_t offset, int to, size_t size);

#endif
