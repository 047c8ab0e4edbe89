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
static const piw_handler handlers[] = {
    {&db_protocol_def, DB_PYPI_STATE, on_request},    {&db_protocol_def, DB_PYPI_APPLY, on_request},
    {&db_protocol_def, DB_PYPI_PROJECTS, on_request}, {&db_protocol_def, DB_PYPI_COMPARE, on_request},
    {&db_protocol_def, DB_DESCRIBE, on_request},      {&db_protocol_def, DB_RESERVE, on_request},
    {&db_protocol_def, DB_ATTEMPT, on_request},       {&db_protocol_def, DB_ATTEMPT_END, on_request},
    {&db_protocol_def, DB_ATTEMPTS_VOID, on_request}, {&db_protocol_def, DB_LOGBUILD, on_request},
    {&db_protocol_def, DB_BUILDS_KNOWN, on_request},  {&db_protocol_def, DB_ABIS, on_request},
    {&db_protocol_def, DB_PROJECT, on_request},       {&db_protocol_def, DB_PACKAGES, on_request},
    {&db_protocol_def, DB_STATISTICS, on_request},    {&db_protocol_def, DB_REWRITES_SAVE, on_request},
    {&db_protocol_def, DB_REWRITES_LOAD, on_request}, {&db_protocol_def, DB_REMOVALS_DUE, on_request},
    {&db_protocol_def, DB_REMOVALS_DONE, on_request}, {&db_protocol_def, DB_ATTEMPT_FAILED, on_request},
    {&db_protocol_def, DB_RETRY, on_request},         {&db_protocol_def, DB_WHY, on_request},
    {&db_protocol_def, DB_ABI_LIST, on_request},      {&db_protocol_def, DB_ABI_CHANGE, on_request},
    {&db_protocol_def, DB_ADDPKG, on_request},        {&db_protocol_def, DB_ADDVER, on_request},
    {&db_protocol_def, DB_REMPKG, on_request},        {&db_protocol_def, DB_REMVER, on_request},
    {&db_protocol_def, DB_KNOWN, on_request},         {&db_protocol_def, DB_SEARCH_INDEX, on_request},
    {&db_protocol_def, DB_LOGDOWNLOADS, on_request},  {&db_protocol_def, DB_LOGSEARCHES, on_request},
    {&db_protocol_def, DB_LOGPROJECTS, on_request},   {&db_protocol_def, DB_LOGJSONS, on_request},
    {&db_protocol_def, DB_LOGPAGES, on_request},      {&db_protocol_def, DB_PYPI_PAGES, on_request},
    {&db_protocol_def, DB_WITHHELD_DUE, on_request},  {&db_protocol_def, DB_WITHHELD_DONE, on_request},
    PIW_HANDLERS_END,
};

PIW_PLUGIN(seraph, .version = "1.0", .summary = "spreads database requests over the_oracle's instances",
           .serves = serves, .uses = uses, .needs = needs, .critical = true, .start = start, .stop = stop,
           .handlers = handlers);
