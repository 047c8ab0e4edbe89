/* elf.h — which processor an ELF file is for, and which a platform tag names. Any thread. */
#ifndef SHARED_ELF_H
#define SHARED_ELF_H

#include "piw/base.h"

enum { PIW_ELF_HEAD = 20 }; /* bytes of a file that piw_elf_machine looks at */

/* The machine number (e_machine) of a file by its first bytes, or -1 when it isn't ELF. */
int piw_elf_machine(const uint8_t *head, size_t len);
/* The machine that a platform tag ("linux_armv7l", "manylinux_2_17_x86_64.manylinux2014_x86_64") names, or -1 when it
 * names none ("any") or one that isn't known here. */
int piw_platform_machine(const char *platform_tag);
/* Does a whole ARM ELF file say in its build attributes that it needs more than the ARMv6 of a linux_armv6l machine?
 * One without attributes doesn't (they default to the oldest architecture); one whose attributes can't be read does. */
bool piw_elf_beyond_armv6(const void *data, size_t len);

#endif
