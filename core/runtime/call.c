/* call.c — calls from threads outside: a bare endpoint in the place of a task. */
#include "runtime/inner.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

static piw__shell *endpoint_take(piw_runtime *runtime, size_t *index, piw_err *err)
{
    piw__shell *shell = NULL;
    pthread_mutex_lock(&runtime->bare_lock);
    for (size_t i = 0; i < runtime->bare_count && shell == NULL; i++) {
        if (!runtime->bare_busy[i]) {
            runtime->bare_busy[i] = true;
            shell = runtime->bare[i];
            *index = i;
        }
    }
    if (shell == NULL && piw__shell_new(&runtime->hub, NULL, 0, &shell, err) == 0) {
        *index = runtime->bare_count++;
        runtime->bare = piw_realloc(runtime->bare, runtime->bare_count * sizeof(*runtime->bare));
        runtime->bare_busy = piw_realloc(runtime->bare_busy, runtime->bare_count * sizeof(*runtime->bare_busy));
        runtime->bare[*index] = shell;
        runtime->bare_busy[*index] = true;
    }
    pthread_mutex_unlock(&runtime->bare_lock);
    return shell;
}

static void endpoint_give(piw_runtime *runtime, size_t index)
{
    pthread_mutex_lock(&runtime->bare_lock);
    runtime->bare_busy[index] = false;
    pthread_mutex_unlock(&runtime->bare_lock);
}

/* The answer to call `id`; answers to earlier calls of this endpoint are too late and thrown away. */
static piw_msg *take_answer(piw__shell *shell, uint64_t id)
{
    piw_msg *found = NULL;
    for (piw_msg *msg = piw__mailbox_take(&shell->mailbox, 0); msg != NULL;) {
        piw_msg *next = msg->next;
        if (msg->call_id == id && found == NULL)
            found = msg;
        else
            piw_msg_free(&msg);
        msg = next;
    }
    return found;
}

static piw_msg *wait_answer(piw__shell *shell, uint64_t id, int timeout_ms)
{
    int64_t until = piw_monotonic_ns() + timeout_ms * INT64_C(1000000);
    for (;;) {
        piw_msg *answer = take_answer(shell, id);
        if (answer != NULL)
            return answer;
        int64_t left_ms = (until - piw_monotonic_ns() + 999999) / 1000000;
        if (left_ms <= 0)
            return NULL;
        if (!piw__mailbox_sleep(&shell->mailbox))
            continue;
        struct pollfd fd = {.fd = shell->mailbox.wake_fd, .events = POLLIN};
        poll(&fd, 1, (int)left_ms);
        piw__mailbox_awake(&shell->mailbox);
    }
}

static int find_shell(piw_runtime *runtime, const char *service, const piw_msg *msg, piw__shell **to, piw_err *err)
{
    static _Atomic unsigned turn; /* relaxed: only spreads calls over instances */
    const piw__service *entry = piw__registry_find(&runtime->hub.registry, service);
    if (entry == NULL || entry->role->shells == NULL)
        return piw_err_set(err, PIW_ENOENT, "no task serves %s", service);
    if (entry->protocol != msg->type->protocol)
        return piw_err_set(err, PIW_EINVAL, "%s is not a message of the service %s", msg->type->name, service);
    if (msg->type->kind != PIW_M_CALL && msg->type->kind != PIW_M_CAST)
        return piw_err_set(err, PIW_EINVAL, "%s is neither call nor cast", msg->type->name);
    unsigned instance = atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed) % entry->role->instances;
    *to = entry->role->shells[instance];
    return 0;
}

int piw_runtime_call(piw_runtime *runtime, const char *service, piw_msg **msg_, int timeout_ms, piw_msg **answer,
                     piw_err *err)
{
    piw_msg *msg = *msg_;
    piw__shell *to = NULL, *from = NULL;
    size_t index = 0;
    int rc = find_shell(runtime, service, msg, &to, err);
    if (rc != 0)
        return rc;
    const char *name = msg->type->name; /* interned: it outlives the message */
    bool asks = msg->type->reply >= 0 && answer != NULL;
    uint64_t id = 0;
    if (answer != NULL)
        *answer = NULL;
    if (asks) {
        from = endpoint_take(runtime, &index, err);
        if (from == NULL)
            return PIW_ESYS;
        id = ++from->waits.next_call;
        msg->from = from;
        msg->call_id = id;
        msg->flags |= PIW__REQUEST;
        msg->deadline_ns = piw_monotonic_ns() + timeout_ms * INT64_C(1000000);
        msg->trace = from->number << 40 | ++from->loop.next_trace;
    }
    if (piw__mailbox_push(&to->mailbox, msg, msg, 1, NULL, NULL) != 0) {
        rc = piw_err_set(err, PIW_ESTOPPED, "the task that serves %s has stopped", service);
    } else {
        *msg_ = NULL;
        piw_msg *got = asks ? wait_answer(from, id, timeout_ms) : NULL;
        if (asks && got == NULL)
            rc = piw_err_set(err, PIW_EDEADLINE, "%s was not answered within %d ms", name, timeout_ms);
        else if (asks && (rc = piw_msg_error(got)) != 0)
            piw_err_set(err, rc, "%s", piw_msg_error_text(got));
        if (rc != 0)
            piw_msg_free(&got);
        else if (asks)
            *answer = got;
    }
    if (from != NULL)
        endpoint_give(runtime, index);
    return rc;
}
