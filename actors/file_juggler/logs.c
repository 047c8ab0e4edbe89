/* logs.c — logs of builds without wheels that lie in the journal: a build's row doesn't wait for its log's file, which a worker makes
 * meanwhile, those of many builds in one job. PUBLISH waits for it. So it does for all files of a build that lies in the journal as a
 * whole (small.c), which are made once the row is there.
 *
 * Only what is short lies there. While logs can't be put in place a build's own is waited for before its row, as that of a
 * build with a long one always is. */
#include "juggler.h"

#include "fs.piw.h"
#include "jobs.h"
#include "log_file.h"
#include "shared/site_path.h"
#include "shared/text.h"

#include <stdlib.h>
#include <string.h>

enum {
    SHORT_MAX = 16384, /* bytes */
    AT_ONCE_MAX = 200, /* in one job: the first mustn't wait for long */
};

static bool is_build(const piw_table_node *node, const void *key)
{
    return PIW_TABLE_ENTRY(node, const waiting_log, by_id)->saved.build_id == *(const int64_t *)key;
}

static waiting_log *find(const juggler *self, int64_t build_id)
{
    piw_table_node *node = piw_table_find(&self->logs, piw_table_hash_u64((uint64_t)build_id), is_build, &build_id);
    return node == NULL ? NULL : PIW_TABLE_ENTRY(node, waiting_log, by_id);
}

/* One after the other; NULL begins and ends. */
static waiting_log *next(const juggler *self, const waiting_log *log)
{
    piw_table_node *node = piw_table_next(&self->logs, log == NULL ? NULL : &log->by_id);
    return node == NULL ? NULL : PIW_TABLE_ENTRY(node, waiting_log, by_id);
}

bool logs_waits(const juggler *self, int64_t build_id)
{
    return find(self, build_id) != NULL;
}

/* No job is at it (any more). */
static void line_up(juggler *self, waiting_log *log)
{
    log->saved.busy = false;
    log->next = NULL;
    if (self->logs_first == NULL)
        self->logs_end = &self->logs_first;
    *self->logs_end = log;
    self->logs_end = &log->next;
}

static waiting_log *take_first(juggler *self)
{
    waiting_log *log = self->logs_first;
    self->logs_first = log->next;
    return log;
}

static waiting_log *add(juggler *self, const juggler_log *saved)
{
    waiting_log *log = piw_zalloc(sizeof(*log));
    log->saved = *saved;
    log->thrown_away = saved->thrown_away != NULL && *saved->thrown_away;
    log->saved.thrown_away = NULL;
    piw_table_add(&self->logs, &log->by_id, piw_table_hash_u64((uint64_t)saved->build_id));
    if (!saved->busy)
        line_up(self, log);
    return log;
}

/* It isn't in the line. */
static void forget(juggler *self, waiting_log *log)
{
    piw_table_remove(&self->logs, &log->by_id);
    free(log);
}

void logs_fini(juggler *self)
{
    waiting_log *log = next(self, NULL);
    while (log != NULL) {
        waiting_log *following = next(self, log);
        forget(self, log);
        log = following;
    }
    piw_table_fini(&self->logs);
}

/* --- Before the row ----------------------------------------------------------------------------------------------------- */

bool logs_takes(const juggler *self, const fs_STAGE *stage)
{
    return piw_blob_size(stage->output) <= SHORT_MAX && !self->logs_failed &&
           !journal_late(&self->journal, stage->build_id);
}

static int note(juggler *self, const fs_STAGE *stage, piw_err *err)
{
    journal_build *body;
    piw_msg *record = juggler_describe(stage->build_id, stage->package, stage->view, &body);
    body->log = piw_msg_blob(record, stage->output);
    int rc = job_keeping_begins(stage->build_id, err);
    if (rc != 0) {
        piw_msg_free(&record);
        return rc;
    }
    rc = juggler_note(self, record, err);
    return rc == 0 ? job_keeping_ends(stage->build_id, err) : rc;
}

int logs_stage(piw_task *task, piw_msg *msg)
{
    juggler *self = piw_soul(task);
    const fs_STAGE *stage = fs_STAGE_of(msg);
    piw_err err = {0};
    if (find(self, stage->build_id) == NULL) {
        int rc = note(self, stage, &err);
        if (rc != 0)
            return piw_refuse(task, msg, rc, "%s", err.text);
        add(self, &(juggler_log){.build_id = stage->build_id});
    }
    piw_msg *answer = fs_STAGE_reply_new();
    int rc = piw_reply(task, msg, &answer);
    piw_msg_free(&answer);
    return rc == 0 ? logs_go(task) : rc;
}

/* --- Into their place --------------------------------------------------------------------------------------------------- */

/* What else is to be done of it is found out as of a build that was left (file_juggler.c). */
static void leave(juggler *self, int64_t build_id)
{
    if (self->left_count == self->left_room) {
        self->left_room = self->left_room == 0 ? 16 : 2 * self->left_room;
        self->left = piw_realloc(self->left, self->left_room * sizeof(*self->left));
    }
    self->left[self->left_count++] = build_id;
}

/* It lies in its place, or nowhere: whoever waits for that goes on. */
static int placed(piw_task *task, waiting_log *log)
{
    juggler *self = piw_soul(task);
    const juggler_log it = log->saved;
    /* Is it to follow its namesake, of which the database thinks the same? Or is its mark to be removed once more? */
    bool again = log->replaced;
    forget(self, log);
    again = !small_forget(self, it.build_id) || again;
    if (again)
        leave(self, it.build_id);
    else if (it.publish.id != 0 || it.over)
        juggler_ended(self, it.build_id);
    if (it.publish.id == 0)
        return 0;
    piw_msg *answer = fs_PUBLISH_reply_new();
    int rc = piw_answer(task, it.publish, &answer);
    piw_msg_free(&answer);
    return rc;
}

/* The job came to nothing: its logs wait again. `begun`: some may be in their place. */
static void come_back(juggler *self, bool begun)
{
    self->logs_running = false;
    for (waiting_log *log = next(self, NULL), *following; log != NULL; log = following) {
        following = next(self, log);
        if (!log->saved.busy)
            continue;
        log->saved.again = log->saved.again || begun;
        if (!log->thrown_away) {
            line_up(self, log);
            continue;
        }
        if (begun)
            juggler_remove_log(self, log->saved.build_id);
        juggler_ended(self, log->saved.build_id);
        forget(self, log);
    }
}

/* NULL for a build without wheels. */
static const placed_wheel *describe_wheel(const juggler *self, piw_msg *job, const waiting_log *log,
                                          const journal_build *build)
{
    char home[PIW_PATH_MAX];
    if (!small_has_wheel(build) || !piw_path_view(home, self->root, build->view))
        return NULL;
    placed_wheel *to = piw_msg_alloc(job, sizeof(*to));
    to->home = piw_msg_textz(job, home);
    to->package = piw_text_copy(job, build->package);
    to->filename = piw_text_copy(job, build->wheels.at[0]);
    to->kept = log->kept[0];
    to->second = build->wheels.count > 1 ? piw_text_copy(job, build->wheels.at[1]) : piw_msg_textz(job, "");
    to->second_kept = log->kept[1];
    piw_value_copy(job, noted_wheel_type(), build->wheel, &to->wheel);
    return to;
}

static piw_msg *make_job(piw_task *task)
{
    juggler *self = piw_soul(task);
    place_logs *body;
    piw_msg *job = place_logs_new(&body);
    uint32_t files = 0;
    body->root = piw_msg_textz(job, self->root);
    piw_msg_list(job, &body->logs, AT_ONCE_MAX);
    body->logs.count = 0;
    while (self->logs_first != NULL && body->logs.count < AT_ONCE_MAX) {
        waiting_log *log = take_first(self);
        const journal_entry *known = journal_find(&self->journal, log->saved.build_id);
        if (known == NULL || known->build->log == NULL) { /* it can't be read, as was said */
            if (placed(task, log) != 0)
                piw_debug("the task that waited for a build's log has gone");
            continue;
        }
        log->saved.busy = true;
        place_logs_logs *to = &body->logs.at[body->logs.count++];
        *to = (place_logs_logs){.build_id = log->saved.build_id,
                                .again = log->saved.again,
                                .output = piw_msg_blob(job, known->build->log),
                                .wheel = describe_wheel(self, job, log, known->build),
                                .ready = ready_take(self, job, log->saved.build_id)};
        files += to->ready != NULL ? 0 : to->wheel != NULL ? READY_FILES : 1;
    }
    int64_t *room = piw_msg_alloc(job, sizeof(*room));
    *room = ready_room(self, files);
    body->room = room;
    return job;
}

int logs_go(piw_task *task)
{
    juggler *self = piw_soul(task);
    if (self->logs_running || self->logs_first == NULL || self->site_away)
        return 0;
    piw_msg *job = make_job(task);
    self->logs_running = place_logs_of(job)->logs.count > 0;
    int rc = self->logs_running ? piw_work(task, job_place_logs, &job, PIW_ON(logs_placed), 0) : 0;
    if (rc != 0) {
        ready_drop_of(place_logs_of(job));
        come_back(self, false);
    }
    piw_msg_free(&job);
    return rc;
}

static bool has_wheel(juggler *self, int64_t build_id)
{
    const journal_entry *known = journal_find(&self->journal, build_id);
    return known != NULL && small_has_wheel(known->build);
}

/* A log is tried again by who waits for it, or with the next sync. Where there is a wheel, whatever was published under its name since
 * may be another's, or be quarantined: that is found out as of a build that was left. */
static int failed(piw_task *task, waiting_log *log, int code, const char *why)
{
    juggler *self = piw_soul(task);
    int64_t build_id = log->saved.build_id;
    piw_outage_goes_on(&self->troubles[TROUBLE_JOB], PIW_LOG_ERROR, 0, "%s", why);
    piw_token publish = log->saved.publish;
    log->saved.publish = (piw_token){0};
    if (has_wheel(self, build_id)) {
        self->small_failed = true;
        forget(self, log);
        leave(self, build_id);
    } else {
        self->logs_failed = true;
        line_up(self, log);
    }
    return publish.id == 0 ? 0 : piw_answer_error(task, publish, code, "%s", why);
}

static int take(piw_task *task, const place_logs_reply_logs *done)
{
    juggler *self = piw_soul(task);
    waiting_log *log = find(self, done->build_id);
    if (log == NULL)
        return 0; /* of a soul before */
    log->replaced = log->replaced || (done->replaced != NULL && *done->replaced);
    if (done->code != 0 && !log->thrown_away)
        return failed(task, log, (int)done->code, done->why.s);
    if (log->thrown_away) {
        if (!done->foreign)
            juggler_remove_log(self, done->build_id);
        return placed(task, log);
    }
    const journal_entry *known = journal_find(&self->journal, done->build_id);
    if (known != NULL)
        tell_placed(task, known->build->view, done->placed);
    if (known != NULL && done->foreign && !small_has_wheel(known->build)) {
        journal_build *body;
        piw_err err = {0};
        piw_msg *record = juggler_describe(done->build_id, known->build->package, known->build->view, &body);
        body->foreign_log = true;
        if (juggler_note(self, record, &err) != 0)
            piw_debug("that build %lld has a log of somebody else's isn't noted", (long long)done->build_id);
    }
    return placed(task, log);
}

bool logs_placed(piw_task *task, const piw_msg *reply)
{
    juggler *self = piw_soul(task);
    if (piw_msg_error(reply) != 0) { /* the pool's own */
        self->logs_failed = true;
        piw_outage_goes_on(&self->troubles[TROUBLE_JOB], PIW_LOG_ERROR, 0, "%s", piw_msg_error_text(reply));
        come_back(self, true);
        return false;
    }
    self->logs_running = self->logs_failed = false;
    const place_logs_reply *done = place_logs_reply_of(reply);
    bool wheels = false;
    ready_cost(self, done->cost);
    for (uint32_t i = 0; i < done->logs.count; i++) {
        wheels = wheels || done->logs.at[i].placed != NULL;
        if (done->logs.at[i].placed != NULL && done->logs.at[i].code == 0)
            self->small_failed = false;
        if (take(task, &done->logs.at[i]) != 0) /* one that waits no more must not stand in the way of others */
            piw_debug("the task that waited for a build's log has gone");
    }
    if (!self->logs_failed && self->left_count == 0)
        piw_outage_over(&self->troubles[TROUBLE_JOB], "builds are put in place again");
    return wheels;
}

/* --- What else happens to its build ------------------------------------------------------------------------------------- */

static bool names(const fs_PUBLISH *publish, piw_text wheel)
{
    for (uint32_t i = 0; i < publish->kept.count; i++)
        if (piw_text_eq(publish->kept.at[i], wheel))
            return true;
    return false;
}

static void keep_published(waiting_log *log, const journal_build *build, const fs_PUBLISH *publish)
{
    for (uint32_t i = 0; i < 2; i++)
        log->kept[i] = i < build->wheels.count && names(publish, build->wheels.at[i]);
}

int logs_publish(piw_task *task, piw_msg *msg)
{
    juggler *self = piw_soul(task);
    const fs_PUBLISH *publish = fs_PUBLISH_of(msg);
    int64_t build_id = publish->build_id;
    const journal_entry *known = journal_find(&self->journal, build_id);
    waiting_log *log = find(self, build_id);
    if (log == NULL)
        log = add(self, &(juggler_log){.build_id = build_id});
    if (known != NULL && small_has_wheel(known->build)) {
        log->saved.over = true;
        keep_published(log, known->build, publish);
    }
    piw_token before = log->saved.publish;
    int rc = piw_defer(task, msg, &log->saved.publish);
    if (rc == 0 && before.id != 0)
        rc = piw_drop_token(task, before, "it was asked again");
    return rc == 0 ? logs_go(task) : rc;
}

bool logs_over(juggler *self, int64_t build_id)
{
    waiting_log *log = find(self, build_id);
    if (log != NULL)
        log->saved.over = true;
    return log != NULL;
}

void logs_throw_away(juggler *self, int64_t build_id)
{
    waiting_log *log = find(self, build_id);
    if (log == NULL)
        return;
    if (log->saved.busy) {
        log->thrown_away = true;
        return;
    }
    waiting_log **at = &self->logs_first;
    while (*at != log)
        at = &(*at)->next;
    *at = log->next;
    if (*at == NULL)
        self->logs_end = at;
    forget(self, log);
}

/* --- Over a swap, and after a start ------------------------------------------------------------------------------------- */

void logs_save(const juggler *self, piw_msg *msg, file_juggler_state *body)
{
    juggler_logs *logs = piw_msg_alloc(msg, sizeof(*logs));
    piw_msg_list(msg, &logs->at, self->logs.count);
    logs->at.count = 0;
    for (const waiting_log *log = next(self, NULL); log != NULL; log = next(self, log)) {
        if (!log->saved.busy)
            continue;
        bool *thrown_away = piw_msg_alloc(msg, sizeof(*thrown_away));
        *thrown_away = log->thrown_away;
        juggler_log *to = &logs->at.at[logs->at.count++];
        *to = log->saved;
        to->thrown_away = thrown_away;
    }
    for (const waiting_log *log = self->logs_first; log != NULL; log = log->next)
        logs->at.at[logs->at.count++] = log->saved;
    body->logs = logs;
    juggler_kept *kept = piw_msg_alloc(msg, sizeof(*kept));
    piw_msg_list(msg, &kept->at, self->logs.count);
    kept->at.count = 0;
    for (const waiting_log *log = next(self, NULL); log != NULL; log = next(self, log))
        if (log->kept[0] || log->kept[1] || log->replaced)
            kept->at.at[kept->at.count++] =
                (juggler_kept_at){log->saved.build_id, log->kept[0], log->kept[1], log->replaced};
    body->kept = kept;
}

void logs_load(juggler *self, const file_juggler_state *state)
{
    for (uint32_t i = 0; state->logs != NULL && i < state->logs->at.count; i++) {
        const juggler_log *log = &state->logs->at.at[i];
        if (find(self, log->build_id) == NULL)
            add(self, log);
        /* Its end comes to us. Of one that is thrown away it may have come to nobody. */
        self->logs_running = self->logs_running || (log->busy && (log->thrown_away == NULL || !*log->thrown_away));
    }
    for (uint32_t i = 0; state->kept != NULL && i < state->kept->at.count; i++) {
        waiting_log *log = find(self, state->kept->at.at[i].build_id);
        if (log != NULL) {
            log->kept[0] = state->kept->at.at[i].wheel;
            log->kept[1] = state->kept->at.at[i].second;
            log->replaced = state->kept->at.at[i].replaced;
        }
    }
}

/* What can't be put in place now is tried again, as what comes while the task works. */
static void mend(juggler *self, const journal_build *build)
{
    char path[PIW_PATH_MAX];
    piw_err err = {0};
    bool foreign;
    if (!piw_path_log(path, self->root, build->build_id) || log_file_whole(path) ||
        job_place_log(&(job_place){.root = self->root}, build->build_id, build->log, true, &foreign, &err) == 0)
        return;
    piw_outage_goes_on(&self->troubles[TROUBLE_JOB], PIW_LOG_ERROR, 0, "%s", err.text);
    add(self, &(juggler_log){.build_id = build->build_id, .again = true});
}

void logs_mend(juggler *self)
{
    for (const journal_entry *at = journal_next(&self->journal, NULL); at != NULL;
         at = journal_next(&self->journal, at))
        if (at->state == JOURNAL_IS_OPEN && at->build != NULL && at->build->log != NULL && at->build->wheel == NULL &&
            !at->build->foreign_log)
            mend(self, at->build);
}
