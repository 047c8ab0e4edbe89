/* apart.c — why there is no connection to the master. */
#include "apart.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LOOKUP_MS = 1000, CONNECT_MS = 1000 };

/* A look-up that takes longer than we wait goes on in the C library's thread, with what it was given. */
typedef struct lookup {
    struct addrinfo hints;
    struct gaicb request;
    char host[256], port[16];
    bool under_way;
} lookup;

static int connect_to(int family, const struct sockaddr *address, socklen_t len)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    int why = connect(fd, address, len) == 0 ? 0 : errno;
    if (why == EINPROGRESS) {
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        socklen_t size = sizeof(why);
        if (poll(&wait, 1, CONNECT_MS) <= 0)
            why = ETIMEDOUT;
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &size) != 0)
            why = errno;
    }
    close(fd);
    return why == EAGAIN ? 0 : why; /* a local socket whose queue of connections is full: somebody listens */
}

static bool local_apart(const char *path, char *to, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int why = path[0] == '@' ? 0 : connect_to(AF_UNIX, (const struct sockaddr *)&address, sizeof(address));
    if (why != 0)
        snprintf(to, size, "%s", strerror(why));
    return why != 0;
}

/* HOST:PORT, [HOST]:PORT. */
static bool split(const char *where, lookup *to)
{
    const char *colon = strrchr(where, ':');
    if (colon == NULL || colon == where)
        return false;
    size_t len = (size_t)(colon - where);
    if (where[0] == '[' && where[len - 1] == ']') {
        where++;
        len -= 2;
    }
    if (len >= sizeof(to->host) || strlen(colon + 1) >= sizeof(to->port))
        return false;
    snprintf(to->host, sizeof(to->host), "%.*s", (int)len, where);
    snprintf(to->port, sizeof(to->port), "%s", colon + 1);
    return true;
}

static int look_up(lookup *it)
{
    struct gaicb *list[] = {&it->request};
    const struct timespec patience = {.tv_sec = LOOKUP_MS / 1000, .tv_nsec = LOOKUP_MS % 1000 * 1000000L};
    if (!it->under_way) {
        it->hints = (struct addrinfo){.ai_socktype = SOCK_STREAM};
        it->request = (struct gaicb){.ar_name = it->host, .ar_service = it->port, .ar_request = &it->hints};
        int rc = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
        if (rc != 0)
            return rc;
        it->under_way = true;
    }
    gai_suspend((const struct gaicb *const *)list, 1, &patience);
    int rc = gai_error(&it->request);
    it->under_way = rc == EAI_INPROGRESS;
    return rc;
}

bool slave_why_apart(const char *address, char *to, size_t size)
{
    static lookup it;
    if (strncmp(address, "ipc://", 6) == 0)
        return local_apart(address + 6, to, size);
    if (strncmp(address, "tcp://", 6) != 0 || (!it.under_way && !split(address + 6, &it)))
        return false;
    int rc = look_up(&it);
    if (rc != 0) {
        if (rc == EAI_INPROGRESS)
            snprintf(to, size, "the name server doesn't answer for %s (would an IP address do?)", it.host);
        else
            snprintf(to, size, "%s: %s (is --master right?)", it.host,
                     rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
        return true;
    }
    /* Each that doesn't answer would take as long as the first. */
    int why = ECONNREFUSED;
    for (const struct addrinfo *at = it.request.ar_result; at != NULL && why != 0 && why != ETIMEDOUT; at = at->ai_next)
        why = connect_to(at->ai_family, at->ai_addr, at->ai_addrlen);
    freeaddrinfo(it.request.ar_result);
    if (why != 0)
        snprintf(to, size, "%s%s",
                 why == ETIMEDOUT ? "it doesn't answer (is the port open in its firewall?)" : strerror(why),
                 why == ECONNREFUSED ? " (does piw-master run there, and listen at that port?)" : "");
    return why != 0;
}
