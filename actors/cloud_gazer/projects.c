/* projects.c — PyPI by its list of projects and their documents instead of its log (docs/reliability.md#pypis-list): as
 * the other driver of follow = json, and once a day to see what the log's follower missed.
 *
 * One pass: read the list (or hear that it is what it was); compare it with the database, if that is due or a project is
 * missing in it that the last one had; read the documents of those whose serial grew, several at a time, in the order of
 * their serials; and apply them in that order, so that the serial that is stored with each batch covers all before it. */
#include "cloud_gazer/projects.h"

#include "cloud_gazer/gazer.h"
#include "cloud_gazer/left.h"
#include "cloud_gazer/listing.h"
#include "cloud_gazer/project.h"
#include "piw/limits.h"
#include "shared/names.h"
#include "shared/summary.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    FETCHES = 8,            /* documents at the same time */
    WINDOW = 128,           /* documents read and not yet applied */
    BATCH = 128,            /* projects of one transaction … */
    BATCH_RELEASES = 20000, /* … and about so many releases */
    COMPARED = 20000,       /* names of one comparison */
    TRIES_MAX = 5,          /* for a document that is older than the list, or none */
    TRY_AGAIN_MS = 10000,   /* doubled each time */
    LIST_TIMEOUT_MS = 600000,
    DOCUMENT_TIMEOUT_MS = 120000,
    STORED_AGAIN_MS = 1000,
    UNREADY_MS = 10000,
    ETAG_MAX = 300,
};

/* PyPI counts a few million events a year. */
static const int64_t SERIAL_MAX = INT64_C(10000000000), SERIAL_JUMP_MAX = 100000000;

/* A document that is read, or waits to be applied. */
typedef struct document {
    gazer_projects *owner;
    const gazer_listed *listed;
    gazer_project *project; /* NULL: nothing is to be applied */
    piw_summary *summary;
    piw_err err;
    bool started, done, absent, summarised; /* absent: there is none, the project has no releases */
    bool waits;                             /* for its next try */
    unsigned tries;
} document;

struct gazer_projects {
    gazer *gazer;
    const char *simple_url, *json_url;
    bool follows;      /* this is the driver, not only the comparison */
    int64_t stored;    /* all up to this serial is in the database */
    int64_t due_us;    /* when the next comparison is */
    int64_t period_us; /* from one to the next */
    int64_t poll_ms;
    int64_t wait_ms; /* of the next wait after a failure; 0: none was lately */
    piw_outage away; /* of PyPI's pages */
    bool began, running, resting, applying, comparing;
    char etag[ETAG_MAX]; /* of the last list that was worked off */
    char new_etag[ETAG_MAX];
    gazer_listing *listing;
    piw_err listing_err;
    const gazer_listed *listed; /* of the listing, by name */
    size_t listed_count;
    bool compares;          /* this pass does */
    size_t compared;        /* names so far */
    uint64_t *hashes, seed; /* of the last list's names, sorted */
    size_t hashes_count;
    uint64_t *new_hashes; /* of the list that is worked off */
    size_t new_hashes_count;
    const gazer_listed **todo; /* whose documents are to be read, in the order in which they are applied */
    size_t todo_count, todo_size;
    size_t missing_from;     /* those from here on are not there yet; their serials say nothing */
    size_t applied, fetched; /* of them; fetched: begun at least */
    document window[WINDOW]; /* of todo[i] at i % WINDOW */
    unsigned fetches;
    size_t batch; /* projects that are with the database */
    int64_t batch_serial;
    uint32_t batch_max;                        /* halved while the database refuses a batch */
    uint64_t added, deleted, versions, hidden; /* by this pass */
    int64_t begun_ns, said_ns; /* when its documents began to be read, and its progress was last on the log */
    piw_log_limiter odd;
};

static void step(gazer_projects *self);

/* --- Waiting ------------------------------------------------------------------------------------------------------ */

static void rest(gazer_projects *self, int64_t delay_ms)
{
    if (self->resting)
        return; /* it waits for something else already, and perhaps for longer */
    self->resting = true;
    if (piw_timer(self->gazer->task, PIW_ON(projects_go), 0, delay_ms, 0) != 0)
        piw_fail(self->gazer->task, "no timer can be set");
}

/* PyPI failed, or wants us to wait: wait at least 10 s, and longer with each failure. */
static void wait_longer(gazer_projects *self, const piw_fetch_result *result, const char *what, const char *why)
{
    if (self->resting)
        return;
    int64_t delay_ms = gazer_longer(self->gazer, &self->wait_ms, result != NULL && result->refused,
                                    result != NULL ? result->retry_after_s : 0);
    piw_outage_goes_on(&self->away, PIW_LOG_WARNING, 0, "%s can't be read, trying again in %lld s: %s", what,
                       (long long)(delay_ms + 999) / 1000, why);
    rest(self, delay_ms);
}

static void wait_no_longer(gazer_projects *self)
{
    self->wait_ms = 0;
    piw_outage_over(&self->away, "PyPI's projects are read again");
}

/* What is wrong with an answer, or NULL. */
static const char *problem_of(const piw_fetch_result *result, const piw_err *err, char *text, size_t size)
{
    if (err->code != 0)
        return err->text;
    if (!result->answered)
        return result->problem;
    if (result->status == 200)
        return NULL;
    snprintf(text, size, "it was answered with HTTP status %ld", result->status);
    return text;
}

/* --- The list ----------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Keep what this list has until all of it is done. Returns whether it lacks something that the last list had. */
static bool note_hashes(gazer_projects *self)
{
    uint64_t *hashes = piw_alloc((self->listed_count + 1) * sizeof(*hashes));
    for (size_t i = 0; i < self->listed_count; i++)
        hashes[i] = piw_table_hash(self->seed, self->listed[i].package, strlen(self->listed[i].package));
    if (self->listed_count > 1)
        qsort(hashes, self->listed_count, sizeof(*hashes), by_value);
    size_t at = 0;
    bool lost = false;
    for (size_t i = 0; self->hashes != NULL && i < self->hashes_count && !lost; i++) {
        while (at < self->listed_count && hashes[at] < self->hashes[i])
            at++;
        lost = at == self->listed_count || hashes[at] != self->hashes[i];
    }
    self->new_hashes = hashes;
    self->new_hashes_count = self->listed_count;
    return lost;
}

static void add_todo(gazer_projects *self, const gazer_listed *listed)
{
    if (self->todo_count == self->todo_size) {
        self->todo_size = self->todo_size == 0 ? 256 : self->todo_size * 2;
        self->todo = piw_realloc(self->todo, self->todo_size * sizeof(const gazer_listed *));
    }
    self->todo[self->todo_count++] = listed;
}

static int by_serial(const void *a, const void *b)
{
    const gazer_listed *x = *(const gazer_listed *const *)a, *y = *(const gazer_listed *const *)b;
    return (x->serial > y->serial) - (x->serial < y->serial);
}

/* A serial is stored for good: one that can't be is not taken. */
static int check_serial(const gazer_projects *self, piw_err *err)
{
    int64_t serial = gazer_listing_serial(self->listing);
    if (serial > SERIAL_MAX || (self->stored > 0 && serial - self->stored > SERIAL_JUMP_MAX))
        return piw_err_set(err, PIW_ESHAPE, "PyPI's list of projects has the serial %lld, which can't be",
                           (long long)serial);
    return 0;
}

static void take_list(gazer_projects *self)
{
    self->listed = gazer_listing_projects(self->listing, &self->listed_count);
    for (size_t i = 0; self->follows && i < self->listed_count; i++)
        if (self->listed[i].serial > self->stored)
            add_todo(self, &self->listed[i]);
    if (self->todo_count > 1)
        qsort(self->todo, self->todo_count, sizeof(const gazer_listed *), by_serial);
    self->missing_from = self->todo_count;
    self->begun_ns = self->said_ns = piw_monotonic_ns();
    bool first = self->hashes == NULL;
    bool lost = self->follows && note_hashes(self);
    self->compares = lost || (self->follows && first && self->stored > 0) || piw_time_now().us >= self->due_us;
    if (self->todo_count > 0)
        piw_info("PyPI's list has %zu projects, %zu of them changed since serial %lld", self->listed_count,
                 self->todo_count, (long long)self->stored);
}

static bool on_list_data(void *arg, const void *data, size_t len)
{
    gazer_projects *self = arg;
    return gazer_listing_feed(self->listing, data, len, &self->listing_err) == 0;
}

static void end_pass(gazer_projects *self)
{
    gazer_listing_free(&self->listing);
    free(self->todo);
    free(self->new_hashes);
    self->todo = NULL;
    self->new_hashes = NULL;
    self->listed = NULL;
    self->listed_count = self->todo_count = self->todo_size = self->applied = self->fetched = self->compared = 0;
    self->compares = self->running = false;
}

static void on_list(void *arg, const piw_fetch_result *result)
{
    gazer_projects *self = arg;
    char text[64];
    if (result->answered && result->status == 304) {
        wait_no_longer(self);
        end_pass(self);
        rest(self, self->poll_ms);
        return;
    }
    if (result->answered && result->status == 200 && self->listing_err.code == 0)
        (void)(gazer_listing_end(self->listing, &self->listing_err) != 0 || check_serial(self, &self->listing_err));
    const char *why = problem_of(result, &self->listing_err, text, sizeof(text));
    if (why != NULL) {
        end_pass(self);
        wait_longer(self, result, self->simple_url, why);
        return;
    }
    wait_no_longer(self);
    snprintf(self->new_etag, sizeof(self->new_etag), "%s",
             result->etag != NULL && strlen(result->etag) < ETAG_MAX ? result->etag : "");
    take_list(self);
    step(self);
}

static void read_list(gazer_projects *self)
{
    self->running = true;
    self->listing = gazer_listing_new();
    self->listing_err = (piw_err){0};
    self->added = self->deleted = self->versions = self->hidden = 0;
    bool due = piw_time_now().us >= self->due_us;
    char *url = piw_sprintf("%s/", self->simple_url);
    const piw_fetch_request request = {.url = url,
                                       .accept = "application/vnd.pypi.simple.v1+json",
                                       .etag = !due && self->etag[0] != '\0' ? self->etag : NULL,
                                       .timeout_ms = LIST_TIMEOUT_MS,
                                       .data = on_list_data,
                                       .done = on_list,
                                       .arg = self};
    piw_err err = {0};
    if (self->listing == NULL)
        piw_err_set(&err, PIW_ENOMEM, "there is no memory for it");
    if (err.code != 0 || piw_fetch_start(self->gazer->http, &request, &err) != 0) {
        end_pass(self);
        wait_longer(self, NULL, self->simple_url, err.text);
    }
    free(url);
}

/* --- Comparing
 * ----------------------------------------------------------------------------------------------------- */

static void compare_on(gazer_projects *self)
{
    size_t left = self->listed_count - self->compared, count = left < COMPARED ? left : COMPARED;
    db_PYPI_COMPARE *body;
    piw_msg *msg = db_PYPI_COMPARE_new(&body);
    body->total = (int64_t)self->listed_count;
    body->after = piw_msg_textz(msg, self->compared > 0 ? self->listed[self->compared - 1].package : "");
    piw_msg_list(msg, &body->names, count);
    pypi_serials *serials = piw_msg_alloc(msg, sizeof(*serials));
    piw_msg_list(msg, &serials->serials, count);
    body->serials = serials;
    for (size_t i = 0; i < count; i++) {
        body->names.at[i] = piw_msg_textz(msg, self->listed[self->compared + i].package);
        serials->serials.at[i] = self->listed[self->compared + i].serial;
    }
    if (count < left)
        body->upto = body->names.at[count - 1];
    if (piw_call(self->gazer->task, &msg, PIW_ON(compared), 0, -1) == 0) {
        self->comparing = true;
        return;
    }
    piw_msg_free(&msg);
    rest(self, STORED_AGAIN_MS);
}

static const gazer_listed *find_listed(const gazer_projects *self, const char *package)
{
    size_t low = 0, high = self->listed_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(self->listed[middle].package, package);
        if (order == 0)
            return &self->listed[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* True when the list isn't believed, because too many projects would go. */
static bool take_compared(gazer_projects *self, const db_PYPI_COMPARE_reply *body)
{
    for (uint32_t i = 0; i < body->changes.count; i++) {
        const pypi_change *change = &body->changes.at[i];
        if (piw_text_is(change->change, "refused")) {
            piw_error("PyPI's list of %zu projects isn't compared with what is here: it had %s before, which can't all "
                      "have gone at once",
                      self->listed_count, change->package.s);
            return true;
        }
        if (piw_text_is(change->change, "missing")) {
            const gazer_listed *listed = find_listed(self, change->package.s);
            if (listed != NULL && (!self->follows || listed->serial <= self->stored))
                add_todo(self, listed);
        } else if (piw_text_is(change->change, "left")) {
            gazer_left_add(self->gazer->left, change->package);
        } else if (piw_text_is(change->change, "hidden")) {
            self->hidden++;
        } else if (piw_text_is(change->change, "deleted")) {
            self->deleted++;
            piw_info("release %s of %s has been away from its document for long: deleted", change->version.s,
                     change->package.s);
        }
    }
    return false;
}

/* Has the comparison made this change itself? Others are left to this task. */
static bool is_done(piw_text change)
{
    return piw_text_is(change, "deleted") || piw_text_is(change, "hidden") || piw_text_is(change, "shown");
}

int on_compared(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    gazer *owner = piw_soul(task);
    gazer_projects *self = owner->projects;
    const db_PYPI_COMPARE_reply *body = piw_msg_error(reply) == 0 ? db_PYPI_COMPARE_reply_of(reply) : NULL;
    for (uint32_t i = 0; body != NULL && i < body->changes.count; i++)
        if (is_done(body->changes.at[i].change))
            gazer_spread(owner, &body->changes.at[i], NULL, false);
    if (!self->comparing)
        return 0; /* of an earlier soul */
    self->comparing = false;
    if (body == NULL) {
        piw_outage_goes_on(&owner->unstored, PIW_LOG_WARNING, 0,
                           "the comparison with PyPI's list waits for the database: %s", piw_msg_error_text(reply));
        rest(self, GAZER_WAIT_MIN_MS);
        return 0;
    }
    piw_outage_over(&owner->unstored, "the database takes part in the comparison again");
    size_t left = self->listed_count - self->compared;
    self->compared += left < COMPARED ? left : COMPARED;
    bool refused = take_compared(self, body);
    if (refused && self->follows) { /* storing its serial would hide what it lacks */
        end_pass(self);
        rest(self, GAZER_WAIT_MAX_MS);
        return 0;
    }
    if (refused || self->compared == self->listed_count) {
        self->compares = false;
        self->due_us = piw_time_now().us + self->period_us;
    }
    step(self);
    return 0;
}

/* --- Documents
 * ----------------------------------------------------------------------------------------------------- */

static void clear(document *at)
{
    gazer_project_free(&at->project);
    free(at->summary);
    *at = (document){0};
}

static bool on_document_data(void *arg, const void *data, size_t len)
{
    document *at = arg;
    at->summarised = at->summarised || !piw_summary_feed(at->summary, data, len);
    return gazer_project_feed(at->project, data, len, &at->err) == 0;
}

/* Read it once more after a while, longer each time, while other documents go on. */
static void try_again(gazer_projects *self, document *at, const char *why)
{
    const gazer_listed *listed = at->listed;
    unsigned tries = at->tries + 1;
    int64_t delay_ms = self->gazer->dev_mode ? GAZER_WAIT_DEV_MS : (int64_t)TRY_AGAIN_MS << (tries - 1);
    piw_debug("the document of project %s is read again in %lld s: %s", listed->package, (long long)delay_ms / 1000,
              why);
    clear(at);
    *at = (document){.owner = self, .listed = listed, .tries = tries, .started = true, .waits = true};
    if (piw_timer(self->gazer->task, PIW_ON(projects_again), (uint64_t)(at - self->window), delay_ms, 0) != 0)
        piw_fail(self->gazer->task, "no timer can be set");
}

int on_projects_again(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    gazer_projects *self = ((gazer *)piw_soul(task))->projects;
    document *at = &self->window[key % WINDOW];
    if (!at->waits)
        return 0; /* an earlier soul's */
    at->waits = at->started = false;
    step(self);
    return 0;
}

/* What is to become of the document, whose answer has ended. */
static void take_document(gazer_projects *self, document *at, const piw_fetch_result *result)
{
    char text[64];
    const char *why = problem_of(result, &at->err, text, sizeof(text));
    if (why == NULL && gazer_project_serial(at->project) < at->listed->serial)
        why = "it is older than the list";
    if (why != NULL && at->tries < TRIES_MAX) {
        try_again(self, at, why);
        return;
    }
    at->done = true;
    if (result->status == 200 && at->err.code == 0)
        return;
    /* PyPI lists it but has no document for it, as for every project without releases. */
    gazer_project_free(&at->project);
    at->absent = result->status == 404;
    if (!at->absent)
        piw_log_limited(&self->odd, 30, PIW_LOG_WARNING, "project %s is left out until it changes again: %s",
                        at->listed->package, why);
}

static void on_document(void *arg, const piw_fetch_result *result)
{
    document *at = arg;
    gazer_projects *self = at->owner;
    self->fetches--;
    if (result->answered && result->status == 200 && at->err.code == 0)
        (void)gazer_project_end(at->project, &at->err);
    if (at->err.code == 0 && (!result->answered || result->status == 429 || result->status >= 500)) {
        char text[64], what[PIW_NAME_MAX + 32];
        snprintf(what, sizeof(what), "the document of project %s", at->listed->package);
        const gazer_listed *listed = at->listed;
        unsigned tries = at->tries;
        clear(at);
        *at = (document){.owner = self, .listed = listed, .tries = tries};
        wait_longer(self, result, what, problem_of(result, &at->err, text, sizeof(text)));
        return;
    }
    wait_no_longer(self);
    take_document(self, at, result);
    step(self);
}

static void fetch(gazer_projects *self, document *at)
{
    at->project = gazer_project_new(at->listed->package);
    at->summary = piw_zalloc(sizeof(*at->summary));
    at->err = (piw_err){0};
    char *url = piw_sprintf("%s/%s/json", self->json_url, at->listed->package);
    const piw_fetch_request request = {.url = url,
                                       .accept = "application/json",
                                       .timeout_ms = DOCUMENT_TIMEOUT_MS,
                                       .data = on_document_data,
                                       .done = on_document,
                                       .arg = at};
    piw_err err = {0};
    if (at->project == NULL)
        piw_err_set(&err, PIW_ENOMEM, "there is no memory for it");
    if (err.code == 0 && piw_fetch_start(self->gazer->http, &request, &err) == 0) {
        at->started = true;
        self->fetches++;
    } else {
        gazer_project_free(&at->project);
        free(at->summary);
        at->summary = NULL;
        wait_longer(self, NULL, url, err.text);
    }
    free(url);
}

static void fetch_on(gazer_projects *self)
{
    for (size_t i = self->applied; i < self->fetched && self->fetches < FETCHES && !self->resting; i++)
        if (!self->window[i % WINDOW].started)
            fetch(self, &self->window[i % WINDOW]);
    while (self->fetched < self->todo_count && self->fetched < self->applied + WINDOW && self->fetches < FETCHES &&
           !self->resting) {
        document *at = &self->window[self->fetched % WINDOW];
        *at = (document){.owner = self, .listed = self->todo[self->fetched++]};
        fetch(self, at);
    }
}

/* --- Applying
 * ------------------------------------------------------------------------------------------------------- */

/* The serial up to which all is in the database once the projects before `end` are. */
static int64_t covered(const gazer_projects *self, size_t end)
{
    if (!self->follows || end > self->missing_from)
        return 0;
    return end < self->missing_from ? self->todo[end]->serial - 1 : gazer_listing_serial(self->listing);
}

/* As many as are there and belong together. */
static size_t batch_of(const gazer_projects *self)
{
    size_t count = 0;
    uint32_t releases = 0;
    bool missing = self->applied >= self->missing_from;
    while (self->applied + count < self->fetched && count < self->batch_max && releases < BATCH_RELEASES) {
        size_t place = self->applied + count;
        const document *at = &self->window[place % WINDOW];
        if (!at->done || (place >= self->missing_from) != missing)
            break;
        releases += at->project != NULL ? gazer_project_releases(at->project) : 0;
        count++;
    }
    return count;
}

static void apply(gazer_projects *self, size_t count)
{
    db_PYPI_PROJECTS *body;
    piw_msg *msg = db_PYPI_PROJECTS_new(&body);
    body->additions_only = self->applied >= self->missing_from;
    body->development = self->gazer->dev_mode;
    body->serial = self->batch_serial = covered(self, self->applied + count);
    piw_msg_list(msg, &body->projects, count);
    body->projects.count = 0;
    for (size_t i = 0; i < count; i++) {
        const document *at = &self->window[(self->applied + i) % WINDOW];
        pypi_project *to = &body->projects.at[body->projects.count];
        if (at->project != NULL)
            gazer_project_put(at->project, msg, to);
        else if (at->absent)
            *to = (pypi_project){.package = piw_msg_textz(msg, at->listed->package),
                                 .name = piw_msg_textz(msg, at->listed->package)};
        else
            continue;
        body->projects.count++;
    }
    if (piw_call(self->gazer->task, &msg, PIW_ON(projects), 0, -1) == 0) {
        self->batch = count;
        self->applying = true;
        return;
    }
    piw_msg_free(&msg);
    rest(self, STORED_AGAIN_MS);
}

static void describe(gazer_projects *self, const document *at)
{
    if (at->project == NULL || !at->summary->found)
        return;
    db_DESCRIBE *body;
    piw_msg *msg = db_DESCRIBE_new(&body);
    body->package = piw_msg_textz(msg, at->listed->package);
    if (piw_summary_text(at->summary, msg, GAZER_DESCRIPTION_CHARS, &body->description) &&
        piw_cast(self->gazer->task, &msg) == 0)
        return;
    piw_msg_free(&msg);
}

/* The projects that were sent to the database are stored there, or given up. */
static void confirm(gazer_projects *self)
{
    for (size_t i = 0; i < self->batch; i++) {
        document *at = &self->window[(self->applied + i) % WINDOW];
        describe(self, at);
        if (at->project != NULL) /* what changed may be the project's status, of which its document doesn't speak */
            gazer_describe(self->gazer->describer, piw_text_of(at->listed->package), false);
        clear(at);
    }
    self->applied += self->batch;
    self->batch = 0;
    if (self->batch_serial > self->stored)
        self->stored = self->batch_serial;
}

static void count_changes(gazer_projects *self, const db_PYPI_PROJECTS_reply *body)
{
    for (uint32_t i = 0; i < body->changes.count; i++) {
        piw_text change = body->changes.at[i].change;
        self->added += piw_text_is(change, "new_package");
        self->versions += piw_text_is(change, "new_version");
        self->deleted += piw_text_is(change, "deleted");
        self->hidden += piw_text_is(change, "hidden");
    }
}

int on_projects(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    gazer *owner = piw_soul(task);
    gazer_projects *self = owner->projects;
    int code = piw_msg_error(reply);
    const db_PYPI_PROJECTS_reply *body = code == 0 ? db_PYPI_PROJECTS_reply_of(reply) : NULL;
    for (uint32_t i = 0; body != NULL && i < body->changes.count; i++)
        gazer_spread(owner, &body->changes.at[i], i > 0 ? &body->changes.at[i - 1] : NULL, false);
    if (!self->applying)
        return 0; /* of an earlier soul */
    self->applying = false;
    if (body != NULL) {
        piw_outage_over(&owner->unstored, "the database takes PyPI's projects again");
        count_changes(self, body);
        confirm(self);
        gazer_describer_go(owner->describer);
        self->batch_max = self->batch_max * 2 < BATCH ? self->batch_max * 2 : BATCH;
    } else if (code == PIW_EDB && self->batch > 1) {
        self->batch_max = self->batch_max > 1 ? self->batch_max / 2 : 1;
    } else if (code == PIW_EDB) {
        piw_error("project %s is left out because the database refuses it: %s", self->todo[self->applied]->package,
                  piw_msg_error_text(reply));
        confirm(self);
    } else {
        piw_outage_goes_on(&owner->unstored, PIW_LOG_WARNING, 0, "PyPI's projects wait for the database: %s",
                           piw_msg_error_text(reply));
        rest(self, GAZER_WAIT_MIN_MS);
        return 0;
    }
    step(self);
    return 0;
}

/* --- The pass
 * ------------------------------------------------------------------------------------------------------- */

/* Shown by piw-ctl at all times, and written to the log now and then. */
static void say_progress(gazer_projects *self)
{
    int64_t now_ns = piw_monotonic_ns();
    double seconds = (double)(now_ns - self->begun_ns) / 1e9, rate = seconds > 0 ? (double)self->applied / seconds : 0;
    char left[48] = "time left unknown", line[PIW_LIMIT_NOTE + 1];
    if (self->applied > 0 && rate > 0) {
        int64_t minutes = (int64_t)((double)(self->todo_count - self->applied) / rate / 60);
        snprintf(left, sizeof(left), "about %lld h %02lld min left", (long long)(minutes / 60),
                 (long long)(minutes % 60));
    }
    snprintf(line, sizeof(line), "%d %% done, %zu of %zu changed projects applied, %.0f a second, %s; at serial %lld",
             self->todo_count > 0 ? (int)(self->applied * 100 / self->todo_count) : 100, self->applied,
             self->todo_count, rate, left, (long long)self->stored);
    if (self->follows) {
        piw_task_note(self->gazer->task, "%s", line);
        gazer_tell_place(self->gazer, self->stored,
                         self->todo_count == 0 ? 0 : self->todo[self->todo_count - 1]->serial, false);
    }
    if (now_ns - self->said_ns < (int64_t)GAZER_PROGRESS_MS * 1000000)
        return;
    self->said_ns = now_ns;
    piw_info("catching up with PyPI's list: %s", line);
}

static void finish(gazer_projects *self)
{
    self->deleted += gazer_left_deleted(self->gazer->left);
    if (self->added + self->deleted + self->versions + self->hidden > 0)
        piw_info("%s PyPI's list: %llu packages and %llu versions added, %llu deleted, %llu hidden",
                 self->follows ? "followed" : "mended what was missed, by", (unsigned long long)self->added,
                 (unsigned long long)self->versions, (unsigned long long)self->deleted,
                 (unsigned long long)self->hidden);
    else if (!self->follows)
        piw_info("PyPI's list of %zu projects has nothing that was missed", self->listed_count);
    memcpy(self->etag, self->new_etag, sizeof(self->etag));
    if (self->new_hashes != NULL) {
        free(self->hashes);
        self->hashes = self->new_hashes;
        self->hashes_count = self->new_hashes_count;
        self->new_hashes = NULL;
    }
    if (self->follows) {
        piw_task_note(self->gazer->task, "%s", "");
        gazer_tell_place(self->gazer, self->stored, self->stored, true);
    }
    end_pass(self);
    rest(self, self->follows ? self->poll_ms : 0);
}

/* Whatever can be done now. */
static void step(gazer_projects *self)
{
    if (self->gazer->paused || self->listed == NULL || self->comparing)
        return;
    if (self->compares) {
        if (!self->resting)
            compare_on(self);
        return;
    }
    fetch_on(self);
    size_t count = self->applying || self->resting ? 0 : batch_of(self);
    if (count > 0)
        apply(self, count);
    say_progress(self);
    bool asked = gazer_left_go(self->gazer->left);
    if (asked && self->applied == self->todo_count && !self->applying)
        finish(self);
}

void gazer_projects_go(gazer_projects *self)
{
    if (!self->began || self->gazer->paused || self->resting)
        return;
    int64_t now_us = piw_time_now().us;
    if (self->running)
        step(self);
    else if (!self->follows && now_us < self->due_us)
        rest(self, (self->due_us - now_us) / 1000 + 1);
    else if (!self->follows && !self->gazer->was_caught_up) /* the log has still more to say */
        rest(self, UNREADY_MS);
    else
        read_list(self);
}

int on_projects_go(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    gazer *self = piw_soul(task);
    self->projects->resting = false;
    gazer_projects_go(self->projects);
    return 0;
}

static void on_left_done(void *arg)
{
    step(arg);
}

gazer_projects *gazer_projects_new(gazer *owner, const gazer_projects_options *options)
{
    gazer_projects *self = piw_zalloc(sizeof(*self));
    self->gazer = owner;
    self->simple_url = options->simple_url;
    self->json_url = options->json_url;
    self->follows = options->follows;
    self->poll_ms = options->poll_ms;
    self->period_us = options->period_ms * 1000;
    self->batch_max = BATCH;
    self->seed = piw_table_seed();
    self->gazer->left = gazer_left_new(owner, options->simple_url, on_left_done, self);
    return self;
}

void gazer_projects_begin(gazer_projects *self, int64_t stored, int64_t compared_s)
{
    self->began = true;
    self->stored = stored;
    self->due_us = compared_s * 1000000 + self->period_us;
    gazer_projects_go(self);
}

void gazer_projects_free(gazer_projects **projects)
{
    gazer_projects *self = *projects;
    if (self == NULL)
        return;
    for (size_t i = 0; i < WINDOW; i++)
        clear(&self->window[i]);
    end_pass(self);
    free(self->hashes);
    gazer_left_free(&self->gazer->left);
    free(self);
    *projects = NULL;
}
