/* change.c — changes of the tasks while they run: replace, restart, hold, disable, enable. */
#include "base/tuning.h"
#include "runtime/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* After the boundary was reached a soul's save, start and stop may take so long. */
enum { FINISH_MS = 60000 };

/* A change waits so long for the end of another one, and looks so often whether the master stops. */
enum { LOCK_MS = 2000, LOOK_MS = 200 };

static bool is_stopping(piw_runtime *runtime)
{
    return atomic_load_explicit(&runtime->stopping, memory_order_relaxed);
}

int piw__admin_lock(piw_runtime *runtime, piw_err *err)
{
    for (int waited_ms = 0; waited_ms < LOCK_MS; waited_ms += LOOK_MS) {
        if (is_stopping(runtime))
            return piw_err_set(err, PIW_ESTOPPED, "the master stops");
        /* By the wall clock, since ThreadSanitizer knows nothing of pthread_mutex_clocklock: a step of the clock makes
         * this one look shorter or longer. */
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += LOOK_MS * INT64_C(1000000);
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (pthread_mutex_timedlock(&runtime->admin, &until) == 0)
            return 0;
    }
    return piw_err_set(err, PIW_EAGAIN, "tasks are being started or changed just now: try again later");
}

int piw__admin_find(piw_runtime *runtime, const char *task, piw__role **role, piw_err *err)
{
    *role = piw__runtime_role(runtime, task);
    if (*role == NULL)
        return piw_err_set(err, PIW_ENOENT, "there is no task %s", task);
    if (!runtime->started)
        return piw_err_set(err, PIW_ESTOPPED, "the runtime is not running");
    for (unsigned n = 0; n < (*role)->instances; n++)
        if (pthread_equal((*role)->shells[n]->thread, pthread_self()))
            return piw_err_set(err, PIW_EREFUSED, "task %s can't change itself", task);
    return 0;
}

/* --- Operations of all instances ---------------------------------------------------------------------------------- */

static piw__swap_group *group_new(unsigned members)
{
    piw__swap_group *group = piw_zalloc(sizeof(*group));
    group->members = group->refs = members;
    pthread_mutex_init(&group->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&group->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return group;
}

/* One instance does not come to its boundary: the others need not wait for it. */
static void call_off(piw__swap_group *group)
{
    if (group == NULL)
        return;
    pthread_mutex_lock(&group->lock);
    if (group->decision == 0)
        group->decision = -1;
    pthread_cond_broadcast(&group->changed);
    pthread_mutex_unlock(&group->lock);
}

/* As piw__op_wait, but it ends when the master stops. */
static int wait_until(piw_runtime *runtime, piw__op *op, int64_t until_ns, bool cancel, piw_err *err)
{
    for (;;) {
        int64_t slice_ns = piw_monotonic_ns() + LOOK_MS * INT64_C(1000000);
        bool last = slice_ns >= until_ns || is_stopping(runtime);
        int rc = piw__op_wait(op, slice_ns < until_ns ? slice_ns : until_ns, last && cancel, err);
        if (rc != PIW_EAGAIN || last)
            return rc;
    }
}

static int wait_one(piw_runtime *runtime, piw__op *op, piw__shell *shell, int64_t boundary_ns, piw_err *err)
{
    int rc = wait_until(runtime, op, boundary_ns, true, err);
    if (rc == PIW_EDEADLINE || (rc == PIW_EAGAIN && is_stopping(runtime)))
        call_off(op->group);
    if (is_stopping(runtime) && (rc == PIW_EDEADLINE || rc == PIW_EAGAIN))
        return piw_err_set(err, PIW_ESTOPPED, "the master stops");
    if (rc == PIW_EDEADLINE) {
        const char *what = atomic_load_explicit(&shell->seen.busy_in, memory_order_relaxed);
        return piw_err_set(err, PIW_EDEADLINE, "task %s did not come to the end of its handler of %s within %d ms",
                           shell->name, what != NULL ? what : "(unknown)", piw__tune.boundary_ms);
    }
    if (rc == PIW_EAGAIN)
        rc = wait_until(runtime, op, boundary_ns + FINISH_MS * INT64_C(1000000), false, err);
    if (rc == PIW_EAGAIN)
        return piw_err_set(err, PIW_EDEADLINE, "task %s has not ended its old soul or started its new one within %d ms",
                           shell->name, FINISH_MS);
    return rc;
}

/* Some instances have gone over, another one was not ready in the end: they go back. */
static void go_back(const piw__role *role, const bool *gone)
{
    for (unsigned n = 0; n < role->instances; n++) {
        if (!gone[n])
            continue;
        piw_err err = {0};
        int64_t boundary_ns = piw_monotonic_ns() + piw__tune.boundary_ms * INT64_C(1000000);
        piw__op *op = piw__op_new(PIW__OP_SWAP, role->image);
        op->options = role->options;
        op->until_ns = boundary_ns;
        piw__op_send(op, role->shells[n]);
        if (wait_one(role->runtime, op, role->shells[n], boundary_ns, &err) != 0)
            piw_error("%s goes on with the new plugin, other instances with the old: %s", role->shells[n]->name,
                      err.text);
        piw__op_unref(op);
    }
}

int piw__admin_operate(piw__role *role, piw__op_kind kind, const piw__image *image, const piw__options *options,
                       piw_err *err)
{
    piw__op *ops[PIW_LIMIT_INSTANCES];
    int64_t boundary_ns = piw_monotonic_ns() + piw__tune.boundary_ms * INT64_C(1000000);
    piw__swap_group *group = kind == PIW__OP_SWAP && role->instances > 1 ? group_new(role->instances) : NULL;
    piw_err first_err = {0};
    int rc = 0;
    for (unsigned n = 0; n < role->instances; n++) {
        ops[n] = piw__op_new(kind, image);
        ops[n]->options = options;
        ops[n]->group = group;
        ops[n]->until_ns = boundary_ns;
        piw__op_send(ops[n], role->shells[n]);
    }
    bool followed = false, gone[PIW_LIMIT_INSTANCES];
    for (unsigned n = 0; n < role->instances; n++) {
        piw_err own_err = {0};
        int one = wait_one(role->runtime, ops[n], role->shells[n], boundary_ns, &own_err);
        gone[n] = one == 0;
        if (one == 0 || (rc != 0 && !followed))
            continue;
        /* Report the first reason, but not that of an instance which only gave up because another one did. */
        followed = one != PIW_EDEADLINE && one != PIW_ESTOPPED && ops[n]->followed;
        rc = one;
        first_err = own_err;
    }
    if (rc != 0)
        piw_err_set(err, rc, "%s", first_err.text);
    if (rc != 0 && rc != PIW_ESTOPPED && kind == PIW__OP_SWAP)
        go_back(role, gone);
    for (unsigned n = 0; n < role->instances; n++)
        piw__op_unref(ops[n]);
    return rc;
}

int piw__admin_operate_one(piw__role *role, unsigned instance, piw__op *op, piw_err *err)
{
    int64_t boundary_ns = piw_monotonic_ns() + piw__tune.boundary_ms * INT64_C(1000000);
    op->until_ns = boundary_ns;
    piw__op_send(op, role->shells[instance]);
    return wait_one(role->runtime, op, role->shells[instance], boundary_ns, err);
}

/* --- Replace ----------------------------------------------------------------------------------------------------- */

static bool uses(const piw_plugin *plugin, const char *service)
{
    for (unsigned i = 0; plugin->needs != NULL && plugin->needs[i] != NULL; i++)
        if (strcmp(plugin->needs[i], service) == 0)
            return true;
    for (unsigned i = 0; plugin->uses != NULL && plugin->uses[i].name != NULL; i++)
        if (strcmp(plugin->uses[i].name, service) == 0)
            return true;
    return false;
}

/* An enabled task that uses the service of another; NULL: none does. */
static const piw__role *user_of(const piw__role *role, const char *service)
{
    const piw_runtime *runtime = role->runtime;
    for (size_t i = 0; i < runtime->roles_count; i++) {
        const piw__role *other = runtime->roles[i];
        if (other != role && other->enabled && other->image != NULL && uses(other->image->plugin, service))
            return other;
    }
    return NULL;
}

/* A service that nobody uses may go: else there would be no way back from a version that serves one more. */
static int check_services(const piw__role *role, const piw__image *image, piw_err *err)
{
    const piw_service *list = role->image->plugin->serves;
    for (unsigned i = 0; list != NULL && list[i].name != NULL; i++) {
        const piw__role *user = piw__image_serves(image, list[i].name) ? NULL : user_of(role, list[i].name);
        if (user != NULL)
            return piw_err_set(err, PIW_EPLUGIN, "%s can't replace %s: it does not serve %s, which task %s uses",
                               image->file, role->image->file, list[i].name, user->name);
    }
    return 0;
}

int piw__admin_check_successor(const piw__role *role, const piw__image *image, bool fresh, piw_err *err)
{
    const piw__image *old = role->image;
    int rc = check_services(role, image, err);
    if (rc != 0)
        return rc;
    if (!piw__ports_same(old, image))
        return piw_err_set(err, PIW_EPLUGIN, "%s can't replace %s: it serves other queues", image->file, old->file);
    rc = !fresh && role->enabled ? piw__image_follows(image, old, err) : 0;
    return rc != 0 ? rc : piw__registry_check_uses(&role->runtime->hub.registry, image, err);
}

int piw__admin_fresh(piw__role *role, const piw__image *image, const piw__options *options, piw_err *err)
{
    int rc = piw__admin_operate(role, PIW__OP_FRESH, image, options, err);
    piw_err second_err = {0};
    if (rc != 0 && rc != PIW_ESTOPPED && role->image != NULL &&
        piw__admin_operate(role, PIW__OP_RESTART, role->image, role->options, &second_err) != 0)
        piw_error("task %s: the old plugin could not be started again either: %s", role->name, second_err.text);
    return rc;
}

static int replace(piw_runtime *runtime, const char *task, const char *file, bool fresh, piw_err *err)
{
    piw__role *role;
    const piw__image *image;
    int rc = piw__admin_find(runtime, task, &role, err);
    if (rc != 0)
        return rc;
    rc = piw__role_load(role, file != NULL ? file : role->plugin, role->options, &image, err);
    /* The state of an isolated soul stays in its process: what follows it begins cold. */
    fresh = fresh || role->isolate;
    if (rc == 0 && role->image != NULL)
        rc = piw__admin_check_successor(role, image, fresh, err);
    if (rc == 0 && role->enabled)
        rc =
            fresh ? piw__admin_fresh(role, image, NULL, err) : piw__admin_operate(role, PIW__OP_SWAP, image, NULL, err);
    if (rc != 0)
        return rc;
    piw__role_set_image(role, image);
    if (file != NULL && file != role->plugin) {
        pthread_mutex_lock(&runtime->look);
        role->plugin = piw__intern(file);
        pthread_mutex_unlock(&runtime->look);
        role->builtin = NULL;
    }
    return 0;
}

int piw_runtime_replace_fresh(piw_runtime *runtime, const char *task, const char *file, piw_err *err)
{
    int rc = piw__admin_lock(runtime, err);
    if (rc != 0)
        return rc;
    rc = replace(runtime, task, file, true, err);
    pthread_mutex_unlock(&runtime->admin);
    return rc;
}

int piw_runtime_replace(piw_runtime *runtime, const char *task, const char *file, piw_err *err)
{
    int rc = piw__admin_lock(runtime, err);
    if (rc != 0)
        return rc;
    rc = replace(runtime, task, file, false, err);
    pthread_mutex_unlock(&runtime->admin);
    return rc;
}

/* --- Restart, hold --------------------------------------------------------------------------------------------------- */

/* An operation of a task that must be enabled. */
static int operate(piw_runtime *runtime, const char *task, piw__op_kind kind, piw_err *err)
{
    piw__role *role;
    int rc = piw__admin_lock(runtime, err);
    if (rc != 0)
        return rc;
    rc = piw__admin_find(runtime, task, &role, err);
    if (rc == 0 && !role->enabled)
        rc = piw_err_set(err, PIW_EREFUSED, "task %s is disabled", task);
    if (rc == 0)
        rc = piw__admin_operate(role, kind, role->image, NULL, err);
    pthread_mutex_unlock(&runtime->admin);
    return rc;
}

int piw_runtime_restart(piw_runtime *runtime, const char *task, piw_err *err)
{
    return operate(runtime, task, PIW__OP_RESTART, err);
}

int piw_runtime_hold(piw_runtime *runtime, const char *task, bool on, piw_err *err)
{
    return operate(runtime, task, on ? PIW__OP_HOLD : PIW__OP_RELEASE, err);
}

/* --- Disable, enable ------------------------------------------------------------------------------------------------- */

/* Which enabled tasks need or use what this one serves: "greeter (door), …"; how many. */
static unsigned used_by(piw_runtime *runtime, const piw__role *role, char *to, size_t size)
{
    unsigned count = 0;
    size_t len = 0;
    const piw_service *list = role->image->plugin->serves;
    to[0] = 0;
    for (size_t i = 0; i < runtime->roles_count; i++) {
        const piw__role *other = runtime->roles[i];
        if (other == role || !other->enabled || other->image == NULL)
            continue;
        for (unsigned n = 0; list != NULL && list[n].name != NULL; n++) {
            if (!uses(other->image->plugin, list[n].name))
                continue;
            if (len < size)
                len += (size_t)snprintf(to + len, size - len, "%s%s (%s)", count > 0 ? ", " : "", other->name,
                                        list[n].name);
            count++;
        }
    }
    return count;
}

int piw__admin_disable(piw_runtime *runtime, const char *task, bool force, piw_err *err)
{
    piw__role *role;
    char users[300];
    int rc = piw__admin_find(runtime, task, &role, err);
    if (rc != 0 || !role->enabled)
        return rc;
    if (!force && used_by(runtime, role, users, sizeof(users)) > 0)
        return piw_err_set(err, PIW_EREFUSED, "task %s is needed by %s: disable that first, or force it", task, users);
    rc = piw__admin_operate(role, PIW__OP_DISABLE, NULL, NULL, err);
    if (rc == 0) {
        pthread_mutex_lock(&runtime->look);
        role->enabled = false;
        pthread_mutex_unlock(&runtime->look);
    }
    return rc;
}

int piw_runtime_disable(piw_runtime *runtime, const char *task, bool force, piw_err *err)
{
    int rc = piw__admin_lock(runtime, err);
    if (rc != 0)
        return rc;
    rc = piw__admin_disable(runtime, task, force, err);
    pthread_mutex_unlock(&runtime->admin);
    return rc;
}

static bool is_down(const piw__role *role)
{
    for (unsigned n = 0; n < role->instances; n++)
        if (atomic_load_explicit(&role->shells[n]->seen.figures.state, memory_order_relaxed) == PIW__FAILED)
            return true;
    return false;
}

int piw__admin_enable(piw_runtime *runtime, const char *task, piw_err *err)
{
    piw__role *role;
    const piw__image *image = NULL;
    int rc = piw__admin_find(runtime, task, &role, err);
    if (rc == 0 && role->image == NULL) {
        rc = piw__role_load(role, role->plugin, role->options, &image, err);
        if (rc == 0)
            piw__role_set_image(role, image);
    }
    if (rc == 0)
        rc = piw__registry_check_uses(&runtime->hub.registry, role->image, err);
    if (rc != 0 || (role->enabled && !is_down(role)))
        return rc;
    /* What changed about its options while it was disabled holds now. */
    rc = piw__admin_operate(role, PIW__OP_RESTART, role->image, role->options, err);
    if (rc != 0 && !role->enabled) {
        /* It stays disabled: else its start would be tried again and again, and a critical task would end the
         * master. */
        piw_err second_err = {0};
        if (piw__admin_operate(role, PIW__OP_DISABLE, NULL, NULL, &second_err) != 0)
            piw_error("task %s could not be disabled again: %s", role->name, second_err.text);
        return rc;
    }
    if (!role->enabled) {
        pthread_mutex_lock(&runtime->look);
        role->enabled = true;
        pthread_mutex_unlock(&runtime->look);
    }
    return rc;
}

int piw_runtime_enable(piw_runtime *runtime, const char *task, piw_err *err)
{
    int rc = piw__admin_lock(runtime, err);
    if (rc != 0)
        return rc;
    rc = piw__admin_enable(runtime, task, err);
    pthread_mutex_unlock(&runtime->admin);
    return rc;
}
