/* wheel_needs.h — what the code in a wheel needs of the machine, of a wheel that has passed the gate. For the worker pool. */
#ifndef SHARED_WHEEL_NEEDS_H
#define SHARED_WHEEL_NEEDS_H

#include "shared/needs.h"

/* Read the open file, whose published name is `filename`, into an empty list; the caller frees (piw_needs_fini), whatever is
 * returned. A wheel for any platform needs nothing; of one for a system that isn't Linux, and of what can't be read, nothing is
 * known. PIW_ESYS, PIW_ENOMEM: our own trouble. */
int piw_wheel_needs(int fd, const char *filename, piw_needs *needs, piw_err *err);
/* The same of a file in memory. */
int piw_wheel_needs_of(const void *data, size_t len, const char *filename, piw_needs *needs, piw_err *err);

#endif
