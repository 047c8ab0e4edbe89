/* page.h — reads a project's page of the Simple API as it comes in, for what PyPI says of the project as a whole (PEP 792),
 * why releases are yanked (PEP 592), and which wheels it offers: those that aren't. The bytes are hostile: nesting, size and number are bounded. One thread. */
#ifndef CLOUD_GAZER_PAGE_H
#define CLOUD_GAZER_PAGE_H

#include "db.piw.h"
#include "piw/err.h"

enum {
    GAZER_PAGE_BYTES = 256 << 20, /* of one page; the longest have some ten MB */
    GAZER_YANKS_MAX = 20000,      /* versions of one project; reasons of more aren't kept */
    GAZER_REASON_CHARS = 1000,    /* longer ones are cut */
    GAZER_WHEELS_MAX = 20000,     /* of one project; more aren't kept */
};

typedef struct gazer_page gazer_page;

/* NULL: no memory. */
gazer_page *gazer_page_new(const char *package);
void gazer_page_free(gazer_page **page);
int gazer_page_feed(gazer_page *page, const void *data, size_t len, piw_err *err);
int gazer_page_end(gazer_page *page, piw_err *err);
/* After the end: `project-status`; "" when the page doesn't say, or says more than 31 bytes. */
const char *gazer_page_status(const gazer_page *page);
/* The same as facts for the database, copied into the arena of `msg`: what isn't offered or is as usual has no status. Wheels
 * are added if they are wanted. */
void gazer_page_put(const gazer_page *page, piw_msg *msg, db_PYPI_FACTS *to, bool wheels);

#endif
