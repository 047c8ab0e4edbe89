/* link.c — the connections to the master's status and control queues. */
#include "link.h"

#include "common/reach.h"
#include "control.piw.h"

#include <stdlib.h>

enum {
    BUDGET = 4000, /* so many messages are read before keys are looked at and the screen is drawn */
    GREET_MS = 2000,
    GREET_MAX_MS = 30000,
    RESET_MS = 5000,
    TURN_MS = 1000,
};

static int64_t now_us(void)
{
    return piw_monotonic_ns() / 1000;
}

/* A monitor waits for a master that isn't running. A socket that its user may not use is an error at once. */
static int open_queue(piw_client **queue, piw_protocol_def *protocol, const char *listens, piw_codec codec,
                      const piw_key *key, piw_err *err)
{
    piw_err reach_err = {0};
    char *address = tool_connect_address(listens);
    int rc = 0;
    if (tool_check_listens(address, "only the group that owns their socket files may use the status and control queues",
                           &reach_err) == PIW_EREFUSED)
        rc = piw_err_set(err, PIW_EREFUSED, "%s", reach_err.text);
    rc = rc != 0 ? rc : piw_client_open_with(queue, protocol, address, codec, key, err);
    free(address);
    return rc;
}

int link_open(link_queues *self, const char *status, const char *control, piw_codec codec, const piw_key *key,
              piw_err *err)
{
    *self = (link_queues){.hellos = -1};
    int rc = open_queue(&self->status, &status_protocol_def, status, codec, key, err);
    return rc != 0 ? rc : open_queue(&self->control, &control_protocol_def, control, codec, key, err);
}

void link_close(link_queues *self)
{
    piw_err err = {0};
    if (self->control != NULL && !piw_client_connected(self->control))
        piw_client_reset(self->control, &err); /* after an error nothing can be sent either */
    piw_client_close(&self->control);
    piw_client_close(&self->status);
}

/* --- HELLO -------------------------------------------------------------------------------------------------------- */

/* Our subscription may reach the master after our HELLO, and then nobody hears the answer. So HELLO is repeated
 * until an answer comes. */
static void greet(link_queues *self, model *known)
{
    int64_t now_ns = piw_monotonic_ns();
    if (self->greet_ns == 0 || now_ns < self->greet_ns || !known->online)
        return;
    if (known->hellos != self->hellos && self->hellos >= 0) {
        self->greet_ns = 0;
        return;
    }
    piw_err err = {0};
    piw_msg *hello = control_HELLO_new();
    if (piw_client_send(self->control, &hello, 0, &err) == 0)
        model_asked_hello(known);
    piw_msg_free(&hello);
    self->hellos = known->hellos;
    self->greet_ns = now_ns + self->patience_ms * 1000000;
    self->patience_ms = self->patience_ms * 2 < GREET_MAX_MS ? self->patience_ms * 2 : GREET_MAX_MS;
}

static void look(link_queues *self, model *known)
{
    bool renewed = piw_client_reconnected(self->status);
    renewed |= piw_client_reconnected(self->control);
    bool online = piw_client_connected(self->status);
    online &= piw_client_connected(self->control);
    if (renewed && known->online)
        model_connected(known, false, now_us()); /* it was lost and made again since the last time */
    if (online && !known->online) {
        self->hellos = -1;
        self->patience_ms = GREET_MS;
        self->greet_ns = 1;
    }
    model_connected(known, online, now_us());
}

/* --- Messages ----------------------------------------------------------------------------------------------------- */

static void try_again(link_queues *self, model *known)
{
    piw_err err = {0};
    int64_t now_ns = piw_monotonic_ns();
    if (self->reset_ns == 0 || now_ns < self->reset_ns)
        return;
    self->reset_ns = 0;
    if (piw_client_reset(self->status, &err) != 0) {
        model_say(known, LEVEL_ALARM, now_us(), "%s", err.text);
        self->reset_ns = now_ns + RESET_MS * 1000000ll;
    }
}

/* What listens there may be no master, or want a key, and another time be the right one: ZeroMQ itself doesn't try a
 * connection of another mechanism again. */
static void mend_apart(link_queues *self, model *known)
{
    piw_client *queues[] = {self->status, self->control};
    int64_t now_ns = piw_monotonic_ns();
    bool any = false;
    for (size_t i = 0; i < sizeof(queues) / sizeof(*queues); i++) {
        piw_err err = {0};
        bool lasting;
        const char *why = piw_client_trouble(queues[i], &lasting);
        if (why == NULL || !lasting)
            continue;
        any = true;
        if (why != self->apart[i])
            model_say(known, LEVEL_ALARM, now_us(), "the %s queue: %s", i == 0 ? "status" : "control", why);
        self->apart[i] = why;
        if (self->apart_ns != 0 && now_ns >= self->apart_ns && piw_client_reset(queues[i], &err) != 0)
            model_say(known, LEVEL_ALARM, now_us(), "%s", err.text);
    }
    if (any && (self->apart_ns == 0 || now_ns >= self->apart_ns))
        self->apart_ns = now_ns + RESET_MS * 1000000ll;
    if (piw_client_connected(self->status) && piw_client_connected(self->control)) {
        self->apart_ns = 0;
        self->apart[0] = self->apart[1] = NULL;
    }
}

bool link_turn(link_queues *self, model *known)
{
    try_again(self, known);
    mend_apart(self, known);
    look(self, known);
    int ret = 0, count = 0;
    for (; count < BUDGET && self->reset_ns == 0; count++) {
        piw_err err = {0};
        piw_msg *msg = NULL;
        ret = piw_client_recv(self->status, &msg, 0, &err);
        if (ret == PIW_EAGAIN)
            break;
        if (ret == 0 || ret == PIW_ESHAPE || ret == PIW_ELIMIT) {
            model_hear(known, msg, err.text, now_us());
        } else {
            model_say(known, LEVEL_ALARM, now_us(), "%s", err.text);
            self->reset_ns = piw_monotonic_ns() + RESET_MS * 1000000ll;
        }
        piw_msg_free(&msg);
    }
    greet(self, known);
    return count == BUDGET;
}

void link_command(link_queues *self, model *known, command what)
{
    const int64_t *id = what.all ? NULL : &what.slave_id;
    piw_msg *msg = what.kind == COMMAND_SLEEP  ? control_SLEEP_make(id)
                   : what.kind == COMMAND_WAKE ? control_WAKE_make(id)
                   : what.kind == COMMAND_SKIP ? control_SKIP_make(id)
                   : what.kind == COMMAND_KILL ? control_KILL_make(id)
                                               : control_QUIT_new();
    piw_err err = {0};
    int ret = piw_client_connected(self->control) ? piw_client_send(self->control, &msg, 0, &err) : PIW_ENET;
    piw_msg_free(&msg);
    if (ret == 0)
        model_commanded(known, what, now_us());
    else
        model_say(known, LEVEL_ALARM, now_us(), "%s was not sent: %s", model_command_name(what.kind),
                  ret == PIW_ENET && err.code == 0 ? "no master listens on the control queue"
                  : ret == PIW_EAGAIN              ? "the master takes no commands now"
                                                   : err.text);
}

int link_timeout_ms(const link_queues *self)
{
    int64_t next_ns = self->greet_ns != 0 && (self->reset_ns == 0 || self->greet_ns < self->reset_ns) ? self->greet_ns
                                                                                                      : self->reset_ns;
    int64_t left_ms = next_ns == 0 ? TURN_MS : (next_ns - piw_monotonic_ns()) / 1000000 + 1;
    return left_ms < 0 ? 0 : left_ms > TURN_MS ? TURN_MS : (int)left_ms;
}
