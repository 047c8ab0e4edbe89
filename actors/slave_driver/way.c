/* way.c — a reported build's way into the database and onto the site, step by step, up to its one outcome.
 *
 * BUILT good: EXPECT, SEND, … SENT, VERIFY, for each file; then STAGE (the log), unless the last file's check saw to that;
 * LOGBUILD, PUBLISH, the pages, DONE.
 * BUILT bad, or without files: from STAGE on; PUBLISH then waits for the log's file. A step that fails for its surroundings (a task away, the disk full) is
 * tried again while the slave waits; each can be repeated without harm. What the data's receiver refuses ends the way.
 */
#include "slave_driver/way.h"

#include "db.piw.h"
#include "fs.piw.h"
#include "piw/fault.h"
#include "shared/retry.h"
#include "shared/text.h"
#include "slave_driver/attempt.h"
#include "slave_driver/numbers.h"
#include "slave_driver/state.h"
#include "web.piw.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    EXPECT_DEADLINE_MS = 30000,
    VERIFY_DEADLINE_MS = 600000, /* a wheel of 2 GB is hashed and inspected meanwhile, on a slow disk */
    STAGE_DEADLINE_MS = 600000,  /* its wheels are synced meanwhile, with those of others */
    PUBLISH_DEADLINE_MS = 600000,
    NO_DEADLINE = -1, /* a write into the database never times out */
};

/* A step: the call that is made when a phase begins, what follows from its answer, and what from its refusal, which says
 * that the data is at fault. */
typedef struct step {
    const char *continuation;
    int64_t deadline_ms;
    piw_msg *(*call)(driver *self, const driver_build *build);
    driver_outcome (*follows)(driver *self, driver_build *build, const piw_msg *reply);
    driver_outcome (*refused)(driver *self, driver_build *build, const char *why);
} step;

/* What follows is the next phase, whose number no outcome has. */
static driver_outcome next(int phase)
{
    return (driver_outcome){.what = phase};
}

static driver_outcome ends(int what, const char *why)
{
    return (driver_outcome){.what = what, .why = why};
}

static void remember(driver *self, const driver_build *build)
{
    if (build->slave != NULL)
        driver_remember(self, build->slave);
}

static const file_state *asked_for(const driver_build *build)
{
    return &build->report.files.at[build->report.verified.count];
}

/* The queue of the view whose it will be. */
static piw_text owner_of(const driver *self, const driver_build *build)
{
    const driver_reported *report = &build->report;
    bool whole = report->status && report->verified.count == report->files.count;
    return piw_views_owner(&self->views, build->embargo->saved.abi_tag, report->verified.at,
                           whole ? report->verified.count : 0);
}

/* The view in whose store its files will be; null: the common one. */
static piw_text store_of(const driver *self, const driver_build *build)
{
    return piw_views_store(&self->views, owner_of(self, build));
}

/* --- the calls ---------------------------------------------------------------------------------------------------- */

/* The same, if the last file turns out to be what was announced. */
static piw_text store_to_be(const driver *self, const driver_build *build, piw_msg *call)
{
    const driver_reported *report = &build->report;
    uint32_t verified = report->verified.count;
    built_file *files = piw_msg_alloc(call, report->files.count * sizeof(*files));
    if (verified > 0)
        memcpy(files, report->verified.at, verified * sizeof(*files));
    files[verified] = (built_file){.state = *asked_for(build)};
    return piw_views_store(&self->views,
                           piw_views_owner(&self->views, build->embargo->saved.abi_tag, files, verified + 1));
}

/* What is kept with the last of its files, for which no other call has to be made then. */
static const last_file *last_of(const driver *self, const driver_build *build, piw_msg *call)
{
    const driver_reported *report = &build->report;
    if (report->verified.count + 1 < report->files.count)
        return NULL;
    last_file *last = piw_msg_alloc(call, sizeof(*last));
    last->output = piw_msg_blob(call, report->output);
    last->view = piw_text_copy_some(call, store_to_be(self, build, call));
    piw_msg_list(call, &last->wheels, report->files.count);
    for (uint32_t i = 0; i < report->files.count; i++)
        last->wheels.at[i] = piw_text_copy(call, report->files.at[i].filename);
    return last;
}

static piw_msg *make_expect(driver *self, const driver_build *build)
{
    const char *address = build->slave != NULL ? piw_peer_address(self->task, build->slave->peer) : NULL;
    fs_EXPECT *body;
    piw_msg *call = fs_EXPECT_new(&body);
    body->build_id = build->report.build_id;
    body->slave_id = build->slave_id;
    body->peer_address = piw_msg_textz(call, address != NULL ? address : "");
    body->package = piw_text_copy(call, build->embargo->saved.package);
    piw_value_copy(call, file_state_type(), asked_for(build), &body->file);
    if (build->slave != NULL && build->slave->saved.token.s != NULL)
        body->token = piw_text_copy(call, build->slave->saved.token);
    body->last = last_of(self, build, call);
    return call;
}

static piw_msg *make_verify(driver *self, const driver_build *build)
{
    (void)self;
    return fs_VERIFY_make(build->report.build_id, build->slave_id);
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

static piw_msg *make_stage(driver *self, const driver_build *build)
{
    fs_STAGE *body;
    piw_msg *call = fs_STAGE_new(&body);
    body->build_id = build->report.build_id;
    body->package = piw_text_copy(call, build->embargo->saved.package);
    piw_blob *output = build->report.output;
    piw_blob *noted = build->report.note.len > 0 ? with_note(output, build->report.note.s) : NULL;
    body->output = piw_msg_blob(call, noted != NULL ? noted : output);
    body->view = piw_text_copy_some(call, store_of(self, build));
    piw_blob_unref(&noted);
    return call;
}

/* What is recorded of the build. It points to what belongs to the build. */
static build_row row_of(const driver *self, const driver_build *build)
{
    const driver_reported *report = &build->report;
    piw_text queue = build->embargo->saved.abi_tag, owner = owner_of(self, build);
    return (build_row){.build_id = report->build_id,
                       .slave_id = build->slave_id,
                       .package = build->embargo->saved.package,
                       .version = build->embargo->saved.version,
                       .abi_tag = owner,
                       .status = report->status,
                       .duration = report->duration,
                       .files = {report->verified.count, report->verified.at},
                       .cause = report->cause,
                       .view = piw_views_store(&self->views, owner),
                       .queue = piw_text_eq(owner, queue) ? (piw_text){0} : queue};
}

static piw_msg *make_record(driver *self, const driver_build *build)
{
    const build_row row = row_of(self, build);
    build_row *body;
    piw_msg *call = db_LOGBUILD_new(&body);
    piw_value_copy(call, build_row_type(), &row, body);
    return call;
}

static piw_msg *make_known(driver *self, const driver_build *build)
{
    (void)self;
    db_BUILDS_KNOWN *body;
    piw_msg *call = db_BUILDS_KNOWN_new(&body);
    piw_msg_list(call, &body->build_ids, 1);
    body->build_ids.at[0] = build->report.build_id;
    return call;
}

static piw_msg *make_publish(driver *self, const driver_build *build)
{
    fs_PUBLISH *body;
    piw_msg *call = fs_PUBLISH_new(&body);
    body->build_id = build->report.build_id;
    body->package = piw_text_copy(call, build->embargo->saved.package);
    piw_msg_list(call, &body->kept, build->report.kept.count);
    piw_texts_copy(call, build->report.kept.at, build->report.kept.count, body->kept.at);
    body->view = piw_text_copy_some(call, store_of(self, build));
    return call;
}

static piw_msg *make_seal(const driver *self, const driver_build *build)
{
    const build_row row = row_of(self, build);
    build_row *body;
    piw_msg *call = fs_SEAL_new(&body);
    piw_value_copy(call, build_row_type(), &row, body);
    return call;
}

/* --- what follows from the answers -------------------------------------------------------------------------------- */

/* The build is a failure after all, which is recorded. */
static driver_outcome fail(driver *self, driver_build *build, const char *note)
{
    driver_build_fail(build, note);
    driver_build_discard(self, build);
    remember(self, build);
    return next(DRIVER_WAIT_STAGE);
}

/* The build can be recorded in no way: it is thrown away, loudly, and its version rests as a skipped one does. */
static driver_outcome give_up(driver *self, driver_build *build, const char *why)
{
    (void)self;
    piw_error("build %lld (%s %s by slave %lld) can't be recorded and is thrown away: %s",
              (long long)build->report.build_id, build->embargo->saved.package.s, build->embargo->saved.version.s,
              (long long)build->slave_id, why);
    build->report.sent_before = false; /* it was refused: there is no row */
    return ends(DRIVER_SKIPPED, "it could not be recorded");
}

/* It is recorded: what is staged is put in place when the master starts again. */
static driver_outcome leave_staged(driver *self, driver_build *build, const char *why)
{
    (void)self;
    (void)build;
    (void)why;
    return ends(DRIVER_RECORDED, NULL);
}

/* A version that was removed while its files were checked isn't recorded, unless its row may exist already. */
static bool was_removed(const driver_build *build)
{
    return build->saved.removed && !build->report.sent_before;
}

static driver_outcome removed(const driver_build *build)
{
    return ends(build->saved.again ? DRIVER_RETURNED : DRIVER_DROPPED, "removed");
}

static driver_outcome expected(driver *self, driver_build *build, const piw_msg *reply)
{
    (void)self;
    (void)reply;
    build->saved.phase = DRIVER_IDLE;
    return ends(DRIVER_WANTS_FILE, NULL);
}

static driver_outcome transfer_was_bad(driver *self, driver_build *build, const fs_VERIFY_reply *verdict)
{
    piw_text name = asked_for(build)->filename;
    char note[1600];
    if (verdict->final) {
        snprintf(note, sizeof(note), "The wheel %.255s was refused: %.1000s", name.s, verdict->why.s);
        return fail(self, build, note);
    }
    piw_warning("slave %lld sent %s damaged (transfer %lld of %d): %s", (long long)build->slave_id, name.s,
                (long long)build->report.bad + 1, DRIVER_BAD_TRANSFERS, verdict->why.s);
    if (++build->report.bad < DRIVER_BAD_TRANSFERS)
        return next(DRIVER_WAIT_EXPECT);
    snprintf(note, sizeof(note), "The wheel %.255s could not be transferred in %d tries: %.1000s", name.s,
             DRIVER_BAD_TRANSFERS, verdict->why.s);
    return fail(self, build, note);
}

static driver_outcome verified(driver *self, driver_build *build, const piw_msg *reply)
{
    driver_reported *report = &build->report;
    const fs_VERIFY_reply *verdict = fs_VERIFY_reply_of(reply);
    if (was_removed(build))
        return removed(build);
    if (!verdict->good)
        return transfer_was_bad(self, build, verdict);
    piw_value_copy(build->memory, built_file_type(), &verdict->file, &report->verified.at[report->verified.count]);
    report->verified.count++;
    report->bad = 0;
    remember(self, build);
    if (report->verified.count < report->files.count)
        return next(DRIVER_WAIT_EXPECT);
    return next(verdict->staged != NULL && *verdict->staged ? DRIVER_WAIT_RECORD : DRIVER_WAIT_STAGE);
}

static driver_outcome staged(driver *self, driver_build *build, const piw_msg *reply)
{
    (void)self;
    (void)reply;
    return was_removed(build) ? removed(build) : next(DRIVER_WAIT_RECORD);
}

/* The build is on its pages from now on, and over. */
static driver_outcome ask_for_pages(driver *self, const driver_build *build)
{
    piw_text package = build->embargo->saved.package;
    piw_msg *pages =
        build->report.verified.count > 0 ? web_BOTH_make(package, false) : web_PROJECT_make(package, false);
    if (piw_cast(self->task, &pages) != 0) {
        piw_warning("the pages of %s were not asked for: the page service is away", package.s);
        piw_msg_free(&pages);
    }
    return ends(DRIVER_RECORDED, NULL);
}

static void keep_names(driver_build *build, const db_LOGBUILD_reply *body)
{
    driver_reported *report = &build->report;
    piw_msg_list(build->memory, &report->kept, body->kept.count);
    for (uint32_t i = 0; i < body->kept.count; i++) {
        report->kept.at[i] = piw_text_copy(build->memory, body->kept.at[i]);
        piw_warning("build %lld of %s %s gave other bytes for %s: the published file stays",
                    (long long)report->build_id, build->embargo->saved.package.s, build->embargo->saved.version.s,
                    report->kept.at[i].s);
    }
}

static driver_outcome recorded(driver *self, driver_build *build, const piw_msg *reply)
{
    (void)self;
    const db_LOGBUILD_reply *body = db_LOGBUILD_reply_of(reply);
    if (body->recorded) {
        keep_names(build, body);
        return next(DRIVER_WAIT_PUBLISH);
    }
    if (build->report.sent_before)
        return next(DRIVER_WAIT_KNOWN);
    piw_info("build %lld of %s %s is thrown away: %s", (long long)build->report.build_id,
             build->embargo->saved.package.s, build->embargo->saved.version.s, body->why.s);
    return ends(DRIVER_DROPPED, "the version was removed");
}

static driver_outcome known(driver *self, driver_build *build, const piw_msg *reply)
{
    (void)self;
    if (db_BUILDS_KNOWN_reply_of(reply)->known.count > 0)
        return next(DRIVER_WAIT_PUBLISH);
    build->report.sent_before = false; /* there is no row */
    return ends(DRIVER_DROPPED, "the version was removed");
}

static driver_outcome published(driver *self, driver_build *build, const piw_msg *reply)
{
    (void)reply;
    return ask_for_pages(self, build);
}

/* --- the way ------------------------------------------------------------------------------------------------------ */

static const step way[DRIVER_PHASES] = {
    [DRIVER_WAIT_EXPECT] = {PIW_ON(expected), EXPECT_DEADLINE_MS, make_expect, expected, fail},
    [DRIVER_WAIT_VERIFY] = {PIW_ON(verified), VERIFY_DEADLINE_MS, make_verify, verified, fail},
    [DRIVER_WAIT_STAGE] = {PIW_ON(staged), STAGE_DEADLINE_MS, make_stage, staged, give_up},
    [DRIVER_WAIT_RECORD] = {PIW_ON(recorded), NO_DEADLINE, make_record, recorded, give_up},
    [DRIVER_WAIT_KNOWN] = {PIW_ON(known), 0, make_known, known, give_up},
    [DRIVER_WAIT_PUBLISH] = {PIW_ON(published), PUBLISH_DEADLINE_MS, make_publish, published, leave_staged},
    [DRIVER_WAIT_ATTEMPT] = {PIW_ON(attempt_failed), NO_DEADLINE, driver_attempt_call, driver_attempt_failed, give_up},
};

static void again_later(driver *self, driver_build *build, const char *why)
{
    int64_t delay = piw_retry_ms(build->saved.tries);
    build->saved.tries++;
    long long number = (long long)build->report.build_id;
    piw_outage_goes_on(&self->stuck[build->saved.phase], PIW_LOG_WARNING, 0,
                       "build %lld of slave %lld waits and is tried again in %lld s: %s", number,
                       (long long)build->slave_id, (long long)delay / 1000, why);
    if (piw_timer(self->task, PIW_ON(again), (uint64_t)number, delay, 0) != 0)
        piw_fail(self->task, "no timer can be set for build %lld", number);
}

/* Make (again) the call of its phase; a phase without one waits for something else. */
static void make_step(driver *self, driver_build *build)
{
    const step *now = &way[build->saved.phase];
    if (now->call == NULL)
        return;
    if (build->saved.phase == DRIVER_WAIT_RECORD || build->saved.phase == DRIVER_WAIT_ATTEMPT)
        driver_build_note(self, build);
    piw_msg *call = now->call(self, build);
    int failed = piw_call(self->task, &call, now->continuation, (uint64_t)build->report.build_id, now->deadline_ms);
    if (failed != 0) {
        piw_msg_free(&call);
        again_later(self, build, piw_err_name(failed));
    }
}

static void go(driver *self, driver_build *build, int phase)
{
    build->saved.phase = phase;
    build->saved.phase_ns = piw_monotonic_ns();
    build->saved.tries = 0;
    make_step(self, build);
}

int on_again(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    driver *self = piw_soul(task);
    driver_build *build = driver_build_find(self, (int64_t)key);
    if (build != NULL)
        make_step(self, build);
    return 0;
}

void driver_way_begin(driver *self, driver_build *build)
{
    int64_t number;
    go(self, build, DRIVER_WAIT_BUILD_NO);
    if (driver_number_take(self, DRIVER_POOL_BUILD, &number))
        driver_way_number(self, build, number);
}

void driver_way_number(driver *self, driver_build *build, int64_t number)
{
    const driver_reported *report = &build->report;
    driver_build_set_number(self, build, number);
    remember(self, build);
    go(self, build,
       report->cause.len > 0     ? DRIVER_WAIT_ATTEMPT
       : report->files.count > 0 ? DRIVER_WAIT_EXPECT
                                 : DRIVER_WAIT_STAGE);
}

void driver_way_resume(driver *self, driver_build *build)
{
    const driver_reported *report = &build->report;
    bool more = report->verified.count < report->files.count;
    bool sent = build->slave != NULL && build->slave->saved.last == DRIVER_SAID_SEND;
    if (report->build_id == 0)
        go(self, build, DRIVER_WAIT_BUILD_NO);
    else if (report->cause.len > 0)
        go(self, build, DRIVER_WAIT_ATTEMPT);
    else if (more)
        go(self, build, sent ? DRIVER_WAIT_VERIFY : DRIVER_WAIT_EXPECT);
    else
        go(self, build, DRIVER_WAIT_STAGE);
}

driver_outcome driver_way_answered(driver *self, driver_build *build, piw_msg *reply)
{
    const step *now = &way[build->saved.phase];
    int code = piw_msg_error(reply);
    bool lost = build->saved.phase == DRIVER_WAIT_RECORD && code == 0 && PIW_FAULT("driver.committed");
    if (build->saved.phase == DRIVER_WAIT_RECORD && (code != 0 || lost))
        build->report.sent_before = true; /* whatever the error says, the row may be there */
    if (lost || (code != 0 && !piw_refuses_data(code))) {
        again_later(self, build, lost ? "fault point driver.committed" : piw_msg_error_text(reply));
        return next(DRIVER_GOES_ON);
    }
    if (code == 0)
        piw_outage_over(&self->stuck[build->saved.phase], "builds that waited go on");
    driver_outcome outcome =
        code == 0 ? now->follows(self, build, reply) : now->refused(self, build, piw_msg_error_text(reply));
    if (outcome.what > DRIVER_GOES_ON && outcome.what < DRIVER_PHASES) {
        go(self, build, outcome.what);
        return next(DRIVER_GOES_ON);
    }
    return outcome;
}

/* --- when file_juggler has forgotten its file ----------------------------------------------------------------------- */

/* Its phase stays: it is its slave's turn, and its answer comes before that of any call that follows from what the slave says. */
void driver_way_expect_again(driver *self, driver_build *build)
{
    const driver_reported *report = &build->report;
    if (build->memory == NULL || build->saved.phase != DRIVER_IDLE || build->expecting ||
        report->verified.count >= report->files.count)
        return;
    piw_msg *call = make_expect(self, build);
    build->expecting =
        piw_call(self->task, &call, PIW_ON(expected), (uint64_t)report->build_id, EXPECT_DEADLINE_MS) == 0;
    piw_msg_free(&call);
}

bool driver_way_expected_again(driver *self, driver_build *build, const piw_msg *reply)
{
    if (!build->expecting)
        return false;
    build->expecting = false;
    long long number = (long long)build->report.build_id, slave_id = (long long)build->slave_id;
    if (piw_msg_error(reply) != 0) {
        piw_outage_goes_on(&self->stuck[DRIVER_WAIT_EXPECT], PIW_LOG_WARNING, 0,
                           "the transfer of build %lld can't begin anew until slave %lld says HELLO again: %s", number,
                           slave_id, piw_msg_error_text(reply));
        return true;
    }
    piw_outage_over(&self->stuck[DRIVER_WAIT_EXPECT], "builds that waited go on");
    piw_log_limited(&self->odd, 30, PIW_LOG_INFO,
                    "slave %lld sends a file of build %lld from its beginning: file_juggler didn't know of it",
                    slave_id, number);
    return true;
}

/* --- when the database stays away --------------------------------------------------------------------------------- */

driver_outcome driver_way_late(driver *self, driver_build *build)
{
    if (build->saved.phase == DRIVER_WAIT_ATTEMPT) /* should the master die too, the attempt is void, and that is all */
        return next(DRIVER_LET_GO);
    if (build->saved.phase == DRIVER_WAIT_RECORD && !build->sealing) {
        piw_msg *call = make_seal(self, build);
        build->sealing = piw_call(self->task, &call, PIW_ON(sealed), (uint64_t)build->report.build_id, 0) == 0;
        piw_msg_free(&call);
    }
    return next(DRIVER_GOES_ON);
}

driver_outcome driver_way_sealed(driver *self, driver_build *build, piw_msg *reply)
{
    long long number = (long long)build->report.build_id;
    if (build->slave == NULL || build->saved.phase != DRIVER_WAIT_RECORD)
        return next(DRIVER_GOES_ON); /* recorded meanwhile */
    build->sealing = false;
    if (piw_msg_error(reply) != 0) {
        piw_outage_goes_on(&self->stuck[DRIVER_WAIT_RECORD], PIW_LOG_WARNING, 0,
                           "build %lld can't be sealed, its slave waits on: %s", number, piw_msg_error_text(reply));
        return next(DRIVER_GOES_ON);
    }
    piw_warning(
        "build %lld of %s %s is sealed: the database has been away for %lld s; it is recorded when that is back",
        number, build->embargo->saved.package.s, build->embargo->saved.version.s,
        (long long)(self->seal_after_ns / 1000000000));
    return next(DRIVER_LET_GO);
}
