/* wheel_along.h — reads a wheel while it still comes: its hash, and those of its members.
 *
 * What is kept from one part of the file to the next is plain bytes, so each part may be read by another thread. Members are found
 * by their local headers, for the central directory comes last; what is said of them counts only where the gate
 * (shared/wheel.h) then finds that the directory says the same. Any thread. */
#ifndef SHARED_WHEEL_ALONG_H
#define SHARED_WHEEL_ALONG_H

#include "shared/elf.h"

enum {
    PIW_ALONG_STATE = 384,           /* bytes of what is kept */
    PIW_ALONG_AT_ONCE = 256,         /* members that are read in one go, at most */
    PIW_ALONG_MEMBERS_MAX = 20000,   /* in all; the gate reads the rest. Larger wheels are rare */
    PIW_ALONG_UNPACK_MAX = 16 << 20, /* bytes of a member that is unpacked in one go; the gate reads larger ones */
};

/* A member whose size and CRC are those of its local header. */
typedef struct piw_wheel_seen {
    uint64_t data, packed_size, size; /* where its packed bytes begin */
    uint32_t crc;
    uint16_t method, head_len;
    uint8_t hash[32]; /* SHA-256 */
    uint8_t head[PIW_ELF_HEAD];
} piw_wheel_seen;

enum { PIW_ALONG_PIECES = 10 };

/* Bytes of the file that are in memory as well. */
typedef struct piw_wheel_piece {
    int64_t offset;
    const uint8_t *data;
    size_t len;
} piw_wheel_piece;

typedef struct piw_wheel_along {
    int64_t at; /* the file's bytes before this one have been read */
    uint8_t kept[PIW_ALONG_STATE];
    char hash[65];                          /* of the whole file, when all of it has been read; "" before */
    piw_wheel_seen seen[PIW_ALONG_AT_ONCE]; /* found in the last go, in the file's order */
    size_t count;
    piw_wheel_piece pieces[PIW_ALONG_PIECES]; /* the caller's: they are read from there */
    size_t pieces_count;
} piw_wheel_along;

void piw_wheel_along_begin(piw_wheel_along *along);
/* Go on in a file that will have `size` bytes, of which those before `until` have come; it may stop before. PIW_ESYS, PIW_ENOMEM. */
int piw_wheel_along_read(piw_wheel_along *along, int fd, int64_t size, int64_t until, piw_err *err);

#endif
