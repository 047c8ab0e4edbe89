/* elf_check.h — inside the core: look at a plugin's bytes before any of its code runs. */
#ifndef PIW__ELF_CHECK_H
#define PIW__ELF_CHECK_H

#include "piw/err.h"

/* Are these bytes an ELF shared object for this machine that exports piw_plugin_manifest (and nothing else) and imports
 * none of the functions that plugins may not use (threads, thread-locals' destructors, signals, exit handlers,
 * processes, dlopen)? `file` is for the sentence in err. Every offset is checked against `size`. Builds with sanitizers
 * export and import more: there only the shape is checked. */
PIW_API int piw__elf_check(const void *data, size_t size, const char *file, piw_err *err);

#endif
