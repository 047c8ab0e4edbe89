/* seraph — serves `db`: hands each request to the instance of the_oracle that its lane names (docs/bus.md#lanes).
 *
 * Instance 0 writes, 1 stores web logs, the others read in turn; where there are fewer, lanes share the last. */
#include "db.piw.h"
#include "piw/plugin.h"

#include <stdlib.h>

enum { INSTANCE_WRITE = 0, INSTANCE_LOG = 1, READ_FROM = 2 };

typedef struct seraph {
    unsigned turn; /* of the readers */
} seraph;

static unsigned instance_for(seraph *self, const char *lane, unsigned instances)
{
    if (lane == NULL || strcmp(lane, "write") == 0 || instances < 2)
        return INSTANCE_WRITE;
    if (strcmp(lane, "log") == 0 || instances <= READ_FROM)
        return INSTANCE_LOG;
    self->turn = (self->turn + 1) % (instances - READ_FROM);
    return READ_FROM + self->turn;
}

static int on_request(piw_task *task, piw_msg *msg)
{
    unsigned instances = piw_service_instances(task, "oracle");
    return piw_forward(task, msg, "oracle", (int)instance_for(piw_soul(task), piw_msg_type_of(msg)->lane, instances));
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    (void)state;
    (void)err;
    piw_soul_set(task, piw_zalloc(sizeof(seraph)));
    return 0;
}

static void stop(piw_task *task, bool leaving)
{
    (void)leaving;
    free(piw_soul(task));
}

static const piw_service serves[] = {{"db", &db_protocol_def}, PIW_SERVICES_END};
static const piw_service uses[] = {{"oracle", &db_protocol_def}, PIW_SERVICES_END};
static const char *const needs[] = {"oracle", NULL};
static const piw_handler handlers[] = {{&db_protocol_def, PIW_EVERY_MESSAGE, on_request}, PIW_HANDLERS_END};

PIW_PLUGIN(seraph, .version = "1.0", .summary = "spreads database requests over the_oracle's instances",
           .serves = serves, .uses = uses, .needs = needs, .critical = true, .start = start, .stop = stop,
           .handlers = handlers);
