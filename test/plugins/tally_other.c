/* A tally whose total is a text: what the others have kept can't be read as that. */
#include "piw/plugin.h"
#include "tally.piw.h"

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)task, (void)why, (void)err;
    return state == NULL ? 0 : PIW_EREFUSED;
}

static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)task, (void)err;
    tally_state *to;
    *state = tally_state_new(&to);
    to->total = piw_msg_textz(*state, "0");
    return 0;
}

static int on_any(piw_task *task, piw_msg *msg)
{
    (void)task, (void)msg;
    return PIW_EREFUSED;
}

static int on_squared(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)task, (void)reply, (void)key;
    return 0;
}

static int on_fail(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)task, (void)reply, (void)key;
    return 0;
}

static const piw_service queues[] = {{"tally", &tally_protocol_def}, PIW_SERVICES_END};
static const piw_handler handlers[] = {{&tally_protocol_def, TALLY_ADD, on_any},
                                       {&tally_protocol_def, TALLY_LATER, on_any},
                                       {&tally_protocol_def, TALLY_TELL, on_any},
                                       PIW_HANDLERS_END};
static const piw_continuation continuations[] = {PIW_CONTINUATION(squared), PIW_CONTINUATION(fail),
                                                 PIW_CONTINUATIONS_END};

PIW_PLUGIN(tally, .version = "other", .summary = "a fixture of the runtime's tests", .queues = queues,
           .state_protocol = &tally_local_protocol_def, .state_message = TALLY_STATE, .start = start, .save = save,
           .handlers = handlers, .continuations = continuations);
