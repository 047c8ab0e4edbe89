/* unsynced.h — packages whose pages are written, and may not have reached the disk: they stay among the requests that are saved until a
 * sync of the site has begun after that and has ended well. One each, with what was written of it since. One thread. */
#ifndef THE_SECRETARY_UNSYNCED_H
#define THE_SECRETARY_UNSYNCED_H

#include "piw/base.h"
#include "shared/table.h"
#include "the_secretary.piw.h"

enum { UNSYNCED_MAX = 100000 /* minutes of bulk work: only a disk that can't be synced comes there */ };

typedef struct unsynced_page {
    piw_table_node node;
    secretary_page saved; /* what a swap keeps; its text is the one here */
    char package[];
} unsynced_page;

typedef struct unsynced {
    piw_table by_package;
    uint64_t seed;
} unsynced;

void unsynced_init(unsynced *all);
void unsynced_fini(unsynced *all);
/* Its pages were written at `page->written_ns`. Where there are too many nothing is kept. */
void unsynced_add(unsynced *all, const secretary_page *page);
/* What was written before this moment is on the disk. */
void unsynced_reached(unsynced *all, int64_t before_ns);
size_t unsynced_count(const unsynced *all);
/* One after the other; NULL begins and ends. */
const unsynced_page *unsynced_next(const unsynced *all, const unsynced_page *page);

#endif
