/* settings.h — the configuration as tasks see it (piw_setting): one table of names and texts, made once at the start.
 *
 * Names are the long options, "site.KEY", "auth.KEY" and "view:NAME.KEY", and "views": the names of all views. Spans are milliseconds, switches 0 or 1. Read-only after
 * settings_make, so any thread may ask. */
#ifndef MASTER_SETTINGS_H
#define MASTER_SETTINGS_H

#include "piw/options.h"

typedef struct settings {
    struct setting {
        char *name, *text;
    } * at;
    size_t count;
} settings;

/* Checks everything the core doesn't know the meaning of: the DSN, the queues' addresses, [site] and [auth]. */
int settings_make(settings *made, const piw_config *config, piw_err *err);
void settings_fini(settings *made);

/* In the form that piw_runtime_config wants; NULL: unset. */
const char *settings_get(void *made, const char *name);

#endif
