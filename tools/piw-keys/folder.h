/* folder.h — what piw-keys does in a master's folder of keys. One thread. */
#ifndef PIW_KEYS_FOLDER_H
#define PIW_KEYS_FOLDER_H

#include "piw/keys.h"

/* A key pair that opens these queues: its public half into the folder, all of it into the file `output`, which must not be
 * there. With the first one the folder and the master's own pair are made. */
int keys_make(const char *folder, const char *name, const char *queues, const char *output, piw_err *err);
/* To standard output. A file that is no key is an error, once the others are listed. */
int keys_list(const char *folder, piw_err *err);
int keys_revoke(const char *folder, const char *name, piw_err *err);

#endif
