/* moon.c — a task that is built outside of the tree, with its own protocol, against the installed headers alone:
 *
 *     piw-idl --out . moon.piw
 *     cc -std=gnu17 -fPIC -fvisibility=hidden -shared -I… -o moon.so moon.c moon.piw.c -lpiw */
#include "moon.piw.h"
#include "piw/plugin.h"

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)task, (void)why, (void)state, (void)err;
    return 0;
}

static void stop(piw_task *task, bool leaving)
{
    (void)task, (void)leaving;
}

/* Names the last of the names it was offered: lists, texts and numbers go both ways. */
static int on_phase(piw_task *task, piw_msg *msg)
{
    const moon_PHASE *ask = moon_PHASE_of(msg);
    if (ask->wanted.count == 0)
        return piw_refuse(task, msg, PIW_EINVAL, "no name was offered for day %lld", (long long)ask->day);
    phase *answer;
    piw_msg *reply = moon_PHASE_reply_new(&answer);
    piw_text name = ask->wanted.at[ask->wanted.count - 1];
    answer->day = (int64_t)ask->day;
    answer->name = piw_msg_text(reply, name.s, name.len);
    answer->lit = 0.5;
    return piw_reply(task, msg, &reply);
}

static int on_forget(piw_task *task, piw_msg *msg)
{
    (void)task, (void)msg;
    return 0;
}

static const piw_handler handlers[] = {
    {&moon_protocol_def, MOON_PHASE, on_phase}, {&moon_protocol_def, MOON_FORGET, on_forget}, PIW_HANDLERS_END};
static const piw_service serves[] = {{"moon", &moon_protocol_def}, PIW_SERVICES_END};

PIW_PLUGIN(moon, .version = "1", .summary = "names the phases of the moon", .serves = serves, .start = start,
           .stop = stop, .handlers = handlers);
