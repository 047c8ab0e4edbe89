/* wheel_along.c — reads a wheel while it still comes: its hash, and those of its members. */
/* OpenSSL's other functions don't give a hash that is begun as bytes. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "shared/wheel_along.h"

#include "shared/wheel.h"
#include "shared/zip.h"

#include <errno.h>
#include <libdeflate.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

enum {
    PIECE = 128 << 10, /* stays in a processor's own cache */
    /* Two hashes are computed in turns of so many bytes: neither waits for the other, so that the processor works on both at
     * once. With 64 and with 256 it takes longer. */
    TURN = 128,
    HEADER_MAX = PIW_ZIP_LOCAL_SIZE + 2 * UINT16_MAX,
};

typedef enum part {
    PART_HEADER,   /* a member's local header comes next */
    PART_STORED,   /* bytes of a member that is hashed */
    PART_DEFLATED, /* … that is unpacked when all of it is there */
    PART_REST,     /* nothing, or nothing that can be told apart */
} part;

/* What is kept. */
typedef struct state {
    SHA256_CTX whole, member;
    uint64_t end;      /* of the member */
    uint64_t unpacked; /* bytes of all members so far */
    piw_wheel_seen now;
    uint32_t crc; /* of what was read of it */
    uint32_t count;
    part part;
} state;
_Static_assert(sizeof(state) <= PIW_ALONG_STATE, "what is kept has room");

typedef struct reader {
    piw_wheel_along *along;
    state s;
    int fd;
    int64_t size, until;
    uint64_t unpacked; /* in this go */
    uint8_t *out;
    uint8_t piece[HEADER_MAX];
} reader;

void piw_wheel_along_begin(piw_wheel_along *along)
{
    *along = (piw_wheel_along){0};
    state s = {.part = PART_HEADER};
    SHA256_Init(&s.whole);
    memcpy(along->kept, &s, sizeof(s));
}

/* --- Bytes --- */

static int read_file(const reader *r, void *to, size_t len, int64_t from, piw_err *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(r->fd, (uint8_t *)to + done, len - done, from + (int64_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return piw_err_errno(err, "can't read a file that comes");
        if (n == 0)
            return piw_err_set(err, PIW_ESYS, "a file that comes is shorter than it was");
        done += (size_t)n;
    }
    return 0;
}

/* Is it in memory? Its length is cut to what is. */
static const uint8_t *in_memory(const reader *r, size_t *len, int64_t from)
{
    for (size_t i = 0; i < r->along->pieces_count; i++) {
        const piw_wheel_piece *piece = &r->along->pieces[i];
        if (from < piece->offset || from - piece->offset >= (int64_t)piece->len)
            continue;
        size_t left = piece->len - (size_t)(from - piece->offset);
        *len = *len < left ? *len : left;
        return piece->data + (from - piece->offset);
    }
    return NULL;
}

static int read_at(const reader *r, void *to, size_t len, int64_t from, piw_err *err)
{
    size_t n = len;
    const uint8_t *data = in_memory(r, &n, from);
    if (data == NULL || n < len)
        return read_file(r, to, len, from, err);
    memcpy(to, data, len);
    return 0;
}

/* To where a block of the hash ends: from there on whole blocks are taken from the data themselves. */
static size_t end_block(SHA256_CTX *hash, const uint8_t *data, size_t len)
{
    size_t n = hash->num == 0 ? 0 : SHA256_CBLOCK - hash->num;
    n = n < len ? n : len;
    SHA256_Update(hash, data, n);
    return n;
}

static void hash_both(SHA256_CTX *a, SHA256_CTX *b, const uint8_t *data, size_t len)
{
    size_t i = end_block(a, data, len), k = end_block(b, data, len);
    for (; (i > k ? i : k) + TURN <= len; i += TURN, k += TURN) {
        SHA256_Update(a, data + i, TURN);
        SHA256_Update(b, data + k, TURN);
    }
    SHA256_Update(a, data + i, len - i);
    SHA256_Update(b, data + k, len - k);
}

static void note_head(piw_wheel_seen *now, const uint8_t *data, size_t len)
{
    size_t room = sizeof(now->head) - now->head_len, n = len < room ? len : room;
    memcpy(now->head + now->head_len, data, n);
    now->head_len = (uint16_t)(now->head_len + n);
}

/* --- Members --- */

/* A member is over: is it what its header says? */
static void note(reader *r, bool good)
{
    state *s = &r->s;
    s->part = PART_HEADER;
    if (!good || s->crc != s->now.crc || s->count == PIW_ALONG_MEMBERS_MAX)
        return;
    SHA256_Final(s->now.hash, &s->member);
    r->along->seen[r->along->count++] = s->now;
    s->count++;
}

static void begin_member(state *s)
{
    SHA256_Init(&s->member);
    s->crc = 0;
    s->now.head_len = 0;
}

/* One that could be noted; the gate has its own opinion of the others. */
static part part_of(reader *r, const piw_zip_entry *entry)
{
    state *s = &r->s;
    uint64_t size = (uint64_t)r->size, most = PIW_ZIP_RATIO_FREE + PIW_ZIP_RATIO_MAX * size;
    if (entry->size > most - s->unpacked || entry->data > size || entry->packed_size > size - entry->data)
        return PART_REST;
    s->unpacked += entry->size;
    return entry->method == PIW_ZIP_STORED ? PART_STORED : PART_DEFLATED;
}

/* The header at r->along->at; *whole: it has come. */
static int read_header(reader *r, bool *whole, piw_err *err)
{
    piw_wheel_along *along = r->along;
    state *s = &r->s;
    int64_t left = r->until - along->at;
    size_t len = left < HEADER_MAX ? (size_t)left : HEADER_MAX, took = 0;
    /* Names are short: more is read only for one that isn't. */
    size_t first = len < 4096 ? len : 4096;
    int rc = read_at(r, r->piece, first, along->at, err);
    piw_zip_entry entry;
    piw_zip_local found =
        rc == 0 ? piw_zip_read_local(r->piece, first, (uint64_t)along->at, &entry, &took) : PIW_ZIP_OTHER;
    if (rc == 0 && found == PIW_ZIP_CUT && len > first) {
        rc = read_at(r, r->piece, len, along->at, err);
        if (rc == 0)
            found = piw_zip_read_local(r->piece, len, (uint64_t)along->at, &entry, &took);
    }
    if (rc != 0)
        return rc;
    *whole = found != PIW_ZIP_CUT || r->until == r->size;
    if (found != PIW_ZIP_LOCAL) {
        if (*whole)
            s->part = PART_REST;
        return 0;
    }
    s->part = part_of(r, &entry);
    s->now = (piw_wheel_seen){.data = entry.data,
                              .packed_size = entry.packed_size,
                              .size = entry.size,
                              .crc = entry.crc,
                              .method = entry.method};
    s->end = entry.data + entry.packed_size;
    SHA256_Update(&s->whole, r->piece, took);
    along->at += (int64_t)took;
    begin_member(s);
    return 0;
}

typedef struct inflater {
    z_stream stream;
    uint64_t in, left, out; /* where the next packed bytes are, how many; how many came out */
} inflater;

/* One round; Z_STREAM_END: the member is unpacked. */
static int inflate_some(reader *r, inflater *i, int *outcome, piw_err *err)
{
    state *s = &r->s;
    if (i->stream.avail_in == 0 && i->left > 0) {
        size_t n = i->left < PIECE ? (size_t)i->left : PIECE;
        int rc = read_at(r, r->piece, n, (int64_t)i->in, err);
        if (rc != 0)
            return rc;
        i->stream.next_in = r->piece;
        i->stream.avail_in = (uInt)n;
        i->in += n;
        i->left -= n;
    }
    i->stream.next_out = r->out;
    i->stream.avail_out = PIECE;
    *outcome = inflate(&i->stream, Z_NO_FLUSH);
    size_t n = PIECE - i->stream.avail_out;
    i->out += n;
    if (i->out > s->now.size)
        *outcome = Z_DATA_ERROR;
    s->crc = libdeflate_crc32(s->crc, r->out, n);
    SHA256_Update(&s->member, r->out, n);
    note_head(&s->now, r->out, n);
    return 0;
}

/* A member that has come whole. What is wrong with it the gate will say. */
static int unpack(reader *r, piw_err *err)
{
    state *s = &r->s;
    inflater i = {.in = s->now.data, .left = s->now.packed_size};
    if (r->out == NULL && (r->out = malloc(PIECE)) == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory to read a file that comes");
    if (inflateInit2(&i.stream, -MAX_WBITS) != Z_OK)
        return piw_err_set(err, PIW_ENOMEM, "no memory to read a file that comes");
    int outcome = Z_OK, rc = 0;
    while (rc == 0 && outcome == Z_OK)
        rc = inflate_some(r, &i, &outcome, err);
    r->unpacked += i.out;
    note(r, outcome == Z_STREAM_END && i.left == 0 && i.stream.avail_in == 0 && i.out == s->now.size);
    inflateEnd(&i.stream);
    return rc;
}

static int end_member(reader *r, piw_err *err)
{
    state *s = &r->s;
    if (s->part == PART_STORED) {
        note(r, s->now.size == s->now.packed_size);
        return 0;
    }
    if (s->now.size <= PIW_ALONG_UNPACK_MAX)
        return unpack(r, err);
    s->part = PART_HEADER;
    return 0;
}

/* Some bytes that are no header. */
static int read_piece(reader *r, piw_err *err)
{
    piw_wheel_along *along = r->along;
    state *s = &r->s;
    int64_t end = s->part == PART_REST || (int64_t)s->end > r->until ? r->until : (int64_t)s->end;
    size_t n = end - along->at < PIECE ? (size_t)(end - along->at) : PIECE;
    const uint8_t *data = in_memory(r, &n, along->at);
    int rc = data != NULL ? 0 : read_file(r, r->piece, n, along->at, err);
    if (rc != 0)
        return rc;
    data = data != NULL ? data : r->piece;
    if (s->part == PART_STORED) {
        hash_both(&s->whole, &s->member, data, n);
        s->crc = libdeflate_crc32(s->crc, data, n);
        note_head(&s->now, data, n);
    } else {
        SHA256_Update(&s->whole, data, n);
    }
    along->at += (int64_t)n;
    return 0;
}

static int read_on(reader *r, piw_err *err)
{
    int rc = 0;
    bool whole = true;
    const piw_wheel_along *along = r->along;
    while (rc == 0 && whole && along->count < PIW_ALONG_AT_ONCE && r->unpacked < PIW_ALONG_UNPACK_MAX) {
        bool member = r->s.part == PART_STORED || r->s.part == PART_DEFLATED;
        if (member && along->at == (int64_t)r->s.end)
            rc = end_member(r, err);
        else if (along->at == r->until)
            break;
        else if (r->s.part == PART_HEADER)
            rc = read_header(r, &whole, err);
        else
            rc = read_piece(r, err);
    }
    return rc;
}

int piw_wheel_along_read(piw_wheel_along *along, int fd, int64_t size, int64_t until, piw_err *err)
{
    reader *r = malloc(sizeof(*r));
    if (r == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory to read a file that comes");
    r->along = along;
    r->fd = fd;
    r->size = size;
    r->until = until;
    r->unpacked = 0;
    r->out = NULL;
    memcpy(&r->s, along->kept, sizeof(r->s));
    along->count = 0;
    int rc = read_on(r, err);
    memcpy(along->kept, &r->s, sizeof(r->s));
    if (rc == 0 && along->at == size) {
        uint8_t hash[SHA256_DIGEST_LENGTH];
        SHA256_Final(hash, &r->s.whole);
        piw_hash_hex(hash, along->hash);
    }
    free(r->out);
    free(r);
    return rc;
}
