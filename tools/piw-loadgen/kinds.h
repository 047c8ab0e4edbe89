/* kinds.h — the kinds of good builds: how many wheels, and how large. Each build is of one of them, by chance. */
#ifndef LOADGEN_KINDS_H
#define LOADGEN_KINDS_H

#include "wheel.h"

enum { LOAD_KINDS_MAX = 8, LOAD_FILES_MAX = 999, LOAD_FILE_MAX = 1 << 30 };

typedef struct load_kind {
    int64_t files, file_size;
    load_filling filling;
} load_kind;

typedef struct load_kinds {
    load_kind at[LOAD_KINDS_MAX];
    size_t count;
    int64_t files_max; /* of any kind */
} load_kinds;

/* One of `files` wheels of `file_size`, and those of `items`: "2x4K". */
int load_kinds_read(load_kinds *kinds, int64_t files, int64_t file_size, const char *const *items, size_t count,
                    piw_err *err);
/* Make what their wheels are filled with. */
int load_kinds_fill(load_kinds *kinds, piw_err *err);
void load_kinds_fini(load_kinds *kinds);

#endif
