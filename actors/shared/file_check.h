/* file_check.h — what a slave or importer says of a file, checked before it touches a path or the database
 * (docs/wire.md#what-is-checked).
 *
 * Any thread. */
#ifndef SHARED_FILE_CHECK_H
#define SHARED_FILE_CHECK_H

#include "piw/err.h"

#include "common.piw.h"

enum { PIW_FILESIZE_MAX = 2147483647 }; /* bytes: the width of files.filesize */

/* Check one file against those rules. `package` is the canonical package being built; a null text leaves the
 * comparison out (imports). PIW_EINVAL with one sentence that names the file and why. */
int piw_file_check(const file_state *file, piw_text package, piw_err *err);
/* The files of one build: each by itself, of the version being built (a null text leaves that out), and no name twice. */
int piw_files_check(const file_state *files, uint32_t count, piw_text package, piw_text version, piw_err *err);
/* Are all of them for what a machine of this platform can build for? */
int piw_files_check_platform(const file_state *files, uint32_t count, piw_text platform, piw_err *err);
/* 64 lower-case hex digits? (Upper case is refused: the text is compared and stored as it is.) */
bool piw_hash_ok(piw_text hash);

#endif
