/* http_turns.c — libmicrohttpd in a task's own thread. */
#include "shared/http_turns.h"

#include <errno.h>
#include <microhttpd.h>
#include <sys/socket.h>

enum { RUNS_A_TURN = 8 };

int piw_http_descriptor(struct MHD_Daemon *daemon, piw_err *err)
{
    const union MHD_DaemonInfo *info = daemon != NULL ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (info != NULL && info->epoll_fd >= 0)
        return info->epoll_fd;
    return piw_err_set(err, PIW_ESYS, "libmicrohttpd can't be set up: it is out of memory, or was built without epoll");
}

bool piw_http_run(struct MHD_Daemon *daemon)
{
    for (int i = 0; i < RUNS_A_TURN; i++) {
        MHD_UNSIGNED_LONG_LONG wait_ms = 0;
        MHD_run(daemon);
        if (MHD_get_timeout(daemon, &wait_ms) != MHD_YES || wait_ms > 0)
            return false;
    }
    return true;
}

piw_http_came piw_http_accept(struct MHD_Daemon *daemon, int listener)
{
    struct sockaddr_storage from;
    socklen_t size = sizeof(from);
    /* In a master this is the one that keeps descriptors for the site and the database (port/descriptors.h). */
    int fd = accept4(listener, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
        return PIW_HTTP_SOMEBODY;
    if (fd < 0)
        return errno == EMFILE || errno == ENFILE ? PIW_HTTP_NO_ROOM : PIW_HTTP_NOBODY;
    /* One that isn't let in, since an address or all have as many as they may, is closed by it. */
    MHD_add_connection(daemon, fd, (struct sockaddr *)&from, size);
    return PIW_HTTP_SOMEBODY;
}
