/* outbox.h — inside the core: what handlers send, until it leaves in one push a receiver.
 *
 * The shell's thread only. Messages of the handler that runs stand behind a mark; commit moves the mark, undo cuts them
 * off again. Up to PIW_LIMIT_OUTBOX committed messages for one receiver gather over several handlers. */
#ifndef PIW__OUTBOX_H
#define PIW__OUTBOX_H

#include "bus/mailbox.h"

enum { PIW__AHEAD = 4 };

typedef struct piw__out {
    piw__mailbox *to;
    piw_msg *first, *last;
    piw_msg *kept_last;         /* the last committed one */
    uint32_t count, kept_count; /* all; committed */
    piw_msg *trail[PIW__AHEAD]; /* the last ones, in turn: each is told of the one that comes so many after it */
    bool touched;               /* by the handler that runs */
} piw__out;

typedef struct piw__outbox {
    piw__out *outs;
    uint32_t count, room;
    uint32_t last;     /* index used last */
    uint32_t *touched; /* indexes, `room` of them */
    uint32_t touched_count;
    uint32_t waiting; /* committed messages in all */
    bool full;        /* some receiver has PIW_LIMIT_OUTBOX */
} piw__outbox;

void piw__outbox_add(piw__outbox *outbox, piw__mailbox *to, piw_msg *msg);
void piw__outbox_commit(piw__outbox *outbox);
/* Cut off what was added since the last commit and free it, but for `spare` (the request that was forwarded). */
void piw__outbox_undo(piw__outbox *outbox, const piw_msg *spare);
void piw__outbox_fini(piw__outbox *outbox);

#endif
