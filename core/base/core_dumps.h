/* core_dumps.h — inside the core: may what this process holds be seen from outside?
 *
 * Passwords and keys are in more places than could be wiped: the command line, libpq's copies, what the cryptography
 * made of them. So a process is closed as a whole: a crash leaves no core file, and only root may trace it or read its
 * memory. A new program image begins open again. Any thread. */
#ifndef PIW__CORE_DUMPS_H
#define PIW__CORE_DUMPS_H

#include "piw/base.h"

/* What the kernel refuses is left as it is. */
void piw__core_dumps_allow(bool allowed);
bool piw__core_dumps_allowed(void);

#endif
