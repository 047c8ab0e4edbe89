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
};

/* Memory behind the first block, chained; freed with the message. */
typedef struct piw__chunk piw__chunk;

/* Two cache lines: the first is what every message needs on its way, the second what it is made and freed by. */
struct piw_msg {
    piw_msg *next; /* the list it is in: mailbox, outbox, pool */
    piw_msg
        *ahead; /* one a few places further on in that list, to be fetched in time: a hint, never followed; or NULL */
    const piw_msg_type *type;
    uint64_t trace;
    int64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none */
    /* Where the answer goes: a shell's pending call, or a peer of a port of the receiving shell. */
    struct piw__shell *from;
    uint64_t call_id;
    int32_t error; /* PIW_E…: an error answer, or what was wrong with a malformed message */
    uint16_t flags;
    uint8_t codec;      /* of the peer it came from */
    uint8_t size_class; /* of the pool it returns to */
    struct piw__port *port;
    piw_peer peer;
    const char *error_text;
    uint32_t used, room; /* of the first block's arena */
    uint32_t total;      /* bytes in all: for the bus budget */
    piw__chunk *chunks;
    piw_blob *blob; /* held for the body, released with the message; more hang in an arena list */
    void *more_blobs;
};

enum { PIW__MSG_HEADER = (sizeof(piw_msg) + PIW__POOL_ALIGNMENT - 1) & ~(PIW__POOL_ALIGNMENT - 1u) };

static inline void *piw__msg_body(const piw_msg *msg)
{
    return (uint8_t *)(uintptr_t)msg + PIW__MSG_HEADER;
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
