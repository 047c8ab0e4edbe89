/* outbox.c — chains of messages by receiver, with a mark between what is decided and what isn't. */
#include "bus/outbox.h"

#include <stdlib.h>

enum { OUTS_MIN = 8 };

static piw__out *find(piw__outbox *outbox, piw__mailbox *to)
{
    for (uint32_t i = 0; i < outbox->count; i++) {
        if (outbox->outs[i].to == to) {
            outbox->last = i;
            return &outbox->outs[i];
        }
    }
    if (outbox->count == outbox->room) {
        outbox->room = outbox->room > 0 ? outbox->room * 2 : OUTS_MIN;
        outbox->outs = piw_realloc(outbox->outs, outbox->room * sizeof(*outbox->outs));
        outbox->touched = piw_realloc(outbox->touched, outbox->room * sizeof(*outbox->touched));
    }
    outbox->last = outbox->count++;
    outbox->outs[outbox->last] = (piw__out){.to = to};
    return &outbox->outs[outbox->last];
}

/* Its receiver, most likely on another processor, comes from message to message by what each says of the next. So that it
 * need not wait for every one, it is also told of one further on. */
static inline void put_ahead(piw__out *out, piw_msg *msg)
{
    piw_msg **before = &out->trail[out->count % PIW__AHEAD];
    msg->ahead = NULL;
    if (*before != NULL)
        (*before)->ahead = msg;
    *before = msg;
}

static inline void add(piw__outbox *outbox, piw__out *out, piw_msg *msg)
{
    msg->next = NULL;
    put_ahead(out, msg);
    if (out->last != NULL)
        out->last->next = msg;
    else
        out->first = msg;
    out->last = msg;
    out->count++;
    if (!out->touched) {
        out->touched = true;
        outbox->touched[outbox->touched_count++] = (uint32_t)(out - outbox->outs);
    }
}

/* Not for whom the last one was. */
static __attribute__((noinline)) void add_elsewhere(piw__outbox *outbox, piw__mailbox *to, piw_msg *msg)
{
    add(outbox, find(outbox, to), msg);
}

void piw__outbox_add(piw__outbox *outbox, piw__mailbox *to, piw_msg *msg)
{
    if (__builtin_expect(outbox->last < outbox->count && outbox->outs[outbox->last].to == to, 1))
        add(outbox, &outbox->outs[outbox->last], msg);
    else
        add_elsewhere(outbox, to, msg);
}

void piw__outbox_commit(piw__outbox *outbox)
{
    for (uint32_t i = 0; i < outbox->touched_count; i++) {
        piw__out *out = &outbox->outs[outbox->touched[i]];
        outbox->waiting += out->count - out->kept_count;
        out->kept_last = out->last;
        out->kept_count = out->count;
        out->touched = false;
        if (out->count >= PIW_LIMIT_OUTBOX)
            outbox->full = true;
    }
    outbox->touched_count = 0;
}

void piw__outbox_undo(piw__outbox *outbox, const piw_msg *spare)
{
    for (uint32_t i = 0; i < outbox->touched_count; i++) {
        piw__out *out = &outbox->outs[outbox->touched[i]];
        piw_msg *msg = out->kept_last != NULL ? out->kept_last->next : out->first;
        if (out->kept_last != NULL)
            out->kept_last->next = NULL;
        else
            out->first = NULL;
        out->last = out->kept_last;
        out->count = out->kept_count;
        memset(out->trail, 0, sizeof(out->trail)); /* some of them are freed */
        out->touched = false;
        while (msg != NULL) {
            piw_msg *next = msg->next;
            if (msg != spare)
                piw_msg_free(&msg);
            msg = next;
        }
    }
    outbox->touched_count = 0;
}

void piw__outbox_fini(piw__outbox *outbox)
{
    for (uint32_t i = 0; i < outbox->count; i++) {
        for (piw_msg *msg = outbox->outs[i].first; msg != NULL;) {
            piw_msg *next = msg->next;
            piw_msg_free(&msg);
            msg = next;
        }
    }
    free(outbox->outs);
    free(outbox->touched);
    *outbox = (piw__outbox){0};
}
