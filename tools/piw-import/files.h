/* files.h — files that the user named, read whole. Any thread. */
#ifndef IMPORT_FILES_H
#define IMPORT_FILES_H

#include "piw/codec.h"

/* Append the content of the plain file at `path`, at most `max` bytes. An error names the file. */
int files_read(const char *path, size_t max, piw_buffer *content, piw_err *err);

#endif
