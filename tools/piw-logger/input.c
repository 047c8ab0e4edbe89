/* input.c — lines of a file or of standard input, plain or gzip, in bounded memory. */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

enum { CHUNK = 65536, TEXT_SIZE = 2 * INPUT_LINE_MAX, GZIP_WINDOW = 16 + MAX_WBITS };

typedef enum { UNKNOWN, PLAIN, GZIP } input_kind;

struct input {
    int fd;
    const char *path;
    input_kind kind;
    bool file_ended, ended;
    bool torn;     /* what follows can't be read: a line without its end is half a line */
    bool skipping; /* the rest of a line that is too long */
    z_stream z;
    bool member; /* within a gzip member */
    uint8_t raw[CHUNK];
    size_t raw_at, raw_len; /* read and not yet unpacked */
    char text[TEXT_SIZE];
    size_t at, len;
};

int input_open(input **in, const char *path, piw_err *err)
{
    int fd = STDIN_FILENO;
    bool standard = strcmp(path, "-") == 0;
    if (!standard && (fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) < 0)
        return piw_err_errno(err, "%s can't be read", path);
    input *made = piw_zalloc(sizeof(*made));
    made->fd = fd;
    made->path = standard ? "standard input" : path;
    *in = made;
    return 0;
}

void input_close(input **in)
{
    input *old = *in;
    if (old == NULL)
        return;
    *in = NULL;
    if (old->kind == GZIP)
        inflateEnd(&old->z);
    if (old->fd != STDIN_FILENO)
        close(old->fd);
    free(old);
}

int input_fd(const input *in)
{
    return (in->kind == GZIP && in->raw_at < in->raw_len) || in->file_ended ? -1 : in->fd;
}

/* Bytes of the file: how many, 0 at its end. */
static int read_some(input *in, void *to, size_t room, size_t *got, piw_err *err)
{
    ssize_t n;
    do
        n = read(in->fd, to, room);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return piw_err_errno(err, "%s can't be read", in->path);
    in->file_ended = n == 0;
    *got = (size_t)n;
    return 0;
}

static int read_raw(input *in, piw_err *err)
{
    size_t got = 0;
    if (in->raw_at == in->raw_len)
        in->raw_at = in->raw_len = 0;
    int rc = in->file_ended ? 0 : read_some(in, in->raw + in->raw_len, CHUNK - in->raw_len, &got, err);
    in->raw_len += got;
    return rc;
}

/* The first two bytes tell. */
static int find_kind(input *in, piw_err *err)
{
    int rc = read_raw(in, err);
    if (rc != 0)
        return rc;
    bool could = (in->raw_len < 1 || in->raw[0] == 0x1f) && (in->raw_len < 2 || in->raw[1] == 0x8b);
    if (could && in->raw_len < 2 && !in->file_ended)
        return 0;
    if (could && in->raw_len >= 2) {
        if (inflateInit2(&in->z, GZIP_WINDOW) != Z_OK)
            return piw_err_set(err, PIW_ENOMEM, "%s: no memory to unpack it", in->path);
        in->kind = GZIP;
        return 0;
    }
    in->kind = PLAIN;
    memcpy(in->text + in->len, in->raw, in->raw_len);
    in->len += in->raw_len;
    in->raw_at = in->raw_len = 0;
    return 0;
}

/* One step of unpacking. Members may follow one another; what follows the last and is none is passed over. */
static int unpack(input *in, piw_err *err)
{
    int rc = in->raw_at == in->raw_len ? read_raw(in, err) : 0;
    if (rc != 0)
        return rc;
    if (in->raw_at == in->raw_len) {
        in->ended = true;
        return in->member ? piw_err_set(err, PIW_EINVAL, "%s ends in the middle of its gzip data", in->path) : 0;
    }
    if (!in->member && in->raw[in->raw_at] != 0x1f) {
        in->ended = in->file_ended = true;
        return 0;
    }
    in->member = true;
    in->z.next_in = in->raw + in->raw_at;
    in->z.avail_in = (uInt)(in->raw_len - in->raw_at);
    in->z.next_out = (uint8_t *)in->text + in->len;
    in->z.avail_out = (uInt)(TEXT_SIZE - in->len);
    int result = inflate(&in->z, Z_NO_FLUSH);
    in->raw_at = in->raw_len - in->z.avail_in;
    in->len = TEXT_SIZE - in->z.avail_out;
    if (result == Z_STREAM_END) {
        in->member = false;
        inflateReset(&in->z);
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
        in->ended = true;
        return piw_err_set(err, PIW_EINVAL, "%s: its gzip data are damaged: %s", in->path,
                           in->z.msg != NULL ? in->z.msg : zError(result));
    }
    return 0;
}

int input_read(input *in, piw_err *err)
{
    int rc = 0;
    memmove(in->text, in->text + in->at, in->len - in->at);
    in->len -= in->at;
    in->at = 0;
    if (in->kind == UNKNOWN) {
        rc = find_kind(in, err);
        in->ended = rc == 0 && in->kind == PLAIN && in->file_ended;
    } else if (in->kind == GZIP) {
        rc = unpack(in, err);
    } else {
        size_t got = 0;
        rc = read_some(in, in->text + in->len, TEXT_SIZE - in->len, &got, err);
        in->len += got;
        in->ended = in->file_ended;
    }
    if (rc != 0)
        in->ended = in->torn = true;
    return rc != 0 ? rc : in->ended ? 0 : 1;
}

/* There is no end of a line: is it the last one, or too long? */
static bool unended_line(input *in, const char **text, size_t *len)
{
    size_t left = in->len - in->at;
    *text = in->text + in->at;
    *len = left;
    if (left > INPUT_LINE_MAX || in->skipping) {
        bool first = !in->skipping;
        in->skipping = !in->ended;
        in->at = in->len;
        *text = NULL;
        return first;
    }
    if (!in->ended || in->torn || left == 0)
        return false;
    in->at = in->len;
    return true;
}

bool input_line(input *in, const char **text, size_t *len)
{
    for (;;) {
        const char *begin = in->text + in->at, *end = memchr(begin, '\n', in->len - in->at);
        if (end == NULL)
            return unended_line(in, text, len);
        in->at += (size_t)(end - begin) + 1;
        if (in->skipping) {
            in->skipping = false;
            continue;
        }
        *len = (size_t)(end - begin);
        *text = *len <= INPUT_LINE_MAX ? begin : NULL;
        if (*len > 0 && begin[*len - 1] == '\r')
            --*len;
        return true;
    }
}
