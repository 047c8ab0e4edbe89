/* project.h — what the statements about packages' pages have brought, and the places in it (project.c). One thread. */
#ifndef ORACLE_PROJECT_H
#define ORACLE_PROJECT_H

#include "oracle.h"

/* The results of a call's statements, in their order. Those from VIEWS on are asked for on a farm with views. */
typedef enum {
    PACKAGES,
    ALIASES,
    VERSIONS,
    ABIS,
    BUILDS,
    DEPENDENCIES,
    YANKS,
    VIEWS,
    VIEW_BUILDS,
    VIEW_LINKS,
    VIEW_QUEUE,
    RESULTS
} result_of;

/* The first row of each result that isn't used yet. */
typedef struct reader {
    PGresult *rows[RESULTS]; /* NULL: it wasn't asked for */
    int at[RESULTS];
    piw_msg *msg; /* what they are put into */
} reader;

/* --- reader.c --- */
/* How many rows from the next one on are about the package, and, if one is given, the version. */
int reader_run(reader *self, result_of which, piw_text package, piw_text version);

/* --- project_views.c --- */
/* In the place of those results. */
extern const statement view_statements[RESULTS - VIEWS];
/* What views have of a release, when its own rows are in it. */
void fill_views(reader *self, const project_data *data, project_release *release);

#endif
