/* wheel.h — makes sound wheels: stored members, METADATA, WHEEL and RECORD with right hashes, of a given size.
 *
 * All of them begin with the same member, of which there is one copy with its sums: a wheel costs its last kilobyte. */
#ifndef LOADGEN_WHEEL_H
#define LOADGEN_WHEEL_H

#include "common.piw.h"
#include "peer.h"

#include <openssl/evp.h>

/* The payload that all wheels share, as the member of an archive that begins with it. */
typedef struct load_filling {
    int fd;         /* a file in memory, from which it is sent */
    uint8_t *bytes; /* the member's head and data: that file, mapped */
    size_t len, data_len;
    uint32_t crc;
    char digest[48]; /* SHA-256 of the data, as RECORD writes it */
    EVP_MD *sha256;
    EVP_MD_CTX *begun, *work; /* a hash that has read `bytes`; one to go on with */
} load_filling;

typedef struct load_wheel {
    piw_buffer tail; /* what follows the filling */
    size_t len;      /* of filling and tail */
    char filename[256];
    char name[201], version[201]; /* as the file name spells them */
    char hash[65];                /* SHA-256 of all bytes */
} load_wheel;

int load_filling_init(load_filling *filling, size_t data_len, piw_err *err);
void load_filling_fini(load_filling *filling);

/* The wheel of a version for an ABI; wheels of one version differ by their build number, from 1. The wheel's memory is
 * used again. */
int load_wheel_make(load_wheel *wheel, const load_filling *filling, const char *package, const char *version,
                    const char *abi, unsigned build, piw_err *err);
void load_wheel_fini(load_wheel *wheel);
/* `len` of its bytes from `offset` on. */
void load_wheel_piece(const load_wheel *wheel, const load_filling *filling, size_t offset, size_t len,
                      load_rest *piece);
/* What the slave says of it, in the arena of `msg`. */
void load_wheel_state(const load_wheel *wheel, const char *abi, piw_msg *msg, file_state *state);

#endif
