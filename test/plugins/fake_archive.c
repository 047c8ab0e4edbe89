/* fake_archive — stands for the database and the statistics behind the tasks that make the site. What it knows, and
 * what it is to say, the test tells it; whatever is sent to it is noted as a printed line, for the test to wait for. */
#include "db.piw.h"
#include "fs.piw.h"
#include "piw/plugin.h"
#include "stats.piw.h"
#include "test/fake_archive.piw.h"
#include "transfers.piw.h"
#include "web.piw.h"

#include <stdio.h>
#include <stdlib.h>

static piw_continuation_fn on_staged;

enum { LINES_MAX = 10000, PROJECTS_MAX = 100, KNOWN_MAX = 100, DUE_MAX = 100, WAITERS_MAX = 16, LINE_MAX_BYTES = 3000 };

typedef struct waiter {
    piw_token token;
    char text[256];
    int64_t count;
} waiter;

typedef struct archive {
    char *lines[LINES_MAX];
    size_t lines_count;
    waiter waiters[WAITERS_MAX];
    size_t waiters_count;
    piw_msg *projects[PROJECTS_MAX]; /* archive_STORE messages, sorted by package */
    size_t projects_count;
    int64_t known[KNOWN_MAX];
    uint32_t known_count;
    piw_msg *due[DUE_MAX]; /* archive_DUE messages */
    size_t due_count;
    piw_msg *rewrites; /* the last db_REWRITES_SAVE */
    bool away;
    piw_msg *withheld; /* an archive_WITHHELD, until that is dealt with */
    bool looks_held, builds_held;
    piw_token looking;       /* while they are held: a WITHHELD_DUE */
    piw_token asking_builds; /* … a BUILDS_KNOWN */
} archive;

/* --- notes --- */

static int64_t count_lines(const archive *self, const char *text, const char **last)
{
    int64_t count = 0;
    for (size_t i = 0; i < self->lines_count; i++) {
        if (strstr(self->lines[i], text) != NULL) {
            count++;
            *last = self->lines[i];
        }
    }
    return count;
}

static int serve_waiters(piw_task *task, archive *self)
{
    for (size_t i = 0; i < self->waiters_count;) {
        waiter *w = &self->waiters[i];
        const char *last = "";
        if (count_lines(self, w->text, &last) < w->count) {
            i++;
            continue;
        }
        piw_msg *answer = archive_WAIT_reply_make(piw_text_of(last));
        int rc = piw_answer(task, w->token, &answer);
        piw_msg_free(&answer);
        *w = self->waiters[--self->waiters_count];
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int on_note(piw_task *task, piw_msg *msg)
{
    archive *self = piw_soul(task);
    char line[LINE_MAX_BYTES];
    if (self->lines_count == LINES_MAX)
        return PIW_ELIMIT;
    piw_msg_print(msg, line, sizeof(line));
    self->lines[self->lines_count++] = piw_strdup(line);
    return serve_waiters(task, self);
}

/* Answer a call of the database that is noted. Takes the answer. */
static int answer_noted(piw_task *task, piw_msg *msg, piw_msg *answer)
{
    const archive *self = piw_soul(task);
    int rc = self->away ? piw_refuse(task, msg, PIW_EDBAWAY, "the test wants the database away")
                        : piw_reply(task, msg, &answer);
    piw_msg_free(&answer);
    return rc;
}

/* The same, and note it. */
static int respond(piw_task *task, piw_msg *msg, piw_msg *answer)
{
    int rc = on_note(task, msg);
    if (rc == 0)
        return answer_noted(task, msg, answer);
    piw_msg_free(&answer);
    return rc;
}

static int done(piw_task *task, piw_msg *msg, piw_msg *answer)
{
    int rc = piw_reply(task, msg, &answer);
    piw_msg_free(&answer);
    return rc;
}

/* --- the database --- */

static const project_data *project_at(const archive *self, size_t i)
{
    return &archive_STORE_of(self->projects[i])->data;
}

/* Where the package stands, or would have to stand. */
static size_t place_of(const archive *self, piw_text package, bool *there)
{
    size_t i = 0;
    while (i < self->projects_count && strcmp(project_at(self, i)->package.s, package.s) < 0)
        i++;
    *there = i < self->projects_count && piw_text_eq(project_at(self, i)->package, package);
    return i;
}

/* What pages don't show of it. */
static const withheld_files *withheld_of(const archive *self, piw_text package, piw_msg *answer)
{
    const archive_WITHHELD *from = self->withheld == NULL ? NULL : archive_WITHHELD_of(self->withheld);
    if (from == NULL || !piw_text_eq(from->package, package))
        return NULL;
    withheld_files *files = piw_msg_alloc(answer, sizeof(*files));
    piw_msg_list(answer, &files->at, 1);
    files->at.at[0] = (withheld_files_at){.filename = piw_msg_text(answer, from->filename.s, from->filename.len),
                                          .filehash = piw_text_of(""),
                                          .hidden = from->hidden};
    return files;
}

static int on_project(piw_task *task, piw_msg *msg)
{
    archive *self = piw_soul(task);
    db_PROJECT_reply *body;
    piw_msg *answer = db_PROJECT_reply_new(&body);
    size_t i = place_of(self, db_PROJECT_of(msg)->package, &body->found);
    if (body->found)
        piw_value_copy(answer, project_data_type(), project_at(self, i), &body->data);
    body->withheld = withheld_of(self, db_PROJECT_of(msg)->package, answer);
    return respond(task, msg, answer);
}

/* A question for several is noted as one for each. */
static int on_projects(piw_task *task, piw_msg *msg)
{
    archive *self = piw_soul(task);
    const db_PROJECTS *from = db_PROJECTS_of(msg);
    db_PROJECTS_reply *body;
    piw_msg *answer = db_PROJECTS_reply_new(&body);
    piw_msg_list(answer, &body->projects, from->packages.count);
    for (uint32_t k = 0; k < from->packages.count; k++) {
        project_found *to = &body->projects.at[k];
        size_t i = place_of(self, from->packages.at[k], &to->found);
        piw_text package = from->packages.at[k];
        to->package = piw_msg_text(answer, package.s, package.len);
        to->data.package = to->data.name = to->data.description = to->data.skip = piw_text_of("");
        if (to->found)
            piw_value_copy(answer, project_data_type(), project_at(self, i), &to->data);
        piw_msg *one = db_PROJECT_make(package);
        int rc = on_note(task, one);
        piw_msg_free(&one);
        if (rc != 0) {
            piw_msg_free(&answer);
            return rc;
        }
    }
    return answer_noted(task, msg, answer);
}

static int on_packages(piw_task *task, piw_msg *msg)
{
    archive *self = piw_soul(task);
    const db_PACKAGES *from = db_PACKAGES_of(msg);
    db_PACKAGES_reply *body;
    piw_msg *answer = db_PACKAGES_reply_new(&body);
    piw_msg_list(answer, &body->packages, self->projects_count);
    body->packages.count = 0;
    for (size_t i = 0; i < self->projects_count && body->packages.count < from->limit; i++) {
        if (strcmp(project_at(self, i)->package.s, from->after.s) > 0)
            body->packages.at[body->packages.count++] = piw_msg_textz(answer, project_at(self, i)->package.s);
    }
    return respond(task, msg, answer);
}

static piw_msg *builds_known(const archive *self)
{
    db_BUILDS_KNOWN_reply *body;
    piw_msg *answer = db_BUILDS_KNOWN_reply_new(&body);
    piw_msg_list(answer, &body->known, self->known_count);
    memcpy(body->known.at, self->known, self->known_count * sizeof(*self->known));
    return answer;
}

static int on_builds_known(piw_task *task, piw_msg *msg)
{
    archive *self = piw_soul(task);
    if (!self->builds_held)
        return respond(task, msg, builds_known(self));
    int rc = on_note(task, msg);
    return rc == 0 ? piw_defer(task, msg, &self->asking_builds) : rc;
}

static int on_logbuild(piw_task *task, piw_msg *msg)
{
    db_LOGBUILD_reply *body;
    piw_msg *answer = db_LOGBUILD_reply_new(&body);
    body->recorded = true;
    return respond(task, msg, answer);
}

static int on_removals_due(piw_task *task, piw_msg *msg)
{
    archive *self = piw_soul(task);
    db_REMOVALS_DUE_reply *body;
    piw_msg *answer = db_REMOVALS_DUE_reply_new(&body);
    piw_msg_list(answer, &body->files, self->due_count);
    for (uint32_t i = 0; i < body->files.count; i++) {
        body->files.at[i].package = piw_msg_textz(answer, archive_DUE_of(self->due[i])->package.s);
        body->files.at[i].filename = piw_msg_textz(answer, archive_DUE_of(self->due[i])->filename.s);
    }
    return respond(task, msg, answer);
}

static int on_removals_done(piw_task *task, piw_msg *msg)
{
    archive *self = piw_soul(task);
    const db_REMOVALS_DONE *body = db_REMOVALS_DONE_of(msg);
    for (uint32_t i = 0; i < body->filenames.count; i++) {
        for (size_t k = 0; k < self->due_count; k++) {
            if (!piw_text_eq(archive_DUE_of(self->due[k])->filename, body->filenames.at[i]))
                continue;
            piw_msg_free(&self->due[k]);
            self->due[k] = self->due[--self->due_count];
        }
    }
    return on_note(task, msg);
}

static int on_rewrites_save(piw_task *task, piw_msg *msg)
{
    archive *self = piw_soul(task);
    piw_msg_free(&self->rewrites);
    self->rewrites = piw_msg_copy(msg);
    return respond(task, msg, db_REWRITES_SAVE_reply_new());
}

static int on_rewrites_load(piw_task *task, piw_msg *msg)
{
    archive *self = piw_soul(task);
    db_REWRITES_LOAD_reply *body;
    piw_msg *answer = db_REWRITES_LOAD_reply_new(&body);
    if (self->rewrites != NULL) {
        const db_REWRITES_SAVE *saved = db_REWRITES_SAVE_of(self->rewrites);
        piw_msg_list(answer, &body->rewrites, saved->rewrites.count);
        for (uint32_t i = 0; i < saved->rewrites.count; i++)
            piw_value_copy(answer, rewrite_type(), &saved->rewrites.at[i], &body->rewrites.at[i]);
    }
    return respond(task, msg, answer);
}

/* Whatever it is given is the site's mark. */
static int on_site_mark(piw_task *task, piw_msg *msg)
{
    piw_msg *answer = db_SITE_MARK_reply_make(db_SITE_MARK_of(msg)->mark);
    int rc = piw_reply(task, msg, &answer);
    piw_msg_free(&answer);
    return rc;
}

static piw_msg *withheld_due(const archive *self)
{
    db_WITHHELD_DUE_reply *body;
    piw_msg *answer = db_WITHHELD_DUE_reply_new(&body);
    if (self->withheld != NULL) {
        const archive_WITHHELD *from = archive_WITHHELD_of(self->withheld);
        piw_msg_list(answer, &body->files, 1);
        body->files.at[0].package = piw_msg_text(answer, from->package.s, from->package.len);
        body->files.at[0].filename = piw_msg_text(answer, from->filename.s, from->filename.len);
        body->files.at[0].hidden = from->hidden;
    }
    return answer;
}

static int on_withheld_due(piw_task *task, piw_msg *msg)
{
    archive *self = piw_soul(task);
    if (!self->looks_held)
        return respond(task, msg, withheld_due(self));
    int rc = on_note(task, msg);
    return rc == 0 ? piw_defer(task, msg, &self->looking) : rc;
}

static int on_withheld_done(piw_task *task, piw_msg *msg)
{
    archive *self = piw_soul(task);
    db_WITHHELD_DONE_reply *body;
    piw_msg_free(&self->withheld);
    return respond(task, msg, db_WITHHELD_DONE_reply_new(&body));
}

static int on_other(piw_task *task, piw_msg *msg)
{
    int rc = on_note(task, msg);
    return rc != 0 ? rc
                   : piw_refuse(task, msg, PIW_EABSENT, "the fixture does not know %s", piw_msg_type_of(msg)->name);
}

/* --- what the test says --- */

/* What is held goes on, with this answer. */
static int let_go(piw_task *task, piw_token *held, piw_msg *answer)
{
    int rc = held->id == 0 ? 0 : piw_answer(task, *held, &answer);
    piw_msg_free(&answer);
    *held = (piw_token){0};
    return rc;
}

static int on_set(piw_task *task, piw_msg *msg)
{
    archive *self = piw_soul(task);
    const archive_SET *body = archive_SET_of(msg);
    bool yes = piw_text_is(body->value, "yes");
    int rc = 0;
    if (piw_text_is(body->name, "away"))
        self->away = yes;
    else if (piw_text_is(body->name, "looks-held"))
        rc = (self->looks_held = yes) ? 0 : let_go(task, &self->looking, withheld_due(self));
    else if (piw_text_is(body->name, "builds-held"))
        rc = (self->builds_held = yes) ? 0 : let_go(task, &self->asking_builds, builds_known(self));
    return rc != 0 ? rc : done(task, msg, archive_SET_reply_new());
}

/* Takes what is cast. */
static int pass_on(piw_task *task, piw_msg *msg, piw_msg *cast, piw_msg *answer)
{
    int rc = piw_cast(task, &cast);
    piw_msg_free(&cast);
    if (rc == 0)
        return done(task, msg, answer);
    piw_msg_free(&answer);
    return rc;
}

static int on_look(piw_task *task, piw_msg *msg)
{
    return pass_on(task, msg, fs_WITHHELD_new(), archive_LOOK_reply_new());
}

static int on_discard(piw_task *task, piw_msg *msg)
{
    const archive_DISCARD *from = archive_DISCARD_of(msg);
    return pass_on(task, msg, fs_DISCARD_make(from->build_id, from->slave_id), archive_DISCARD_reply_new());
}

static int on_stage_discard(piw_task *task, piw_msg *msg)
{
    const archive_STAGE_DISCARD *from = archive_STAGE_DISCARD_of(msg);
    fs_STAGE *body;
    piw_msg *stage = fs_STAGE_new(&body);
    body->build_id = from->build_id;
    body->package = piw_msg_text(stage, from->package.s, from->package.len);
    body->output = piw_msg_blob(stage, from->output);
    piw_msg *discard = fs_DISCARD_make(from->build_id, 0);
    piw_token token;
    int rc = piw_defer(task, msg, &token);
    if (rc == 0)
        rc = piw_call(task, &stage, PIW_ON(staged), token.id, 0);
    if (rc == 0)
        rc = piw_cast(task, &discard);
    piw_msg_free(&stage);
    piw_msg_free(&discard);
    return rc;
}

static int on_staged(piw_task *task, piw_msg *reply, uint64_t key)
{
    piw_token token = {key};
    piw_text why = piw_text_of(piw_msg_error(reply) == 0 ? "" : piw_msg_error_text(reply));
    piw_msg *answer = archive_STAGE_DISCARD_reply_make(piw_msg_error(reply), why);
    int rc = piw_answer(task, token, &answer);
    piw_msg_free(&answer);
    return rc;
}

static int on_withheld(piw_task *task, piw_msg *msg)
{
    archive *self = piw_soul(task);
    piw_msg_free(&self->withheld);
    self->withheld = piw_msg_copy(msg);
    return done(task, msg, archive_WITHHELD_reply_new());
}

static int on_store(piw_task *task, piw_msg *msg)
{
    archive *self = piw_soul(task);
    bool there;
    size_t i = place_of(self, archive_STORE_of(msg)->data.package, &there);
    if (there) {
        piw_msg_free(&self->projects[i]);
    } else {
        if (self->projects_count == PROJECTS_MAX)
            return PIW_ELIMIT;
        memmove(self->projects + i + 1, self->projects + i, (self->projects_count - i) * sizeof(*self->projects));
        self->projects_count++;
    }
    self->projects[i] = piw_msg_copy(msg);
    return done(task, msg, archive_STORE_reply_new());
}

static int on_forget(piw_task *task, piw_msg *msg)
{
    archive *self = piw_soul(task);
    bool there;
    size_t i = place_of(self, archive_FORGET_of(msg)->package, &there);
    if (there) {
        piw_msg_free(&self->projects[i]);
        self->projects_count--;
        memmove(self->projects + i, self->projects + i + 1, (self->projects_count - i) * sizeof(*self->projects));
    }
    return done(task, msg, archive_FORGET_reply_new());
}

static int on_known(piw_task *task, piw_msg *msg)
{
    archive *self = piw_soul(task);
    const archive_KNOWN *body = archive_KNOWN_of(msg);
    self->known_count = body->build_ids.count < KNOWN_MAX ? body->build_ids.count : KNOWN_MAX;
    memcpy(self->known, body->build_ids.at, self->known_count * sizeof(*self->known));
    return done(task, msg, archive_KNOWN_reply_new());
}

static int on_due(piw_task *task, piw_msg *msg)
{
    archive *self = piw_soul(task);
    if (self->due_count == DUE_MAX)
        return PIW_ELIMIT;
    self->due[self->due_count++] = piw_msg_copy(msg);
    return done(task, msg, archive_DUE_reply_new());
}

static piw_msg *web_message(const archive_WEB *body)
{
    if (piw_text_is(body->word, "PROJECT"))
        return web_PROJECT_make(body->package, body->now);
    if (piw_text_is(body->word, "BOTH"))
        return web_BOTH_make(body->package, body->now);
    if (piw_text_is(body->word, "DELPKG"))
        return web_DELPKG_make(body->package);
    if (piw_text_is(body->word, "DELVER"))
        return web_DELVER_make(body->package, piw_text_of("1.0"));
    return piw_text_is(body->word, "ALL") ? web_ALL_make(piw_text_of("BOTH")) : web_HOME_new();
}

static int on_web(piw_task *task, piw_msg *msg)
{
    piw_msg *cast = web_message(archive_WEB_of(msg));
    int rc = piw_cast(task, &cast);
    piw_msg_free(&cast);
    return rc != 0 ? rc : done(task, msg, archive_WEB_reply_new());
}

static int on_wait(piw_task *task, piw_msg *msg)
{
    archive *self = piw_soul(task);
    const archive_WAIT *body = archive_WAIT_of(msg);
    if (self->waiters_count == WAITERS_MAX)
        return PIW_ELIMIT;
    waiter *w = &self->waiters[self->waiters_count++];
    snprintf(w->text, sizeof(w->text), "%s", body->text.s);
    w->count = body->count;
    int rc = piw_defer(task, msg, &w->token);
    return rc != 0 ? rc : serve_waiters(task, self);
}

static int on_count(piw_task *task, piw_msg *msg)
{
    const char *last;
    return done(task, msg, archive_COUNT_reply_make(count_lines(piw_soul(task), archive_COUNT_of(msg)->text.s, &last)));
}

/* --- life --- */

static bool is_set(piw_task *task, const char *name)
{
    const char *value = piw_setting(task, name);
    return value != NULL && strcmp(value, "yes") == 0;
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why, (void)state, (void)err;
    archive *self = piw_zalloc(sizeof(*self));
    self->away = is_set(task, "test-away");
    self->builds_held = is_set(task, "test-builds-held");
    piw_soul_set(task, self);
    return 0;
}

/* What was saved last, for a test to read when nothing runs any more: a package a line. */
static void keep_rewrites(piw_task *task, const archive *self)
{
    const char *path = piw_setting(task, "test-rewrites");
    FILE *file = path == NULL || self->rewrites == NULL ? NULL : fopen(path, "w");
    if (file == NULL)
        return;
    const db_REWRITES_SAVE *body = db_REWRITES_SAVE_of(self->rewrites);
    for (uint32_t i = 0; i < body->rewrites.count; i++)
        fprintf(file, "%s %s\n", body->rewrites.at[i].command.s, body->rewrites.at[i].package.s);
    fclose(file);
}

static void stop(piw_task *task, bool leaving)
{
    (void)leaving;
    archive *self = piw_soul(task);
    keep_rewrites(task, self);
    for (size_t i = 0; i < self->lines_count; i++)
        free(self->lines[i]);
    for (size_t i = 0; i < self->projects_count; i++)
        piw_msg_free(&self->projects[i]);
    for (size_t i = 0; i < self->due_count; i++)
        piw_msg_free(&self->due[i]);
    piw_msg_free(&self->rewrites);
    piw_msg_free(&self->withheld);
    free(self);
}

static const piw_service serves[] = {
    {"db", &db_protocol_def}, {"stats", &stats_protocol_def}, {"archive", &archive_protocol_def}, PIW_SERVICES_END};
static const piw_service uses[] = {{"fs", &fs_protocol_def}, {"web", &web_protocol_def}, PIW_SERVICES_END};
static const piw_event subscribes[] = {{&transfers_protocol_def, TRANSFER_UNKNOWN}, PIW_EVENTS_END};
static const piw_handler handlers[] = {
    {&transfers_protocol_def, TRANSFER_UNKNOWN, on_note},
    {&db_protocol_def, PIW_EVERY_MESSAGE, on_other},
    {&db_protocol_def, DB_SITE_MARK, on_site_mark},
    {&db_protocol_def, DB_WITHHELD_DUE, on_withheld_due},
    {&db_protocol_def, DB_WITHHELD_DONE, on_withheld_done},
    {&db_protocol_def, DB_DESCRIBE, on_note},
    {&db_protocol_def, DB_ATTEMPT, on_note},
    {&db_protocol_def, DB_ATTEMPT_END, on_note},
    {&db_protocol_def, DB_LOGBUILD, on_logbuild},
    {&db_protocol_def, DB_BUILDS_KNOWN, on_builds_known},
    {&db_protocol_def, DB_PROJECT, on_project},
    {&db_protocol_def, DB_PROJECTS, on_projects},
    {&db_protocol_def, DB_PACKAGES, on_packages},
    {&db_protocol_def, DB_REWRITES_SAVE, on_rewrites_save},
    {&db_protocol_def, DB_REWRITES_LOAD, on_rewrites_load},
    {&db_protocol_def, DB_REMOVALS_DUE, on_removals_due},
    {&db_protocol_def, DB_REMOVALS_DONE, on_removals_done},
    {&stats_protocol_def, STATS_DISK, on_note},
    {&stats_protocol_def, STATS_SITE, on_note},
    {&stats_protocol_def, STATS_QUEUE, on_note},
    {&stats_protocol_def, STATS_SLAVE, on_note},
    {&stats_protocol_def, STATS_SLAVE_GONE, on_note},
    {&stats_protocol_def, STATS_PAUSED, on_note},
    {&stats_protocol_def, STATS_PAUSE, on_other},
    {&stats_protocol_def, STATS_FIGURES, on_other},
    {&archive_protocol_def, ARCHIVE_SET, on_set},
    {&archive_protocol_def, ARCHIVE_STORE, on_store},
    {&archive_protocol_def, ARCHIVE_FORGET, on_forget},
    {&archive_protocol_def, ARCHIVE_KNOWN, on_known},
    {&archive_protocol_def, ARCHIVE_DUE, on_due},
    {&archive_protocol_def, ARCHIVE_WITHHELD, on_withheld},
    {&archive_protocol_def, ARCHIVE_LOOK, on_look},
    {&archive_protocol_def, ARCHIVE_DISCARD, on_discard},
    {&archive_protocol_def, ARCHIVE_STAGE_DISCARD, on_stage_discard},
    {&archive_protocol_def, ARCHIVE_WEB, on_web},
    {&archive_protocol_def, ARCHIVE_WAIT, on_wait},
    {&archive_protocol_def, ARCHIVE_COUNT, on_count},
    PIW_HANDLERS_END,
};
static const piw_continuation continuations[] = {PIW_CONTINUATION(staged), PIW_CONTINUATIONS_END};

PIW_PLUGIN(fake_archive, .version = "1.0", .summary = "the database behind the site, as a test wants it",
           .serves = serves, .uses = uses, .subscribes = subscribes, .start = start, .stop = stop, .handlers = handlers,
           .continuations = continuations);
