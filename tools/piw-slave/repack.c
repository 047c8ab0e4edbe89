/* repack.c — writes an archive again with some of its members changed. */
#include "repack.h"

#include "shared/atomic_file.h"

#include <stdlib.h>
#include <zlib.h>

/* The fields of ZIP's headers that are read or set here (APPNOTE.TXT 4.3.7, 4.3.12, 4.3.16). */
enum {
    LOCAL_SIZE = 30,
    LOCAL_NEEDED = 4,
    LOCAL_FLAGS = 6,
    LOCAL_METHOD = 8,
    LOCAL_CRC = 14, /* then the two sizes */
    LOCAL_EXTRA_LEN = 28,
    CENTRAL_SIZE = 46,
    CENTRAL_NEEDED = 6,
    CENTRAL_FLAGS = 8,
    CENTRAL_METHOD = 10,
    CENTRAL_CRC = 16,
    CENTRAL_NAME_LEN = 28, /* then those of the extra field and of the comment */
    CENTRAL_OFFSET = 42,
    END_SIZE = 22,
    END_DIRECTORY_SIZE = 12,
    END_DIRECTORY = 16,
    END_COMMENT_LEN = 20,
    FLAG_DESCRIPTOR = 1 << 3,
    NEEDED = 20, /* version 2.0: deflated members */
    WIDE = 0xff,
};

static const uint8_t end_signature[] = {'P', 'K', 5, 6};

typedef struct repack {
    const piw_zip *zip;
    const uint8_t *data;
    const slave_change *changes;
    size_t changes_count;
    const piw_zip_entry **by_place;
    uint64_t *offsets; /* new ones, in the order of the central directory */
    struct packed {
        uint8_t *data;
        uint32_t len, crc;
    } * packed; /* beside changes */
    int fd;
    uint64_t written;
} repack;

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value & 0xffff);
    put16(at + 2, value >> 16);
}

static int put(repack *r, const void *data, size_t len, piw_err *err)
{
    r->written += len;
    return piw_write_all(r->fd, data, len) == 0 ? 0 : piw_err_errno(err, "the renamed wheel can't be written");
}

static int no_memory(piw_err *err)
{
    return piw_err_set(err, PIW_ENOMEM, "no memory to pack the wheel again");
}

static int wide(piw_err *err)
{
    return piw_err_set(err, PIW_EREFUSED, "it is an archive in ZIP's 64-bit form, which isn't changed here");
}

/* The place of an entry's change, or changes_count. */
static size_t change_of(const repack *r, const piw_zip_entry *entry)
{
    size_t i = 0;
    while (i < r->changes_count && r->changes[i].entry != entry)
        i++;
    return i;
}

static int pack(const slave_change *change, struct packed *to, piw_err *err)
{
    z_stream stream = {0};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return no_memory(err);
    size_t room = deflateBound(&stream, change->len);
    int rc = 0;
    if (change->len > UINT32_MAX / 2 || (to->data = malloc(room)) == NULL) {
        rc = no_memory(err);
    } else {
        stream.next_in = (Bytef *)(uintptr_t)change->data;
        stream.avail_in = (uInt)change->len;
        stream.next_out = to->data;
        stream.avail_out = (uInt)room;
        if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
            rc = piw_err_set(err, PIW_ESYS, "zlib can't pack a member of the wheel");
        to->len = (uint32_t)stream.total_out;
        to->crc = (uint32_t)crc32_z(crc32_z(0, NULL, 0), change->data, change->len);
    }
    deflateEnd(&stream);
    return rc;
}

/* The same fields in the same order stand in both headers; the sizes behind the CRC. */
static void describe(uint8_t *header, size_t needed, size_t flags, size_t method, size_t crc, const repack *r, size_t i)
{
    put16(header + needed, NEEDED);
    put16(header + flags, get16(header + flags) & ~(uint32_t)FLAG_DESCRIPTOR);
    put16(header + method, Z_DEFLATED);
    put32(header + crc, r->packed[i].crc);
    put32(header + crc + 4, r->packed[i].len);
    put32(header + crc + 8, (uint32_t)r->changes[i].len);
}

static int write_changed(repack *r, size_t i, piw_err *err)
{
    const piw_zip_entry *entry = r->changes[i].entry;
    uint8_t header[LOCAL_SIZE];
    memcpy(header, r->data + entry->header, sizeof(header));
    describe(header, LOCAL_NEEDED, LOCAL_FLAGS, LOCAL_METHOD, LOCAL_CRC, r, i);
    put16(header + LOCAL_EXTRA_LEN, 0);
    int rc = put(r, header, sizeof(header), err);
    rc = rc != 0 ? rc : put(r, entry->name, entry->name_len, err);
    return rc != 0 ? rc : put(r, r->packed[i].data, r->packed[i].len, err);
}

/* Members follow each other without gaps: what lies between two changed ones is copied in one piece. */
static int write_members(repack *r, piw_err *err)
{
    size_t count = piw_zip_count(r->zip);
    uint64_t from = 0;
    int rc = 0;
    for (size_t n = 0; n < count && rc == 0; n++) {
        const piw_zip_entry *entry = r->by_place[n];
        uint64_t end = n + 1 < count ? r->by_place[n + 1]->header : piw_zip_directory(r->zip);
        size_t i = change_of(r, entry);
        r->offsets[entry - piw_zip_at(r->zip, 0)] = r->written + (entry->header - from);
        if (i == r->changes_count)
            continue;
        rc = put(r, r->data + from, entry->header - from, err);
        r->offsets[entry - piw_zip_at(r->zip, 0)] = r->written;
        rc = rc != 0 ? rc : write_changed(r, i, err);
        from = end;
    }
    return rc != 0 ? rc : put(r, r->data + from, piw_zip_directory(r->zip) - from, err);
}

/* The central directory, and the end record behind it. */
static int write_directory(repack *r, piw_err *err)
{
    uint64_t begin = r->written;
    const uint8_t *at = r->data + piw_zip_directory(r->zip);
    for (size_t n = 0; n < piw_zip_count(r->zip); n++) {
        uint8_t header[CENTRAL_SIZE];
        size_t rest =
            get16(at + CENTRAL_NAME_LEN) + get16(at + CENTRAL_NAME_LEN + 2) + get16(at + CENTRAL_NAME_LEN + 4);
        memcpy(header, at, sizeof(header));
        put32(header + CENTRAL_OFFSET, (uint32_t)r->offsets[n]);
        size_t i = change_of(r, piw_zip_at(r->zip, n));
        if (i < r->changes_count)
            describe(header, CENTRAL_NEEDED, CENTRAL_FLAGS, CENTRAL_METHOD, CENTRAL_CRC, r, i);
        int rc = put(r, header, sizeof(header), err);
        rc = rc != 0 ? rc : put(r, at + CENTRAL_SIZE, rest, err);
        if (rc != 0)
            return rc;
        at += CENTRAL_SIZE + rest;
    }
    uint8_t end[END_SIZE];
    memcpy(end, at, sizeof(end));
    put32(end + END_DIRECTORY_SIZE, (uint32_t)(r->written - begin));
    put32(end + END_DIRECTORY, (uint32_t)begin);
    int rc = put(r, end, sizeof(end), err);
    return rc != 0 ? rc : put(r, at + END_SIZE, get16(at + END_COMMENT_LEN), err);
}

/* Has the archive records of the 64-bit form, or would it need them? The reader has seen that all else is in order. */
static bool is_wide(const piw_zip *zip)
{
    const uint8_t *at = piw_zip_bytes(zip) + piw_zip_directory(zip);
    uint64_t more = (uint64_t)PIW_ZIP_ENTRIES_MAX * 1024;
    if (piw_zip_directory(zip) > UINT32_MAX - more)
        return true;
    for (size_t n = 0; n < piw_zip_count(zip); n++) {
        static const uint8_t full[] = {WIDE, WIDE, WIDE, WIDE};
        if (memcmp(at + CENTRAL_CRC + 4, full, 4) == 0 || memcmp(at + CENTRAL_CRC + 8, full, 4) == 0 ||
            memcmp(at + CENTRAL_OFFSET, full, 4) == 0)
            return true;
        at += CENTRAL_SIZE + get16(at + CENTRAL_NAME_LEN) + get16(at + CENTRAL_NAME_LEN + 2) +
              get16(at + CENTRAL_NAME_LEN + 4);
    }
    return memcmp(at, end_signature, sizeof(end_signature)) != 0;
}

static int by_place(const void *a, const void *b)
{
    uint64_t left = (*(const piw_zip_entry *const *)a)->header, right = (*(const piw_zip_entry *const *)b)->header;
    return (left > right) - (left < right);
}

int slave_repack(const piw_zip *zip, const slave_change *changes, size_t count, int fd, piw_err *err)
{
    if (is_wide(zip))
        return wide(err);
    size_t members = piw_zip_count(zip);
    repack r = {.zip = zip, .data = piw_zip_bytes(zip), .changes = changes, .changes_count = count, .fd = fd};
    r.by_place = piw_zalloc(members * sizeof(*r.by_place));
    r.offsets = piw_zalloc(members * sizeof(*r.offsets));
    r.packed = piw_zalloc(count * sizeof(*r.packed));
    for (size_t n = 0; n < members; n++)
        r.by_place[n] = piw_zip_at(zip, n);
    qsort(r.by_place, members, sizeof(*r.by_place), by_place);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = pack(&changes[i], &r.packed[i], err);
    rc = rc != 0 ? rc : write_members(&r, err);
    rc = rc != 0 ? rc : write_directory(&r, err);
    for (size_t i = 0; i < count; i++)
        free(r.packed[i].data);
    free(r.packed);
    free(r.offsets);
    free(r.by_place);
    return rc;
}
