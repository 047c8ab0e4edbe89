/* site.h — the files of the site, which can't be left by any path. One thread. */
#ifndef WEB_SERVER_SITE_H
#define WEB_SERVER_SITE_H

#include "conditions.h"

#include "piw/err.h"

#include <sys/stat.h>

typedef struct web_site {
    char *path;
    int fd; /* the folder; -1: it isn't there now */
} web_site;

int web_site_open(web_site *site, const char *path, piw_err *err);
void web_site_close(web_site *site);
/* The folder may have been mounted, or moved away. */
void web_site_look(web_site *site);

typedef struct web_file {
    int fd; /* the caller's */
    struct stat status;
    char etag[WEB_ETAG_SIZE];
} web_file;

/* Open a file or folder below the site for reading; links are followed as far as they stay below it. False: it isn't
 * there, or is neither. */
bool web_file_open(const web_site *site, const char *path, web_file *file);
/* The media type of a name. */
const char *web_type_of(const char *path);

#endif
