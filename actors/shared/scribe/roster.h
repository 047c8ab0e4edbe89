/* roster.h — the names of all packages, in order: what the root list shows. One thread. */
#ifndef SHARED_SCRIBE_ROSTER_H
#define SHARED_SCRIBE_ROSTER_H

#include "piw/msg.h"

typedef struct roster {
    char **names; /* sorted */
    size_t count, room;
    size_t bytes; /* of all names with their NULs */
} roster;

/* False when it is there already. Names that come in order are appended without moving others. */
bool roster_add(roster *names, piw_text name);
/* False when it isn't there. */
bool roster_remove(roster *names, piw_text name);
/* The first name behind this one, which needn't be there, and how many stand before it. NULL: there is none. */
const char *roster_behind(const roster *names, const char *name, size_t *place);
/* All names, each ended by a NUL byte. NULL when there is no memory. */
piw_blob *roster_blob(const roster *names);
void roster_fini(roster *names);

#endif
