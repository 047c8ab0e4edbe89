/* hello — the smallest task that has one of everything: copy this folder, rename, change (docs/writing-a-task.md tells
 * how a task is made outside of this tree).
 *
 * It greets whoever calls its service, listens to the farm's pauses, says now and then how things stand, and knows all
 * that still after another version has taken over. In piwheels.conf:
 *
 *     [task:hello]
 *     greeting = Good day
 *     every = 10s */
#include "events.piw.h"
#include "hello.piw.h"
#include "piw/plugin.h"

#include <stdlib.h>

enum { GREETING_MAX = 500 /* with a name it must fit into the answer's text */ };

/* The soul: what the task knows. Only its own functions touch it, one at a time. */
typedef struct soul {
    int64_t greetings, pauses;
} soul;

/* A call of our service: exactly one answer, or an error. */
static int on_greet(piw_task *task, piw_msg *msg)
{
    soul *self = piw_soul(task);
    const hello_GREET *ask = hello_GREET_of(msg);
    if (ask->name.len == 0)
        return piw_refuse(task, msg, PIW_EINVAL, "a greeting needs a name");
    hello_GREET_reply *body;
    piw_msg *answer = hello_GREET_reply_new(&body);
    body->text = piw_msg_printf(answer, "%s, %s!", piw_option(task, "greeting"), ask->name.s);
    body->number = self->greetings + 1;
    int rc = piw_reply(task, msg, &answer);
    piw_msg_free(&answer); /* Does nothing when the answer was taken. */
    /* Decide first, then change: a handler that fails must leave its state as it was. */
    if (rc == 0)
        self->greetings++;
    return rc;
}

/* An event of the farm that the manifest subscribes to. */
static int on_paused(piw_task *task, piw_msg *msg)
{
    soul *self = piw_soul(task);
    const farm_paused *event = farm_paused_of(msg);
    if (event->paused)
        self->pauses++;
    piw_info("the farm %s", event->paused ? "rests" : "works again");
    return 0;
}

/* The timer set in start; it has no message. */
static int on_tick(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    const soul *self = piw_soul(task);
    piw_info("%lld greetings and %lld pauses so far", (long long)self->greetings, (long long)self->pauses);
    return 0;
}

/* A copy of what is known, for the successor. */
static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    const soul *self = piw_soul(task);
    *state = hello_state_make(self->greetings, self->pauses);
    return 0;
}

/* `state` is what a predecessor saved, NULL when there was none. An error with a sentence refuses to start: after a swap
 * the old version then goes on as if nothing had happened. */
static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    if (strlen(piw_option(task, "greeting")) > GREETING_MAX)
        return piw_err_set(err, PIW_ECONFIG, "the greeting has more than %d bytes", GREETING_MAX);
    /* Timers outlive a swap, and go on in their rhythm. */
    int64_t every_ms = piw_option_number(task, "every");
    int rc = why == PIW_SWAP ? 0 : piw_timer(task, PIW_ON(tick), 0, every_ms, every_ms);
    if (rc != 0)
        return piw_err_set(err, rc, "the timer can't be set: %s", piw_err_name(rc));
    soul *self = piw_zalloc(sizeof(*self));
    if (state != NULL) {
        self->greetings = hello_state_of(state)->greetings;
        self->pauses = hello_state_of(state)->pauses;
    }
    piw_soul_set(task, self);
    piw_info("%s, world!", piw_option(task, "greeting"));
    return 0;
}

static void stop(piw_task *task, bool leaving)
{
    (void)leaving;
    free(piw_soul(task));
}

/* The manifest: the one symbol that the runtime reads. Every call of a service that is served, and every event that is
 * subscribed to, needs a handler; what comes back (timers, answers, finished work) is found by the continuation's name. */
static const piw_service serves[] = {{"hello", &hello_protocol_def}, PIW_SERVICES_END};
static const piw_event subscribes[] = {{&events_protocol_def, FARM_PAUSED}, PIW_EVENTS_END};
static const piw_handler handlers[] = {
    {&hello_protocol_def, HELLO_GREET, on_greet},
    {&events_protocol_def, FARM_PAUSED, on_paused},
    PIW_HANDLERS_END,
};
static const piw_continuation continuations[] = {PIW_CONTINUATION(tick), PIW_CONTINUATIONS_END};
static const piw_opt options[] = {
    {.name = "greeting", .kind = PIW_OPT_TEXT, .fallback = "Hello", .help = "how somebody is greeted"},
    {.name = "every",
     .kind = PIW_OPT_DURATION,
     .fallback = "1m",
     .min = 100,
     .max = 86400000,
     .help = "time between two lines in the log"},
    PIW_OPT_END,
};

PIW_PLUGIN(hello, .version = "1.0", .summary = "greets; an example to copy", .serves = serves, .subscribes = subscribes,
           .options = options, .state_protocol = &hello_local_protocol_def, .state_message = HELLO_STATE,
           .start = start, .stop = stop, .save = save, .handlers = handlers, .continuations = continuations);
