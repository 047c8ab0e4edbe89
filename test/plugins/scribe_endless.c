/* A writer of pages that never comes back from one: in a thread it would stand there for ever, in a process it is ended. */
#include "db.piw.h"
#include "piw/plugin.h"
#include "web.piw.h"

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)task, (void)why, (void)state, (void)err;
    return 0;
}

static int on_page(piw_task *task, piw_msg *msg)
{
    (void)task, (void)msg;
    volatile bool for_ever = true;
    while (for_ever) {
    }
    return 0;
}

static int on_other(piw_task *task, piw_msg *msg)
{
    return piw_refuse(task, msg, PIW_EREFUSED, "this fixture writes nothing");
}

static int on_soon(piw_task *task, piw_msg *msg)
{
    (void)task, (void)msg;
    return 0;
}

static const piw_handler handlers[] = {
    {&scribe_protocol_def, SCRIBE_PROJECT, on_page}, {&scribe_protocol_def, SCRIBE_BOTH, on_page},
    {&scribe_protocol_def, SCRIBE_HOME, on_other},   {&scribe_protocol_def, SCRIBE_SEARCH, on_other},
    {&scribe_protocol_def, SCRIBE_DELPKG, on_other}, {&scribe_protocol_def, SCRIBE_BULK, on_page},
    {&scribe_protocol_def, SCRIBE_SOON, on_soon},    PIW_HANDLERS_END};
static const piw_service serves[] = {{"scribe", &scribe_protocol_def}, PIW_SERVICES_END};
static const piw_service uses[] = {{"db", &db_protocol_def}, PIW_SERVICES_END};

PIW_PLUGIN(scribe_endless, .version = "1", .summary = "a fixture: its pages never end", .serves = serves, .uses = uses,
           .critical = true, .start = start, .handlers = handlers);
