/* project.h — reads a project's document (URL/PACKAGE/json) as it comes in: its name, and of each release whether it has
 * a source, since when it is there, and whether it is yanked. The bytes are hostile: nesting, number, size are bounded,
 * what isn't a version is left out. One thread. */
#ifndef CLOUD_GAZER_PROJECT_H
#define CLOUD_GAZER_PROJECT_H

#include "db.piw.h"
#include "piw/err.h"

enum {
    GAZER_PROJECT_BYTES = 64 << 20, /* of one document; the largest have 30 MB */
    GAZER_RELEASES_MAX = 20000,     /* of one project; the busiest have 5,000 */
};

typedef struct gazer_project gazer_project;

/* NULL: no memory. */
gazer_project *gazer_project_new(const char *package);
void gazer_project_free(gazer_project **project);
int gazer_project_feed(gazer_project *project, const void *data, size_t len, piw_err *err);
/* That was all. Refused when it is another project's document, or doesn't speak of releases. */
int gazer_project_end(gazer_project *project, piw_err *err);
/* After the end. The serial of its last change, 0 when it doesn't say. */
int64_t gazer_project_serial(const gazer_project *project);
uint32_t gazer_project_releases(const gazer_project *project);
/* Copied into a message's arena. */
void gazer_project_put(const gazer_project *project, piw_msg *msg, pypi_project *to);

#endif
