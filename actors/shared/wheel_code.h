/* wheel_code.h — which of a wheel's ELF files its platform runs, and whether they are fit for it.
 *
 * An interpreter loads extension modules, by the end of their name, and libraries; what an installer puts on the PATH is
 * run. Those are for the machine that every platform tag names. All other ELF files (firmware, helpers for other
 * machines, object files) are data. Any thread. */
#ifndef SHARED_WHEEL_CODE_H
#define SHARED_WHEEL_CODE_H

#include "shared/elf.h"
#include "shared/needs.h"
#include "shared/zip.h"

typedef struct piw_code_file {
    const piw_zip_entry *entry;
    piw_elf_head head;
} piw_code_file;

/* The ELF files of a wheel, in the archive's order. */
typedef struct piw_code_files {
    piw_code_file *at;
    size_t count, room;
} piw_code_files;

/* Note a member by the first bytes of its content, when it is an ELF file. PIW_ENOMEM. */
int piw_code_add(piw_code_files *files, const piw_zip_entry *entry, const void *head, size_t len, piw_err *err);
void piw_code_fini(piw_code_files *files);

/* Check them all against the wheel's platform tag. *armv6_too: the tag is linux_armv7l, and no code that is run needs
 * more than ARMv6. PIW_EREFUSED with a sentence about the wheel; PIW_ENOMEM. */
int piw_code_check(const piw_zip *zip, const piw_code_files *files, const char *platform_tag, bool *armv6_too,
                   piw_err *err);
/* What the code that is run needs beside what the wheel brings itself, into an empty list. For a wheel that has passed the
 * check above. PIW_ENOMEM, PIW_EREFUSED. */
int piw_code_needs(const piw_zip *zip, const piw_code_files *files, const char *platform_tag, piw_needs *needs,
                   piw_err *err);

#endif
