/* import.c — an import in progress, from its first check to its end. The table at the end of this file is its way:
 * what is called in each phase, and what follows from the answer. It knows nothing of who waits for it: the caller
 * (conversation.c) tells the importer what the import needs or how it ended, and gives it its turn.
 *
 * A step that fails through no fault of the import (a task away, the disk full) is tried again while the importer
 * waits; each can be repeated without harm. When the data are refused, the import ends and nothing of it stays. */
#include "mr_chase/chase.h"

#include "fs.piw.h"
#include "piw/fault.h"
#include "shared/retry.h"
#include "shared/text.h"
#include "web.piw.h"

enum {
    EXPECT_DEADLINE_MS = 30000,
    VERIFY_DEADLINE_MS = 600000, /* a wheel of 2 GB is hashed and inspected meanwhile, on a slow disk */
    STAGE_DEADLINE_MS = 600000,  /* wheels are synced meanwhile */
    PUBLISH_DEADLINE_MS = 600000,
    NEVER_MS = -1, /* what asks the database waits until it is there */
};

/* --- The calls ---------------------------------------------------------------------------------------------------- */

/* The queue that it is a build for: in place of an ABI importers may name a view. */
static piw_text queue_of(const chase *self, const importer *imp)
{
    const build_state *report = chase_report(imp);
    const piw_farm_view *view = piw_views_find(&self->views, report->abi_tag);
    return view != NULL ? piw_text_of(piw_view_queue(view)) : report->abi_tag;
}

static piw_msg *make_known(const chase *self, const importer *imp)
{
    return db_KNOWN_make(piw_text_of(imp->package), chase_report(imp)->version, queue_of(self, imp));
}

static piw_msg *make_number(const chase *self, const importer *imp)
{
    (void)self;
    (void)imp;
    return db_RESERVE_make(piw_text_of("build"), 1);
}

static piw_msg *make_verify(const chase *self, const importer *imp)
{
    (void)self;
    return fs_VERIFY_make(imp->saved.build_id, 0);
}

static piw_msg *make_expect(const chase *self, const importer *imp)
{
    const char *address = piw_peer_address(self->task, (piw_peer)imp->saved.peer);
    fs_EXPECT *body;
    piw_msg *call = fs_EXPECT_new(&body);
    const file_state *file = &chase_report(imp)->files.at[imp->saved.verified.count];
    body->build_id = imp->saved.build_id;
    body->peer_address = piw_msg_textz(call, address != NULL ? address : "");
    /* The file's own package: an operator may put it under another one's name. */
    char package[PIW_NAME_MAX + 1];
    body->package = piw_msg_textz(call, piw_name_canonical(file->package_tag, package) ? package : imp->package);
    piw_value_copy(call, file_state_type(), file, &body->file);
    return call;
}

static piw_msg *make_stage(const chase *self, const importer *imp)
{
    fs_STAGE *body;
    piw_msg *call = fs_STAGE_new(&body);
    body->build_id = imp->saved.build_id;
    body->package = piw_msg_textz(call, imp->package);
    body->output = piw_msg_blob(call, chase_report(imp)->output);
    body->view = piw_text_copy_some(call, piw_views_store(&self->views, queue_of(self, imp)));
    return call;
}

static piw_msg *make_record(const chase *self, const importer *imp)
{
    const build_state *report = chase_report(imp);
    const build_row row = {.build_id = imp->saved.build_id,
                           .package = piw_text_of(imp->package),
                           .version = report->version,
                           .abi_tag = queue_of(self, imp),
                           .status = true,
                           .duration = report->duration,
                           .files = {imp->saved.verified.count, imp->saved.verified.at},
                           .view = piw_views_store(&self->views, queue_of(self, imp))};
    build_row *body;
    piw_msg *call = db_LOGBUILD_new(&body);
    piw_value_copy(call, build_row_type(), &row, body);
    return call;
}

static piw_msg *make_recorded(const chase *self, const importer *imp)
{
    (void)self;
    db_BUILDS_KNOWN *body;
    piw_msg *call = db_BUILDS_KNOWN_new(&body);
    piw_msg_list(call, &body->build_ids, 1);
    body->build_ids.at[0] = imp->saved.build_id;
    return call;
}

static piw_msg *make_publish(const chase *self, const importer *imp)
{
    fs_PUBLISH *body;
    piw_msg *call = fs_PUBLISH_new(&body);
    body->build_id = imp->saved.build_id;
    body->package = piw_msg_textz(call, imp->package);
    piw_msg_list(call, &body->kept, imp->saved.kept.count);
    piw_texts_copy(call, imp->saved.kept.at, imp->saved.kept.count, body->kept.at);
    body->view = piw_text_copy_some(call, piw_views_store(&self->views, queue_of(self, imp)));
    return call;
}

/* --- What follows from the answers --------------------------------------------------------------------------------- */

/* Not a phase: the present one is tried again after a while, for the reason in the error. */
enum { AGAIN_LATER = 0 };

static int unknown(const importer *imp, piw_err *err)
{
    const build_state *report = chase_report(imp);
    piw_err_set(err, PIW_EREFUSED, "unknown package version %.200s %s", report->package.s, report->version.s);
    return CHASE_REFUSED;
}

/* Nobody could fetch the wheel: an import has to wait for the end of the quarantine. */
static int quarantined(const importer *imp, piw_err *err)
{
    const build_state *report = chase_report(imp);
    piw_err_set(err, PIW_EREFUSED, "%.200s %s is quarantined by PyPI: nothing of it is published until that ends",
                report->package.s, report->version.s);
    return CHASE_REFUSED;
}

/* For a view that is named each wheel must be for one of its platforms. */
static bool fits_view(const chase *self, const importer *imp, piw_err *err)
{
    const build_state *report = chase_report(imp);
    const piw_farm_view *view = piw_views_find(&self->views, report->abi_tag);
    for (uint32_t i = 0; view != NULL && i < report->files.count; i++) {
        const file_state *file = &report->files.at[i];
        if (!piw_view_takes_platform(view, file->platform_tag)) {
            piw_err_set(err, PIW_EREFUSED, "the wheel %.255s is for %.100s, which is none of the platforms of view %s",
                        file->filename.s, file->platform_tag.s, view->name);
            return false;
        }
    }
    return true;
}

static int known(const chase *self, importer *imp, const piw_msg *reply, piw_err *err)
{
    const db_KNOWN_reply *known = db_KNOWN_reply_of(reply);
    if (!known->abi) {
        piw_text abi = chase_report(imp)->abi_tag;
        piw_err_set(err, PIW_EREFUSED, piw_view_name_fault(abi) == NULL ? "the farm has no view %s" : "invalid ABI: %s",
                    abi.s);
        return CHASE_REFUSED;
    }
    if (!fits_view(self, imp, err))
        return CHASE_REFUSED;
    return known->version ? CHASE_NUMBER : unknown(imp, err);
}

static int number(const chase *self, importer *imp, const piw_msg *reply, piw_err *err)
{
    (void)self;
    (void)err;
    imp->saved.build_id = db_RESERVE_reply_of(reply)->first;
    return CHASE_TURN;
}

static int expected(const chase *self, importer *imp, const piw_msg *reply, piw_err *err)
{
    (void)self;
    (void)imp;
    (void)reply;
    (void)err;
    return CHASE_SENDING;
}

static int transfer_was_bad(importer *imp, const fs_VERIFY_reply *verdict, piw_err *err)
{
    piw_text name = chase_report(imp)->files.at[imp->saved.verified.count].filename;
    if (verdict->final) {
        piw_err_set(err, PIW_EREFUSED, "the wheel %.255s was refused: %.500s", name.s, verdict->why.s);
        return CHASE_REFUSED;
    }
    piw_warning("%s came damaged from its importer (transfer %u of %d): %s", name.s, (unsigned)imp->saved.bad + 1,
                CHASE_BAD_TRANSFERS, verdict->why.s);
    if (++imp->saved.bad < CHASE_BAD_TRANSFERS)
        return CHASE_EXPECT;
    piw_err_set(err, PIW_EREFUSED, "the wheel %.255s could not be transferred in %d tries: %.500s", name.s,
                CHASE_BAD_TRANSFERS, verdict->why.s);
    return CHASE_REFUSED;
}

static int verified(const chase *self, importer *imp, const piw_msg *reply, piw_err *err)
{
    (void)self;
    const fs_VERIFY_reply *verdict = fs_VERIFY_reply_of(reply);
    if (!verdict->good)
        return transfer_was_bad(imp, verdict, err);
    piw_value_copy(imp->memory, built_file_type(), &verdict->file, &imp->saved.verified.at[imp->saved.verified.count]);
    imp->saved.verified.count++;
    imp->saved.bad = 0;
    return imp->saved.verified.count < chase_report(imp)->files.count ? CHASE_EXPECT : CHASE_STAGE;
}

static int staged(const chase *self, importer *imp, const piw_msg *reply, piw_err *err)
{
    (void)self;
    (void)imp;
    (void)reply;
    (void)err;
    return CHASE_RECORD;
}

static void keep_names(importer *imp, const db_LOGBUILD_reply *body)
{
    piw_msg_list(imp->memory, &imp->saved.kept, body->kept.count);
    for (uint32_t i = 0; i < body->kept.count; i++) {
        imp->saved.kept.at[i] = piw_text_copy(imp->memory, body->kept.at[i]);
        piw_info("build %lld of %s brings no entry %s: there is a wheel of that name", (long long)imp->saved.build_id,
                 imp->package, imp->saved.kept.at[i].s);
    }
}

static int recorded(const chase *self, importer *imp, const piw_msg *reply, piw_err *err)
{
    (void)self;
    const db_LOGBUILD_reply *body = db_LOGBUILD_reply_of(reply);
    if (PIW_FAULT("chase.committed")) {
        imp->saved.sent_before = true;
        piw_err_set(err, PIW_EDBAWAY, "fault point chase.committed");
        return AGAIN_LATER;
    }
    if (body->recorded) {
        imp->saved.sent_before = true;
        keep_names(imp, body);
        return CHASE_PUBLISH;
    }
    if (imp->saved.sent_before)
        return CHASE_RECORDED;
    return piw_text_is(body->why, "it is quarantined by PyPI") ? quarantined(imp, err) : unknown(imp, err);
}

static int was_recorded(const chase *self, importer *imp, const piw_msg *reply, piw_err *err)
{
    (void)self;
    if (db_BUILDS_KNOWN_reply_of(reply)->known.count > 0)
        return CHASE_PUBLISH;
    imp->saved.sent_before = false;
    return unknown(imp, err);
}

static int published(const chase *self, importer *imp, const piw_msg *reply, piw_err *err)
{
    (void)reply;
    (void)err;
    piw_msg *pages = web_BOTH_make(piw_text_of(imp->package), true);
    if (piw_cast(self->task, &pages) != 0) {
        piw_warning("the pages of %s were not asked for: the page service is away", imp->package);
        piw_msg_free(&pages);
    }
    piw_info("build %lld: %s %s was imported, %u files", (long long)imp->saved.build_id, imp->package,
             chase_report(imp)->version.s, imp->saved.verified.count);
    return CHASE_DONE;
}

/* --- The way ------------------------------------------------------------------------------------------------------- */

/* Phases that aren't listed wait for the importer, or for others: nothing is called in them. */
static const struct step {
    piw_msg *(*call)(const chase *self, const importer *imp);
    const char *continuation;
    int64_t deadline_ms;
    /* The phase that follows from a good answer; AGAIN_LATER and CHASE_REFUSED say why. */
    int (*follows)(const chase *self, importer *imp, const piw_msg *reply, piw_err *err);
} way[CHASE_PHASES] = {
    [CHASE_KNOWN] = {make_known, PIW_ON(known), NEVER_MS, known},
    [CHASE_NUMBER] = {make_number, PIW_ON(number), NEVER_MS, number},
    [CHASE_EXPECT] = {make_expect, PIW_ON(expected), EXPECT_DEADLINE_MS, expected},
    [CHASE_VERIFY] = {make_verify, PIW_ON(verified), VERIFY_DEADLINE_MS, verified},
    [CHASE_STAGE] = {make_stage, PIW_ON(staged), STAGE_DEADLINE_MS, staged},
    [CHASE_RECORD] = {make_record, PIW_ON(recorded), NEVER_MS, recorded},
    [CHASE_RECORDED] = {make_recorded, PIW_ON(was_recorded), NEVER_MS, was_recorded},
    [CHASE_PUBLISH] = {make_publish, PIW_ON(published), PUBLISH_DEADLINE_MS, published},
};

static void again_later(chase *self, importer *imp, const char *why)
{
    int64_t delay = piw_retry_ms(imp->saved.tries);
    imp->saved.tries++;
    piw_outage_goes_on(&self->stuck[imp->saved.phase], PIW_LOG_WARNING, 0,
                       "the import of %s waits and is tried again in %lld s: %s", imp->package, (long long)delay / 1000,
                       why);
    if (piw_timer(self->task, PIW_ON(again), (uint64_t)imp->saved.id, delay, 0) != 0)
        piw_fail(self->task, "no timer can be set for the import of %s", imp->package);
}

/* The step of a phase; NULL when nothing is called in it, as at the ends of an import. */
static const struct step *step_of(int phase)
{
    bool has = phase > 0 && phase < CHASE_PHASES && way[phase].call != NULL;
    return has ? &way[phase] : NULL;
}

void chase_import_step(chase *self, importer *imp)
{
    const struct step *at = step_of(imp->saved.phase);
    if (at == NULL)
        return;
    piw_msg *call = at->call(self, imp);
    int failed = piw_call(self->task, &call, at->continuation, (uint64_t)imp->saved.id, at->deadline_ms);
    if (failed != 0) {
        piw_msg_free(&call);
        again_later(self, imp, piw_err_name(failed));
    }
}

void chase_import_go(chase *self, importer *imp, int phase)
{
    imp->saved.phase = phase;
    imp->saved.tries = 0;
    if (step_of(phase) == NULL)
        return;
    chase_remember(self, imp);
    chase_import_step(self, imp);
}

/* What follows from an answer that is an error. */
static int after_error(importer *imp, const piw_msg *reply, piw_err *err)
{
    int code = piw_msg_error(reply);
    const char *text = piw_msg_error_text(reply);
    if (!piw_refuses_data(code)) {
        if (imp->saved.phase == CHASE_RECORD)
            imp->saved.sent_before = true; /* the row may be there, whatever the error says */
        piw_err_set(err, code, "%s", text);
        return AGAIN_LATER;
    }
    if (imp->saved.phase == CHASE_PUBLISH) {
        imp->saved.sent_before = true; /* what is staged stays: a start of the master finishes it */
        piw_err_set(
            err, code,
            "build %lld is recorded, but its files could not be put in place; the next start of the master does "
            "it: %s",
            (long long)imp->saved.build_id, text);
    }
    piw_err_set(err, code, "%s", text);
    return CHASE_REFUSED;
}

int chase_import_answered(chase *self, importer *imp, const piw_msg *reply, piw_err *err)
{
    int phase =
        piw_msg_error(reply) == 0 ? way[imp->saved.phase].follows(self, imp, reply, err) : after_error(imp, reply, err);
    if (phase == AGAIN_LATER) {
        again_later(self, imp, err->text);
    } else {
        piw_outage_over(&self->stuck[imp->saved.phase], "imports that waited go on");
        chase_import_go(self, imp, phase);
    }
    return imp->saved.phase;
}

/* Its phase stays: its answer comes before that of any call that follows from what the importer says. */
void chase_import_expect_again(chase *self, importer *imp)
{
    if (imp->saved.phase != CHASE_SENDING || imp->expecting)
        return;
    piw_msg *call = make_expect(self, imp);
    imp->expecting = piw_call(self->task, &call, PIW_ON(expected), (uint64_t)imp->saved.id, EXPECT_DEADLINE_MS) == 0;
    piw_msg_free(&call);
}

bool chase_import_expected_again(chase *self, importer *imp, const piw_msg *reply)
{
    if (!imp->expecting)
        return false;
    imp->expecting = false;
    if (piw_msg_error(reply) != 0) {
        piw_outage_goes_on(&self->stuck[CHASE_EXPECT], PIW_LOG_WARNING, 0,
                           "the transfer of %s can't begin anew until its importer says HELLO again: %s", imp->package,
                           piw_msg_error_text(reply));
        return true;
    }
    piw_outage_over(&self->stuck[CHASE_EXPECT], "imports that waited go on");
    piw_info("the importer of %s sends a file from its beginning: file_juggler didn't know of it", imp->package);
    return true;
}

void chase_import_discard(chase *self, importer *imp)
{
    if (imp->saved.build_id == 0 || imp->saved.sent_before)
        return;
    piw_msg *discard = fs_DISCARD_make(imp->saved.build_id, 0);
    if (piw_cast(self->task, &discard) != 0)
        piw_msg_free(&discard);
    imp->saved.build_id = 0;
}
