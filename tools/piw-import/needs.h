/* needs.h — what the wheels of an import need beside themselves: lists of apt packages, Python packages and others. Any
 * thread. */
#ifndef IMPORT_NEEDS_H
#define IMPORT_NEEDS_H

#include "piw/err.h"

typedef enum { NEEDS_APT, NEEDS_PIP, NEEDS_OTHER, NEEDS_KINDS } needs_kind;

typedef struct needs_list {
    char **at; /* in the order in which they came, no duplicates */
    size_t count;
} needs_list;

typedef struct needs {
    needs_list lists[NEEDS_KINDS];
} needs;

/* The keys of file_state.dependencies: "apt", "pip", "". */
extern const char *const needs_keys[NEEDS_KINDS];

/* Read the file of --dependencies: one a line, `libfoo1` or `apt: libfoo1` for an apt package, `pip: NAME` for a Python
 * package, `: PATH` for a library of no package; empty lines and what follows '#' at the beginning of a line or after a
 * blank is skipped. PIW_EREFUSED, with file and line. `list` is zeroed by the caller, who ends it with needs_fini. */
int needs_read(const char *path, needs *list, piw_err *err);
/* The same over bytes; the error says "line N: …". */
int needs_parse(const char *data, size_t len, needs *list, piw_err *err);
/* Another one, copied, unless it is there already. */
void needs_add(needs *list, needs_kind kind, piw_text text);
void needs_fini(needs *list);

#endif
