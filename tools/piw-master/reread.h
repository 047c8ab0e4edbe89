/* reread.h — the configuration read again while the master runs: what changed about tasks is applied. */
#ifndef MASTER_REREAD_H
#define MASTER_REREAD_H

#include "runtime/runtime.h"
#include "tasks.h"

/* What it needs to know. Borrowed, for as long as the master runs. */
typedef struct reread {
    int argc;
    char **argv;
    const piw_config *config; /* as read at the start: what is in force but for the tasks */
    piw_runtime *runtime;
} reread;

/* A piw_admin_hooks.reread; `arg` is a struct reread. */
int reread_configuration(void *arg, void (*say)(void *to, const char *line), void *to, piw_err *err);
/* A piw_admin_hooks.settings. */
void reread_settings(void *arg, void (*say)(void *to, const char *name, const char *value, const char *origin),
                     void *to);

#endif
