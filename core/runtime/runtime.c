/* runtime.c — the runtime: tasks as configured, their start in order, their supervision, their stop in reverse
 * order. */
#include "actor/isolate.h"
#include "actor/prepare.h"
#include "base/sdnotify.h"
#include "base/tuning.h"
#include "port/networks.h"
#include "runtime/ahead.h"
#include "runtime/inner.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* --- Made and freed ---------------------------------------------------------------------------------------------- */

static char **copy_texts(const char *const *texts, size_t count)
{
    char **copy = piw_zalloc((count + 1) * sizeof(*copy));
    for (size_t i = 0; i < count; i++)
        copy[i] = piw_strdup(texts[i] != NULL ? texts[i] : "");
    return copy;
}

int piw_runtime_new(piw_runtime **runtime_, const piw_runtime_config *config, piw_err *err)
{
    for (unsigned i = 0; i < PIW_COUNT(config->reserved); i++)
        if (config->reserved[i] != NULL)
            return piw_err_set(err, PIW_EINVAL, "reserved fields of the runtime's configuration are in use");
    piw_runtime *runtime = piw_zalloc(sizeof(*runtime));
    int rc = piw__hub_init(&runtime->hub, err);
    if (rc != 0) {
        free(runtime);
        return rc;
    }
    runtime->monitor_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    runtime->bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (runtime->monitor_fd < 0 || runtime->bell_fd < 0) {
        rc = piw_err_errno(err, "the runtime can't be set up: there is no event descriptor");
        if (runtime->monitor_fd >= 0)
            close(runtime->monitor_fd);
        if (runtime->bell_fd >= 0)
            close(runtime->bell_fd);
        piw__hub_fini(&runtime->hub);
        free(runtime);
        return rc;
    }
    runtime->dirs = copy_texts(config->plugin_dirs, config->plugin_dirs_count);
    runtime->dirs_count = config->plugin_dirs_count;
    runtime->trust_files = config->trust_files;
    runtime->hub.queue_names = copy_texts(config->queue_names, config->queues_count);
    runtime->hub.queue_addresses = copy_texts(config->queue_addresses, config->queues_count);
    if (config->queue_curve_addresses != NULL)
        runtime->hub.queue_curve_addresses = copy_texts(config->queue_curve_addresses, config->queues_count);
    runtime->hub.queues_count = config->queues_count;
    runtime->allow = piw_strdup(config->allow != NULL ? config->allow : "all");
    runtime->allow_names = copy_texts(config->allow_names, config->allows_count);
    runtime->allow_networks = copy_texts(config->allow_networks, config->allows_count);
    runtime->allows_count = config->allows_count;
    runtime->keys = config->keys != NULL ? piw_strdup(config->keys) : NULL;
    runtime->hub.setting = config->setting;
    runtime->hub.arg = config->arg;
    pthread_mutex_init(&runtime->admin, NULL);
    pthread_mutex_init(&runtime->look, NULL);
    pthread_mutex_init(&runtime->bare_lock, NULL);
    runtime->roles = piw_zalloc(PIW_LIMIT_TASKS * sizeof(*runtime->roles));
    *runtime_ = runtime;
    return 0;
}

void piw__role_free(piw__role *role)
{
    for (unsigned i = 0; role->shells != NULL && i < role->instances; i++)
        piw__shell_free(&role->shells[i]);
    free(role->shells);
    piw__options_free(&role->all_options);
    free(role->origins);
    piw__tracer_free(atomic_load_explicit(&role->tracer, memory_order_relaxed));
    free(role->name);
    free(role);
}

void piw_runtime_free(piw_runtime **runtime_)
{
    piw_runtime *runtime = *runtime_;
    *runtime_ = NULL;
    if (runtime == NULL)
        return;
    piw_runtime_stop(runtime);
    if (runtime->leaked)
        return; /* a thread that can't be ended still uses it */
    for (size_t i = 0; i < runtime->roles_count; i++) {
        piw__preparation_end(runtime->roles[i]); /* which may take seconds: whoever stopped has been told why */
        piw__role_free(runtime->roles[i]);
    }
    free(runtime->roles);
    free(runtime->order);
    for (size_t i = 0; i < runtime->bare_count; i++)
        piw__shell_free(&runtime->bare[i]);
    free(runtime->bare);
    free(runtime->bare_busy);
    for (size_t i = 0; i < runtime->dirs_count; i++)
        free(runtime->dirs[i]);
    free(runtime->dirs);
    free(runtime->allow);
    for (size_t i = 0; i < runtime->allows_count; i++) {
        free(runtime->allow_names[i]);
        free(runtime->allow_networks[i]);
    }
    free(runtime->allow_names);
    free(runtime->allow_networks);
    free(runtime->keys);
    piw__hub_fini(&runtime->hub);
    close(runtime->monitor_fd);
    close(runtime->bell_fd);
    pthread_mutex_destroy(&runtime->admin);
    pthread_mutex_destroy(&runtime->look);
    pthread_mutex_destroy(&runtime->bare_lock);
    free(runtime);
}

/* --- Tasks ------------------------------------------------------------------------------------------------------- */

piw__role *piw__runtime_role(const piw_runtime *runtime, const char *name)
{
    for (size_t i = 0; i < runtime->roles_count; i++)
        if (strcmp(runtime->roles[i]->name, name) == 0)
            return runtime->roles[i];
    return NULL;
}

static int check_config(const piw_runtime *runtime, const piw_task_config *config, piw_err *err)
{
    if (config->name == NULL || config->name[0] == 0 || strlen(config->name) > 50)
        return piw_err_set(err, PIW_ECONFIG, "a task's name has 1 to 50 characters");
    if (piw__runtime_role(runtime, config->name) != NULL)
        return piw_err_set(err, PIW_EEXIST, "task %s is configured twice", config->name);
    if (config->instances > PIW_LIMIT_INSTANCES)
        return piw_err_set(err, PIW_ECONFIG, "task %s: %u instances are too many, %d are possible", config->name,
                           config->instances, PIW_LIMIT_INSTANCES);
    if (runtime->roles_count == PIW_LIMIT_TASKS)
        return piw_err_set(err, PIW_ECONFIG, "task %s is one too many: a master has %d at most", config->name,
                           PIW_LIMIT_TASKS);
    return 0;
}

piw__role *piw__role_new(piw_runtime *runtime, const piw_task_config *config, const piw_plugin *plugin, piw_err *err)
{
    if (check_config(runtime, config, err) != 0)
        return NULL;
    piw__role *role = piw_zalloc(sizeof(*role));
    role->runtime = runtime;
    role->name = piw_strdup(config->name);
    role->origins = piw_zalloc(PIW_TASK_KEYS * sizeof(*role->origins));
    role->plugin = role->plugin_config = piw__plugin_name(config);
    role->builtin = plugin;
    role->enabled = role->enabled_config = config->enabled;
    role->instances = role->instances_config = config->instances;
    role->critical_config = config->critical;
    role->absent_wait = config->absent_wait;
    role->isolate = config->isolate;
    role->options = role->all_options = piw__role_options(config);
    piw__role_set_origins(role, config);
    return role;
}

piw__options *piw__role_options(const piw_task_config *config)
{
    return piw__options_new(config->option_names, config->option_values, config->option_origins, config->options_count);
}

void piw__role_set_origins(piw__role *role, const piw_task_config *config)
{
    pthread_mutex_lock(&role->runtime->look);
    for (unsigned i = 0; i < PIW_TASK_KEYS; i++)
        role->origins[i] = config->origins[i] != NULL ? piw__intern(config->origins[i]) : NULL;
    pthread_mutex_unlock(&role->runtime->look);
}

int piw__runtime_add_builtin(piw_runtime *runtime, const piw_task_config *config, const piw_plugin *plugin,
                             piw_err *err)
{
    for (unsigned i = 0; i < PIW_COUNT(config->reserved); i++)
        if (config->reserved[i] != NULL)
            return piw_err_set(err, PIW_EINVAL, "reserved fields of task %s are in use", config->name);
    if (runtime->started)
        return piw_err_set(err, PIW_EUSAGE, "task %s is added too late: the runtime has started", config->name);
    piw__role *role = piw__role_new(runtime, config, plugin, err);
    if (role == NULL)
        return err != NULL ? err->code : PIW_ECONFIG;
    runtime->roles[runtime->roles_count] = role;
    runtime->roles_count++;
    return 0;
}

int piw_runtime_add(piw_runtime *runtime, const piw_task_config *task, piw_err *err)
{
    return piw__runtime_add_builtin(runtime, task, NULL, err);
}

const char *piw__plugin_name(const piw_task_config *config)
{
    if (config->plugin != NULL)
        return piw__intern(config->plugin);
    char *file = piw_sprintf("%s.so", config->name);
    const char *name = piw__intern(file);
    free(file);
    return name;
}

void piw__role_set_image(piw__role *role, const piw__image *image)
{
    pthread_mutex_lock(&role->runtime->look);
    role->image = image;
    if (image != NULL)
        role->critical = role->critical_config < 0 ? image->plugin->critical : role->critical_config > 0;
    unsigned i = 0;
    while (i < role->seen_count && role->seen[i] != image)
        i++;
    if (image != NULL && i == role->seen_count && i < PIW__IMAGES_SEEN)
        role->seen[role->seen_count++] = image;
    pthread_mutex_unlock(&role->runtime->look);
}

static piw__plugin_dirs dirs_of(const piw_runtime *runtime)
{
    return (piw__plugin_dirs){(const char *const *)runtime->dirs, runtime->dirs_count, runtime->trust_files};
}

static int check_image(const piw__role *role, const piw__options *options, const piw__image *image, piw_err *err)
{
    int rc = piw__role_check_options(role, options, image, err);
    return rc == 0 && role->isolate ? piw__isolate_check(image, err) : rc;
}

int piw__role_look(const piw__role *role, const char *file, const piw__options *options, const piw__image **image,
                   piw_err *err)
{
    piw__plugin_dirs dirs = dirs_of(role->runtime);
    int rc = role->builtin != NULL && file == role->plugin ? piw__image_of(role->builtin, image, err)
                                                           : piw__image_load(&dirs, file, image, err);
    return rc == 0 ? check_image(role, options, *image, err) : rc;
}

int piw__role_load(piw__role *role, const char *file, const piw__options *options, const piw__image **image,
                   piw_err *err)
{
    int rc = piw__role_look(role, file, options, image, err);
    if (rc == 0)
        rc = piw__registry_enter(&role->runtime->hub.registry, role, *image, err);
    return rc;
}

/* --- Start ------------------------------------------------------------------------------------------------------- */

int piw__role_settle(piw__role *role, const piw__image *image, piw_err *err)
{
    const piw_plugin *plugin = image->plugin;
    if (role->instances == 0)
        role->instances = plugin->instances > 0 ? plugin->instances : 1;
    if (role->instances > 1 && plugin->queues != NULL && plugin->queues[0].name != NULL)
        return piw_err_set(err, PIW_ECONFIG, "task %s serves an outer queue: only one instance of it is possible",
                           role->name);
    return 0;
}

/* As piw__role_load, from a file that was read ahead. */
static int load_ahead(piw__role *role, piw__ahead *ahead, size_t number, const piw__image **image, piw_err *err)
{
    piw__plugin_file copy;
    int rc = piw__ahead_take(ahead, number, &copy, err);
    if (rc == 0)
        rc = piw__image_of_file(&copy, role->plugin, image, err);
    if (rc == 0)
        rc = check_image(role, role->options, *image, err);
    return rc == 0 ? piw__registry_enter(&role->runtime->hub.registry, role, *image, err) : rc;
}

/* `starts`: the tasks are to start when all are loaded. */
static int load_each(piw_runtime *runtime, piw__ahead *ahead, bool starts, piw_err *err)
{
    size_t number = 0;
    for (size_t i = 0; i < runtime->roles_count; i++) {
        piw__role *role = runtime->roles[i];
        piw_err own_err = {0};
        const piw__image *image = NULL;
        int rc = role->builtin == NULL && ahead != NULL
                     ? load_ahead(role, ahead, number++, &image, &own_err)
                     : piw__role_load(role, role->plugin, role->options, &image, &own_err);
        piw__role_set_image(role, rc == 0 ? image : NULL);
        if (rc != 0 && role->enabled)
            return piw_err_set(err, rc, "task %s: %s", role->name, own_err.text);
        if (rc != 0) {
            /* It is disabled: its services stay unknown. */
            piw_info("task %s is disabled, and its plugin can't be loaded: %s", role->name, own_err.text);
            role->instances = 1;
            continue;
        }
        rc = piw__role_settle(role, image, err);
        if (rc != 0)
            return rc;
        if (starts && role->enabled && !role->isolate)
            piw__preparation_begin(role, &runtime->hub);
    }
    return 0;
}

static int load_all(piw_runtime *runtime, bool starts, piw_err *err)
{
    const char *files[PIW_LIMIT_TASKS];
    size_t count = 0;
    for (size_t i = 0; i < runtime->roles_count; i++)
        if (runtime->roles[i]->builtin == NULL)
            files[count++] = runtime->roles[i]->plugin;
    const piw__plugin_dirs dirs = dirs_of(runtime);
    piw__ahead *ahead = piw__ahead_start(&dirs, files, count);
    int rc = load_each(runtime, ahead, starts, err);
    piw__ahead_end(&ahead);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < runtime->roles_count; i++) {
        const piw__role *role = runtime->roles[i];
        rc = role->enabled ? piw__registry_check_uses(&runtime->hub.registry, role->image, err) : 0;
        if (rc != 0) {
            piw_err_prefix(err, "task %s", role->name);
            return rc;
        }
    }
    return piw__runtime_order(runtime, err);
}

int piw__role_make_shells(piw__role *role, piw_err *err)
{
    int rc = 0;
    role->shells = piw_zalloc(role->instances * sizeof(*role->shells));
    for (unsigned n = 0; rc == 0 && n < role->instances; n++)
        rc = piw__shell_new(&role->runtime->hub, role, n, &role->shells[n], err);
    return rc;
}

int piw__bare_role(piw_runtime *runtime, const char *name, unsigned instances, piw__role **made, piw_err *err)
{
    piw__role *role = piw_zalloc(sizeof(*role));
    int rc = 0;
    role->runtime = runtime;
    role->name = piw_strdup(name);
    role->instances = instances;
    role->shells = piw_zalloc((instances + 1) * sizeof(*role->shells));
    for (unsigned n = 0; rc == 0 && n < instances; n++)
        rc = piw__shell_new(&runtime->hub, NULL, 0, &role->shells[n], err);
    *made = role;
    return rc;
}

static int make_shells(piw_runtime *runtime, piw_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < runtime->roles_count; i++)
        rc = piw__role_make_shells(runtime->roles[i], err);
    return rc;
}

static bool has_queues(const piw_runtime *runtime)
{
    for (size_t i = 0; i < runtime->roles_count; i++) {
        const piw__image *image = runtime->roles[i]->image;
        if (image != NULL && image->plugin->queues != NULL && image->plugin->queues[0].name != NULL)
            return true;
    }
    return false;
}

int piw_runtime_check_allow(const char *allow, piw_err *err)
{
    piw__networks networks = {0};
    int rc = piw__networks_parse(&networks, allow, err);
    piw__networks_fini(&networks);
    return rc;
}

int piw_runtime_check(piw_runtime *runtime, piw_err *err)
{
    if (runtime->started)
        return piw_err_set(err, PIW_EUSAGE, "the runtime has started already");
    pthread_mutex_lock(&runtime->admin);
    int rc = load_all(runtime, false, err);
    pthread_mutex_unlock(&runtime->admin);
    return rc;
}

int piw_runtime_start(piw_runtime *runtime, int wait_ms, piw_err *err)
{
    piw_err own_err = {0};
    if (err == NULL)
        err = &own_err;
    if (runtime->started)
        return piw_err_set(err, PIW_EUSAGE, "the runtime has started already");
    pthread_mutex_lock(&runtime->admin);
    int rc = load_all(runtime, true, err);
    if (rc == 0 && has_queues(runtime)) {
        const piw__zap_settings settings = {.allow = runtime->allow,
                                            .names = (const char *const *)runtime->allow_names,
                                            .allows = (const char *const *)runtime->allow_networks,
                                            .count = runtime->allows_count,
                                            .keys = runtime->keys};
        rc = piw__zap_start(&settings, err);
        runtime->zap = rc == 0;
    }
    if (rc == 0)
        rc = piw__workers_start(&runtime->hub.workers, PIW_LIMIT_WORKERS, PIW_LIMIT_BACKGROUND, err);
    if (rc == 0)
        rc = make_shells(runtime, err);
    if (rc == 0) {
        runtime->started = true;
        piw__crash_watch(runtime);
        rc = piw__monitor_start(runtime, err);
    }
    rc = rc != 0 ? rc : piw__start_tasks(runtime, wait_ms, err);
    pthread_mutex_unlock(&runtime->admin);
    if (rc != 0)
        piw_runtime_stop(runtime);
    return rc;
}

/* --- Run and quit ------------------------------------------------------------------------------------------------ */

/* Only what a signal handler may do. */
void piw_runtime_quit(piw_runtime *runtime)
{
    int before = errno;
    piw__hub_wake(&runtime->hub);
    errno = before;
}

void piw_runtime_each_second(piw_runtime *runtime, void (*fn)(void *arg), void *arg)
{
    runtime->each_second = fn;
    runtime->each_second_arg = arg;
}

int piw_runtime_run(piw_runtime *runtime, piw_err *err)
{
    struct pollfd fd = {.fd = runtime->hub.quit_fd, .events = POLLIN};
    piw__sd_notify("READY=1");
    /* The longer bound has no other purpose than that every wait has one. */
    while (poll(&fd, 1, runtime->each_second != NULL ? 1000 : 60000) <= 0)
        if (runtime->each_second != NULL)
            runtime->each_second(runtime->each_second_arg);
    pthread_mutex_lock(&runtime->hub.quit_lock);
    int rc = runtime->hub.quit_code;
    if (rc != 0)
        piw_err_set(err, rc, "%s", runtime->hub.quit_reason);
    pthread_mutex_unlock(&runtime->hub.quit_lock);
    return rc;
}

/* --- Stop -------------------------------------------------------------------------------------------------------- */

/* Have each instance do the operation and wait for all, together until `until_ns`. */
static bool operate_role(const piw__role *role, piw__op_kind kind, int64_t until_ns)
{
    piw__op *ops[PIW_LIMIT_INSTANCES];
    bool all = true;
    for (unsigned n = 0; n < role->instances; n++) {
        ops[n] = NULL;
        if (role->shells[n] == NULL || !role->shells[n]->thread_runs)
            continue;
        ops[n] = piw__op_new(kind, NULL);
        ops[n]->until_ns = piw_monotonic_ns() + piw__tune.drain_ms * INT64_C(1000000);
        if (ops[n]->until_ns > until_ns)
            ops[n]->until_ns = until_ns;
        piw__op_send(ops[n], role->shells[n]);
    }
    for (unsigned n = 0; n < role->instances; n++) {
        if (ops[n] != NULL && piw__op_wait(ops[n], until_ns, true, NULL) != 0) {
            const char *what = atomic_load_explicit(&role->shells[n]->seen.busy_in, memory_order_relaxed);
            piw_error("task %s does not stop: it is in %s", role->shells[n]->name, what != NULL ? what : "its loop");
            all = false;
        }
        piw__op_unref(ops[n]);
    }
    return all;
}

static void operate_all(piw_runtime *runtime, piw__op_kind kind, int64_t until_ns)
{
    for (size_t i = runtime->roles_count; i > 0; i--) {
        piw__sd_notify("EXTEND_TIMEOUT_USEC=10000000");
        if (!operate_role(runtime->order[i - 1], kind, until_ns) && kind == PIW__OP_LEAVE)
            runtime->leaked = true;
    }
}

static void join_all(piw_runtime *runtime)
{
    for (size_t i = 0; i < runtime->roles_count; i++)
        for (unsigned n = 0; n < runtime->roles[i]->instances; n++) {
            piw__shell *shell = runtime->roles[i]->shells[n];
            if (shell == NULL || !shell->thread_runs)
                continue;
            pthread_join(shell->thread, NULL);
            shell->thread_runs = false;
        }
}

void piw_runtime_stop(piw_runtime *runtime)
{
    /* A change that is under way gives up, and the lock becomes free. */
    atomic_store_explicit(&runtime->stopping, true, memory_order_relaxed);
    pthread_mutex_lock(&runtime->admin);
    if (runtime->started && runtime->order != NULL) {
        int64_t until = piw_monotonic_ns() + piw__tune.stop_ms * INT64_C(1000000);
        piw__sd_notify("STOPPING=1");
        operate_all(runtime, PIW__OP_QUIET, until);
        operate_all(runtime, PIW__OP_STOP, until);
        piw__workers_stop(runtime->hub.workers);
        operate_all(runtime, PIW__OP_LEAVE, until + 2000000000);
        piw__monitor_stop(runtime);
        if (!runtime->leaked)
            join_all(runtime);
        piw__crash_unwatch(runtime);
        runtime->started = false;
    }
    piw__workers_stop(runtime->hub.workers);
    if (!runtime->leaked)
        piw__workers_free(&runtime->hub.workers);
    if (runtime->zap && !runtime->leaked) {
        piw__zap_stop();
        piw__zmq_term();
    }
    runtime->zap = false;
    pthread_mutex_unlock(&runtime->admin);
}
