/* target.h — what a request's target asks for: a path below the site, or another address.
 *
 * Nothing is looked at but the text. Any thread. */
#ifndef WEB_SERVER_TARGET_H
#define WEB_SERVER_TARGET_H

#include "piw/base.h"

enum { WEB_PATH_MAX = 1024 };

typedef enum {
    WEB_MISSING,  /* what can't be on a site: a hidden name, a climbing path, a control character */
    WEB_REDIRECT, /* `path` is where to, from the site's root */
    WEB_FOLDER,   /* it ends in a slash */
    WEB_FILE,
} web_kind;

/* What is said to caches, and what is negotiated, depends on the place. */
typedef enum {
    WEB_ANYWHERE,
    WEB_INDEX,      /* /simple/ and /simple/PKG/, or a view's: two forms */
    WEB_INDEX_PAGE, /* one of them by its own name */
    WEB_WHEEL,      /* a wheel or its metadata */
    WEB_LOG,        /* /logs/….txt or .html, which lies there with .gz behind it */
    WEB_NAMES,      /* /search/….gz, called after its bytes */
} web_place;

typedef struct web_target {
    web_kind kind;
    web_place place;
    char path[WEB_PATH_MAX + 1]; /* decoded, without the first slash, and the last; "" is the root */
    bool slash;                  /* a redirect's path ends in one */
} web_target;

/* `raw` is the target as it was sent, without its query. */
void web_target_read(const char *raw, web_target *target);

#endif
