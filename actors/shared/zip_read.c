/* zip_read.c — unpacks the members of a ZIP archive that zip.c has opened. */
#include "shared/zip.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <zlib.h>

enum { PIECE = 256 << 10 };

static int refuse(piw_err *err, const piw_zip_entry *entry, const char *why)
{
    return piw_err_set(err, PIW_EREFUSED, "its member \"%.*s\" %s", entry->name_len > 200 ? 200 : entry->name_len,
                       entry->name, why);
}

typedef struct progress {
    const piw_zip_entry *entry;
    piw_zip_fn *fn;
    void *arg;
    uint64_t done;
    uint32_t crc;
} progress;

static int deliver(progress *p, const uint8_t *data, size_t len, piw_err *err)
{
    if (len == 0)
        return 0;
    if (len > p->entry->size - p->done)
        return refuse(err, p->entry, "is larger than it says");
    p->done += len;
    p->crc = libdeflate_crc32(p->crc, data, len);
    int rc = p->fn(p->arg, data, len);
    return rc == 0 ? 0
                   : piw_err_set(err, rc, "reading the member \"%.*s\" was ended", p->entry->name_len, p->entry->name);
}

static int read_stored(const piw_zip *zip, progress *p, piw_err *err)
{
    int rc = 0;
    for (uint64_t at = 0; at < p->entry->size && rc == 0; at += PIECE) {
        uint64_t left = p->entry->size - at;
        size_t n = left < PIECE ? (size_t)left : PIECE;
        piw_zip_touch(zip, n);
        rc = deliver(p, piw_zip_bytes(zip) + p->entry->data + at, n, err);
    }
    return rc;
}

static int inflate_all(const piw_zip *zip, progress *p, z_stream *stream, uint8_t *piece, piw_err *err)
{
    const uint8_t *in = piw_zip_bytes(zip) + p->entry->data;
    uint64_t left = p->entry->packed_size;
    int state = Z_OK;
    while (state != Z_STREAM_END) {
        if (stream->avail_in == 0 && left > 0) {
            uInt n = left > PIECE ? PIECE : (uInt)left;
            piw_zip_touch(zip, n);
            stream->next_in = (Bytef *)(uintptr_t)in;
            stream->avail_in = n;
            in += n;
            left -= n;
        }
        stream->next_out = piece;
        stream->avail_out = PIECE;
        state = inflate(stream, Z_NO_FLUSH);
        if (state != Z_OK && state != Z_STREAM_END)
            return refuse(err, p->entry, "can't be unpacked");
        int rc = deliver(p, piece, PIECE - stream->avail_out, err);
        if (rc != 0)
            return rc;
    }
    if (left > 0 || stream->avail_in > 0)
        return refuse(err, p->entry, "has data behind its end");
    return 0;
}

static int read_deflated(const piw_zip *zip, progress *p, piw_err *err)
{
    z_stream stream = {0};
    uint8_t *piece = malloc(PIECE);
    if (piece == NULL || inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
        free(piece);
        return piw_err_set(err, PIW_ENOMEM, "no memory to unpack the archive");
    }
    int rc = inflate_all(zip, p, &stream, piece, err);
    inflateEnd(&stream);
    free(piece);
    return rc;
}

int piw_zip_read(const piw_zip *zip, const piw_zip_entry *entry, piw_zip_fn *fn, void *arg, piw_err *err)
{
    progress p = {.entry = entry, .fn = fn, .arg = arg, .crc = 0};
    int rc = entry->method == PIW_ZIP_STORED ? read_stored(zip, &p, err) : read_deflated(zip, &p, err);
    if (rc != 0)
        return rc;
    if (p.done != entry->size)
        return refuse(err, entry, "is smaller than it says");
    if (p.crc != entry->crc)
        return refuse(err, entry, "has a wrong checksum");
    return 0;
}

typedef struct collector {
    uint8_t *at;
} collector;

static int collect(void *arg, const uint8_t *data, size_t len)
{
    collector *c = arg;
    memcpy(c->at, data, len);
    c->at += len;
    return 0;
}

int piw_zip_extract(const piw_zip *zip, const piw_zip_entry *entry, size_t max, uint8_t **data, piw_err *err)
{
    *data = NULL;
    if (entry->size > max)
        return piw_err_set(err, PIW_ELIMIT, "its member \"%.*s\" is larger than %zu bytes", entry->name_len,
                           entry->name, max);
    uint8_t *bytes = malloc((size_t)entry->size + 1);
    if (bytes == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory to unpack \"%.*s\"", entry->name_len, entry->name);
    collector c = {bytes};
    int rc = piw_zip_read(zip, entry, collect, &c, err);
    if (rc != 0) {
        free(bytes);
        return rc;
    }
    bytes[entry->size] = 0;
    *data = bytes;
    return 0;
}
