/* An echo with one handler for every message, beside one for ECHO alone: whatever else is called is refused by name. */
#include "piw/plugin.h"
#include "test/echo.piw.h"

static int on_echo(piw_task *task, piw_msg *msg)
{
    piw_msg *answer = echo_ECHO_reply_make(echo_ECHO_of(msg)->n, true, 7);
    int rc = piw_reply(task, msg, &answer);
    piw_msg_free(&answer);
    return rc;
}

static int on_every(piw_task *task, piw_msg *msg)
{
    return piw_refuse(task, msg, PIW_EREFUSED, "every: %s", piw_msg_type_of(msg)->name);
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)task;
    (void)why;
    (void)state;
    (void)err;
    return 0;
}

static const piw_service serves[] = {{"echo", &echo_protocol_def}, PIW_SERVICES_END};
static const piw_handler handlers[] = {
    {&echo_protocol_def, PIW_EVERY_MESSAGE, on_every}, {&echo_protocol_def, ECHO_ECHO, on_echo}, PIW_HANDLERS_END};

PIW_PLUGIN(echo, .version = "1.0", .summary = "one handler for every message", .serves = serves, .start = start,
           .handlers = handlers);
