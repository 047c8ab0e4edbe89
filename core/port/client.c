/* client.c — the other end of an outer queue, for programs. */
#include "piw/client.h"

#include "piw/log.h"
#include "port/inner.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    /* What waits in a program while the master is away: log entries, say. More is PIW_EAGAIN. */
    PUSH_SNDHWM = 10000,
    /* Chunks on their way: the master asks for ten at a time. */
    DEALER_SNDHWM = 16,
    DEALER_RCVHWM = 64,
    PUSH_LINGER_MS = 10000, /* entries that a master busy with its database hasn't read yet */
    RECONNECT_MS = 200,
    RECONNECT_MAX_MS = 5000,
    CONNECT_TIMEOUT_MS = 10000,
    END_MS = 30000,   /* ZeroMQ's thread may be looking up a name */
    DRAIN_LOOKS = 10, /* so often in a row a connection must be found empty */
    DRAIN_LOOK_MS = 10,
};

struct piw_client {
    void *context, *socket, *monitor;
    const piw_protocol *protocol;
    char *address;
    piw_codec codec;
    bool encrypted;
    piw_key key;
    bool asked;   /* REQ: a request is on its way */
    int epoll_fd; /* of all three below, so that each wakes the caller */
    int socket_fd, monitor_fd;
    int wake_fd; /* eventfd: a send saw that there is input, and with that used up ZeroMQ's own signal of it */
    bool connected, lost, reconnected, refused;
    bool ended;   /* the closed socket and its connection are gone */
    bool hung_up; /* it was taken, and ended before it was one */
    int misfit;   /* ZMQ_PROTOCOL_ERROR_*: who took it speaks ZeroMQ, but not as we do; 0: none */
    int peer_fd;  /* ZeroMQ's own of the connection, to be asked only; -1: none */
    piw_buffer buffer;
};

static int kind_of(const piw_protocol *protocol)
{
    switch (protocol->queue) {
    case PIW_Q_ROUTER:
        return ZMQ_REQ;
    case PIW_Q_FRAMES:
        return ZMQ_DEALER;
    case PIW_Q_PULL:
        return ZMQ_PUSH;
    case PIW_Q_PUB:
        return ZMQ_SUB;
    default:
        return -1;
    }
}

static int set_options(void *socket, int kind, const piw_protocol *protocol, piw_err *err)
{
    int rc = piw__socket_common(socket, piw__frame_max(protocol, false), PIW_LIMIT_SILENT_MASTER_MS, err);
    rc = rc != 0 ? rc : piw__socket_set(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS, "RECONNECT_IVL", err);
    rc = rc != 0 ? rc : piw__socket_set(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS, "RECONNECT_IVL_MAX", err);
    rc = rc != 0 ? rc : piw__socket_set(socket, ZMQ_CONNECT_TIMEOUT, CONNECT_TIMEOUT_MS, "CONNECT_TIMEOUT", err);
    if (rc == 0 && kind == ZMQ_PUSH) {
        rc = piw__socket_set(socket, ZMQ_SNDHWM, PUSH_SNDHWM, "SNDHWM", err);
        rc = rc != 0 ? rc : piw__socket_set(socket, ZMQ_LINGER, PUSH_LINGER_MS, "LINGER", err);
    }
    if (rc == 0 && kind == ZMQ_SUB) {
        rc = piw__socket_set(socket, ZMQ_RCVHWM, PIW_LIMIT_STATUS_WAITING, "RCVHWM", err);
        if (rc == 0 && zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0) != 0)
            rc = piw_err_set(err, PIW_ENET, "socket option SUBSCRIBE: %s", zmq_strerror(errno));
    }
    if (rc == 0 && kind == ZMQ_DEALER) {
        rc = piw__socket_set(socket, ZMQ_SNDHWM, DEALER_SNDHWM, "SNDHWM", err);
        rc = rc != 0 ? rc : piw__socket_set(socket, ZMQ_RCVHWM, DEALER_RCVHWM, "RCVHWM", err);
    }
    return rc;
}

static int watch_fd(piw_client *client, int fd, piw_err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(client->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        return piw_err_errno(err, "can't watch a socket");
    return 0;
}

static int watch_socket(piw_client *client, void *socket, int *fd, piw_err *err)
{
    size_t size = sizeof(*fd);
    if (zmq_getsockopt(socket, ZMQ_FD, fd, &size) != 0)
        return piw_err_set(err, PIW_ENET, "socket option FD: %s", zmq_strerror(errno));
    int rc = watch_fd(client, *fd, err);
    if (rc != 0)
        *fd = -1;
    return rc;
}

static void unwatch(piw_client *client, int *fd)
{
    if (*fd >= 0)
        epoll_ctl(client->epoll_fd, EPOLL_CTL_DEL, *fd, NULL);
    *fd = -1;
}

/* Connection events come through a pair of inproc sockets. */
static int open_monitor(piw_client *client, piw_err *err)
{
    static _Atomic unsigned number; /* makes names unique; needs no order */
    char name[64];
    snprintf(name, sizeof(name), "inproc://piw-client-%u", atomic_fetch_add_explicit(&number, 1, memory_order_relaxed));
    int events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
                 ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                 ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_MONITOR_STOPPED;
    if (zmq_socket_monitor(client->socket, name, events) != 0 || zmq_connect(client->monitor, name) != 0)
        return piw_err_set(err, PIW_ENET, "can't watch the connection: %s", zmq_strerror(errno));
    return 0;
}

static void note_event(piw_client *client, uint16_t event, int32_t value)
{
    if (event == ZMQ_EVENT_CONNECTED || event == ZMQ_EVENT_DISCONNECTED)
        client->peer_fd = event == ZMQ_EVENT_CONNECTED ? value : -1;
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        client->reconnected |= client->lost;
        client->connected = true;
        client->lost = client->refused = client->hung_up = false;
        client->misfit = 0;
    } else if (event == ZMQ_EVENT_DISCONNECTED) {
        client->lost |= client->connected;
        client->hung_up |= !client->connected;
    } else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
        client->refused = true;
    } else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) {
        client->misfit = value != 0 ? value : ZMQ_PROTOCOL_ERROR_ZMTP_UNSPECIFIED;
    } else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) {
        client->hung_up = true;
    } else if (event == ZMQ_EVENT_MONITOR_STOPPED) {
        client->ended = true;
    }
}

/* An event is two frames: its number (16 bits) with a value, and the address. */
static void read_monitor(piw_client *client)
{
    uint8_t frame[256];
    for (;;) {
        int len = zmq_recv(client->monitor, frame, sizeof(frame), ZMQ_DONTWAIT);
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return;
        uint16_t event = 0;
        int32_t value = -1;
        memcpy(&event, frame, sizeof(event));
        if (len >= (int)(sizeof(event) + sizeof(value)))
            memcpy(&value, frame + sizeof(event), sizeof(value));
        int more = 0;
        size_t size = sizeof(more);
        while (zmq_getsockopt(client->monitor, ZMQ_RCVMORE, &more, &size) == 0 && more != 0)
            if (zmq_recv(client->monitor, frame, sizeof(frame), ZMQ_DONTWAIT) < 0 && errno != EINTR)
                return;
        if (len >= (int)sizeof(event))
            note_event(client, event, value);
    }
}

static void drop_socket(piw_client *client)
{
    unwatch(client, &client->socket_fd);
    unwatch(client, &client->monitor_fd);
    if (client->socket != NULL) {
        zmq_socket_monitor(client->socket, NULL, 0);
        zmq_close(client->socket);
    }
    if (client->monitor != NULL)
        zmq_close(client->monitor);
    client->socket = client->monitor = NULL;
    client->asked = client->connected = client->lost = client->reconnected = client->refused = client->ended = false;
    client->hung_up = false;
    client->misfit = 0;
    client->peer_fd = -1;
}

/* Close the socket and throw away what it still holds. ZeroMQ ends the connection in threads of its own, which meanwhile
 * could still make one and deliver: the monitor's last event tells that nothing is left. */
static void end_socket(piw_client *client)
{
    int linger = 0;
    unwatch(client, &client->socket_fd);
    if (client->socket == NULL || client->monitor == NULL)
        return;
    zmq_setsockopt(client->socket, ZMQ_LINGER, &linger, sizeof(linger));
    zmq_close(client->socket);
    client->socket = NULL;
    int64_t until_ns = piw_monotonic_ns() + END_MS * INT64_C(1000000);
    for (read_monitor(client); !client->ended; read_monitor(client)) {
        int64_t left_ns = until_ns - piw_monotonic_ns();
        zmq_pollitem_t item = {.socket = client->monitor, .events = ZMQ_POLLIN};
        if (left_ns <= 0 || (zmq_poll(&item, 1, (long)((left_ns + 999999) / 1000000)) < 0 && errno != EINTR)) {
            piw_warning("the connection to the %s queue at %.200s doesn't end: what was to be sent may still arrive",
                        client->protocol->name, client->address);
            return;
        }
    }
}

int piw_key_make(piw_key *key, piw_err *err)
{
    char own[41], secret[41];
    *key = (piw_key){.has_secret = true};
    if (zmq_curve_keypair(own, secret) != 0)
        return piw_err_set(err, PIW_ESYS, "no key pair can be made: %s", zmq_strerror(errno));
    bool good = zmq_z85_decode(key->own, own) != NULL && zmq_z85_decode(key->secret, secret) != NULL;
    explicit_bzero(secret, sizeof(secret));
    return good ? 0 : piw_err_set(err, PIW_ESYS, "libzmq's key pair can't be read");
}

static int set_key(void *socket, const piw_key *key, piw_err *err)
{
    if (!zmq_has("curve"))
        return piw_err_set(err, PIW_EINVAL, "this libzmq was built without CURVE: nothing can be encrypted");
    if (zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, key->master, PIW_KEY_BYTES) != 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, key->own, PIW_KEY_BYTES) != 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, key->secret, PIW_KEY_BYTES) != 0)
        return piw_err_set(err, PIW_ENET, "the key %s can't be used: %s", key->name, zmq_strerror(errno));
    return 0;
}

static int make_socket(piw_client *client, piw_err *err)
{
    int kind = kind_of(client->protocol);
    int linger = 0;
    client->socket = zmq_socket(client->context, kind);
    client->monitor = zmq_socket(client->context, ZMQ_PAIR);
    if (client->socket == NULL || client->monitor == NULL)
        return piw_err_set(err, PIW_ENET, "can't make a ZeroMQ socket: %s", zmq_strerror(errno));
    zmq_setsockopt(client->monitor, ZMQ_LINGER, &linger, sizeof(linger));
    int rc = set_options(client->socket, kind, client->protocol, err);
    if (rc == 0 && client->encrypted)
        rc = set_key(client->socket, &client->key, err);
    rc = rc != 0 ? rc : open_monitor(client, err);
    rc = rc != 0 ? rc : watch_socket(client, client->socket, &client->socket_fd, err);
    rc = rc != 0 ? rc : watch_socket(client, client->monitor, &client->monitor_fd, err);
    if (rc == 0 && zmq_connect(client->socket, client->address) != 0)
        rc = piw_err_set(err, errno == EINVAL ? PIW_EINVAL : PIW_ENET, "%s",
                         errno == EINVAL ? "it is not an address; write tcp://HOST:5555 or ipc:///run/name"
                                         : zmq_strerror(errno));
    return rc;
}

int piw_client_open(piw_client **client, piw_protocol_def *protocol, const char *address, piw_codec codec, piw_err *err)
{
    return piw_client_open_with(client, protocol, address, codec, NULL, err);
}

int piw_client_open_with(piw_client **client, piw_protocol_def *protocol, const char *address, piw_codec codec,
                         const piw_key *key, piw_err *err)
{
    piw_client *made = piw_zalloc(sizeof(*made));
    made->protocol = piw_protocol_use(protocol);
    made->address = piw_strdup(address);
    made->codec = codec;
    made->encrypted = key != NULL;
    if (key != NULL)
        made->key = *key;
    made->socket_fd = made->monitor_fd = made->wake_fd = made->peer_fd = -1;
    made->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int rc = 0;
    if (kind_of(made->protocol) < 0)
        rc = piw_err_set(err, PIW_EINVAL, "protocol %s is not an outer queue", made->protocol->name);
    else if (made->epoll_fd < 0 || (made->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        rc = piw_err_errno(err, "can't make a descriptor");
    else if ((made->context = piw__client_context()) == NULL)
        rc = piw_err_set(err, PIW_ENET, "can't start ZeroMQ: %s", zmq_strerror(errno));
    rc = rc != 0 ? rc : watch_fd(made, made->wake_fd, err);
    rc = rc != 0 ? rc : make_socket(made, err);
    if (rc != 0) {
        piw_err_prefix(err, "%s queue at %.200s", made->protocol->name, address);
        piw_client_close(&made);
        return rc;
    }
    *client = made;
    return 0;
}

void piw_client_close(piw_client **client)
{
    piw_client *old = *client;
    if (old == NULL)
        return;
    *client = NULL;
    drop_socket(old);
    if (old->context != NULL)
        piw__client_context_release();
    if (old->wake_fd >= 0)
        close(old->wake_fd);
    if (old->epoll_fd >= 0)
        close(old->epoll_fd);
    piw_buffer_fini(&old->buffer);
    piw_key_wipe(&old->key);
    free(old->address);
    free(old);
}

int piw_client_reset(piw_client *client, piw_err *err)
{
    end_socket(client); /* a request that still waits to be sent must not be delivered later */
    drop_socket(client);
    int rc = make_socket(client, err);
    if (rc != 0)
        piw_err_prefix(err, "%s queue at %.200s", client->protocol->name, client->address);
    return rc;
}

int piw_client_fd(const piw_client *client)
{
    return client->epoll_fd;
}

/* --- Connection events ------------------------------------------------------------------------------------------ */

bool piw_client_connected(piw_client *client)
{
    int events = 0;
    size_t size = sizeof(events);
    /* Asking also takes back ZeroMQ's signal on the descriptor: on a PUSH socket nothing else would. */
    if (client->socket == NULL || zmq_getsockopt(client->socket, ZMQ_EVENTS, &events, &size) != 0)
        return false;
    read_monitor(client);
    return client->connected && !client->lost;
}

bool piw_client_met(piw_client *client)
{
    if (client->monitor != NULL)
        read_monitor(client);
    return client->connected;
}

bool piw_client_reconnected(piw_client *client)
{
    if (client->monitor != NULL)
        read_monitor(client);
    bool reconnected = client->reconnected;
    client->reconnected = false;
    return reconnected;
}

const char *piw_client_trouble(piw_client *client, bool *lasting)
{
    if (client->monitor != NULL)
        read_monitor(client);
    bool apart = !client->connected || client->lost;
    if (lasting != NULL)
        *lasting = apart && (client->misfit != 0 || client->hung_up); /* libzmq gives some of them up */
    if (!apart)
        return NULL;
    if (client->misfit == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
        return client->encrypted ? "it speaks without keys: use its encrypted port, or no key"
                                 : "it speaks with keys alone: use one that piw-keys made, or its port without";
    if (client->misfit == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC)
        return "it has another key than the master that ours was made for";
    if (client->misfit != 0 || client->hung_up)
        return client->encrypted
                   ? "it takes the connection and ends it: a queue of another kind or without keys, another program, "
                     "or "
                     "a tunnel without a master behind it"
                   : "it takes the connection and ends it: a queue of another kind or with keys, another program, or a "
                     "tunnel without a master behind it";
    return client->peer_fd >= 0 ? "it takes the connection and is silent: another program, or a master that hangs"
                                : NULL;
}

/* Bytes that the master's process has not read from the connection; -1: there is none. */
static int unread_bytes(piw_client *client)
{
    int bytes = 0;
    if (!piw_client_connected(client) || client->peer_fd < 0 || ioctl(client->peer_fd, SIOCOUTQ, &bytes) != 0)
        return -1;
    return bytes;
}

int piw_client_drain(piw_client *client, int timeout_ms)
{
    int64_t until_ns = piw_monotonic_ns() + timeout_ms * INT64_C(1000000);
    /* What ZeroMQ still holds it writes as soon as there is room: then it is seen to stay empty. */
    for (int looks = 0; looks < DRAIN_LOOKS;) {
        struct timespec rest = {.tv_nsec = DRAIN_LOOK_MS * 1000000L};
        looks = unread_bytes(client) == 0 ? looks + 1 : 0;
        if (looks == DRAIN_LOOKS)
            return 0;
        if (piw_monotonic_ns() >= until_ns)
            return PIW_EAGAIN;
        nanosleep(&rest, NULL);
    }
    return 0;
}

int piw_client_linger(piw_client *client, int linger_ms, piw_err *err)
{
    if (client->socket == NULL || linger_ms < 0)
        return piw_err_set(err, PIW_EINVAL, "a %s can't be set",
                           linger_ms < 0 ? "wait without a bound" : "closed socket");
    return piw__socket_set(client->socket, ZMQ_LINGER, linger_ms, "LINGER", err);
}

/* --- Messages --------------------------------------------------------------------------------------------------- */

static int wait_for(piw_client *client, short events, int64_t until_ns)
{
    int64_t left_ns = until_ns - piw_monotonic_ns();
    if (left_ns <= 0)
        return PIW_EAGAIN;
    zmq_pollitem_t items[] = {{.socket = client->socket, .events = events},
                              {.socket = client->monitor, .events = ZMQ_POLLIN}};
    if (zmq_poll(items, 2, (long)((left_ns + 999999) / 1000000)) < 0 && errno != EINTR)
        return PIW_ENET;
    read_monitor(client);
    return 0;
}

static bool has(const piw_client *client, int wanted)
{
    int events = 0;
    size_t size = sizeof(events);
    return zmq_getsockopt(client->socket, ZMQ_EVENTS, &events, &size) == 0 && (events & wanted) != 0;
}

static int send_now(piw_client *client, const piw_msg *msg, piw_err *err)
{
    int why;
    if (client->protocol->queue == PIW_Q_FRAMES) {
        why = piw__frames_send(client->socket, NULL, 0, msg);
        if (why < 0)
            return piw_err_set(err, why, "%s has no form in plain frames", msg->type->name);
    } else {
        client->buffer.len = 0;
        int rc = piw_encode(msg, client->codec, &client->buffer, err);
        if (rc != 0)
            return rc;
        if (client->buffer.len > client->protocol->message_max) /* the master would end the connection */
            return piw_err_set(err, PIW_ELIMIT, "%s has %zu bytes, more than the %u that the %s queue takes",
                               msg->type->name, client->buffer.len, client->protocol->message_max,
                               client->protocol->name);
        why = piw__buffer_send(client->socket, &client->buffer, 0);
    }
    if (why == 0 || why == EAGAIN)
        return why == 0 ? 0 : PIW_EAGAIN;
    return piw_err_set(err, PIW_ENET, "%s can't be sent to %.200s: %s", msg->type->name, client->address,
                       zmq_strerror(why));
}

static int refused_error(const piw_client *client, piw_err *err)
{
    if (client->encrypted)
        return piw_err_set(
            err, PIW_EREFUSED,
            "the master at %.200s refuses the key %s: it doesn't know it (any more), or not for this queue, or "
            "not from this network (piw-keys list, and [auth] allow, on its machine)",
            client->address, client->key.name);
    return piw_err_set(err, PIW_EREFUSED,
                       "the master at %.200s refuses connections from this address; its [auth] allow must name our "
                       "network",
                       client->address);
}

int piw_client_send(piw_client *client, piw_msg **msg, int timeout_ms, piw_err *err)
{
    if (timeout_ms < 0)
        return piw_err_set(err, PIW_EINVAL, "sending without a bound is refused");
    if (client->socket == NULL || (*msg)->type->kind != PIW_M_IN || (*msg)->type->protocol != client->protocol)
        return piw_err_set(err, PIW_EINVAL, "%s is no message to the %s queue", (*msg)->type->name,
                           client->protocol->name);
    if (client->asked)
        return piw_err_set(err, PIW_EINVAL, "%s can't be sent before the last request is answered", (*msg)->type->name);
    int64_t until_ns = piw_monotonic_ns() + timeout_ms * 1000000ll;
    for (;;) {
        int rc = has(client, ZMQ_POLLOUT) ? send_now(client, *msg, err) : PIW_EAGAIN;
        if (rc == 0)
            break;
        if (rc == PIW_EAGAIN)
            rc = client->refused ? refused_error(client, err) : wait_for(client, ZMQ_POLLOUT, until_ns);
        if (rc != 0)
            return rc;
    }
    client->asked = client->protocol->queue == PIW_Q_ROUTER && ((*msg)->type->flags & PIW_M_NOREPLY) == 0;
    piw_msg_free(msg);
    uint64_t one = 1;
    if (has(client, ZMQ_POLLIN) && write(client->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
        return piw_err_errno(err, "can't note that there is input");
    return 0;
}

/* One message's parts: those beyond PIW__PARTS are read and thrown away. */
static int receive(piw_client *client, zmq_msg_t *parts, size_t *count)
{
    bool more = true;
    for (*count = 0; more; ++*count) {
        zmq_msg_t rest, *part = *count < PIW__PARTS ? &parts[*count] : &rest;
        zmq_msg_init(part);
        while (zmq_msg_recv(part, client->socket, ZMQ_DONTWAIT) < 0)
            if (errno != EINTR) {
                zmq_msg_close(part);
                return PIW_EAGAIN;
            }
        more = zmq_msg_more(part);
        if (part == &rest)
            zmq_msg_close(part);
    }
    return 0;
}

static int decode(piw_client *client, zmq_msg_t *parts, size_t count, piw_msg **msg, piw_err *err)
{
    if (count > PIW__PARTS)
        return piw_err_set(err, PIW_ESHAPE, "a message of %zu frames", count);
    if (client->protocol->queue == PIW_Q_FRAMES)
        return piw__frames_decode(client->protocol, false, parts, count, msg, err);
    if (count != 1)
        return piw_err_set(err, PIW_ESHAPE, "a message of %zu frames", count);
    const void *data = zmq_msg_data(&parts[0]);
    size_t len = zmq_msg_size(&parts[0]);
    piw_owner *owner = len > PIW_LIMIT_BLOB_COPY ? piw__part_owner(&parts[0], &data) : NULL;
    const piw_msg_type *word;
    int rc = piw_decode(client->protocol, 0, data, len, owner, msg, &word, err);
    piw_owner_unref(&owner);
    return rc;
}

int piw_client_recv(piw_client *client, piw_msg **msg, int timeout_ms, piw_err *err)
{
    if (timeout_ms < 0 || client->socket == NULL)
        return piw_err_set(err, PIW_EINVAL, "receiving without a %s is refused", timeout_ms < 0 ? "bound" : "socket");
    int64_t until_ns = piw_monotonic_ns() + timeout_ms * 1000000ll;
    zmq_msg_t parts[PIW__PARTS];
    size_t count;
    read_monitor(client);
    while (receive(client, parts, &count) != 0) {
        for (size_t i = 0; i < count && i < PIW__PARTS; i++)
            zmq_msg_close(&parts[i]);
        uint64_t woken;
        ssize_t n = read(client->wake_fd, &woken, sizeof(woken)); /* empty is as good as read */
        (void)n;
        int rc = client->refused ? refused_error(client, err) : wait_for(client, ZMQ_POLLIN, until_ns);
        if (rc != 0)
            return rc;
    }
    client->asked = false;
    int rc = decode(client, parts, count, msg, err);
    for (size_t i = 0; i < count && i < PIW__PARTS; i++)
        zmq_msg_close(&parts[i]);
    if (rc != 0)
        piw_err_prefix(err, "the %s queue at %.200s sent what is no message", client->protocol->name, client->address);
    return rc;
}
