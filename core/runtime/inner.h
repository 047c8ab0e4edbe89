/* inner.h — inside the runtime: its structure, and what its files do for each other. */
#ifndef PIW__RUNTIME_INNER_H
#define PIW__RUNTIME_INNER_H

#include "actor/hub.h"
#include "actor/op.h"
#include "actor/role.h"
#include "actor/shell.h"
#include "actor/trace.h"
#include "runtime/runtime.h"

struct piw_runtime {
    piw__hub hub; /* what its shells share */

    /* Copies of the configuration. */
    char **dirs;
    size_t dirs_count;
    bool trust_files;
    char *allow, **allow_names, **allow_networks;
    size_t allows_count;
    char *keys; /* their folder, or NULL */

    pthread_mutex_t admin; /* one change of the tasks at a time; shells never take it, but that of the admin task */
    pthread_mutex_t look;  /* held for a few instructions; taken after `admin` */
    _Atomic bool stopping; /* relaxed: whoever waits for a change looks at it again and again */
    piw_admin_hooks hooks;
    piw__role *admin_role; /* NULL: there is no admin queue */
    /* PIW_LIMIT_TASKS of them. One more stands there, whole, before the count says so. */
    piw__role **roles;
    _Atomic size_t roles_count;
    piw__role **order;
    bool started, zap;
    bool leaked;                    /* a thread could not be ended: nothing may be freed */
    void (*each_second)(void *arg); /* for the thread in piw_runtime_run; NULL: nothing */
    void *each_second_arg;

    /* Endpoints of piw_runtime_call, reused, never freed before the end: late answers may come to them. */
    pthread_mutex_t bare_lock;
    piw__shell **bare;
    size_t bare_count;
    bool *bare_busy;

    pthread_t monitor;
    bool monitor_runs;
    int monitor_fd; /* eventfd: the monitor ends */
    int bell_fd;    /* eventfd: an operation of the start is done; open as long as shells may ring it */
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
/* In the place of a task that isn't in this process: its instances only have mailboxes. `*made` in any case. */
int piw__bare_role(piw_runtime *runtime, const char *name, unsigned instances, piw__role **made, piw_err *err);
PIW_API piw__role *piw__runtime_role(const piw_runtime *runtime, const char *name);
/* Load the role's plugin and check it against what is configured. */
int piw__role_look(const piw__role *role, const char *file, const piw__options *options, const piw__image **image,
                   piw_err *err);
/* The same, and against what is registered; enters its services. */
int piw__role_load(piw__role *role, const char *file, const piw__options *options, const piw__image **image,
                   piw_err *err);
/* The file that a task is configured to be loaded from; interned. */
const char *piw__plugin_name(const piw_task_config *config);
piw__options *piw__role_options(const piw_task_config *config);
/* Take note that the role's souls are now of this image. Under runtime->admin. */
void piw__role_set_image(piw__role *role, const piw__image *image);
/* Take runtime->admin, but not for ever: PIW_EAGAIN when another change goes on, PIW_ESTOPPED when the master stops. */
int piw__admin_lock(piw_runtime *runtime, piw_err *err);
/* The task, for a change of it by this thread; under runtime->admin. A task can't change itself. */
int piw__admin_find(piw_runtime *runtime, const char *task, piw__role **role, piw_err *err);
/* Have all its instances do the operation and wait, bounded, for the outcome. Under runtime->admin. */
int piw__admin_operate(piw__role *role, piw__op_kind kind, const piw__image *image, const piw__options *options,
                       piw_err *err);
/* The same of one instance, with an operation that the caller made and keeps. */
int piw__admin_operate_one(piw__role *role, unsigned instance, piw__op *op, piw_err *err);
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
/* Runs all shells and starts all tasks, each as soon as those that serve what it needs are ready; returns when all are, or one can't. */
int piw__start_tasks(piw_runtime *runtime, int wait_ms, piw_err *err);

/* --- monitor.c: stuck handlers, the watchdog --------------------------------------------------------------------- */
int piw__monitor_start(piw_runtime *runtime, piw_err *err);
void piw__monitor_stop(piw_runtime *runtime);
/* Print the flight recorders when the process crashes. One runtime at a time. */
void piw__crash_watch(piw_runtime *runtime);
void piw__crash_unwatch(piw_runtime *runtime);

/* --- figures.c ---------------------------------------------------------------------------------------------------- */

enum { PIW__SHOWN = 512 };
/* A copy of a text of the shell's that is under its ops_lock, made fit for messages and screens. Any thread. */
void piw__shown(piw__shell *shell, const char *from, char to[static PIW__SHOWN]);

#endif
