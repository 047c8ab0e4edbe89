/* listen.c — the socket that is listened at. */
#include "listen.h"

#include "piw/log.h"
#include "shared/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64, SOCKET_MODE = 0660 };

static const char unix_prefix[] = "unix:";

static const char *unix_path(const char *where)
{
    size_t n = sizeof(unix_prefix) - 1;
    return strncmp(where, unix_prefix, n) == 0 ? where + n : NULL;
}

/* --- In the file system ----------------------------------------------------------------------------------------------- */

/* A socket at which nobody listens any more was left by a master that was killed. */
static int remove_left(const struct sockaddr_un *at, piw_err *err)
{
    struct stat info;
    if (lstat(at->sun_path, &info) != 0)
        return 0;
    if (!S_ISSOCK(info.st_mode))
        return piw_err_set(err, PIW_ECONFIG, "%s is there, and no socket", at->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return piw_err_errno(err, "can't make a socket");
    bool left = connect(fd, (const struct sockaddr *)at, sizeof(*at)) != 0 && errno == ECONNREFUSED;
    close(fd);
    if (!left)
        return piw_err_set(err, PIW_EEXIST, "somebody listens at %s already", at->sun_path);
    if (unlink(at->sun_path) != 0 && errno != ENOENT)
        return piw_err_errno(err, "can't remove the socket %s that was left", at->sun_path);
    return 0;
}

static int listen_unix(const char *path, int *fd, piw_err *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (path[0] != '/' || strlen(path) >= sizeof(at.sun_path))
        return piw_err_set(err, PIW_ECONFIG, "unix:%s: an absolute path of at most %zu bytes is wanted", path,
                           sizeof(at.sun_path) - 1);
    memcpy(at.sun_path, path, strlen(path));
    int rc = remove_left(&at, err);
    if (rc != 0)
        return rc;
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd >= 0 && bind(*fd, (const struct sockaddr *)&at, sizeof(at)) == 0 && chmod(path, SOCKET_MODE) == 0 &&
        listen(*fd, BACKLOG) == 0)
        return 0;
    rc = piw_err_errno(err, "can't listen at %s", path);
    if (*fd >= 0)
        close(*fd);
    return rc;
}

/* --- By the network of this machine ------------------------------------------------------------------------------------ */

static int no_address(const char *where, piw_err *err)
{
    return piw_err_set(err, PIW_ECONFIG, "listen = %s: ADDRESS:PORT, [IPv6]:PORT or unix:/PATH is wanted", where);
}

static int refuse_outside(const char *where, piw_err *err)
{
    return piw_err_set(err, PIW_ECONFIG,
                       "listen = %s is no loopback address: figures are for this machine; a web server before them "
                       "gives them to others (docs/metrics.md)",
                       where);
}

/* The C library's "*" is the loopback address; who writes it means all. */
static int resolve(const char *where, struct addrinfo **found, piw_err *err)
{
    char host[64];
    const char *colon = strrchr(where, ':'), *begin = where;
    size_t len = colon != NULL ? (size_t)(colon - where) : 0;
    if (len > 2 && where[0] == '[' && where[len - 1] == ']') {
        begin++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof(host) || !piw_is_port(colon + 1))
        return no_address(where, err);
    snprintf(host, sizeof(host), "%.*s", (int)len, begin);
    if (strcmp(host, "*") == 0)
        return refuse_outside(where, err);
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    if (getaddrinfo(host, colon + 1, &hints, found) != 0 || *found == NULL)
        return no_address(where, err);
    return 0;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
    return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static int listen_tcp(const char *where, int *fd, piw_err *err)
{
    struct addrinfo *found = NULL;
    int on = 1, rc = resolve(where, &found, err);
    if (rc != 0)
        return rc;
    if (!is_loopback(found->ai_addr)) {
        freeaddrinfo(found);
        return refuse_outside(where, err);
    }
    *fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(*fd, found->ai_addr, found->ai_addrlen) != 0 || listen(*fd, BACKLOG) != 0) {
        rc = piw_err_errno(err, "can't listen at %s", where);
        if (*fd >= 0)
            close(*fd);
    }
    freeaddrinfo(found);
    return rc;
}

int metrics_listen(const char *where, int *fd, piw_err *err)
{
    const char *path = unix_path(where);
    return path != NULL ? listen_unix(path, fd, err) : listen_tcp(where, fd, err);
}

int metrics_listen_again(int fd)
{
    int listens = 0;
    socklen_t size = sizeof(listens);
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0)
        return -1;
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

void metrics_unlisten(const char *where)
{
    const char *path = unix_path(where);
    piw_err err = {0};
    if (path == NULL || unlink(path) == 0 || errno == ENOENT)
        return;
    piw_err_errno(&err, "the socket %s can't be removed", path);
    piw_warning("%s", err.text);
}

unsigned metrics_listen_port(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)&address)->sin6_port);
    return address.ss_family == AF_INET ? ntohs(((const struct sockaddr_in *)(const void *)&address)->sin_port) : 0;
}
