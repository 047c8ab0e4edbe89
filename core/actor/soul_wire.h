/* soul_wire.h — inside the core: what a shell and the process of its isolated soul say to each other
 * (docs/bus.md#isolation).
 *
 * Frames over a socket pair: a head in the machine's own form (both ends are one machine and one release), then `size`
 * bytes: a message in MessagePack, or text. A channel belongs to one thread at a time. What comes in is checked: a
 * process that crashes may write anything before its end. */
#ifndef PIW__SOUL_WIRE_H
#define PIW__SOUL_WIRE_H

#include "piw/plugin.h"
#include "type/message.h"

/* What the process finds open. */
enum { PIW__SOUL_SOCKET = 3, PIW__SOUL_IMAGE = 4 };
/* The last word of its command line: as the master itself (base/core_dumps.h). */
#define PIW__SOUL_OPEN   "core-dumps"
#define PIW__SOUL_CLOSED "no-core-dumps"

typedef enum {
    /* To the process. */
    PIW__FRAME_SETUP = 1, /* texts, each ended by NUL (isolate.c writes them, soul_process.c reads them) */
    PIW__FRAME_STOP,      /* let the soul stop, then end */
    PIW__FRAME_SETTING,   /* a setting that was asked for: name, NUL, value; code 1: it is unset */
    /* Either way. */
    PIW__FRAME_MESSAGE, /* id 0: a cast or event; else a request, whose answer names the id */
    PIW__FRAME_ANSWER,  /* to the request `id`; with a code: an error, and its text */
    /* From the process. */
    PIW__FRAME_READY,
    PIW__FRAME_FAILED,  /* text: why; the process ends */
    PIW__FRAME_QUIT,    /* the soul wants the master to stop; text: why, or empty */
    PIW__FRAME_FORWARD, /* the request `id`, to be answered by another service */
    PIW__FRAME_TAKEN,   /* all messages up to number `id` have been handled; count: calls and jobs that are open */
    PIW__FRAME_BEAT,    /* still there; count as above */
    PIW__FRAME_ASK,     /* text: the name of a setting */
    PIW__FRAME_LOG,     /* a line; code: its level */
    PIW__FRAME_NOTE,    /* text: the soul's note */
} piw__frame_kind;

enum { PIW__FRAME_DEBUG = 1 }; /* flag, to the process: debug lines are wanted */

typedef struct piw__frame {
    uint32_t magic; /* set and checked by the channel */
    uint32_t size;  /* likewise */
    uint8_t kind, flags;
    uint16_t type;    /* index of the message in its protocol */
    int32_t code;     /* error, level */
    uint32_t service; /* see piw__soul_service */
    uint32_t instance;
    uint64_t id;
    uint64_t count;    /* to the process: number of the message */
    uint64_t protocol; /* hash */
    uint64_t trace;
    int64_t deadline_ns; /* CLOCK_MONOTONIC, which all processes share; 0: none */
} piw__frame;

typedef struct piw__channel {
    int fd;
    piw_buffer in, out;
    size_t in_at, out_at;
} piw__channel;

/* Append to what is to be sent; the payload is copied. */
void piw__channel_put(piw__channel *channel, piw__frame *frame, const void *payload, size_t size);
/* The same with a message; protocol, type and trace of the head are set here. On failure nothing was appended. */
int piw__channel_put_msg(piw__channel *channel, piw__frame *frame, const piw_msg *msg, piw_err *err);
static inline size_t piw__channel_waiting(const piw__channel *channel)
{
    return channel->out.len - channel->out_at;
}
/* Send what can be sent: 0: all, PIW_EAGAIN: not yet, PIW_EDEAD: the other end has gone. */
int piw__channel_flush(piw__channel *channel);
/* Read what has come, without waiting. 0, whether there was anything or not; PIW_EDEAD when the other end has gone. */
int piw__channel_read(piw__channel *channel);
/* The next whole frame: 1, 0 when there is none, PIW_ESHAPE for nonsense. The payload is valid until the next read. */
int piw__channel_next(piw__channel *channel, piw__frame *frame, const uint8_t **payload);
void piw__channel_fini(piw__channel *channel);

/* The message of a frame, of one of the plugin's protocols. */
int piw__frame_msg(const piw_plugin *plugin, const piw__frame *frame, const uint8_t *payload, piw_msg **msg,
                   piw_err *err);
/* The n-th protocol that the plugin's messages may be of; NULL after the last. */
const piw_protocol *piw__soul_protocol(const piw_plugin *plugin, unsigned n);
/* The n-th service that it uses or serves, in this order; NULL after the last. */
const piw_service *piw__soul_service(const piw_plugin *plugin, unsigned n);

#endif
