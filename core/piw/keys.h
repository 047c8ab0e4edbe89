/* keys.h — key pairs of CURVE in files (docs/security.md#keys): who may speak to a master over an encrypted queue.
 *
 * A file is a line `WORD = VALUE` for each thing known; keys are 64 hex digits. What holds a secret, and what says who is let
 * in, belongs to its user (or root) and has mode 0600, or it is refused. Functions may be called from any thread. */
#ifndef PIW_KEYS_H
#define PIW_KEYS_H

#include "piw/err.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    PIW_KEY_BYTES = 32,
    PIW_KEY_HEX = 2 * PIW_KEY_BYTES + 1, /* as text, with its NUL */
    PIW_KEY_NAME = 64,                   /* characters of a name: a-z 0-9 . _ -, a letter or digit first */
    PIW_KEY_QUEUES = 128,
};

typedef struct piw_key {
    char name[PIW_KEY_NAME + 1];
    char queues[PIW_KEY_QUEUES]; /* those that it opens, with blanks between; "": it is a master's own */
    uint8_t own[PIW_KEY_BYTES];  /* the public half */
    uint8_t secret[PIW_KEY_BYTES];
    uint8_t master[PIW_KEY_BYTES]; /* the public half of the master's, in the file of who connects */
    bool has_secret, has_master;
    uint8_t reserved[29]; /* zero */
} piw_key;

/* A new pair, without a name. */
PIW_API int piw_key_make(piw_key *key, piw_err *err);
/* PIW_EREFUSED: others may read or write it; PIW_ESHAPE: it is no such file; PIW_ESYS: it can't be read. */
PIW_API int piw_key_read(piw_key *key, const char *path, piw_err *err);
/* The same for who connects: it must hold a secret and the master's public half. */
PIW_API int piw_key_read_client(piw_key *key, const char *path, piw_err *err);
/* A new file, there as a whole or not at all: mode 0600, of the user that `folder_fd` belongs to when root makes it. `name` is
 * of that folder. PIW_EEXIST: there is one. */
PIW_API int piw_key_write(const piw_key *key, int folder_fd, const char *name, piw_err *err);
/* Is it a folder in which nobody but its owner makes, renames or removes files? */
PIW_API int piw_key_check_folder(const char *path, piw_err *err);
PIW_API void piw_key_text(const uint8_t bytes[PIW_KEY_BYTES], char to[PIW_KEY_HEX]);
PIW_API bool piw_key_name_good(const char *name);
/* Does it open this queue? */
PIW_API bool piw_key_opens(const piw_key *key, const char *queue);
/* Overwrites it. */
PIW_API void piw_key_wipe(piw_key *key);

#ifdef __cplusplus
}
#endif

#endif
