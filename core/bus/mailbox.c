/* mailbox.c — a list of messages under a lock; its owner takes all at once, and is woken only when it sleeps. */
#include "bus/mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Looks before a sleep; with the pause of a processor between two about 3 microseconds, as much as waking somebody costs. */
enum { LINGER = 150 };

int piw__mailbox_init(piw__mailbox *mailbox, piw_err *err)
{
    *mailbox = (piw__mailbox){.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    if (mailbox->wake_fd < 0)
        return piw_err_errno(err, "a task's mailbox can't be made: eventfd");
    if (pthread_mutex_init(&mailbox->lock, NULL) != 0) {
        close(mailbox->wake_fd);
        return piw_err_set(err, PIW_ENOMEM, "a task's mailbox can't be made: no lock");
    }
    return 0;
}

void piw__mailbox_fini(piw__mailbox *mailbox)
{
    while (mailbox->first != NULL) {
        piw_msg *msg = mailbox->first;
        mailbox->first = msg->next;
        piw_msg_free(&msg);
    }
    free(mailbox->waiters);
    close(mailbox->wake_fd);
    pthread_mutex_destroy(&mailbox->lock);
}

/* A write to an eventfd fails only when its counter is full: then the owner is awake already. */
static void wake(const piw__mailbox *mailbox)
{
    const uint64_t one = 1;
    ssize_t written;
    do {
        written = write(mailbox->wake_fd, &one, sizeof(one));
    } while (written < 0 && errno == EINTR);
}

static void add_waiter(piw__mailbox *mailbox, piw__mailbox *sender)
{
    for (uint32_t i = 0; i < mailbox->waiters_count; i++)
        if (mailbox->waiters[i] == sender)
            return;
    if (mailbox->waiters_count == mailbox->waiters_room) {
        mailbox->waiters_room = mailbox->waiters_room > 0 ? mailbox->waiters_room * 2 : 8;
        mailbox->waiters = piw_realloc(mailbox->waiters, mailbox->waiters_room * sizeof(*mailbox->waiters));
    }
    mailbox->waiters[mailbox->waiters_count++] = sender;
}

int piw__mailbox_push(piw__mailbox *mailbox, piw_msg *first, piw_msg *last, uint32_t count, piw__mailbox *sender,
                      bool *muted)
{
    last->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    if (__builtin_expect(mailbox->closed, 0)) {
        pthread_mutex_unlock(&mailbox->lock);
        return PIW_ESTOPPED;
    }
    if (mailbox->last != NULL)
        mailbox->last->next = first;
    else
        mailbox->first = first;
    mailbox->last = last;
    mailbox->count += count;
    atomic_store_explicit(&mailbox->some, true, memory_order_relaxed);
    bool was_asleep = mailbox->asleep;
    mailbox->asleep = false;
    if (__builtin_expect(mailbox->count + mailbox->held > PIW_LIMIT_MAILBOX_HIGH, 0) && sender != NULL &&
        sender != mailbox) {
        add_waiter(mailbox, sender);
        if (muted != NULL)
            *muted = true;
    }
    pthread_mutex_unlock(&mailbox->lock);
    if (was_asleep)
        wake(mailbox);
    return 0;
}

piw_msg *piw__mailbox_take(piw__mailbox *mailbox, uint32_t held)
{
    pthread_mutex_lock(&mailbox->lock);
    piw_msg *first = mailbox->first;
    uint32_t depth = mailbox->count + held;
    mailbox->first = mailbox->last = NULL;
    mailbox->count = 0;
    atomic_store_explicit(&mailbox->some, false, memory_order_relaxed);
    mailbox->held = held;
    if (__builtin_expect(mailbox->waiters_count > 0, 0) && depth <= PIW_LIMIT_MAILBOX_LOW) {
        /* A waiter's mailbox lives as long as the runtime, so that waking it after the unlock would do too; under the
         * lock no copy of the list is needed. The write never blocks. */
        for (uint32_t i = 0; i < mailbox->waiters_count; i++)
            wake(mailbox->waiters[i]);
        mailbox->waiters_count = 0;
    }
    pthread_mutex_unlock(&mailbox->lock);
    return first;
}

bool piw__mailbox_linger(const piw__mailbox *mailbox)
{
    for (int i = 0; i < LINGER; i++) {
        if (atomic_load_explicit(&mailbox->some, memory_order_relaxed))
            return true;
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
    }
    return false;
}

bool piw__mailbox_sleep(piw__mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    bool empty = mailbox->first == NULL;
    mailbox->asleep = empty;
    pthread_mutex_unlock(&mailbox->lock);
    return empty;
}

void piw__mailbox_awake(piw__mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->asleep = false;
    pthread_mutex_unlock(&mailbox->lock);
    uint64_t count;
    ssize_t got;
    do {
        got = read(mailbox->wake_fd, &count, sizeof(count));
    } while (got < 0 && errno == EINTR);
}

void piw__mailbox_nudge(piw__mailbox *mailbox)
{
    wake(mailbox);
}

uint32_t piw__mailbox_depth(piw__mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    uint32_t depth = mailbox->count + mailbox->held;
    pthread_mutex_unlock(&mailbox->lock);
    return depth;
}

bool piw__mailbox_mutes(piw__mailbox *mailbox, const piw__mailbox *sender)
{
    bool found = false;
    pthread_mutex_lock(&mailbox->lock);
    for (uint32_t i = 0; i < mailbox->waiters_count; i++)
        found = found || mailbox->waiters[i] == sender;
    pthread_mutex_unlock(&mailbox->lock);
    return found;
}

void piw__mailbox_close(piw__mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->closed = true;
    pthread_mutex_unlock(&mailbox->lock);
}
