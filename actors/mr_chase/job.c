/* job.c — an import from its first check to DONE (docs/wire.md#imports): are version and ABI known, a number, its turn;
 * then for each file EXPECT, SEND, … SENT, VERIFY; then STAGE (the log), LOGBUILD, PUBLISH, the pages, DONE.
 *
 * A step that fails for its surroundings (a task away, the disk full) is tried again while the importer waits; each can
 * be repeated without harm. What its receiver refuses ends the import with ERROR, and nothing of it stays. */
#include "mr_chase/chase.h"

#include "fs.piw.h"
#include "piw/fault.h"
#include "web.piw.h"

#include <stdio.h>

enum {
    EXPECT_DEADLINE_MS = 30000,
    VERIFY_DEADLINE_MS = 600000, /* a wheel of 2 GB is hashed and inspected meanwhile, on a slow disk */
    STAGE_DEADLINE_MS = 120000,
    PUBLISH_DEADLINE_MS = 600000,
    NEVER_MS = -1, /* what asks the database waits until it is there */
};

static piw_text copy_text(piw_msg *msg, piw_text text)
{
    return piw_msg_text(msg, text.s, text.len);
}

/* --- The importer's answers -------------------------------------------------------------------------------------- */

static void answer(chase *self, importer *imp, piw_msg *msg)
{
    if (imp->request.id == 0 || piw_answer(self->task, imp->request, &msg) != 0) {
        piw_debug("the importer of %s has left before its answer came", imp->package);
        piw_msg_free(&msg);
    }
    imp->request = (piw_token){0};
}

void chase_fail(chase *self, importer *imp, const char *why)
{
    piw_err sound = {0}; /* what stands in `why` may have been cut within a character, and that can't be sent */
    piw_err_set(&sound, PIW_EREFUSED, "%s", why);
    piw_warning("the import of %s %s is refused: %s", imp->package, chase_report(imp)->version.s, sound.text);
    answer(self, imp, import_ERROR_make(piw_text_of(sound.text)));
    chase_drop(self, &imp);
}

static void fail_unknown(chase *self, importer *imp)
{
    const build_state *report = chase_report(imp);
    char why[PIW_ERR_TEXT];
    snprintf(why, sizeof(why), "unknown package version %.200s %s", report->package.s, report->version.s);
    chase_fail(self, imp, why);
}

/* The wheel would be out of reach: who wants it all the same waits for the end of the quarantine. */
static void fail_quarantined(chase *self, importer *imp)
{
    const build_state *report = chase_report(imp);
    char why[PIW_ERR_TEXT];
    snprintf(why, sizeof(why), "%.200s %s is quarantined by PyPI: nothing of it is published until that ends",
             report->package.s, report->version.s);
    chase_fail(self, imp, why);
}

static void say_send(chase *self, importer *imp)
{
    imp->phase = CHASE_SENDING;
    answer(self, imp, import_SEND_make(chase_report(imp)->files.at[imp->verified_count].filename));
    chase_remember(self, imp);
    chase_listen(self, imp);
}

/* --- The calls ---------------------------------------------------------------------------------------------------- */

static piw_msg *make_expect(chase *self, const importer *imp)
{
    const char *address = piw_peer_address(self->task, imp->peer);
    fs_EXPECT *body;
    piw_msg *call = fs_EXPECT_new(&body);
    const file_state *file = &chase_report(imp)->files.at[imp->verified_count];
    body->build_id = imp->build_id;
    body->peer_address = piw_msg_textz(call, address != NULL ? address : "");
    /* The file's own package: an operator may put it under another one's name. */
    char package[PIW_NAME_MAX + 1];
    body->package = piw_msg_textz(call, piw_name_canonical(file->package_tag, package) ? package : imp->package);
    piw_value_copy(call, file_state_type(), file, &body->file);
    return call;
}

static piw_msg *make_stage(const importer *imp)
{
    fs_STAGE *body;
    piw_msg *call = fs_STAGE_new(&body);
    body->build_id = imp->build_id;
    body->package = piw_msg_textz(call, imp->package);
    body->output = piw_msg_blob(call, chase_report(imp)->output);
    return call;
}

static piw_msg *make_record(const importer *imp)
{
    const build_state *report = chase_report(imp);
    db_LOGBUILD *body;
    piw_msg *call = db_LOGBUILD_new(&body);
    body->build_id = imp->build_id;
    body->package = piw_msg_textz(call, imp->package);
    body->version = copy_text(call, report->version);
    body->abi_tag = copy_text(call, report->abi_tag);
    body->status = true;
    body->duration = report->duration;
    piw_msg_list(call, &body->files, imp->verified_count);
    for (uint32_t i = 0; i < imp->verified_count; i++)
        piw_value_copy(call, built_file_type(), &imp->verified[i], &body->files.at[i]);
    return call;
}

static piw_msg *make_recorded(const importer *imp)
{
    db_BUILDS_KNOWN *body;
    piw_msg *call = db_BUILDS_KNOWN_new(&body);
    piw_msg_list(call, &body->build_ids, 1);
    body->build_ids.at[0] = imp->build_id;
    return call;
}

static piw_msg *make_publish(const importer *imp)
{
    fs_PUBLISH *body;
    piw_msg *call = fs_PUBLISH_new(&body);
    body->build_id = imp->build_id;
    body->package = piw_msg_textz(call, imp->package);
    piw_msg_list(call, &body->kept, imp->kept.count);
    for (uint32_t i = 0; i < imp->kept.count; i++)
        body->kept.at[i] = copy_text(call, imp->kept.at[i]);
    return call;
}

static void again_later(chase *self, importer *imp, const char *why)
{
    int64_t delay = (int64_t)CHASE_RETRY_MIN_MS << (imp->tries < 8 ? imp->tries : 8);
    if (delay > CHASE_RETRY_MAX_MS)
        delay = CHASE_RETRY_MAX_MS;
    imp->tries++;
    piw_log_limited(&self->troubles, 12, PIW_LOG_WARNING, "the import of %s waits and is tried again in %lld s: %s",
                    imp->package, (long long)delay / 1000, why);
    if (piw_timer(self->task, "again", (uint64_t)imp->id, delay, 0) != 0)
        piw_fail(self->task, "no timer can be set for the import of %s", imp->package);
}

static void step(chase *self, importer *imp)
{
    const build_state *report = chase_report(imp);
    piw_msg *call = NULL;
    const char *continuation = NULL;
    int64_t deadline_ms = NEVER_MS;
    switch (imp->phase) {
    case CHASE_KNOWN:
        call = db_KNOWN_make(piw_text_of(imp->package), report->version, report->abi_tag), continuation = "known";
        break;
    case CHASE_NUMBER:
        call = db_RESERVE_make(piw_text_of("build"), 1), continuation = "number";
        break;
    case CHASE_EXPECT:
        call = make_expect(self, imp), continuation = "expected", deadline_ms = EXPECT_DEADLINE_MS;
        break;
    case CHASE_VERIFY:
        call = fs_VERIFY_make(imp->build_id, 0), continuation = "verified", deadline_ms = VERIFY_DEADLINE_MS;
        break;
    case CHASE_STAGE:
        call = make_stage(imp), continuation = "staged", deadline_ms = STAGE_DEADLINE_MS;
        break;
    case CHASE_RECORD:
        call = make_record(imp), continuation = "recorded";
        break;
    case CHASE_RECORDED:
        call = make_recorded(imp), continuation = "was_recorded";
        break;
    case CHASE_PUBLISH:
        call = make_publish(imp), continuation = "published", deadline_ms = PUBLISH_DEADLINE_MS;
        break;
    default:
        return;
    }
    int failed = piw_call(self->task, &call, continuation, (uint64_t)imp->id, deadline_ms);
    if (failed != 0) {
        piw_msg_free(&call);
        again_later(self, imp, piw_err_name(failed));
    }
}

void chase_go(chase *self, importer *imp, int phase)
{
    imp->phase = phase;
    imp->tries = 0;
    chase_remember(self, imp);
    step(self, imp);
}

int chase_on_again(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    chase *self = piw_soul(task);
    importer *imp = chase_of_id(self, (int64_t)key);
    if (imp != NULL)
        step(self, imp);
    return 0;
}

/* --- The answers -------------------------------------------------------------------------------------------------- */

/* Errors that say that the data is at fault: the same again can't help. */
static bool refuses_data(int code)
{
    return code == PIW_EDB || code == PIW_EINVAL || code == PIW_ESHAPE || code == PIW_ELIMIT || code == PIW_EREFUSED;
}

/* It is recorded, but its files aren't in place; a start of the master finishes it. */
static void fail_unpublished(chase *self, importer *imp, const char *text)
{
    char why[PIW_ERR_TEXT];
    snprintf(
        why, sizeof(why),
        "build %lld is recorded, but its files could not be put in place; the next start of the master does it: %s",
        (long long)imp->build_id, text);
    imp->sent_before = true; /* what is staged stays */
    chase_fail(self, imp, why);
}

/* The import whose answer this is, when it still waits for it and it is no error. */
static importer *answered(chase *self, piw_msg *reply, uint64_t key, int phase)
{
    importer *imp = chase_of_id(self, (int64_t)key);
    if (imp == NULL || imp->phase != phase)
        return NULL;
    int code = piw_msg_error(reply);
    if (code == 0)
        return imp;
    if (!refuses_data(code))
        again_later(self, imp, piw_msg_error_text(reply));
    else if (phase == CHASE_PUBLISH)
        fail_unpublished(self, imp, piw_msg_error_text(reply));
    else
        chase_fail(self, imp, piw_msg_error_text(reply));
    return NULL;
}

int chase_on_known(piw_task *task, piw_msg *reply, uint64_t key)
{
    chase *self = piw_soul(task);
    importer *imp = answered(self, reply, key, CHASE_KNOWN);
    if (imp == NULL)
        return 0;
    const db_KNOWN_reply *known = db_KNOWN_reply_of(reply);
    if (!known->abi) {
        char why[PIW_ERR_TEXT];
        snprintf(why, sizeof(why), "invalid ABI: %s", chase_report(imp)->abi_tag.s);
        chase_fail(self, imp, why);
    } else if (!known->version) {
        fail_unknown(self, imp);
    } else {
        chase_go(self, imp, CHASE_NUMBER);
    }
    return 0;
}

int chase_on_number(piw_task *task, piw_msg *reply, uint64_t key)
{
    chase *self = piw_soul(task);
    importer *imp = answered(self, reply, key, CHASE_NUMBER);
    if (imp == NULL)
        return 0;
    imp->build_id = db_RESERVE_reply_of(reply)->first;
    chase_queue(self, imp);
    return 0;
}

int chase_on_expected(piw_task *task, piw_msg *reply, uint64_t key)
{
    chase *self = piw_soul(task);
    importer *imp = answered(self, reply, key, CHASE_EXPECT);
    if (imp != NULL)
        say_send(self, imp);
    return 0;
}

static void transfer_was_bad(chase *self, importer *imp, const fs_VERIFY_reply *verdict)
{
    piw_text name = chase_report(imp)->files.at[imp->verified_count].filename;
    char why[PIW_ERR_TEXT + 400];
    if (verdict->final) {
        snprintf(why, sizeof(why), "the wheel %.255s was refused: %.500s", name.s, verdict->why.s);
        chase_fail(self, imp, why);
        return;
    }
    piw_warning("%s was sent badly by its importer (transfer %u of %d): %s", name.s, imp->bad + 1, CHASE_BAD_TRANSFERS,
                verdict->why.s);
    if (++imp->bad >= CHASE_BAD_TRANSFERS) {
        snprintf(why, sizeof(why), "the wheel %.255s could not be transferred in %d tries: %.500s", name.s,
                 CHASE_BAD_TRANSFERS, verdict->why.s);
        chase_fail(self, imp, why);
        return;
    }
    chase_go(self, imp, CHASE_EXPECT);
}

int chase_on_verified(piw_task *task, piw_msg *reply, uint64_t key)
{
    chase *self = piw_soul(task);
    importer *imp = answered(self, reply, key, CHASE_VERIFY);
    if (imp == NULL)
        return 0;
    const fs_VERIFY_reply *verdict = fs_VERIFY_reply_of(reply);
    if (!verdict->good) {
        transfer_was_bad(self, imp, verdict);
        return 0;
    }
    piw_value_copy(imp->report, built_file_type(), &verdict->file, &imp->verified[imp->verified_count]);
    imp->verified_count++;
    imp->bad = 0;
    if (imp->verified_count < chase_report(imp)->files.count) {
        chase_go(self, imp, CHASE_EXPECT);
        return 0;
    }
    chase_go(self, imp, CHASE_STAGE);
    chase_turn_over(self, imp);
    return 0;
}

int chase_on_staged(piw_task *task, piw_msg *reply, uint64_t key)
{
    chase *self = piw_soul(task);
    importer *imp = answered(self, reply, key, CHASE_STAGE);
    if (imp != NULL)
        chase_go(self, imp, CHASE_RECORD);
    return 0;
}

static void keep_names(importer *imp, const db_LOGBUILD_reply *body)
{
    piw_msg_list(imp->report, &imp->kept, body->kept.count);
    for (uint32_t i = 0; i < body->kept.count; i++) {
        imp->kept.at[i] = copy_text(imp->report, body->kept.at[i]);
        piw_info("build %lld of %s brings no entry %s: there is a wheel of that name", (long long)imp->build_id,
                 imp->package, imp->kept.at[i].s);
    }
}

int chase_on_recorded(piw_task *task, piw_msg *reply, uint64_t key)
{
    chase *self = piw_soul(task);
    importer *imp = chase_of_id(self, (int64_t)key);
    if (imp != NULL && imp->phase == CHASE_RECORD && piw_msg_error(reply) != 0 && !refuses_data(piw_msg_error(reply)))
        imp->sent_before = true; /* whatever the error says, the row may be there */
    imp = answered(self, reply, key, CHASE_RECORD);
    if (imp == NULL)
        return 0;
    const db_LOGBUILD_reply *body = db_LOGBUILD_reply_of(reply);
    if (PIW_FAULT("chase.committed")) {
        imp->sent_before = true;
        again_later(self, imp, "fault point chase.committed");
    } else if (body->recorded) {
        imp->sent_before = true;
        keep_names(imp, body);
        chase_go(self, imp, CHASE_PUBLISH);
    } else if (imp->sent_before) {
        chase_go(self, imp, CHASE_RECORDED);
    } else if (piw_text_is(body->why, "it is quarantined by PyPI")) {
        fail_quarantined(self, imp);
    } else {
        fail_unknown(self, imp);
    }
    return 0;
}

int chase_on_was_recorded(piw_task *task, piw_msg *reply, uint64_t key)
{
    chase *self = piw_soul(task);
    importer *imp = answered(self, reply, key, CHASE_RECORDED);
    if (imp == NULL)
        return 0;
    if (db_BUILDS_KNOWN_reply_of(reply)->known.count > 0) {
        chase_go(self, imp, CHASE_PUBLISH);
    } else {
        imp->sent_before = false;
        fail_unknown(self, imp);
    }
    return 0;
}

int chase_on_published(piw_task *task, piw_msg *reply, uint64_t key)
{
    chase *self = piw_soul(task);
    importer *imp = answered(self, reply, key, CHASE_PUBLISH);
    if (imp == NULL)
        return 0;
    piw_msg *pages = web_BOTH_make(piw_text_of(imp->package), true);
    if (piw_cast(task, &pages) != 0) {
        piw_warning("the pages of %s were not asked for: the page service is away", imp->package);
        piw_msg_free(&pages);
    }
    piw_info("build %lld: %s %s was imported, %u files", (long long)imp->build_id, imp->package,
             chase_report(imp)->version.s, imp->verified_count);
    answer(self, imp, import_DONE_make(piw_text_of("IMPORT")));
    chase_drop(self, &imp);
    return 0;
}
