/* repack.h — an archive again, with some of its members changed. All others are copied as they are, packed; the result
 * depends on nothing but the input. */
#ifndef SLAVE_REPACK_H
#define SLAVE_REPACK_H

#include "shared/zip.h"

/* What a member is to hold from now on; it keeps its name, time and mode. */
typedef struct slave_change {
    const piw_zip_entry *entry; /* of the archive */
    const void *data;
    size_t len;
} slave_change;

/* Write the changed archive to `fd`. PIW_EREFUSED: an archive in the 64-bit form; PIW_ESYS, PIW_ENOMEM. */
int slave_repack(const piw_zip *zip, const slave_change *changes, size_t count, int fd, piw_err *err);

#endif
