/* early.c — what is done before anybody asks for it: names reach the disk while a build's last file comes, and when it is there
 * it is checked, its build's log kept and its bytes synced while its sender still says so.
 *
 * Whoever asks (VERIFY) then finds the build staged, or waits for the rest. Whatever goes wrong here is tried again
 * by STAGE, which says what it is; nothing of it is kept over a swap but who waits for the check, which is made again. Of a file that
 * comes into memory (small.c) all is kept, and what goes wrong is tried again when VERIFY asks. */
#include "jobs.h"
#include "juggler.h"

#include "fs.piw.h"
#include "shared/names.h"
#include "shared/site_path.h"
#include "shared/text.h"

enum { EARLY_CHECK = 1, EARLY_NAMES = 2, EARLY_BYTES = 4 };

/* --- Names ------------------------------------------------------------------------------------------------------------ */

void early_expect(piw_task *task, transfer *t, const piw_msg *msg)
{
    juggler *self = piw_soul(task);
    const fs_EXPECT *expect = fs_EXPECT_of(msg);
    const last_file *last = expect->last;
    piw_err err = {0};
    journal_build *body;
    if (last == NULL || !piw_name_is_canonical(expect->package))
        return;
    if (t->held != NULL) {
        transfers_set_early(&self->transfers, t, yielding_key(self));
        t->early.last = piw_msg_copy(msg);
        return;
    }
    piw_msg *record = juggler_describe(expect->build_id, expect->package, last->view, &body);
    piw_msg_list(record, &body->wheels, last->wheels.count);
    piw_texts_copy(record, last->wheels.at, last->wheels.count, body->wheels.at);
    if (juggler_note(self, record, &err) != 0)
        return;
    transfers_set_early(&self->transfers, t, yielding_key(self));
    t->early.last = piw_msg_copy(msg);
    t->early.waits = EARLY_NAMES;
    syncs_early(task, t->early.key, true);
}

/* --- The check -------------------------------------------------------------------------------------------------------- */

static piw_msg *check_job(const juggler *self, transfer *t)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_staged(path, self->root, t->about->build_id, t->about->filename))
        return NULL;
    check_file *body;
    piw_msg *job = check_file_new(&body);
    body->data = piw_msg_blob(job, transfers_whole(t));
    body->path = piw_msg_textz(job, path);
    piw_value_copy(job, file_state_type(), &t->about->state, &body->state);
    if (t->hash[0] != '\0')
        body->hash = piw_msg_textz(job, t->hash);
    body->seen = piw_msg_bytes(job, t->reading.seen, t->reading.count * sizeof(*t->reading.seen));
    bool *needs = piw_msg_alloc(job, sizeof(*needs));
    *needs = self->views;
    body->needs = needs;
    const last_file *last = juggler_last(t);
    if (last != NULL && t->held == NULL) {
        staged_log *log = piw_msg_alloc(job, sizeof(*log));
        log->root = piw_msg_textz(job, self->root);
        log->build_id = t->about->build_id;
        log->output = piw_msg_blob(job, last->output);
        body->log = log;
    }
    return job;
}

/* Its bytes are synced beside its check, unless that would hold up other builds. */
static void sync_bytes(piw_task *task, transfer *t)
{
    t->early.waits |= EARLY_BYTES;
    syncs_early(task, t->early.key, false);
}

void early_check(piw_task *task, transfer *t)
{
    juggler *self = piw_soul(task);
    piw_err err = {0};
    piw_msg *job = NULL;
    bool begun = !transfers_is_wrong(t) && site_check(self, &err) == 0;
    if (begun && t->early.key == 0)
        transfers_set_early(&self->transfers, t, yielding_key(self));
    if (begun)
        job = check_job(self, t);
    begun = job != NULL && piw_work(task, job_check_file, &job, PIW_ON(early_checked), t->early.key) == 0;
    piw_msg_free(&job);
    if (!begun) {
        if (early_anew(task, t) != 0)
            piw_debug("the task that waited for a file's check has gone");
        return;
    }
    t->early.checking = true;
    t->early.waits |= EARLY_CHECK;
    if (t->held == NULL && t->early.last != NULL && t->about->size <= JOB_SYNCED_ALONE)
        sync_bytes(task, t);
}

/* Answer who waits, when all is known. The transfer is over then. */
static int answer(piw_task *task, transfer *t)
{
    juggler *self = piw_soul(task);
    if (t->early.waits != 0 || t->early.verify.id == 0)
        return 0;
    fs_VERIFY_reply *body = piw_msg_body(t->early.verdict, fs_VERIFY_reply_type());
    bool *staged = piw_msg_alloc(t->early.verdict, sizeof(*staged));
    *staged = t->early.last != NULL && !t->early.failed;
    body->staged = staged;
    int rc = piw_answer(task, t->early.verify, &t->early.verdict);
    transfers_end(&self->transfers, t);
    return rc;
}

/* One that is held is checked and noted again when that is asked for: nobody else has its bytes. */
static int held_failed(piw_task *task, transfer *t, int code, const char *why)
{
    piw_token verify = t->early.verify;
    t->early.verify = (piw_token){0};
    int rc = early_anew(task, t);
    return rc != 0 || verify.id == 0 ? rc : piw_answer_error(task, verify, code, "%s", why);
}

static int answer_error(piw_task *task, transfer *t, const piw_msg *reply)
{
    juggler *self = piw_soul(task);
    piw_token verify = t->early.verify;
    if (t->held != NULL)
        return held_failed(task, t, piw_msg_error(reply), piw_msg_error_text(reply));
    transfers_set_early(&self->transfers, t, 0);
    if (verify.id == 0)
        return 0; /* it is checked again when that is asked for */
    transfers_end(&self->transfers, t);
    return piw_answer_error(task, verify, piw_msg_error(reply), "%s", piw_msg_error_text(reply));
}

static int note_held(piw_task *task, transfer *t, const check_file_reply *checked)
{
    piw_err err = {0};
    ready_drop(piw_soul(task), t->about->build_id); /* it may have come before, with other bytes */
    int rc = small_note(piw_soul(task), t, checked, &err);
    if (rc != 0)
        return held_failed(task, t, rc, err.text);
    t->early.waits |= EARLY_NAMES;
    syncs_early(task, t->early.key, true);
    ready_begin(task, t->about->build_id);
    return 0;
}

int on_early_checked(piw_task *task, piw_msg *reply, uint64_t key)
{
    juggler *self = piw_soul(task);
    transfer *t = transfers_of_early(&self->transfers, key);
    if (t == NULL)
        return 0;
    t->early.verdict = juggler_verdict(task, reply);
    if (t->early.verdict == NULL)
        return answer_error(task, t, reply);
    const check_file_reply *checked = check_file_reply_of(reply);
    t->early.waits &= ~(unsigned)EARLY_CHECK;
    if (t->held != NULL && checked->good)
        return note_held(task, t, checked);
    /* A second name came with the check: it has to be noted and synced as well. */
    if (!checked->good || checked->logged == NULL || !*checked->logged || checked->file.armv6_too) {
        t->early.failed = true;
        t->early.waits = 0;
    } else if (t->early.last != NULL && t->about->size > JOB_SYNCED_ALONE) {
        sync_bytes(task, t);
    }
    return answer(task, t);
}

static int reached_disk(piw_task *task, const early_synced_at *synced)
{
    juggler *self = piw_soul(task);
    transfer *t = transfers_of_early(&self->transfers, (uint64_t)synced->key);
    if (t == NULL)
        return 0;
    t->early.waits &= synced->names ? ~(unsigned)EARLY_NAMES : ~(unsigned)EARLY_BYTES;
    if (t->held != NULL && synced->code != 0) {
        piw_outage_goes_on(&self->troubles[TROUBLE_STAGED], PIW_LOG_ERROR, 0, "%s", synced->why.s);
        return held_failed(task, t, (int)synced->code, synced->why.s);
    }
    if (t->held != NULL)
        piw_outage_over(&self->troubles[TROUBLE_STAGED], "builds are synced again");
    if (synced->code != 0) {
        t->early.failed = true;
        t->early.waits &= EARLY_CHECK;
    }
    return answer(task, t);
}

static int sync_failed(piw_task *task, const piw_msg *reply)
{
    juggler *self = piw_soul(task);
    int rc = 0;
    for (transfer *t = transfers_next(&self->transfers, NULL), *next; t != NULL && rc == 0; t = next) {
        next = transfers_next(&self->transfers, t);
        if ((t->early.waits & (EARLY_NAMES | EARLY_BYTES)) == 0)
            continue;
        if (t->held != NULL) {
            rc = held_failed(task, t, piw_msg_error(reply), piw_msg_error_text(reply));
            continue;
        }
        t->early.failed = true;
        t->early.waits &= EARLY_CHECK;
        rc = answer(task, t);
    }
    return rc;
}

int on_builds_synced(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    if (!syncs_over(task, reply)) {
        int rc = sync_failed(task, reply);
        return rc == 0 ? syncs_go(task) : rc;
    }
    const sync_builds_reply *synced = sync_builds_reply_of(reply);
    for (uint32_t i = 0; synced->early != NULL && i < synced->early->at.count; i++) {
        if (reached_disk(task, &synced->early->at.at[i]) != 0)
            piw_debug("the task that waited for a file's check has gone");
    }
    return syncs_go(task);
}

/* The job's result becomes the answer to the request. The job's key is the request's token, so nothing else has to be
 * remembered. */
int early_check_now(piw_task *task, transfer *t, piw_token token)
{
    juggler *self = piw_soul(task);
    piw_msg *job = check_job(self, t);
    int rc = job == NULL ? piw_answer_error(task, token, PIW_EINVAL, "\"%s\" makes no safe path", t->about->filename.s)
                         : piw_work(task, job_check_file, &job, PIW_ON(checked), token.id);
    piw_msg_free(&job);
    if (rc == 0)
        transfers_end(&self->transfers, t);
    return rc;
}

/* Its check is under way, or is begun now. What has another hash than was said isn't noted, and needs no more than its check. */
static int wait_for_held(piw_task *task, transfer *t, piw_token token)
{
    if (!t->early.checking)
        early_check(task, t);
    if (!t->early.checking && transfers_is_wrong(t))
        return early_check_now(task, t, token);
    if (!t->early.checking)
        return piw_answer_error(task, token, PIW_EAGAIN, "\"%s\" can't be checked now", t->about->filename.s);
    t->early.verify = token;
    return answer(task, t);
}

int early_recheck(piw_task *task)
{
    juggler *self = piw_soul(task);
    int rc = 0;
    for (transfer *t = transfers_next(&self->transfers, NULL), *next; t != NULL && rc == 0; t = next) {
        next = transfers_next(&self->transfers, t);
        if (t->held != NULL && (t->early.waits & EARLY_NAMES) != 0)
            syncs_early(task, t->early.key, true); /* it may not have been begun with */
        if (t->about->verify == NULL)
            continue;
        if (t->held != NULL)
            rc = wait_for_held(task, t, *t->about->verify);
        else
            rc = early_check_now(task, t, *t->about->verify);
    }
    return rc;
}

void early_save(piw_msg *msg, const transfer *t, juggler_held *to)
{
    to->key = (int64_t)t->early.key;
    to->waits = t->early.waits;
    to->checking = t->early.checking;
    if (t->early.verdict == NULL || !fs_VERIFY_reply_of(t->early.verdict)->good)
        return; /* what was refused is checked again */
    built_file *file = piw_msg_alloc(msg, sizeof(*file));
    piw_value_copy(msg, built_file_type(), &fs_VERIFY_reply_of(t->early.verdict)->file, file);
    to->file = file;
}

static piw_msg *good_verdict(const built_file *file)
{
    fs_VERIFY_reply *body;
    piw_msg *verdict = fs_VERIFY_reply_new(&body);
    body->good = true;
    body->why = piw_text_of("");
    piw_value_copy(verdict, built_file_type(), file, &body->file);
    return verdict;
}

void early_resume(juggler *self, transfer *t)
{
    const juggler_held *held = t->about->held;
    fs_EXPECT *body;
    transfers_set_early(&self->transfers, t, held->key != 0 ? (uint64_t)held->key : yielding_key(self));
    t->early.last = fs_EXPECT_new(&body);
    body->build_id = t->about->build_id;
    body->slave_id = t->about->slave_id;
    last_file *last = piw_msg_alloc(t->early.last, sizeof(*last));
    piw_value_copy(t->early.last, last_file_type(), &held->last, last);
    body->last = last;
    if (!held->checking || (held->waits == 0 && held->file == NULL))
        return;
    t->early.checking = true;
    t->early.waits = (unsigned)held->waits;
    t->early.verdict = held->file != NULL ? good_verdict(held->file) : NULL;
}

int on_checked(piw_task *task, piw_msg *reply, uint64_t key)
{
    piw_token token = {key};
    piw_msg *answer = juggler_verdict(task, reply);
    int rc = answer != NULL ? piw_answer(task, token, &answer)
                            : piw_answer_error(task, token, piw_msg_error(reply), "%s", piw_msg_error_text(reply));
    piw_msg_free(&answer);
    return rc;
}

/* --- Who asks --------------------------------------------------------------------------------------------------------- */

int early_verify(piw_task *task, piw_msg *msg, transfer *t)
{
    piw_token before = t->early.verify, token;
    int rc = piw_defer(task, msg, &token);
    if (rc == 0 && before.id != 0)
        rc = piw_drop_token(task, before, "it was asked again");
    if (rc != 0)
        return rc;
    if (t->held != NULL)
        return wait_for_held(task, t, token);
    t->early.verify = token;
    return answer(task, t);
}

int early_anew(piw_task *task, transfer *t)
{
    juggler *self = piw_soul(task);
    piw_token verify = t->early.verify;
    piw_msg *last = t->held != NULL ? t->early.last : NULL;
    if (last != NULL)
        t->early.last = NULL;
    transfers_set_early(&self->transfers, t, last != NULL ? yielding_key(self) : 0);
    t->early.last = last;
    return verify.id == 0
               ? 0
               : piw_answer_error(task, verify, PIW_EAGAIN, "\"%s\" has to be checked anew", t->about->filename.s);
}

int early_abandon(piw_task *task, transfer *t)
{
    juggler *self = piw_soul(task);
    piw_token verify = t->early.verify;
    transfers_set_early(&self->transfers, t, 0);
    return verify.id == 0 ? 0 : piw_answer_error(task, verify, PIW_EAGAIN, "the transfer was given up");
}
