/* port.h — inside the core: where the bus meets the world (docs/bus.md#port).
 *
 * A port belongs to one shell; every function is called on that shell's thread (open and close too). It turns frames
 * into messages and back, each peer in its own codec, checks them, counts and logs (rate-limited, naming queue, peer and
 * reason) what it refuses, and remembers peers. It never calls back into the shell. */
#ifndef PIW__PORT_H
#define PIW__PORT_H

#include "type/message.h"

typedef struct piw__port piw__port;

typedef struct piw__port_counts {
    uint64_t received, sent, refused, dead_letters, second_requests;
} piw__port_counts;

/* Bind. `name` is the queue's name, `address` a ZeroMQ endpoint. The rest is the protocol's: kind, bounds, and its PIW_Q_ flags. */
typedef struct piw__port_settings {
    const char *name, *address;
    const char *curve_address; /* where it listens for those who encrypt, too; NULL: nowhere */
    const piw_protocol *protocol;
} piw__port_settings;
int piw__port_open(piw__port **port, const piw__port_settings *settings, piw_err *err);
void piw__port_close(piw__port **port);
const char *piw__port_name(const piw__port *port);
/* The address it is bound to, with the port number that "tcp://…:*" became. */
const char *piw__port_endpoint(const piw__port *port);
/* The same of the encrypted one; NULL: there is none. */
const char *piw__port_curve_endpoint(const piw__port *port);

/* To wait for input (level-triggered wait on an edge: read until PIW_EAGAIN before every sleep). */
int piw__port_fd(const piw__port *port);
/* The next message: 0 and *msg (port, peer, codec, flags set; PIW__REQUEST unless its type is NOREPLY), or PIW_EAGAIN.
 * What is refused is dealt with inside (at most `*budget` frames are looked at; it is decremented). */
int piw__port_read(piw__port *port, unsigned *budget, piw_msg **msg);
/* Answer the open request of a peer (ROUTER). Takes the message. A peer that has gone is a dead letter: still 0. A message
 * that can't be encoded is logged, and the peer gets the queue's error answer: still 0. */
int piw__port_answer(piw__port *port, piw_peer peer, piw_msg **msg);
/* The error answer that the queue declares for a request of `type`: NULL when there is none. */
piw_msg *piw__port_fallback(const piw_msg_type *type, int code, const char *text);
/* The request ends without an answer: the peer may send its next one. */
void piw__port_release(piw__port *port, piw_peer peer);
/* Unasked, to a peer of a FRAMES queue. Takes the message. */
int piw__port_send(piw__port *port, piw_peer peer, piw_msg **msg);
/* To all subscribers of a PUB queue, in CBOR. Takes the message. */
int piw__port_publish(piw__port *port, piw_msg **msg);

const char *piw__port_peer_address(const piw__port *port, piw_peer peer);
void piw__port_peer_set(piw__port *port, piw_peer peer, piw_msg **record);
const piw_msg *piw__port_peer_get(const piw__port *port, piw_peer peer);
void piw__port_peer_forget(piw__port *port, piw_peer peer);
/* Since when the peer's connection is gone; 0: it is there, or nothing is known of it. `sure`, unless NULL: it has ended;
 * else another peer has spoken by the same connection, which one of the two never had: who speaks again has it. */
int64_t piw__port_peer_gone_ns(piw__port *port, piw_peer peer, bool *sure);
/* The next peer with a record or an open request whose connection has ended; 0 when there is no other. Told once at least. */
piw_peer piw__port_gone(piw__port *port);
/* Peers with a record, one after the other: *peer 0 begins; false at the end. Changes of the current one are allowed. */
bool piw__port_peer_next(const piw__port *port, piw_peer *peer);
piw__port_counts piw__port_figures(const piw__port *port);

/* Who may connect (docs/security.md#from-the-socket-to-the-handler): one check for the process, started before the first
 * port. */
typedef struct piw__zap_settings {
    const char *allow; /* networks ("192.0.2.0/24", "2001:db8::/32", "all"), separated by commas or blanks; NULL: all */
    /* Addresses with networks of their own: "crowd", "crowd-curve". */
    const char *const *names, *const *allows;
    size_t count;
    const char *keys; /* the folder of keys; NULL: no address is encrypted */
} piw__zap_settings;
int piw__zap_start(const piw__zap_settings *settings, piw_err *err);
void piw__zap_stop(void);
/* The process's ZeroMQ context, made at first use; NULL when it can't be. */
void *piw__zmq_context(void);
void piw__zmq_term(void);

#endif
