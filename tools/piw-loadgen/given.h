/* given.h — the versions that the master gave out: none may come twice. */
#ifndef LOADGEN_GIVEN_H
#define LOADGEN_GIVEN_H

#include "piw/base.h"

/* Zero is empty. */
typedef struct load_given {
    char **at; /* "PACKAGE VERSION"; NULL: free */
    size_t size, count;
} load_given;

/* Notes a version. False: it was there already. */
bool load_given_add(load_given *given, const char *package, const char *version);
void load_given_fini(load_given *given);

#endif
