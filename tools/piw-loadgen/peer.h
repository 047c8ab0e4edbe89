/* peer.h — one connection of a simulated slave: ZMTP 3.0 (RFC 23) with the NULL mechanism on a stream socket.
 *
 * libzmq has a thread beside ours and costs both of them several times as much for each exchange as the kernel does; a
 * load that shares the machine with the master it loads must not be what is measured. Nothing here waits but the
 * connect. Who calls polls the descriptor through the epoll it gave. */
#ifndef LOADGEN_PEER_H
#define LOADGEN_PEER_H

#include "piw/codec.h"

enum { LOAD_PEER_INPUT = 4096, LOAD_FRAMES_MAX = 4 };

/* Bytes of somebody else. */
typedef struct load_frame {
    const void *data;
    size_t len;
} load_frame;

/* How a message goes on: with bytes of a file, then with others. The kernel sends most of the file's from where they are, so that a
 * load costs little of the machine that it shares with the master. */
typedef struct load_rest {
    int fd;
    const uint8_t *bytes; /* the file, mapped */
    off_t at;
    size_t len; /* of the file's bytes, from `at` on */
    load_frame tail;
} load_rest;

typedef struct load_peer {
    bool open;
    bool greeted, ready; /* the other side's greeting and its READY came */
    bool blocked;        /* the kernel takes no more for now: epoll tells when it does */
    int fd, epoll_fd;
    uint64_t key; /* epoll's, of this connection */
    piw_buffer out;
    size_t out_at;
    load_rest rest; /* what follows `out`: kept by the caller until load_peer_idle */
    uint8_t in[LOAD_PEER_INPUT];
    size_t in_at, in_len;
} load_peer;

/* Connects. Where nobody listens yet, it tries again for wait_ms. `address` is tcp://HOST:PORT or ipc://PATH; `kind` is REQ or DEALER. */
int load_peer_open(load_peer *peer, const char *address, const char *kind, int epoll_fd, uint64_t key, int64_t wait_ms,
                   piw_err *err);
void load_peer_close(load_peer *peer);

/* Sends a message of these frames, the last of which goes on with `rest` (or NULL). */
int load_peer_send(load_peer *peer, const load_frame *frames, size_t count, const load_rest *rest, piw_err *err);
/* All that was sent is the kernel's. */
bool load_peer_idle(const load_peer *peer);

/* What epoll told of: writes what is left, reads once. PIW_ENET when the other side has ended the connection. */
int load_peer_move(load_peer *peer, uint32_t events, piw_err *err);
/* The next message that was read: frames that stay until the next load_peer_move. PIW_EAGAIN when there is none,
 * PIW_ESHAPE when it is none of ZMTP's or too large. */
int load_peer_next(load_peer *peer, load_frame *frames, size_t *count, piw_err *err);

#endif
