/* zip_extra.h — the extra fields of ZIP headers, for the archive reader alone. Any thread. */
#ifndef SHARED_ZIP_EXTRA_H
#define SHARED_ZIP_EXTRA_H

#include "piw/base.h"

/* Read the extra fields of one header. Those of `values` (in ZIP64's order) that are at the header's maximum are taken from
 * its ZIP64 field. NULL, or what is wrong with them: "has …". */
const char *piw_zip_extra_read(const uint8_t *extra, size_t len, piw_text name, uint64_t *const values[], size_t count);

#endif
