/* site_mark.h — is the output folder the site that this farm writes (docs/site.md#the-mark)?
 *
 * A file in it holds a random mark, which the database remembers. A folder without it, or with another, is no place to
 * write in: it was taken away, or the file system that belongs there isn't mounted. Any thread. */
#ifndef SHARED_SITE_MARK_H
#define SHARED_SITE_MARK_H

#include "piw/err.h"

enum { PIW_SITE_MARK_LEN = 32 /* hex digits */ };

/* Before anything is written below `root`: does it bear a mark at all? PIW_EAGAIN with a sentence: not now; whoever asked
 * tries again. */
int piw_site_there(const char *root, piw_err *err);
/* The folder's mark into `mark` (PIW_SITE_MARK_LEN + 1 bytes); "" when it has none. PIW_ESYS: that can't be told. */
int piw_site_mark_read(const char *root, char *mark, piw_err *err);
/* A new mark. */
int piw_site_mark_make(char *mark, piw_err *err);
/* Mark the folder, which is there, has no mark yet and is never made by this; synced. */
int piw_site_mark_write(const char *root, const char *mark, piw_err *err);

#endif
