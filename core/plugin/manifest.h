/* manifest.h — inside the core: is a plugin's manifest complete and free of contradictions? */
#ifndef PIW__MANIFEST_H
#define PIW__MANIFEST_H

#include "piw/limits.h"
#include "piw/plugin.h"

/* Check the manifest of `file` and intern all protocols it names. PIW_EPLUGIN with one sentence in err. Call with the
 * loader's lock held. */
int piw__manifest_check(const piw_plugin *plugin, const char *file, piw_err *err);

/* Is it one that a task may be sent, so that it needs a handler? */
bool piw__comes_in(const piw_msg_type *type);

#endif
