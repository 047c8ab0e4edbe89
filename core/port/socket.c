/* socket.c — a port's socket: made with the options of its queue, bound, and closed. */
#include "port/inner.h"
#include "port/keys.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    /* Peers that connect at once when a master with very many comes up. */
    BACKLOG = 1024,
    /* Messages held for one peer before ZeroMQ stops reading it. */
    ROUTER_RCVHWM = 2,
    /* Log entries, mostly: a sender that ends at once after a few thousand of them has them all taken. (libzmq throws
     * away what it has not read from a connection that ends while this is used up.) */
    PULL_RCVHWM = 20000,
    /* Answers on their way to one peer. REQ peers have one, file transfers 10 and some repeats. */
    ROUTER_SNDHWM = 64,
    KEEPALIVE_IDLE_S = 60,
};

int piw__socket_set(void *socket, int option, int value, const char *name, piw_err *err)
{
    if (zmq_setsockopt(socket, option, &value, sizeof(value)) == 0)
        return 0;
    return piw_err_set(err, PIW_ENET, "socket option %s: %s", name, zmq_strerror(errno));
}

int piw__socket_common(void *socket, size_t frame_max, int silent_ms, piw_err *err)
{
    const struct {
        int option, value;
        const char *name;
    } options[] = {
        {ZMQ_IPV6, 1, "IPV6"},
        {ZMQ_LINGER, PIW_LIMIT_LINGER_MS, "LINGER"},
        {ZMQ_HANDSHAKE_IVL, PIW__HANDSHAKE_MS, "HANDSHAKE_IVL"},
        {ZMQ_HEARTBEAT_IVL, PIW__HEARTBEAT_MS, "HEARTBEAT_IVL"},
        {ZMQ_HEARTBEAT_TIMEOUT, silent_ms, "HEARTBEAT_TIMEOUT"},
        {ZMQ_TCP_KEEPALIVE, 1, "TCP_KEEPALIVE"},
        {ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S, "TCP_KEEPALIVE_IDLE"},
    };
    for (size_t i = 0; i < PIW_COUNT(options); i++) {
        int rc = piw__socket_set(socket, options[i].option, options[i].value, options[i].name, err);
        if (rc != 0)
            return rc;
    }
    int64_t max = (int64_t)frame_max;
    if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max, sizeof(max)) != 0)
        return piw_err_set(err, PIW_ENET, "socket option MAXMSGSIZE: %s", zmq_strerror(errno));
    return 0;
}

size_t piw__frame_max(const piw_protocol *protocol, bool to_master)
{
    if (protocol->queue != PIW_Q_FRAMES)
        return (size_t)protocol->message_max + PIW__ENVELOPE;
    size_t most = 0; /* a frame is one field: nothing needs the size of a whole message */
    for (uint16_t i = 0; i < protocol->messages_count; i++) {
        const piw_msg_type *type = &protocol->messages[i];
        if (type->kind != (to_master ? PIW_M_IN : PIW_M_OUT))
            continue;
        for (uint32_t j = 0; j < piw__fields_count(type); j++) {
            const piw_type *field = type->body->fields[j].type;
            size_t size = field->kind == PIW_TEXT ? (size_t)field->max * 4 : field->kind == PIW_BYTES ? field->max : 0;
            most = size > most ? size : most;
        }
    }
    return (most < protocol->message_max ? most : protocol->message_max) + PIW__ENVELOPE;
}

/* --- Addresses of socket files ---------------------------------------------------------------------------------- */

/* libzmq removes whatever lies at the path and binds: so look first whether somebody listens there, or whether it is
 * no socket at all. */
static int check_socket_path(const char *path, piw_err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    if (strlen(path) >= sizeof(address.sun_path))
        return piw_err_set(err, PIW_EINVAL, "the path of a socket has at most %zu bytes; choose a shorter one",
                           sizeof(address.sun_path) - 1);
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : piw_err_errno(err, "its state can't be read");
    if (!S_ISSOCK(st.st_mode))
        return piw_err_set(err, PIW_EEXIST,
                           "a file that is not a socket is there; remove it or choose another address");
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return piw_err_errno(err, "can't make a socket");
    int rc = connect(fd, (const struct sockaddr *)&address, sizeof(address));
    bool used = rc == 0 || errno == EAGAIN || errno == EINPROGRESS;
    close(fd);
    if (used)
        return piw_err_set(err, PIW_EEXIST,
                           "the address is in use; another piw-master is running: stop it, or give this one "
                           "other addresses");
    return 0;
}

static int set_mode(const piw__port *port, const piw__port_settings *settings, piw_err *err)
{
    struct stat st;
    if (stat(port->socket_path, &st) != 0)
        return piw_err_errno(err, "can't look at the socket's file");
    unsigned flags = settings->protocol->queue_flags;
    mode_t mode = (flags & PIW_Q_PRIVATE) != 0 ? 0600 : (st.st_mode & 07777) | S_IWGRP;
    if ((flags & (PIW_Q_PRIVATE | PIW_Q_GROUP)) != 0 && chmod(port->socket_path, mode) != 0)
        return piw_err_errno(err, "can't set the mode of the socket's file");
    return 0;
}

/* --- Making and binding ----------------------------------------------------------------------------------------- */

static int socket_kind(const piw_protocol *protocol)
{
    switch (protocol->queue) {
    case PIW_Q_ROUTER:
    case PIW_Q_FRAMES:
        return ZMQ_ROUTER;
    case PIW_Q_PULL:
        return ZMQ_PULL;
    case PIW_Q_PUB:
        return ZMQ_PUB;
    default:
        return -1;
    }
}

/* I/O threads by bit: those that queues have for themselves, in the order in which they ask, then the one for all others. */
static int set_affinity(void *socket, const piw_protocol *protocol, piw_err *err)
{
    static _Atomic unsigned taken; /* relaxed: any order of the queues will do */
    unsigned own = PIW__IO_THREADS - 1;
    if ((protocol->queue_flags & PIW_Q_THREAD) != 0)
        own = atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed) % (PIW__IO_THREADS - 1);
    uint64_t threads = UINT64_C(1) << own;
    if (zmq_setsockopt(socket, ZMQ_AFFINITY, &threads, sizeof(threads)) != 0)
        return piw_err_set(err, PIW_ENET, "socket option AFFINITY: %s", zmq_strerror(errno));
    return 0;
}

/* Connections are let in by the check of zap.c; without it there are none. */
static int set_admission(void *socket, const char *name, piw_err *err)
{
    if (!piw__zap_running())
        return piw_err_set(err, PIW_EINVAL, "the admission check isn't running");
    if (zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, name, strlen(name)) != 0)
        return piw_err_set(err, PIW_ENET, "socket option ZAP_DOMAIN: %s", zmq_strerror(errno));
#ifdef ZMQ_ZAP_ENFORCE_DOMAIN
    return piw__socket_set(socket, ZMQ_ZAP_ENFORCE_DOMAIN, 1, "ZAP_ENFORCE_DOMAIN", err);
#else
    return 0;
#endif
}

/* Of every socket of a queue, whoever connects to it. */
static int set_options(const piw__port *port, void *socket, int kind, piw_err *err)
{
    int rc = piw__socket_common(socket, piw__frame_max(port->protocol, true), PIW_LIMIT_SILENT_PEER_MS, err);
    rc = rc != 0 ? rc : piw__socket_set(socket, ZMQ_BACKLOG, BACKLOG, "BACKLOG", err);
    rc = rc != 0 ? rc : piw__socket_set(socket, ZMQ_HEARTBEAT_TTL, PIW_LIMIT_SILENT_MASTER_MS, "HEARTBEAT_TTL", err);
    rc = rc != 0 ? rc : set_affinity(socket, port->protocol, err);
    if (rc == 0 && kind == ZMQ_ROUTER) {
        rc = piw__socket_set(socket, ZMQ_ROUTER_MANDATORY, 1, "ROUTER_MANDATORY", err);
        rc = rc != 0 ? rc : piw__socket_set(socket, ZMQ_RCVHWM, ROUTER_RCVHWM, "RCVHWM", err);
        rc = rc != 0 ? rc : piw__socket_set(socket, ZMQ_SNDHWM, ROUTER_SNDHWM, "SNDHWM", err);
    } else if (rc == 0 && kind == ZMQ_PULL) {
        rc = piw__socket_set(socket, ZMQ_RCVHWM, PULL_RCVHWM, "RCVHWM", err);
    } else if (rc == 0 && kind == ZMQ_PUB) {
        rc = piw__socket_set(socket, ZMQ_SNDHWM, PIW_LIMIT_STATUS_WAITING, "SNDHWM", err);
    }
    return rc;
}

/* Who comes to the plain address: over TCP a queue that answers asks. */
static int set_plain(const piw__port *port, int kind, piw_err *err)
{
    if (kind != ZMQ_ROUTER || port->ipc)
        return 0;
    if ((port->protocol->queue_flags & PIW_Q_ADMITTED) == 0)
        return piw_err_set(err, PIW_EINVAL,
                           "queue %s lets in whoever connects, since its protocol is not declared \"admitted\": "
                           "give it an ipc:// address",
                           port->name);
    return set_admission(port->socket, port->name, err);
}

static int bind_error(const char *address, piw_err *err)
{
    int why = errno;
    if (why == EADDRINUSE)
        return piw_err_set(err, PIW_EEXIST,
                           "the address is in use, by another piw-master or some other program: stop that, or choose "
                           "another address");
    if (why == EACCES || why == EPERM)
        return piw_err_set(err, PIW_ENET, "%s; choose an address that this user may bind", zmq_strerror(why));
    if (why == EINVAL || why == EPROTONOSUPPORT)
        return piw_err_set(err, PIW_EINVAL, "\"%.200s\" is not an address; write tcp://*:5555 or ipc:///run/name",
                           address);
    if (why == ENODEV || why == EADDRNOTAVAIL)
        return piw_err_set(err, PIW_ENET, "%s; this machine has no such interface", zmq_strerror(why));
    return piw_err_set(err, PIW_ENET, "%s", zmq_strerror(why));
}

/* Where it is bound, as libzmq knows it. */
static int bound_at(void *socket, char **bound, piw_err *err)
{
    char endpoint[512];
    size_t size = sizeof(endpoint);
    if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0)
        return piw_err_set(err, PIW_ENET, "%s", zmq_strerror(errno));
    *bound = piw_strdup(endpoint);
    return 0;
}

/* An IPv4 address that was bound through IPv6 reads as people wrote it. */
static char *endpoint_text(const char *bound)
{
    static const char mapped[] = "tcp://[::ffff:";
    const char *v4 = strncmp(bound, mapped, sizeof(mapped) - 1) == 0 ? bound + sizeof(mapped) - 1 : NULL;
    const char *end = v4 != NULL ? strchr(v4, ']') : NULL;
    return end != NULL ? piw_sprintf("tcp://%.*s%s", (int)(end - v4), v4, end + 1) : piw_strdup(bound);
}

static int bind_plain(piw__port *port, const piw__port_settings *settings, piw_err *err)
{
    if (port->socket_path != NULL) {
        int rc = check_socket_path(port->socket_path, err);
        if (rc != 0)
            return rc;
    }
    if (zmq_bind(port->socket, settings->address) != 0)
        return bind_error(settings->address, err);
    size_t fd_size = sizeof(port->fd);
    int rc = bound_at(port->socket, &port->bound, err);
    if (rc == 0 && zmq_getsockopt(port->socket, ZMQ_FD, &port->fd, &fd_size) != 0)
        rc = piw_err_set(err, PIW_ENET, "%s", zmq_strerror(errno));
    if (rc != 0)
        return rc;
    port->endpoint = endpoint_text(port->bound);
    return port->socket_path != NULL ? set_mode(port, settings, err) : 0;
}

/* --- The encrypted address --------------------------------------------------------------------------------------- */

/* What is bound from here on is for those who have a key. (An option holds for the addresses bound after it.) */
static int set_curve(const piw__port *port, void *socket, piw_err *err)
{
    piw_key own;
    if (!zmq_has("curve"))
        return piw_err_set(err, PIW_EINVAL, "this libzmq was built without CURVE: nothing can be encrypted");
    if (!piw__keys_own(&own))
        return piw_err_set(err, PIW_ECONFIG, "an encrypted address needs [auth] keys, the folder of keys");
    char *name = piw_sprintf("%s" PIW__CURVE_SUFFIX, port->name);
    int rc = set_admission(socket, name, err);
    rc = rc != 0 ? rc : piw__socket_set(socket, ZMQ_CURVE_SERVER, 1, "CURVE_SERVER", err);
    if (rc == 0 && zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, own.secret, sizeof(own.secret)) != 0)
        rc = piw_err_set(err, PIW_ENET, "socket option CURVE_SECRETKEY: %s", zmq_strerror(errno));
    piw_key_wipe(&own);
    free(name);
    return rc;
}

static int bind_curve(const piw__port *port, void *socket, const char *address, piw_err *err)
{
    int rc = set_curve(port, socket, err);
    return rc != 0 ? rc : zmq_bind(socket, address) != 0 ? bind_error(address, err) : 0;
}

static int open_publisher(piw__port *port, const char *address, piw_err *err)
{
    int linger = 0; /* what waits for somebody whose key was revoked must not leave */
    port->curve_publisher = zmq_socket(piw__zmq_context(), ZMQ_PUB);
    if (port->curve_publisher == NULL)
        return piw_err_set(err, PIW_ENET, "can't make a ZeroMQ socket: %s", zmq_strerror(errno));
    int rc = set_options(port, port->curve_publisher, ZMQ_PUB, err);
    rc = rc != 0 ? rc : piw__socket_set(port->curve_publisher, ZMQ_LINGER, linger, "LINGER", err);
    return rc != 0 ? rc : bind_curve(port, port->curve_publisher, address, err);
}

static int open_curve(piw__port *port, const char *address, piw_err *err)
{
    if (strncmp(address, "tcp://", 6) != 0)
        return piw_err_set(err, PIW_EINVAL, "\"%.200s\" is not an address of TCP; write tcp://*:5557", address);
    if ((port->protocol->queue_flags & PIW_Q_PRIVATE) != 0)
        return piw_err_set(err, PIW_EINVAL,
                           "this queue is for the master's own user only: it has no encrypted address");
    bool publishes = port->protocol->queue == PIW_Q_PUB;
    int rc = publishes ? open_publisher(port, address, err) : bind_curve(port, port->socket, address, err);
    rc = rc != 0 ? rc : bound_at(publishes ? port->curve_publisher : port->socket, &port->curve_bound, err);
    if (rc != 0)
        return rc;
    port->curve_endpoint = endpoint_text(port->curve_bound);
    port->keys_generation = piw__keys_generation();
    return 0;
}

int piw__socket_open(piw__port *port, const piw__port_settings *settings, piw_err *err)
{
    int kind = socket_kind(port->protocol);
    void *context = piw__zmq_context();
    if (kind < 0)
        return piw_err_set(err, PIW_EINVAL, "protocol %s is not an outer queue", port->protocol->name);
    port->ipc = strncmp(settings->address, "ipc://", 6) == 0;
    if (!port->ipc && strncmp(settings->address, "tcp://", 6) != 0)
        return piw_err_set(err, PIW_EINVAL, "\"%.200s\" is not an address; write tcp://*:5555 or ipc:///run/name",
                           settings->address);
    if ((port->protocol->queue_flags & PIW_Q_PRIVATE) != 0 && (!port->ipc || settings->address[6] == '@'))
        return piw_err_set(err, PIW_EINVAL,
                           "this queue is for the master's own user only: give it an address ipc://FILE");
    if (context == NULL || (port->socket = zmq_socket(context, kind)) == NULL)
        return piw_err_set(err, PIW_ENET, "can't make a ZeroMQ socket: %s", zmq_strerror(errno));
    if (port->ipc && settings->address[6] != '@')
        port->socket_path = piw_strdup(settings->address + 6);
    int rc = set_options(port, port->socket, kind, err);
    rc = rc != 0 ? rc : set_plain(port, kind, err);
    if (rc == 0 && port->protocol->queue == PIW_Q_ROUTER)
        rc = piw__links_open(&port->links, port->socket, err);
    rc = rc != 0 ? rc : bind_plain(port, settings, err);
    if (rc == 0 && settings->curve_address != NULL && (rc = open_curve(port, settings->curve_address, err)) != 0)
        piw_err_prefix(err, "encrypted at %.200s", settings->curve_address);
    return rc;
}

/* --- The end ----------------------------------------------------------------------------------------------------- */

/* The listener ends on an I/O thread, and the file of an ipc address with it. Wait for that, so that the address can
 * be bound again, and so that the file removed is not the next one's. */
static void unbind(const piw__port *port, void *socket, const char *bound)
{
    static const char name[] = "inproc://piw-port-closing";
    void *monitor = zmq_socket(piw__zmq_context(), ZMQ_PAIR);
    if (monitor == NULL)
        return;
    int linger = 0, bound_ms = PIW_LIMIT_LINGER_MS;
    zmq_setsockopt(monitor, ZMQ_LINGER, &linger, sizeof(linger));
    zmq_setsockopt(monitor, ZMQ_RCVTIMEO, &bound_ms, sizeof(bound_ms));
    char address[64];
    snprintf(address, sizeof(address), "%s-%d", name, port->fd); /* unique among the ports that are open */
    uint8_t event[512];
    if (zmq_socket_monitor(socket, address, ZMQ_EVENT_CLOSED | ZMQ_EVENT_CLOSE_FAILED) == 0 &&
        zmq_connect(monitor, address) == 0 && zmq_unbind(socket, bound) == 0 &&
        zmq_recv(monitor, event, sizeof(event), 0) < 0)
        piw_warning("queue %s: the address %s is still in use by this process", port->name, bound);
    zmq_socket_monitor(socket, NULL, 0);
    zmq_close(monitor);
}

static void close_publisher(piw__port *port)
{
    if (port->curve_publisher == NULL)
        return;
    if (port->curve_bound != NULL)
        unbind(port, port->curve_publisher, port->curve_bound);
    zmq_close(port->curve_publisher);
    port->curve_publisher = NULL;
}

void piw__socket_renew_publisher(piw__port *port)
{
    piw_err err = {0};
    close_publisher(port);
    if (open_publisher(port, port->curve_bound, &err) != 0) {
        piw_error("queue %s at %s: who listens encrypted hears nothing more until the master is restarted: %s",
                  port->name, port->curve_endpoint, err.text);
        if (port->curve_publisher != NULL)
            zmq_close(port->curve_publisher);
        port->curve_publisher = NULL;
    }
}

void piw__socket_close(piw__port *port)
{
    if (port->socket == NULL)
        return;
    bool publishes = port->curve_publisher != NULL;
    piw__links_close(&port->links, port->socket);
    close_publisher(port);
    if (port->curve_bound != NULL && !publishes)
        unbind(port, port->socket, port->curve_bound);
    if (port->bound != NULL)
        unbind(port, port->socket, port->bound);
    zmq_close(port->socket);
    port->socket = NULL;
}
