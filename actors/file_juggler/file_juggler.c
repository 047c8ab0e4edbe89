/* file_juggler.c — file_juggler — receives wheels, checks them, stages builds, and puts what is recorded in place
 * (docs/site.md#order-of-publication). */
#include "jobs.h"
#include "juggler.h"

#include "db.piw.h"
#include "events.piw.h"
#include "file.piw.h"
#include "fs.piw.h"
#include "piw/fault.h"
#include "piw/plugin.h"
#include "seals.piw.h"
#include "shared/atomic_file.h"
#include "shared/file_check.h"
#include "shared/names.h"
#include "shared/site_path.h"
#include "shared/text.h"
#include "shared/views.h"
#include "stats.piw.h"
#include "transfers.piw.h"
#include "web.piw.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* When wheels of so many bytes lie in the journal those in their places are synced at once: a swap reads it. */
enum { SYNCED_SOONER = 2 << 20 };

static piw_continuation_fn on_staged, on_sealed, on_published;

/* --- The service --- */

static piw_msg *describe_transfer(const fs_EXPECT *expect)
{
    file_juggler_state *body;
    piw_msg *msg = file_juggler_state_new(&body);
    piw_msg_list(msg, &body->transfers, 1);
    juggler_transfer *t = &body->transfers.at[0];
    t->slave_id = expect->slave_id;
    t->build_id = expect->build_id;
    t->block = BLOCK_SIZE;
    t->address = piw_text_copy(msg, expect->peer_address);
    t->package = piw_text_copy(msg, expect->package);
    t->filename = piw_text_copy(msg, expect->file.filename);
    t->filehash = piw_text_copy(msg, expect->file.filehash);
    t->size = expect->file.filesize;
    if (expect->token.s != NULL)
        t->token = piw_text_copy(msg, expect->token);
    piw_value_copy(msg, file_state_type(), &expect->file, &t->state);
    return msg;
}

static int on_expect(piw_task *task, piw_msg *msg)
{
    juggler *self = piw_soul(task);
    const fs_EXPECT *expect = fs_EXPECT_of(msg);
    piw_err site_err = {0};
    if (site_check(self, &site_err) != 0)
        return piw_refuse(task, msg, PIW_EAGAIN, "%s", site_err.text);
    piw_err err = {0};
    int rc = piw_file_check(&expect->file, expect->package, &err);
    if (rc != 0)
        return piw_refuse(task, msg, rc, "%s", err.text);
    char folder[PIW_PATH_MAX];
    bool held = small_takes(self, expect);
    if (!held)
        small_forget(self, expect->build_id);
    if (!held && piw_path_staged(folder, self->root, expect->build_id, (piw_text){0}))
        piw_folder_reuse(self->root, folder, expect->build_id); /* else the transfer makes one */
    piw_msg *owner = describe_transfer(expect);
    transfer *t = transfers_of_slave(&self->transfers, expect->slave_id);
    rc = t == NULL ? 0 : early_abandon(task, t);
    if (rc == 0)
        rc = transfers_begin(&self->transfers, self->root, &owner, held, &t, &err);
    if (rc != 0) {
        piw_msg_free(&owner);
        piw_outage_goes_on(&self->troubles[TROUBLE_RECEIVE], PIW_LOG_ERROR, 0, "%s", err.text);
        return piw_refuse(task, msg, rc, "%s", err.text);
    }
    piw_outage_over(&self->troubles[TROUBLE_RECEIVE], "files are received again");
    early_expect(task, t, msg);
    piw_msg *answer = fs_EXPECT_reply_new();
    rc = piw_reply(task, msg, &answer);
    piw_msg_free(&answer);
    return rc;
}

static int answer_bad(piw_task *task, piw_msg *request, const char *why)
{
    fs_VERIFY_reply *body;
    piw_msg *answer = fs_VERIFY_reply_new(&body);
    body->why = piw_msg_textz(answer, why);
    int rc = piw_reply(task, request, &answer);
    piw_msg_free(&answer);
    return rc;
}

static int on_verify(piw_task *task, piw_msg *msg)
{
    juggler *self = piw_soul(task);
    const fs_VERIFY *verify = fs_VERIFY_of(msg);
    piw_err site_err = {0};
    if (site_check(self, &site_err) != 0)
        return piw_refuse(task, msg, PIW_EAGAIN, "%s", site_err.text);
    transfer *t = transfers_of_slave(&self->transfers, verify->slave_id);
    if (t == NULL || t->about->build_id != verify->build_id)
        return answer_bad(task, msg, "no transfer of the file was begun");
    if (t->map.missing > 0)
        return answer_bad(task, msg, "the transfer of the file was not finished");
    counts_received(self, t->about->size);
    if (juggler_last(t) != NULL)
        file_queue_yield(self);
    if (t->early.checking || t->held != NULL)
        return early_verify(task, msg, t);
    piw_token token;
    int rc = piw_defer(task, msg, &token);
    return rc == 0 ? early_check_now(task, t, token) : rc;
}

static int keep_the_log(piw_task *task, piw_msg *msg, bool staged, bool again)
{
    const juggler *self = piw_soul(task);
    const fs_STAGE *stage = fs_STAGE_of(msg);
    keep_log *body;
    piw_msg *job = keep_log_new(&body);
    body->root = piw_msg_textz(job, self->root);
    body->build_id = stage->build_id;
    body->package = piw_text_copy(job, stage->package);
    body->output = piw_msg_blob(job, stage->output);
    body->staged = staged;
    body->again = again;
    body->view = piw_text_copy_some(job, stage->view);
    piw_token token;
    int rc = piw_defer(task, msg, &token);
    if (rc == 0)
        rc = piw_work(task, job_keep_log, &job, PIW_ON(staged), token.id);
    piw_msg_free(&job);
    return rc;
}

static int sync_again(piw_task *task, piw_msg *msg, int64_t build_id)
{
    piw_token token;
    int rc = piw_defer(task, msg, &token);
    return rc == 0 ? syncs_ask(task, token, build_id, false) : rc;
}

/* A build without wheels is in the journal before its log is in place, so that no log is left behind without a row. */
static int on_stage(piw_task *task, piw_msg *msg)
{
    juggler *self = piw_soul(task);
    const fs_STAGE *stage = fs_STAGE_of(msg);
    file_queue_yield(self);
    piw_err site_err = {0};
    if (site_check(self, &site_err) != 0)
        return piw_refuse(task, msg, PIW_EAGAIN, "%s", site_err.text);
    if (!piw_name_is_canonical(stage->package))
        return piw_refuse(task, msg, PIW_EINVAL, "\"%s\" is no canonical package name", stage->package.s);
    const journal_entry *known = journal_find(&self->journal, stage->build_id);
    if (small_lies(self, stage->build_id)) /* its check saw to that, but its answer may have got lost */
        return sync_again(task, msg, stage->build_id);
    bool staged = juggler_is_staged(self, stage->build_id), open = known != NULL && known->state == JOURNAL_IS_OPEN;
    if (logs_waits(self, stage->build_id) || (!staged && !open && logs_takes(self, stage)))
        return logs_stage(task, msg);
    if (staged || open)
        return keep_the_log(task, msg, staged, known != NULL && !known->build->foreign_log);
    journal_build *body;
    piw_err err = {0};
    int rc = juggler_note(self, juggler_describe(stage->build_id, stage->package, stage->view, &body), &err);
    return rc == 0 ? keep_the_log(task, msg, false, false) : piw_refuse(task, msg, rc, "%s", err.text);
}

/* The end of a job whose answer says no more than that it is done. Takes the answer. */
static int finish(piw_task *task, const piw_msg *reply, uint64_t key, piw_msg *answer)
{
    juggler *self = piw_soul(task);
    piw_token token = {key};
    int rc;
    if (piw_msg_error(reply) != 0) {
        piw_outage_goes_on(&self->troubles[TROUBLE_JOB], PIW_LOG_ERROR, 0, "%s", piw_msg_error_text(reply));
        rc = piw_answer_error(task, token, piw_msg_error(reply), "%s", piw_msg_error_text(reply));
    } else {
        piw_outage_over(&self->troubles[TROUBLE_JOB], "builds are put in place again");
        rc = piw_answer(task, token, &answer);
    }
    piw_msg_free(&answer);
    return rc;
}

/* What the job has found out about a build, for the journal. */
static int note_kept(juggler *self, const keep_log_reply *kept, piw_err *err)
{
    if (!kept->staged && !kept->foreign_log)
        return 0;
    journal_build *body;
    piw_msg *record = juggler_describe(kept->build_id, kept->package, kept->view, &body);
    body->foreign_log = kept->foreign_log;
    piw_msg_list(record, &body->wheels, kept->wheels.count);
    for (uint32_t i = 0; i < kept->wheels.count; i++)
        body->wheels.at[i] = piw_text_copy(record, kept->wheels.at[i]);
    return juggler_note(self, record, err);
}

/* While its log was being kept? */
static bool is_thrown_away(juggler *self, const keep_log_reply *kept)
{
    const journal_entry *known = journal_find(&self->journal, kept->build_id);
    return kept->staged ? !juggler_is_staged(self, kept->build_id) : known == NULL || known->state != JOURNAL_IS_OPEN;
}

static int on_staged(piw_task *task, piw_msg *reply, uint64_t key)
{
    juggler *self = piw_soul(task);
    piw_token token = {key};
    if (piw_msg_error(reply) != 0)
        return finish(task, reply, key, NULL);
    const keep_log_reply *kept = keep_log_reply_of(reply);
    piw_err err = {0};
    if (is_thrown_away(self, kept)) {
        if (!kept->staged && !kept->foreign_log)
            juggler_remove_log(self, kept->build_id);
        return piw_answer_error(task, token, PIW_EAGAIN, "build %lld was thrown away meanwhile",
                                (long long)kept->build_id);
    }
    int rc = note_kept(self, kept, &err);
    if (rc != 0)
        return piw_answer_error(task, token, rc, "%s", err.text);
    if (kept->staged || journal_late(&self->journal, kept->build_id))
        return syncs_ask(task, token, kept->build_id, false);
    return finish(task, reply, key, fs_STAGE_reply_new());
}

static void copy_seal(piw_msg *into, const build_row *row, sealed_build *to)
{
    const sealed_build seal = {.slave_id = row->slave_id,
                               .version = row->version,
                               .abi_tag = row->abi_tag,
                               .status = row->status,
                               .duration = row->duration,
                               .files = {row->files.count, row->files.at},
                               .queue = row->queue};
    piw_value_copy(into, sealed_build_type(), &seal, to);
}

/* A build without wheels is sealed in the journal, and one that lies there as a whole. */
static int seal_unstaged(piw_task *task, piw_msg *msg)
{
    juggler *self = piw_soul(task);
    const build_row *seal = fs_SEAL_of(msg);
    const journal_entry *known = journal_find(&self->journal, seal->build_id);
    journal_build *body;
    piw_msg *record = juggler_describe(seal->build_id, seal->package, seal->view, &body);
    body->foreign_log = known != NULL && known->build->foreign_log;
    if (known != NULL && small_lies(self, seal->build_id))
        small_copy(record, body, known->build);
    else if (known != NULL && logs_waits(self, seal->build_id))
        body->log = piw_msg_blob(record, known->build->log);
    sealed_build *sealed = piw_msg_alloc(record, sizeof(*sealed));
    copy_seal(record, seal, sealed);
    body->sealed = sealed;
    piw_err err = {0};
    int rc = juggler_note(self, record, &err);
    if (rc == 0 && PIW_FAULT("juggler.sealed"))
        rc = piw_err_set(&err, PIW_ESYS, "build %lld can't be sealed: the fault point juggler.sealed is armed",
                         (long long)seal->build_id);
    if (rc != 0)
        return piw_refuse(task, msg, rc, "%s", err.text);
    piw_token token;
    rc = piw_defer(task, msg, &token);
    return rc == 0 ? syncs_ask(task, token, seal->build_id, true) : rc;
}

static int on_seal(piw_task *task, piw_msg *msg)
{
    juggler *self = piw_soul(task);
    const build_row *seal = fs_SEAL_of(msg);
    piw_err site_err = {0};
    if (site_check(self, &site_err) != 0)
        return piw_refuse(task, msg, PIW_EAGAIN, "%s", site_err.text);
    if (!juggler_is_staged(self, seal->build_id))
        return seal_unstaged(task, msg);
    seal_build *body;
    piw_msg *job = seal_build_new(&body);
    body->root = piw_msg_textz(job, self->root);
    body->build_id = seal->build_id;
    body->package = piw_text_copy(job, seal->package);
    body->view = piw_text_copy_some(job, seal->view);
    copy_seal(job, seal, &body->sealed);
    piw_token token;
    int rc = piw_defer(task, msg, &token);
    if (rc == 0)
        rc = piw_work(task, job_seal_build, &job, PIW_ON(sealed), token.id);
    piw_msg_free(&job);
    return rc;
}

static int on_sealed(piw_task *task, piw_msg *reply, uint64_t key)
{
    return finish(task, reply, key, fs_SEAL_reply_new());
}

static int on_publish(piw_task *task, piw_msg *msg)
{
    juggler *self = piw_soul(task);
    const fs_PUBLISH *publish = fs_PUBLISH_of(msg);
    file_queue_yield(self);
    piw_err site_err = {0};
    if (site_check(self, &site_err) != 0)
        return piw_refuse(task, msg, PIW_EAGAIN, "%s", site_err.text);
    if (!piw_name_is_canonical(publish->package))
        return piw_refuse(task, msg, PIW_EINVAL, "\"%s\" is no canonical package name", publish->package.s);
    char home[PIW_PATH_MAX];
    if (!piw_path_view(home, self->root, publish->view))
        return piw_refuse(task, msg, PIW_EINVAL, "\"%s\" is no view's name", publish->view.s);
    bool lies = small_lies(self, publish->build_id);
    if (lies && unfinished_waits(self, publish->build_id))
        return piw_refuse(task, msg, PIW_EAGAIN, "build %lld waits for its turn to be put in place",
                          (long long)publish->build_id);
    if (lies)
        upkeep_published(self, publish->package);
    if (lies || logs_waits(self, publish->build_id))
        return logs_publish(task, msg);
    if (!juggler_is_staged(self, publish->build_id)) {
        upkeep_over(self, publish->build_id);
        piw_msg *answer = fs_PUBLISH_reply_new();
        int done = piw_reply(task, msg, &answer);
        piw_msg_free(&answer);
        return done;
    }
    publish_build *body;
    piw_msg *job = publish_build_new(&body);
    body->root = piw_msg_textz(job, self->root);
    body->home = piw_msg_textz(job, home);
    body->view = piw_text_copy_some(job, publish->view);
    body->build_id = publish->build_id;
    body->package = piw_text_copy(job, publish->package);
    piw_msg_list(job, &body->kept, publish->kept.count);
    piw_texts_copy(job, publish->kept.at, publish->kept.count, body->kept.at);
    piw_token token;
    int rc = piw_defer(task, msg, &token);
    if (rc == 0)
        rc = piw_work(task, job_publish_build, &job, PIW_ON(published), token.id);
    piw_msg_free(&job);
    if (rc == 0)
        upkeep_published(self, publish->package);
    return rc;
}

static int on_published(piw_task *task, piw_msg *reply, uint64_t key)
{
    juggler *self = piw_soul(task);
    int rc = 0;
    if (piw_msg_error(reply) == 0) {
        const publish_build_reply *done = publish_build_reply_of(reply);
        self->small_failed = false;
        tell_placed(task, done->view, done->placed);
        /* A namesake was out of reach: is this one, of which the database thinks the same, to follow it there? */
        if (done->replaced != NULL && *done->replaced)
            rc = unfinished_add(task, done->build_id);
        else
            upkeep_over(self, done->build_id);
    }
    self->unsynced = true;
    if (rc == 0)
        rc = withheld_published(task);
    return rc != 0 ? rc : finish(task, reply, key, fs_PUBLISH_reply_new());
}

/* Some may have to be looked at as if they had been left. */
static int finish_left(piw_task *task, juggler *self)
{
    int rc = 0;
    for (uint32_t i = 0; i < self->left_count; i++) {
        int added = unfinished_add(task, self->left[i]);
        rc = rc == 0 ? added : rc;
    }
    self->left_count = 0;
    return rc;
}

int on_logs_placed(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    juggler *self = piw_soul(task);
    bool wheels = logs_placed(task, reply);
    int rc = finish_left(task, self);
    if (rc == 0 && wheels)
        rc = withheld_published(task);
    if (rc == 0 && wheels && self->journal.open_size > SYNCED_SOONER)
        rc = on_sync(task, NULL, 0);
    return rc != 0 || self->logs_failed ? rc : logs_go(task);
}

static int on_recorded(piw_task *task, piw_msg *msg)
{
    upkeep_over(piw_soul(task), fs_RECORDED_of(msg)->build_id);
    return 0;
}

static int on_settle(piw_task *task, piw_msg *msg)
{
    const juggler *self = piw_soul(task);
    const fs_SETTLE *settle = fs_SETTLE_of(msg);
    if (!self->opened)
        return 0; /* all that lies there is unfinished then */
    return unfinished_settle(task, settle->builds.at, settle->builds.count);
}

static int on_withheld_asked(piw_task *task, piw_msg *msg)
{
    (void)msg;
    return withheld_look(task);
}

static int on_discard(piw_task *task, piw_msg *msg)
{
    juggler *self = piw_soul(task);
    const fs_DISCARD *discard = fs_DISCARD_of(msg);
    int rc = upkeep_discard(task, discard->build_id);
    transfer *t = transfers_of_slave(&self->transfers, discard->slave_id);
    if (rc != 0 || t == NULL || t->about->build_id != discard->build_id)
        return rc;
    rc = early_abandon(task, t);
    transfers_end(&self->transfers, t);
    return rc;
}

/* --- The soul --- */

static void free_soul(juggler *self)
{
    transfers_fini(&self->transfers);
    piw_msg_free(&self->published);
    piw_msg_free(&self->reading);
    piw_msg_free(&self->counts);
    journal_close(&self->journal);
    free(self->waiting);
    free(self->left);
    free(self->early);
    ready_fini(self);
    logs_fini(self);
    free(self->unfinished);
    free(self->root);
    free(self);
}

static int begin(piw_task *task, juggler *self, const piw_msg *state, piw_err *err)
{
    piw_err ignored_err = {0};
    bool there = piw_site_there(self->root, &ignored_err) == 0;
    int rc = there || state != NULL ? juggler_open(task, state, err) : 0;
    if (rc == 0)
        rc = upkeep_begin(task, state == NULL ? NULL : file_juggler_state_of(state));
    if (rc == 0)
        rc = withheld_begin(task);
    if (rc == 0)
        rc = wheel_pass_begin(task, PASS_METADATA);
    if (rc == 0 && self->views)
        rc = wheel_pass_begin(task, PASS_NEEDS);
    return rc == 0 ? site_watch_begin(task) : rc;
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    const char *root = piw_setting(task, "output-path");
    piw_views views;
    if (root == NULL || root[0] != '/')
        return piw_err_set(err, PIW_ECONFIG, "the output path \"%s\" is no absolute path", root == NULL ? "" : root);
    int found = piw_views_of_task(&views, task, err);
    if (found != 0)
        return found;
    juggler *self = piw_zalloc(sizeof(*self));
    self->root = piw_strdup(root);
    self->transfers_pace = PACE_TRANSFERS;
    self->bulk_pace = PACE_BULK;
    self->unknown_seed = piw_table_seed();
    self->views = views.count > 0;
    piw_views_fini(&views);
    self->why = why;
    self->journal.fd = -1;
    piw_soul_set(task, self);
    int rc = begin(task, self, state, err);
    if (rc != 0) {
        piw_soul_set(task, NULL);
        free_soul(self);
        return piw_err_set(err, rc, "file_juggler can't start: %s", piw_err_name(rc));
    }
    return self->site_settled ? 0 : PIW_EAGAIN;
}

static void stop(piw_task *task, bool leaving)
{
    juggler *self = piw_soul(task);
    if (leaving && self->opened && !self->site_away)
        small_leave(self);
    free_soul(self);
    piw_soul_set(task, NULL);
}

static const piw_opt options[] = {{.name = "removals-every",
                                   .kind = PIW_OPT_DURATION,
                                   .value_name = "DURATION",
                                   .fallback = "30s",
                                   .help = "how often files that are due for removal are looked for",
                                   .min = 100,
                                   .max = 3600000},
                                  PIW_OPT_END};
static const piw_service serves[] = {{"fs", &fs_protocol_def}, PIW_SERVICES_END};
static const piw_service uses[] = {
    {"db", &db_protocol_def}, {"web", &web_protocol_def}, {"stats", &stats_protocol_def}, PIW_SERVICES_END};
static const char *const needs[] = {"db", NULL};
static const piw_event emits[] = {{&events_protocol_def, TRANSFER_ALIVE},
                                  {&transfers_protocol_def, TRANSFER_UNKNOWN},
                                  {&events_protocol_def, FILES_COUNTED},
                                  {&events_protocol_def, WHEEL_PUBLISHED},
                                  {&events_protocol_def, WHEEL_REMOVED},
                                  {&seals_protocol_def, SEALS_LEFT},
                                  PIW_EVENTS_END};
static const piw_event subscribes[] = {{&seals_protocol_def, SEALS_WANTED}, PIW_EVENTS_END};
static const piw_service queues[] = {{"file", &file_protocol_def}, PIW_SERVICES_END};
static piw_protocol_def *const extra[] = {&file_juggler_protocol_def, NULL};
static const piw_handler handlers[] = {{&file_protocol_def, FILE_HELLO, on_file_hello},
                                       {&file_protocol_def, FILE_CHUNK, on_file_chunk},
                                       {&fs_protocol_def, FS_EXPECT, on_expect},
                                       {&fs_protocol_def, FS_VERIFY, on_verify},
                                       {&fs_protocol_def, FS_STAGE, on_stage},
                                       {&fs_protocol_def, FS_PUBLISH, on_publish},
                                       {&fs_protocol_def, FS_SEAL, on_seal},
                                       {&fs_protocol_def, FS_RECORDED, on_recorded},
                                       {&fs_protocol_def, FS_SETTLE, on_settle},
                                       {&fs_protocol_def, FS_WITHHELD, on_withheld_asked},
                                       {&fs_protocol_def, FS_DISCARD, on_discard},
                                       {&fs_protocol_def, FS_WRITE_FILE, on_write_file},
                                       {&fs_protocol_def, FS_REMOVE_FILE, on_remove_file},
                                       {&seals_protocol_def, SEALS_WANTED, on_seals_wanted},
                                       PIW_HANDLERS_END};
static const piw_continuation continuations[] = {
    PIW_CONTINUATION(checked),        PIW_CONTINUATION(early_checked),    PIW_CONTINUATION(paced),
    PIW_CONTINUATION(read_along),     PIW_CONTINUATION(written_out),      PIW_CONTINUATION(staged),
    PIW_CONTINUATION(logs_placed),    PIW_CONTINUATION(made_ready),       PIW_CONTINUATION(published),
    PIW_CONTINUATION(file_written),   PIW_CONTINUATION(pass_look),        PIW_CONTINUATION(pass_due),
    PIW_CONTINUATION(pass_worked),    PIW_CONTINUATION(pass_told),        PIW_CONTINUATION(pass_over),
    PIW_CONTINUATION(file_removed),   PIW_CONTINUATION(sealed),           PIW_CONTINUATION(builds_synced),
    PIW_CONTINUATION(logs_checked),   PIW_CONTINUATION(late_log),         PIW_CONTINUATION(disk),
    PIW_CONTINUATION(sync),           PIW_CONTINUATION(synced),           PIW_CONTINUATION(removals),
    PIW_CONTINUATION(removals_due),   PIW_CONTINUATION(trash_emptied),    PIW_CONTINUATION(site_look),
    PIW_CONTINUATION(site_mark),      PIW_CONTINUATION(withheld),         PIW_CONTINUATION(withheld_due),
    PIW_CONTINUATION(withheld_moved), PIW_CONTINUATION(withheld_done),    PIW_CONTINUATION(leftovers),
    PIW_CONTINUATION(builds_known),   PIW_CONTINUATION(leftover_read),    PIW_CONTINUATION(leftover_recorded),
    PIW_CONTINUATION(leftover_known), PIW_CONTINUATION(leftover_project), PIW_CONTINUATION(leftover_published),
    PIW_CONTINUATION(leftover_told),  PIW_CONTINUATION(seals_read),       PIW_CONTINUATIONS_END};

PIW_PLUGIN(file_juggler, .version = "1.0", .summary = "receives wheels, checks them and puts them in place",
           .serves = serves, .uses = uses, .needs = needs, .queues = queues, .subscribes = subscribes, .emits = emits,
           .options = options, .extra = extra, .state_protocol = &file_juggler_protocol_def,
           .state_message = FILE_JUGGLER_STATE, .critical = true, .start = start, .stop = stop, .save = juggler_save,
           .handlers = handlers, .continuations = continuations);
