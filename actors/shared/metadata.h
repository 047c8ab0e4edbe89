/* metadata.h — the fields of a wheel's METADATA that the farm uses (core metadata, PEP 566 and later).
 *
 * Any thread. Texts point into the bytes given or into the structure's own memory. */
#ifndef SHARED_METADATA_H
#define SHARED_METADATA_H

#include "piw/err.h"

typedef struct piw_metadata {
    char *metadata_version, *name, *version, *summary; /* unfolded; NULL: absent */
    char *requires_python;                             /* at most 200 characters; NULL: absent */
    char **requires;       /* canonical names of Requires-Dist without those whose marker names an extra, */
    size_t requires_count; /* over-long ones left out; sorted, no duplicates */
} piw_metadata;

/* Read the header fields, folded ones to their end (what follows the first empty line is the description). PIW_EREFUSED
 * with a sentence: it isn't UTF-8 or a header that every reader understands alike; Name or Version is missing; a field
 * that is to be there once is there twice; Requires-Python or a Requires-Dist doesn't parse, or the former is longer than
 * the index takes. PIW_ENOMEM. */
int piw_metadata_parse(const void *data, size_t len, piw_metadata *metadata, piw_err *err);
void piw_metadata_fini(piw_metadata *metadata);

#endif
