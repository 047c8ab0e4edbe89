/* mailbox.h — inside the core: where the messages of one shell arrive.
 *
 * Any thread pushes; only the owner's thread takes and sleeps. Messages come in chains (linked by msg->next); a chain
 * stays together and in order. The lock is held for a few instructions only. */
#ifndef PIW__MAILBOX_H
#define PIW__MAILBOX_H

#include "type/message.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct piw__mailbox {
    pthread_mutex_t lock;
    piw_msg *first, *last;
    uint32_t count; /* in the list */
    uint32_t held;  /* taken, but kept back by the owner: counts towards the high mark */
    bool asleep;    /* the owner sleeps, or is about to: whoever pushes first writes to the eventfd */
    bool closed;    /* takes nothing more */
    int wake_fd;    /* eventfd, to be polled by the owner */
    /* Is there something in the list? Written under the lock, read without it by the owner who is about to sleep: a hint
     * (relaxed), the lock decides. */
    _Atomic bool some;
    /* Mailboxes whose owners wait for this one to come down to the low mark. */
    struct piw__mailbox **waiters;
    uint32_t waiters_count, waiters_room;
} piw__mailbox;

PIW_API int piw__mailbox_init(piw__mailbox *mailbox, piw_err *err);
/* What is still in it is freed. */
PIW_API void piw__mailbox_fini(piw__mailbox *mailbox);

/* Append a chain of `count` messages, taking them. `sender` (may be NULL) is woken when the low mark is reached, if
 * this push goes beyond the high mark: then *muted is set (may be NULL). PIW_ESTOPPED when closed: the caller still
 * owns the chain. */
PIW_API int piw__mailbox_push(piw__mailbox *mailbox, piw_msg *first, piw_msg *last, uint32_t count,
                              piw__mailbox *sender, bool *muted);
/* Owner: take all there is, first to last; NULL when empty. `held` messages of earlier takes are still kept back. */
PIW_API piw_msg *piw__mailbox_take(piw__mailbox *mailbox, uint32_t held);
/* Owner: look for some microseconds whether something comes, since to sleep and be woken takes longer. */
PIW_API bool piw__mailbox_linger(const piw__mailbox *mailbox);
/* Owner: about to sleep. False when there is something to take: don't sleep. After a true the owner polls wake_fd and
 * then calls piw__mailbox_awake. */
PIW_API bool piw__mailbox_sleep(piw__mailbox *mailbox);
PIW_API void piw__mailbox_awake(piw__mailbox *mailbox);
/* Any thread: wake the owner without a message. */
PIW_API void piw__mailbox_nudge(piw__mailbox *mailbox);
PIW_API uint32_t piw__mailbox_depth(piw__mailbox *mailbox);
/* Any thread: does `sender` wait for this one to come down to the low mark? */
PIW_API bool piw__mailbox_mutes(piw__mailbox *mailbox, const piw__mailbox *sender);
/* Nothing is taken in any more. */
PIW_API void piw__mailbox_close(piw__mailbox *mailbox);

#endif
