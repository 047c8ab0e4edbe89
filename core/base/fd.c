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

int piw__fd_copy(int from, int to, size_t size)
{
    for (off_t at = 0; (size_t)at < size;) {
        ssize_t n = sendfile(to, from, &at, size - (size_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return -1;
    }
    return 0;
}
