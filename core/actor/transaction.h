/* transaction.h — inside the core: what a handler does takes effect only when it returns 0 (task.h).
 *
 * What lies inside the shell (calls, deferrals, timers) is changed at once and noted here to be undone; what goes out
 * (answers to peers, records of peers, publications, work) is noted here to be done. Messages to other tasks stand in
 * the outbox. The shell's thread only. */
#ifndef PIW__TRANSACTION_H
#define PIW__TRANSACTION_H

#include "piw/task.h"
#include "port/port.h"

struct piw__shell;
struct piw__call;
struct piw__deferred;

typedef enum {
    PIW__UNDO_CALL,     /* a call was made */
    PIW__UNDO_DEFERRED, /* a request was deferred */
    PIW__UNDO_TOKEN,    /* a deferred request was taken out to be answered */
    PIW__UNDO_TIMER,    /* a timer was set, moved or stopped */
    PIW__UNDO_REST,     /* the queues were told to rest, or to go on */
} piw__undo_kind;

typedef struct piw__undo {
    piw__undo_kind kind;
    struct piw__call *call;
    struct piw__deferred *deferred;
    const char *continuation;
    uint64_t key;
    bool existed;
    int64_t at_ns, period_ns;
} piw__undo;

typedef enum {
    PIW__DO_ANSWER,  /* to the open request of a peer */
    PIW__DO_RELEASE, /* it ends without an answer */
    PIW__DO_SEND,
    PIW__DO_PUBLISH,
    PIW__DO_PEER_SET,
    PIW__DO_PEER_FORGET,
    PIW__DO_WORK,
    PIW__DO_AGAIN, /* hand a kept request to the soul once more */
} piw__do_kind;

typedef struct piw__do {
    piw__do_kind kind;
    piw__port *port;
    piw_peer peer;
    piw_msg *msg;
    piw_work_fn *fn;
    bool background;                /* WORK: its threads are to do it */
    struct piw__deferred *deferred; /* AGAIN: whose message it is */
} piw__do;

typedef struct piw__txn {
    piw__undo *undos;
    uint32_t undos_count, undos_room;
    piw__do *dos;
    uint32_t dos_count, dos_room;
    bool open; /* a function of the soul runs */
} piw__txn;

piw__undo *piw__txn_undo(piw__txn *txn, piw__undo_kind kind);
piw__do *piw__txn_do(piw__txn *txn, piw__do_kind kind);
static inline void piw__txn_begin(piw__txn *txn)
{
    txn->open = true;
}

void piw__txn_commit(struct piw__shell *shell);
void piw__txn_rollback(struct piw__shell *shell);
void piw__txn_fini(piw__txn *txn);

#endif
