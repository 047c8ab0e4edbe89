/* isolate.h — inside the core: tasks with isolate = process, as the master sees them (docs/bus.md#isolation).
 *
 * The shell has an ordinary soul, the stand-in, whose handlers give each message to the process that holds the real one
 * and carry out what comes back. Its functions are called on the shell's thread. */
#ifndef PIW__ISOLATE_H
#define PIW__ISOLATE_H

#include "plugin/image.h"

#include <sys/types.h>

/* May this image run in a process of its own? */
int piw__isolate_check(const piw__image *image, piw_err *err);
/* The stand-in for an image: its manifest with our functions. Made once, never freed. Any thread. */
const piw__image *piw__isolate_image(const piw__image *image);

/* --- isolate_spawn.c --- */
/* The program that holds souls, for tests, whose library lies elsewhere; NULL: piw-soul beside the library. */
PIW_API extern const char *piw__soul_program;
/* Start the program that holds souls; its end of the socket pair and the image's bytes are all that it gets. */
int piw__soul_spawn(const char *task, int image_fd, int *fd, pid_t *pid, piw_err *err);
/* Kill it if it still runs, and say how it ended. */
void piw__soul_reap(pid_t pid, char *how, size_t size);

#endif
