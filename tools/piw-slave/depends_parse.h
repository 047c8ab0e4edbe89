/* depends_parse.h — what ldd and dpkg print, taken apart; and the spellings of a library's path. No I/O; any thread. */
#ifndef SLAVE_DEPENDS_PARSE_H
#define SLAVE_DEPENDS_PARSE_H

#include "piw/base.h"

/* One line of ldd's output. */
typedef enum {
    SLAVE_LDD_NOTHING, /* a heading, the kernel's own object, "statically linked" */
    SLAVE_LDD_PATH,    /* *text is the library's absolute path */
    SLAVE_LDD_MISSING, /* *text is the name of a library that isn't there */
} slave_ldd_kind;
slave_ldd_kind slave_ldd_line(piw_text line, piw_text *text);

/* One line of `dpkg -S`: "PACKAGE[:ARCH][, …]: PATH". The first package, without its architecture. False for other
 * lines (diversions). */
bool slave_dpkg_line(piw_text line, piw_text *package, piw_text *path);

/* The same file's other spelling on a system whose /lib is a link to /usr/lib: "/usr/lib/x" for "/lib/x" and the
 * reverse. False, with `to` empty, when there is none or it doesn't fit. */
bool slave_other_spelling(const char *path, char *to, size_t size);

#endif
