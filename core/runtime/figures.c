/* figures.c — the figures of the tasks while they run. Nothing here waits for a task. */
#include "base/escape.h"
#include "runtime/inner.h"

#include <stdio.h>

static uint64_t value(const _Atomic uint64_t *figure)
{
    return atomic_load_explicit(figure, memory_order_relaxed);
}

void piw__shown(piw__shell *shell, const char *from, char to[static PIW__SHOWN])
{
    pthread_mutex_lock(&shell->supervision.ops_lock);
    piw__escape(to, PIW__SHOWN, from, strlen(from));
    pthread_mutex_unlock(&shell->supervision.ops_lock);
}

int piw_runtime_figures(piw_runtime *runtime, const char *task, unsigned instance, piw_task_figures *figures)
{
    static const char *const states[] = {
        [PIW__DOWN] = "stopped",      [PIW__ABSENT] = "stopped",  [PIW__FAILED] = "failed",
        [PIW__STARTING] = "starting", [PIW__RUNNING] = "running", [PIW__STOPPED] = "stopped",
    };
    const piw__role *role = piw__runtime_role(runtime, task);
    if (role == NULL || role->shells == NULL || instance >= role->instances)
        return PIW_ENOENT;
    piw__shell *shell = role->shells[instance];
    const piw__figures *own = &shell->seen.figures;
    memset(figures, 0, sizeof(*figures));
    bool stuck = piw__seen_stuck(&shell->seen);
    const char *what = atomic_load_explicit(&shell->seen.busy_in, memory_order_relaxed);
    snprintf(figures->name, sizeof(figures->name), "%s", shell->name);
    snprintf(figures->state, sizeof(figures->state), "%s",
             stuck ? "stuck" : states[atomic_load_explicit(&own->state, memory_order_relaxed)]);
    if (stuck)
        snprintf(figures->stuck_in, sizeof(figures->stuck_in), "%s", what != NULL ? what : "");
    const char *version = atomic_load_explicit(&shell->seen.version, memory_order_acquire);
    snprintf(figures->version, sizeof(figures->version), "%s", version != NULL ? version : "");
    piw__shown(shell, shell->seen.note, figures->note);
    figures->handled = value(&own->handled);
    figures->errors = value(&own->errors);
    figures->restarts = value(&own->restarts);
    figures->swaps = value(&own->swaps);
    figures->left_behind = value(&own->left_behind);
    figures->dead_letters = value(&own->dead_letters);
    figures->unanswered = value(&own->unanswered);
    figures->calls_open = value(&own->calls_open);
    figures->deferred = value(&own->deferred);
    figures->mailbox_depth = piw__mailbox_depth(&shell->mailbox);
    uint64_t sum[PIW__TIMES_STEPS] = {0};
    piw__times_sum(&shell->soul.times, sum);
    figures->p50_ns = piw__times_percentile(sum, 50);
    figures->p99_ns = piw__times_percentile(sum, 99);
    figures->slow = value(&own->slow);
    figures->rate = (double)value(&shell->seen.rate_milli) / 1000;
    int64_t since_ns = atomic_load_explicit(&shell->seen.since_ns, memory_order_relaxed);
    figures->uptime_ns = since_ns != 0 ? (uint64_t)(piw_monotonic_ns() - since_ns) : 0;
    figures->isolated = role->isolate;
    figures->pid = atomic_load_explicit(&shell->seen.pid, memory_order_relaxed);
    figures->held = atomic_load_explicit(&shell->seen.on_hold, memory_order_relaxed);
    figures->swap_pause_ns_last = value(&own->pause_last_ns);
    figures->swap_pause_ns_max = value(&own->pause_max_ns);
    return 0;
}

int piw_runtime_endpoint(piw_runtime *runtime, const char *queue, char *to, size_t size)
{
    int rc = PIW_ENOENT;
    pthread_mutex_lock(&runtime->admin);
    for (size_t i = 0; rc != 0 && runtime->started && i < runtime->roles_count; i++) {
        const piw__role *role = runtime->roles[i];
        const piw__shell *shell = role->shells[0];
        const piw_service *queues = role->image != NULL ? role->image->plugin->queues : NULL;
        for (unsigned n = 0; queues != NULL && queues[n].name != NULL && n < shell->queues.count; n++) {
            if (strcmp(piw__port_name(shell->queues.ports[n]), queue) != 0)
                continue;
            snprintf(to, size, "%s", shell->queues.endpoints[n]);
            rc = 0;
        }
    }
    pthread_mutex_unlock(&runtime->admin);
    return rc;
}
