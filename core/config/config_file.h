/* config_file.h — inside the core: reads a configuration file into a flat list of entries. It knows no option.
 *
 * A line is `key = value`, `key: value`, `key value` or a bare `key`; values may stand in quotes and may be followed by
 * ` # comment` (or ` ; comment`); `[section]` begins a section; empty lines, lines that begin with `#` or `;`, and
 * `---` are skipped. The file is UTF-8 (a byte order mark is skipped), lines may end in CR LF. One thread. */
#ifndef PIW__CONFIG_FILE_H
#define PIW__CONFIG_FILE_H

#include "piw/err.h"

enum {
    PIW__CONFIG_FILE_BYTES = 1 << 20, /* a file written by hand is a few KB */
    PIW__CONFIG_FILE_ENTRIES = 20000,
};

typedef struct piw__entry {
    const char *section; /* "" before any section */
    char *key;
    char *value; /* without quotes and comment; "true" for a bare key */
    bool bare;   /* there was nothing after the key */
    bool quoted;
    char *origin;  /* "/etc/piwheels.conf:12" */
    unsigned file; /* which of the files that were read into this list, from 0 */
} piw__entry;

typedef struct piw__entries {
    piw__entry *at;
    size_t count, room;
    char **sections; /* every section named, in order of appearance, once */
    char **origins;  /* where each was named first */
    size_t sections_count;
    unsigned files;
} piw__entries;

/* Add a file's entries. PIW_ENOENT when it isn't there, PIW_ESYS when it can't be read, PIW_ECONFIG (with file and
 * line) when a line can't be understood. On failure the list may hold the entries before the fault; free it as usual.
 */
PIW_API int piw__config_file_read(piw__entries *entries, const char *path, piw_err *err);
/* The same for text in memory; `name` stands for the file in origins and errors. */
PIW_API int piw__config_file_parse(piw__entries *entries, const char *name, const char *text, size_t len, piw_err *err);
PIW_API void piw__entries_fini(piw__entries *entries);

/* `[a, "b c"]` -> its items, each to be freed, and the array too. A value without brackets is one item. */
PIW_API size_t piw__config_items(const char *value, char ***items);

#endif
