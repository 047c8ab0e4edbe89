/* elf_excerpt.h — an ELF file in little: its headers, and of its sections those that elf.c and arm_code.c read, as a file of
 * its own that they take for the whole. A wheel's libraries may have any size; this is what is held of one. Any thread. */
#ifndef SHARED_ELF_EXCERPT_H
#define SHARED_ELF_EXCERPT_H

#include "shared/elf.h"
#include "shared/zip.h"

enum { PIW_ELF_EXCERPT_MAX = 32 << 20 }; /* bytes: the largest tables of symbols that are known come to some 10 MB */

/* Take it from a member that has been read before (its checksum isn't compared again). *data (malloc; the caller frees) is NULL when
 * it would be larger than PIW_ELF_EXCERPT_MAX. Tables that lie outside of the file stay so. PIW_ENOMEM, PIW_EREFUSED. */
int piw_elf_excerpt(const piw_zip *zip, const piw_zip_entry *entry, uint8_t **data, size_t *len, piw_err *err);

#endif
