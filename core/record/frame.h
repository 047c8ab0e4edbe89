/* frame.h — inside the core: what stands around the records of a recording: a head once, length and checksum before each.
 * Little-endian. */
#ifndef PIW__RECORD_FRAME_H
#define PIW__RECORD_FRAME_H

#include "piw/err.h"

enum {
    PIW__RECORD_HEAD = 16,   /* magic, version, four bytes of zero */
    PIW__RECORD_FRAME = 8,   /* length, checksum */
    PIW__RECORD_VERSION = 1, /* raised when a file could no longer be read by name */
};

static inline uint32_t piw__record_u32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static inline void piw__record_u32_put(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

/* FNV-1a, 64 bits folded to 32: against what was cut off or garbled, not against malice. */
static inline uint32_t piw__record_check(const uint8_t *data, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ data[i]) * 0x100000001b3u;
    return (uint32_t)(hash ^ hash >> 32);
}

void piw__record_head_put(uint8_t head[static PIW__RECORD_HEAD]);
int piw__record_head_check(const uint8_t head[static PIW__RECORD_HEAD], const char *path, piw_err *err);

#endif
