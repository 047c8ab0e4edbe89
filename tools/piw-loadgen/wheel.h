/* wheel.h — makes sound wheels: stored members, METADATA, WHEEL and RECORD with right hashes, of a given size. */
#ifndef LOADGEN_WHEEL_H
#define LOADGEN_WHEEL_H

#include "common.piw.h"
#include "piw/codec.h"

typedef struct load_wheel {
    piw_buffer bytes;
    char filename[256];
    char name[201], version[201]; /* as the file name spells them */
    char hash[65];                /* SHA-256 of the bytes */
} load_wheel;

/* The payload that all wheels share, and its sums. */
typedef struct load_filling {
    uint8_t *data;
    size_t len;
    uint32_t crc;
    char digest[48]; /* SHA-256, as RECORD writes it */
} load_filling;

int load_filling_init(load_filling *filling, size_t len, piw_err *err);
void load_filling_fini(load_filling *filling);

/* The wheel of a version for an ABI; wheels of one version differ by their build number, from 1. The wheel's memory is
 * used again. */
int load_wheel_make(load_wheel *wheel, const load_filling *filling, const char *package, const char *version,
                    const char *abi, unsigned build, piw_err *err);
void load_wheel_fini(load_wheel *wheel);
/* What the slave says of it, in the arena of `msg`. */
void load_wheel_state(const load_wheel *wheel, const char *abi, piw_msg *msg, file_state *state);

#endif
