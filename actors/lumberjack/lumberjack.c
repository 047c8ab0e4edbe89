/* lumberjack — stores what the web server's log tells, in batches
 * (docs/web-logs.md#which-request-becomes-which-entry).
 *
 * Entries gather while a batch is under way and are sent when it is stored, or when there are enough for a batch of
 * their own; so batches grow with the load, and a lonely entry waits for nothing. A batch is kept until the database
 * has it. While the database is away the log queue is read until enough is kept; then ZeroMQ makes the senders wait. */
#include "batches.h"

#include "hits.piw.h"
#include "log.piw.h"
#include "piw/plugin.h"
#include "shared/web_log.h"

#include <stdlib.h>

static piw_continuation_fn on_stored, on_again;

enum { PAUSE_MS = 1000, BAD_PER_MINUTE = 10 };

typedef struct lumberjack {
    batches batches;
    bool paused; /* it isn't known whether the database has stored the batch: waits before the next try */
    bool handed_over;
    uint64_t drops; /* by this soul */
    piw_log_limiter bad;
    piw_outage unstored, dropping; /* entries have to wait; those of a web server can't */
} lumberjack;

/* --- To the database --------------------------------------------------------------------------------------------- */

static int send(piw_task *task, lumberjack *self, batch *b)
{
    piw_msg *call = piw_msg_copy(b->msg);
    int rc = piw_call(task, &call, PIW_ON(stored), (uint64_t)b->number, -1);
    piw_msg_free(&call);
    if (rc == 0)
        batches_sent(&self->batches, b, true);
    return rc;
}

static int try_later(piw_task *task, lumberjack *self)
{
    int rc = self->paused ? 0 : piw_timer(task, PIW_ON(again), 0, PAUSE_MS, 0);
    if (rc == 0)
        self->paused = true;
    return rc;
}

/* Send what is full; when nothing is under way, also what isn't. */
static void go_on(piw_task *task, lumberjack *self)
{
    batches *all = &self->batches;
    if (!self->paused && all->under_way == 0)
        batches_close(all);
    batch *b;
    int rc = 0;
    while (!self->paused && rc == 0 && (b = batches_next(all, false)) != NULL)
        rc = send(task, self, b);
    if (rc != 0) {
        piw_outage_goes_on(&self->unstored, PIW_LOG_WARNING, 0, "log entries can't be sent on now: %s",
                           piw_err_name(rc));
        try_later(task, self);
    }
    if (all->kept >= KEPT_MAX)
        piw_queues_rest(task, true);
    else if (all->kept <= KEPT_LOW)
        piw_queues_rest(task, false);
}

static int on_idle(piw_task *task)
{
    lumberjack *self = piw_soul(task);
    self->handed_over = false;
    if (self->batches.kept > 0)
        go_on(task, self);
    return 0;
}

/* The data of one entry are at fault: it goes alone. */
static void give_up(lumberjack *self, batch *b, const char *why)
{
    char text[300];
    batch_print(b, text, sizeof(text));
    piw_log_limited(&self->bad, BAD_PER_MINUTE, PIW_LOG_WARNING, "a log entry is dropped: %s: %s", why, text);
    batches_end(&self->batches, b);
}

/* It isn't known whether the batch was stored (the_oracle may have failed): send the same batch again. The database
 * ignores one that it has already. */
static int send_later(piw_task *task, lumberjack *self, batch *b, const char *why)
{
    piw_outage_goes_on(&self->unstored, PIW_LOG_WARNING, 0, "%u log entries have to wait for the database: %s",
                       batch_count(b), why);
    int rc = try_later(task, self);
    if (rc == 0)
        batches_sent(&self->batches, b, false);
    return rc;
}

static int on_stored(piw_task *task, piw_msg *reply, uint64_t key)
{
    lumberjack *self = piw_soul(task);
    self->handed_over = false;
    batch *b = batches_find(&self->batches, (int64_t)key);
    int code = piw_msg_error(reply), rc = 0;
    if (b == NULL)
        return 0;
    if (code == 0) {
        piw_outage_over(&self->unstored, "log entries are stored again");
        piw_outage_over(&self->dropping, "requests to the web server are recorded again");
        batches_end(&self->batches, b);
    } else if (code != PIW_EDB)
        rc = send_later(task, self, b, piw_msg_error_text(reply));
    else if (batch_count(b) > 1)
        batches_split(&self->batches, b);
    else
        give_up(self, b, piw_msg_error_text(reply));
    if (rc == 0)
        go_on(task, self);
    return rc;
}

static int on_again(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    lumberjack *self = piw_soul(task);
    self->paused = false;
    go_on(task, self);
    return 0;
}

/* --- From the log queue ------------------------------------------------------------------------------------------ */

static bool good_host(lumberjack *self, const piw_msg *msg, piw_text subject, piw_text host)
{
    if (piw_log_host_valid(piw_log_host(host)))
        return true;
    piw_log_limited(&self->bad, BAD_PER_MINUTE, PIW_LOG_WARNING,
                    "a log entry is dropped: %s of %.*s by \"%.*s\", which is no IP address",
                    piw_msg_type_of(msg)->name, (int)piw_log_prefix(subject, 100), subject.s,
                    (int)piw_log_prefix(host, 100), host.s);
    return false;
}

/* An entry has been taken in. What makes no full batch is sent when the queue is empty. */
static int taken(piw_task *task, lumberjack *self, bool full)
{
    self->handed_over = false;
    if (full || self->batches.kept >= KEPT_MAX)
        go_on(task, self);
    return 0;
}

static int take_download(piw_task *task, piw_msg *msg, const download *entry)
{
    lumberjack *self = piw_soul(task);
    if (!good_host(self, msg, entry->filename, entry->host))
        return 0;
    return taken(task, self, batches_add_download(&self->batches, entry));
}

static int take_search(piw_task *task, piw_msg *msg, const search *entry)
{
    lumberjack *self = piw_soul(task);
    if (!good_host(self, msg, entry->package, entry->host))
        return 0;
    return taken(task, self, batches_add_search(&self->batches, entry));
}

static int take_hit(piw_task *task, piw_msg *msg, log_kind kind, const hit *entry)
{
    lumberjack *self = piw_soul(task);
    if (!good_host(self, msg, entry->subject, entry->host))
        return 0;
    return taken(task, self, batches_add_hit(&self->batches, kind, entry));
}

static int on_download(piw_task *task, piw_msg *msg)
{
    return take_download(task, msg, log_LOGDOWNLOAD_of(msg));
}

static int on_search(piw_task *task, piw_msg *msg)
{
    return take_search(task, msg, log_LOGSEARCH_of(msg));
}

static int on_project(piw_task *task, piw_msg *msg)
{
    return take_hit(task, msg, KIND_PROJECT, log_LOGPROJECT_of(msg));
}

static int on_json(piw_task *task, piw_msg *msg)
{
    return take_hit(task, msg, KIND_JSON, log_LOGJSON_of(msg));
}

static int on_page(piw_task *task, piw_msg *msg)
{
    return take_hit(task, msg, KIND_PAGE, log_LOGPAGE_of(msg));
}

/* --- From a web server of the master's own ------------------------------------------------------------------------ */

/* The log queue rests when enough is kept, and its senders wait; this one can't wait. */
static bool dropped(lumberjack *self)
{
    if (self->batches.kept < KEPT_MAX)
        return false;
    self->drops++;
    piw_outage_goes_on(&self->dropping, PIW_LOG_WARNING, 0,
                       "%llu requests to the web server couldn't be recorded so far: the database is away for too long",
                       (unsigned long long)self->drops);
    return true;
}

static int on_hit_download(piw_task *task, piw_msg *msg)
{
    return dropped(piw_soul(task)) ? 0 : take_download(task, msg, hits_DOWNLOAD_of(msg));
}

static int on_hit_search(piw_task *task, piw_msg *msg)
{
    return dropped(piw_soul(task)) ? 0 : take_search(task, msg, hits_SEARCH_of(msg));
}

static int on_hit_project(piw_task *task, piw_msg *msg)
{
    return dropped(piw_soul(task)) ? 0 : take_hit(task, msg, KIND_PROJECT, hits_PROJECT_of(msg));
}

static int on_hit_json(piw_task *task, piw_msg *msg)
{
    return dropped(piw_soul(task)) ? 0 : take_hit(task, msg, KIND_JSON, hits_JSON_of(msg));
}

static int on_hit_page(piw_task *task, piw_msg *msg)
{
    return dropped(piw_soul(task)) ? 0 : take_hit(task, msg, KIND_PAGE, hits_PAGE_of(msg));
}

/* --- The soul ----------------------------------------------------------------------------------------------------- */

static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    lumberjack *self = piw_soul(task);
    *state = batches_save(&self->batches, self->paused);
    self->handed_over = true;
    return 0;
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    (void)err;
    lumberjack *self = piw_zalloc(sizeof(*self));
    const lumberjack_state *kept = state != NULL ? lumberjack_state_of(state) : NULL;
    batches_init(&self->batches, kept);
    self->paused = kept != NULL && kept->paused;
    self->handed_over = kept != NULL; /* nothing is lost with this soul before it has done anything */
    piw_soul_set(task, self);
    return 0;
}

static void stop(piw_task *task, bool leaving)
{
    lumberjack *self = piw_soul(task);
    batches *all = &self->batches;
    uint32_t waiting = all->kept - all->under_way;
    batch *b;
    int rc = 0;
    batches_close(all);
    while (leaving && waiting > 0 && rc == 0 && (b = batches_next(all, true)) != NULL)
        rc = send(task, self, b);
    if (!self->handed_over && waiting > 0 && (!leaving || rc != 0))
        piw_error("%u log entries are lost", waiting);
    piw_soul_set(task, NULL);
    batches_fini(all);
    free(self);
}

static const piw_service serves[] = {{"hits", &hits_protocol_def}, PIW_SERVICES_END};
static const piw_service uses[] = {{"db", &db_protocol_def}, PIW_SERVICES_END};
static const piw_service queues[] = {{"log", &log_protocol_def}, PIW_SERVICES_END};
static const char *const needs[] = {"db", NULL};
static const piw_handler handlers[] = {
    {&log_protocol_def, LOG_LOGDOWNLOAD, on_download},
    {&log_protocol_def, LOG_LOGSEARCH, on_search},
    {&log_protocol_def, LOG_LOGPROJECT, on_project},
    {&log_protocol_def, LOG_LOGJSON, on_json},
    {&log_protocol_def, LOG_LOGPAGE, on_page},
    {&hits_protocol_def, HITS_DOWNLOAD, on_hit_download},
    {&hits_protocol_def, HITS_SEARCH, on_hit_search},
    {&hits_protocol_def, HITS_PROJECT, on_hit_project},
    {&hits_protocol_def, HITS_JSON, on_hit_json},
    {&hits_protocol_def, HITS_PAGE, on_hit_page},
    PIW_HANDLERS_END,
};
static const piw_continuation continuations[] = {
    PIW_CONTINUATION(stored),
    PIW_CONTINUATION(again),
    PIW_CONTINUATIONS_END,
};

PIW_PLUGIN(lumberjack, .version = "1.0", .summary = "stores the web server's log entries in batches", .serves = serves,
           .uses = uses, .needs = needs, .queues = queues, .state_protocol = &lumberjack_protocol_def,
           .state_message = LUMBERJACK_STATE, .start = start, .stop = stop, .save = save, .idle = on_idle,
           .handlers = handlers, .continuations = continuations);
