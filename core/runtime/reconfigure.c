/* reconfigure.c — brings a task in line with a configuration that was read again. */
#include "actor/isolate.h"
#include "runtime/inner.h"

#include <stdio.h>

typedef struct change {
    piw__role *role;
    const piw_task_config *config;
    const char *plugin;    /* interned */
    piw__options *options; /* the new ones, owned by the role from the first operation on */
    bool plugin_changed, options_changed, isolate_changed;
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
    int rc = 0;
    c->image = role->image;
    if (c->plugin_changed || role->image == NULL)
        rc = piw__role_load(role, c->plugin_changed ? c->plugin : role->plugin, c->options, &c->image, err);
    else
        rc = piw__role_check_options(role, c->options, role->image, err);
    if (rc == 0 && c->config->isolate)
        rc = piw__isolate_check(c->image, err);
    if (rc == 0 && role->image != NULL)
        rc = piw__admin_check_successor(role, c->image, c->config->isolate || role->isolate, err);
    return rc;
}

/* The souls begin anew on the other side; when they can't they are where they were. */
static int move(change *c, const piw__options *options, piw_err *err)
{
    piw__role *role = c->role;
    role->isolate = c->config->isolate;
    int rc = piw__admin_operate(role, PIW__OP_FRESH, c->image, options, err);
    if (rc == 0)
        return 0;
    role->isolate = !c->config->isolate;
    piw_err second_err = {0};
    if (rc != PIW_ESTOPPED && piw__admin_operate(role, PIW__OP_RESTART, role->image, role->options, &second_err) != 0)
        piw_error("task %s could not be started where it was either: %s", role->name, second_err.text);
    return rc;
}

static int apply_soul(change *c, piw_err *err)
{
    piw__role *role = c->role;
    /* From here on shells may point into the options, whatever comes of it. */
    c->options->older = role->all_options;
    role->all_options = c->options;
    const piw__options *options = c->options;
    c->options = NULL;
    int rc = 0;
    if (!role->enabled)
        role->isolate = c->config->isolate;
    else if (c->isolate_changed)
        rc = move(c, options, err);
    else
        rc = role->isolate ? piw__admin_fresh(role, c->image, options, err)
                           : piw__admin_operate(role, PIW__OP_SWAP, c->image, options, err);
    if (rc != 0)
        return rc;
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

/* What the shells and the supervision look up when they need it. */
static int apply_flags(change *c, char *done, size_t size, piw_err *err)
{
    piw__role *role = c->role;
    if (c->config->critical != role->critical_config) {
        role->critical_config = c->config->critical;
        piw__role_set_image(role, role->image);
        say(done, size, "is %s", role->critical ? "critical" : "not critical");
    }
    if (c->config->absent_wait == role->absent_wait)
        return 0;
    role->absent_wait = c->config->absent_wait;
    say(done, size, "calls %s while it is disabled", role->absent_wait ? "wait" : "fail");
    /* Those that wait get their error now. */
    return role->enabled ? 0 : piw__admin_operate(role, PIW__OP_DISABLE, NULL, NULL, err);
}

static int apply(change *c, char *done, size_t size, piw_err *err)
{
    piw__role *role = c->role;
    bool switched = c->config->enabled != role->enabled_config;
    int rc = 0;
    if (switched && !c->config->enabled && (rc = piw__admin_disable(role->runtime, role->name, false, err)) == 0)
        say(done, size, "disabled");
    if (rc == 0)
        rc = apply_flags(c, done, size, err);
    if (rc == 0 && (c->plugin_changed || c->options_changed || c->isolate_changed) && (rc = apply_soul(c, err)) == 0) {
        if (c->plugin_changed)
            say(done, size, "replaced by %s", c->plugin);
        if (c->options_changed)
            say(done, size, "has new options");
        if (c->isolate_changed)
            say(done, size, "began anew in %s", c->config->isolate ? "a process of its own" : "a thread");
    }
    if (rc == 0 && switched && c->config->enabled && (rc = piw__admin_enable(role->runtime, role->name, err)) == 0)
        say(done, size, "enabled");
    if (rc == 0) {
        role->enabled_config = c->config->enabled;
        piw__role_set_origins(role, c->config);
    }
    return rc;
}

static int reconfigure(piw_runtime *runtime, const piw_task_config *config, bool really, char *done, size_t size,
                       piw_err *err)
{
    change c = {.config = config};
    int rc;
    if (piw__runtime_role(runtime, config->name) == NULL) {
        rc = really ? piw__admin_add(runtime, config, err) : piw__admin_check_new(runtime, config, err);
        if (rc == 0)
            say(done, size, config->enabled ? "is new and runs" : "is new and disabled");
        else if (really)
            say(done, size, "is new");
        return rc;
    }
    rc = piw__admin_find(runtime, config->name, &c.role, err);
    if (rc != 0)
        return rc;
    c.plugin = piw__plugin_name(config);
    c.plugin_changed = c.plugin != c.role->plugin_config;
    c.options = piw__role_options(config);
    c.options_changed = !same_options(c.role->options, c.options);
    c.isolate_changed = config->isolate != c.role->isolate;
    if (c.plugin_changed || c.options_changed || c.isolate_changed)
        rc = check(&c, err);
    if (rc == 0 && really)
        rc = apply(&c, done, size, err);
    /* Who sends to it and who shares its work knows how many they are from the start. */
    if (rc == 0 && config->instances != c.role->instances_config)
        say(done, size, "its key instances takes effect when the master is restarted");
    piw__options_free(&c.options);
    return rc;
}

int piw_runtime_reconfigure(piw_runtime *runtime, const piw_task_config *task, bool apply_, char *done, size_t size,
                            piw_err *err)
{
    done[0] = 0;
    int rc = piw__admin_lock(runtime, err);
    if (rc != 0)
        return rc;
    rc = reconfigure(runtime, task, apply_, done, size, err);
    pthread_mutex_unlock(&runtime->admin);
    return rc;
}

int piw_runtime_forget(piw_runtime *runtime, const char *const *kept, size_t count, void (*say_)(void *, const char *),
                       void *to, piw_err *err)
{
    int rc = piw__admin_lock(runtime, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < runtime->roles_count; i++) {
        piw__role *role = runtime->roles[i];
        size_t n = 0;
        while (n < count && strcmp(kept[n], role->name) != 0)
            n++;
        if (n < count || role == runtime->admin_role || !role->enabled_config)
            continue;
        char line[PIW_ERR_TEXT + 120];
        piw_err own_err = {0};
        if (piw__admin_disable(runtime, role->name, false, &own_err) == 0) {
            role->enabled_config = false;
            snprintf(line, sizeof(line), "task %s: is no longer configured, disabled", role->name);
        } else {
            snprintf(line, sizeof(line), "task %s is no longer configured, but goes on: %s", role->name, own_err.text);
        }
        say_(to, line);
    }
    pthread_mutex_unlock(&runtime->admin);
    return 0;
}
