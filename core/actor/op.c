/* op.c — operations that the runtime asks of a shell, and the wait for their outcome. */
#include "actor/op.h"

#include "actor/shell.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

piw__op *piw__op_new(piw__op_kind kind, const piw__image *image)
{
    piw__op *op = piw_zalloc(sizeof(*op));
    op->kind = kind;
    op->image = image;
    op->refs = 1;
    op->bell_fd = -1;
    pthread_mutex_init(&op->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&op->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return op;
}

static void group_unref(piw__swap_group *group)
{
    if (group == NULL)
        return;
    pthread_mutex_lock(&group->lock);
    bool last = --group->refs == 0;
    pthread_mutex_unlock(&group->lock);
    if (!last)
        return;
    pthread_cond_destroy(&group->changed);
    pthread_mutex_destroy(&group->lock);
    free(group);
}

void piw__op_unref(piw__op *op)
{
    if (op == NULL)
        return;
    pthread_mutex_lock(&op->lock);
    bool last = --op->refs == 0;
    pthread_mutex_unlock(&op->lock);
    if (!last)
        return;
    group_unref(op->group);
    piw__recording_unref(&op->recording);
    pthread_cond_destroy(&op->changed);
    pthread_mutex_destroy(&op->lock);
    free(op);
}

void piw__op_send(piw__op *op, piw__shell *shell)
{
    pthread_mutex_lock(&op->lock);
    op->refs++;
    pthread_mutex_unlock(&op->lock);
    pthread_mutex_lock(&shell->supervision.ops_lock);
    piw__op **link = &shell->supervision.ops;
    while (*link != NULL)
        link = &(*link)->next;
    op->next = NULL;
    *link = op;
    /* Release, pairs with the acquire at each message boundary. */
    atomic_store_explicit(&shell->supervision.ops_waiting, true, memory_order_release);
    pthread_mutex_unlock(&shell->supervision.ops_lock);
    piw__mailbox_nudge(&shell->mailbox);
}

int piw__op_wait(piw__op *op, int64_t until_ns, bool cancel, piw_err *err)
{
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    pthread_mutex_lock(&op->lock);
    while (op->state == PIW__OP_QUEUED || op->state == PIW__OP_TAKEN) {
        if (pthread_cond_timedwait(&op->changed, &op->lock, &until) != ETIMEDOUT)
            continue;
        if (cancel && op->state == PIW__OP_QUEUED)
            op->state = PIW__OP_CANCELLED;
        break;
    }
    int rc = op->state == PIW__OP_DONE ? op->result : op->state == PIW__OP_CANCELLED ? PIW_EDEADLINE : PIW_EAGAIN;
    if (rc != 0 && op->state == PIW__OP_DONE)
        piw_err_set(err, rc, "%s", op->err.code != 0 ? op->err.text : piw_err_name(rc));
    pthread_mutex_unlock(&op->lock);
    return rc;
}

bool piw__op_take(piw__op *op)
{
    pthread_mutex_lock(&op->lock);
    bool taken = op->state == PIW__OP_QUEUED;
    if (taken)
        op->state = PIW__OP_TAKEN;
    pthread_mutex_unlock(&op->lock);
    return taken;
}

void piw__op_done(piw__op *op, int result, const piw_err *err)
{
    pthread_mutex_lock(&op->lock);
    op->state = PIW__OP_DONE;
    op->result = result;
    if (err != NULL)
        op->err = *err;
    pthread_cond_broadcast(&op->changed);
    int bell_fd = op->bell_fd;
    pthread_mutex_unlock(&op->lock);
    const uint64_t one = 1; /* refused only when the counter is full: then it rings already */
    while (bell_fd >= 0 && write(bell_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}
