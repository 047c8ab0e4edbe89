/* zip.h — a strict reader of ZIP archives, for input that may be hostile (docs/site.md#the-wheel-gate).
 *
 * It works on bytes in memory (a mapped file) and accepts only archives that every reader understands alike: one end
 * record that ends the file, a central directory that lies directly before it, members that follow each other without
 * gaps, overlaps or data descriptors from the first byte on, local headers that agree with the central directory, names
 * that are relative, plain, distinct and said once, and no symbolic links. Only stored and deflated members. Any thread; an archive belongs to
 * one. */
#ifndef SHARED_ZIP_H
#define SHARED_ZIP_H

#include "piw/err.h"

enum {
    PIW_ZIP_ENTRIES_MAX = 100000,  /* the largest known wheels hold some 20,000 files */
    PIW_ZIP_NAME_MAX = 1024,       /* bytes of one name: what unpackers can make a path of */
    PIW_ZIP_RATIO_MAX = 250,       /* bytes unpacked per byte of the archive, beyond the free part */
    PIW_ZIP_STRIDE = 4 << 20,      /* bytes of the archive that are read between two calls of let_go */
    PIW_ZIP_RATIO_FREE = 64 << 20, /* bytes that may be unpacked whatever the ratio: small files of zeros are common */
    PIW_ZIP_LOCAL_SIZE = 30,       /* bytes of a local header before the name and extra fields */
};

/* How a member's bytes are packed. */
enum { PIW_ZIP_STORED = 0, PIW_ZIP_DEFLATED = 8 };

typedef struct piw_zip_entry {
    const char *name; /* in the archive's bytes: counted, not terminated */
    uint16_t name_len;
    uint16_t method;
    uint32_t crc;
    uint64_t packed_size, size;
    uint64_t header; /* offset of the local header */
    uint64_t data;   /* offset of the packed bytes */
    bool folder;     /* its name ends in '/' */
} piw_zip_entry;

typedef struct piw_zip piw_zip;

/* Open and check everything but the members' contents. The archive borrows `data`. PIW_EREFUSED with a sentence about the
 * archive (without its name), PIW_ENOMEM. */
int piw_zip_open(piw_zip **zip, const void *data, size_t len, piw_err *err);
/* Of mapped bytes: whoever mapped them may let go of what was read. `let_go` is called each time that about PIW_ZIP_STRIDE
 * more has been, while the archive is opened and members are read. Borrowed like the bytes. */
typedef struct piw_zip_mapped {
    void (*let_go)(void *arg);
    void *arg;
    size_t read; /* since it was called */
} piw_zip_mapped;
int piw_zip_open_mapped(piw_zip **zip, const void *data, size_t len, piw_zip_mapped *mapped, piw_err *err);
void piw_zip_close(piw_zip **zip);
size_t piw_zip_count(const piw_zip *zip);
const piw_zip_entry *piw_zip_at(const piw_zip *zip, size_t index);
/* The entry of this name, or NULL. */
const piw_zip_entry *piw_zip_find(const piw_zip *zip, const char *name, size_t len);
/* The archive itself, as it was given to piw_zip_open. */
const uint8_t *piw_zip_bytes(const piw_zip *zip);
/* So many more of its bytes are about to be read. */
void piw_zip_touch(const piw_zip *zip, size_t len);
/* Where in it the central directory begins. */
uint64_t piw_zip_directory(const piw_zip *zip);
/* Bytes of all members unpacked. */
uint64_t piw_zip_unpacked(const piw_zip *zip);

/* Of an archive whose end isn't known yet: the local header that begins at byte `at`, of which `data` is what has come. *took:
 * its bytes, behind which those of the member begin. */
typedef enum piw_zip_local {
    PIW_ZIP_LOCAL,
    PIW_ZIP_CUT,   /* it hasn't come whole */
    PIW_ZIP_OTHER, /* no local header, or of a member that no sound archive has */
} piw_zip_local;
piw_zip_local piw_zip_read_local(const void *data, size_t len, uint64_t at, piw_zip_entry *entry, size_t *took);

/* Unpack a member piece by piece into `fn`, which returns 0 to go on or an error that ends it. Size and CRC are checked:
 * PIW_EREFUSED. */
typedef int piw_zip_fn(void *arg, const uint8_t *data, size_t len);
int piw_zip_read(const piw_zip *zip, const piw_zip_entry *entry, piw_zip_fn *fn, void *arg, piw_err *err);
/* Unpack a member of at most `max` bytes into memory (malloc; the caller frees), NUL-terminated. PIW_ELIMIT. */
int piw_zip_extract(const piw_zip *zip, const piw_zip_entry *entry, size_t max, uint8_t **data, piw_err *err);

#endif
