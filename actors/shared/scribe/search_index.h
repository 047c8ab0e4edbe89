/* search_index.h — what site/search.js searches: every package's name, in pieces. Worker pool.
 *
 *   search/index.json    {"pieces": [[first name, file, how many], …], "popular": file, "count": all}
 *   search/HASH.gz       names in the order of their bytes, each as: how many bytes it shares with the one before (one byte), the
 *                        others, and 0x80 + its rank: 0, or log2 of its downloads in the last 30 days
 *
 * A piece is called after its bytes, so a browser keeps it for good. Where pieces begin depends on the names alone: one more name
 * changes one piece. In pieces all ranks are 0; only `popular`, whose names are those most downloaded, has others. */
#ifndef SHARED_SCRIBE_SEARCH_INDEX_H
#define SHARED_SCRIBE_SEARCH_INDEX_H

#include "piw/err.h"
#include "the_scribe.piw.h"

/* Of packages.json as page_downloads_* make it. Pieces that nothing names any more go after a while. */
int search_index_write(const site_facts *site, const char *packages, size_t len, piw_err *err);

#endif
