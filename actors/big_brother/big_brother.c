/* big_brother — keeps the figures, shows them to monitors and takes their commands (docs/wire.md#monitors).
 *
 * This file is its manifest, the control queue, and the pause of the whole farm. */
#include "big_brother/brother.h"

#include "control.piw.h"
#include "events.piw.h"
#include "slave.piw.h"
#include "slaves.piw.h"
#include "web.piw.h"

#include <stdio.h>
#include <stdlib.h>

static void send_on(brother *self, piw_msg *msg)
{
    if (piw_cast(self->task, &msg) == 0)
        return;
    piw_warning("%s is lost: its service is away", piw_msg_type_of(msg)->name);
    piw_msg_free(&msg);
}

/* --- the pause --------------------------------------------------------------------------------------------------- */

static void check_disk(brother *self, int64_t free_bytes)
{
    /* The farm goes on only when a tenth more than that is free: at the limit it would stop and start all the time. */
    bool low = free_bytes < self->disk_floor + (self->farm.disk_pause ? self->disk_floor / 10 : 0);
    if (low == self->farm.disk_pause)
        return;
    char why[128];
    self->farm.disk_pause = low;
    snprintf(why, sizeof(why), "%lld MB are free on the output file system", (long long)free_bytes / 1000000);
    if (low)
        piw_warning("%s, fewer than %lld MB: the farm pauses until there is room", why,
                    (long long)self->disk_floor / 1000000);
    else
        piw_warning("%s again: the farm %s", why, self->farm.operator_pause ? "stays paused by SLEEP" : "goes on");
    brother_say_pause(self, why);
}

/* slave_driver tells of a pause that was announced before this task was restarted. Else nobody would end that pause. */
static int on_paused(piw_task *task, piw_msg *msg)
{
    brother *self = piw_soul(task);
    if (stats_PAUSED_of(msg)->by_operator)
        self->farm.operator_pause = true;
    else
        self->farm.disk_pause = true; /* the next look at the disk shows whether it still is so */
    return 0;
}

static int on_disk(piw_task *task, piw_msg *msg)
{
    brother *self = piw_soul(task);
    const stats_DISK *body = stats_DISK_of(msg);
    master_stats *latest = piw_msg_any_body(self->latest);
    latest->disk_size = body->disk_size;
    latest->disk_free = body->disk_free;
    check_disk(self, body->disk_free);
    return 0;
}

/* file_juggler says so, and says it again now and then. Its log has the sentence. */
static int on_site(piw_task *task, piw_msg *msg)
{
    brother *self = piw_soul(task);
    const stats_SITE *body = stats_SITE_of(msg);
    if (body->away == self->site_pause)
        return 0;
    self->site_pause = body->away;
    brother_say_pause(self, body->why.s);
    return 0;
}

static int on_figures_asked(piw_task *task, piw_msg *msg)
{
    const brother *self = piw_soul(task);
    stats_FIGURES_reply *body;
    piw_msg *answer = stats_FIGURES_reply_new(&body);
    piw_value_copy(answer, master_stats_type(), status_STATS_of(self->latest), &body->farm);
    body->paused = brother_paused(self);
    body->site_away = self->site_pause;
    brother_list_slaves(self, answer, body);
    int rc = piw_reply(task, msg, &answer);
    piw_msg_free(&answer);
    return rc;
}

static int on_queue(piw_task *task, piw_msg *msg)
{
    const stats_QUEUE *body = stats_QUEUE_of(msg);
    brother_queue_length(piw_soul(task), body->abi_tag, body->pending);
    return 0;
}

/* --- the control queue ------------------------------------------------------------------------------------------- */

static int on_hello(piw_task *task, piw_msg *msg)
{
    (void)msg;
    piw_info("a monitor says HELLO");
    return brother_replay(piw_soul(task));
}

static piw_msg *for_slave(piw_msg *msg, int64_t **place, const int64_t *slave_id)
{
    if (slave_id != NULL) {
        *place = piw_msg_alloc(msg, sizeof(**place));
        **place = *slave_id;
    }
    return msg;
}

static int on_kill(piw_task *task, piw_msg *msg)
{
    slaves_KILL *body;
    int64_t *id = NULL;
    piw_msg *command = for_slave(slaves_KILL_new(&body), &id, control_KILL_of(msg)->slave_id);
    body->slave_id = id;
    send_on(piw_soul(task), command);
    return 0;
}

static int on_skip(piw_task *task, piw_msg *msg)
{
    slaves_SKIP *body;
    int64_t *id = NULL;
    piw_msg *command = for_slave(slaves_SKIP_new(&body), &id, control_SKIP_of(msg)->slave_id);
    body->slave_id = id;
    send_on(piw_soul(task), command);
    return 0;
}

/* An operator's wish is announced even if it seems to change nothing: a task that was restarted may not know that
 * the farm is paused. */
static void pause_farm(brother *self, bool on, const char *who)
{
    if (on && !self->farm.operator_pause)
        piw_warning("%s: the farm pauses", who);
    if (!on)
        piw_warning("%s: the farm %s", who,
                    self->site_pause        ? "stays paused: the site is away"
                    : self->farm.disk_pause ? "stays paused: the disk is full"
                                            : "goes on");
    self->farm.operator_pause = on;
    brother_say_pause(self, who);
}

static int on_sleep(piw_task *task, piw_msg *msg)
{
    brother *self = piw_soul(task);
    const int64_t *slave_id = control_SLEEP_of(msg)->slave_id;
    slaves_SLEEP *body;
    int64_t *id = NULL;
    piw_msg *command = for_slave(slaves_SLEEP_new(&body), &id, slave_id);
    body->slave_id = id;
    send_on(self, command);
    if (slave_id == NULL)
        pause_farm(self, true, "a monitor said SLEEP");
    return 0;
}

static int on_wake(piw_task *task, piw_msg *msg)
{
    brother *self = piw_soul(task);
    const int64_t *slave_id = control_WAKE_of(msg)->slave_id;
    slaves_WAKE *body;
    int64_t *id = NULL;
    piw_msg *command = for_slave(slaves_WAKE_new(&body), &id, slave_id);
    body->slave_id = id;
    send_on(self, command);
    if (slave_id == NULL)
        pause_farm(self, false, "a monitor said WAKE");
    return 0;
}

/* From piw-ctl: what a monitor's SLEEP and WAKE without a number do, with an answer. */
static int on_pause(piw_task *task, piw_msg *msg)
{
    brother *self = piw_soul(task);
    bool on = stats_PAUSE_of(msg)->paused;
    send_on(self, on ? slaves_SLEEP_make(NULL) : slaves_WAKE_make(NULL));
    pause_farm(self, on, on ? "piw-ctl said pause" : "piw-ctl said wake");
    const char *why = self->farm.operator_pause ? "piw-ctl said pause"
                      : self->site_pause        ? "the site is away"
                      : self->farm.disk_pause   ? "the disk is full"
                                                : "";
    piw_msg *answer = stats_PAUSE_reply_make(brother_paused(self), piw_text_of(why));
    return piw_reply(task, msg, &answer);
}

static int on_quit(piw_task *task, piw_msg *msg)
{
    (void)msg;
    piw_warning("a monitor said QUIT: the master stops");
    piw_quit(task, NULL);
    return 0;
}

static int on_home(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    send_on(piw_soul(task), web_HOME_new());
    return 0;
}

/* --- life -------------------------------------------------------------------------------------------------------- */

static void free_soul(brother *self)
{
    brother_forget_slaves(self);
    brother_forget_history(self);
    piw_views_fini(&self->views);
    free(self);
}

static void load(brother *self, const piw_msg *state)
{
    const big_brother_state *body = big_brother_state_of(state);
    self->farm = body->farm; /* when it replays, the timer for the next slice is still set */
    self->site_pause = body->site_pause != NULL && *body->site_pause;
    brother_load_slaves(self, body);
    for (uint32_t i = 0; i < body->history.count; i++) {
        master_stats *to;
        piw_msg *stats = status_STATS_new(&to);
        piw_value_copy(stats, master_stats_type(), &body->history.at[i], to);
        brother_keep(self, &stats);
    }
    piw_value_copy(self->latest, master_stats_type(), &body->latest, piw_msg_any_body(self->latest));
}

static int begin(brother *self, piw_why why)
{
    int failed = piw_timer(self->task, PIW_ON(tick), 0, 0, BROTHER_STATS_MS);
    if (failed == 0)
        failed = piw_timer(self->task, PIW_ON(home), 0, BROTHER_HOME_MS, BROTHER_HOME_MS);
    if (why == PIW_RESTART)
        send_on(self, slaves_REPLAY_new()); /* what was known of the slaves is gone */
    return failed;
}

/* What views there are, and what was saved or how to begin. */
static int set_up(brother *self, piw_why why, const piw_msg *state, piw_err *err)
{
    int rc = piw_views_of_task(&self->views, self->task, err);
    if (rc != 0)
        return rc;
    if (state != NULL) {
        load(self, state);
        return 0;
    }
    rc = begin(self, why);
    return rc == 0 ? 0 : piw_err_set(err, rc, "big_brother can't set its timers");
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    brother *self = piw_zalloc(sizeof(*self));
    master_stats *figures;
    self->task = task;
    self->farm.started = piw_time_now();
    self->latest = status_STATS_new(&figures);
    self->disk_floor = piw_option_number(task, "disk-floor");
    piw_soul_set(task, self);
    int rc = set_up(self, why, state, err);
    if (rc != 0) {
        free_soul(self);
        piw_soul_set(task, NULL);
    }
    return rc;
}

static void stop(piw_task *task, bool leaving)
{
    (void)leaving;
    brother *self = piw_soul(task);
    if (self != NULL)
        free_soul(self);
    piw_soul_set(task, NULL);
}

static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    const brother *self = piw_soul(task);
    big_brother_state *body;
    piw_msg *msg = big_brother_state_new(&body);
    body->farm = self->farm;
    bool *site_pause = piw_msg_alloc(msg, sizeof(*site_pause));
    *site_pause = self->site_pause;
    body->site_pause = site_pause;
    brother_save_slaves(self, msg, body);
    piw_msg_list(msg, &body->history, self->history_count);
    for (uint32_t i = 0; i < self->history_count; i++)
        piw_value_copy(msg, master_stats_type(), status_STATS_of(brother_kept(self, i)), &body->history.at[i]);
    piw_value_copy(msg, master_stats_type(), status_STATS_of(self->latest), &body->latest);
    *state = msg;
    return 0;
}

static const piw_opt options[] = {
    {.name = "disk-floor",
     .kind = PIW_OPT_SIZE,
     .value_name = "SIZE",
     .fallback = "1G",
     .help = "free space on the output file system below which the farm pauses",
     .min = 0,
     .max = INT64_MAX / 4},
    PIW_OPT_END,
};
static const piw_service serves[] = {{"stats", &stats_protocol_def}, PIW_SERVICES_END};
static const piw_service uses[] = {
    {"db", &db_protocol_def},
    {"slaves", &slaves_protocol_def},
    {"web", &web_protocol_def},
    PIW_SERVICES_END,
};
static const char *const needs[] = {"db", "web", NULL};
static const piw_service queues[] = {
    {"control", &control_protocol_def},
    {"status", &status_protocol_def},
    PIW_SERVICES_END,
};
static piw_protocol_def *const extra[] = {&slave_protocol_def, NULL}; /* what replies to slaves say */
static const piw_event emits[] = {{&events_protocol_def, FARM_PAUSED}, PIW_EVENTS_END};
static const piw_handler handlers[] = {
    {&stats_protocol_def, STATS_DISK, on_disk},
    {&stats_protocol_def, STATS_SITE, on_site},
    {&stats_protocol_def, STATS_QUEUE, on_queue},
    {&stats_protocol_def, STATS_SLAVE, brother_on_slave},
    {&stats_protocol_def, STATS_SLAVE_GONE, brother_on_slave_gone},
    {&stats_protocol_def, STATS_PAUSE, on_pause},
    {&stats_protocol_def, STATS_PAUSED, on_paused},
    {&stats_protocol_def, STATS_FIGURES, on_figures_asked},
    {&control_protocol_def, CONTROL_HELLO, on_hello},
    {&control_protocol_def, CONTROL_KILL, on_kill},
    {&control_protocol_def, CONTROL_SLEEP, on_sleep},
    {&control_protocol_def, CONTROL_SKIP, on_skip},
    {&control_protocol_def, CONTROL_WAKE, on_wake},
    {&control_protocol_def, CONTROL_QUIT, on_quit},
    PIW_HANDLERS_END,
};
static const piw_continuation continuations[] = {
    PIW_CONTINUATION(tick),  PIW_CONTINUATION(figures), PIW_CONTINUATION(home),
    PIW_CONTINUATION(slice), PIW_CONTINUATIONS_END,
};

PIW_PLUGIN(big_brother, .version = "1.0",
           .summary = "keeps statistics, shows them to monitors and takes their commands", .serves = serves,
           .uses = uses, .needs = needs, .queues = queues, .emits = emits, .extra = extra, .options = options,
           .state_protocol = &big_brother_protocol_def, .state_message = BIG_BROTHER_STATE, .critical = true,
           .start = start, .stop = stop, .save = save, .handlers = handlers, .continuations = continuations);
