/* peer.c — one simulated slave's connection: ZMTP over a socket of its own. */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECT_S = 5,
    GREETING_LEN = 64,
    MECHANISM_AT = 12,
    MORE = 1,
    LONG = 2,
    COMMAND = 4,
    HEAD_MAX = 9, /* flags and a length of 64 bits */
    SHORT_MAX = 255,
    COPIED = 16 << 10, /* bytes that cost less to copy than to be sent from where they are */
};

/* --- Connecting ------------------------------------------------------------------------------------------------------ */

static int connect_to(const struct sockaddr *address, socklen_t len)
{
    const struct timeval bound = {.tv_sec = CONNECT_S};
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    /* With a bound: where many connect at once, the other side's line of those to be taken is full for moments. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof(bound)) == 0 && connect(fd, address, len) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static int connect_ipc(const char *path, piw_err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(address.sun_path))
        return piw_err_set(err, PIW_EUSAGE, "a socket's path has 1 to %zu bytes", sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, len);
    int fd = connect_to((const struct sockaddr *)&address, sizeof(address));
    return fd >= 0 ? fd : piw_err_errno(err, "can't connect");
}

static int connect_tcp(const char *place, piw_err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const char *colon = strrchr(place, ':');
    struct addrinfo *found = NULL;
    char host[256];
    int fd = -1, one = 1;
    if (colon == NULL || colon == place || (size_t)(colon - place) >= sizeof(host))
        return piw_err_set(err, PIW_EUSAGE, "write tcp://HOST:PORT");
    bool brackets = place[0] == '[' && colon[-1] == ']';
    snprintf(host, sizeof(host), "%.*s", (int)(colon - place) - (brackets ? 2 : 0), place + (brackets ? 1 : 0));
    int why = getaddrinfo(host, colon + 1, &hints, &found);
    errno = EINVAL;
    if (why != 0)
        return piw_err_set(err, PIW_ENET, "%s", gai_strerror(why));
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
        fd = connect_to(at->ai_addr, at->ai_addrlen);
    if (fd < 0)
        why = piw_err_errno(err, "can't connect");
    freeaddrinfo(found);
    if (fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0) {
        why = piw_err_errno(err, "TCP_NODELAY");
        close(fd);
        fd = -1;
    }
    return fd >= 0 ? fd : why;
}

static int connect_any(const char *address, piw_err *err)
{
    if (strncmp(address, "ipc://", 6) == 0)
        return connect_ipc(address + 6, err);
    if (strncmp(address, "tcp://", 6) == 0)
        return connect_tcp(address + 6, err);
    errno = EINVAL;
    return piw_err_set(err, PIW_EUSAGE, "write tcp://HOST:PORT or ipc://PATH");
}

/* Greeting and READY at once: neither depends on what the other side says. */
static int introduce(int fd, const char *kind, piw_err *err)
{
    uint8_t text[GREETING_LEN + 64] = {[0] = 0xff, [9] = 0x7f, [10] = 3}, *at = text + GREETING_LEN;
    size_t kind_len = strlen(kind);
    memcpy(text + MECHANISM_AT, "NULL", 4);
    *at++ = COMMAND;
    *at++ = (uint8_t)(6 + 12 + 4 + kind_len);
    memcpy(at, "\005READY\013Socket-Type\0\0", 20);
    at += 20;
    *at++ = 0;
    *at++ = (uint8_t)kind_len;
    memcpy(at, kind, kind_len);
    at += kind_len;
    /* A new connection takes so much at once. */
    ssize_t n = send(fd, text, (size_t)(at - text), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n != at - text)
        return piw_err_errno(err, "can't greet");
    return fcntl(fd, F_SETFL, O_NONBLOCK) == 0 ? 0 : piw_err_errno(err, "can't set up a connection");
}

int load_peer_open(load_peer *peer, const char *address, const char *kind, int epoll_fd, uint64_t key, int64_t wait_ms,
                   piw_err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = key};
    const struct timespec rest = {.tv_nsec = 1000000};
    int64_t until_ns = piw_monotonic_ns() + wait_ms * 1000000;
    int fd;
    while ((fd = connect_any(address, err)) < 0 && (errno == ENOENT || errno == ECONNREFUSED) &&
           piw_monotonic_ns() < until_ns) {
        *err = (piw_err){0};
        nanosleep(&rest, NULL);
    }
    int rc = fd < 0 ? fd : introduce(fd, kind, err);
    if (rc == 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        rc = piw_err_errno(err, "can't watch a connection");
    if (rc != 0) {
        if (fd >= 0)
            close(fd);
        piw_err_prefix(err, "%.200s", address);
        return rc;
    }
    *peer = (load_peer){.open = true, .fd = fd, .epoll_fd = epoll_fd, .key = key};
    return 0;
}

void load_peer_close(load_peer *peer)
{
    if (!peer->open)
        return;
    peer->open = false;
    close(peer->fd); /* which takes it out of the epoll, too */
    piw_buffer_fini(&peer->out);
}

/* --- Sending --------------------------------------------------------------------------------------------------------- */

bool load_peer_idle(const load_peer *peer)
{
    return peer->out_at == peer->out.len && peer->rest.len == 0 && peer->rest.tail.len == 0;
}

static int wake_when_taken(load_peer *peer, bool blocked, piw_err *err)
{
    struct epoll_event event = {.events = EPOLLIN | (blocked ? (uint32_t)EPOLLOUT : 0), .data.u64 = peer->key};
    if (blocked == peer->blocked)
        return 0;
    peer->blocked = blocked;
    return epoll_ctl(peer->epoll_fd, EPOLL_CTL_MOD, peer->fd, &event) == 0
               ? 0
               : piw_err_errno(err, "can't watch a connection");
}

static void taken(load_frame *piece, size_t *n)
{
    size_t part = *n < piece->len ? *n : piece->len;
    piece->data = (const uint8_t *)piece->data + part;
    piece->len -= part;
    *n -= part;
}

/* What is copied: a message's beginning with some of what follows, so that the other side isn't woken for the one and then for the
 * other; and its end. */
static ssize_t send_copy(load_peer *peer)
{
    load_rest *rest = &peer->rest;
    size_t len = rest->len < COPIED ? rest->len : COPIED;
    load_frame head = {peer->out.data + peer->out_at, peer->out.len - peer->out_at},
               file = {rest->bytes + rest->at, len};
    struct iovec parts[3] = {
        {(void *)head.data, head.len}, {(void *)file.data, len}, {(void *)rest->tail.data, rest->tail.len}};
    const struct msghdr msg = {.msg_iov = parts, .msg_iovlen = len < rest->len ? 2 : 3};
    ssize_t sent = sendmsg(peer->fd, &msg, MSG_NOSIGNAL);
    size_t n = sent > 0 ? (size_t)sent : 0;
    taken(&head, &n);
    taken(&file, &n);
    taken(&rest->tail, &n);
    peer->out_at = peer->out.len - head.len;
    rest->at += (off_t)(len - file.len);
    rest->len -= len - file.len;
    return sent;
}

static ssize_t send_file(load_rest *rest, int fd)
{
    ssize_t n = sendfile(fd, rest->fd, &rest->at, rest->len);
    rest->len -= n > 0 ? (size_t)n : 0;
    return n;
}

/* As much as the kernel takes. */
static int flush(load_peer *peer, piw_err *err)
{
    while (!load_peer_idle(peer)) {
        bool copy = peer->out_at < peer->out.len || peer->rest.len <= COPIED;
        ssize_t n = copy ? send_copy(peer) : send_file(&peer->rest, peer->fd);
        if (n < 0 && errno == EAGAIN)
            return wake_when_taken(peer, true, err);
        if (n < 0 && errno != EINTR)
            return piw_err_set(err, PIW_ENET, "the master has ended a connection: %s", strerror(errno));
    }
    peer->out.len = peer->out_at = 0;
    return wake_when_taken(peer, false, err);
}

static int add_head(load_peer *peer, size_t len, uint8_t flags)
{
    uint8_t head[HEAD_MAX] = {flags, (uint8_t)len};
    size_t head_len = 2;
    if (len > SHORT_MAX) {
        head[0] |= LONG;
        for (int i = 0; i < 8; i++)
            head[1 + i] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
        head_len = HEAD_MAX;
    }
    return piw_buffer_add(&peer->out, head, head_len);
}

int load_peer_send(load_peer *peer, const load_frame *frames, size_t count, const load_rest *rest, piw_err *err)
{
    int rc = 0;
    size_t more = rest != NULL ? rest->len + rest->tail.len : 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        bool last = i + 1 == count;
        rc = add_head(peer, frames[i].len + (last ? more : 0), last ? 0 : MORE);
        if (rc == 0 && frames[i].len > 0)
            rc = piw_buffer_add(&peer->out, frames[i].data, frames[i].len);
    }
    if (rc != 0)
        return piw_err_set(err, rc, "no memory for a message");
    if (rest != NULL)
        peer->rest = *rest;
    return peer->ready ? flush(peer, err) : 0;
}

/* --- Receiving ------------------------------------------------------------------------------------------------------- */

int load_peer_move(load_peer *peer, uint32_t events, piw_err *err)
{
    if (peer->blocked && (events & EPOLLOUT) != 0) {
        int rc = flush(peer, err);
        if (rc != 0)
            return rc;
    }
    if ((events & ~(uint32_t)EPOLLOUT) == 0)
        return 0;
    memmove(peer->in, peer->in + peer->in_at, peer->in_len - peer->in_at);
    peer->in_len -= peer->in_at;
    peer->in_at = 0;
    if (peer->in_len == sizeof(peer->in))
        return piw_err_set(err, PIW_ESHAPE, "what the master sends is longer than %zu bytes", sizeof(peer->in));
    ssize_t n = recv(peer->fd, peer->in + peer->in_len, sizeof(peer->in) - peer->in_len, MSG_DONTWAIT);
    if (n == 0)
        return piw_err_set(err, PIW_ENET, "the master has ended a connection");
    if (n < 0)
        return errno == EAGAIN || errno == EINTR
                   ? 0
                   : piw_err_set(err, PIW_ENET, "the master has ended a connection: %s", strerror(errno));
    peer->in_len += (size_t)n;
    return 0;
}

/* One frame, if it is whole. Its end in *end. */
static int read_frame(const load_peer *peer, size_t at, uint8_t *flags, load_frame *frame, size_t *end)
{
    const uint8_t *in = peer->in + at;
    size_t left = peer->in_len - at, head = 2;
    if (left < 2 || ((in[0] & LONG) != 0 && left < HEAD_MAX))
        return PIW_EAGAIN;
    uint64_t len = in[1];
    if ((in[0] & LONG) != 0) {
        len = 0;
        for (int i = 0; i < 8; i++)
            len = len << 8 | in[1 + i];
        head = HEAD_MAX;
    }
    if ((in[0] & ~(MORE | LONG | COMMAND)) != 0 || len > LOAD_PEER_INPUT - HEAD_MAX)
        return PIW_ESHAPE;
    if (left - head < len)
        return PIW_EAGAIN;
    *flags = in[0];
    *frame = (load_frame){in + head, (size_t)len};
    *end = at + head + (size_t)len;
    return 0;
}

static bool command_is(const load_frame *frame, const char *name)
{
    size_t len = strlen(name);
    const uint8_t *data = frame->data;
    return frame->len > len && data[0] == len && memcmp(data + 1, name, len) == 0;
}

/* A PING is a number of tenths of seconds and a context, which comes back with the PONG. */
static int on_command(load_peer *peer, const load_frame *frame, piw_err *err)
{
    if (command_is(frame, "READY")) {
        peer->ready = true;
        return flush(peer, err);
    }
    if (!command_is(frame, "PING") || frame->len < 7)
        return command_is(frame, "ERROR") ? PIW_ESHAPE : 0;
    if (peer->rest.len + peer->rest.tail.len > 0)
        return 0; /* in the middle of a message: that it goes on is a sign of life, too */
    size_t context = frame->len - 7;
    int rc = add_head(peer, 5 + context, COMMAND);
    rc = rc != 0 ? rc : piw_buffer_add(&peer->out, "\004PONG", 5);
    rc = rc != 0 ? rc : piw_buffer_add(&peer->out, (const uint8_t *)frame->data + 7, context);
    return rc != 0 ? rc : flush(peer, err);
}

static int read_greeting(load_peer *peer)
{
    const uint8_t *in = peer->in + peer->in_at;
    if (peer->in_len - peer->in_at < GREETING_LEN)
        return PIW_EAGAIN;
    if (in[0] != 0xff || in[9] != 0x7f || in[10] < 3 || memcmp(in + MECHANISM_AT, "NULL", 5) != 0)
        return PIW_ESHAPE;
    peer->in_at += GREETING_LEN;
    peer->greeted = true;
    return 0;
}

int load_peer_next(load_peer *peer, load_frame *frames, size_t *count, piw_err *err)
{
    int rc = peer->greeted ? 0 : read_greeting(peer);
    size_t at = peer->in_at;
    for (*count = 0; rc == 0;) {
        uint8_t flags = 0;
        load_frame frame = {0};
        rc = read_frame(peer, at, &flags, &frame, &at);
        if (rc == 0 && (flags & COMMAND) != 0) {
            rc = *count == 0 ? on_command(peer, &frame, err) : PIW_ESHAPE;
            peer->in_at = at;
            continue;
        }
        if (rc == 0 && *count == LOAD_FRAMES_MAX)
            rc = PIW_ESHAPE;
        if (rc != 0)
            break;
        frames[(*count)++] = frame;
        if ((flags & MORE) == 0) {
            peer->in_at = at;
            return 0;
        }
    }
    return rc == PIW_ESHAPE ? piw_err_set(err, rc, "what the master sends is no message of ZMTP 3 without encryption")
                            : rc;
}
