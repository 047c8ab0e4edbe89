#include "jobs.h"

#include "file_juggler.piw.h"
#include "piw/codec.h"
#include "piw/fault.h"
#include "shared/atomic_file.h"
#include "shared/site_mark.h"
#include "shared/site_path.h"
#include "shared/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { PIECE = 64 << 10, GZIP_WINDOW = 15 + 16 };

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
        w->stream.avail_out = sizeof w->out;
        state = deflate(&w->stream, flush);
        size_t n = sizeof w->out - w->stream.avail_out;
        if (n > 0 && piw_write_all(w->fd, w->out, n) != 0)
            return piw_err_errno(err, "can't write the staged log %s", w->path);
    } while (w->stream.avail_out == 0 || (flush == Z_FINISH && state == Z_OK));
    return 0;
}

static int write_log(log_writer *w, const piw_blob *output, piw_err *err)
{
    size_t size = piw_blob_size(output), at = 0;
    while (at < size) {
        size_t n = piw_blob_read(output, at, w->in, sizeof w->in);
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
static int compress_log(const char *path, const piw_blob *output, piw_err *err)
{
    log_writer *w = malloc(sizeof *w);
    if (w == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory to compress a build's log");
    *w = (log_writer){.path = path};
    if (deflateInit2(&w->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(w);
        return piw_err_set(err, PIW_ENOMEM, "no memory to compress a build's log");
    }
    int rc = 0;
    w->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (w->fd < 0) {
        rc = piw_err_errno(err, "can't make the staged log %s", path);
    } else {
        rc = write_log(w, output, err);
        if (close(w->fd) != 0 && rc == 0)
            rc = piw_err_errno(err, "can't write the staged log %s", path);
    }
    deflateEnd(&w->stream);
    free(w);
    return rc;
}

static int write_record(const char *path, const stage_build *job, piw_err *err)
{
    staged_record *body;
    piw_msg *msg = staged_record_new(&body);
    body->build_id = job->build_id;
    body->package = job->package;
    piw_buffer bytes = {0};
    int rc = piw_record_write(msg, &bytes, err);
    piw_msg_free(&msg);
    int fd = -1;
    if (rc == 0) {
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 || piw_write_all(fd, bytes.data, bytes.len) != 0)
            rc = piw_err_errno(err, "can't write the record %s", path);
    }
    if (fd >= 0 && close(fd) != 0 && rc == 0)
        rc = piw_err_errno(err, "can't write the record %s", path);
    piw_buffer_fini(&bytes);
    return rc;
}

static int make_folder(const char *path, piw_err *err)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : piw_err_errno(err, "can't make the folder %s", path);
}

int job_stage_build(piw_msg *job, piw_msg **result, piw_err *err)
{
    const stage_build *body = stage_build_of(job);
    char staging[PIW_PATH_MAX], folder[PIW_PATH_MAX], log[PIW_PATH_MAX], record[PIW_PATH_MAX];
    if (!piw_path_staging(staging, body->root.s) ||
        !piw_path_staged(folder, body->root.s, body->build_id, (piw_text){0}) ||
        !piw_path_staged(log, body->root.s, body->build_id, piw_text_of("log.txt.gz")) ||
        !piw_path_staged(record, body->root.s, body->build_id, piw_text_of("record")))
        return piw_err_set(err, PIW_EINVAL, "build %lld can't be staged: its number makes no path",
                           (long long)body->build_id);
    if (PIW_FAULT("juggler.log"))
        return piw_err_set(err, PIW_ESYS, "can't write the staged log %s: the fault point juggler.log is armed", log);
    int rc = piw_site_there(body->root.s, err);
    if (rc == 0)
        rc = make_folder(staging, err);
    if (rc == 0)
        rc = make_folder(folder, err);
    if (rc == 0)
        rc = compress_log(log, body->output, err);
    if (rc == 0)
        rc = write_record(record, body, err);
    if (rc != 0)
        return rc;
    if (PIW_FAULT("juggler.staged"))
        return piw_err_set(err, PIW_ESYS, "build %lld can't be staged: the fault point juggler.staged is armed",
                           (long long)body->build_id);
    *result = stage_build_reply_new();
    return 0;
}
