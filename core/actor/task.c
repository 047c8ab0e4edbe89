/* task.c — what a soul may do: say who it is, send, give work, set timers. */
#include "actor/registry.h"
#include "actor/shell.h"

#include <stdio.h>

/* To the recording of this task, if there is one. */
static inline void show(piw__shell *shell, piw_sent kind, const piw_msg *msg, const char *service, int instance)
{
    if (__builtin_expect(atomic_load_explicit(&shell->seen.watched, memory_order_relaxed) & PIW__RECORDED, 0))
        piw__record_sent(shell, kind, msg, service, instance);
}

/* Casts and calls sent to a service that the manifest doesn't name are a bug in the task: said, but not too often. */
static __attribute__((noinline)) void say_no_route(piw_task *task, const piw_msg_type *type, const char *service)
{
    piw_log_limited(&task->shell->supervision.log_errors, 20, PIW_LOG_ERROR,
                    "%s.%s can't be sent%s%s: the manifest of %s does not use its service", type->protocol->name,
                    type->name, service != NULL ? " to " : "", service != NULL ? service : "", task->plugin->name);
}

void piw_soul_set(piw_task *task, void *soul)
{
    task->soul = soul;
}

void *piw_soul(const piw_task *task)
{
    return task->soul;
}

void piw_keep(piw_task *task, void *kept)
{
    task->shell->soul.kept = kept;
}

void *piw_kept(const piw_task *task)
{
    return task->shell->soul.kept;
}

void piw_ready(piw_task *task)
{
    task->ready = true;
}

void piw_fail(piw_task *task, const char *fmt, ...)
{
    if (task->failed)
        return;
    task->failed = true;
    va_list args;
    va_start(args, fmt);
    vsnprintf(task->failure, sizeof(task->failure), fmt, args);
    va_end(args);
}

void piw__note_show(piw__shell *shell)
{
    const char *note = shell->soul.task != NULL ? shell->soul.task->note : "";
    if (strcmp(shell->seen.note, note) == 0)
        return; /* nobody else writes it */
    pthread_mutex_lock(&shell->supervision.ops_lock);
    snprintf(shell->seen.note, sizeof(shell->seen.note), "%s", note);
    pthread_mutex_unlock(&shell->supervision.ops_lock);
    atomic_fetch_add_explicit(&shell->seen.notes, 1, memory_order_release);
}

void piw_task_note(piw_task *task, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(task->note, sizeof(task->note), fmt, args);
    va_end(args);
    if (task->shell->soul.task == task) /* a successor's is seen when it has taken over */
        piw__note_show(task->shell);
}

void piw_quit(piw_task *task, const char *reason)
{
    piw__hub_quit(task->shell->hub, reason != NULL ? PIW_EHANDLER : 0, reason);
}

const char *piw_task_name(const piw_task *task)
{
    return task->shell->role->name;
}

unsigned piw_task_instance(const piw_task *task)
{
    const piw__role *role = task->shell->role;
    return role->parts > 0 ? role->part : task->shell->instance;
}

unsigned piw_task_instances(const piw_task *task)
{
    const piw__role *role = task->shell->role;
    return role->parts > 0 ? role->parts : role->instances;
}

/* --- Where to ---------------------------------------------------------------------------------------------------- */

static inline piw__route *route_of(piw_task *task, const piw_protocol *protocol, const char *service)
{
    for (unsigned i = 0; i < task->routes_count; i++) {
        piw__route *route = &task->routes[i];
        if (route->protocol == protocol && (service == NULL || strcmp(route->service, service) == 0))
            return route;
    }
    return NULL;
}

static inline piw__shell *shell_of(piw__route *route, int instance)
{
    const piw__role *role = route->to->role;
    if (instance < 0)
        instance = role->instances == 1 ? 0 : (int)(route->turn++ % role->instances);
    return (unsigned)instance < role->instances ? role->shells[instance] : NULL;
}

/* A message of a service, made by the soul, not one that it only borrows. */
static inline bool may_send(const piw_task *task, const piw_msg *msg)
{
    return msg != NULL && msg != task->shell->soul.current && task->shell->soul.txn.open;
}

static inline int find_receiver(piw_task *task, const piw_msg *msg, const char *service, int instance, piw__shell **to)
{
    const piw_msg_type *type = msg->type;
    if (type->kind != PIW_M_CALL && type->kind != PIW_M_CAST)
        return PIW_EINVAL;
    piw__route *route = route_of(task, type->protocol, service);
    if (__builtin_expect(route == NULL, 0)) {
        say_no_route(task, type, service);
        return PIW_ENOENT;
    }
    *to = shell_of(route, instance);
    return *to != NULL ? 0 : PIW_ENOENT;
}

/* --- Sending ----------------------------------------------------------------------------------------------------- */

static inline int cast_to(piw_task *task, const char *service, int instance, piw_msg **msg_)
{
    piw_msg *msg = *msg_;
    piw__shell *to;
    if (!may_send(task, msg))
        return PIW_EINVAL;
    int rc = find_receiver(task, msg, service, instance, &to);
    if (rc != 0)
        return rc;
    msg->trace = task->shell->soul.trace;
    show(task->shell, PIW_SENT_CAST, msg, service, instance);
    piw__outbox_add(&task->shell->loop.outbox, &to->mailbox, msg);
    *msg_ = NULL;
    return 0;
}

int piw_cast_to(piw_task *task, const char *service, int instance, piw_msg **msg)
{
    return cast_to(task, service, instance, msg);
}

int piw_cast(piw_task *task, piw_msg **msg)
{
    return cast_to(task, NULL, -1, msg);
}

static void set_deadline(piw__shell *shell, piw__call *call, piw_msg *msg, int64_t deadline_ms)
{
    int64_t ms = deadline_ms != 0 ? deadline_ms : msg->type->deadline_ms;
    int64_t at = ms > 0 ? piw_monotonic_ns() + ms * 1000000 : 0;
    if (deadline_ms >= 0 && shell->soul.deadline_ns != 0 && (at == 0 || at > shell->soul.deadline_ns))
        at = shell->soul.deadline_ns;
    msg->deadline_ns = at;
    if (at != 0)
        piw__heap_put(&shell->waits.call_heap, &call->due, at);
}

int piw_call_to(piw_task *task, const char *service, int instance, piw_msg **msg_, const char *continuation,
                uint64_t key, int64_t deadline_ms)
{
    piw__shell *shell = task->shell, *to;
    piw_msg *msg = *msg_;
    if (!may_send(task, msg) || msg->type->reply < 0)
        return PIW_EINVAL;
    const char *name = piw__image_continuation(task->image, continuation);
    if (name == NULL) {
        piw_error("call of %s: there is no continuation %s", msg->type->name, continuation);
        return PIW_ENOENT;
    }
    if (shell->waits.calls.count >= PIW_LIMIT_CALLS)
        return PIW_ELIMIT;
    int rc = find_receiver(task, msg, service, instance, &to);
    if (rc != 0)
        return rc;
    piw__call *call = piw__call_new(shell, task, name, key);
    call->type = msg->type;
    piw__txn_undo(&shell->soul.txn, PIW__UNDO_CALL)->call = call;
    set_deadline(shell, call, msg, deadline_ms);
    if (deadline_ms < 0)
        call->inherited_ns = 0;
    msg->trace = shell->soul.trace;
    msg->flags |= PIW__REQUEST;
    msg->from = shell;
    msg->call_id = call->node.key;
    show(shell, PIW_SENT_CALL, msg, service, instance);
    piw__outbox_add(&shell->loop.outbox, &to->mailbox, msg);
    *msg_ = NULL;
    return 0;
}

int piw_call(piw_task *task, piw_msg **msg, const char *continuation, uint64_t key, int64_t deadline_ms)
{
    return piw_call_to(task, NULL, -1, msg, continuation, key, deadline_ms);
}

int piw_forward(piw_task *task, piw_msg *request, const char *service, int instance)
{
    piw__shell *shell = task->shell, *to;
    if (request != shell->soul.current || shell->soul.current_gone || (request->flags & PIW__SETTLED) != 0 ||
        piw__msg_rest_of(request)->port != NULL)
        return PIW_EINVAL;
    int rc = find_receiver(task, request, service, instance, &to);
    if (rc != 0)
        return rc;
    show(shell, PIW_SENT_FORWARD, request, service, instance);
    piw__outbox_add(&shell->loop.outbox, &to->mailbox, request);
    shell->soul.current_gone = true;
    return 0;
}

unsigned piw_service_instances(piw_task *task, const char *service)
{
    const piw__service *entry = piw__registry_find(&task->shell->hub->registry, service);
    if (entry == NULL)
        return 0;
    unsigned absent = atomic_load_explicit(&entry->role->absent, memory_order_relaxed);
    return absent < entry->role->instances ? entry->role->instances - absent : 0;
}

int piw_emit(piw_task *task, piw_msg **event)
{
    piw__shell *shell = task->shell;
    piw_msg *msg = *event;
    if (!may_send(task, msg) || msg->type->kind != PIW_M_EVENT)
        return PIW_EINVAL;
    msg->trace = shell->soul.trace;
    show(shell, PIW_SENT_EVENT, msg, NULL, -1);
    piw__role *role;
    for (unsigned n = 0; (role = piw__registry_subscriber(&shell->hub->registry, msg->type, n)) != NULL; n++)
        for (unsigned i = 0; i < role->instances; i++)
            piw__outbox_add(&shell->loop.outbox, &role->shells[i]->mailbox, piw_msg_copy(msg));
    piw_msg_free(event);
    return 0;
}

int piw_queues_rest(piw_task *task, bool rest)
{
    piw__shell *shell = task->shell;
    if (!shell->soul.txn.open)
        return PIW_EINVAL;
    if (shell->queues.rest == rest)
        return 0;
    piw__txn_undo(&shell->soul.txn, PIW__UNDO_REST)->existed = shell->queues.rest;
    shell->queues.rest = rest;
    shell->queues.dirty = true;
    return 0;
}

/* --- Work and time ----------------------------------------------------------------------------------------------- */

static int work(piw_task *task, piw_work_fn *fn, piw_msg **job, const char *continuation, uint64_t key, bool background)
{
    piw__shell *shell = task->shell;
    piw_msg *msg = *job;
    if (!may_send(task, msg) || msg->type->kind != PIW_M_WORK || msg->type->reply < 0)
        return PIW_EINVAL;
    const char *name = piw__image_continuation(task->image, continuation);
    if (name == NULL) {
        piw_error("work %s: there is no continuation %s", msg->type->name, continuation);
        return PIW_ENOENT;
    }
    if (shell->waits.calls.count >= PIW_LIMIT_CALLS)
        return PIW_ELIMIT;
    piw__call *call = piw__call_new(shell, task, name, key);
    call->type = msg->type;
    call->work = true;
    piw__txn_undo(&shell->soul.txn, PIW__UNDO_CALL)->call = call;
    msg->trace = shell->soul.trace;
    msg->flags |= PIW__REQUEST;
    msg->from = shell;
    msg->call_id = call->node.key;
    show(shell, PIW_SENT_JOB, msg, NULL, -1);
    piw__do *act = piw__txn_do(&shell->soul.txn, PIW__DO_WORK);
    act->msg = msg;
    act->fn = fn;
    act->background = background;
    *job = NULL;
    return 0;
}

int piw_work(piw_task *task, piw_work_fn *fn, piw_msg **job, const char *continuation, uint64_t key)
{
    return work(task, fn, job, continuation, key, false);
}

int piw_work_background(piw_task *task, piw_work_fn *fn, piw_msg **job, const char *continuation, uint64_t key)
{
    return work(task, fn, job, continuation, key, true);
}

static void note_timer(piw__shell *shell, const piw__timer *timer, const char *name, uint64_t key)
{
    piw__undo *undo = piw__txn_undo(&shell->soul.txn, PIW__UNDO_TIMER);
    undo->continuation = name;
    undo->key = key;
    undo->existed = timer != NULL;
    undo->at_ns = timer != NULL ? timer->due.at_ns : 0;
    undo->period_ns = timer != NULL ? timer->period_ns : 0;
}

int piw_timer(piw_task *task, const char *continuation, uint64_t key, int64_t delay_ms, int64_t period_ms)
{
    piw__shell *shell = task->shell;
    const char *name = piw__image_continuation(task->image, continuation);
    if (name == NULL) {
        piw_error("timer: there is no continuation %s", continuation);
        return PIW_ENOENT;
    }
    if (!shell->soul.txn.open || delay_ms < 0 || period_ms < 0)
        return PIW_EINVAL;
    const piw__timer *timer = piw__timer_find(shell, name, key);
    /* A successor that sets its periodic timers as every start does keeps the phase of those that run. */
    if (timer != NULL && task != shell->soul.task && period_ms > 0 && timer->period_ns == period_ms * 1000000)
        return 0;
    note_timer(shell, timer, name, key);
    piw__timer_put(shell, name, key, piw_monotonic_ns() + delay_ms * 1000000, period_ms * 1000000);
    return 0;
}

void piw_timer_stop(piw_task *task, const char *continuation, uint64_t key)
{
    piw__shell *shell = task->shell;
    const char *name = piw__image_continuation(task->image, continuation);
    piw__timer *timer = name != NULL ? piw__timer_find(shell, name, key) : NULL;
    if (timer == NULL || !shell->soul.txn.open)
        return;
    note_timer(shell, timer, name, key);
    piw__timer_end(shell, timer);
}
