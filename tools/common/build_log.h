/* build_log.h — a build's log, which the master keeps below its output path; and which of its lines tells why the build failed.
 * Any thread. */
#ifndef COMMON_BUILD_LOG_H
#define COMMON_BUILD_LOG_H

#include "shared/site_path.h"
#include "shared/text.h"

#include <sys/types.h>

/* Reads the log at `path`, unpacked, at most about `most` bytes of it. PIW_ENOENT: there is none. */
int build_log_read(const char *path, size_t most, piw_buffer *to, piw_err *err);
/* A text's lines, ended in place; the list is to be freed. */
char **build_log_lines(char *text, size_t *count);
/* A line without the stamp that pip gives each of its log: 2026-11-29T21:25:27,747. */
const char *build_log_unstamped(const char *line);
/* The line that tells why a build failed; -1: none looks so. */
ssize_t build_log_error(char *const *lines, size_t count);

#endif
