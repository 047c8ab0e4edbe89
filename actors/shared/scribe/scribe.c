/* scribe.c — the body of every writer of the site (docs/site.md).
 *
 * Each request becomes an errand: the database is asked, then the pages are made and written in the worker pool, and
 * the answer says that they are on disk. A package that the database doesn't know loses its pages, after the root
 * list. */
#include "scribe.h"

#include "form.h"
#include "pages.h"
#include "site_files.h"
#include "soul.h"

#include "db.piw.h"
#include "events.piw.h"
#include "fs.piw.h"
#include "piw/fault.h"
#include "piw/limits.h"
#include "shared/atomic_file.h"
#include "shared/site_path.h"
#include "the_scribe.piw.h"
#include "web.piw.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static piw_continuation_fn on_projects, on_form_marked, on_written, on_removed, on_root, on_site_written, on_packages,
    on_root_written, on_figures, on_bulk_rested;

enum {
    BATCH_MAX = 32,  /* packages of one question to the database: it costs little more than that for one … */
    ASKING_MAX = 2,  /* … and while one is worked off the other is answered */
    BULK_BATCH = 4,  /* of the first one of bulk work; of others as many as pace.h says */
    BULK_ASKING = 1, /* bulk work has one of the server's processes at most */
    /* Jobs that are handed on: the threads never look for one … */
    WRITING_MAX = 2 * PIW_LIMIT_WORKERS,
    /* … but while builds are recorded, whose logs and wheels go through the same threads: one is left for them. */
    YIELDING_MAX = 1,
    ROOT_EVERY_MS = 3000,
    ROSTER_AT_ONCE = 10000,
    ROSTER_AGAIN_MS = 5000,
    BULK_WRITING_MAX = 2 * PIW_LIMIT_BACKGROUND,
    NOTE_EVERY = 50, /* packages whose pages are written anew, between two notes for piw-ctl */
};

/* --- Errands ----------------------------------------------------------------------------------------------------- */

static int ask_for(piw_task *task, scribe *self, bool bulk)
{
    errand *gathered[BATCH_MAX];
    uint32_t count = errands_gather(&self->errands, gathered, bulk ? self->bulk_batch : BATCH_MAX, bulk);
    if (count == 0)
        return 0;
    if (bulk)
        self->bulk_began_ns = self->bulk_asked_ns = piw_monotonic_ns();
    db_PROJECTS *body;
    piw_msg *call = db_PROJECTS_new(&body);
    piw_msg_list(call, &body->packages, count);
    for (uint32_t i = 0; i < count; i++)
        body->packages.at[i] = piw_msg_textz(call, gathered[i]->package);
    int rc = piw_call(task, &call, PIW_ON(projects), (uint64_t)gathered[0]->saved.number, 0);
    piw_msg_free(&call);
    for (uint32_t i = 0; i < count && rc == 0; i++)
        gathered[i]->batch = gathered[0]->saved.number;
    return rc;
}

/* While builds are recorded nothing of bulk work is asked for before all is written, and it has rested. */
static bool bulk_may_ask(const scribe *self)
{
    int64_t now_ns = piw_monotonic_ns();
    return pace_yields(&self->pace, now_ns)
               ? now_ns >= self->bulk_rests_till && errands_bulk_under_way(&self->errands) == 0
               : errands_asking(&self->errands, true) < BULK_ASKING;
}

/* Ask the database for all that waits for it. What comes while it is asked is gathered for the next question. */
static int ask_database(piw_task *task, scribe *self)
{
    int rc = errands_asking(&self->errands, false) < ASKING_MAX ? ask_for(task, self, false) : 0;
    return rc == 0 && bulk_may_ask(self) ? ask_for(task, self, true) : rc;
}

static int write_held(piw_task *task, scribe *self, bool bulk);

/* Hand on what is held, and ask for more. */
static int go_on(piw_task *task, scribe *self)
{
    int rc = write_held(task, self, false);
    if (rc == 0)
        rc = write_held(task, self, true);
    return rc == 0 ? ask_database(task, self) : rc;
}

static int on_bulk_rested(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    return go_on(task, piw_soul(task));
}

/* A question of bulk work is answered, or a package of it written: it rests, while builds are recorded. */
static int bulk_piece_ended(piw_task *task, scribe *self)
{
    int64_t now_ns = piw_monotonic_ns();
    int64_t rest_ms = pace_rest_ms(&self->pace, now_ns, now_ns - self->bulk_began_ns);
    self->bulk_rests_till = now_ns + rest_ms * 1000000;
    return rest_ms > 0 ? piw_timer(task, PIW_ON(bulk_rested), 0, rest_ms, 0) : 0;
}

static int begin(piw_task *task, scribe *self, errand *e)
{
    e->saved.step = STEP_ASK;
    int rc = ask_database(task, self);
    if (rc != 0)
        e->saved.step = STEP_QUEUED;
    return rc;
}

/* Begin with one more package whose pages are of an older form. If that fails, all wait for a while. */
static void renew_package(piw_task *task, scribe *self, const char *package, size_t place)
{
    errand *e = errands_add(&self->errands, piw_text_of(package), PART_BOTH, (piw_token){0});
    e->renewal = true;
    if (errands_running(&self->errands, e->package) == NULL && begin(task, self, e) != 0) {
        errands_remove(&self->errands, e);
        renewal_ended(&self->renewal, RENEWAL_AWAY, piw_monotonic_ns());
    }
    if (place % NOTE_EVERY == 0)
        piw_task_note(task, "pages of an older form are written anew: %zu of %zu packages done, %llu failed", place,
                      self->roster.count, (unsigned long long)self->renewal.failed);
}

static void mark_form_reached(piw_task *task, scribe *self, bool done)
{
    mark_form *body;
    piw_msg *job = mark_form_new(&body);
    facts_fill(&self->facts, job, &body->site);
    body->after = piw_msg_textz(job, self->renewal.at);
    body->done = done;
    bool *synced = piw_msg_alloc(job, sizeof(*synced));
    *synced = self->renewal.since_mark == 0;
    body->synced = synced;
    uint64_t key = (uint64_t)self->course.load_number;
    int rc = *synced ? piw_work(task, job_mark_form, &job, PIW_ON(form_marked), key)
                     : piw_work_background(task, job_mark_form, &job, PIW_ON(form_marked), key);
    if (rc != 0)
        renewal_marked(&self->renewal, false, piw_monotonic_ns());
    piw_msg_free(&job);
}

/* Go on with pages of an older form as long as nobody asks for others. */
static void renew(piw_task *task, scribe *self)
{
    while (self->roster_loaded && self->errands.count == self->renewal.flying) {
        const char *package;
        size_t place;
        renewal_step step = renewal_next(&self->renewal, &self->roster, piw_monotonic_ns(), &package, &place);
        if (step == RENEWAL_WAIT)
            return;
        if (step == RENEWAL_PAGE)
            renew_package(task, self, package, place);
        else
            mark_form_reached(task, self, step == RENEWAL_END);
    }
}

static int on_form_marked(piw_task *task, piw_msg *reply, uint64_t key)
{
    scribe *self = piw_soul(task);
    if ((int64_t)key != self->course.load_number)
        return 0;
    if (piw_msg_error(reply) != 0)
        piw_log_limited(&self->trouble, TROUBLE_PER_MINUTE, PIW_LOG_WARNING,
                        "how many pages have the present form already can't be saved: %s", piw_msg_error_text(reply));
    renewal_marked(&self->renewal, piw_msg_error(reply) == 0, piw_monotonic_ns());
    if (!self->renewal.running) {
        self->facts.former[0] = '\0';
        piw_task_note(task, "%s", "");
        if (self->roster.count > 0)
            piw_info("the pages of all %zu packages have the present form", self->roster.count);
    }
    renew(task, self);
    return 0;
}

/* End an errand; the next one of its package begins. */
static int finish(piw_task *task, scribe *self, errand *e, renewal_outcome outcome)
{
    errand *next = errands_queued(&self->errands, e->package);
    if (next != NULL) {
        int rc = begin(task, self, next);
        if (rc != 0)
            return rc;
    }
    if (e->renewal)
        renewal_ended(&self->renewal, outcome, piw_monotonic_ns());
    bool bulk = errand_is_bulk(e);
    errands_remove(&self->errands, e);
    int rc = bulk ? bulk_piece_ended(task, self) : 0;
    if (rc == 0)
        rc = go_on(task, self);
    renew(task, self);
    return rc;
}

static piw_msg *answer_for(const errand *e)
{
    if (e->saved.part == PART_REMOVE)
        return scribe_DELPKG_reply_new();
    if (e->bulk)
        return scribe_BULK_reply_new();
    return e->saved.part == PART_BOTH ? scribe_BOTH_reply_new() : scribe_PROJECT_reply_new();
}

static int succeed(piw_task *task, scribe *self, errand *e)
{
    int rc = 0;
    if (e->saved.request.id != 0) {
        piw_msg *answer = answer_for(e);
        rc = piw_answer(task, e->saved.request, &answer);
        piw_msg_free(&answer);
    }
    return rc != 0 ? rc : finish(task, self, e, RENEWAL_DONE);
}

static int fail_with(piw_task *task, scribe *self, errand *e, int code, const char *why)
{
    int rc = e->saved.request.id == 0 ? 0 : piw_answer_error(task, e->saved.request, code, "%s", why);
    return rc != 0 ? rc : finish(task, self, e, e->saved.step == STEP_ASK ? RENEWAL_AWAY : RENEWAL_FAILED);
}

static int fail(piw_task *task, scribe *self, errand *e, const piw_msg *reply)
{
    piw_log_limited(&self->trouble, TROUBLE_PER_MINUTE, PIW_LOG_ERROR, "the pages of %s aren't written: %s", e->package,
                    piw_msg_error_text(reply));
    return fail_with(task, self, e, piw_msg_error(reply), piw_msg_error_text(reply));
}

/* One after the other while builds are recorded; of bulk work with rests between. */
static int write_held(piw_task *task, scribe *self, bool bulk)
{
    int64_t now_ns = piw_monotonic_ns();
    bool yields = pace_yields(&self->pace, now_ns);
    uint32_t most = yields ? YIELDING_MAX : bulk ? BULK_WRITING_MAX : WRITING_MAX;
    if (bulk && yields && now_ns < self->bulk_rests_till)
        return 0;
    errand *e = errands_held(&self->errands, most, bulk);
    for (; e != NULL; e = errands_held(&self->errands, most, bulk)) {
        piw_work_fn *fn = self->writer->write_pages;
        uint64_t number = (uint64_t)e->saved.number;
        int rc = bulk ? piw_work_background(task, fn, &e->job, PIW_ON(written), number)
                      : piw_work(task, fn, &e->job, PIW_ON(written), number);
        if (rc != 0)
            return fail_with(task, self, e, rc, "the pages can't be handed to a worker");
        e->saved.step = STEP_WRITE;
        if (bulk)
            self->bulk_began_ns = now_ns;
    }
    return 0;
}

/* Somebody wants the package's pages, and not in the course of bulk work: what isn't being written yet is asked for anew, so
 * that the pages are made by a thread that gets the processor. */
static int leave_bulk(piw_task *task, scribe *self, const char *package)
{
    errand *e = errands_running(&self->errands, package);
    if (e == NULL || !errand_is_bulk(e))
        return 0;
    e->soon = true;
    piw_msg_free(&e->job);
    return go_on(task, self);
}

static int on_soon(piw_task *task, piw_msg *msg)
{
    return leave_bulk(task, piw_soul(task), scribe_SOON_of(msg)->package.s);
}

static int on_builds_recorded(piw_task *task, piw_msg *msg)
{
    (void)msg;
    pace_recorded(&((scribe *)piw_soul(task))->pace, piw_monotonic_ns());
    return 0;
}

static int ask(piw_task *task, piw_msg *msg, piw_text package, errand_part part, bool bulk)
{
    scribe *self = piw_soul(task);
    if (!piw_name_is_canonical(package))
        return piw_refuse(task, msg, PIW_EINVAL, "\"%s\" is no canonical package name", package.s);
    piw_token token;
    int rc = piw_defer(task, msg, &token);
    if (rc != 0)
        return rc;
    rc = bulk ? 0 : leave_bulk(task, self, package.s);
    if (rc != 0)
        return rc;
    errand *e = errands_add(&self->errands, package, part, token);
    e->bulk = bulk;
    if (errands_running(&self->errands, e->package) == NULL)
        rc = begin(task, self, e);
    if (rc != 0)
        errands_remove(&self->errands, e);
    return rc;
}

static int on_ask_project(piw_task *task, piw_msg *msg)
{
    return ask(task, msg, scribe_PROJECT_of(msg)->package, PART_PROJECT, false);
}

static int on_ask_both(piw_task *task, piw_msg *msg)
{
    return ask(task, msg, scribe_BOTH_of(msg)->package, PART_BOTH, false);
}

static int on_ask_delpkg(piw_task *task, piw_msg *msg)
{
    return ask(task, msg, scribe_DELPKG_of(msg)->package, PART_REMOVE, false);
}

static int on_ask_bulk(piw_task *task, piw_msg *msg)
{
    const scribe_BULK *body = scribe_BULK_of(msg);
    return ask(task, msg, body->package, body->index ? PART_BOTH : PART_PROJECT, true);
}

/* The views that have a page of the package, a bit each: their root lists name it. */
static uint64_t paged_views(const scribe *self, const errand *e)
{
    char home[PIW_PATH_MAX], page[PIW_PATH_MAX];
    uint64_t found = 0;
    _Static_assert(PIW_VIEWS_MAX <= 64, "a bit for each view");
    for (size_t i = 0; i < self->facts.views.count; i++) {
        if (piw_path_view(home, self->facts.root, piw_text_of(self->facts.views.at[i].name)) &&
            piw_path_simple(page, home, piw_text_of(e->package), piw_text_of("index.html")) && piw_file_there(page))
            found |= (uint64_t)1 << i;
    }
    return found;
}

/* The package is in the database: what was asked for is to be written. After DELPKG all of it, since it has come back. */
static void hold_job(scribe *self, errand *e, const project_data *data)
{
    write_pages *body;
    e->job = write_pages_new(&body);
    facts_fill(&self->facts, e->job, &body->site);
    body->index = e->saved.part != PART_PROJECT;
    piw_value_copy(e->job, project_data_type(), data, &body->data);
    e->paged = paged_views(self, e);
    e->hidden = pages_quarantined(data);
}

static int remove_now(piw_task *task, scribe *self, errand *e)
{
    remove_pages *body;
    piw_msg *job = remove_pages_new(&body);
    facts_fill(&self->facts, job, &body->site);
    body->package = piw_msg_textz(job, e->package);
    int rc = piw_work(task, job_remove_pages, &job, PIW_ON(removed), (uint64_t)e->saved.number);
    piw_msg_free(&job);
    if (rc == 0)
        e->saved.step = STEP_REMOVE;
    return rc;
}

/* Removal goes the other way round than publication: the root list first. */
static int leave_root(piw_task *task, scribe *self, errand *e)
{
    if (roster_remove(&self->roster, piw_text_of(e->package)) || !self->roster_loaded)
        self->root_stale = true;
    else if (!self->root_stale && !self->course.root_writing)
        return remove_now(task, self, e);
    e->saved.step = STEP_ROOT;
    e->saved.root_turn = self->root_stale ? self->course.root_turn + 1 : self->course.root_turn;
    return 0;
}

/* The database has answered for the errand. */
static int take_project(piw_task *task, scribe *self, errand *e, const project_found *project)
{
    e->batch = 0;
    if (project->found) {
        hold_job(self, e, &project->data);
        return 0;
    }
    int rc = leave_root(task, self, e);
    return rc == 0 ? 0 : fail_with(task, self, e, rc, "the pages can't be handed to a worker");
}

/* One of the call, or NULL. */
static errand *of_batch(const scribe *self, int64_t batch)
{
    errand *e = self->errands.first;
    while (e != NULL && (e->saved.step != STEP_ASK || e->batch != batch))
        e = e->next;
    return e;
}

/* A question for several failed. Where that may be the fault of one of them, each is asked for alone. */
static int part_batch(piw_task *task, scribe *self, const piw_msg *reply, int64_t batch)
{
    uint32_t count = 0;
    for (const errand *e = self->errands.first; e != NULL; e = e->next)
        count += e->saved.step == STEP_ASK && e->batch == batch;
    bool parts = count > 1 && piw_msg_error(reply) != PIW_EDBAWAY;
    int rc = 0;
    for (errand *e; rc == 0 && (e = of_batch(self, batch)) != NULL;) {
        e->batch = 0;
        e->alone = parts;
        if (!parts)
            rc = fail(task, self, e, reply);
    }
    return rc;
}

static int on_projects(piw_task *task, piw_msg *reply, uint64_t key)
{
    scribe *self = piw_soul(task);
    const errand *asked = of_batch(self, (int64_t)key);
    bool bulk = asked != NULL && errand_is_bulk(asked);
    if (bulk)
        self->bulk_batch =
            pace_size(&self->pace, self->bulk_batch, BATCH_MAX, piw_monotonic_ns() - self->bulk_asked_ns);
    int rc = piw_msg_error(reply) != 0 ? part_batch(task, self, reply, (int64_t)key) : 0;
    const db_PROJECTS_reply *answer = piw_msg_error(reply) == 0 ? db_PROJECTS_reply_of(reply) : NULL;
    for (uint32_t i = 0; answer != NULL && i < answer->projects.count && rc == 0; i++) {
        errand *e = errands_running(&self->errands, answer->projects.at[i].package.s);
        if (e != NULL && e->saved.step == STEP_ASK && e->batch == (int64_t)key)
            rc = take_project(task, self, e, &answer->projects.at[i]);
    }
    for (errand *e; rc == 0 && (e = of_batch(self, (int64_t)key)) != NULL;) {
        piw_error("the database doesn't answer for %s, of which it was asked: its pages aren't written", e->package);
        e->batch = 0;
        rc = fail_with(task, self, e, PIW_EDB, "the database answers for another package");
    }
    if (rc == 0 && bulk)
        rc = bulk_piece_ended(task, self);
    return rc == 0 ? go_on(task, self) : rc;
}

/* What installers read is written first, and is there though a template of the pages for people fails. */
static bool has_index(const scribe *self, const errand *e)
{
    char path[PIW_PATH_MAX];
    return piw_path_simple(path, self->facts.root, piw_text_of(e->package), piw_text_of("index.html")) &&
           piw_file_there(path);
}

/* A file of the package isn't in its place yet. Whoever has asked says so, if it lasts; for the renewal nothing is left to do, since
 * the pages are due, and written when it is. */
static int wait_for_file(piw_task *task, scribe *self, errand *e, const char *why)
{
    int rc = e->saved.request.id == 0 ? 0 : piw_answer_error(task, e->saved.request, PIW_EAGAIN, "%s", why);
    return rc != 0 ? rc : finish(task, self, e, RENEWAL_DONE);
}

static int on_written(piw_task *task, piw_msg *reply, uint64_t key)
{
    scribe *self = piw_soul(task);
    errand *e = errands_find(&self->errands, (int64_t)key);
    if (e == NULL)
        return 0;
    if (piw_msg_error(reply) == PIW_EAGAIN)
        return wait_for_file(task, self, e, piw_msg_error_text(reply));
    bool failed = piw_msg_error(reply) != 0;
    if (failed && !has_index(self, e))
        return fail(task, self, e, reply);
    if (e->renewal && PIW_FAULT("scribe.renewed"))
        return fail_with(task, self, e, PIW_ESYS, "the fault point scribe.renewed is armed");
    if (e->hidden && roster_remove(&self->roster, piw_text_of(e->package))) {
        self->root_stale = self->root_urgent = true;
        /* What is quarantined is hidden at once. */
        int rc = self->roster_loaded ? piw_timer(task, PIW_ON(root), 0, 0, ROOT_EVERY_MS) : 0;
        if (rc != 0)
            return rc;
    }
    bool moved = e->saved.part != PART_PROJECT && e->paged != paged_views(self, e);
    if (moved && self->renewal.running && e->renewal)
        self->root_behind = true;
    else if (moved)
        self->root_stale = true;
    /* Its page is there: now the root list may lead to it. */
    if (!e->hidden && e->saved.part != PART_PROJECT && roster_add(&self->roster, piw_text_of(e->package)))
        self->root_stale = true;
    return failed ? fail(task, self, e, reply) : succeed(task, self, e);
}

static int on_removed(piw_task *task, piw_msg *reply, uint64_t key)
{
    scribe *self = piw_soul(task);
    errand *e = errands_find(&self->errands, (int64_t)key);
    if (e == NULL)
        return 0;
    return piw_msg_error(reply) != 0 ? fail(task, self, e, reply) : succeed(task, self, e);
}

/* The key of call and work is the request's token, 0: nobody waits. */
static int write_site_pages(piw_task *task, scribe *self, piw_token request)
{
    (void)self;
    piw_msg *call = db_SITE_FIGURES_new();
    int rc = piw_call(task, &call, PIW_ON(figures), request.id, 0);
    piw_msg_free(&call);
    return rc;
}

/* Without figures, when the database is away, the pages are written that need none. */
static int on_figures(piw_task *task, piw_msg *reply, uint64_t key)
{
    scribe *self = piw_soul(task);
    write_site *body;
    piw_msg *job = write_site_new(&body);
    facts_fill(&self->facts, job, &body->site);
    body->packages = (int64_t)self->roster.count;
    if (piw_msg_error(reply) == 0) {
        site_figures *figures = piw_msg_alloc(job, sizeof(*figures));
        piw_value_copy(job, site_figures_type(), db_SITE_FIGURES_reply_of(reply), figures);
        body->figures = figures;
    }
    int rc = piw_work(task, job_write_site, &job, PIW_ON(site_written), key);
    piw_msg_free(&job);
    return rc;
}

/* --- The root list ----------------------------------------------------------------------------------------------- */

static int read_roster(piw_task *task, scribe *self)
{
    piw_msg *call = piw_msg_copy(self->roster_after);
    int rc = piw_call(task, &call, PIW_ON(packages), (uint64_t)self->course.load_number, 0);
    piw_msg_free(&call);
    return rc;
}

static int on_roster_again(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    return read_roster(task, piw_soul(task));
}

static int on_packages(piw_task *task, piw_msg *reply, uint64_t key)
{
    scribe *self = piw_soul(task);
    if ((int64_t)key != self->course.load_number || self->roster_loaded)
        return 0;
    if (piw_msg_error(reply) != 0) {
        piw_log_limited(&self->trouble, TROUBLE_PER_MINUTE, PIW_LOG_WARNING, "the root list has to wait: %s",
                        piw_msg_error_text(reply));
        return piw_timer(task, PIW_ON(roster_again), 0, ROSTER_AGAIN_MS, 0);
    }
    const db_PACKAGES_reply *page = db_PACKAGES_reply_of(reply);
    for (uint32_t i = 0; i < page->packages.count; i++) {
        if (piw_name_is_canonical(page->packages.at[i]))
            roster_add(&self->roster, page->packages.at[i]);
    }
    if (page->packages.count < ROSTER_AT_ONCE) {
        self->roster_loaded = true;
        self->root_stale = true;
        if (self->renewal.running && self->roster.count > 0)
            piw_info("the pages of %zu packages are of an older form, or may be: they are written anew in the "
                     "background%s%s",
                     self->roster.count, self->renewal.at[0] == '\0' ? "" : ", beginning after ", self->renewal.at);
        renew(task, self);
        int rc = write_site_pages(task, self, (piw_token){0}); /* their number is on the home page */
        return rc != 0 ? rc : piw_timer(task, PIW_ON(root), 0, 0, ROOT_EVERY_MS);
    }
    piw_msg_free(&self->roster_after);
    self->roster_after = db_PACKAGES_make(page->packages.at[page->packages.count - 1], ROSTER_AT_ONCE);
    return read_roster(task, self);
}

/* While builds are recorded, unless somebody waits for it. */
static bool root_rests(const scribe *self)
{
    bool awaited = self->root_urgent;
    for (const errand *e = self->errands.first; e != NULL && !awaited; e = e->next)
        awaited = e->saved.step == STEP_ROOT;
    return !awaited && piw_monotonic_ns() < self->root_rests_till;
}

static int on_root(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    scribe *self = piw_soul(task);
    renew(task, self); /* the renewal may have rested meanwhile */
    if (self->root_behind && !self->renewal.running) {
        self->root_behind = false;
        self->root_stale = true;
    }
    if (!self->root_stale || self->course.root_writing || !self->roster_loaded || root_rests(self))
        return 0;
    piw_blob *names = roster_blob(&self->roster);
    if (names == NULL) {
        piw_log_limited(&self->trouble, TROUBLE_PER_MINUTE, PIW_LOG_ERROR,
                        "no memory for the root list: it has to wait");
        return 0;
    }
    write_root *body;
    piw_msg *job = write_root_new(&body);
    facts_fill(&self->facts, job, &body->site);
    piw_value_copy(job, write_root_type()->body->fields[1].type, &names, &body->names);
    piw_blob_unref(&names);
    int rc = piw_work(task, self->writer->write_root, &job, PIW_ON(root_written), (uint64_t)self->course.root_turn + 1);
    piw_msg_free(&job);
    if (rc == 0) {
        self->course.root_turn++;
        self->root_stale = self->root_urgent = false;
        self->course.root_writing = true;
        self->root_began_ns = piw_monotonic_ns();
    }
    return rc;
}

static void look_at_root(const scribe *self, struct stat *seen)
{
    char *path = piw_sprintf("%s/simple/index.html", self->facts.root);
    if (lstat(path, seen) != 0)
        *seen = (struct stat){0};
    free(path);
}

/* Somebody else has changed it, or taken it away: then it is written anew. */
static void check_root(scribe *self)
{
    struct stat now;
    look_at_root(self, &now);
    if (now.st_ino != self->root_seen.st_ino || now.st_size != self->root_seen.st_size ||
        now.st_mtim.tv_sec != self->root_seen.st_mtim.tv_sec || now.st_mtim.tv_nsec != self->root_seen.st_mtim.tv_nsec)
        self->root_stale = true;
}

static int on_root_written(piw_task *task, piw_msg *reply, uint64_t key)
{
    scribe *self = piw_soul(task);
    self->course.root_writing = false;
    int64_t now_ns = piw_monotonic_ns();
    int64_t took_ns = self->root_began_ns == 0 ? 0 : now_ns - self->root_began_ns;
    self->root_rests_till = now_ns + pace_rest_ms(&self->pace, now_ns, took_ns) * 1000000;
    if (piw_msg_error(reply) != 0) {
        piw_log_limited(&self->trouble, TROUBLE_PER_MINUTE, PIW_LOG_ERROR, "the root list isn't written: %s",
                        piw_msg_error_text(reply));
        self->root_stale = true;
        for (errand *e = self->errands.first; e != NULL; e = e->next) {
            if (e->saved.step == STEP_ROOT && e->saved.root_turn <= (int64_t)key)
                e->saved.root_turn = (int64_t)key + 1;
        }
        return 0;
    }
    self->course.root_done = (int64_t)key;
    look_at_root(self, &self->root_seen);
    int rc = 0;
    for (errand *e = self->errands.first; e != NULL && rc == 0; e = e->next) {
        if (e->saved.step == STEP_ROOT && e->saved.root_turn <= self->course.root_done)
            rc = remove_now(task, self, e);
    }
    return rc;
}

/* --- The site's own pages ---------------------------------------------------------------------------------------- */

static int on_home(piw_task *task, piw_msg *msg)
{
    piw_token token;
    int rc = piw_defer(task, msg, &token);
    check_root(piw_soul(task));
    return rc != 0 ? rc : write_site_pages(task, piw_soul(task), token);
}

static int on_site_written(piw_task *task, piw_msg *reply, uint64_t key)
{
    scribe *self = piw_soul(task);
    piw_token token = {key};
    if (piw_msg_error(reply) != 0) {
        piw_log_limited(&self->trouble, TROUBLE_PER_MINUTE, PIW_LOG_ERROR, "the home page isn't written: %s",
                        piw_msg_error_text(reply));
        return key == 0 ? 0 : piw_answer_error(task, token, piw_msg_error(reply), "%s", piw_msg_error_text(reply));
    }
    if (key == 0)
        return 0;
    piw_msg *answer = scribe_HOME_reply_new();
    int rc = piw_answer(task, token, &answer);
    piw_msg_free(&answer);
    return rc;
}

/* --- The soul ---------------------------------------------------------------------------------------------------- */

static void free_soul(scribe *self)
{
    errands_fini(&self->errands);
    roster_fini(&self->roster);
    piw_msg_free(&self->roster_after);
    search_round_fini(&self->search);
    facts_fini(&self->facts);
    free(self);
}

static void begin_renewal(scribe *self)
{
    char after[PIW_NAME_MAX + 1];
    bool done;
    piw_err err = {0};
    free(self->facts.former);
    if (form_begin(self->facts.root, self->facts.mark, after, &done, &self->facts.former, &err) != 0)
        piw_warning("the form of the site's pages isn't known, all are written anew: %s", err.text);
    if (!done)
        renewal_begin(&self->renewal, after);
}

int scribe_start(piw_task *task, const scribe_writer *writer, const piw_msg *state, piw_err *err)
{
    const char *root = piw_setting(task, "output-path");
    if (root == NULL || root[0] != '/')
        return piw_err_set(err, PIW_ECONFIG, "the output path \"%s\" is no absolute path", root == NULL ? "" : root);
    scribe *self = piw_zalloc(sizeof(*self));
    int rc = facts_read(&self->facts, task, root, err);
    if (rc != 0) {
        free_soul(self);
        return rc;
    }
    self->writer = writer;
    self->pace = PACE_BULK;
    self->bulk_began_ns = self->bulk_asked_ns = piw_monotonic_ns();
    self->bulk_batch = BULK_BATCH;
    if (state == NULL && piw_setting(task, "site.base-url") == NULL)
        piw_warning("[site] base-url isn't set: the pages tell people to install from %s/simple", self->facts.base_url);
    if (state != NULL)
        scribe_load(self, scribe_state_of(state));
    self->course.load_number++;
    begin_renewal(self);
    self->roster_after = db_PACKAGES_make(piw_text_of(""), ROSTER_AT_ONCE);
    piw_soul_set(task, self);
    rc = read_roster(task, self);
    if (rc == 0)
        rc = ask_database(task, self);
    if (rc == 0)
        rc = piw_timer(task, PIW_ON(root), 0, ROOT_EVERY_MS, ROOT_EVERY_MS);
    if (rc == 0 && state == NULL)
        rc = write_site_pages(task, self, (piw_token){0});
    if (rc == 0)
        return 0;
    piw_soul_set(task, NULL);
    free_soul(self);
    return piw_err_set(err, rc, "%s can't start: %s", piw_task_name(task), piw_err_name(rc));
}

void scribe_stop(piw_task *task, bool leaving)
{
    (void)leaving;
    free_soul(piw_soul(task));
    piw_soul_set(task, NULL);
}

const piw_service scribe_serves[] = {{"scribe", &scribe_protocol_def}, PIW_SERVICES_END};
const piw_service scribe_uses[] = {{"db", &db_protocol_def}, {"fs", &fs_protocol_def}, PIW_SERVICES_END};
/* file_juggler is ready when it knows that the output folder is the site, or that it isn't. */
const char *const scribe_needs[] = {"db", "fs", NULL};
const piw_event scribe_subscribes[] = {{&events_protocol_def, BUILDS_RECORDED}, PIW_EVENTS_END};
const piw_handler scribe_handlers[] = {
    {&scribe_protocol_def, SCRIBE_PROJECT, on_ask_project},
    {&scribe_protocol_def, SCRIBE_BOTH, on_ask_both},
    {&scribe_protocol_def, SCRIBE_HOME, on_home},
    {&scribe_protocol_def, SCRIBE_SEARCH, on_search},
    {&scribe_protocol_def, SCRIBE_DELPKG, on_ask_delpkg},
    {&scribe_protocol_def, SCRIBE_BULK, on_ask_bulk},
    {&scribe_protocol_def, SCRIBE_SOON, on_soon},
    {&events_protocol_def, BUILDS_RECORDED, on_builds_recorded},
    PIW_HANDLERS_END,
};
const piw_continuation scribe_continuations[] = {
    PIW_CONTINUATION(projects),     PIW_CONTINUATION(written),        PIW_CONTINUATION(removed),
    PIW_CONTINUATION(packages),     PIW_CONTINUATION(roster_again),   PIW_CONTINUATION(root),
    PIW_CONTINUATION(root_written), PIW_CONTINUATION(site_written),   PIW_CONTINUATION(form_marked),
    PIW_CONTINUATION(search_page),  PIW_CONTINUATION(search_written), PIW_CONTINUATION(figures),
    PIW_CONTINUATION(bulk_rested),  PIW_CONTINUATION(search_rested),  PIW_CONTINUATIONS_END,
};
