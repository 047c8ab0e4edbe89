/* wheel_record.h — the RECORD of a wheel (PEP 376, PEP 427): lines of path, hash and size, as CSV. Any thread. */
#ifndef SHARED_WHEEL_RECORD_H
#define SHARED_WHEEL_RECORD_H

#include "piw/err.h"

/* Bytes of the hashes that are taken; the length tells them apart. */
enum { PIW_WHEEL_RECORD_SHA256 = 32, PIW_WHEEL_RECORD_SHA384 = 48, PIW_WHEEL_RECORD_SHA512 = 64 };

typedef struct piw_wheel_record_line {
    const char *path; /* unquoted, NUL-terminated */
    size_t path_len;
    size_t hash_len; /* one of the above; 0: none is given */
    uint8_t hash[PIW_WHEEL_RECORD_SHA512];
    bool has_size;
    uint64_t size;
} piw_wheel_record_line;

typedef struct piw_wheel_record {
    char *text; /* what the paths point into */
    piw_wheel_record_line *lines;
    size_t count;
} piw_wheel_record;

/* Parse. PIW_EREFUSED with a sentence for a line that isn't of that form, a hash by another algorithm (md5, sha1), or a path
 * that is there twice. Lines are sorted by path. */
int piw_wheel_record_parse(const void *data, size_t len, piw_wheel_record *record, piw_err *err);
void piw_wheel_record_fini(piw_wheel_record *record);
/* The line of a path, or NULL. */
const piw_wheel_record_line *piw_wheel_record_find(const piw_wheel_record *record, const char *path, size_t len);

#endif
