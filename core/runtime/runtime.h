/* runtime.h — the host's side: loads tasks, starts them in order, swaps and stops them. For piw-master and tests; not
 * installed for plugins. Every function is called on the thread that made the runtime unless it says otherwise. */
#ifndef PIW_RUNTIME_H
#define PIW_RUNTIME_H

#include "piw/options.h"
#include "piw/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct piw_runtime piw_runtime;

/* Keys of a task's section that aren't its plugin's; plugin/manifest.c refuses options of these names. */
typedef enum {
    PIW_TASK_PLUGIN,
    PIW_TASK_ENABLED,
    PIW_TASK_INSTANCES,
    PIW_TASK_CRITICAL,
    PIW_TASK_ISOLATE,
    PIW_TASK_ABSENT,
    PIW_TASK_KEYS
} piw_task_key;

/* One task as configured (a [task:NAME] section, or what a test wants). Texts are copied. */
typedef struct piw_task_config {
    const char *name;   /* "greeter" */
    const char *plugin; /* file name searched in the plugin folders, or a path in one of them; NULL: NAME.so */
    bool enabled;
    unsigned instances;              /* 0: the manifest's */
    int critical;                    /* -1: the manifest's */
    bool absent_wait;                /* calls while it is disabled wait instead of failing */
    bool isolate;                    /* its soul in a process of its own (docs/bus.md#isolation) */
    const char *const *option_names; /* further keys */
    const char *const *option_values;
    const char *const *option_origins; /* "/etc/piwheels.conf:12", begins an error about the key; NULL: unknown */
    size_t options_count;
    const char *origins[PIW_TASK_KEYS]; /* where those before the options come from; NULL: default */
    const void *reserved[4];            /* NULL; checked */
} piw_task_config;

typedef struct piw_runtime_config {
    const char *const *plugin_dirs; /* first wins */
    size_t plugin_dirs_count;
    bool trust_files; /* tests: skip the check that others can't write the file or its folders */
    /* Addresses of outer queues by queue name. */
    const char *const *queue_names;
    const char *const *queue_addresses;
    size_t queues_count;
    const char *const
        *queue_curve_addresses; /* the encrypted ones, likewise; NULL, or an item is NULL: there is none */
    const char *allow;          /* networks that may connect; NULL: all */
    /* Addresses with networks of their own: QUEUE, or QUEUE-curve for the encrypted one. */
    const char *const *allow_names;
    const char *const *allow_networks;
    size_t allows_count;
    const char *keys; /* folder of keys (piw/keys.h); NULL: none, and no encrypted address */
    /* A master setting (piw_setting); NULL result: unset. May be NULL. Called from any thread, values live on. */
    const char *(*setting)(void *arg, const char *name);
    void *arg;
    const void *reserved[4]; /* NULL; checked */
} piw_runtime_config;

/* Is that a value of `allow`? PIW_ECONFIG with a sentence naming the part that is wrong; the start says the same. */
PIW_API int piw_runtime_check_allow(const char *allow, piw_err *err);

PIW_API int piw_runtime_new(piw_runtime **runtime, const piw_runtime_config *config, piw_err *err);
PIW_API int piw_runtime_add(piw_runtime *runtime, const piw_task_config *task, piw_err *err);
/* Load and check all, and nothing else: for a look before the real start, with a runtime of its own. */
PIW_API int piw_runtime_check(piw_runtime *runtime, piw_err *err);
/* Load and check all, start in the order of serves/needs; returns when every task is ready or one has refused (then
 * those started are stopped again). progress of slow starts is logged. `wait_ms` bounds the wait of one task, -1 none. */
PIW_API int piw_runtime_start(piw_runtime *runtime, int wait_ms, piw_err *err);
/* Supervise until a task quits the master, a critical task can't be kept up, or piw_runtime_quit. Notifies systemd
 * (READY, WATCHDOG, STOPPING). Returns 0 for an orderly quit, else an error with the reason. */
PIW_API int piw_runtime_run(piw_runtime *runtime, piw_err *err);
/* Before it: have its thread call `fn` about once a second. */
PIW_API void piw_runtime_each_second(piw_runtime *runtime, void (*fn)(void *arg), void *arg);
/* From any thread or signal handler: make run return. */
PIW_API void piw_runtime_quit(piw_runtime *runtime);
/* Stop all tasks in reverse order: no new work (ports closed for reading), mailboxes worked off, then souls stopped. */
PIW_API void piw_runtime_stop(piw_runtime *runtime);
PIW_API void piw_runtime_free(piw_runtime **runtime);

/* --- The admin queue: a task of the core's own that piw-ctl speaks to --- */
/* What the program that made the runtime knows of its configuration. Called on the admin task's thread. */
typedef struct piw_admin_hooks {
    /* Give every setting in force to `say`. */
    void (*settings)(void *arg, void (*say)(void *to, const char *name, const char *value, const char *origin),
                     void *to);
    /* Read the configuration again and apply what changed about tasks (piw_runtime_reconfigure), a line each to `say`.
     * An error: nothing was changed. */
    int (*reread)(void *arg, void (*say)(void *to, const char *line), void *to, piw_err *err);
    /* Pause what the tasks do as a whole, or let it go on; `done` gets a sentence about how it is then. */
    int (*pause)(void *arg, bool on, char *done, size_t size, piw_err *err);
    void *arg;
} piw_admin_hooks;
/* Add the task "admin", which serves the queue of that name; before all others, so that it is there while they start. */
PIW_API int piw_runtime_add_admin(piw_runtime *runtime, const piw_admin_hooks *hooks, piw_err *err);
/* From any thread: let the admin task call hooks.reread; what was done is in the log. */
PIW_API int piw_runtime_reread(piw_runtime *runtime, piw_err *err);

/* --- While it runs, from any thread (each waits for the change, bounded) --- */
/* Replace the task's plugin by another file (searched as above), state kept (docs/bus.md#swap). On error the old goes
 * on. */
PIW_API int piw_runtime_replace(piw_runtime *runtime, const char *task, const char *file, piw_err *err);
/* The same without its state: the old soul works off what it has (bounded), the new one begins cold. Fits also when the
 * type of the state is another. On error the old plugin is started again. */
PIW_API int piw_runtime_replace_fresh(piw_runtime *runtime, const char *task, const char *file, piw_err *err);
/* Bring a task in line with its configuration where that is not what it was when it was last applied; one that is new is
 * added. Only the number of instances stays. What was done, or what needs a restart of the master, is put into `done` (empty: nothing). With `apply` false
 * only whether it can be done is checked. */
PIW_API int piw_runtime_reconfigure(piw_runtime *runtime, const piw_task_config *task, bool apply, char *done,
                                    size_t size, piw_err *err);
/* Disable each task that isn't among those `kept` and was configured before; a line of each to `say`. */
PIW_API int piw_runtime_forget(piw_runtime *runtime, const char *const *kept, size_t count,
                               void (*say)(void *to, const char *line), void *to, piw_err *err);
/* While a task is on hold its messages wait and nothing of it runs. Changes of the task are possible. */
PIW_API int piw_runtime_hold(piw_runtime *runtime, const char *task, bool on, piw_err *err);
PIW_API int piw_runtime_restart(piw_runtime *runtime, const char *task, piw_err *err);
/* Record what the task (or one instance, "NAME.0") gets and does to a new file (docs/recording.md), at most `max` bytes (0: no
 * bound) and for `for_ms` (0: until it is ended). It begins with a swap of the task for itself. */
PIW_API int piw_runtime_record(piw_runtime *runtime, const char *task, const char *file, uint64_t max, int64_t for_ms,
                               piw_err *err);
/* End it; `said` is how it ended. PIW_ENOENT: it wasn't recorded. */
PIW_API int piw_runtime_record_end(piw_runtime *runtime, const char *task, char *said, size_t size, piw_err *err);
/* Refused when others need or use what it serves, unless by force. */
PIW_API int piw_runtime_disable(piw_runtime *runtime, const char *task, bool force, piw_err *err);
PIW_API int piw_runtime_enable(piw_runtime *runtime, const char *task, piw_err *err);

typedef struct piw_task_figures {
    char name[64], version[32], state[16]; /* running, starting, stopped, failed, stuck */
    uint64_t handled, errors, restarts, swaps, dead_letters, unanswered, calls_open, deferred, mailbox_depth;
    uint64_t swap_pause_ns_last, swap_pause_ns_max;
    uint64_t left_behind; /* values that another version of the plugin had kept and this one doesn't know */
    char stuck_in[64];
    char note[512];          /* what it says of itself, fit for a screen */
    uint64_t slow;           /* handlers that took longer than they may */
    uint64_t p50_ns, p99_ns; /* of handlers; 0: none yet */
    double rate;             /* messages a second, over the last ten seconds */
    uint64_t uptime_ns;      /* of the soul; 0: there is none */
    bool held;
    bool isolated;
    int pid; /* of the isolated soul's process; 0: none */
} piw_task_figures;
PIW_API int piw_runtime_figures(piw_runtime *runtime, const char *task, unsigned instance, piw_task_figures *figures);
/* The endpoint a queue is bound to (tests bind to "tcp://127.0.0.1:*"). */
PIW_API int piw_runtime_endpoint(piw_runtime *runtime, const char *queue, char *to, size_t size);

/* Calls from a thread outside (tests, benches, piw-master's own): a bare task without a plugin. Sends a call and waits
 * for its answer. */
PIW_API int piw_runtime_call(piw_runtime *runtime, const char *service, piw_msg **msg, int timeout_ms, piw_msg **answer,
                             piw_err *err);

#ifdef __cplusplus
}
#endif

#endif
