/* listen.c — the address that is listened at. */
#include "listen.h"

#include "shared/text.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 /* the kernel holds as many as net.core.somaxconn allows */ };

/* Where the port begins, and the address before it in `host`; NULL: it is none. */
static const char *split(const char *where, char *host, size_t size)
{
    const char *colon = strrchr(where, ':'), *begin = where;
    size_t len = colon != NULL ? (size_t)(colon - where) : 0;
    if (colon == NULL) {
        snprintf(host, size, "*");
        return where;
    }
    if (*where == '[' && len > 1 && where[len - 1] == ']') {
        begin++;
        len -= 2;
    } else if (memchr(where, ':', len) != NULL) {
        return NULL;
    }
    if (len == 0 || len >= size)
        return NULL;
    snprintf(host, size, "%.*s", (int)len, begin);
    return colon + 1;
}

bool web_listen_any_port(const char *where)
{
    const char *colon = strrchr(where, ':');
    const char *port = colon != NULL ? colon + 1 : where;
    return *port != '\0' && port[strspn(port, "0")] == '\0';
}

static int bind_to(const struct addrinfo *to, bool shared, bool all)
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, off = 0;
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) &&
        (to->ai_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, all ? &off : &on, sizeof(on)) == 0) &&
        bind(fd, to->ai_addr, to->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static int try_address(const char *host, const char *port, bool shared, bool all)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM},
                    *found = NULL;
    if (getaddrinfo(host, port, &hints, &found) != 0 || found == NULL) {
        errno = EINVAL;
        return -1;
    }
    int fd = bind_to(found, shared, all);
    int why = errno;
    freeaddrinfo(found);
    errno = why;
    return fd;
}

int web_listen(const char *where, bool shared, int *fd, piw_err *err)
{
    char host[128];
    const char *port = split(where, host, sizeof(host));
    if (port == NULL || !piw_is_port(port))
        return piw_err_set(err, PIW_ECONFIG, "\"%s\" is no address to listen at: ADDRESS:PORT, [IPv6]:PORT or *:PORT",
                           where);
    bool all = strcmp(host, "*") == 0;
    *fd = try_address(all ? "::" : host, port, shared, all);
    if (*fd < 0 && all && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
        *fd = try_address("0.0.0.0", port, shared, false);
    if (*fd >= 0)
        return 0;
    if (errno == EINVAL)
        return piw_err_set(err, PIW_ECONFIG, "\"%s\" is no address to listen at: ADDRESS:PORT, [IPv6]:PORT or *:PORT",
                           where);
    if (errno == EACCES)
        return piw_err_set(err, PIW_ESYS,
                           "the master may not listen at %s: ports below 1024 take CAP_NET_BIND_SERVICE (docs/site.md)",
                           where);
    return piw_err_errno(err, "it can't listen at %s", where);
}

unsigned web_listen_port(int fd)
{
    struct sockaddr_in6 address = {0}; /* an IPv4 address is shorter, with the port at the same place */
    socklen_t size = sizeof(address);
    return getsockname(fd, (struct sockaddr *)&address, &size) == 0 ? ntohs(address.sin6_port) : 0;
}
