/* atom.h — a feed as Atom (RFC 4287). Pure: from entries to bytes; any thread. */
#ifndef FEED_ATOM_H
#define FEED_ATOM_H

#include "piw/codec.h"
#include "piw/msg.h"

enum { FEED_ENTRIES = 100 };

/* A build; whoever holds it owns the texts. */
typedef struct feed_item {
    int64_t build_id, files;
    char *package, *version, *abi_tag, *cause;
    bool status;
    piw_time moment;
} feed_item;

typedef struct feed_site {
    const char *base_url; /* where the site's root is */
    const char *name;     /* NULL: not configured */
} feed_site;

/* `path` is the feed's own below the site's root. PIW_ENOMEM. */
int feed_print(const feed_site *site, const char *path, const char *title, const feed_item *items, uint32_t count,
               piw_buffer *to);

#endif
