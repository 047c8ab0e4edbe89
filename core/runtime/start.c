/* start.c — the start of all tasks. Most of its time is waiting for others (a database's new connections, what it reads for the first
 * time), so tasks that don't need each other start side by side. */
#include "actor/op.h"
#include "actor/shell.h"
#include "runtime/inner.h"

#include <poll.h>
#include <stdlib.h>

enum {
    LOOK_MS = 2, /* so long one task is waited for before the others, and a wish to quit, are looked at */
    PROGRESS_MS = 5000,
};

typedef struct start {
    const piw__role *role;
    piw__op *ops[PIW_LIMIT_INSTANCES]; /* NULL: ready */
    int64_t began_ns, said_ns;         /* 0: not begun */
    bool ready;
} start;

/* Roles are in an order in which what is needed comes first; its place in it is a role's number. */
static bool may_begin(piw_runtime *runtime, const start *starts, const piw__role *role)
{
    const char *const *needs = role->image != NULL ? role->image->plugin->needs : NULL;
    for (unsigned i = 0; needs != NULL && needs[i] != NULL; i++) {
        const piw__service *service = piw__registry_find(&runtime->hub.registry, needs[i]);
        if (service != NULL && service->role != role && !starts[service->role->order].ready)
            return false;
    }
    return true;
}

static void begin(start *it)
{
    const piw__role *role = it->role;
    it->began_ns = it->said_ns = piw_monotonic_ns();
    for (unsigned n = 0; n < role->instances; n++) {
        it->ops[n] = piw__op_new(role->enabled ? PIW__OP_START : PIW__OP_DISABLE, role->image);
        it->ops[n]->why = PIW_BOOT;
        piw__op_send(it->ops[n], role->shells[n]);
    }
}

static int say_late(start *it, const piw__shell *shell, int wait_ms, piw_err *err)
{
    int64_t now = piw_monotonic_ns();
    if (wait_ms >= 0 && now - it->began_ns >= wait_ms * INT64_C(1000000))
        return piw_err_set(err, PIW_EDEADLINE, "task %s was not ready within %d ms", shell->name, wait_ms);
    if (now - it->said_ns >= PROGRESS_MS * INT64_C(1000000)) {
        it->said_ns = now;
        piw_warning("task %s is still starting (%d s)", shell->name, (int)((now - it->began_ns) / 1000000000));
    }
    return PIW_EAGAIN;
}

/* Is it ready? PIW_EAGAIN: not before `until_ns`. */
static int look(start *it, int64_t until_ns, int wait_ms, piw_err *err)
{
    for (unsigned n = 0; n < it->role->instances; n++) {
        if (it->ops[n] == NULL)
            continue;
        int rc = piw__op_wait(it->ops[n], until_ns, false, err);
        if (rc == PIW_EAGAIN)
            return say_late(it, it->role->shells[n], wait_ms, err);
        if (rc != 0) {
            piw_err_prefix(err, "task %s can't start", it->role->shells[n]->name);
            return rc;
        }
        piw__op_unref(it->ops[n]);
        it->ops[n] = NULL;
    }
    it->ready = true;
    return 0;
}

static bool wants_to_quit(piw_runtime *runtime)
{
    struct pollfd fd = {.fd = runtime->hub.quit_fd, .events = POLLIN};
    pthread_mutex_lock(&runtime->hub.quit_lock);
    bool quit = runtime->hub.quit;
    pthread_mutex_unlock(&runtime->hub.quit_lock);
    return quit || poll(&fd, 1, 0) > 0;
}

/* Begins what may, and looks at what has begun: only at the first of these for a while. */
static int look_at_all(piw_runtime *runtime, start *starts, int wait_ms, size_t *ready, piw_err *err)
{
    const char *waits_for = NULL;
    int64_t until_ns = piw_monotonic_ns() + LOOK_MS * INT64_C(1000000);
    *ready = 0;
    for (size_t i = 0; i < runtime->roles_count; i++) {
        start *it = &starts[i];
        if (!it->ready && it->began_ns == 0 && may_begin(runtime, starts, it->role))
            begin(it);
    }
    for (size_t i = 0; i < runtime->roles_count; i++) {
        start *it = &starts[i];
        int rc = it->ready || it->began_ns == 0 ? 0 : look(it, waits_for == NULL ? until_ns : 0, wait_ms, err);
        if (rc == PIW_EAGAIN && waits_for == NULL)
            waits_for = it->role->name;
        else if (rc != 0 && rc != PIW_EAGAIN)
            return rc;
        *ready += it->ready ? 1 : 0;
    }
    if (waits_for != NULL && wants_to_quit(runtime))
        return piw_err_set(err, PIW_ESTOPPED, "stopped while task %s was starting", waits_for);
    return 0;
}

int piw__start_tasks(piw_runtime *runtime, int wait_ms, piw_err *err)
{
    start *starts = piw_zalloc(runtime->roles_count * sizeof(*starts) + 1);
    size_t ready = 0;
    int rc = 0;
    for (size_t i = 0; i < runtime->roles_count; i++)
        starts[i].role = runtime->order[i];
    while (rc == 0 && ready < runtime->roles_count)
        rc = look_at_all(runtime, starts, wait_ms, &ready, err);
    for (size_t i = 0; i < runtime->roles_count; i++)
        for (unsigned n = 0; n < starts[i].role->instances; n++)
            if (starts[i].ops[n] != NULL)
                piw__op_unref(starts[i].ops[n]);
    free(starts);
    return rc;
}
