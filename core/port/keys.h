/* keys.h — inside the core: the keys that a master knows (docs/security.md#keys): its own, and those that it lets in.
 *
 * One folder for the process: `master.key`, and `NAME.pub` for each key that is let in. Read again whenever it changes; any
 * thread may ask. */
#ifndef PIW__KEYS_H
#define PIW__KEYS_H

#include "piw/keys.h"

/* Read the folder. PIW_EEXIST: one is open. */
int piw__keys_open(const char *folder, piw_err *err);
void piw__keys_close(void);
/* Becomes readable (inotify) when the folder has changed; -1: no folder is open. */
int piw__keys_fd(void);
/* Read it again. An error: all stays as it was, to be tried again. */
int piw__keys_reload(piw_err *err);
/* The master's own; false: there is none, and so no encrypted queue. */
bool piw__keys_own(piw_key *key);
/* The name of who has this key, if it opens the queue. */
bool piw__keys_find(const uint8_t own[PIW_KEY_BYTES], const char *queue, char name[PIW_KEY_NAME + 1]);
/* Another number after each change: until then what piw__keys_find() said holds. */
unsigned piw__keys_generation(void);

#endif
