/* files.c — files that the user named, read whole. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, const char *path, size_t max, piw_buffer *content, piw_err *err)
{
    char piece[65536];
    for (size_t got = 0;;) {
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return piw_err_errno(err, "%.200s", path);
        if (n == 0)
            return 0;
        got += (size_t)n;
        if (got > max)
            return piw_err_set(err, PIW_ELIMIT, "%.200s has more than %zu bytes", path, max);
        if (piw_buffer_add(content, piece, (size_t)n) != 0)
            return piw_err_set(err, PIW_ENOMEM, "no memory for %.200s", path);
    }
}

int files_read(const char *path, size_t max, piw_buffer *content, piw_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (fd < 0)
        return piw_err_errno(err, "%.200s", path);
    int rc = 0;
    if (fstat(fd, &status) != 0)
        rc = piw_err_errno(err, "%.200s", path);
    else if (!S_ISREG(status.st_mode))
        rc = piw_err_set(err, PIW_EREFUSED, "%.200s is no plain file", path);
    else
        rc = read_all(fd, path, max, content, err);
    close(fd);
    return rc;
}
