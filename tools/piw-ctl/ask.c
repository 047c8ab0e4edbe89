/* ask.c — one request, one answer, each within a bound. */
#include "ctl.h"

#include "common/reach.h"

/* A master that is there takes a request at once. A swap may take as long as the runtime's own bounds for it. */
enum { REACH_MS = 3000, ANSWER_MS = 90000 };

static int open_admin(ctl *self, piw_err *err)
{
    if (self->client != NULL)
        return 0;
    const char *address = piw_config_text(self->config, "admin-queue");
    int ret = tool_check_listens(address, "the admin queue is for the master's own user and root only", err);
    return ret != 0 ? ret : piw_client_open(&self->client, &admin_protocol_def, address, self->codec, err);
}

int ctl_ask(ctl *self, piw_msg *request, const piw_msg_type *wanted, piw_msg **answer, piw_err *err)
{
    const char *address = piw_config_text(self->config, "admin-queue");
    int rc = open_admin(self, err);
    if (rc == 0)
        rc = piw_client_send(self->client, &request, REACH_MS, err);
    piw_msg_free(&request);
    if (rc == PIW_EAGAIN)
        return tool_no_master(address, err);
    if (rc != 0)
        return rc;
    rc = piw_client_recv(self->client, answer, ANSWER_MS, err);
    if (rc == PIW_EAGAIN)
        return piw_err_set(err, PIW_EDEADLINE, "the master at %.200s did not answer within %d s", address,
                           ANSWER_MS / 1000);
    if (rc != 0)
        return rc;
    const piw_msg_type *got = piw_msg_type_of(*answer);
    if (got == wanted)
        return 0;
    if (got == admin_ERROR_type())
        rc = piw_err_set(err, PIW_EREFUSED, "%s", admin_ERROR_of(*answer)->text.s);
    else
        rc = piw_err_set(err, PIW_ESHAPE, "the master answered with something else than was asked for");
    piw_msg_free(answer);
    return rc;
}
