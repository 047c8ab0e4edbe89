/* elf_check.h — inside the core: look at a plugin's bytes before any of its code runs. */
#ifndef PIW__ELF_CHECK_H
#define PIW__ELF_CHECK_H

#include "piw/err.h"

/* What loading and checking a file read of it. */
typedef struct piw__elf_parts {
    size_t loaded;                  /* bytes from its beginning: headers, and all that is mapped */
    size_t sections, sections_size; /* the table of sections, which may lie behind */
} piw__elf_parts;

/* The rest, names and lines for debuggers, is most of a file that wasn't stripped. All of the file's `size` bytes are `loaded` where it
 * has no sound headers, and in builds with sanitizers, whose reports name lines. */
PIW_API void piw__elf_find_parts(int fd, size_t size, piw__elf_parts *parts);

/* Are these bytes an ELF shared object for this machine that exports piw_plugin_manifest (and nothing else) and imports
 * none of the functions that plugins may not use (threads, thread-locals' destructors, signals, exit handlers,
 * processes, dlopen)? `file` is for the sentence in err. Every offset is checked against `size`. Builds with sanitizers
 * export and import more: there only the shape is checked. */
PIW_API int piw__elf_check(const void *data, size_t size, const char *file, piw_err *err);

#endif
