/* listing.h — reads PyPI's list of projects (PEP 691, application/vnd.pypi.simple.v1+json) as it comes in: names and
 * serials, and the serial of the whole. The bytes are hostile: nesting, number, size are bounded. One thread. */
#ifndef CLOUD_GAZER_LISTING_H
#define CLOUD_GAZER_LISTING_H

#include "piw/codec.h"
#include "piw/err.h"

enum {
    GAZER_LISTING_BYTES = 256 << 20, /* of one list; PyPI's has 40 MB */
    GAZER_LISTING_MAX = 4000000,     /* projects of one list; PyPI has 700,000 */
};

/* A project of the list. The name is canonical, and ends with the listing. */
typedef struct gazer_listed {
    const char *package;
    int64_t serial;
} gazer_listed;

typedef struct gazer_listing gazer_listing;

gazer_listing *gazer_listing_new(void);
void gazer_listing_free(gazer_listing **listing);
/* Bytes of it. An error says what is wrong with them. */
int gazer_listing_feed(gazer_listing *listing, const void *data, size_t len, piw_err *err);
/* That was all. Sorts the projects by their names, in the order of bytes, each once. */
int gazer_listing_end(gazer_listing *listing, piw_err *err);
/* After the end: the projects, and the highest serial that the list knows of. */
const gazer_listed *gazer_listing_projects(const gazer_listing *listing, size_t *count);
int64_t gazer_listing_serial(const gazer_listing *listing);

#endif
