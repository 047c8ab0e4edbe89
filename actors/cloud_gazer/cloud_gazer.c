/* cloud_gazer — follows PyPI's log, or its list of projects (projects.c), into the database
 * (docs/reliability.md#pypis-log).
 *
 * First the database is asked where it is. From then on two things go on side by side: reading, one answer of PyPI's
 * after the other, and applying the events that are old enough, one batch after the other. Reading waits while
 * enough is read that isn't applied, and rests when there is nothing new. */
#include "cloud_gazer/gazer.h"

#include "cloud_gazer/left.h"
#include "cloud_gazer/offers.h"

#include "cloud_gazer.piw.h"
#include "events.piw.h"
#include "fs.piw.h"
#include "piw/fault.h"
#include "shared/text.h"
#include "shared/views.h"
#include "slaves.piw.h"
#include "web.piw.h"

#include <stdio.h>
#include <stdlib.h>

static piw_continuation_fn on_go, on_apply_again, on_where, on_applied;

enum { STORED_AGAIN_MS = 1000 };

static void go_on(gazer *self);
static void apply_on(gazer *self);

static void set_timer(gazer *self, const char *continuation, int64_t delay_ms)
{
    if (piw_timer(self->task, continuation, 0, delay_ms, 0) != 0)
        piw_fail(self->task, "no timer can be set");
}

/* Read on after a while. */
static void rest(gazer *self, int64_t delay_ms)
{
    self->resting = true;
    set_timer(self, PIW_ON(go), delay_ms);
}

/* Apply on after a while. */
static void apply_later(gazer *self, int64_t delay_ms)
{
    self->holding = true;
    set_timer(self, PIW_ON(apply_again), delay_ms);
}

static void wait_longer(gazer *self, bool refused, int64_t asked_s, const char *why)
{
    int64_t delay = gazer_longer(self, &self->wait_ms, refused, asked_s);
    piw_outage_goes_on(&self->away, PIW_LOG_WARNING, 0, "PyPI's log at %s can't be read, trying again in %lld s: %s",
                       self->xmlrpc_url, (long long)(delay + 999) / 1000, why);
    rest(self, delay);
}

/* --- where the database is --------------------------------------------------------------------------------------- */

static void ask_where(gazer *self)
{
    piw_msg *call = db_PYPI_STATE_new();
    if (piw_call(self->task, &call, PIW_ON(where), 0, 0) != 0) {
        piw_msg_free(&call);
        rest(self, STORED_AGAIN_MS);
    }
}

static int on_where(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    gazer *self = piw_soul(task);
    if (self->located)
        return 0; /* the soul before this one has asked */
    if (piw_msg_error(reply) != 0) {
        piw_debug("the database does not say where it is in PyPI's log: %s", piw_msg_error_text(reply));
        rest(self, STORED_AGAIN_MS);
        return 0;
    }
    const db_PYPI_STATE_reply *body = db_PYPI_STATE_reply_of(reply);
    self->located = true;
    /* A master that was killed may have hidden a package which the search index still lists: have that written
     * again. */
    piw_msg *search_pages = web_SEARCH_new();
    gazer_cast(self, &search_pages);
    gazer_projects_begin(self->projects, body->serial, body->compared);
    gazer_offers_go(self->offers);
    if (self->follows_list) {
        piw_info("following PyPI's list of projects from serial %lld", (long long)body->serial);
        return 0;
    }
    self->order = gazer_order_new(body->serial, body->applied.at, body->applied.count);
    piw_info("following PyPI's log from serial %lld (stored: %lld)", (long long)gazer_order_from(self->order, false),
             (long long)body->serial);
    gazer_begin_progress(self);
    go_on(self);
    return 0;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static void on_event(void *arg, const gazer_event *event)
{
    gazer *self = arg;
    self->new_events += gazer_order_add(self->order, event);
}

static bool on_data(void *arg, const void *data, size_t len)
{
    gazer *self = arg;
    bool good = gazer_xmlrpc_feed(self->parser, data, len, &self->parse_err) == 0;
    if (self->new_events >= self->early_at) {
        self->early_at = self->new_events + GAZER_EARLY;
        apply_on(self);
    }
    return good;
}

static void on_read(void *arg, const piw_fetch_result *result)
{
    gazer *self = arg;
    char why[PIW_ERR_TEXT];
    int failed = self->parse_err.code;
    if (failed == 0 && result->answered && result->status == 200)
        failed = gazer_xmlrpc_end(self->parser, &self->parse_err);
    int64_t asked_s = gazer_xmlrpc_reset_s(self->parser);
    gazer_xmlrpc_free(&self->parser);
    if (asked_s < result->retry_after_s)
        asked_s = result->retry_after_s;
    if (failed != 0)
        snprintf(why, sizeof(why), "%s", self->parse_err.text);
    else if (!result->answered)
        snprintf(why, sizeof(why), "%s", result->problem);
    else if (result->status != 200)
        snprintf(why, sizeof(why), "it answered with HTTP status %ld", result->status);
    if (failed != 0 || !result->answered || result->status != 200) {
        wait_longer(self, result->refused, asked_s, why);
        return;
    }
    self->wait_ms = 0;
    piw_outage_over(&self->away, "PyPI's log is read again");
    self->caught_up = self->new_events == 0;
    gazer_say_progress(self);
    go_on(self);
}

static void read_on(gazer *self)
{
    self->parser = gazer_xmlrpc_new(on_event, self);
    self->parse_err = (piw_err){0};
    self->new_events = 0;
    self->early_at = GAZER_EARLY;
    char *body = gazer_xmlrpc_request(gazer_order_from(self->order, self->caught_up));
    const piw_fetch_request request = {.url = self->xmlrpc_url,
                                       .body = body,
                                       .body_len = strlen(body),
                                       .type = "text/xml",
                                       .timeout_ms = GAZER_READ_TIMEOUT_MS,
                                       .data = on_data,
                                       .done = on_read,
                                       .arg = self};
    piw_err err = {0};
    if (self->parser == NULL)
        piw_err_set(&err, PIW_ENOMEM, "there is no memory for reading PyPI's answer");
    if (err.code != 0 || piw_fetch_start(self->http, &request, &err) != 0) {
        gazer_xmlrpc_free(&self->parser);
        wait_longer(self, false, 0, err.text);
    }
    free(body);
}

/* --- applying ---------------------------------------------------------------------------------------------------- */

static void apply_next(gazer *self)
{
    piw_msg *batch = gazer_order_batch(self->order, self->batch_max, self->dev_mode);
    if (batch == NULL)
        return;
    uint64_t number = (uint64_t)*db_PYPI_APPLY_of(batch)->number;
    int failed = piw_call(self->task, &batch, PIW_ON(applied), number, -1);
    if (failed != 0) {
        piw_msg_free(&batch);
        gazer_order_take_back(self->order, self->under_way);
        piw_debug("PyPI's events wait: %s", piw_err_name(failed));
        apply_later(self, STORED_AGAIN_MS);
        return;
    }
    if (self->under_way++ == 0)
        self->first = number;
}

/* The database refused a batch: smaller ones, until the event it doesn't like stands alone and is left out. */
static void narrow(gazer *self, const char *why)
{
    if (self->batch_max > 1) {
        self->batch_max /= 2;
        return;
    }
    piw_error("an event of PyPI's log is left out because the database refuses it: %s", why);
    gazer_order_confirm(self->order);
}

/* The first batch under way has its answer; those of others come in the same order. */
static void end_batch(gazer *self, const piw_msg *reply)
{
    int code = piw_msg_error(reply);
    if (code == 0) {
        piw_outage_over(&self->unstored, "the database takes PyPI's events again");
        gazer_order_confirm(self->order);
        gazer_say_progress(self);
        if (self->batch_max < GAZER_BATCH)
            self->batch_max = self->batch_max * 2 < GAZER_BATCH ? self->batch_max * 2 : GAZER_BATCH;
        return;
    }
    if (code == PIW_EDB) {
        narrow(self, piw_msg_error_text(reply));
    } else if (code == PIW_EREFUSED) {
        piw_debug("PyPI's events are sent again: %s", piw_msg_error_text(reply));
        apply_later(self, STORED_AGAIN_MS);
    } else {
        piw_outage_goes_on(&self->unstored, PIW_LOG_WARNING, 0, "PyPI's events wait for the database: %s",
                           piw_msg_error_text(reply));
        apply_later(self, GAZER_WAIT_MIN_MS);
    }
    /* The one behind it is refused too, and sent again after its answer. */
    gazer_order_take_back(self->order, 0);
    self->astray = self->under_way > 0;
}

static int on_applied(piw_task *task, piw_msg *reply, uint64_t key)
{
    gazer *self = piw_soul(task);
    int code = piw_msg_error(reply);
    if (code == 0) {
        const db_PYPI_APPLY_reply *body = db_PYPI_APPLY_reply_of(reply);
        for (uint32_t i = 0; i < body->changes.count; i++)
            gazer_spread(self, &body->changes.at[i], i > 0 ? &body->changes.at[i - 1] : NULL, true);
        gazer_describer_go(self->describer);
    }
    if (self->under_way == 0 || key != self->first)
        return 0; /* a batch of an earlier soul: this one reads on from what the database says */
    self->under_way--;
    self->first++;
    if (self->astray)
        self->astray = self->under_way > 0;
    else
        end_batch(self, reply);
    go_on(self);
    return 0;
}

/* --- going on ---------------------------------------------------------------------------------------------------- */

/* The database gets what can be applied. While it has a batch, what comes after that is put in order; a full one is sent, so that it need
 * not wait for it. Where one was refused they go singly. */
static void apply_on(gazer *self)
{
    if (self->paused || self->holding || self->astray || gazer_order_waits(self->order, self->caught_up))
        return;
    if (self->under_way == 0)
        apply_next(self);
    if (self->under_way > 0 && gazer_order_ahead(self->order, GAZER_BATCH) && self->under_way < GAZER_UNDER_WAY &&
        self->batch_max == GAZER_BATCH)
        apply_next(self);
}

/* Whatever came to an end: begin what may be done next. */
static void go_on(gazer *self)
{
    if (self->paused || self->order == NULL)
        return;
    apply_on(self);
    bool busy = self->under_way > 0 || self->holding;
    if (self->parser != NULL || self->resting || (busy && gazer_order_progress(self->order).waiting >= GAZER_AHEAD))
        return;
    if (!self->caught_up) {
        read_on(self);
    } else if (!busy) {
        gazer_say_caught_up(self);
        gazer_progress at = gazer_order_progress(self->order);
        gazer_tell_place(self, at.stored, at.serial, true);
        rest(self, self->poll_ms);
    }
}

static int on_go(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    gazer *self = piw_soul(task);
    self->resting = false;
    if (!self->located)
        ask_where(self);
    else if (self->order != NULL && self->parser == NULL && !self->paused)
        read_on(self);
    return 0;
}

static int on_apply_again(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    gazer *self = piw_soul(task);
    self->holding = false;
    go_on(self);
    return 0;
}

static int on_paused(piw_task *task, piw_msg *msg)
{
    gazer *self = piw_soul(task);
    self->paused = farm_paused_of(msg)->paused;
    if (self->paused)
        return 0;
    gazer_describer_go(self->describer);
    gazer_projects_go(self->projects);
    gazer_offers_go(self->offers);
    go_on(self);
    return 0;
}

int on_http_socket(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    gazer *self = piw_soul(task);
    piw_fetch_on_socket(self->http, key);
    return 0;
}

int on_http_timer(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    gazer *self = piw_soul(task);
    piw_fetch_on_timer(self->http);
    return 0;
}

/* --- life -------------------------------------------------------------------------------------------------------- */

static const char *setting_or(piw_task *task, const char *name, const char *fallback)
{
    const char *value = piw_setting(task, name);
    return value != NULL ? value : fallback;
}

static void free_soul(gazer *self)
{
    piw_fetch_close(&self->http);
    gazer_xmlrpc_free(&self->parser);
    gazer_order_free(&self->order);
    gazer_describer_free(&self->describer);
    gazer_projects_free(&self->projects);
    gazer_offers_free(&self->offers);
    free(self);
}

static int ask_views(gazer *self, piw_err *err)
{
    piw_views views;
    int failed = piw_views_of_task(&views, self->task, err);
    for (size_t i = 0; i < views.count; i++)
        self->wants_wheels = self->wants_wheels || views.at[i].skip_pypi_wheels || !views.at[i].pure_from_pypi;
    piw_views_fini(&views);
    return failed;
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    gazer *self = piw_zalloc(sizeof(*self));
    self->task = task;
    self->batch_max = GAZER_BATCH;
    self->dev_mode = piw_setting(task, "dev-mode") != NULL && piw_setting_number(task, "dev-mode") != 0;
    self->xmlrpc_url = setting_or(task, "pypi-xmlrpc", "https://pypi.org/pypi");
    self->poll_ms = piw_option_number(task, self->dev_mode ? "poll-dev-mode" : "poll");
    int failed = ask_views(self, err);
    if (failed == 0)
        failed =
            piw_fetch_open(&self->http, task, GAZER_DESCRIPTIONS + 1 + piw_option_number(task, "offers-at-once"), err);
    if (failed != 0) {
        free(self);
        return failed;
    }
    const char *json_url = setting_or(task, "pypi-json", "https://pypi.org/pypi");
    const char *simple_url = setting_or(task, "pypi-simple", "https://pypi.org/simple");
    self->describer = gazer_describer_new(self, json_url, simple_url);
    self->follows_list = strcmp(setting_or(task, "follow", "xmlrpc"), "json") == 0;
    const gazer_projects_options list = {
        .simple_url = simple_url,
        .json_url = json_url,
        .follows = self->follows_list,
        .poll_ms = piw_option_number(task, self->dev_mode ? "poll-dev-mode" : "poll-list"),
        .period_ms = piw_option_number(task, "compare"),
    };
    self->projects = gazer_projects_new(self, &list);
    const gazer_offers_options offers = {
        .simple_url = simple_url,
        .order = setting_or(task, "site.order", "oldest"),
        .rate = piw_option_number(task, "offers-rate"),
        .at_once = piw_option_number(task, "offers-at-once"),
        .patience_ms = piw_option_number(task, "offers-patience"),
    };
    self->offers = gazer_offers_new(self, &offers);
    piw_soul_set(task, self);
    if (state != NULL) {
        const cloud_gazer_state *body = cloud_gazer_state_of(state);
        self->paused = body->paused;
        for (uint32_t i = 0; i < body->undescribed.count; i++)
            gazer_describe(self->describer, body->undescribed.at[i], true);
        gazer_describer_go(self->describer);
    }
    ask_where(self);
    return 0;
}

static void stop(piw_task *task, bool leaving)
{
    (void)leaving;
    gazer *self = piw_soul(task);
    if (self != NULL)
        free_soul(self);
    piw_soul_set(task, NULL);
}

static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    const gazer *self = piw_soul(task);
    cloud_gazer_state *body;
    piw_msg *msg = cloud_gazer_state_new(&body);
    body->paused = self->paused;
    size_t count;
    const char *package = gazer_undescribed(self->describer, NULL, &count);
    piw_msg_list(msg, &body->undescribed, count);
    for (size_t i = 0; package != NULL; package = gazer_undescribed(self->describer, package, &count))
        body->undescribed.at[i++] = piw_msg_textz(msg, package);
    *state = msg;
    return 0;
}

static const piw_opt options[] = {
    {.name = "poll",
     .kind = PIW_OPT_DURATION,
     .value_name = "DURATION",
     .fallback = "10s",
     .help = "time between two readings of PyPI's log when there is nothing new",
     .min = 100,
     .max = 86400000},
    {.name = "poll-dev-mode",
     .kind = PIW_OPT_DURATION,
     .value_name = "DURATION",
     .fallback = "1s",
     .help = "the same with --dev-mode",
     .min = 10,
     .max = 86400000},
    {.name = "poll-list",
     .kind = PIW_OPT_DURATION,
     .value_name = "DURATION",
     .fallback = "1m",
     .help = "time between two readings of PyPI's list of projects, when that is followed (follow = json)",
     .min = 100,
     .max = 86400000},
    {.name = "compare",
     .kind = PIW_OPT_DURATION,
     .value_name = "DURATION",
     .fallback = "1d",
     .help = "time between two comparisons of PyPI's list of projects with the database",
     .min = 1000,
     .max = INT64_C(86400000) * 365},
    {.name = "offers-rate",
     .kind = PIW_OPT_INT,
     .value_name = "N",
     .fallback = "5",
     .help = "pages of projects a second that are read for views that don't want what PyPI has; 0: none, and no build "
             "waits for them",
     .min = 0,
     .max = 1000},
    {.name = "offers-at-once",
     .kind = PIW_OPT_INT,
     .value_name = "N",
     .fallback = "4",
     .help = "at most so many of them at the same time",
     .min = 1,
     .max = 16},
    {.name = "offers-patience",
     .kind = PIW_OPT_DURATION,
     .value_name = "DURATION",
     .fallback = "6h",
     .help = "when none could be read for so long, no build waits for them",
     .min = 1000,
     .max = INT64_C(86400000) * 365},
    PIW_OPT_END,
};
static const piw_service uses[] = {
    {"db", &db_protocol_def}, {"web", &web_protocol_def}, {"slaves", &slaves_protocol_def},
    {"fs", &fs_protocol_def}, PIW_SERVICES_END,
};
static const char *const needs[] = {"db", "web", "slaves", "fs", NULL};
static const piw_event subscribes[] = {{&events_protocol_def, FARM_PAUSED}, PIW_EVENTS_END};
static const piw_event emits[] = {{&events_protocol_def, FOLLOWER_AT}, PIW_EVENTS_END};
static const piw_handler handlers[] = {{&events_protocol_def, FARM_PAUSED, on_paused}, PIW_HANDLERS_END};
static const piw_continuation continuations[] = {
    PIW_CONTINUATION(where),       PIW_CONTINUATION(applied),     PIW_CONTINUATION(go),
    PIW_CONTINUATION(http_socket), PIW_CONTINUATION(apply_again), PIW_CONTINUATION(http_timer),
    PIW_CONTINUATION(describe),    PIW_CONTINUATION(projects_go), PIW_CONTINUATION(projects_again),
    PIW_CONTINUATION(projects),    PIW_CONTINUATION(compared),    PIW_CONTINUATION(pages),
    PIW_CONTINUATION(left_again),  PIW_CONTINUATION(facts),       PIW_CONTINUATION(offers_go),
    PIW_CONTINUATION(offers_due),  PIW_CONTINUATION(offers_told), PIW_CONTINUATIONS_END,
};

PIW_PLUGIN(cloud_gazer, .version = "1.0", .summary = "follows PyPI's log of changes into the database", .uses = uses,
           .needs = needs, .subscribes = subscribes, .emits = emits, .options = options,
           .state_protocol = &cloud_gazer_protocol_def, .state_message = CLOUD_GAZER_STATE, .critical = true,
           .start = start, .stop = stop, .save = save, .handlers = handlers, .continuations = continuations);
