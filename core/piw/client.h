/* client.h — the other end of an outer queue, for programs.
 *
 * A client belongs to one thread. It speaks one codec (`--codec`). No call waits without a bound. */
#ifndef PIW_CLIENT_H
#define PIW_CLIENT_H

#include "piw/codec.h"
#include "piw/keys.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct piw_client piw_client;

/* Connect (lazily, as ZeroMQ does) to `address` as the peer kind that the protocol's queue wants: REQ for ROUTER,
 * DEALER for FRAMES, PUSH for PULL, SUB for PUB. IPv6 is enabled. */
PIW_API int piw_client_open(piw_client **client, piw_protocol_def *protocol, const char *address, piw_codec codec,
                            piw_err *err);
/* The same to an encrypted address, with a key of one's own (piw_key_read_client); it is copied. NULL: not encrypted. */
PIW_API int piw_client_open_with(piw_client **client, piw_protocol_def *protocol, const char *address, piw_codec codec,
                                 const piw_key *key, piw_err *err);
PIW_API void piw_client_close(piw_client **client);

/* Send. Takes the message on success. PIW_EAGAIN when the queue is full for timeout_ms (-1: no bound is refused);
 * PIW_ELIMIT when the message is larger than the queue takes; PIW_EINVAL while a request is unanswered (REQ). */
PIW_API int piw_client_send(piw_client *client, piw_msg **msg, int timeout_ms, piw_err *err);
/* Receive one message; PIW_EAGAIN after timeout_ms with nothing; PIW_ESHAPE for bytes that aren't a message of the
 * protocol (REQ: the answer is lost; reset); PIW_EREFUSED when the master lets no connection from here in, or doesn't know our
 * key (ZeroMQ then gives up; reset to try again). */
PIW_API int piw_client_recv(piw_client *client, piw_msg **msg, int timeout_ms, piw_err *err);
/* PUSH: wait until the master's process has read what was sent. (To close before that loses what libzmq on its side has
 * not taken from the connection while its queue was full.) PIW_EAGAIN: not within timeout_ms. */
PIW_API int piw_client_drain(piw_client *client, int timeout_ms);
/* PUSH: how long closing may wait until what was sent has left, instead of PUSH's ten seconds. */
PIW_API int piw_client_linger(piw_client *client, int linger_ms, piw_err *err);
/* Descriptor to poll for input beside others; then recv with timeout 0 until PIW_EAGAIN. */
PIW_API int piw_client_fd(const piw_client *client);
/* Throw away an unanswered request: a new connection, as a new peer. */
PIW_API int piw_client_reset(piw_client *client, piw_err *err);
/* Is there a connection now? Messages are taken without one too, and wait for it. */
PIW_API bool piw_client_connected(piw_client *client);
/* Was there a connection since the client was opened or reset? */
PIW_API bool piw_client_met(piw_client *client);
/* True once after the connection was lost and made again (a master was restarted). */
PIW_API bool piw_client_reconnected(piw_client *client);
/* Why no connection comes about although something takes it: a phrase for the operator on what is there instead, such as another
 * queue, or one that wants a key; it ends with the next call. NULL: there is a connection, nothing takes it, or it is too early
 * to tell. `lasting`, unless NULL: nothing more is tried before piw_client_reset. */
PIW_API const char *piw_client_trouble(piw_client *client, bool *lasting);

#ifdef __cplusplus
}
#endif

#endif
