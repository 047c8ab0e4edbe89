/* op.h — inside the core: operations that the runtime asks of a shell: start, swap, stop. Any thread; each has a
 * lock inside. */
#ifndef PIW__OP_H
#define PIW__OP_H

#include "actor/role.h"
#include "record/recording.h"

#include <pthread.h>

typedef struct piw__op piw__op;

typedef enum {
    PIW__OP_START, /* the first soul */
    PIW__OP_SWAP,
    PIW__OP_RESTART, /* cold, also with another image */
    PIW__OP_FRESH,   /* the same, after what is there has been worked off */
    PIW__OP_HOLD,
    PIW__OP_RELEASE,
    PIW__OP_RECORD, /* begin a recording, with a swap for the same image */
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

/* An operation asked of a shell. The runtime and the shell hold a reference each; state, err and refs under the
 * lock. */
struct piw__op {
    piw__op *next;
    piw__op_kind kind;
    const piw__image *image;
    const piw__options *options; /* for the new soul; NULL: as before */
    piw_why why;
    int64_t until_ns;          /* STOP: give up working off; SWAP: the decision comes by then */
    piw__swap_group *group;    /* SWAP; a reference */
    piw__recording *recording; /* RECORD; a reference */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum { PIW__OP_QUEUED, PIW__OP_TAKEN, PIW__OP_DONE, PIW__OP_CANCELLED } state;
    int result;
    piw_err err;
    int bell_fd;   /* an event descriptor that is written to when it is done; -1: none */
    bool followed; /* SWAP: refused only since another instance was; written before it is done */
    unsigned refs;
};

piw__op *piw__op_new(piw__op_kind kind, const piw__image *image);
void piw__op_unref(piw__op *op);
/* Give the operation to a shell: it takes a reference of its own. */
void piw__op_send(piw__op *op, piw__shell *shell);
/* Wait until it is done. After `until_ns`: PIW_EDEADLINE when it had not been taken yet and was cancelled (if
 * `cancel`), else PIW_EAGAIN: it may be done later. */
int piw__op_wait(piw__op *op, int64_t until_ns, bool cancel, piw_err *err);
/* By the shell: take it (false: it was cancelled); done. */
bool piw__op_take(piw__op *op);
void piw__op_done(piw__op *op, int result, const piw_err *err);

#endif
