/* tasks.h — which tasks the master runs: the standard ones by name, changed and added to by [task:NAME] sections. */
#ifndef MASTER_TASKS_H
#define MASTER_TASKS_H

#include "piw/options.h"
#include "runtime/runtime.h"

/* Folders that plugins are loaded from. */
typedef struct plugin_dirs {
    char **at;
    size_t count;
} plugin_dirs;

/* Those of --plugin-dir, which must exist; without any: "../plugins" beside the program's folder (a build tree) and
 * "../lib/piwheels/plugins" (an installation), or else the folder of PREFIX. */
int plugin_dirs_make(plugin_dirs *dirs, const piw_config *config, piw_err *err);
void plugin_dirs_fini(plugin_dirs *dirs);

typedef struct task_list {
    piw_task_config *at; /* texts borrowed from the configuration, which outlives it */
    size_t count;
} task_list;

/* Standard tasks first, unless there is to be no farm, then those that sections add, in order of appearance. */
int task_list_make(task_list *tasks, const piw_config *config, piw_err *err);
void task_list_fini(task_list *tasks);

#endif
