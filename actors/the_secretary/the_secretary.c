/* the_secretary — has page requests wait a while, merges them, and hands them to the scribe a few at a time
 * (docs/site.md#requests-for-pages). */
#include "secretary.h"

#include "events.piw.h"
#include "piw/plugin.h"
#include "shared/text.h"
#include "the_secretary.piw.h"
#include "web.piw.h"

#include <stdlib.h>

static piw_continuation_fn on_home_written, on_home_again, on_search_again;

enum {
    BACKOFF_FIRST_S = 2,
    BACKOFF_MAX_S = 120,
    ALL_AGAIN_MS = 5000,
    TROUBLE_PER_MINUTE = 6,
    HOME_RETRY_MS = 10000,
    SOON_TRIES = 2, /* a build's files are put in place meanwhile: nobody is told yet */
};

static const int64_t SECOND_NS = 1000000000;

/* --- Handing on --- */

int on_due(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    return secretary_go_on(task);
}

static int64_t back_off_ns(uint32_t tries)
{
    int64_t seconds = tries > 6 ? BACKOFF_MAX_S : (int64_t)BACKOFF_FIRST_S << tries;
    return (seconds < BACKOFF_MAX_S ? seconds : BACKOFF_MAX_S) * SECOND_NS;
}

/* Whoever has subscribed hears that the package's pages are written. */
static void tell_changed(piw_task *task, const request *r)
{
    piw_msg *event = package_changed_make(piw_text_of(r->package), r->saved.part == PART_REMOVE);
    if (piw_emit(task, &event) != 0)
        piw_msg_free(&event);
}

static bool all_runs(const secretary *self)
{
    return self->course.all_part != PART_NONE || self->requests.of_all > 0;
}

static int64_t all_done(const secretary *self)
{
    return self->all_asked > (int64_t)self->requests.of_all ? self->all_asked - (int64_t)self->requests.of_all : 0;
}

/* For piw-ctl at all times, and on the log now and then. */
static void say_all(piw_task *task, secretary *self)
{
    int64_t now_ns = piw_monotonic_ns(), done = all_done(self);
    if (!all_runs(self)) {
        piw_task_note(task, "%s", "");
        piw_info("the pages of all %lld packages are written anew", (long long)done);
        return;
    }
    if (done % ALL_NOTE_EVERY == 0)
        piw_task_note(task, "%d %% done, all pages are written anew: %lld of about %lld packages",
                      done < self->all_total ? (int)(done * 100 / self->all_total) : 100, (long long)done,
                      (long long)self->all_total);
    if (now_ns - self->all_said_ns >= ALL_SAY_S * SECOND_NS) {
        self->all_said_ns = now_ns;
        piw_info("all pages are written anew: %lld of about %lld packages done", (long long)done,
                 (long long)self->all_total);
    }
}

static void end_written(piw_task *task, secretary *self, request *r)
{
    tell_changed(task, r);
    syncs_written(self, r);
    bool of_all = r->of_all;
    requests_done(&self->requests, r);
    if (self->requests.failing == 0) /* else others still have to wait */
        piw_outage_over(&self->unwritten, "pages are written again");
    if (of_all)
        say_all(task, self);
    self->written++;
}

static void end_unwritten(secretary *self, request *r, const piw_msg *reply, bool soon)
{
    if (!soon) {
        piw_outage_goes_on(&self->unwritten, PIW_LOG_WARNING, 0, "the pages of %s have to wait: %s", r->package,
                           piw_msg_error_text(reply));
        self->failed++;
    }
    requests_failed(&self->requests, r, piw_monotonic_ns() + back_off_ns(r->saved.tries));
}

int on_written(piw_task *task, piw_msg *reply, uint64_t key)
{
    secretary *self = piw_soul(task);
    request *r = requests_flying(&self->requests, (int64_t)key);
    if (r == NULL)
        return 0;
    bool soon = piw_msg_error(reply) == PIW_EAGAIN && r->saved.tries < SOON_TRIES;
    if (!soon)
        waiters_tell(task, self, r->package, (int64_t)key, reply);
    if (piw_msg_error(reply) == 0)
        end_written(task, self, r);
    else
        end_unwritten(self, r, reply, soon);
    return secretary_go_on(task);
}

/* --- What is asked for --- */

/* The scribe has it already, as bulk work: what is asked for now would have to wait for that. */
static int leave_bulk(piw_task *task, const secretary *self, piw_text package)
{
    const request *r = requests_find(&self->requests, package);
    if (r == NULL || !r->bulk || r->saved.number == 0)
        return 0;
    piw_msg *soon = scribe_SOON_make(package);
    int rc = piw_cast(task, &soon);
    piw_msg_free(&soon);
    return rc;
}

static int ask(piw_task *task, piw_text package, page_part what, bool now)
{
    secretary *self = piw_soul(task);
    if (!piw_name_is_canonical(package)) {
        piw_warning("pages of \"%s\" are asked for, which is no canonical package name: ignored", package.s);
        return 0;
    }
    if (requests_count(&self->requests) >= SAVED_MAX && requests_find(&self->requests, package) == NULL) {
        piw_log_limited(&self->trouble, TROUBLE_PER_MINUTE, PIW_LOG_ERROR,
                        "%d page requests wait: one for %s is dropped", SAVED_MAX, package.s);
        return 0;
    }
    int64_t now_ns = piw_monotonic_ns();
    int rc = leave_bulk(task, self, package);
    if (rc != 0)
        return rc;
    requests_ask(&self->requests, package, what, now ? now_ns : now_ns + self->hold_ns, piw_time_now());
    self->course.changed = true;
    rounds_changed(self);
    return secretary_go_on(task);
}

static int on_project(piw_task *task, piw_msg *msg)
{
    const web_PROJECT *body = web_PROJECT_of(msg);
    return ask(task, body->package, PART_PROJECT, body->now);
}

static int on_both(piw_task *task, piw_msg *msg)
{
    const web_BOTH *body = web_BOTH_of(msg);
    return ask(task, body->package, PART_BOTH, body->now);
}

static int on_write(piw_task *task, piw_msg *msg)
{
    const web_WRITE *body = web_WRITE_of(msg);
    if (!piw_name_is_canonical(body->package))
        return piw_refuse(task, msg, PIW_EINVAL, "\"%s\" is no canonical package name", body->package.s);
    secretary *self = piw_soul(task);
    if (self->waiters_count == WAITERS_MAX ||
        (requests_count(&self->requests) >= SAVED_MAX && requests_find(&self->requests, body->package) == NULL))
        return piw_refuse(task, msg, PIW_ELIMIT, "too many page requests wait already");
    int rc = waiters_add(task, self, msg, body->package);
    if (rc != 0)
        return rc;
    rc = ask(task, body->package, body->index ? PART_BOTH : PART_PROJECT, true);
    if (rc != 0)
        self->waiters_count--;
    return rc;
}

static int on_delpkg(piw_task *task, piw_msg *msg)
{
    return ask(task, web_DELPKG_of(msg)->package, PART_REMOVE, true);
}

static int on_delver(piw_task *task, piw_msg *msg)
{
    return ask(task, web_DELVER_of(msg)->package, PART_BOTH, true);
}

static int on_home(piw_task *task, piw_msg *msg)
{
    (void)msg;
    return secretary_call_single(task, &((secretary *)piw_soul(task))->course.home, scribe_HOME_new(),
                                 PIW_ON(home_written));
}

static int on_search(piw_task *task, piw_msg *msg)
{
    (void)msg;
    return secretary_search(task);
}

/* A failed one is tried again later; one that was asked for meanwhile at once. */
static int single_done(piw_task *task, int64_t *state, piw_outage *outage, const piw_msg *reply, const char *what,
                       const char *retry)
{
    bool failed = piw_msg_error(reply) != 0, again = *state == WRITING_AGAIN;
    if (failed)
        piw_outage_goes_on(outage, PIW_LOG_WARNING, 0, "the %s has to wait: %s", what, piw_msg_error_text(reply));
    else
        piw_outage_over(outage, "the %s is written again", what);
    int rc = failed || again ? piw_timer(task, retry, 0, failed ? HOME_RETRY_MS : 0, 0) : 0;
    if (rc == 0)
        *state = IDLE;
    return rc;
}

static int on_home_written(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    secretary *self = piw_soul(task);
    return single_done(task, &self->course.home, &self->home, reply, "home page", PIW_ON(home_again));
}

int on_search_written(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    secretary *self = piw_soul(task);
    return single_done(task, &self->course.search, &self->search, reply, "search index", PIW_ON(search_again));
}

static int on_home_again(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    return on_home(task, reply);
}

static int on_search_again(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    return on_search(task, reply);
}

/* --- All packages, in the background --- */

static int on_all(piw_task *task, piw_msg *msg)
{
    secretary *self = piw_soul(task);
    piw_text what = web_ALL_of(msg)->part;
    if (!piw_text_is(what, "PROJECT") && !piw_text_is(what, "BOTH")) {
        piw_warning("all pages of the part \"%s\" are asked for: there are PROJECT and BOTH", what.s);
        return 0;
    }
    page_part wanted = piw_text_is(what, "BOTH") ? PART_BOTH : PART_PROJECT;
    piw_msg_free(&self->all_after);
    self->all_asked = self->all_total = 0;
    self->all_after = db_PACKAGES_make(piw_text_of(""), ALL_AT_ONCE);
    self->course.all_part = wanted > self->course.all_part ? wanted : self->course.all_part;
    return secretary_go_on(task);
}

static int on_all_at(piw_task *task, piw_msg *msg)
{
    const secretary *self = piw_soul(task);
    bool runs = all_runs(self);
    piw_msg *at = web_ALL_AT_reply_make(runs ? all_done(self) : 0, runs ? self->all_total : 0, runs);
    int rc = piw_reply(task, msg, &at);
    piw_msg_free(&at);
    return rc;
}

int on_all_packages(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    secretary *self = piw_soul(task);
    self->course.asking_all = false;
    if (piw_msg_error(reply) != 0)
        return piw_timer(task, PIW_ON(due), 0, ALL_AGAIN_MS, 0);
    const db_PACKAGES_reply *page = db_PACKAGES_reply_of(reply);
    if (self->course.all_part == PART_NONE)
        return 0;
    int64_t now = piw_monotonic_ns();
    for (uint32_t i = 0; i < page->packages.count; i++) {
        if (piw_name_is_canonical(page->packages.at[i]))
            requests_ask_of_all(&self->requests, page->packages.at[i], self->course.all_part, now, piw_time_now());
    }
    self->all_asked += page->packages.count;
    if (page->total != NULL)
        self->all_total = *page->total;
    if (page->packages.count < ALL_AT_ONCE) {
        self->course.all_part = PART_NONE;
        piw_msg_free(&self->all_after);
    } else {
        piw_msg_free(&self->all_after);
        self->all_after = db_PACKAGES_make(page->packages.at[page->packages.count - 1], ALL_AT_ONCE);
    }
    self->course.changed = true;
    return secretary_go_on(task);
}

/* --- The soul --- */

static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    const secretary *self = piw_soul(task);
    secretary_state *body;
    piw_msg *msg = secretary_state_new(&body);
    piw_msg_list(msg, &body->requests, requests_count(&self->requests));
    uint32_t n = 0;
    for (request *r = requests_next(&self->requests, NULL); r != NULL; r = requests_next(&self->requests, r))
        piw_value_copy(msg, secretary_request_type(), &r->saved, &body->requests.at[n++]);
    body->last_number = self->requests.last_number;
    body->course = self->course;
    piw_text after = self->all_after == NULL ? piw_text_of("") : db_PACKAGES_of(self->all_after)->after;
    body->all_after = piw_text_copy(msg, after);
    int64_t *search_due_ns = piw_msg_alloc(msg, sizeof(*search_due_ns));
    *search_due_ns = self->search_due_ns;
    body->search_due_ns = search_due_ns;
    secretary_counts *counts = piw_msg_alloc(msg, sizeof(*counts));
    *counts = (secretary_counts){.written = self->written, .failed = self->failed};
    body->counts = counts;
    secretary_all *all = piw_msg_alloc(msg, sizeof(*all));
    *all = (secretary_all){.asked = self->all_asked, .total = self->all_total};
    body->all = all;
    waiters_save(self, msg, body);
    syncs_save(self, msg, body);
    *state = msg;
    return 0;
}

static page_part part_of(int64_t value)
{
    return value < PART_NONE || value > PART_REMOVE ? PART_BOTH : (page_part)value;
}

static void load(secretary *self, const secretary_state *state)
{
    for (uint32_t i = 0; i < state->requests.count; i++) {
        const secretary_request *from = &state->requests.at[i];
        if (!piw_name_is_canonical(from->package))
            continue;
        request *r = NULL;
        bool bulk = from->bulk != NULL && *from->bulk;
        if (!bulk)
            r = requests_ask(&self->requests, from->package, part_of(from->part), from->due_ns, from->added_at);
        if (bulk || (from->of_all != NULL && *from->of_all))
            r = requests_ask_of_all(&self->requests, from->package, part_of(from->part), from->due_ns, from->added_at);
        requests_set_tries(&self->requests, r, from->tries < 0 ? 0 : from->tries);
        r->saved.again = part_of(from->again);
        r->saved.again_ns = from->again_ns;
        if (from->number != 0 && self->requests.flying_count < REQUESTS_FLYING_MAX) {
            requests_fly(&self->requests, r);
            r->saved.number = from->number;
        }
    }
    self->requests.last_number = state->last_number;
    self->course = state->course;
    self->course.all_part = part_of(state->course.all_part);
    if (self->course.all_part != PART_NONE)
        self->all_after = db_PACKAGES_make(state->all_after, ALL_AT_ONCE);
    if (state->counts != NULL) {
        self->written = state->counts->written;
        self->failed = state->counts->failed;
    }
    if (state->all != NULL) {
        self->all_asked = state->all->asked;
        self->all_total = state->all->total;
    }
    waiters_load(self, state);
    syncs_load(self, state);
}

static void free_soul(secretary *self)
{
    requests_fini(&self->requests);
    unsynced_fini(&self->unsynced);
    piw_msg_free(&self->all_after);
    free(self);
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    secretary *self = piw_zalloc(sizeof(*self));
    requests_init(&self->requests);
    unsynced_init(&self->unsynced);
    self->hold_ns = piw_option_number(task, piw_setting_number(task, "dev-mode") != 0 ? "hold-dev-mode" : "hold") *
                    (SECOND_NS / 1000);
    piw_soul_set(task, self);
    int rc = piw_timer(task, PIW_ON(save), 0, SAVE_EVERY_MS, SAVE_EVERY_MS);
    if (rc == 0)
        rc = rounds_begin(task, self, state == NULL ? NULL : secretary_state_of(state));
    if (rc == 0 && state == NULL)
        rc = rewrites_load(task);
    if (rc == 0 && state != NULL) {
        load(self, secretary_state_of(state));
        rc = secretary_go_on(task);
    }
    if (rc == 0)
        return 0;
    piw_soul_set(task, NULL);
    free_soul(self);
    return piw_err_set(err, rc, "the_secretary can't start: %s", piw_err_name(rc));
}

static void stop(piw_task *task, bool leaving)
{
    secretary *self = piw_soul(task);
    if (leaving && self->course.loaded)
        rewrites_save(task);
    piw_soul_set(task, NULL);
    free_soul(self);
}

static const piw_service serves[] = {{"web", &web_protocol_def}, PIW_SERVICES_END};
static const piw_service uses[] = {{"scribe", &scribe_protocol_def}, {"db", &db_protocol_def}, PIW_SERVICES_END};
static const char *const needs[] = {"db", "scribe", NULL};
static const piw_event emits[] = {
    {&events_protocol_def, PACKAGE_CHANGED}, {&events_protocol_def, PAGES_COUNTED}, PIW_EVENTS_END};
static const piw_handler handlers[] = {
    {&web_protocol_def, WEB_PROJECT, on_project}, {&web_protocol_def, WEB_BOTH, on_both},
    {&web_protocol_def, WEB_HOME, on_home},       {&web_protocol_def, WEB_SEARCH, on_search},
    {&web_protocol_def, WEB_DELPKG, on_delpkg},   {&web_protocol_def, WEB_DELVER, on_delver},
    {&web_protocol_def, WEB_ALL, on_all},         {&web_protocol_def, WEB_ALL_AT, on_all_at},
    {&web_protocol_def, WEB_WRITE, on_write},     PIW_HANDLERS_END,
};
static const piw_continuation continuations[] = {
    PIW_CONTINUATION(due),          PIW_CONTINUATION(written),
    PIW_CONTINUATION(home_written), PIW_CONTINUATION(search_written),
    PIW_CONTINUATION(home_again),   PIW_CONTINUATION(search_again),
    PIW_CONTINUATION(round),        PIW_CONTINUATION(all_packages),
    PIW_CONTINUATION(save),         PIW_CONTINUATION(saved),
    PIW_CONTINUATION(load),         PIW_CONTINUATION(loaded),
    PIW_CONTINUATION(synced),       PIW_CONTINUATIONS_END,
};

static const piw_opt options[] = {
    {.name = "hold",
     .kind = PIW_OPT_DURATION,
     .value_name = "DURATION",
     .fallback = "60s",
     .help = "how long requests for a package's pages are collected before they are written",
     .min = 100,
     .max = 3600000},
    {.name = "hold-dev-mode",
     .kind = PIW_OPT_DURATION,
     .value_name = "DURATION",
     .fallback = "3s",
     .help = "the same with --dev-mode",
     .min = 100,
     .max = 3600000},
    {.name = "search-hold",
     .kind = PIW_OPT_DURATION,
     .value_name = "DURATION",
     .fallback = "4m",
     .help = "how long changes are collected before the search index and the sitemaps are written",
     .min = 100,
     .max = 3600000},
    {.name = "search-hold-dev-mode",
     .kind = PIW_OPT_DURATION,
     .value_name = "DURATION",
     .fallback = "3s",
     .help = "the same with --dev-mode",
     .min = 100,
     .max = 3600000},
    {.name = "search-every",
     .kind = PIW_OPT_DURATION,
     .value_name = "DURATION",
     .fallback = "1h",
     .help = "how often they are written without a change, for what was downloaded meanwhile",
     .min = 1000,
     .max = 86400000},
    PIW_OPT_END,
};

PIW_PLUGIN(the_secretary, .version = "1.0", .summary = "merges page requests before the scribe sees them",
           .serves = serves, .uses = uses, .needs = needs, .emits = emits,
           .state_protocol = &the_secretary_protocol_def, .state_message = SECRETARY_STATE, .options = options,
           .critical = true, .start = start, .stop = stop, .save = save, .handlers = handlers,
           .continuations = continuations);
