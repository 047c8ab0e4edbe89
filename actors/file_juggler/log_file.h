/* log_file.h — a build's log as a file: gzip over clean UTF-8. For the worker pool. */
#ifndef FILE_JUGGLER_LOG_FILE_H
#define FILE_JUGGLER_LOG_FILE_H

#include "piw/msg.h"

/* One of those that must not hold up the rest. */
bool log_file_is_large(const piw_blob *output);
/* Write the log into an open file; `path` is for sentences. Equal logs give equal files. A large one is on the disk afterwards. */
int log_file_write(int fd, const char *path, const piw_blob *output, piw_err *err);
/* Is there a file, and is it a log from its first byte to its last? */
bool log_file_whole(const char *path);

#endif
