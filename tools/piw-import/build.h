/* build.h — the build that is imported: its wheels, read and checked, and the message that announces them. Main thread. */
#ifndef IMPORT_BUILD_H
#define IMPORT_BUILD_H

#include "import.piw.h"
#include "needs.h"
#include "shared/abi.h"
#include "shared/names.h"
#include "shared/views.h"

enum { BUILD_FILES_MAX = 1000 }; /* the bound of IMPORT's list */

/* What the user says of the build; NULL: what the first wheel says. */
typedef struct build_wish {
    const char *package, *version, *abi, *view;
    int64_t duration_ms;
    const char *output;       /* file with the build's log */
    const char *dependencies; /* file with what all wheels need */
} build_wish;

typedef struct build_file {
    const char *given; /* as the user wrote it; his */
    char *path;        /* where it really is */
    char *filename;
    int64_t size;
    unsigned sent; /* how often it was asked for */
} build_file;

typedef struct build {
    build_file files[BUILD_FILES_MAX];
    size_t count;
    char package[PIW_NAME_MAX + 1]; /* canonical */
    char *version;
    char abi[PIW_ABI_TAG_MAX + 1]; /* or the view that it is for */
    needs needs;
    piw_msg *request; /* IMPORT; taken when it is sent */
} build;

/* Read the wheels. `b` is zeroed by the caller, who ends it with build_fini. PIW_EUSAGE when the user must say more;
 * PIW_EREFUSED for what is no sound wheel. */
int build_read(build *b, const build_wish *wish, const char *const *paths, size_t count, piw_err *err);
void build_fini(build *b);

#endif
