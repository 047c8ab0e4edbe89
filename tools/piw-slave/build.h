/* build.h — one build: pip in a throw-away folder, with limits, and what it came to.
 *
 * The folder is DIR/piw-build-XXXXXX; it goes with slave_build_free. */
#ifndef SLAVE_BUILD_H
#define SLAVE_BUILD_H

#include "slave.h"

/* May these be given to pip as PACKAGE==VERSION and --index-url? They come from the master. */
int slave_build_check(piw_text package, piw_text version, const char *index_url, piw_err *err);

/* Start pip for exactly that source archive. On failure nothing is left. */
int slave_build_start(slave_build **build, const slave_settings *settings, piw_text package, piw_text version,
                      const char *index_url, piw_err *err);
/* Has it ended? Ends it when its time is over or its log too long. */
bool slave_build_ended(slave_build *build);
/* When it must be looked at again, CLOCK_MONOTONIC ns. */
int64_t slave_build_look_ns(const slave_build *build);
/* Kill everything it started. */
void slave_build_kill(slave_build *build);

/* After its end. Did pip succeed, how long did it take. */
bool slave_build_good(const slave_build *build);
/* The signal that ended it, if that didn't come from slave_build_kill; else 0. */
int slave_build_signal(const slave_build *build);
/* Did pip begin to work? If not, bubblewrap couldn't begin it, which is this machine's trouble. */
bool slave_build_begun(const slave_build *build);
piw_duration slave_build_duration(const slave_build *build);
/* The log with `note` (lines; may be NULL) at its end; a new reference. NULL: no memory. */
piw_blob *slave_build_log(const slave_build *build, const char *note);
/* What it builds. */
const char *slave_build_package(const slave_build *build);
const char *slave_build_version(const slave_build *build);
/* How long ago it began. */
piw_duration slave_build_elapsed(const slave_build *build);
/* Folders: of the wheels made, and one for anyone's use. */
const char *slave_build_wheels(const slave_build *build);
const char *slave_build_scratch(const slave_build *build);

/* Kills it if it still runs, and removes its folder. */
void slave_build_free(slave_build **build);

#endif
