/* retag.h — wheels whose tags say what their code isn't for, renamed.
 *
 * Where the kernel has 64 bits and the interpreter 32 (the default of a Raspberry Pi), build backends may name a wheel after
 * the kernel though it holds code for the interpreter: no installer there looks for such a name.
 *
 * Others say manylinux_2_5 of any machine: for others than x86 installers begin with 2.17, and take no such wheel, not even where it
 * was built.
 *
 * A wheel of the stable ABI is named after the oldest interpreter that its code is for. With CPython 3.15 some backends call
 * its modules MODULE.abi3-MACHINE.so, which no older one looks for: it is renamed to be for the interpreter that built it. */
#ifndef SLAVE_RETAG_H
#define SLAVE_RETAG_H

#include "slave.h"

/* What a platform tag (maybe a set of them) is to be called on a slave for `platform` under a kernel that is called
 * `kernel`: into `to`. False: as it is, or it doesn't fit. `foreign`: it named the kernel's processor. */
bool slave_retag_platform(const char *tag, const char *platform, const char *kernel, char *to, size_t size,
                          bool *foreign);

/* Rename what must be renamed among the wheels in `folder`: file name, Tag lines of WHEEL, RECORD. A line a wheel is added
 * to `notes`, for the build's log. PIW_EREFUSED: a sentence about a wheel that can't be renamed safely. */
int slave_retag(const char *folder, const slave_settings *settings, piw_buffer *notes, piw_err *err);

#endif
