/* inner.h — what the files of a port share: port.c (messages), socket.c, context.c (ZeroMQ's side), frames.c (plain multipart
 * frames), client.c and zap.c. Nobody else includes it. */
#ifndef PIW__PORT_INNER_H
#define PIW__PORT_INNER_H

#include "port/links.h"
#include "port/peers.h"
#include "port/port.h"

#include <zmq.h>

/* ZAP's name of a queue's encrypted address: "crowd" + this. */
#define PIW__CURVE_SUFFIX "-curve"

enum {
    /* Parts of one message that are kept: identity, delimiter or word, and fields. What has more is refused. */
    PIW__PARTS = 10,
    /* Bytes beyond a message's own bound that a frame may have: the word and the array around the data. */
    PIW__ENVELOPE = 256,
    /* Heartbeats between frames; what an unanswered one means: PIW_LIMIT_SILENT_PEER_MS and _MASTER_MS. */
    PIW__HEARTBEAT_MS = 30000,
    PIW__HANDSHAKE_MS = 10000,
    /* Two I/O threads for queues that are declared to have one of their own, one for the rest: large transfers delay nobody's
     * request. */
    PIW__IO_THREADS = 3,
};

struct piw__port {
    void *socket;
    char *name, *endpoint;
    char *bound;                        /* the endpoint as libzmq knows it */
    char *curve_endpoint, *curve_bound; /* the encrypted ones; NULL: there is none */
    /* PUB: who listens encrypted has a socket of its own, which ends when a key is revoked: libzmq can't end one subscriber. */
    void *curve_publisher;
    unsigned keys_generation; /* of the keys, when connections were last looked through */
    char *socket_path;        /* of an ipc file, else NULL */
    const piw_protocol *protocol;
    bool ipc;
    piw_msg *later, **later_end; /* requests that others go before, oldest first; each is its peer's open one */
    bool draining;               /* the rest of a message with too many parts is still to be read */
    int fd;
    piw__peers peers;
    piw__links links;
    piw_peer *gone; /* whose connections have ended, until their soul is told */
    size_t gone_count, gone_size;
    piw__port_counts counts;
    piw_buffer buffer; /* of encoded answers, used again */
    piw_log_limiter refused_log, dead_log;
};

/* A port's socket: made with the options of its queue, bound, its file's mode set. */
int piw__socket_open(piw__port *port, const piw__port_settings *settings, piw_err *err);
/* Unbind, wait until the address is free (bounded), and close. */
void piw__socket_close(piw__port *port);
/* Options that both ends share: IPv6, heartbeats, keep-alive, bounded frames and linger. */
int piw__socket_common(void *socket, size_t frame_max, int silent_ms, piw_err *err);
int piw__socket_set(void *socket, int option, int value, const char *name, piw_err *err);
/* The largest frame that a message of the queue in this direction can have. */
size_t piw__frame_max(const piw_protocol *protocol, bool to_master);
/* The clients' own context, shared and counted; NULL when it can't be made. The last release waits for last words, at
 * most PIW_LIMIT_LINGER_MS. */
void *piw__client_context(void);
void piw__client_context_release(void);

/* A message out of the parts word, field, field, … Large bytes stay in their frame, which the message then holds (the
 * part is emptied). */
int piw__frames_decode(const piw_protocol *protocol, bool to_master, zmq_msg_t *parts, size_t count, piw_msg **msg,
                       piw_err *err);
/* Send the parts of a message, after `routing` when that isn't NULL. Returns 0; or an errno value of ZeroMQ with
 * nothing sent; or PIW_ESHAPE (negative) when a field has no form in frames. */
int piw__frames_send(void *socket, const void *routing, size_t routing_len, const piw_msg *msg);

/* Fields of a message's body: none when it has no data. */
static inline uint32_t piw__fields_count(const piw_msg_type *type)
{
    return type->body != NULL ? type->body->fields_count : 0;
}

/* Send one part: a copy of the bytes. 0 or an errno value. */
int piw__part_send(void *socket, const void *data, size_t len, int flags);
/* Send one part from a buffer; a large one is given away instead of copied. 0 or an errno value. */
int piw__buffer_send(void *socket, piw_buffer *buffer, int flags);
/* A reference-counted holder of a frame, and where its bytes are; the part is emptied. */
piw_owner *piw__part_owner(zmq_msg_t *part, const void **data);

/* PUB: end all encrypted connections; those who are still known come again. */
void piw__socket_renew_publisher(piw__port *port);

/* Is the process's admission check running? */
bool piw__zap_running(void);
/* Of what a message says of its connection's user: the key that the check found, in hexadecimal; "": none. */
const char *piw__zap_key(const char *user);

#endif
