/* ahead.h — plugins' files read ahead of their loading: found, checked and copied by a thread of its own, while the loader
 * maps those that came before. */
#ifndef PIW__AHEAD_H
#define PIW__AHEAD_H

#include "plugin/image.h"

typedef struct piw__ahead piw__ahead;

/* So many files in turn; what `dirs` and `files` point to is borrowed until the end. NULL: there is no thread for it. */
piw__ahead *piw__ahead_start(const piw__plugin_dirs *dirs, const char *const *files, size_t count);
/* Waits for that file; what is taken is the caller's, to be used up by piw__image_of_file. Each once. */
int piw__ahead_take(piw__ahead *ahead, size_t number, piw__plugin_file *file, piw_err *err);
/* What wasn't taken is let go. NULL is allowed. */
void piw__ahead_end(piw__ahead **ahead);

#endif
