/* metadata.h — the fields of a wheel's METADATA that the farm uses (core metadata, PEP 566 and later).
 *
 * Any thread. Texts point into the bytes given or into the structure's own memory. */
#ifndef SHARED_METADATA_H
#define SHARED_METADATA_H

#include "piw/err.h"

typedef struct piw_metadata {
    char *name, *version, *summary; /* as written; NULL: absent */
    char *requires_python;          /* NULL: absent, or longer than 200 characters */
    char **requires;                /* canonical names of Requires-Dist without those whose marker names an extra, */
    size_t requires_count;          /* malformed and over-long ones left out; sorted, no duplicates */
} piw_metadata;

/* Read the header fields (what follows the first empty line is the description). Fails only for lack of memory
 * (PIW_ENOMEM) or when Name or Version is missing or there twice (PIW_EREFUSED). */
int piw_metadata_parse(const void *data, size_t len, piw_metadata *metadata, piw_err *err);
void piw_metadata_fini(piw_metadata *metadata);

#endif
