/* An echo that answers nobody, and that notes its start. */
#include "notes_start.h"
#include "test/echo.piw.h"

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    (void)state;
    (void)err;
    notes_start(task, 'e');
    return 0;
}

static int on_any(piw_task *task, piw_msg *msg)
{
    (void)task;
    (void)msg;
    return PIW_EREFUSED;
}

static const piw_service serves[] = {{"echo", &echo_protocol_def}, PIW_SERVICES_END};
static const piw_handler handlers[] = {{&echo_protocol_def, PIW_EVERY_MESSAGE, on_any}, PIW_HANDLERS_END};

PIW_PLUGIN(echo, .version = "1", .summary = "a fixture of the runtime's tests", .serves = serves, .start = start,
           .handlers = handlers);
