/* admin_config.c — the tasks' sections of the configuration, as they are in force. */
#include "runtime/admin.h"

#include <stdio.h>

typedef void say_fn(void *to, const char *name, const char *value, const char *origin);

static void say_key(const piw__role *role, const char *key, const char *value, const char *origin, say_fn *say,
                    void *to)
{
    char name[160];
    snprintf(name, sizeof(name), "task:%s.%.90s", role->name, key);
    say(to, name, value, origin != NULL ? origin : "default");
}

/* Options that nobody has set have the manifest's value. */
static void say_options(const piw__role *role, const piw_plugin *plugin, const piw__options *options, say_fn *say,
                        void *to)
{
    for (unsigned i = 0; plugin->options != NULL && plugin->options[i].name != NULL; i++) {
        const piw_opt *option = &plugin->options[i];
        const char *value = piw__option_value(options, option->name);
        if (value == NULL)
            value = option->fallback != NULL ? option->fallback : "";
        say_key(role, option->name, value, piw__option_origin(options, option->name), say, to);
    }
}

static void say_role(piw__role *role, say_fn *say, void *to)
{
    static const char by_hand[] = "piw-ctl";
    const char *origins[PIW_TASK_KEYS];
    char instances[16];
    pthread_mutex_lock(&role->runtime->look);
    const char *plugin = role->plugin;
    const piw__image *image = role->image;
    const piw__options *options = role->options;
    bool enabled = role->enabled;
    memcpy(origins, role->origins, sizeof(origins));
    if (plugin != role->plugin_config)
        origins[PIW_TASK_PLUGIN] = by_hand;
    if (enabled != role->enabled_config)
        origins[PIW_TASK_ENABLED] = by_hand;
    pthread_mutex_unlock(&role->runtime->look);
    snprintf(instances, sizeof(instances), "%u", role->instances);
    say_key(role, "plugin", plugin, origins[PIW_TASK_PLUGIN], say, to);
    say_key(role, "enabled", enabled ? "yes" : "no", origins[PIW_TASK_ENABLED], say, to);
    say_key(role, "instances", instances, origins[PIW_TASK_INSTANCES], say, to);
    say_key(role, "critical", role->critical ? "yes" : "no", origins[PIW_TASK_CRITICAL], say, to);
    say_key(role, "isolate", role->isolate ? "process" : "thread", origins[PIW_TASK_ISOLATE], say, to);
    say_key(role, "absent", role->absent_wait ? "wait" : "error", origins[PIW_TASK_ABSENT], say, to);
    if (image != NULL)
        say_options(role, image->plugin, options, say, to);
}

void piw__admin_settings(piw_runtime *runtime, say_fn *say, void *to)
{
    for (size_t i = 0; i < runtime->roles_count; i++)
        if (runtime->roles[i] != runtime->admin_role)
            say_role(runtime->roles[i], say, to);
}
