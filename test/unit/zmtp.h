/* zmtp.h — a peer that speaks ZMTP 3.0 by hand, so that it can break every rule: any routing id, any frames, any sizes.
 */
#ifndef ZMTP_H
#define ZMTP_H

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* What a receive or send may take, and the address to connect from (NULL: the system's choice). */
static int zmtp_bound_ms = 10000;
static const char *zmtp_from;

enum { ZMTP_MORE = 1, ZMTP_LONG = 2, ZMTP_COMMAND = 4 };

/* "tcp://A.B.C.D:PORT", "tcp://[::1]:PORT", "ipc://PATH"; -1 when it can't connect. */
static inline int zmtp_socket(const char *endpoint)
{
    struct timeval bound = {.tv_sec = zmtp_bound_ms / 1000, .tv_usec = zmtp_bound_ms % 1000 * 1000};
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un file;
    } to = {0};
    socklen_t len;
    if (strncmp(endpoint, "ipc://", 6) == 0) {
        to.file.sun_family = AF_UNIX;
        memcpy(to.file.sun_path, endpoint + 6, strnlen(endpoint + 6, sizeof(to.file.sun_path) - 1));
        len = sizeof(to.file);
    } else {
        char host[64];
        snprintf(host, sizeof(host), "%s", endpoint + 6 + (endpoint[6] == '['));
        char *colon = strrchr(host, ':');
        uint16_t number = htons((uint16_t)atoi(colon + 1));
        colon[colon[-1] == ']' ? -1 : 0] = '\0';
        if (endpoint[6] == '[') {
            to.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = number};
            inet_pton(AF_INET6, host, &to.v6.sin6_addr);
            len = sizeof(to.v6);
        } else {
            to.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = number};
            inet_pton(AF_INET, host, &to.v4.sin_addr);
            len = sizeof(to.v4);
        }
    }
    int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof(bound));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (zmtp_from != NULL) {
        struct sockaddr_in from = {.sin_family = AF_INET};
        inet_pton(AF_INET, zmtp_from, &from.sin_addr);
        if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0) {
            close(fd);
            return -1;
        }
    }
    if (connect(fd, &to.any, len) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline bool zmtp_read_all(int fd, void *to, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = recv(fd, (uint8_t *)to + at, len - at, 0);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static inline bool zmtp_write_all(int fd, const void *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = send(fd, (const uint8_t *)data + at, len - at, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static inline bool zmtp_head(int fd, int flags, uint64_t len)
{
    uint8_t head[9] = {(uint8_t)flags};
    if (len < 256) {
        head[1] = (uint8_t)len;
        return zmtp_write_all(fd, head, 2);
    }
    head[0] |= ZMTP_LONG;
    for (int i = 0; i < 8; i++)
        head[1 + i] = (uint8_t)(len >> (56 - 8 * i));
    return zmtp_write_all(fd, head, 9);
}

static inline bool zmtp_frame(int fd, bool more, const void *data, size_t len)
{
    return zmtp_head(fd, more ? ZMTP_MORE : 0, len) && zmtp_write_all(fd, data, len);
}

/* One frame of at most `size` bytes; its length, or -1 when none came or the connection ended. */
static inline int zmtp_recv(int fd, void *to, size_t size, int *flags)
{
    uint8_t head[9];
    if (!zmtp_read_all(fd, head, 2))
        return -1;
    uint64_t len = head[1];
    if ((head[0] & ZMTP_LONG) != 0) {
        if (!zmtp_read_all(fd, head + 2, 7))
            return -1;
        len = 0;
        for (int i = 0; i < 8; i++)
            len = len << 8 | head[1 + i];
    }
    *flags = head[0];
    return len <= size && zmtp_read_all(fd, to, (size_t)len) ? (int)len : -1;
}

static inline size_t zmtp_property(uint8_t *to, const char *name, const void *value, size_t len)
{
    size_t n = strlen(name);
    to[0] = (uint8_t)n;
    memcpy(to + 1, name, n);
    memset(to + 1 + n, 0, 3);
    to[1 + n + 3] = (uint8_t)len;
    memcpy(to + 1 + n + 4, value, len);
    return 1 + n + 4 + len;
}

/* Greet and get ready on a connected descriptor; takes it, and returns it or -1 when the other side refuses. */
static inline int zmtp_shake(int fd, const char *kind, const char *routing)
{
    uint8_t greeting[64] = {0xff, [9] = 0x7f, [10] = 3}, theirs[64], ready[512];
    int flags;
    memcpy(greeting + 12, "NULL", 4);
    size_t len = 6;
    memcpy(ready, "\5READY", 6);
    len += zmtp_property(ready + len, "Socket-Type", kind, strlen(kind));
    if (routing != NULL)
        len += zmtp_property(ready + len, "Identity", routing, strlen(routing));
    if (zmtp_write_all(fd, greeting, sizeof(greeting)) && zmtp_read_all(fd, theirs, sizeof(theirs)) &&
        zmtp_head(fd, ZMTP_COMMAND, len) && zmtp_write_all(fd, ready, len) &&
        zmtp_recv(fd, ready, sizeof(ready), &flags) >= 6 && memcmp(ready, "\5READY", 6) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Connect as a socket of `kind` ("REQ") with a routing id (may be NULL); -1 when that is refused. */
static inline int zmtp_connect(const char *endpoint, const char *kind, const char *routing)
{
    int fd = zmtp_socket(endpoint);
    return fd < 0 ? -1 : zmtp_shake(fd, kind, routing);
}

/* A request as a REQ socket sends it. */
static inline bool zmtp_request(int fd, const void *data, size_t len)
{
    return zmtp_frame(fd, true, "", 0) && zmtp_frame(fd, false, data, len);
}

/* The payload of an answer: its length or -1. */
static inline int zmtp_answer(int fd, void *to, size_t size)
{
    int flags, len;
    do
        len = zmtp_recv(fd, to, size, &flags);
    while (len >= 0 && (flags & ZMTP_COMMAND) != 0);
    if (len != 0 || (flags & ZMTP_MORE) == 0)
        return -1;
    return zmtp_recv(fd, to, size, &flags);
}

/* Has the other side closed the connection? Waits for it, bounded. */
static inline bool zmtp_closed(int fd)
{
    uint8_t byte;
    ssize_t n;
    while ((n = recv(fd, &byte, 1, 0)) > 0)
        continue;
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

#endif
