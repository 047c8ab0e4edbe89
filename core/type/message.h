/* message.h — inside the core: what a message is made of. Written by its owner only; immutable once sent. */
#ifndef PIW__MESSAGE_H
#define PIW__MESSAGE_H

#include "base/pool.h"
#include "piw/codec.h"
#include "piw/limits.h"
#include "piw/task.h"

struct piw__shell;
struct piw__port;

enum {
    PIW__REQUEST = 1u << 0,   /* wants exactly one answer (a call, or a request of a ROUTER port) */
    PIW__ANSWER = 1u << 1,    /* is the answer to call_id of the receiving shell */
    PIW__MALFORMED = 1u << 2, /* taken in although its data did not fit; error_text says why */
    PIW__AGAIN = 1u << 3,     /* the queue's second try after an error */
    PIW__SETTLED = 1u << 4,   /* answered, deferred, forwarded or dropped: the handler has dealt with it */
    PIW__REST = 1u << 5,      /* has something of what few messages have */
};

/* Memory behind the first block, chained; freed with the message. */
typedef struct piw__chunk piw__chunk;

/* What few messages have. */
typedef struct piw__msg_rest {
    struct piw__port *port; /* it came from this one's peer */
    piw_peer peer;
    const char *error_text;
    int32_t error;        /* PIW_E…: an error answer, or what was wrong with a malformed message */
    uint32_t chunk_bytes; /* of all chunks */
    piw__chunk *chunks;
    piw_blob *blob; /* held for the body, released with the message; more hang in an arena list */
    void *more_blobs;
} piw__msg_rest;

/* Two cache lines: the first is what every message has. The second isn't touched, nor even cleared, before something of it is
 * needed (piw__msg_rest_new), so that most messages go from processor to processor without it. */
struct piw_msg {
    piw_msg *next; /* the list it is in: mailbox, outbox, pool */
    piw_msg
        *ahead; /* one a few places further on in that list, to be fetched in time: a hint, never followed; or NULL */
    const piw_msg_type *type;
    uint64_t trace;
    int64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none */
    /* Where the answer goes: a shell's pending call; else a peer of a port of the receiving shell. */
    struct piw__shell *from;
    uint64_t call_id;
    uint16_t flags;
    uint8_t codec;      /* of the peer it came from */
    uint8_t size_class; /* of the pool it returns to */
    uint32_t used;      /* of the first block */
    piw__msg_rest rest; /* with PIW__REST */
};

/* The body begins at a line, also where pointers are short: it is cleared and fetched by lines. */
enum { PIW__MSG_LINE = 64, PIW__MSG_HEADER = (sizeof(piw_msg) + PIW__MSG_LINE - 1) & ~(PIW__MSG_LINE - 1u) };

static inline void *piw__msg_body(const piw_msg *msg)
{
    return (uint8_t *)(uintptr_t)msg + PIW__MSG_HEADER;
}

/* All zero. */
extern const piw__msg_rest piw__msg_no_rest;

static inline const piw__msg_rest *piw__msg_rest_of(const piw_msg *msg)
{
    return (msg->flags & PIW__REST) != 0 ? &msg->rest : &piw__msg_no_rest;
}

/* To be written to. */
static inline piw__msg_rest *piw__msg_rest_new(piw_msg *msg)
{
    if ((msg->flags & PIW__REST) == 0) {
        msg->rest = (piw__msg_rest){0};
        msg->flags |= PIW__REST;
    }
    return &msg->rest;
}

/* It is an error, or malformed; `text` lies in its arena. */
static inline void piw__msg_fail(piw_msg *msg, int code, const char *text)
{
    piw__msg_rest *rest = piw__msg_rest_new(msg);
    rest->error = code;
    rest->error_text = text;
}

/* Of its first block and all chunks. */
static inline size_t piw__msg_bytes(const piw_msg *msg)
{
    return (size_t)piw__pool_size(msg->size_class, msg->used) + piw__msg_rest_of(msg)->chunk_bytes;
}

/* The message keeps the reference and releases it when it is freed. */
PIW_API void piw__msg_own_blob(piw_msg *msg, piw_blob *blob);
/* A blob over foreign memory that `owner` keeps alive (takes a reference on it). */
PIW_API piw_blob *piw__blob_over(const void *data, size_t len, piw_owner *owner);
piw_owner *piw__owner_ref(piw_owner *owner);

/* An error answer to the request (type: the call's reply type or the request's own). */
PIW_API piw_msg *piw__msg_error_answer(const piw_msg *request, int code, const char *text);

/* Bytes in all live messages of the process. */
PIW_API uint64_t piw__bus_bytes(void);

#endif
