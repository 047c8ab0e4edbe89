/* depends.h — which Debian packages a wheel's native libraries need.
 *
 * The libraries are unpacked into a folder under plain numbers, ldd says what they load, dpkg whose it is. Libraries
 * that the wheel brings along are left out. */
#ifndef SLAVE_DEPENDS_H
#define SLAVE_DEPENDS_H

#include "sandbox.h"

typedef struct slave_depends {
    char **apt; /* names of packages; sorted, no duplicates */
    size_t apt_count;
    char **others; /* paths of libraries that nobody owns, names of libraries that are missing; sorted, no duplicates */
    size_t others_count;
} slave_depends;

/* Look at the wheel at `path`; `scratch` is an existing folder for its use. ldd, which reads what strangers
 * made, runs in the sandbox, if there is one (NULL: none). A wheel without native libraries gives none. */
int slave_depends_find(const char *path, const char *scratch, const slave_sandbox *sandbox, slave_depends *found,
                       piw_err *err);
void slave_depends_fini(slave_depends *found);

#endif
