/* links.c — which connections of a ROUTER are there and which have gone, as libzmq's socket monitor tells it. */
#include "port/links.h"

#include "piw/err.h"
#include "port/port.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

enum { FIRST_LINKS = 64 };

int piw__links_open(piw__links *links, void *socket, piw_err *err)
{
    static _Atomic unsigned number; /* makes names unique; needs no order */
    char name[64];
    int unbounded = 0, linger = 0; /* a full pipe would stop libzmq's own thread */
    snprintf(name, sizeof(name), "inproc://piw-links-%u", atomic_fetch_add_explicit(&number, 1, memory_order_relaxed));
    links->monitor = zmq_socket(piw__zmq_context(), ZMQ_PAIR);
    if (links->monitor == NULL || zmq_setsockopt(links->monitor, ZMQ_RCVHWM, &unbounded, sizeof(unbounded)) != 0 ||
        zmq_setsockopt(links->monitor, ZMQ_LINGER, &linger, sizeof(linger)) != 0 ||
        zmq_socket_monitor(socket, name, ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED) != 0 ||
        zmq_connect(links->monitor, name) != 0)
        return piw_err_set(err, PIW_ENET, "its connections can't be watched: %s", zmq_strerror(errno));
    return 0;
}

void piw__links_close(piw__links *links, void *socket)
{
    if (links->monitor != NULL) {
        zmq_socket_monitor(socket, NULL, 0);
        zmq_close(links->monitor);
    }
    free(links->at);
    *links = (piw__links){0};
}

piw__link *piw__links_at(const piw__links *links, int fd)
{
    return fd >= 0 && (size_t)fd < links->count && links->at[fd].open ? &links->at[fd] : NULL;
}

static piw__link *need(piw__links *links, size_t fd)
{
    if (fd >= links->count) {
        size_t count = links->count == 0 ? FIRST_LINKS : links->count;
        while (count <= fd)
            count *= 2;
        links->at = piw_realloc(links->at, count * sizeof(*links->at));
        memset(links->at + links->count, 0, (count - links->count) * sizeof(*links->at));
        links->count = count;
    }
    return &links->at[fd];
}

/* An event is two frames: 16 bits of which and 32 bits of the descriptor, in the machine's order; and an address. */
static bool next_event(void *monitor, uint16_t *event, int32_t *fd)
{
    uint8_t frame[6];
    char address[8];
    int len;
    while ((len = zmq_recv(monitor, frame, sizeof(frame), ZMQ_DONTWAIT)) < 0)
        if (errno != EINTR)
            return false;
    while (zmq_recv(monitor, address, sizeof(address), 0) < 0)
        if (errno != EINTR)
            return false;
    if (len != (int)sizeof(frame))
        return false;
    memcpy(event, frame, sizeof(*event));
    memcpy(fd, frame + sizeof(*event), sizeof(*fd));
    return true;
}

void piw__links_look(piw__links *links, piw__link_ended_fn *ended, void *arg)
{
    uint16_t event;
    int32_t fd;
    while (links->monitor != NULL && next_event(links->monitor, &event, &fd)) {
        if (fd < 0)
            continue;
        piw__link *link = need(links, (size_t)fd);
        piw_peer peer = link->peer;
        *link = (piw__link){.open = event == ZMQ_EVENT_ACCEPTED};
        if (peer != 0)
            ended(arg, peer);
    }
}
