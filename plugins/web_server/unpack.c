/* unpack.c — the body of an answer that is unpacked from a gzip file while it is sent. */
#include "unpack.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

enum { BLOCK = 16384, GZIP_WINDOW = 15 + 16 };

typedef struct unpack {
    int fd;
    z_stream z;
    bool inside; /* of a part of the file, which has an end */
    uint8_t in[BLOCK];
} unpack;

static void end(void *arg)
{
    unpack *self = arg;
    inflateEnd(&self->z);
    close(self->fd);
    free(self);
}

/* More input, if there is any. */
static bool fill(unpack *self)
{
    if (self->z.avail_in > 0)
        return true;
    ssize_t n = read(self->fd, self->in, sizeof(self->in));
    self->z.next_in = self->in;
    self->z.avail_in = n > 0 ? (uInt)n : 0;
    return n > 0;
}

static ssize_t pull(void *arg, uint64_t at, char *to, size_t max)
{
    (void)at;
    unpack *self = arg;
    self->z.next_out = (Bytef *)to;
    self->z.avail_out = (uInt)(max < BLOCK ? max : BLOCK);
    uInt room = self->z.avail_out;
    while (self->z.avail_out == room) {
        if (!fill(self))
            return self->inside ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
        int rc = inflate(&self->z, Z_NO_FLUSH);
        self->inside = rc != Z_STREAM_END;
        if (rc == Z_STREAM_END) {
            /* A file may have several parts, one behind the other. */
            if (inflateReset(&self->z) != Z_OK)
                return MHD_CONTENT_READER_END_WITH_ERROR;
        } else if (rc != Z_OK) {
            return MHD_CONTENT_READER_END_WITH_ERROR;
        }
    }
    return (ssize_t)(room - self->z.avail_out);
}

struct MHD_Response *web_unpack(int fd)
{
    unpack *self = calloc(1, sizeof(*self));
    if (self == NULL || inflateInit2(&self->z, GZIP_WINDOW) != Z_OK) {
        free(self);
        close(fd);
        return NULL;
    }
    self->fd = fd;
    struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, pull, self, end);
    if (response == NULL)
        end(self);
    return response;
}
