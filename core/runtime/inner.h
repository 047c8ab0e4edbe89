/* runtime_inner.h — inside the core: the runtime, its tasks as configured, and orders to their shells. */
#ifndef PIW__RUNTIME_INNER_H
#define PIW__RUNTIME_INNER_H

#include "runtime/runtime.h"
#include "actor/registry.h"
#include "actor/shell.h"
#include "actor/trace.h"
#include "actor/work.h"

/* The further keys of a task's section. Never changed; freed with the role, since souls keep pointers into it. */
struct piw__options {
    struct piw__options *older;
    char **names, **values;
    char **origins; /* NULL: unknown */
    size_t count;
};

enum { PIW__IMAGES_SEEN = 32 };

/* One task as configured. Set before its threads start, but for what changes with the task: that is written under both
 * runtime->admin and runtime->look, so that either is enough to read it. */
struct piw__role {
    piw_runtime *runtime;
    char *name;
    const char *plugin;                       /* file; interned, changes */
    const piw__image *image;                  /* changes */
    const piw__image *seen[PIW__IMAGES_SEEN]; /* every image it has had; changes */
    unsigned seen_count;
    const char *plugin_config; /* as the configuration says; interned, changes */
    bool enabled_config;       /* likewise */
    unsigned instances;
    int critical_config; /* -1: the manifest's */
    /* Changed under runtime->admin, read by any thread; relaxed: each stands alone. */
    _Atomic bool critical, absent_wait;
    _Atomic bool isolate;        /* its souls are in processes of their own */
    unsigned part, parts;        /* in such a process: which one of how many instances is ours; parts 0: this is none */
    const piw_plugin *builtin;   /* compiled in; else NULL */
    bool enabled;                /* changes */
    const piw__options *options; /* changes */
    piw__options *all_options;   /* a chain of every one that was ever in force; under runtime->admin */
    unsigned instances_config;   /* 0: the manifest's */
    const char *origins[PIW_TASK_KEYS]; /* interned, change; NULL: default */
    _Atomic(piw__tracer *) tracer;      /* made at the first trace, under runtime->admin */
    piw__shell **shells;
    /* Has this task a soul that works, or will have one soon? Written by its shells, read by callers of
     * piw_service_instances; relaxed: a hint that may be old when it is used. */
    _Atomic unsigned absent;
    unsigned order; /* of its start */
};

typedef enum {
    PIW__OP_START, /* the first soul */
    PIW__OP_SWAP,
    PIW__OP_RESTART, /* cold, also with another image */
    PIW__OP_FRESH,   /* the same, after what is there has been worked off */
    PIW__OP_HOLD,
    PIW__OP_RELEASE,
    PIW__OP_DISABLE,
    PIW__OP_QUIET, /* ports are no longer read */
    PIW__OP_STOP,  /* work off, stop the soul */
    PIW__OP_LEAVE, /* the thread ends */
} piw__op_kind;

/* A swap of several instances: all or none. The lock guards it; `changed` is signalled with each change. */
typedef struct piw__swap_group {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned members, prepared;
    int decision; /* 0: none yet, 1: go, -1: back */
    unsigned refs;
} piw__swap_group;

/* An order to a shell. The runtime and the shell hold a reference each; state, err and refs under the lock. */
struct piw__op {
    piw__op *next;
    piw__op_kind kind;
    const piw__image *image;
    const piw__options *options; /* for the new soul; NULL: as before */
    piw_why why;
    int64_t until_ns;       /* STOP: give up working off; SWAP: the decision comes by then */
    piw__swap_group *group; /* SWAP; a reference */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum { PIW__OP_QUEUED, PIW__OP_TAKEN, PIW__OP_DONE, PIW__OP_CANCELLED } state;
    int result;
    piw_err err;
    bool followed; /* SWAP: refused only since another instance was; written before it is done */
    unsigned refs;
};

struct piw_runtime {
    /* Copies of the configuration. */
    char **dirs;
    size_t dirs_count;
    bool trust_files;
    char **queue_names, **queue_addresses;
    size_t queues_count;
    char *allow;
    const char *(*setting)(void *arg, const char *name);
    void *arg;

    pthread_mutex_t admin; /* one change of the tasks at a time; shells never take it, but that of the admin task */
    pthread_mutex_t look;  /* held for a few instructions; taken after `admin` */
    _Atomic bool stopping; /* relaxed: whoever waits for a change looks at it again and again */
    piw_admin_hooks hooks;
    piw__role *admin_role; /* NULL: there is no admin queue */
    /* PIW_LIMIT_TASKS of them. One more stands there, whole, before the count says so. */
    piw__role **roles;
    _Atomic size_t roles_count;
    piw__role **order;
    piw__registry registry;
    piw__workers *workers;
    bool started, zap;
    bool leaked; /* a thread could not be ended: nothing may be freed */

    /* Endpoints of piw_runtime_call, reused, never freed before the end: late answers may come to them. */
    pthread_mutex_t bare_lock;
    piw__shell **bare;
    size_t bare_count;
    bool *bare_busy;

    pthread_t monitor;
    bool monitor_runs;
    int monitor_fd; /* eventfd: the monitor ends */

    /* The end. `quit_fd` is an eventfd that run waits for; the reason is under the lock, the first one wins. */
    int quit_fd;
    pthread_mutex_t quit_lock;
    bool quit;
    int quit_code;
    char quit_reason[PIW_ERR_TEXT];
};

/* Add a task whose manifest is compiled into the program (tests, benches). */
PIW_API int piw__runtime_add_builtin(piw_runtime *runtime, const piw_task_config *task, const piw_plugin *plugin,
                                     piw_err *err);
/* A task as configured, not yet one of the runtime's. */
void piw__role_set_origins(piw__role *role, const piw_task_config *config);
piw__role *piw__role_new(piw_runtime *runtime, const piw_task_config *config, const piw_plugin *builtin, piw_err *err);
void piw__role_free(piw__role *role);
/* What follows from the image: how many instances, and whether they fit. */
int piw__role_settle(piw__role *role, const piw__image *image, piw_err *err);
/* Its shells, which don't run yet; their threads. */
int piw__role_make_shells(piw__role *role, piw_err *err);
int piw__role_run_shells(const piw__role *role, piw_err *err);
/* Ask the master to stop: code 0, or an error with its reason. Any thread. */
PIW_API piw__role *piw__runtime_role(const piw_runtime *runtime, const char *name);
/* Load the role's plugin and check it against what is configured. */
int piw__role_look(const piw__role *role, const char *file, const piw__options *options, const piw__image **image,
                   piw_err *err);
/* The same, and against what is registered; enters its services. */
int piw__role_load(piw__role *role, const char *file, const piw__options *options, const piw__image **image,
                   piw_err *err);
/* The file that a task is configured to be loaded from; interned. */
const char *piw__plugin_name(const piw_task_config *config);
void piw__runtime_quit(piw_runtime *runtime, int code, const char *reason);
const char *piw__option_value(const piw__options *options, const char *name);
const char *piw__option_origin(const piw__options *options, const char *name); /* NULL: not set */
piw__options *piw__options_new(const piw_task_config *config);
void piw__options_free(piw__options **options); /* the whole chain */
/* Options of the [task:NAME] section against the manifest's. */
int piw__role_check_options(const piw__role *role, const piw__options *options, const piw__image *image, piw_err *err);
/* Take note that the role's souls are now of this image. Under runtime->admin. */
void piw__role_set_image(piw__role *role, const piw__image *image);
/* Take runtime->admin, but not for ever: PIW_EAGAIN when another change goes on, PIW_ESTOPPED when the master stops. */
int piw__admin_lock(piw_runtime *runtime, piw_err *err);
/* The task, for a change of it by this thread; under runtime->admin. A task can't change itself. */
int piw__admin_find(piw_runtime *runtime, const char *task, piw__role **role, piw_err *err);
/* Give all its instances the order and wait, bounded, for the outcome. Under runtime->admin. */
int piw__admin_order(piw__role *role, piw__op_kind kind, const piw__image *image, const piw__options *options,
                     piw_err *err);
/* The role's souls begin anew with this image, cold. When some instance isn't ready in time, all go back to what was. */
int piw__admin_fresh(piw__role *role, const piw__image *image, const piw__options *options, piw_err *err);
/* What piw_runtime_disable and _enable do, under runtime->admin. */
int piw__admin_disable(piw_runtime *runtime, const char *task, bool force, piw_err *err);
int piw__admin_enable(piw_runtime *runtime, const char *task, piw_err *err);
/* --- add.c: under runtime->admin --- */
/* Can a task that is configured so be added? Its plugin is loaded, and nothing else. */
int piw__admin_check_new(piw_runtime *runtime, const piw_task_config *config, piw_err *err);
/* Add it and start it. When it doesn't start it stays, disabled. */
int piw__admin_add(piw_runtime *runtime, const piw_task_config *config, piw_err *err);

/* May this image follow the role's? */
int piw__admin_check_successor(const piw__role *role, const piw__image *image, bool fresh, piw_err *err);
/* The order of starts by serves and needs; PIW_ECONFIG naming a cycle or what is missing. */
int piw__runtime_order(piw_runtime *runtime, piw_err *err);

/* --- order.c ----------------------------------------------------------------------------------------------------- */
piw__op *piw__op_new(piw__op_kind kind, const piw__image *image);
void piw__op_unref(piw__op *op);
/* Give the order to a shell: it takes a reference of its own. */
void piw__op_send(piw__op *op, piw__shell *shell);
/* Wait until it is done. After `until_ns`: PIW_EDEADLINE when it had not been taken yet and was cancelled (if
 * `cancel`), else PIW_EAGAIN: it may be done later. */
int piw__op_wait(piw__op *op, int64_t until_ns, bool cancel, piw_err *err);
/* By the shell: take it (false: it was cancelled); done. */
bool piw__op_take(piw__op *op);
void piw__op_done(piw__op *op, int result, const piw_err *err);

/* --- monitor.c: stuck handlers, the watchdog --------------------------------------------------------------------- */
int piw__monitor_start(piw_runtime *runtime, piw_err *err);
void piw__monitor_stop(piw_runtime *runtime);
/* Print the flight recorders when the process crashes. One runtime at a time. */
void piw__crash_watch(piw_runtime *runtime);
void piw__crash_unwatch(piw_runtime *runtime);

/* --- runtime_figures.c -------------------------------------------------------------------------------------------- */

enum { PIW__SHOWN = 512 };
/* A copy of a text of the shell's that is under its ops_lock, made fit for messages and screens. Any thread. */
void piw__shown(piw__shell *shell, const char *from, char to[static PIW__SHOWN]);

#endif
