/* child.h — other programs, run as the user whose work they do. One thread; no shell takes part. */
#ifndef SETUP_CHILD_H
#define SETUP_CHILD_H

#include "piw/err.h"

/* Is there such a user? */
bool child_user_exists(const char *user);

/* Run argv[0] (looked for in the system's folders unless it is a path) as `user`, or as root when NULL, and wait for its end.
 * `said` (may be NULL) becomes what it wrote to stdout, at most 64 KiB, for the caller to free. PIW_EREFUSED with its last
 * words on stderr when its exit code isn't 0. */
int child_run(const char *user, const char *const argv[], char **said, piw_err *err);
/* Start it with the terminal's output. It gets SIGTERM when this process ends. */
int child_start(const char *user, const char *const argv[], pid_t *pid, piw_err *err);

#endif
