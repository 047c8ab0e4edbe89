/* ask.c — sends one request to the master and waits for its answer, each for a limited time. */
#include "ctl.h"

#include "common/reach.h"

/* A running master takes a request at once. Its answer to a swap may take as long as the runtime allows a swap to
 * take. */
enum { REACH_MS = 3000, ANSWER_MS = 90000 };

static int open_admin(ctl *self, piw_err *err)
{
    if (self->client != NULL)
        return 0;
    const char *address = piw_config_text(self->config, "admin-queue");
    int ret =
        tool_check_listens(address, "only root and the user that the master runs as may use the admin queue", err);
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
        return piw_err_set(err, PIW_EDEADLINE, "the master at %.200s didn't answer within %d s", address,
                           ANSWER_MS / 1000);
    if (rc != 0)
        return rc;
    const piw_msg_type *got = piw_msg_type_of(*answer);
    if (got == wanted)
        return 0;
    if (got == admin_ERROR_type())
        rc = piw_err_set(err, PIW_EREFUSED, "%s", admin_ERROR_of(*answer)->text.s);
    else
        rc = piw_err_set(
            err, PIW_ESHAPE,
            "the master's answer is not one to this request: are piw-ctl and the master of the same release?");
    piw_msg_free(answer);
    return rc;
}
