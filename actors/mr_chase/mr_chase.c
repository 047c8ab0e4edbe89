/* mr_chase — serves the import queue: builds made elsewhere, and what administrators ask for.
 *
 * This file is its manifest, its start and stop. See chase.h for the others. */
#include "mr_chase/chase.h"

#include "events.piw.h"
#include "fs.piw.h"
#include "orders.piw.h"
#include "slaves.piw.h"
#include "transfers.piw.h"
#include "web.piw.h"

#include <stdlib.h>

static void free_soul(chase *self)
{
    importer *imp;
    while ((imp = chase_next(self, NULL)) != NULL)
        chase_remove(self, &imp);
    piw_table_fini(&self->by_id);
    piw_table_fini(&self->by_peer);
    chase_forget_questions(self);
    piw_msg_free(&self->here);
    piw_views_fini(&self->views);
    free(self);
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    chase *self = piw_zalloc(sizeof(*self));
    self->task = task;
    int failed = piw_views_of_task(&self->views, task, err);
    if (failed != 0) {
        free(self);
        return failed;
    }
    self->silence_ms = piw_option_number(task, "silence");
    piw_soul_set(task, self);
    if (state != NULL)
        chase_load(self, state);
    else if (why == PIW_RESTART) {
        chase_recall(self);
        chase_resume(self);
    }
    return 0;
}

static void stop(piw_task *task, bool leaving)
{
    (void)leaving;
    free_soul(piw_soul(task));
    piw_soul_set(task, NULL);
}

static const piw_opt options[] = {
    {.name = "silence",
     .kind = PIW_OPT_DURATION,
     .value_name = "DURATION",
     .fallback = "30s",
     .help = "how long an importer whose turn it is may be silent, before the next one has its turn",
     .min = 100,
     .max = 3600000},
    PIW_OPT_END,
};
static const piw_service serves[] = {{"mr_chase", &orders_protocol_def}, PIW_SERVICES_END};
static const piw_service uses[] = {
    {"db", &db_protocol_def},         {"fs", &fs_protocol_def}, {"web", &web_protocol_def},
    {"slaves", &slaves_protocol_def}, PIW_SERVICES_END,
};
static const char *const needs[] = {"db", "fs", "web", "slaves", NULL};
static const piw_service queues[] = {{"import", &import_protocol_def}, PIW_SERVICES_END};
static const piw_event subscribes[] = {{&events_protocol_def, TRANSFER_ALIVE},
                                       {&transfers_protocol_def, TRANSFER_UNKNOWN},
                                       {&events_protocol_def, SLAVES_HERE},
                                       PIW_EVENTS_END};
static const piw_handler handlers[] = {
    {&import_protocol_def, IMPORT_IMPORT, chase_on_import},
    {&import_protocol_def, IMPORT_SENT, chase_on_sent},
    {&import_protocol_def, IMPORT_ADDPKG, chase_on_addpkg},
    {&import_protocol_def, IMPORT_ADDVER, chase_on_addver},
    {&import_protocol_def, IMPORT_REMPKG, chase_on_rempkg},
    {&import_protocol_def, IMPORT_REMVER, chase_on_remver},
    {&import_protocol_def, IMPORT_REBUILD, chase_on_rebuild},
    {&import_protocol_def, IMPORT_REBUILDING, chase_on_rebuilding},
    {&orders_protocol_def, ORDERS_ORDER, chase_on_command},
    {&events_protocol_def, TRANSFER_ALIVE, chase_on_alive},
    {&transfers_protocol_def, TRANSFER_UNKNOWN, chase_on_unknown},
    {&events_protocol_def, SLAVES_HERE, chase_on_slaves_here},
    PIW_HANDLERS_END,
};
static const piw_continuation continuations[] = {
    PIW_CONTINUATION(administered), PIW_CONTINUATION(rebuild_project),
    PIW_CONTINUATION(rebuild_both), PIW_CONTINUATION(rebuilt),
    PIW_CONTINUATION(known),        PIW_CONTINUATION(number),
    PIW_CONTINUATION(expected),     PIW_CONTINUATION(verified),
    PIW_CONTINUATION(staged),       PIW_CONTINUATION(recorded),
    PIW_CONTINUATION(was_recorded), PIW_CONTINUATION(published),
    PIW_CONTINUATION(again),        PIW_CONTINUATION(silent),
    PIW_CONTINUATION(why),          PIW_CONTINUATION(why_rests),
    PIW_CONTINUATION(why_package),  PIW_CONTINUATION(why_package_rests),
    PIW_CONTINUATION(builds),       PIW_CONTINUATION(rebuilding),
    PIW_CONTINUATION(retry),        PIW_CONTINUATION(abi_list),
    PIW_CONTINUATION(abi_changed),  PIW_CONTINUATION(view_list),
    PIW_CONTINUATION(view_changed), PIW_CONTINUATIONS_END,
};

PIW_PLUGIN(mr_chase, .version = "1.0", .summary = "takes in builds made elsewhere, and administrators' requests",
           .serves = serves, .uses = uses, .needs = needs, .queues = queues, .subscribes = subscribes,
           .options = options, .state_protocol = &mr_chase_protocol_def, .state_message = MR_CHASE_STATE,
           .start = start, .stop = stop, .save = chase_save, .handlers = handlers, .continuations = continuations);
