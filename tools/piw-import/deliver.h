/* deliver.h — the conversation of an import (docs/wire.md#imports): IMPORT, the files that the master asks for, DONE.
 * Main thread. */
#ifndef IMPORT_DELIVER_H
#define IMPORT_DELIVER_H

#include "build.h"
#include "common/clerk.h"

/* Returns 0 only when the master has taken every file. PIW_EREFUSED with the master's words when it refuses. */
int deliver(clerk *self, build *b, const char *file_queue, piw_err *err);

#endif
