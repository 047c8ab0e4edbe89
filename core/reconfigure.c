/* A task is brought in line with a configuration that was read again. */
#include "runtime_inner.h"

#include <stdio.h>

typedef struct change {
    piw__role *role;
    const piw_task_config *config;
    const char *plugin;    /* interned */
    piw__options *options; /* the new ones, owned by the role from the first order on */
    bool plugin_changed, options_changed;
    const piw__image *image; /* that it will have */
} change;

static bool same_options(const piw__options *a, const piw__options *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const char *other = piw__option_value(b, a->names[i]);
        if (other == NULL || strcmp(other, a->values[i]) != 0)
            return false;
    }
    return true;
}

/* Can it be done? The plugin is loaded, and nothing else. */
static int check(change *c, piw_err *err)
{
    piw__role *role = c->role;
    int ret = 0;
    c->image = role->image;
    if (c->plugin_changed || role->image == NULL)
        ret = piw__role_load(role, c->plugin_changed ? c->plugin : role->plugin, c->options, &c->image, err);
    else
        ret = piw__role_check_options(role, c->options, role->image, err);
    if (ret == 0 && role->image != NULL)
        ret = piw__admin_check_successor(role, c->image, false, err);
    return ret;
}

static int apply_soul(change *c, piw_err *err)
{
    piw__role *role = c->role;
    /* From here on shells may point into the options, whatever comes of it. */
    c->options->older = role->all_options;
    role->all_options = c->options;
    const piw__options *options = c->options;
    c->options = NULL;
    int ret = 0;
    if (role->enabled)
        ret = role->isolate ? piw__admin_fresh(role, c->image, options, err)
                            : piw__admin_order(role, PIW__OP_SWAP, c->image, options, err);
    if (ret != 0)
        return ret;
    piw__role_set_image(role, c->image);
    pthread_mutex_lock(&role->runtime->look);
    role->options = options;
    if (c->plugin_changed)
        role->plugin = c->plugin;
    role->plugin_config = c->plugin;
    pthread_mutex_unlock(&role->runtime->look);
    if (c->plugin_changed)
        role->builtin = NULL;
    return 0;
}

static void say(char *done, size_t size, const char *fmt, ...) PIW_PRINTF(3, 4);
static void say(char *done, size_t size, const char *fmt, ...)
{
    size_t len = strlen(done);
    va_list args;
    va_start(args, fmt);
    if (len > 0 && len + 2 < size) {
        memcpy(done + len, ", ", 3);
        len += 2;
    }
    vsnprintf(done + len, size - len, fmt, args);
    va_end(args);
}

static int apply(change *c, char *done, size_t size, piw_err *err)
{
    piw__role *role = c->role;
    bool switched = c->config->enabled != role->enabled_config;
    int ret = 0;
    if (switched && !c->config->enabled && (ret = piw__admin_disable(role->runtime, role->name, false, err)) == 0)
        say(done, size, "disabled");
    if (ret == 0 && (c->plugin_changed || c->options_changed) && (ret = apply_soul(c, err)) == 0) {
        if (c->plugin_changed)
            say(done, size, "replaced by %s", c->plugin);
        if (c->options_changed)
            say(done, size, "has new options");
    }
    if (ret == 0 && switched && c->config->enabled && (ret = piw__admin_enable(role->runtime, role->name, err)) == 0)
        say(done, size, "enabled");
    if (ret == 0)
        role->enabled_config = c->config->enabled;
    return ret;
}

/* What can't be changed while it runs. */
static void say_later(const change *c, char *done, size_t size)
{
    const piw__role *role = c->role;
    const char *key = c->config->instances != role->instances_config ? "instances"
                      : c->config->critical != role->critical_config ? "critical"
                      : c->config->absent_wait != role->absent_wait  ? "absent"
                      : c->config->isolate != role->isolate          ? "isolate"
                                                                     : NULL;
    if (key != NULL)
        say(done, size, "its key %s takes effect when the master is restarted", key);
}

static int reconfigure(piw_runtime *runtime, const piw_task_config *config, bool really, char *done, size_t size,
                       piw_err *err)
{
    change c = {.config = config};
    if (piw__runtime_role(runtime, config->name) == NULL) {
        say(done, size, "is new and starts when the master is restarted");
        return 0;
    }
    int ret = piw__admin_find(runtime, config->name, &c.role, err);
    if (ret != 0)
        return ret;
    c.plugin = piw__plugin_name(config);
    c.plugin_changed = c.plugin != c.role->plugin_config;
    c.options = piw__options_new(config);
    c.options_changed = !same_options(c.role->options, c.options);
    if (c.plugin_changed || c.options_changed)
        ret = check(&c, err);
    if (ret == 0 && really)
        ret = apply(&c, done, size, err);
    if (ret == 0)
        say_later(&c, done, size);
    piw__options_free(&c.options);
    return ret;
}

int piw_runtime_reconfigure(piw_runtime *runtime, const piw_task_config *task, bool apply_, char *done, size_t size,
                            piw_err *err)
{
    done[0] = 0;
    int ret = piw__admin_lock(runtime, err);
    if (ret != 0)
        return ret;
    ret = reconfigure(runtime, task, apply_, done, size, err);
    pthread_mutex_unlock(&runtime->admin);
    return ret;
}
