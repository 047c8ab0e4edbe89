/* One request, one answer, each within a bound. */
#include "ctl.h"

#include "control.piw.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A master that is there takes a request at once. A swap may take as long as the runtime's own bounds for it. */
enum { REACH_MS = 3000, ANSWER_MS = 90000 };

static int no_master(const char *address, piw_err *err)
{
    return piw_err_set(err, PIW_ENET, "no master listens at %.200s: is piw-master running, and is that its address?",
                       address);
}

/* ZeroMQ takes a message for a master that isn't there and waits for it: whether one listens is asked of the socket
 * itself. Only local sockets can be asked so. */
static int check_listens(const char *address, piw_err *err)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (strncmp(address, "ipc://", 6) != 0 || address[6] == '@')
        return 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return piw_err_errno(err, "can't make a socket");
    snprintf(to.sun_path, sizeof to.sun_path, "%s", address + 6);
    int ret = 0;
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
        if (errno == EACCES || errno == EPERM)
            ret = piw_err_set(err, PIW_EREFUSED,
                              "%.200s may not be used by this user: the admin queue is for the "
                              "master's own user and root only",
                              address);
        else if (errno != EAGAIN) /* its backlog is full: somebody listens */
            ret = no_master(address, err);
    }
    close(fd);
    return ret;
}

static int open_admin(ctl *self, piw_err *err)
{
    if (self->client != NULL)
        return 0;
    const char *address = piw_config_text(self->config, "admin-queue");
    int ret = check_listens(address, err);
    return ret != 0 ? ret : piw_client_open(&self->client, &admin_protocol_def, address, self->codec, err);
}

int ctl_ask(ctl *self, piw_msg *request, const piw_msg_type *wanted, piw_msg **answer, piw_err *err)
{
    const char *address = piw_config_text(self->config, "admin-queue");
    int ret = open_admin(self, err);
    if (ret == 0)
        ret = piw_client_send(self->client, &request, REACH_MS, err);
    piw_msg_free(&request);
    if (ret == PIW_EAGAIN)
        return no_master(address, err);
    if (ret != 0)
        return ret;
    ret = piw_client_recv(self->client, answer, ANSWER_MS, err);
    if (ret == PIW_EAGAIN)
        return piw_err_set(err, PIW_EDEADLINE, "the master at %.200s did not answer within %d s", address,
                           ANSWER_MS / 1000);
    if (ret != 0)
        return ret;
    const piw_msg_type *got = piw_msg_type_of(*answer);
    if (got == wanted)
        return 0;
    if (got == admin_ERROR_type())
        ret = piw_err_set(err, PIW_EREFUSED, "%s", admin_ERROR_of(*answer)->text.s);
    else
        ret = piw_err_set(err, PIW_ESHAPE, "the master answered with something else than was asked for");
    piw_msg_free(answer);
    return ret;
}

int ctl_control(ctl *self, piw_msg *order, piw_err *err)
{
    const char *address = piw_config_text(self->config, "control-queue");
    piw_client *client = NULL;
    int ret = check_listens(address, err);
    if (ret == 0)
        ret = piw_client_open(&client, &control_protocol_def, address, self->codec, err);
    if (ret == 0)
        ret = piw_client_send(client, &order, REACH_MS, err);
    piw_msg_free(&order);
    piw_client_close(&client);
    return ret == PIW_EAGAIN ? no_master(address, err) : ret;
}
