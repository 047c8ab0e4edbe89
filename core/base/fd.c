/* fd.c — all of so many bytes, through interruptions and in however many pieces. */
#include "base/fd.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <unistd.h>

int piw__fd_read(int fd, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = read(fd, (char *)data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return -1;
        done += (size_t)n;
    }
    return 0;
}

int piw__fd_write(int fd, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, (const char *)data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        done += (size_t)n;
    }
    return 0;
}

int piw__fd_copy(int from, size_t offset, int to, size_t size)
{
    for (off_t at = (off_t)offset; (size_t)at < offset + size;) {
        ssize_t n = sendfile(to, from, &at, offset + size - (size_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return -1;
    }
    return 0;
}
