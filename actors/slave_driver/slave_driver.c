/* slave_driver — talks to the build slaves: who they are, what they build, what comes of it.
 *
 * This file is its manifest, its start and stop, and what other tasks tell it. See driver.h for the others. */
#include "slave_driver/abis.h"
#include "slave_driver/addresses.h"
#include "slave_driver/alike.h"
#include "slave_driver/claims.h"
#include "slave_driver/commands.h"
#include "slave_driver/conversation.h"
#include "slave_driver/lost.h"
#include "slave_driver/monitor.h"
#include "slave_driver/numbers.h"
#include "slave_driver/seals.h"
#include "slave_driver/slaves.h"
#include "slave_driver/state.h"
#include "slave_driver/sweep.h"
#include "slave_driver/waiting.h"
#include "slave_driver/way.h"

#include "builds.piw.h"
#include "db.piw.h"
#include "events.piw.h"
#include "fs.piw.h"
#include "heads.piw.h"
#include "orders.piw.h"
#include "seals.piw.h"
#include "slaves.piw.h"
#include "stats.piw.h"
#include "transfers.piw.h"
#include "web.piw.h"

#include <stdlib.h>

static int on_queue(piw_task *task, piw_msg *msg)
{
    driver *self = piw_soul(task);
    const builds_QUEUE *body = builds_QUEUE_of(msg);
    driver_offers_window(self->offers, body->abi_tag, body->as_of_ns, body->total, body->builds.at, body->builds.count);
    if (body->whole != NULL && *body->whole)
        driver_offers_whole(self->offers, body->abi_tag);
    driver_serve_idle(self);
    return 0;
}

static int on_removed(piw_task *task, piw_msg *msg)
{
    driver *self = piw_soul(task);
    const slaves_REMOVED *body = slaves_REMOVED_of(msg);
    if (!body->again)
        driver_offers_removed(self->offers, body->package, body->version);
    for (driver_build *build = self->builds; build != NULL; build = build->next) {
        const driver_embargo *embargo = build->embargo;
        if (piw_text_eq(embargo->saved.package, body->package) &&
            (body->version.s == NULL || piw_text_eq(embargo->saved.version, body->version))) {
            build->saved.again = body->again && (!build->saved.removed || build->saved.again);
            build->saved.removed = true;
        }
    }
    return 0;
}

/* --- KILL, SLEEP, SKIP, WAKE: to one slave or all ----------------------------------------------------------------- */

static int command(piw_task *task, const char *word, const int64_t *slave_id)
{
    if (!driver_command_do(piw_soul(task), driver_command_of(piw_text_of(word)), slave_id))
        piw_warning("%s to slave %lld, which is not connected", word, (long long)*slave_id);
    return 0;
}

static int on_kill(piw_task *task, piw_msg *msg)
{
    return command(task, "kill", slaves_KILL_of(msg)->slave_id);
}

static int on_sleep(piw_task *task, piw_msg *msg)
{
    return command(task, "sleep", slaves_SLEEP_of(msg)->slave_id);
}

static int on_skip(piw_task *task, piw_msg *msg)
{
    return command(task, "skip", slaves_SKIP_of(msg)->slave_id);
}

static int on_wake(piw_task *task, piw_msg *msg)
{
    return command(task, "wake", slaves_WAKE_of(msg)->slave_id);
}

static int on_replay(piw_task *task, piw_msg *msg)
{
    (void)msg;
    driver_tell_all(piw_soul(task));
    return 0;
}

static int on_paused(piw_task *task, piw_msg *msg)
{
    driver *self = piw_soul(task);
    self->farm.farm_paused = farm_paused_of(msg)->paused;
    self->farm.paused_by_operator = farm_paused_of(msg)->by_operator;
    driver_serve_idle(self);
    return 0;
}

/* The pieces of its file are signs of life. */
static int on_transfer_alive(piw_task *task, piw_msg *msg)
{
    driver_slave *slave = driver_find_id(piw_soul(task), transfer_alive_of(msg)->slave_id);
    if (slave != NULL)
        slave->saved.heard_ns = piw_monotonic_ns();
    return 0;
}

/* It sends a file that file_juggler doesn't know of. */
static int on_transfer_unknown(piw_task *task, piw_msg *msg)
{
    driver *self = piw_soul(task);
    const driver_slave *slave = driver_find_id(self, transfer_unknown_of(msg)->slave_id);
    if (slave != NULL && slave->build != NULL && slave->saved.last == DRIVER_SAID_SEND)
        driver_way_expect_again(self, slave->build);
    return 0;
}

static int on_database_up(piw_task *task, piw_msg *msg)
{
    (void)msg;
    driver *self = piw_soul(task);
    self->farm.database_away = false;
    driver_serve_idle(self);
    return 0;
}

static int on_database_down(piw_task *task, piw_msg *msg)
{
    (void)msg;
    driver *self = piw_soul(task);
    self->farm.database_away = true;
    return 0;
}

static int on_seals_left(piw_task *task, piw_msg *msg)
{
    driver *self = piw_soul(task);
    driver_seals_heard(self, seals_left_of(msg));
    driver_serve_idle(self);
    return 0;
}

static int on_voided(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    if (piw_msg_error(reply) != 0) {
        piw_warning("the attempts of an earlier run could not be declared void: %s", piw_msg_error_text(reply));
        return 0;
    }
    const db_ATTEMPTS_VOID_reply *voided = db_ATTEMPTS_VOID_reply_of(reply);
    if (voided->attempts.count > 0)
        piw_info("%u builds were under way when the master stopped; those that their slaves don't go on with are "
                 "offered again",
                 voided->attempts.count);
    driver_claims_list(piw_soul(task), voided);
    return 0;
}

int on_numbers(piw_task *task, piw_msg *reply, uint64_t key)
{
    driver *self = piw_soul(task);
    int which = key == DRIVER_POOL_SLAVE ? DRIVER_POOL_SLAVE : DRIVER_POOL_BUILD;
    if (driver_numbers_came(self, which, reply))
        driver_serve_waiting(self, which);
    return 0;
}

/* An operator wants what failed tried again. */
static int on_retry(piw_task *task, piw_msg *msg)
{
    const driver *self = piw_soul(task);
    const slaves_RETRY *body = slaves_RETRY_of(msg);
    driver_offers_retry(self->offers, body->package, body->version, piw_monotonic_ns());
    return 0;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void free_soul(driver *self)
{
    driver_slave *slave;
    while (self->builds != NULL) {
        driver_build *build = self->builds;
        driver_build_free(self, &build);
    }
    while ((slave = driver_next(self, NULL)) != NULL)
        driver_remove(self, &slave);
    driver_lost_forget(self);
    piw_table_fini(&self->by_peer);
    piw_table_fini(&self->by_id);
    piw_table_fini(&self->by_number);
    driver_addresses_free(self);
    driver_offers_free(&self->offers);
    piw_msg_free(&self->abis);
    piw_views_fini(&self->views);
    free(self);
}

/* What an earlier soul had under way and we don't know (builds whose slaves were let go) nobody would finish. */
static void settle(driver *self)
{
    fs_SETTLE *body;
    piw_msg *cast = fs_SETTLE_new(&body);
    piw_msg_list(cast, &body->builds, self->by_number.count);
    body->builds.count = 0;
    for (const driver_build *build = self->builds; build != NULL; build = build->next)
        if (build->report.build_id != 0)
            body->builds.at[body->builds.count++] = build->report.build_id;
    if (piw_cast(self->task, &cast) != 0) {
        piw_warning(
            "builds that were sealed before the restart wait for the master's next start: the file service is away");
        piw_msg_free(&cast);
    }
}

static int begin(driver *self, piw_why why)
{
    settle(self);
    driver_seals_begin(self);
    int failed = piw_timer(self->task, PIW_ON(sweep), 0, DRIVER_SWEEP_MS, DRIVER_SWEEP_MS);
    if (failed == 0 && why == PIW_BOOT) {
        driver_claims_open(self);
        piw_msg *call = db_ATTEMPTS_VOID_new();
        failed = piw_call(self->task, &call, PIW_ON(voided), 0, -1);
        piw_msg_free(&call);
    }
    driver_numbers_ask(self, DRIVER_POOL_SLAVE);
    driver_numbers_ask(self, DRIVER_POOL_BUILD);
    return failed;
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    driver *self = piw_zalloc(sizeof(*self));
    self->task = task;
    self->swept_ns = piw_monotonic_ns(); /* the master may stand still before the first sweep */
    self->offers = driver_offers_new();
    self->address_seed = piw_table_seed();
    driver_waiting_init(self);
    self->pypi_url = piw_text_of(piw_setting(task, "pypi-simple"));
    if (self->pypi_url.s == NULL)
        self->pypi_url = piw_text_of("https://pypi.org/simple");
    self->require_version =
        piw_setting(task, "require-slave-version") != NULL && piw_setting_number(task, "require-slave-version") != 0;
    self->retry_after_ns = piw_option_number(task, "retry-after") * 1000000;
    self->gone_after_ns = piw_option_number(task, "gone-after") * 1000000;
    self->busy_max_ns = piw_option_number(task, "busy-timeout") * 1000000;
    self->per_address = piw_option_number(task, "per-address");
    self->seal_after_ns = piw_option_number(task, "seal-after") * 1000000;
    int failed = piw_views_of_task(&self->views, task, err);
    if (failed != 0) {
        free_soul(self);
        return failed;
    }
    piw_soul_set(task, self);
    if (state != NULL) {
        driver_load(self, state);
        return 0;
    }
    if (why == PIW_RESTART)
        driver_recall(self);
    failed = begin(self, why);
    if (failed != 0) {
        free_soul(self);
        piw_soul_set(task, NULL);
        return piw_err_set(err, failed, "slave_driver can't set its timer or reach the database service");
    }
    return 0;
}

static void stop(piw_task *task, bool leaving)
{
    (void)leaving;
    driver *self = piw_soul(task);
    if (self != NULL)
        free_soul(self);
    piw_soul_set(task, NULL);
}

static const piw_opt options[] = {
    {.name = "seal-after",
     .kind = PIW_OPT_DURATION,
     .value_name = "DURATION",
     .fallback = "60s",
     .help = "how long a slave waits for a database that is away before its build is sealed",
     .min = 1000,
     .max = 3600000},
    {.name = "retry-after",
     .kind = PIW_OPT_DURATION,
     .value_name = "DURATION",
     .fallback = "60s",
     .help = "how long a version rests whose build failed because of its slave, then three times as long each time",
     .min = 1000,
     .max = 3600000},
    {.name = "gone-after",
     .kind = PIW_OPT_DURATION,
     .value_name = "DURATION",
     .fallback = "30s",
     .help = "how long after its slave's connection has gone a build is offered to the next",
     .min = 100,
     .max = 3600000},
    {.name = "busy-timeout",
     .kind = PIW_OPT_DURATION,
     .value_name = "DURATION",
     .fallback = "1h",
     .help = "how long a slave may be silent, if it asks for more",
     .min = 1000,
     .max = 86400000},
    {.name = "per-address",
     .kind = PIW_OPT_INT,
     .value_name = "N",
     .fallback = "8192",
     .help = "how many slaves of one network address are remembered",
     .min = 1,
     .max = DRIVER_SLAVES_MAX},
    PIW_OPT_END};
static const piw_service serves[] = {
    {"builds", &builds_protocol_def},
    {"slaves", &slaves_protocol_def},
    {"slave_driver", &orders_protocol_def},
    PIW_SERVICES_END,
};
static const piw_service uses[] = {
    {"db", &db_protocol_def},       {"fs", &fs_protocol_def},       {"web", &web_protocol_def},
    {"stats", &stats_protocol_def}, {"heads", &heads_protocol_def}, PIW_SERVICES_END,
};
static const char *const needs[] = {"db", "fs", "web", "stats", NULL};
static const piw_service queues[] = {{"slave", &slave_protocol_def}, PIW_SERVICES_END};
static const piw_event subscribes[] = {{&events_protocol_def, FARM_PAUSED},
                                       {&events_protocol_def, TRANSFER_ALIVE},
                                       {&transfers_protocol_def, TRANSFER_UNKNOWN},
                                       {&events_protocol_def, DATABASE_UP},
                                       {&events_protocol_def, DATABASE_DOWN},
                                       {&seals_protocol_def, SEALS_LEFT},
                                       PIW_EVENTS_END};
static const piw_event emits[] = {{&events_protocol_def, SLAVES_HERE},
                                  {&events_protocol_def, SLAVE_CAME},
                                  {&events_protocol_def, SLAVE_GONE},
                                  {&events_protocol_def, ATTEMPT_OVER},
                                  {&events_protocol_def, SLAVE_LOST},
                                  {&seals_protocol_def, SEALS_WANTED},
                                  PIW_EVENTS_END};
static const piw_handler handlers[] = {
    {&slave_protocol_def, SLAVE_HELLO, driver_on_hello},
    {&slave_protocol_def, SLAVE_IDLE, driver_on_idle},
    {&slave_protocol_def, SLAVE_BUSY, driver_on_busy},
    {&slave_protocol_def, SLAVE_BUILT, driver_on_built},
    {&slave_protocol_def, SLAVE_SENT, driver_on_sent},
    {&slave_protocol_def, SLAVE_BYE, driver_on_bye},
    {&builds_protocol_def, BUILDS_QUEUE, on_queue},
    {&builds_protocol_def, BUILDS_ABIS, driver_on_abis},
    {&slaves_protocol_def, SLAVES_REMOVED, on_removed},
    {&slaves_protocol_def, SLAVES_KILL, on_kill},
    {&slaves_protocol_def, SLAVES_SLEEP, on_sleep},
    {&slaves_protocol_def, SLAVES_SKIP, on_skip},
    {&slaves_protocol_def, SLAVES_WAKE, on_wake},
    {&slaves_protocol_def, SLAVES_REPLAY, on_replay},
    {&slaves_protocol_def, SLAVES_RETRY, on_retry},
    {&slaves_protocol_def, SLAVES_RESTS, driver_on_rests},
    {&orders_protocol_def, ORDERS_ORDER, driver_on_order},
    {&events_protocol_def, FARM_PAUSED, on_paused},
    {&events_protocol_def, TRANSFER_ALIVE, on_transfer_alive},
    {&transfers_protocol_def, TRANSFER_UNKNOWN, on_transfer_unknown},
    {&events_protocol_def, DATABASE_UP, on_database_up},
    {&events_protocol_def, DATABASE_DOWN, on_database_down},
    {&seals_protocol_def, SEALS_LEFT, on_seals_left},
    PIW_HANDLERS_END,
};
static const piw_continuation continuations[] = {
    PIW_CONTINUATION(sweep),          PIW_CONTINUATION(peer_gone), PIW_CONTINUATION(patience),
    PIW_CONTINUATION(numbers),        PIW_CONTINUATION(ask),       PIW_CONTINUATION(voided),
    PIW_CONTINUATION(expected),       PIW_CONTINUATION(verified),  PIW_CONTINUATION(staged),
    PIW_CONTINUATION(recorded),       PIW_CONTINUATION(known),     PIW_CONTINUATION(published),
    PIW_CONTINUATION(attempt_failed), PIW_CONTINUATION(sealed),    PIW_CONTINUATION(again),
    PIW_CONTINUATION(note_attempts),  PIW_CONTINUATIONS_END,
};

PIW_PLUGIN(slave_driver, .version = "1.0",
           .summary = "talks to build slaves: gives out builds and takes in what comes of them", .serves = serves,
           .uses = uses, .needs = needs, .queues = queues, .options = options, .subscribes = subscribes, .emits = emits,
           .state_protocol = &slave_driver_protocol_def, .state_message = SLAVE_DRIVER_STATE, .critical = true,
           .start = start, .stop = stop, .save = driver_save, .handlers = handlers, .continuations = continuations);
