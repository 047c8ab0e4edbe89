/* tasks.c — which tasks the master runs: the standard ones, changed and added to by [task:NAME] sections. */
#include "tasks.h"

#include "common/programs.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Names, nothing else: what they do is in their plugins. */
static const char *const standard[] = {
    "the_oracle",   "seraph",      "the_architect", "file_juggler", "the_scribe", "the_secretary",
    "slave_driver", "big_brother", "cloud_gazer",   "mr_chase",     "lumberjack",
};

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void dir_add(plugin_dirs *dirs, char *path)
{
    dirs->at = piw_realloc(dirs->at, sizeof(char *) * (dirs->count + 1));
    dirs->at[dirs->count++] = path;
}

/* "DIR/bin/piw-master" -> "DIR/TAIL", when there is such a folder. */
static char *beside_program(const char *tail)
{
    char *self = realpath("/proc/self/exe", NULL), *path = NULL;
    for (int i = 0; i < 2 && self != NULL; i++) {
        char *slash = strrchr(self, '/');
        slash[slash == self ? 1 : 0] = '\0';
    }
    if (self != NULL) {
        path = piw_sprintf("%s/%s", self, tail);
        if (!is_dir(path)) {
            free(path);
            path = NULL;
        }
    }
    free(self);
    return path;
}

/* A build tree's folder, that of the installation the program belongs to wherever it was moved, or the usual one. */
static void default_dirs(plugin_dirs *dirs)
{
    static const char *const tails[] = {"plugins", "lib/piwheels/plugins"};
    for (size_t i = 0; i < PIW_COUNT(tails); i++) {
        char *beside = beside_program(tails[i]);
        if (beside != NULL)
            dir_add(dirs, beside);
    }
    if (dirs->count == 0)
        dir_add(dirs, piw_strdup(PIW_PREFIX "/lib/piwheels/plugins"));
}

int plugin_dirs_make(plugin_dirs *dirs, const piw_config *config, piw_err *err)
{
    *dirs = (plugin_dirs){0};
    const char *const *given;
    size_t count = piw_config_list(config, "plugin-dir", &given);
    for (size_t i = 0; i < count; i++) {
        piw_err found_err = {0};
        char *path = NULL;
        if (piw_expand_home(given[i], &path, &found_err) == 0 && !is_dir(path))
            piw_err_set(&found_err, PIW_ECONFIG, "'%.200s' is not a folder", path);
        if (found_err.code != 0) {
            free(path);
            plugin_dirs_fini(dirs);
            return piw_err_set(err, PIW_ECONFIG, "plugin-dir (%s): %s", piw_config_origin(config, "plugin-dir"),
                               found_err.text);
        }
        dir_add(dirs, path);
    }
    if (count == 0)
        default_dirs(dirs);
    return 0;
}

void plugin_dirs_fini(plugin_dirs *dirs)
{
    for (size_t i = 0; i < dirs->count; i++)
        free(dirs->at[i]);
    free(dirs->at);
    *dirs = (plugin_dirs){0};
}

static piw_task_config *task_find(const task_list *tasks, const char *name)
{
    for (size_t i = 0; i < tasks->count; i++) {
        if (strcmp(tasks->at[i].name, name) == 0)
            return &tasks->at[i];
    }
    return NULL;
}

static piw_task_config *task_add(task_list *tasks, const char *name)
{
    tasks->at = piw_realloc(tasks->at, sizeof(*tasks->at) * (tasks->count + 1));
    tasks->at[tasks->count] = (piw_task_config){.name = name, .enabled = true, .critical = -1};
    return &tasks->at[tasks->count++];
}

/* A key that the runtime doesn't know is the plugin's own; the loader checks it against the manifest. */
static void option_add(piw_task_config *task, const char *name, const char *value, const char *origin)
{
    const char ***lists[] = {(const char ***)&task->option_names, (const char ***)&task->option_values,
                             (const char ***)&task->option_origins};
    const char *texts[] = {name, value, origin};
    for (size_t i = 0; i < PIW_COUNT(lists); i++) {
        *lists[i] = piw_realloc(*lists[i], sizeof(char *) * (task->options_count + 1));
        (*lists[i])[task->options_count] = texts[i];
    }
    task->options_count++;
}

static int check_key(const piw_opt *opt, const char *text, int64_t *number, piw_err *err)
{
    *number = 0;
    int rc = piw_opt_check(opt, text, err);
    if (rc == 0 && (opt->kind == PIW_OPT_SWITCH || opt->kind == PIW_OPT_INT))
        rc = piw_opt_number(opt, text, number, err);
    return rc;
}

/* The sentence, if there is one, lacks file, line and key. */
static int task_key(piw_task_config *task, const char *key, const char *text, const char *origin, piw_err *err)
{
    int64_t number;
    int rc = 0;
    if (strcmp(key, "plugin") == 0) {
        task->origins[PIW_TASK_PLUGIN] = origin;
        rc = *text != '\0' ? check_key(&master_task_options[PIW_TASK_PLUGIN], text, &number, err)
                           : piw_err_set(err, PIW_EINVAL, "the file name is missing");
        task->plugin = text;
    } else if (strcmp(key, "enabled") == 0) {
        task->origins[PIW_TASK_ENABLED] = origin;
        rc = check_key(&master_task_options[PIW_TASK_ENABLED], text, &number, err);
        task->enabled = number != 0;
    } else if (strcmp(key, "instances") == 0) {
        task->origins[PIW_TASK_INSTANCES] = origin;
        rc = check_key(&master_task_options[PIW_TASK_INSTANCES], text, &number, err);
        task->instances = (unsigned)number;
    } else if (strcmp(key, "critical") == 0) {
        task->origins[PIW_TASK_CRITICAL] = origin;
        rc = check_key(&master_task_options[PIW_TASK_CRITICAL], text, &number, err);
        task->critical = (int)number;
    } else if (strcmp(key, "absent") == 0) {
        task->origins[PIW_TASK_ABSENT] = origin;
        rc = check_key(&master_task_options[PIW_TASK_ABSENT], text, &number, err);
        task->absent_wait = strcmp(text, "wait") == 0;
    } else if (strcmp(key, "isolate") == 0) {
        task->origins[PIW_TASK_ISOLATE] = origin;
        rc = check_key(&master_task_options[PIW_TASK_ISOLATE], text, &number, err);
        task->isolate = strcmp(text, "process") == 0;
    } else {
        option_add(task, key, text, origin);
    }
    return rc;
}

static int check_name(const char *name, const char *section, const char *origin, piw_err *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    size_t len = strspn(name, letters);
    if (len == 0 || name[len] != '\0' || len > FARM_TASK_NAME_MAX) {
        return piw_err_set(err, PIW_ECONFIG,
                           "%s: [%.100s]: a task's name is 1 to %d lower case letters, digits and underscores", origin,
                           section, FARM_TASK_NAME_MAX);
    }
    return 0;
}

static int apply_section(task_list *tasks, const piw_config *config, const char *section, piw_err *err)
{
    const char *name = section + strlen("task:"), *const * keys, *origin = "configuration";
    size_t count = piw_config_keys(config, section, &keys);
    if (count > 0)
        piw_config_raw(config, section, keys[0], &origin);
    int rc = check_name(name, section, origin, err);
    if (rc != 0)
        return rc;
    piw_task_config *task = task_find(tasks, name);
    if (task == NULL)
        task = task_add(tasks, name);
    for (size_t i = 0; i < count; i++) {
        const char *text = piw_config_raw(config, section, keys[i], &origin);
        piw_err found_err = {0};
        if (task_key(task, keys[i], text, origin, &found_err) != 0)
            return piw_err_set(err, PIW_ECONFIG, "%s: %.100s: %s", origin, keys[i], found_err.text);
    }
    return 0;
}

int task_list_make(task_list *tasks, const piw_config *config, piw_err *err)
{
    *tasks = (task_list){0};
    for (size_t i = 0; i < PIW_COUNT(standard) && !piw_config_switch(config, "no-farm"); i++)
        task_add(tasks, standard[i]);
    const char *const *sections;
    size_t count = piw_config_sections(config, "task:", &sections);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = apply_section(tasks, config, sections[i], err);
    if (rc != 0)
        task_list_fini(tasks);
    return rc;
}

void task_list_fini(task_list *tasks)
{
    for (size_t i = 0; i < tasks->count; i++) {
        free((void *)tasks->at[i].option_names);
        free((void *)tasks->at[i].option_values);
        free((void *)tasks->at[i].option_origins);
    }
    free(tasks->at);
    *tasks = (task_list){0};
}
