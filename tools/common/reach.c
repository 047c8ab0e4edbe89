/* reach.c — is there a master at an address? */
#include "common/reach.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int tool_no_master(const char *address, piw_err *err)
{
    return piw_err_set(err, PIW_ENET, "no master listens at %.200s: is piw-master running, and is that its address?",
                       address);
}

int tool_check_listens(const char *address, const char *whose, piw_err *err)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (strncmp(address, "ipc://", 6) != 0 || address[6] == '@')
        return 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return piw_err_errno(err, "can't make a socket");
    snprintf(to.sun_path, sizeof(to.sun_path), "%s", address + 6);
    int rc = 0;
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        if (errno == EACCES || errno == EPERM)
            rc = piw_err_set(err, PIW_EREFUSED, "%.200s may not be used by this user: %s", address, whose);
        else if (errno != EAGAIN) /* its queue of connections is full, so somebody listens */
            rc = tool_no_master(address, err);
    }
    close(fd);
    return rc;
}

char *tool_connect_address(const char *address)
{
    static const char everywhere[] = "tcp://*:";
    size_t len = sizeof(everywhere) - 1;
    return strncmp(address, everywhere, len) == 0 ? piw_sprintf("tcp://localhost:%s", address + len)
                                                  : piw_strdup(address);
}
