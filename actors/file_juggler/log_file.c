/* log_file.c — a build's log, compressed, written and looked at. */
#include "log_file.h"

#include "piw/limits.h"
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
    AHEAD = 1 << 20, /* of a large log: as much, and as much again, may wait for the disk */
};

typedef struct log_writer {
    int fd;
    bool large;
    const char *path;
    off_t written, begun; /* bytes; up to where the disk has begun with them, when it is large */
    z_stream stream;
    uint8_t in[PIECE], clean[3 * PIECE], out[PIECE];
} log_writer;

/* A large log goes to the disk as it is written: else all of it would wait, and then whoever commits something small would wait
 * for it. File systems that can't do this write it when it is synced. */
static int keep_pace(log_writer *w, piw_err *err)
{
    if (!w->large || w->written - w->begun < AHEAD)
        return 0;
    int rc = w->begun == 0 ? 0 : sync_file_range(w->fd, 0, w->begun, SYNC_FILE_RANGE_WAIT_BEFORE);
    if (rc == 0)
        rc = sync_file_range(w->fd, w->begun, w->written - w->begun, SYNC_FILE_RANGE_WRITE);
    w->begun = w->written;
    return rc == 0 || errno == EINVAL || errno == ENOSYS || errno == ESPIPE
               ? 0
               : piw_err_errno(err, "can't write the log %s", w->path);
}

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
        w->written += (off_t)n;
        int rc = keep_pace(w, err);
        if (rc != 0)
            return rc;
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
    int rc = squeeze(w, Z_FINISH, err);
    if (rc == 0 && w->large && fdatasync(w->fd) != 0)
        rc = piw_err_errno(err, "can't sync the log %s", w->path);
    return rc;
}

bool log_file_is_large(const piw_blob *output)
{
    return piw_blob_size(output) > PIW_LIMIT_LARGE_JOB;
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
    w->large = log_file_is_large(output);
    w->written = w->begun = 0;
    /* Others wait for theirs. */
    int level = w->large ? Z_BEST_SPEED : Z_DEFAULT_COMPRESSION;
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
