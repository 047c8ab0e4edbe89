/* upkeep.c — free space, syncing, trash, and files that are due for removal. */
#include "juggler.h"

#include "db.piw.h"
#include "jobs.h"
#include "shared/atomic_file.h"
#include "shared/disk.h"
#include "shared/site_path.h"
#include "shared/text.h"
#include "stats.piw.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    DISK_EVERY_MS = 10000,
    REMOVALS_AT_ONCE = 100, /* each is two renames: far less than a handler's 10 ms */
    SYNC_EVERY_MS = 500,    /* a failed build's log is synced within a second of its row */
    PUBLISHED_MAX = 100000,
    BUSY_MS = 1000,
    LATE_LOG_MS = 10000, /* by then a job of a soul that has failed has put its logs in place */
};

int upkeep_begin(piw_task *task, const file_juggler_state *state)
{
    int64_t removals_ms = piw_option_number(task, "removals-every");
    int rc = piw_timer(task, PIW_ON(disk), 0, 0, DISK_EVERY_MS);
    if (rc == 0)
        rc = piw_timer(task, PIW_ON(removals), 0, removals_ms, removals_ms);
    /* A predecessor's goes on: set again at each of many swaps it would never come, and the journal only grow. */
    bool set = state != NULL && state->sync_run != NULL;
    return rc != 0 || set ? rc : piw_timer(task, PIW_ON(sync), 0, SYNC_EVERY_MS, SYNC_EVERY_MS);
}

/* --- Room on the disk --- */

int on_disk(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    juggler *self = piw_soul(task);
    int64_t size, free_bytes;
    counts_tell(task);
    if (self->site_away)
        return 0;
    if (piw_disk_room(self->root, &size, &free_bytes) != 0) {
        piw_err err = {0};
        piw_err_errno(&err, "can't find out how much room is left on the disk of %s", self->root);
        piw_outage_goes_on(&self->troubles[TROUBLE_ROOM], PIW_LOG_ERROR, 0, "%s", err.text);
        return 0;
    }
    piw_outage_over(&self->troubles[TROUBLE_ROOM], "how much room is left is known again");
    piw_msg *msg = stats_DISK_make(size, free_bytes);
    int rc = piw_cast(task, &msg);
    piw_msg_free(&msg);
    return rc;
}

/* --- Syncing --- */

int on_sync(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    juggler *self = piw_soul(task);
    int tried = self->logs_failed ? logs_go(task) : 0;
    ready_clear(self);
    if (tried != 0 || !self->unsynced || self->syncing || self->site_away)
        return tried;
    journal_sync_begins(&self->journal);
    self->sync_key = (uint64_t)piw_monotonic_ns();
    piw_msg *job = sync_site_make(juggler_root(self));
    int rc = piw_work(task, job_sync_site, &job, PIW_ON(synced), self->sync_key);
    piw_msg_free(&job);
    if (rc == 0) {
        self->unsynced = false;
        self->syncing = true;
    }
    return rc;
}

int on_synced(piw_task *task, piw_msg *reply, uint64_t key)
{
    juggler *self = piw_soul(task);
    if (!self->syncing || key != self->sync_key)
        return 0; /* from before the task began anew: our own is under way, or comes */
    self->syncing = false;
    piw_err err = {0};
    bool good = piw_msg_error(reply) == 0;
    if (!good)
        piw_err_set(&err, piw_msg_error(reply), "%s", piw_msg_error_text(reply));
    if (journal_sync_ends(&self->journal, good, &err) != 0 || !good) {
        self->unsynced = true;
        piw_outage_goes_on(&self->troubles[TROUBLE_SYNC], PIW_LOG_ERROR, 0, "%s", err.text);
    } else {
        piw_outage_over(&self->troubles[TROUBLE_SYNC], "what was put in place is synced again");
    }
    return 0;
}

void upkeep_over(juggler *self, int64_t build_id)
{
    ready_drop(self, build_id);
    if (!self->opened || logs_over(self, build_id))
        return;
    small_forget(self, build_id);
    juggler_ended(self, build_id);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Those that lie in the journal as a whole: a log of theirs that isn't whole is replaced when they are put in place. */
static void list_small(const juggler *self, piw_msg *job, check_logs *body)
{
    juggler_settled *others = piw_msg_alloc(job, sizeof(*others));
    piw_msg_list(job, &others->builds, self->journal.builds.count);
    others->builds.count = 0;
    for (const journal_entry *at = journal_next(&self->journal, NULL); at != NULL;
         at = journal_next(&self->journal, at))
        if (at->state == JOURNAL_IS_OPEN && at->build != NULL && small_has_wheel(at->build))
            others->builds.at[others->builds.count++] = at->build_id;
    if (others->builds.count > 0)
        qsort(others->builds.at, others->builds.count, sizeof(*others->builds.at), compare);
    body->others = others;
}

int upkeep_check_logs(piw_task *task)
{
    const juggler *self = piw_soul(task);
    if (self->journal.low == INT64_MAX)
        return 0;
    check_logs *body;
    piw_msg *job = check_logs_new(&body);
    body->root = piw_msg_textz(job, self->root);
    body->low = self->journal.low;
    list_small(self, job, body);
    int rc = piw_work_background(task, job_check_logs, &job, PIW_ON(logs_checked), 0);
    piw_msg_free(&job);
    return rc;
}

int on_logs_checked(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)task, (void)key;
    if (piw_msg_error(reply) != 0) {
        piw_error("logs that may have been lost in part when the machine went down can't be checked: %s",
                  piw_msg_error_text(reply));
        return 0;
    }
    const check_logs_reply *checked = check_logs_reply_of(reply);
    if (checked->lost.count > 0)
        piw_warning(
            "%u logs had not reached the disk before the machine went down and are lost: of build %lld and others",
            checked->lost.count, (long long)checked->lost.at[0]);
    return 0;
}

/* --- Trash --- */

static int empty(piw_task *task, piw_msg **job)
{
    int rc = empty_trash_of(*job)->paths.count == 0
                 ? 0
                 : piw_work_background(task, job_empty_trash, job, PIW_ON(trash_emptied), 0);
    piw_msg_free(job);
    return rc;
}

int on_trash_emptied(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    juggler *self = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        piw_outage_goes_on(&self->troubles[TROUBLE_TRASH], PIW_LOG_ERROR, 0, "%s", piw_msg_error_text(reply));
    else
        piw_outage_over(&self->troubles[TROUBLE_TRASH], "the trash is emptied again");
    return 0;
}

/* Move one thing into the trash and note its place in the job. */
static int throw_away(juggler *self, const char *path, piw_msg *job, piw_err *err)
{
    char trash[PIW_PATH_MAX];
    int rc = site_check(self, err);
    if (rc == 0)
        rc = piw_trash(self->root, path, trash, err);
    if (rc != 0)
        return rc;
    empty_trash *body = piw_msg_body(job, empty_trash_type());
    body->paths.at[body->paths.count++] = piw_msg_textz(job, trash);
    return 0;
}

/* Whoever comes after this soul knows it then by the journal. When that can't be written, the next start finds it as before. */
static void note_discarded(juggler *self, const journal_entry *known)
{
    const journal_build *build = known->build;
    journal_build *body;
    piw_err err = {0};
    piw_msg *record = juggler_describe(build->build_id, build->package, build->view, &body);
    piw_msg_list(record, &body->wheels, build->wheels.count);
    piw_texts_copy(record, build->wheels.at, build->wheels.count, body->wheels.at);
    body->foreign_log = build->foreign_log;
    bool *discarded = piw_msg_alloc(record, sizeof(*discarded));
    *discarded = true;
    body->discarded = discarded;
    if (juggler_note(self, record, &err) != 0)
        piw_debug("that build %lld is thrown away isn't noted", (long long)build->build_id);
}

int on_late_log(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    juggler *self = piw_soul(task);
    juggler_remove_log(self, (int64_t)key);
    upkeep_over(self, (int64_t)key);
    return 0;
}

int upkeep_discard_noted(piw_task *task)
{
    juggler *self = piw_soul(task);
    int rc = 0;
    for (const journal_entry *at = journal_next(&self->journal, NULL); rc == 0 && at != NULL;
         at = journal_next(&self->journal, at)) {
        if (at->state == JOURNAL_IS_OPEN && journal_is_discarded(at))
            rc = upkeep_discard(task, at->build_id);
    }
    return rc;
}

int upkeep_discard(piw_task *task, int64_t build_id)
{
    juggler *self = piw_soul(task);
    char path[PIW_PATH_MAX];
    const journal_entry *known = journal_find(&self->journal, build_id);
    bool open = known != NULL && known->state == JOURNAL_IS_OPEN;
    bool own_log = open && known->build->wheels.count == 0 && !known->build->foreign_log;
    logs_throw_away(self, build_id);
    if (own_log)
        juggler_remove_log(self, build_id);
    if (open && !journal_is_discarded(known))
        note_discarded(self, known);
    if (own_log && build_id < self->logs_late) { /* nobody hears of that job: until then the journal has the build */
        int rc = piw_timer(task, PIW_ON(late_log), (uint64_t)build_id, LATE_LOG_MS, 0);
        if (rc != 0)
            return rc;
    } else {
        upkeep_over(self, build_id);
    }
    if (!piw_path_staged(path, self->root, build_id, (piw_text){0})) {
        piw_warning("build %lld can't be thrown away: its number makes no path", (long long)build_id);
        return 0;
    }
    empty_trash *body;
    piw_msg *job = empty_trash_new(&body);
    piw_msg_list(job, &body->paths, 1);
    body->paths.count = 0;
    piw_err err = {0};
    int rc = throw_away(self, path, job, &err);
    if (rc != 0 && rc != PIW_ENOENT)
        piw_error("%s", err.text);
    return empty(task, &job);
}

/* --- Files that are due for removal --- */

static void forget_published(juggler *self)
{
    piw_msg_free(&self->published);
    self->published_count = 0;
}

void upkeep_published(juggler *self, piw_text package)
{
    file_juggler_state *body;
    if (self->published == NULL) {
        self->published = file_juggler_state_new(&body);
        piw_msg_list(self->published, &body->published, PUBLISHED_MAX);
        self->published_count = 0;
    }
    body = piw_msg_body(self->published, file_juggler_state_type());
    uint32_t n = self->published_count;
    if (n < PUBLISHED_MAX && (n == 0 || !piw_text_eq(body->published.at[n - 1], package))) {
        body->published.at[n] = piw_text_copy(self->published, package);
        self->published_count++;
    }
}

/* When the list is full nothing is known, so everything counts as published. */
static bool was_published(const juggler *self, piw_text package)
{
    const file_juggler_state *body = self->published == NULL ? NULL : file_juggler_state_of(self->published);
    for (uint32_t i = 0; body != NULL && i < self->published_count; i++) {
        if (piw_text_eq(body->published.at[i], package))
            return true;
    }
    return self->published_count == PUBLISHED_MAX;
}

int on_removals(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    juggler *self = piw_soul(task);
    piw_msg *call = db_REMOVALS_DUE_make(REMOVALS_AT_ONCE);
    int rc = piw_call(task, &call, PIW_ON(removals_due), 0, piw_option_number(task, "removals-every"));
    piw_msg_free(&call);
    if (rc == 0)
        forget_published(self);
    return rc;
}

/* What was removed while it was quarantined lies out of reach. */
static int remove_withheld(juggler *self, const char *home, const db_REMOVALS_DUE_reply_files *file, piw_msg *job,
                           piw_err *err)
{
    char wheel[PIW_PATH_MAX], metadata[PIW_PATH_MAX];
    if (!piw_path_withheld(wheel, home, file->package, file->filename))
        return 0;
    piw_err own_err = {0};
    int rc = throw_away(self, wheel, job, &own_err);
    if (rc != 0 && rc != PIW_ENOENT)
        return piw_err_set(err, rc, "%s", own_err.text);
    rc = piw_path_withheld_metadata(metadata, home, file->package, file->filename) ? piw_file_remove(metadata, err) : 0;
    *strrchr(wheel, '/') = '\0';
    rmdir(wheel);
    return rc;
}

/* The wheel and its metadata; the package's folder goes when it is empty. */
static int remove_file(juggler *self, const db_REMOVALS_DUE_reply_files *file, piw_msg *job, piw_err *err)
{
    char home[PIW_PATH_MAX], wheel[PIW_PATH_MAX], metadata[PIW_PATH_MAX], folder[PIW_PATH_MAX];
    if (!piw_path_view(home, self->root, file->view) || !piw_path_simple(wheel, home, file->package, file->filename) ||
        !piw_path_simple(folder, home, file->package, (piw_text){0}))
        return piw_err_set(err, PIW_EINVAL, "\"%s\" of \"%s\" makes no safe path", file->filename.s, file->package.s);
    int rc = throw_away(self, wheel, job, err);
    if (rc == PIW_ENOENT)
        *err = (piw_err){0};
    else if (rc != 0)
        return rc;
    if (piw_path_metadata(metadata, home, file->package, file->filename))
        rc = piw_file_remove(metadata, err);
    else
        rc = 0;
    rmdir(folder);
    return rc == 0 ? remove_withheld(self, home, file, job, err) : rc;
}

int on_removals_due(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    juggler *self = piw_soul(task);
    if (piw_msg_error(reply) != 0) {
        piw_outage_goes_on(&self->troubles[TROUBLE_REMOVALS], PIW_LOG_WARNING, 0,
                           "can't ask which files are due for removal: %s", piw_msg_error_text(reply));
        return 0;
    }
    const db_REMOVALS_DUE_reply *due = db_REMOVALS_DUE_reply_of(reply);
    bool failed = false;
    if (due->files.count == 0) {
        piw_outage_over(&self->troubles[TROUBLE_REMOVALS], "files are removed again");
        return 0;
    }
    if (self->withheld_busy) /* they may be just on their way out of reach, or back: then in neither place */
        return piw_timer(task, PIW_ON(removals), 0, BUSY_MS, piw_option_number(task, "removals-every"));
    empty_trash *trash;
    piw_msg *job = empty_trash_new(&trash);
    piw_msg_list(job, &trash->paths, 2 * due->files.count); /* here, and out of reach */
    trash->paths.count = 0;
    db_REMOVALS_DONE *done;
    piw_msg *cast = db_REMOVALS_DONE_new(&done);
    piw_msg_list(cast, &done->filenames, due->files.count);
    done->filenames.count = 0;
    files_of_views *of_views = piw_msg_alloc(cast, sizeof(*of_views));
    piw_msg_list(cast, &of_views->at, due->files.count);
    of_views->at.count = 0;
    done->of_views = of_views;
    for (uint32_t i = 0; i < due->files.count; i++) {
        const db_REMOVALS_DUE_reply_files *file = &due->files.at[i];
        piw_err err = {0};
        if (was_published(self, file->package))
            continue;
        if (remove_file(self, file, job, &err) == 0) {
            if (file->view.len > 0)
                of_views->at.at[of_views->at.count++] =
                    (files_of_views_at){piw_text_copy(cast, file->view), piw_text_copy(cast, file->filename)};
            else
                done->filenames.at[done->filenames.count++] = piw_text_copy(cast, file->filename);
            tell_removed(task, file->view, file->package, &file->filename, 1);
        } else {
            piw_outage_goes_on(&self->troubles[TROUBLE_REMOVALS], PIW_LOG_ERROR, 0, "%s", err.text);
            failed = true;
        }
    }
    if (!failed)
        piw_outage_over(&self->troubles[TROUBLE_REMOVALS], "files are removed again");
    bool any = done->filenames.count + of_views->at.count > 0, more = due->files.count == REMOVALS_AT_ONCE && any;
    int rc = !any ? 0 : piw_cast(task, &cast);
    piw_msg_free(&cast);
    int trash_rc = empty(task, &job);
    if (rc == 0)
        rc = trash_rc;
    /* A full answer: there may be more. */
    return rc == 0 && more ? piw_timer(task, PIW_ON(removals), 0, 0, piw_option_number(task, "removals-every")) : rc;
}
