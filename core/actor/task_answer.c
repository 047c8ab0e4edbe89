/* task_answer.c — what a soul may do with a request: answer, refuse, keep, drop; each exactly once. */
#include "actor/shell.h"

#include <stdio.h>
#include <stdlib.h>

/* Is it the request that is being handled, and still open? */
static bool is_open(const piw_task *task, const piw_msg *request)
{
    const piw__shell *shell = task->shell;
    return request != NULL && request == shell->soul.current && !shell->soul.current_gone &&
           (request->flags & (PIW__REQUEST | PIW__SETTLED)) == PIW__REQUEST && shell->soul.txn.open;
}

/* May this message be the answer to a request of that type? */
static bool fits(const piw_msg_type *request, bool port, const piw_msg *answer)
{
    if (answer->type->protocol != request->protocol)
        return false;
    return port ? answer->type->kind == PIW_M_OUT : answer->type->index == (uint16_t)request->reply;
}

static int does_not_fit(const piw_task *task, const piw_msg_type *request, const piw_msg *answer)
{
    piw_log_limited(&task->shell->supervision.log_errors, 20, PIW_LOG_ERROR, "%s.%s can't be answered with %s.%s",
                    request->protocol->name, request->name, answer->type->protocol->name, answer->type->name);
    return PIW_EINVAL;
}

static void put_answer(piw__shell *shell, const piw_msg *request, piw_msg *answer)
{
    answer->trace = request->trace;
    if (__builtin_expect(atomic_load_explicit(&shell->seen.watched, memory_order_relaxed) & PIW__RECORDED, 0))
        piw__record_answered(shell, request, answer);
    if (request->from != NULL) {
        answer->flags |= PIW__ANSWER;
        answer->call_id = request->call_id;
        piw__outbox_add(&shell->loop.outbox, &request->from->mailbox, answer);
    } else {
        piw__do *act = piw__txn_do(&shell->soul.txn, PIW__DO_ANSWER);
        act->port = piw__msg_rest_of(request)->port;
        act->peer = piw_msg_peer(request);
        act->msg = answer;
    }
}

int piw_reply(piw_task *task, piw_msg *request, piw_msg **answer)
{
    if (*answer == NULL || *answer == request)
        return PIW_EINVAL;
    /* A call that was sent as a cast wants no answer. */
    if (request != NULL && request == task->shell->soul.current && request->type->kind == PIW_M_CALL &&
        (request->flags & PIW__REQUEST) == 0) {
        piw_msg_free(answer);
        return 0;
    }
    if (!is_open(task, request))
        return PIW_EINVAL;
    if (!fits(request->type, piw__msg_rest_of(request)->port != NULL, *answer))
        return does_not_fit(task, request->type, *answer);
    put_answer(task->shell, request, *answer);
    *answer = NULL;
    request->flags |= PIW__SETTLED;
    return 0;
}

/* The peer of a queue that waits for this answer gets none. */
static void put_release(piw__shell *shell, const piw_msg *request)
{
    piw__do *act = piw__txn_do(&shell->soul.txn, PIW__DO_RELEASE);
    act->port = piw__msg_rest_of(request)->port;
    act->peer = piw_msg_peer(request);
}

/* Errors of calls are answered with a message; errors at a port with the queue's fallback, if it has one. */
static void put_error(piw__shell *shell, const piw_msg *request, int code, const char *text)
{
    piw_msg *answer = request->from != NULL ? piw__msg_error_answer(request, code, text)
                                            : piw__port_fallback(request->type, code, text);
    if (answer != NULL)
        put_answer(shell, request, answer);
    else
        put_release(shell, request);
}

int piw_refuse(piw_task *task, piw_msg *request, int code, const char *fmt, ...)
{
    if (!is_open(task, request))
        return PIW_EINVAL;
    char text[PIW_ERR_TEXT];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    put_error(task->shell, request, code, text);
    request->flags |= PIW__SETTLED;
    return 0;
}

static void drop(piw__shell *shell, const piw_msg *request, const char *why)
{
    /* A caller always gets one answer: silence is only for peers of queues. */
    if (request->from != NULL)
        put_error(shell, request, PIW_EREFUSED, why);
    else
        put_release(shell, request);
    piw__figure(&shell->seen.figures.dropped, 1);
    piw_debug("%s.%s was dropped: %s", request->type->protocol->name, request->type->name, why);
}

int piw_drop(piw_task *task, piw_msg *request, const char *why)
{
    if (!is_open(task, request))
        return PIW_EINVAL;
    drop(task->shell, request, why);
    request->flags |= PIW__SETTLED;
    return 0;
}

/* --- Deferred ---------------------------------------------------------------------------------------------------- */

int piw_defer(piw_task *task, piw_msg *request, piw_token *token)
{
    piw__shell *shell = task->shell;
    if (!is_open(task, request))
        return PIW_EINVAL;
    if (shell->waits.deferred.count >= PIW_LIMIT_DEFERRED)
        return PIW_ELIMIT;
    piw__deferred *deferred = piw_zalloc(sizeof(*deferred));
    deferred->type = request->type;
    deferred->from = request->from;
    deferred->call_id = request->call_id;
    deferred->port = piw__msg_rest_of(request)->port;
    deferred->peer = piw_msg_peer(request);
    deferred->trace = request->trace;
    if ((request->type->flags & PIW_M_AGAIN) != 0 && (request->flags & PIW__AGAIN) == 0) {
        deferred->kept = request;
        shell->soul.current_gone = true;
    }
    piw__table_put(&shell->waits.deferred, &deferred->node, shell->number << 40 | ++shell->waits.next_token);
    piw__txn_undo(&shell->soul.txn, PIW__UNDO_DEFERRED)->deferred = deferred;
    atomic_store_explicit(&shell->seen.figures.deferred, shell->waits.deferred.count, memory_order_relaxed);
    request->flags |= PIW__SETTLED;
    token->id = deferred->node.key;
    return 0;
}

static piw__deferred *find(piw_task *task, piw_token token)
{
    return task->shell->soul.txn.open ? (piw__deferred *)piw__table_find(&task->shell->waits.deferred, token.id) : NULL;
}

static void take_out(piw__shell *shell, piw__deferred *deferred)
{
    piw__table_remove(&shell->waits.deferred, &deferred->node);
    piw__txn_undo(&shell->soul.txn, PIW__UNDO_TOKEN)->deferred = deferred;
    atomic_store_explicit(&shell->seen.figures.deferred, shell->waits.deferred.count, memory_order_relaxed);
}

int piw_answer(piw_task *task, piw_token token, piw_msg **answer)
{
    piw__deferred *deferred = find(task, token);
    if (deferred == NULL)
        return PIW_ENOENT;
    if (*answer == NULL || *answer == task->shell->soul.current)
        return PIW_EINVAL;
    if (!fits(deferred->type, deferred->port != NULL, *answer))
        return does_not_fit(task, deferred->type, *answer);
    take_out(task->shell, deferred);
    piw_msg request = piw__deferred_request(deferred);
    put_answer(task->shell, &request, *answer);
    *answer = NULL;
    return 0;
}

int piw_answer_error(piw_task *task, piw_token token, int code, const char *fmt, ...)
{
    piw__deferred *deferred = find(task, token);
    if (deferred == NULL)
        return PIW_ENOENT;
    take_out(task->shell, deferred);
    if (deferred->kept != NULL) {
        piw__do *act = piw__txn_do(&task->shell->soul.txn, PIW__DO_AGAIN);
        act->msg = deferred->kept;
        act->deferred = deferred;
        deferred->kept = NULL;
        return 0;
    }
    char text[PIW_ERR_TEXT];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    piw_msg request = piw__deferred_request(deferred);
    put_error(task->shell, &request, code, text);
    return 0;
}

int piw_drop_token(piw_task *task, piw_token token, const char *why)
{
    piw__deferred *deferred = find(task, token);
    if (deferred == NULL)
        return PIW_ENOENT;
    take_out(task->shell, deferred);
    piw_msg request = piw__deferred_request(deferred);
    drop(task->shell, &request, why);
    return 0;
}

const char *piw_msg_asker(const piw_msg *msg)
{
    return msg->from != NULL ? msg->from->name : "";
}
