/* wheel.h — the wheel gate: is this file a sound wheel that may be published?
 *
 * The checks stand in one row in wheel.c (gate_checks), each a function that says yes or one sentence. Takes as long as
 * unpacking and hashing everything: for the worker pool or a program. Of the file, which is mapped, a few megabytes are in
 * memory at a time. Any thread. */
#ifndef SHARED_WHEEL_H
#define SHARED_WHEEL_H

#include "shared/metadata.h"
#include "shared/wheel_along.h"

enum { PIW_METADATA_MAX = 16 << 20 }; /* bytes: a description with embedded pictures fits */

typedef struct piw_wheel {
    int64_t filesize;
    char filehash[65];      /* SHA-256 of the file, lower case hex */
    char metadata_hash[65]; /* SHA-256 of METADATA's bytes */
    uint8_t *metadata_bytes;
    size_t metadata_len;
    piw_metadata metadata;
    bool armv6_too;         /* a linux_armv7l wheel without code that needs more than ARMv6 */
    const char *refused_by; /* the check that it didn't pass, in a word; NULL: none. Stays when the rest is freed */
} piw_wheel;

/* Read and check the wheel at `path`, whose published name is `filename`. On success the caller owns what is in *wheel
 * (piw_wheel_fini). PIW_EREFUSED: it isn't a sound wheel, with a sentence fit for a build's log that names the file;
 * PIW_ESYS, PIW_ENOENT, PIW_ENOMEM: our own trouble. */
int piw_wheel_read(const char *path, const char *filename, piw_wheel *wheel, piw_err *err);
/* What was read of a wheel while it came (shared/wheel_along.h), and isn't read again. It changes no verdict. */
typedef struct piw_wheel_known {
    const char *hash;           /* of the whole file; NULL: isn't known */
    const piw_wheel_seen *seen; /* members, in the file's order */
    size_t count;
} piw_wheel_known;
/* The same over an open file. `expected_hash` (64 hex digits, or NULL) is compared first: PIW_EAGAIN when the file has
 * another one. `known` may be NULL. */
int piw_wheel_read_fd(int fd, const char *filename, const char *expected_hash, const piw_wheel_known *known,
                      piw_wheel *wheel, piw_err *err);
/* The same of a file in memory. */
int piw_wheel_read_bytes(const void *data, size_t len, const char *filename, const char *expected_hash,
                         const piw_wheel_known *known, piw_wheel *wheel, piw_err *err);
/* The 32 bytes of a SHA-256 as 64 hex digits (65 bytes). */
void piw_hash_hex(const void *hash, char *hex);
/* SHA-256 and size of a file, as 64 hex digits (65 bytes). */
int piw_file_hash(const char *path, char *hash, int64_t *size, piw_err *err);
void piw_wheel_fini(piw_wheel *wheel);

#endif
