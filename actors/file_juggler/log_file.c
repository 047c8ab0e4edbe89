/* log_file.c — a build's log, compressed, written and looked at. */
#include "log_file.h"

#include "shared/atomic_file.h"
#include "shared/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

enum {
    PIECE = 64 << 10,
    GZIP_WINDOW = 15 + 16,
    /* A log that is larger is compressed as fast as can be: others wait for theirs. */
    LARGE = 2 << 20,
};

typedef struct log_writer {
    int fd;
    const char *path;
    z_stream stream;
    uint8_t in[PIECE], clean[3 * PIECE], out[PIECE];
} log_writer;

static int squeeze(log_writer *w, int flush, piw_err *err)
{
    int state;
    do {
        w->stream.next_out = w->out;
        w->stream.avail_out = sizeof(w->out);
        state = deflate(&w->stream, flush);
        size_t n = sizeof(w->out) - w->stream.avail_out;
        if (n > 0 && piw_write_all(w->fd, w->out, n) != 0)
            return piw_err_errno(err, "can't write the log %s", w->path);
    } while (w->stream.avail_out == 0 || (flush == Z_FINISH && state == Z_OK));
    return 0;
}

static int write_log(log_writer *w, const piw_blob *output, piw_err *err)
{
    size_t size = piw_blob_size(output), at = 0;
    while (at < size) {
        size_t n = piw_blob_read(output, at, w->in, sizeof(w->in));
        if (n == 0)
            break;
        at += n;
        w->stream.next_in = w->clean;
        w->stream.avail_in = (uInt)piw_bytes_clean(w->in, n, w->clean);
        int rc = squeeze(w, Z_NO_FLUSH, err);
        if (rc != 0)
            return rc;
    }
    return squeeze(w, Z_FINISH, err);
}

/* zlib's gzip header holds no name and no time, so equal logs give equal files. */
int log_file_write(int fd, const char *path, const piw_blob *output, piw_err *err)
{
    log_writer *w = malloc(sizeof(*w));
    if (w == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory to compress a build's log");
    w->stream = (z_stream){0};
    w->fd = fd;
    w->path = path;
    int level = piw_blob_size(output) > LARGE ? Z_BEST_SPEED : Z_DEFAULT_COMPRESSION;
    if (deflateInit2(&w->stream, level, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(w);
        return piw_err_set(err, PIW_ENOMEM, "no memory to compress a build's log");
    }
    int rc = write_log(w, output, err);
    deflateEnd(&w->stream);
    free(w);
    return rc;
}

/* The checksum at its end is compared by zlib. */
static bool unpacks(int fd, z_stream *stream)
{
    unsigned char in[16 << 10], out[PIECE];
    int state = Z_OK;
    for (;;) {
        ssize_t n = read(fd, in, sizeof(in));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 && state == Z_STREAM_END;
        if (state == Z_STREAM_END)
            return false;
        stream->next_in = in;
        stream->avail_in = (uInt)n;
        do {
            stream->next_out = out;
            stream->avail_out = sizeof(out);
            state = inflate(stream, Z_NO_FLUSH);
        } while (state == Z_OK && (stream->avail_in > 0 || stream->avail_out == 0));
        if ((state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR) || stream->avail_in > 0)
            return false;
    }
}

bool log_file_whole(const char *path)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    z_stream stream = {0};
    bool ready = fd >= 0 && inflateInit2(&stream, GZIP_WINDOW) == Z_OK;
    bool whole = ready && unpacks(fd, &stream);
    if (ready)
        inflateEnd(&stream);
    if (fd >= 0)
        close(fd);
    return whole;
}
