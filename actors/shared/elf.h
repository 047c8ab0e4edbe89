/* elf.h — what an ELF file says of itself, and which machine a wheel's platform tag names. Any thread.
 *
 * The bytes are hostile: whatever they hold, the functions read no further than `len` and give an answer. */
#ifndef SHARED_ELF_H
#define SHARED_ELF_H

#include "piw/err.h"

enum { PIW_ELF_HEAD = 64 /* bytes: the file header of the wider class */ };

/* The file header. All zero but for `elf`: it begins as an ELF file and ends within its header. */
typedef struct piw_elf_head {
    bool elf;
    bool wide, big_endian;
    uint16_t type, machine; /* ET_…, EM_… */
    uint32_t flags;
} piw_elf_head;

/* The header by a file's first bytes (PIW_ELF_HEAD of them when it has so many); .elf is false when it isn't ELF. */
piw_elf_head piw_elf_head_of(const void *data, size_t len);

/* Does a tag of this set ("linux_armv7l", "manylinux_2_17_x86_64.manylinux2014_x86_64") name a Linux machine that is
 * known here? "any", win32 and macOS's don't. */
bool piw_platform_native(const char *platform_tag);
/* Is the file for the machine, word size and byte order that every tag of the set names? */
bool piw_platform_fits(const char *platform_tag, const piw_elf_head *head);
/* Can a machine whose interpreter says `own` ("linux_x86_64") make wheels for every tag of the set? "any"; its own; those of
 * other Linux systems on the same machine, and of the 32-bit one that runs under its kernel. */
bool piw_platform_makes(piw_text own, piw_text platform_tag);
/* Do all tags of the set name a machine whose floating-point arguments travel in registers (armv7l, armv6l)? */
bool piw_platform_hard_float(const char *platform_tag);
/* Would an interpreter of every tag take a file with this tag in its name (cpython-311-x86_64-linux-gnu) for an extension
 * module? A tag without a machine (abi3) is everyone's. */
bool piw_platform_imports(const char *platform_tag, piw_text suffix_tag);

/* Does the shared object define this symbol for others? */
bool piw_elf_exports(const void *data, size_t len, const char *symbol);
/* Calls `fn` for each library that the dynamic section names, with the first of its search paths (RUNPATH, else RPATH;
 * "" without one), until it returns other than 0, which is returned. The texts lie in `data`. */
typedef int piw_elf_needs_fn(void *arg, const char *library, const char *search_path);
int piw_elf_needs(const void *data, size_t len, piw_elf_needs_fn *fn, void *arg);
/* The same for each version of symbols that the file can't do without, with the library that is to have it. PIW_ELIMIT: there
 * are more than a linker writes. */
typedef int piw_elf_versions_fn(void *arg, const char *library, const char *version);
int piw_elf_versions(const void *data, size_t len, piw_elf_versions_fn *fn, void *arg);

#endif
