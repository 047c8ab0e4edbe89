/* job.c — a reported build on its way into the database and onto the site (docs/site.md#order-of-publication).
 *
 * BUILT good: EXPECT, SEND, … SENT, VERIFY, for each file; then STAGE (the log), LOGBUILD, PUBLISH, the pages, DONE.
 * BUILT bad, or without files: from STAGE on. A step that fails for its surroundings (a task away, the disk full) is
 * tried again while the slave waits; each can be repeated without harm. What the data's receiver refuses ends the job.
 */
#include "slave_driver/driver.h"

#include "piw/fault.h"
#include "shared/file_check.h"
#include "shared/version.h"
#include "web.piw.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    EXPECT_DEADLINE_MS = 30000,
    VERIFY_DEADLINE_MS = 600000, /* a wheel of 2 GB is hashed and inspected meanwhile, on a slow disk */
    STAGE_DEADLINE_MS = 120000,
    PUBLISH_DEADLINE_MS = 600000,
};

void driver_job_free(driver *self, driver_job **job)
{
    if (*job == NULL)
        return;
    if ((*job)->build_id != 0) {
        piw_table_remove(&self->by_build, &(*job)->by_build);
        piw_timer_stop(self->task, "again", (uint64_t)(*job)->build_id);
    }
    piw_msg_free(&(*job)->report);
    free((*job)->note);
    free((*job)->cause);
    free(*job);
    *job = NULL;
}

static bool is_build(const piw_table_node *node, const void *key)
{
    return PIW_TABLE_ENTRY(node, const driver_job, by_build)->build_id == *(const int64_t *)key;
}

driver_builder *driver_find_build(const driver *self, int64_t build_id)
{
    piw_table_node *node = piw_table_find(&self->by_build, piw_table_hash_u64((uint64_t)build_id), is_build, &build_id);
    return node != NULL ? PIW_TABLE_ENTRY(node, driver_job, by_build)->builder : NULL;
}

void driver_job_list(driver *self, driver_builder *builder)
{
    driver_job *job = builder->job;
    job->builder = builder;
    if (job->build_id != 0)
        piw_table_add(&self->by_build, &job->by_build, piw_table_hash_u64((uint64_t)job->build_id));
}

static slave_BUILT *report_of(const driver_job *job)
{
    return piw_msg_body(job->report, slave_BUILT_type());
}

static piw_text copy_text(piw_msg *msg, piw_text text)
{
    return piw_msg_text(msg, text.s, text.len);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const file_state *)a)->filename.s, ((const file_state *)b)->filename.s);
}

void driver_job_go(driver *self, driver_builder *builder, int phase)
{
    builder->phase = phase;
    builder->phase_ns = piw_monotonic_ns();
    builder->tries = 0;
    driver_job_step(self, builder);
}

/* From a failed build nothing but its log remains. */
static void make_failure(driver_job *job, const char *note)
{
    slave_BUILT *report = report_of(job);
    report->status = false;
    report->files.count = 0;
    job->verified_count = 0;
    free(job->note);
    job->note = piw_strdup(note);
    free(job->cause);
    job->cause = NULL;
}

/* What the slave says of its build. The files of a failed one don't count, and so aren't looked at. */
static int check_report(slave_BUILT *report, const driver_hold_ref *hold, piw_err *err)
{
    if (!report->status)
        report->files.count = 0;
    if (piw_duration_us(report->duration) < 0) {
        report->duration = (piw_duration){0};
        return piw_err_set(err, PIW_EINVAL, "it says that the build took less than no time");
    }
    return piw_files_check(report->files.at, report->files.count, hold->package, hold->version, err);
}

void driver_job_begin(driver *self, driver_builder *builder, piw_msg **report, const char *why_bad, const char *cause)
{
    driver_job *job = builder->job = piw_zalloc(sizeof(*job));
    job->builder = builder;
    job->report = *report;
    *report = NULL;
    slave_BUILT *body = report_of(job);
    piw_err err = {0};
    char note[PIW_ERR_TEXT + 64];
    if (why_bad != NULL) {
        make_failure(job, why_bad);
    } else if (check_report(body, builder->hold, &err) != 0) {
        snprintf(note, sizeof(note), "The slave's report of the build was refused: %s", err.text);
        make_failure(job, note);
    } else if (!piw_version_valid(builder->hold->version)) {
        /* Whatever the build came to: final, so that it isn't tried again in vain. */
        snprintf(note, sizeof(note),
                 "No wheel of version %.100s can be published: it is no version by PEP 440, and installers don't read "
                 "the names of wheels of such.",
                 builder->hold->version.s);
        make_failure(job, note);
    } else {
        cause = cause != NULL ? cause : driver_cause(body, builder->hold);
        job->cause = cause != NULL ? piw_strdup(cause) : NULL;
    }
    if (job->note != NULL)
        piw_warning("slave %lld, %s %s: %s", (long long)builder->id, builder->hold->package.s, builder->hold->version.s,
                    job->note);
    if (body->files.count > 0) {
        qsort(body->files.at, body->files.count, sizeof(*body->files.at), by_name);
        job->verified = piw_msg_alloc(job->report, body->files.count * sizeof(*job->verified));
    }
    int64_t number;
    builder->phase = DRIVER_WAIT_BUILD_NO;
    builder->phase_ns = piw_monotonic_ns();
    if (driver_number_take(self, DRIVER_POOL_BUILD, &number))
        driver_job_number(self, builder, number);
}

void driver_job_number(driver *self, driver_builder *builder, int64_t build_id)
{
    const driver_job *job = builder->job;
    builder->job->build_id = build_id;
    driver_job_list(self, builder);
    driver_remember(self, builder);
    driver_job_go(self, builder,
                  job->cause != NULL                ? DRIVER_WAIT_ATTEMPT
                  : report_of(job)->files.count > 0 ? DRIVER_WAIT_EXPECT
                                                    : DRIVER_WAIT_STAGE);
}

void driver_job_resume(driver *self, driver_builder *builder)
{
    const driver_job *job = builder->job;
    uint32_t files = report_of(job)->files.count;
    if (job->build_id == 0 || job->cause != NULL) {
        driver_job_go(self, builder, job->build_id == 0 ? DRIVER_WAIT_BUILD_NO : DRIVER_WAIT_ATTEMPT);
        return;
    }
    bool verifying = builder->last == DRIVER_SAID_SEND && job->verified_count < files;
    driver_job_go(self, builder,
                  verifying                     ? DRIVER_WAIT_VERIFY
                  : job->verified_count < files ? DRIVER_WAIT_EXPECT
                                                : DRIVER_WAIT_STAGE);
}

void driver_job_fail(driver *self, driver_builder *builder, const char *note)
{
    driver_job *job = builder->job;
    piw_warning("slave %lld, %s %s: %s", (long long)builder->id, builder->hold->package.s, builder->hold->version.s,
                note);
    make_failure(job, note);
    driver_discard(self, builder);
    driver_remember(self, builder);
    driver_job_go(self, builder, DRIVER_WAIT_STAGE);
}

/* --- the calls ---------------------------------------------------------------------------------------------------- */

static piw_msg *make_expect(driver *self, const driver_builder *builder)
{
    const driver_job *job = builder->job;
    const char *address = piw_peer_address(self->task, builder->peer);
    fs_EXPECT *body;
    piw_msg *call = fs_EXPECT_new(&body);
    body->build_id = job->build_id;
    body->slave_id = builder->id;
    body->peer_address = piw_msg_textz(call, address != NULL ? address : "");
    body->package = copy_text(call, builder->hold->package);
    piw_value_copy(call, file_state_type(), &report_of(job)->files.at[job->verified_count], &body->file);
    return call;
}

/* The slave's log with the master's note at its end. NULL when there is no memory for it. */
static piw_blob *with_note(const piw_blob *output, const char *note)
{
    size_t size = piw_blob_size(output), note_size = strlen(note);
    char *text = malloc(size + note_size + 3);
    if (text == NULL)
        return NULL;
    size = piw_blob_read(output, 0, text, size);
    if (size > 0 && text[size - 1] != '\n')
        text[size++] = '\n';
    memcpy(text + size, note, note_size);
    size += note_size;
    text[size++] = '\n';
    piw_blob *blob = piw_blob_new(text, size);
    free(text);
    return blob;
}

static piw_msg *make_stage(driver *self, const driver_builder *builder)
{
    (void)self;
    const driver_job *job = builder->job;
    fs_STAGE *body;
    piw_msg *call = fs_STAGE_new(&body);
    body->build_id = job->build_id;
    body->package = copy_text(call, builder->hold->package);
    piw_blob *output = report_of(job)->output;
    piw_blob *noted = job->note != NULL ? with_note(output, job->note) : NULL;
    if (noted != NULL)
        output = noted;
    const piw_field *field = &fs_STAGE_type()->body->fields[2];
    piw_value_copy(call, field->type, &output, &body->output);
    piw_blob_unref(&noted);
    return call;
}

static piw_msg *make_record(driver *self, driver_builder *builder)
{
    (void)self;
    driver_job *job = builder->job;
    const slave_BUILT *report = report_of(job);
    db_LOGBUILD *body;
    piw_msg *call = db_LOGBUILD_new(&body);
    body->build_id = job->build_id;
    body->slave_id = builder->id;
    body->package = copy_text(call, builder->hold->package);
    body->version = copy_text(call, builder->hold->version);
    body->abi_tag = copy_text(call, driver_hello(builder)->abi);
    body->status = report->status;
    body->duration = report->duration;
    piw_msg_list(call, &body->files, job->verified_count);
    for (uint32_t i = 0; i < job->verified_count; i++)
        piw_value_copy(call, built_file_type(), &job->verified[i], &body->files.at[i]);
    return call;
}

static piw_msg *make_known(const driver_builder *builder)
{
    db_BUILDS_KNOWN *body;
    piw_msg *call = db_BUILDS_KNOWN_new(&body);
    piw_msg_list(call, &body->build_ids, 1);
    body->build_ids.at[0] = builder->job->build_id;
    return call;
}

static piw_msg *make_publish(const driver_builder *builder)
{
    const driver_job *job = builder->job;
    fs_PUBLISH *body;
    piw_msg *call = fs_PUBLISH_new(&body);
    body->build_id = job->build_id;
    body->package = copy_text(call, builder->hold->package);
    piw_msg_list(call, &body->kept, job->kept.count);
    for (uint32_t i = 0; i < job->kept.count; i++)
        body->kept.at[i] = copy_text(call, job->kept.at[i]);
    return call;
}

static void again_later(driver *self, driver_builder *builder, const char *why)
{
    int64_t delay = (int64_t)DRIVER_RETRY_MIN_MS << (builder->tries < 8 ? builder->tries : 8);
    if (delay > DRIVER_RETRY_MAX_MS)
        delay = DRIVER_RETRY_MAX_MS;
    builder->tries++;
    piw_log_limited(&self->troubles, 12, PIW_LOG_WARNING,
                    "build %lld of slave %lld waits and is tried again in %lld s: %s",
                    (long long)builder->job->build_id, (long long)builder->id, (long long)delay / 1000, why);
    if (piw_timer(self->task, "again", (uint64_t)builder->job->build_id, delay, 0) != 0)
        piw_fail(self->task, "no timer can be set for build %lld", (long long)builder->job->build_id);
}

void driver_job_step(driver *self, driver_builder *builder)
{
    piw_msg *call = NULL;
    const char *continuation = NULL;
    int64_t deadline_ms = -1; /* a write into the database never times out */
    switch (builder->phase) {
    case DRIVER_WAIT_EXPECT:
        call = make_expect(self, builder), continuation = "expected", deadline_ms = EXPECT_DEADLINE_MS;
        break;
    case DRIVER_WAIT_VERIFY:
        call = fs_VERIFY_make(builder->job->build_id, builder->id);
        continuation = "verified", deadline_ms = VERIFY_DEADLINE_MS;
        break;
    case DRIVER_WAIT_STAGE:
        call = make_stage(self, builder), continuation = "staged", deadline_ms = STAGE_DEADLINE_MS;
        break;
    case DRIVER_WAIT_RECORD:
        call = make_record(self, builder), continuation = "recorded";
        break;
    case DRIVER_WAIT_ATTEMPT:
        call = driver_attempt_call(builder), continuation = "attempt_failed";
        break;
    case DRIVER_WAIT_KNOWN:
        call = make_known(builder), continuation = "known", deadline_ms = 0;
        break;
    case DRIVER_WAIT_PUBLISH:
        call = make_publish(builder), continuation = "published", deadline_ms = PUBLISH_DEADLINE_MS;
        break;
    default:
        return;
    }
    int failed = piw_call(self->task, &call, continuation, (uint64_t)builder->job->build_id, deadline_ms);
    if (failed != 0) {
        piw_msg_free(&call);
        again_later(self, builder, piw_err_name(failed));
    }
}

int driver_on_again(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    driver *self = piw_soul(task);
    driver_builder *builder = driver_find_build(self, (int64_t)key);
    if (builder != NULL)
        driver_job_step(self, builder);
    return 0;
}

/* --- the answers -------------------------------------------------------------------------------------------------- */

/* Errors that say that the data is at fault: the same again can't help. */
static bool refuses_data(int code)
{
    return code == PIW_EDB || code == PIW_EINVAL || code == PIW_ESHAPE || code == PIW_ELIMIT || code == PIW_EREFUSED;
}

/* The build can be recorded in no way: it is thrown away, loudly, and its version rests as a skipped one does. */
static void give_up(driver *self, driver_builder *builder, const char *why)
{
    piw_error("build %lld (%s %s by slave %lld) can't be recorded and is thrown away: %s",
              (long long)builder->job->build_id, builder->hold->package.s, builder->hold->version.s,
              (long long)builder->id, why);
    driver_discard(self, builder);
    driver_abandon(self, builder, DRIVER_HOLD_SKIPPED, "it could not be recorded");
    driver_job_finish(self, builder);
}

driver_builder *driver_job_answered(driver *self, piw_msg *reply, uint64_t build_id, int phase)
{
    driver_builder *builder = driver_find_build(self, (int64_t)build_id);
    if (builder == NULL || builder->phase != phase)
        return NULL;
    int code = piw_msg_error(reply);
    if (code == 0)
        return builder;
    if (!refuses_data(code))
        again_later(self, builder, piw_msg_error_text(reply));
    else if (phase == DRIVER_WAIT_EXPECT || phase == DRIVER_WAIT_VERIFY)
        driver_job_fail(self, builder, piw_msg_error_text(reply));
    else if (phase == DRIVER_WAIT_PUBLISH)
        driver_job_finish(self,
                          builder); /* it is recorded: what is staged is put in place when the master starts again */
    else
        give_up(self, builder, piw_msg_error_text(reply));
    return NULL;
}

/* What was removed while its files were looked at isn't recorded: as long as its row can't exist, it is thrown away. */
static bool was_removed(driver *self, driver_builder *builder)
{
    if (!builder->removed || builder->job->sent_before)
        return false;
    driver_abandon(self, builder, builder->again ? DRIVER_HOLD_RETURNED : DRIVER_DROP, "removed");
    driver_job_finish(self, builder);
    return true;
}

static void say_send(driver *self, driver_builder *builder)
{
    const driver_job *job = builder->job;
    if (builder->leaving) {
        driver_leave(self, &builder);
        return;
    }
    piw_msg *answer = slave_SEND_make(report_of(job)->files.at[job->verified_count].filename);
    driver_answer(self, builder, NULL, &answer, DRIVER_SAID_SEND);
}

int driver_on_expected(piw_task *task, piw_msg *reply, uint64_t key)
{
    driver *self = piw_soul(task);
    driver_builder *builder = driver_job_answered(self, reply, key, DRIVER_WAIT_EXPECT);
    if (builder != NULL)
        say_send(self, builder);
    return 0;
}

static void transfer_was_bad(driver *self, driver_builder *builder, const fs_VERIFY_reply *verdict)
{
    driver_job *job = builder->job;
    piw_text name = report_of(job)->files.at[job->verified_count].filename;
    char note[1600];
    if (verdict->final) {
        snprintf(note, sizeof(note), "The wheel %.255s was refused: %.1000s", name.s, verdict->why.s);
        driver_job_fail(self, builder, note);
        return;
    }
    piw_warning("slave %lld sent %s badly (transfer %u of %d): %s", (long long)builder->id, name.s, job->bad + 1,
                DRIVER_BAD_TRANSFERS, verdict->why.s);
    if (++job->bad >= DRIVER_BAD_TRANSFERS) {
        snprintf(note, sizeof(note), "The wheel %.255s could not be transferred in %d tries: %.1000s", name.s,
                 DRIVER_BAD_TRANSFERS, verdict->why.s);
        driver_job_fail(self, builder, note);
        return;
    }
    driver_job_go(self, builder, DRIVER_WAIT_EXPECT);
}

int driver_on_verified(piw_task *task, piw_msg *reply, uint64_t key)
{
    driver *self = piw_soul(task);
    driver_builder *builder = driver_job_answered(self, reply, key, DRIVER_WAIT_VERIFY);
    if (builder == NULL || was_removed(self, builder))
        return 0;
    driver_job *job = builder->job;
    const fs_VERIFY_reply *verdict = fs_VERIFY_reply_of(reply);
    if (!verdict->good) {
        transfer_was_bad(self, builder, verdict);
        return 0;
    }
    piw_value_copy(job->report, built_file_type(), &verdict->file, &job->verified[job->verified_count]);
    job->verified_count++;
    job->bad = 0;
    driver_remember(self, builder);
    driver_job_go(self, builder,
                  job->verified_count < report_of(job)->files.count ? DRIVER_WAIT_EXPECT : DRIVER_WAIT_STAGE);
    return 0;
}

int driver_on_staged(piw_task *task, piw_msg *reply, uint64_t key)
{
    driver *self = piw_soul(task);
    driver_builder *builder = driver_job_answered(self, reply, key, DRIVER_WAIT_STAGE);
    if (builder != NULL && !was_removed(self, builder))
        driver_job_go(self, builder, DRIVER_WAIT_RECORD);
    return 0;
}

static void keep_names(driver *self, driver_builder *builder, const db_LOGBUILD_reply *body)
{
    (void)self;
    driver_job *job = builder->job;
    piw_msg_list(job->report, &job->kept, body->kept.count);
    for (uint32_t i = 0; i < body->kept.count; i++) {
        job->kept.at[i] = copy_text(job->report, body->kept.at[i]);
        piw_warning("build %lld of %s %s gave other bytes for %s: the published file stays", (long long)job->build_id,
                    builder->hold->package.s, builder->hold->version.s, job->kept.at[i].s);
    }
}

int driver_on_recorded(piw_task *task, piw_msg *reply, uint64_t key)
{
    driver *self = piw_soul(task);
    driver_builder *builder = driver_find_build(self, (int64_t)key);
    if (builder != NULL && piw_msg_error(reply) != 0)
        builder->job->sent_before = true; /* whatever the error says, the row may be there */
    builder = driver_job_answered(self, reply, key, DRIVER_WAIT_RECORD);
    if (builder == NULL)
        return 0;
    driver_job *job = builder->job;
    const db_LOGBUILD_reply *body = db_LOGBUILD_reply_of(reply);
    if (PIW_FAULT("driver.committed")) {
        job->sent_before = true;
        again_later(self, builder, "fault point driver.committed");
        return 0;
    }
    if (body->recorded) {
        keep_names(self, builder, body);
        driver_job_go(self, builder, DRIVER_WAIT_PUBLISH);
    } else if (job->sent_before) {
        driver_job_go(self, builder, DRIVER_WAIT_KNOWN);
    } else {
        piw_info("build %lld of %s %s is thrown away: %s", (long long)job->build_id, builder->hold->package.s,
                 builder->hold->version.s, body->why.s);
        driver_abandon(self, builder, DRIVER_DROP, "the version was removed");
        driver_job_finish(self, builder);
    }
    return 0;
}

int driver_on_known(piw_task *task, piw_msg *reply, uint64_t key)
{
    driver *self = piw_soul(task);
    driver_builder *builder = driver_job_answered(self, reply, key, DRIVER_WAIT_KNOWN);
    if (builder == NULL)
        return 0;
    if (db_BUILDS_KNOWN_reply_of(reply)->known.count > 0) {
        driver_job_go(self, builder, DRIVER_WAIT_PUBLISH);
        return 0;
    }
    driver_discard(self, builder);
    driver_abandon(self, builder, DRIVER_DROP, "the version was removed");
    driver_job_finish(self, builder);
    return 0;
}

int driver_on_published(piw_task *task, piw_msg *reply, uint64_t key)
{
    driver *self = piw_soul(task);
    driver_builder *builder = driver_job_answered(self, reply, key, DRIVER_WAIT_PUBLISH);
    if (builder == NULL)
        return 0;
    piw_msg *pages = builder->job->verified_count > 0 ? web_BOTH_make(builder->hold->package, false)
                                                      : web_PROJECT_make(builder->hold->package, false);
    if (piw_cast(task, &pages) != 0) {
        piw_warning("the pages of %s were not asked for: the page service is away", builder->hold->package.s);
        piw_msg_free(&pages);
    }
    driver_job_finish(self, builder);
    return 0;
}

void driver_job_finish(driver *self, driver_builder *builder)
{
    if (builder->hold != NULL) {
        const slave_BUILT *report = report_of(builder->job);
        piw_info("build %lld: %s %s for %.*s by slave %lld %s", (long long)builder->job->build_id,
                 builder->hold->package.s, builder->hold->version.s, (int)driver_hello(builder)->abi.len,
                 driver_hello(builder)->abi.s, (long long)builder->id, report->status ? "succeeded" : "failed");
        driver_builds_end(self->builds, &builder->hold, DRIVER_HOLD_RECORDED, piw_monotonic_ns());
        builder->own_faults = 0;
    }
    driver_job_free(self, &builder->job);
    if (builder->ghost) {
        driver_remove(self, &builder);
        return;
    }
    builder->skip = builder->removed = false;
    piw_msg *answer = slave_DONE_new();
    driver_answer(self, builder, NULL, &answer, DRIVER_SAID_DONE);
    if (builder->leaving)
        driver_leave(self, &builder);
}
