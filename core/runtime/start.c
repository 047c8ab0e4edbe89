/* start.c — the start of all tasks. Most of its time is waiting for others (a database's new connections, what it reads for the first
 * time), so tasks that don't need each other start side by side. First come those that others need, or that have begun to prepare
 * themselves, and of a task with several instances the first alone: with these others have what they need. The rest begin when nobody
 * has been ready for a moment, since the first ones have their first questions to ask then. Whoever is done rings a bell, so nobody
 * is waited for in steps. */
#include "actor/op.h"
#include "actor/shell.h"
#include "runtime/inner.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LOOK_MS = 10, /* without a bell: is one late, or to be told of? Those that have time begin then */
    PROGRESS_MS = 5000,
};

typedef struct start {
    const piw__role *role;
    bool has_time;                     /* no other waits for it */
    piw__op *ops[PIW_LIMIT_INSTANCES]; /* NULL: ready, or not begun */
    unsigned begun, ready;             /* instances */
    int64_t began_ns, said_ns;
} start;

/* Roles are in an order in which what is needed comes first; its place in it is a role's number. */
static bool may_begin(piw_runtime *runtime, const start *starts, const piw__role *role)
{
    const char *const *needs = role->image != NULL ? role->image->plugin->needs : NULL;
    for (unsigned i = 0; needs != NULL && needs[i] != NULL; i++) {
        const piw__service *service = piw__registry_find(&runtime->hub.registry, needs[i]);
        if (service != NULL && service->role != role && starts[service->role->order].ready == 0)
            return false;
    }
    return true;
}

static bool is_needed(piw_runtime *runtime, const piw__role *role)
{
    for (size_t i = 0; i < runtime->roles_count; i++) {
        const piw__image *image = runtime->roles[i]->enabled ? runtime->roles[i]->image : NULL;
        const char *const *needs = image != NULL ? image->plugin->needs : NULL;
        for (unsigned n = 0; needs != NULL && needs[n] != NULL; n++) {
            const piw__service *service = piw__registry_find(&runtime->hub.registry, needs[n]);
            if (service != NULL && service->role == role)
                return true;
        }
    }
    return false;
}

/* The next instances, up to `end`, with their threads where they have none yet. */
static int begin(piw_runtime *runtime, start *it, unsigned end, piw_err *err)
{
    const piw__role *role = it->role;
    int rc = 0;
    if (it->begun == 0)
        it->began_ns = it->said_ns = piw_monotonic_ns();
    for (; rc == 0 && it->begun < end; it->begun++) {
        piw__op *op = piw__op_new(role->enabled ? PIW__OP_START : PIW__OP_DISABLE, role->image);
        op->why = PIW_BOOT;
        op->bell_fd = runtime->bell_fd;
        it->ops[it->begun] = op;
        piw__op_send(op, role->shells[it->begun]);
        if (!role->shells[it->begun]->thread_runs)
            rc = piw__shell_run(role->shells[it->begun], err);
    }
    return rc;
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

/* Which of its instances are ready? PIW_EAGAIN: not all of those that have begun. */
static int look(start *it, int wait_ms, piw_err *err)
{
    int found = 0;
    for (unsigned n = 0; n < it->begun; n++) {
        int rc = it->ops[n] != NULL ? piw__op_wait(it->ops[n], 0, false, err) : 0;
        if (rc == PIW_EAGAIN)
            rc = found = say_late(it, it->role->shells[n], wait_ms, err);
        else if (rc != 0)
            piw_err_prefix(err, "task %s can't start", it->role->shells[n]->name);
        if (rc != 0 && rc != PIW_EAGAIN)
            return rc;
        if (rc == PIW_EAGAIN || it->ops[n] == NULL)
            continue;
        piw__op_unref(it->ops[n]);
        it->ops[n] = NULL;
        it->ready++;
    }
    return found;
}

/* 0: nobody wants it to. */
static int wants_to_quit(piw_runtime *runtime, const char *waits_for, piw_err *err)
{
    struct pollfd fd = {.fd = runtime->hub.quit_fd, .events = POLLIN};
    int rc = 0;
    pthread_mutex_lock(&runtime->hub.quit_lock);
    if (runtime->hub.quit && runtime->hub.quit_code != 0)
        rc = piw_err_set(err, runtime->hub.quit_code, "%s", runtime->hub.quit_reason);
    else if (runtime->hub.quit || poll(&fd, 1, 0) > 0)
        rc = piw_err_set(err, PIW_ESTOPPED, "stopped while task %s was starting", waits_for);
    pthread_mutex_unlock(&runtime->hub.quit_lock);
    return rc;
}

/* Those that what is ready now lets begin. `rung`: who has time, and further instances, need not begin yet; else a first one may wait
 * for them. */
static int begin_all(piw_runtime *runtime, start *starts, bool rung, piw_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < runtime->roles_count; i++)
        if (starts[i].begun == 0 && !(rung && starts[i].has_time) && may_begin(runtime, starts, starts[i].role))
            rc = begin(runtime, &starts[i], 1, err);
    for (size_t i = 0; !rung && rc == 0 && i < runtime->roles_count; i++)
        if (starts[i].ready > 0)
            rc = begin(runtime, &starts[i], starts[i].role->instances, err);
    return rc;
}

/* Looks at all that have begun. `*waits_for`: the first that isn't ready, NULL: all are. */
static int look_at_all(piw_runtime *runtime, start *starts, int wait_ms, const char **waits_for, piw_err *err)
{
    *waits_for = NULL;
    for (size_t i = 0; i < runtime->roles_count; i++) {
        int rc = look(&starts[i], wait_ms, err);
        if (rc != 0 && rc != PIW_EAGAIN)
            return rc;
        if (*waits_for == NULL && starts[i].ready < starts[i].role->instances)
            *waits_for = starts[i].role->name;
    }
    return 0;
}

/* Until one is done, somebody wants to quit, or (false) a while has passed. */
static bool wait_for_bell(const piw_runtime *runtime)
{
    struct pollfd fds[] = {{.fd = runtime->bell_fd, .events = POLLIN}, {.fd = runtime->hub.quit_fd, .events = POLLIN}};
    uint64_t rung;
    int ready = poll(fds, PIW_COUNT(fds), LOOK_MS);
    if (ready > 0 && fds[0].revents != 0 && read(runtime->bell_fd, &rung, sizeof(rung)) < 0)
        piw_debug("the bell of the starting tasks can't be read");
    return ready > 0;
}

int piw__role_run_shells(const piw__role *role, piw_err *err)
{
    int rc = 0;
    for (unsigned n = 0; rc == 0 && n < role->instances; n++)
        rc = piw__shell_run(role->shells[n], err);
    return rc;
}

/* The threads of those that come first, before what lets them begin; the others' are made with their beginning. All shells stand before
 * the first runs: messages may go to any of them from then on. */
static int run_first(piw_runtime *runtime, const start *starts, piw_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < runtime->roles_count; i++) {
        piw__shell *shell = starts[i].role->shells[0];
        if (!starts[i].has_time && !shell->thread_runs)
            rc = piw__shell_run(shell, err);
    }
    return rc;
}

int piw__start_tasks(piw_runtime *runtime, int wait_ms, piw_err *err)
{
    start *starts = piw_zalloc(runtime->roles_count * sizeof(*starts) + 1);
    const char *waits_for = NULL;
    for (size_t i = 0; i < runtime->roles_count; i++) {
        starts[i].role = runtime->order[i];
        starts[i].has_time = starts[i].role->preparation == NULL && !is_needed(runtime, starts[i].role);
    }
    int rc = begin_all(runtime, starts, true, err);
    if (rc == 0)
        rc = run_first(runtime, starts, err);
    if (rc == 0)
        rc = look_at_all(runtime, starts, wait_ms, &waits_for, err);
    while (rc == 0 && waits_for != NULL && (rc = wants_to_quit(runtime, waits_for, err)) == 0) {
        bool rung = wait_for_bell(runtime);
        rc = look_at_all(runtime, starts, wait_ms, &waits_for, err);
        if (rc == 0)
            rc = begin_all(runtime, starts, rung, err);
    }
    for (size_t i = 0; i < runtime->roles_count; i++)
        for (unsigned n = 0; n < starts[i].begun; n++)
            piw__op_unref(starts[i].ops[n]);
    free(starts);
    return rc;
}
