/* wheel_name.h — a wheel's file name taken apart (PEP 427): {package}-{version}(-{build})?-{py}-{abi}-{platform}.whl
 *
 * Strict, because the name becomes a path: at most 255 bytes of printable text without '/', no leading dot, every part
 * there, the package part canonicalises. And one that installers read (binary distribution format, packaging.utils): the
 * version is one by PEP 440, the build part begins with a digit. Any thread. */
#ifndef SHARED_WHEEL_NAME_H
#define SHARED_WHEEL_NAME_H

#include "piw/err.h"

enum { PIW_FILENAME_MAX = 255 }; /* bytes: the width of files.filename, and what a file system takes */

typedef struct piw_wheel_name {
    char package[PIW_FILENAME_MAX + 1]; /* as spelt */
    char canonical[201];                /* the package part, canonicalised */
    char version[PIW_FILENAME_MAX + 1];
    char build[PIW_FILENAME_MAX + 1]; /* "" when there is none */
    char py[PIW_FILENAME_MAX + 1];
    char abi[PIW_FILENAME_MAX + 1];
    char platform[PIW_FILENAME_MAX + 1];
} piw_wheel_name;

/* The name under which a linux_armv7l wheel is listed for linux_armv6l too, into `to` (PIW_FILENAME_MAX + 1 bytes). False:
 * it isn't one. */
bool piw_wheel_name_armv6l(piw_text filename, char *to);
/* PIW_EINVAL with a sentence that names the file. `name` is undefined then. */
int piw_wheel_name_parse(piw_text filename, piw_wheel_name *name, piw_err *err);
/* The same for what may have been published before installers' rules were asked for: fit for a path. */
int piw_wheel_name_split(piw_text filename, piw_wheel_name *name, piw_err *err);
/* Do installers read the name at all? Newer ones stop at an index page with one that they don't. */
bool piw_wheel_name_readable(piw_text filename);

#endif
