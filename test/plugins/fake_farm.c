/* fake_farm — stands for the database, the file juggler, the secretary and big_brother around a task that is tested.
 *
 * Whatever is sent to it is noted as a printed line, for the test to wait for. Names for SET:
 *   db = here | away | lost   away: calls to the database are kept until it is here again; lost: it is, and those are answered with `code`
 *   files = quick | slow  slow: the same for calls to the file juggler
 *   verify = good | bad | final
 *   recorded = yes | no   LOGBUILD's answer
 *   known = yes | no      BUILDS_KNOWN's answer
 *   there = all | package | abi | version | none   KNOWN's answer: what is there
 *   word = WORD           the administrator's calls' answer, done
 *   error = WORD          the same, not done
 *   sealed = VERSION | "" | silent   which of p of cp311 has its build sealed; silent: nobody says
 *   refuse = WORD | ""    a call of this name is answered with `code`
 *   code = NUMBER
 *   behind = NUMBER       so many builds wait behind those that QUEUE says
 *   wait = SECONDS        until a version that failed because of its slave is tried again
 *   notes = on | off      off: nothing is noted (benches) */
#include "builds.piw.h"
#include "db.piw.h"
#include "events.piw.h"
#include "fs.piw.h"
#include "heads.piw.h"
#include "piw/plugin.h"
#include "seals.piw.h"
#include "slaves.piw.h"
#include "stats.piw.h"
#include "test/fake_farm.piw.h"
#include "transfers.piw.h"
#include "web.piw.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINES_MAX = 20000, KEPT_MAX = 1000, WAITERS_MAX = 16, LINE_MAX_BYTES = 3000 };

typedef struct waiter {
    piw_token token;
    char text[256];
    int64_t count;
} waiter;

typedef struct fake {
    char *lines[LINES_MAX];
    size_t lines_count;
    waiter waiters[WAITERS_MAX];
    size_t waiters_count;
    struct {
        piw_token token;
        piw_msg *answer;
    } kept[KEPT_MAX];
    size_t kept_count;
    bool away, slow, silent;
    char verify[8], recorded[8], known[8], refuse[32], there[8], word[16], error[16], sealed[16];
    int code;
    int64_t tries, wait_s, behind;
    int64_t next_number;
    int64_t next_build;
} fake;

/* --- notes ------------------------------------------------------------------------------------------------------- */

static int64_t count_lines(const fake *self, const char *text, const char **last)
{
    int64_t count = 0;
    for (size_t i = 0; i < self->lines_count; i++)
        if (strstr(self->lines[i], text) != NULL) {
            count++;
            *last = self->lines[i];
        }
    return count;
}

static int serve_waiters(piw_task *task, fake *self)
{
    for (size_t i = 0; i < self->waiters_count;) {
        waiter *w = &self->waiters[i];
        const char *last = "";
        if (count_lines(self, w->text, &last) < w->count) {
            i++;
            continue;
        }
        piw_msg *answer = fake_WAIT_reply_make(piw_text_of(last));
        int failed = piw_answer(task, w->token, &answer);
        piw_msg_free(&answer);
        *w = self->waiters[--self->waiters_count];
        if (failed != 0)
            return failed;
    }
    return 0;
}

static int note(piw_task *task, const piw_msg *msg)
{
    fake *self = piw_soul(task);
    char line[LINE_MAX_BYTES];
    if (self->silent)
        return 0;
    if (self->lines_count == LINES_MAX)
        return PIW_ELIMIT;
    piw_msg_print(msg, line, sizeof(line));
    self->lines[self->lines_count++] = piw_strdup(line);
    return serve_waiters(task, self);
}

static int on_just_note(piw_task *task, piw_msg *msg)
{
    return note(task, msg);
}

/* Does the service hold its answers back? */
static bool holds(const fake *self, const char *service)
{
    bool held = strcmp(service, "db") == 0 ? self->away : strcmp(service, "fs") == 0 && self->slow;
    return held && self->kept_count < KEPT_MAX;
}

/* Note the call and answer it: now, when its service is here again, or with the error that the test wants. */
static int respond(piw_task *task, piw_msg *msg, piw_msg *answer)
{
    fake *self = piw_soul(task);
    const piw_msg_type *type = piw_msg_type_of(msg);
    int failed = note(task, msg);
    if (failed == 0 && strcmp(self->refuse, type->name) == 0) {
        failed = piw_refuse(task, msg, self->code, "the test wants %s refused", type->name);
    } else if (failed == 0 && holds(self, type->protocol->name)) {
        self->kept[self->kept_count].answer = answer;
        return piw_defer(task, msg, &self->kept[self->kept_count++].token);
    } else if (failed == 0) {
        failed = piw_reply(task, msg, &answer);
    }
    piw_msg_free(&answer);
    return failed;
}

/* --- the database ------------------------------------------------------------------------------------------------ */

static int on_reserve(piw_task *task, piw_msg *msg)
{
    fake *self = piw_soul(task);
    const db_RESERVE *body = db_RESERVE_of(msg);
    int64_t *next = piw_text_is(body->kind, "build") ? &self->next_build : &self->next_number;
    int64_t first = *next;
    *next += body->count;
    return respond(task, msg, db_RESERVE_reply_make(first));
}

static int on_void(piw_task *task, piw_msg *msg)
{
    db_ATTEMPTS_VOID_reply *body;
    piw_msg *answer = db_ATTEMPTS_VOID_reply_new(&body);
    static const char *const versions[] = {"1.0", "2.0", "4.0"}, *const addresses[] = {"local", NULL, "192.0.2.7"};
    piw_msg_list(answer, &body->attempts, PIW_COUNT(versions));
    for (uint32_t i = 0; i < body->attempts.count; i++)
        body->attempts.at[i] = (running_attempt){.slave_id = 40 + i,
                                                 .package = piw_text_of("under-way"),
                                                 .version = piw_text_of(versions[i]),
                                                 .abi_tag = piw_text_of("cp311"),
                                                 .address = piw_text_of(addresses[i])};
    return respond(task, msg, answer);
}

static int on_logbuild(piw_task *task, piw_msg *msg)
{
    fake *self = piw_soul(task);
    db_LOGBUILD_reply *body;
    piw_msg *answer = db_LOGBUILD_reply_new(&body);
    body->recorded = strcmp(self->recorded, "yes") == 0;
    body->why = piw_msg_textz(answer, body->recorded ? "" : "the version is gone");
    return respond(task, msg, answer);
}

/* As a database would count. */
static int on_attempt_failed(piw_task *task, piw_msg *msg)
{
    fake *self = piw_soul(task);
    bool final = ++self->tries >= 5;
    return respond(task, msg, db_ATTEMPT_FAILED_reply_make(self->tries, final, final ? 0 : self->wait_s));
}

static int on_builds_known(piw_task *task, piw_msg *msg)
{
    fake *self = piw_soul(task);
    db_BUILDS_KNOWN_reply *body;
    piw_msg *answer = db_BUILDS_KNOWN_reply_new(&body);
    piw_msg_list(answer, &body->known, strcmp(self->known, "yes") == 0 ? 1 : 0);
    if (body->known.count > 0)
        body->known.at[0] = db_BUILDS_KNOWN_of(msg)->build_ids.at[0];
    return respond(task, msg, answer);
}

static int respond_admin(piw_task *task, piw_msg *msg, piw_msg *answer, admin_outcome *body, piw_text package,
                         piw_text version)
{
    fake *self = piw_soul(task);
    body->done = self->error[0] == '\0';
    body->word = piw_msg_textz(answer, body->done ? self->word : self->error);
    body->package = piw_msg_text(answer, package.s, package.len);
    if (version.s != NULL)
        body->version = piw_msg_text(answer, version.s, version.len);
    return respond(task, msg, answer);
}

static int on_addpkg(piw_task *task, piw_msg *msg)
{
    admin_outcome *body;
    piw_msg *answer = db_ADDPKG_reply_new(&body);
    return respond_admin(task, msg, answer, body, db_ADDPKG_of(msg)->package, (piw_text){0});
}

static int on_addver(piw_task *task, piw_msg *msg)
{
    admin_outcome *body;
    piw_msg *answer = db_ADDVER_reply_new(&body);
    return respond_admin(task, msg, answer, body, db_ADDVER_of(msg)->package, db_ADDVER_of(msg)->version);
}

static int on_rempkg(piw_task *task, piw_msg *msg)
{
    admin_outcome *body;
    piw_msg *answer = db_REMPKG_reply_new(&body);
    body->again = db_REMPKG_of(msg)->builds;
    return respond_admin(task, msg, answer, body, db_REMPKG_of(msg)->package, (piw_text){0});
}

static int on_remver(piw_task *task, piw_msg *msg)
{
    admin_outcome *body;
    piw_msg *answer = db_REMVER_reply_new(&body);
    return respond_admin(task, msg, answer, body, db_REMVER_of(msg)->package, db_REMVER_of(msg)->version);
}

static int on_known(piw_task *task, piw_msg *msg)
{
    const fake *self = piw_soul(task);
    bool all = strcmp(self->there, "all") == 0;
    db_KNOWN_reply *body;
    piw_msg *answer = db_KNOWN_reply_new(&body);
    piw_text package = db_KNOWN_of(msg)->package;
    body->package = piw_msg_text(answer, package.s, package.len);
    body->known = all || strcmp(self->there, "package") == 0;
    body->abi = all || strcmp(self->there, "abi") == 0;
    body->version = all || strcmp(self->there, "version") == 0;
    return respond(task, msg, answer);
}

static int on_statistics(piw_task *task, piw_msg *msg)
{
    db_STATISTICS_reply *body;
    piw_msg *answer = db_STATISTICS_reply_new(&body);
    body->packages_built = 7;
    body->builds_time = piw_duration_from_us(1500000);
    piw_msg_list(answer, &body->builds_pending, 2);
    body->builds_pending.at[0].key = piw_msg_textz(answer, "cp311");
    body->builds_pending.at[0].value = 4;
    body->builds_pending.at[1].key = piw_msg_textz(answer, "cp39");
    return respond(task, msg, answer);
}

static int on_pypi_state(piw_task *task, piw_msg *msg)
{
    db_PYPI_STATE_reply *body;
    piw_msg *answer = db_PYPI_STATE_reply_new(&body);
    body->compared = piw_time_now().us / 1000000;
    return respond(task, msg, answer);
}

/* Each event changes what it says. */
static int on_pypi_apply(piw_task *task, piw_msg *msg)
{
    const db_PYPI_APPLY *from = db_PYPI_APPLY_of(msg);
    db_PYPI_APPLY_reply *body;
    piw_msg *answer = db_PYPI_APPLY_reply_new(&body);
    piw_msg_list(answer, &body->changes, from->events.count);
    for (uint32_t i = 0; i < from->events.count; i++) {
        const pypi_event *event = &from->events.at[i];
        const char *change = piw_text_is(event->action, "create")   ? "new_package"
                             : piw_text_is(event->action, "remove") ? "deleted"
                             : piw_text_is(event->action, "yank")   ? "yanked"
                                                                    : "new_version";
        body->changes.at[i].package = piw_msg_textz(answer, event->package.s);
        body->changes.at[i].version = piw_msg_textz(answer, event->version.s);
        body->changes.at[i].change = piw_msg_textz(answer, change);
    }
    return respond(task, msg, answer);
}

static int on_other(piw_task *task, piw_msg *msg)
{
    int failed = note(task, msg);
    return failed != 0 ? failed
                       : piw_refuse(task, msg, PIW_EABSENT, "the fixture does not know %s", piw_msg_type_of(msg)->name);
}

/* --- files ------------------------------------------------------------------------------------------------------- */

static int on_expect(piw_task *task, piw_msg *msg)
{
    return respond(task, msg, fs_EXPECT_reply_new());
}

static int on_verify(piw_task *task, piw_msg *msg)
{
    fake *self = piw_soul(task);
    fs_VERIFY_reply *body;
    piw_msg *answer = fs_VERIFY_reply_new(&body);
    body->good = strcmp(self->verify, "good") == 0;
    body->final = strcmp(self->verify, "final") == 0;
    body->why = piw_msg_textz(answer, body->good ? "" : "its bytes are not what was announced");
    body->file.state.filename = piw_msg_textz(answer, "verified.whl");
    return respond(task, msg, answer);
}

static int on_stage(piw_task *task, piw_msg *msg)
{
    fake *self = piw_soul(task);
    /* The log itself, as a line of its own. */
    const piw_blob *output = fs_STAGE_of(msg)->output;
    char line[LINE_MAX_BYTES] = "LOG ";
    size_t len = piw_blob_read(output, 0, line + 4, sizeof(line) - 5);
    line[4 + len] = '\0';
    if (!self->silent && self->lines_count < LINES_MAX)
        self->lines[self->lines_count++] = piw_strdup(line);
    return respond(task, msg, fs_STAGE_reply_new());
}

static int on_seal(piw_task *task, piw_msg *msg)
{
    return respond(task, msg, fs_SEAL_reply_new());
}

static int on_write(piw_task *task, piw_msg *msg)
{
    return respond(task, msg, web_WRITE_reply_new());
}

static int on_all_at(piw_task *task, piw_msg *msg)
{
    return respond(task, msg, web_ALL_AT_reply_make(1, 2, true));
}

static int on_publish(piw_task *task, piw_msg *msg)
{
    return respond(task, msg, fs_PUBLISH_reply_new());
}

/* --- what the test says ------------------------------------------------------------------------------------------ */

static int release_kept(piw_task *task, fake *self, bool lost)
{
    for (size_t i = 0; i < self->kept_count; i++) {
        int failed = lost ? piw_answer_error(task, self->kept[i].token, self->code, "the test wants it lost")
                          : piw_answer(task, self->kept[i].token, &self->kept[i].answer);
        piw_msg_free(&self->kept[i].answer);
        if (failed != 0)
            return failed;
    }
    self->kept_count = 0;
    return 0;
}

static int on_seals_wanted(piw_task *task, piw_msg *msg)
{
    fake *self = piw_soul(task);
    note(task, msg);
    if (strcmp(self->sealed, "silent") == 0)
        return 0;
    seals_left *body;
    piw_msg *event = seals_left_new(&body);
    body->key = seals_wanted_of(msg)->key;
    piw_msg_list(event, &body->left.at, self->sealed[0] != '\0');
    if (body->left.at.count > 0)
        body->left.at.at[0] = (sealed_version){
            .package = piw_text_of("p"), .version = piw_msg_textz(event, self->sealed), .queue = piw_text_of("cp311")};
    int rc = piw_emit(task, &event);
    piw_msg_free(&event);
    return rc;
}

static int on_set(piw_task *task, piw_msg *msg)
{
    fake *self = piw_soul(task);
    const fake_SET *body = fake_SET_of(msg);
    const struct {
        const char *name;
        char *to;
        size_t size;
    } names[] = {
        {"verify", self->verify, sizeof(self->verify)}, {"recorded", self->recorded, sizeof(self->recorded)},
        {"known", self->known, sizeof(self->known)},    {"refuse", self->refuse, sizeof(self->refuse)},
        {"there", self->there, sizeof(self->there)},    {"word", self->word, sizeof(self->word)},
        {"error", self->error, sizeof(self->error)},    {"sealed", self->sealed, sizeof(self->sealed)},
    };
    for (size_t i = 0; i < PIW_COUNT(names); i++)
        if (piw_text_is(body->name, names[i].name))
            snprintf(names[i].to, names[i].size, "%s", body->value.s);
    if (piw_text_is(body->name, "code"))
        self->code = atoi(body->value.s);
    if (piw_text_is(body->name, "wait"))
        self->wait_s = atoi(body->value.s);
    else if (piw_text_is(body->name, "behind"))
        self->behind = atoi(body->value.s);
    if (piw_text_is(body->name, "notes"))
        self->silent = piw_text_is(body->value, "off");
    if (piw_text_is(body->name, "db"))
        self->away = piw_text_is(body->value, "away");
    if (piw_text_is(body->name, "files"))
        self->slow = piw_text_is(body->value, "slow");
    bool lost = piw_text_is(body->name, "db") && piw_text_is(body->value, "lost");
    int failed = self->away || self->slow ? 0 : release_kept(task, self, lost);
    piw_msg *answer = fake_SET_reply_new();
    return failed != 0 ? failed : piw_reply(task, msg, &answer);
}

static int on_wait(piw_task *task, piw_msg *msg)
{
    fake *self = piw_soul(task);
    const fake_WAIT *body = fake_WAIT_of(msg);
    if (self->waiters_count == WAITERS_MAX)
        return PIW_ELIMIT;
    waiter *w = &self->waiters[self->waiters_count++];
    snprintf(w->text, sizeof(w->text), "%s", body->text.s);
    w->count = body->count;
    int failed = piw_defer(task, msg, &w->token);
    return failed != 0 ? failed : serve_waiters(task, self);
}

static int on_count(piw_task *task, piw_msg *msg)
{
    const char *last;
    piw_msg *answer = fake_COUNT_reply_make(count_lines(piw_soul(task), fake_COUNT_of(msg)->text.s, &last));
    return piw_reply(task, msg, &answer);
}

static void clear(fake *self)
{
    for (size_t i = 0; i < self->lines_count; i++)
        free(self->lines[i]);
    self->lines_count = 0;
}

static int on_clear(piw_task *task, piw_msg *msg)
{
    clear(piw_soul(task));
    piw_msg *answer = fake_CLEAR_reply_new();
    return piw_reply(task, msg, &answer);
}

static int on_queue(piw_task *task, piw_msg *msg)
{
    const fake_QUEUE *from = fake_QUEUE_of(msg);
    builds_QUEUE *to;
    piw_msg *queue = builds_QUEUE_new(&to);
    to->abi_tag = piw_msg_textz(queue, from->abi_tag.s);
    to->as_of_ns = piw_monotonic_ns();
    to->total = from->builds.count + ((const fake *)piw_soul(task))->behind;
    piw_msg_list(queue, &to->builds, from->builds.count);
    for (uint32_t i = 0; i < from->builds.count; i++)
        to->builds.at[i] = (build_ref){piw_msg_textz(queue, from->builds.at[i].package.s),
                                       piw_msg_textz(queue, from->builds.at[i].version.s)};
    int failed = piw_cast(task, &queue);
    piw_msg *answer = fake_QUEUE_reply_new();
    return failed != 0 ? failed : piw_reply(task, msg, &answer);
}

#ifndef FAKE_WITHOUT_STATS
/* As file_juggler does while a file comes in, or when a slave says HELLO there and none is waited for. */
static int on_pieces(piw_task *task, piw_msg *msg, int64_t slave_id)
{
    bool known = piw_text_is(fake_ORDER_of(msg)->word, "PIECES");
    piw_msg *event = known ? transfer_alive_make(slave_id) : transfer_unknown_make(slave_id);
    int failed = piw_emit(task, &event);
    piw_msg *answer = fake_ORDER_reply_new();
    return failed != 0 ? failed : piw_reply(task, msg, &answer);
}
#endif

static int on_order(piw_task *task, piw_msg *msg)
{
    const fake_ORDER *from = fake_ORDER_of(msg);
#ifndef FAKE_WITHOUT_STATS
    if (piw_text_is(from->word, "PIECES") || piw_text_is(from->word, "UNKNOWN"))
        return on_pieces(task, msg, from->slave_id != NULL ? *from->slave_id : 0);
#endif
    const piw_msg_type *type = piw_protocol_find(slaves_protocol_def.interned, from->word.s, from->word.len, -1);
    if (type == NULL)
        return PIW_EINVAL;
    piw_msg *command = piw_msg_new(type);
    if (from->slave_id != NULL) {
        int64_t *id = piw_msg_alloc(command, sizeof(*id));
        *id = *from->slave_id;
        slaves_KILL *body = piw_msg_any_body(command); /* all commands look alike */
        body->slave_id = id;
    }
    int failed = piw_cast(task, &command);
    piw_msg *answer = fake_ORDER_reply_new();
    return failed != 0 ? failed : piw_reply(task, msg, &answer);
}

static int on_remove(piw_task *task, piw_msg *msg)
{
    piw_msg *removed =
        slaves_REMOVED_make(fake_REMOVE_of(msg)->package, fake_REMOVE_of(msg)->version, fake_REMOVE_of(msg)->again);
    int failed = piw_cast(task, &removed);
    piw_msg *answer = fake_REMOVE_reply_new();
    return failed != 0 ? failed : piw_reply(task, msg, &answer);
}

#ifdef FAKE_WITHOUT_STATS
static int on_pause(piw_task *task, piw_msg *msg)
{
    return on_other(task, msg); /* big_brother alone says when the farm is paused */
}

static int on_disk(piw_task *task, piw_msg *msg)
{
    piw_msg *disk = stats_DISK_make(100000000000, fake_DISK_of(msg)->disk_free);
    int failed = piw_cast(task, &disk);
    piw_msg *answer = fake_DISK_reply_new();
    return failed != 0 ? failed : piw_reply(task, msg, &answer);
}

static int on_show(piw_task *task, piw_msg *msg)
{
    stats_SLAVE *body;
    piw_msg *slave = stats_SLAVE_new(&body);
    body->slave_id = fake_SHOW_of(msg)->slave_id;
    body->timestamp = piw_time_now();
    body->message = piw_msg_text(slave, fake_SHOW_of(msg)->word.s, fake_SHOW_of(msg)->word.len);
    body->data.nodata = true;
    int failed = piw_cast(task, &slave);
    piw_msg *answer = fake_SHOW_reply_new();
    return failed != 0 ? failed : piw_reply(task, msg, &answer);
}
#else
static int on_show(piw_task *task, piw_msg *msg)
{
    return on_other(task, msg);
}

static int on_disk(piw_task *task, piw_msg *msg)
{
    return on_other(task, msg); /* there is no big_brother to tell */
}

static int on_pause(piw_task *task, piw_msg *msg)
{
    piw_msg *event = farm_paused_make(fake_PAUSE_of(msg)->paused, piw_text_of("the test"), true);
    int failed = piw_emit(task, &event);
    piw_msg *answer = fake_PAUSE_reply_new();
    return failed != 0 ? failed : piw_reply(task, msg, &answer);
}

#endif

/* --- life -------------------------------------------------------------------------------------------------------- */

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why, (void)state, (void)err;
    fake *self = piw_zalloc(sizeof(*self));
    strcpy(self->verify, "good");
    strcpy(self->recorded, "yes");
    strcpy(self->known, "yes");
    strcpy(self->there, "all");
    self->code = PIW_EABSENT;
    self->next_number = 1;
    self->next_build = 100;
    piw_soul_set(task, self);
    return 0;
}

static void stop(piw_task *task, bool leaving)
{
    (void)leaving;
    fake *self = piw_soul(task);
    clear(self);
    for (size_t i = 0; i < self->kept_count; i++)
        piw_msg_free(&self->kept[i].answer);
    free(self);
}

static const piw_service serves[] = {
    {"db", &db_protocol_def},       {"fs", &fs_protocol_def},
    {"web", &web_protocol_def},     {"heads", &heads_protocol_def},
#ifndef FAKE_WITHOUT_STATS
    {"stats", &stats_protocol_def},
#endif
    {"fake", &fake_protocol_def},   PIW_SERVICES_END,
};
static const piw_service uses[] = {
    {"builds", &builds_protocol_def},
    {"slaves", &slaves_protocol_def},
#ifdef FAKE_WITHOUT_STATS
    {"stats", &stats_protocol_def},
#endif
    PIW_SERVICES_END,
};
static const piw_event emits[] = {{&seals_protocol_def, SEALS_LEFT},
#ifndef FAKE_WITHOUT_STATS
                                  {&events_protocol_def, FARM_PAUSED},
                                  {&events_protocol_def, TRANSFER_ALIVE},
                                  {&transfers_protocol_def, TRANSFER_UNKNOWN},
#endif
                                  PIW_EVENTS_END};
static const piw_event subscribes[] = {{&seals_protocol_def, SEALS_WANTED}, PIW_EVENTS_END};
static const piw_handler handlers[] = {
    {&db_protocol_def, PIW_EVERY_MESSAGE, on_other},
    {&db_protocol_def, DB_PYPI_STATE, on_pypi_state},
    {&db_protocol_def, DB_PYPI_APPLY, on_pypi_apply},
    {&db_protocol_def, DB_DESCRIBE, on_just_note},
    {&db_protocol_def, DB_RESERVE, on_reserve},
    {&db_protocol_def, DB_ATTEMPT, on_just_note},
    {&db_protocol_def, DB_ATTEMPT_END, on_just_note},
    {&db_protocol_def, DB_ATTEMPTS_VOID, on_void},
    {&db_protocol_def, DB_ATTEMPT_FAILED, on_attempt_failed},
    {&db_protocol_def, DB_LOGBUILD, on_logbuild},
    {&db_protocol_def, DB_BUILDS_KNOWN, on_builds_known},
    {&db_protocol_def, DB_STATISTICS, on_statistics},
    {&db_protocol_def, DB_REMOVALS_DONE, on_just_note},
    {&db_protocol_def, DB_ADDPKG, on_addpkg},
    {&db_protocol_def, DB_ADDVER, on_addver},
    {&db_protocol_def, DB_REMPKG, on_rempkg},
    {&db_protocol_def, DB_REMVER, on_remver},
    {&db_protocol_def, DB_KNOWN, on_known},
    {&fs_protocol_def, PIW_EVERY_MESSAGE, on_other},
    {&fs_protocol_def, FS_EXPECT, on_expect},
    {&fs_protocol_def, FS_VERIFY, on_verify},
    {&fs_protocol_def, FS_STAGE, on_stage},
    {&fs_protocol_def, FS_PUBLISH, on_publish},
    {&fs_protocol_def, FS_SEAL, on_seal},
    {&fs_protocol_def, FS_DISCARD, on_just_note},
    {&fs_protocol_def, FS_WITHHELD, on_just_note},
    {&fs_protocol_def, FS_RECORDED, on_just_note},
    {&fs_protocol_def, FS_SETTLE, on_just_note},
    {&web_protocol_def, WEB_PROJECT, on_just_note},
    {&web_protocol_def, WEB_BOTH, on_just_note},
    {&web_protocol_def, WEB_HOME, on_just_note},
    {&web_protocol_def, WEB_SEARCH, on_just_note},
    {&web_protocol_def, WEB_DELPKG, on_just_note},
    {&web_protocol_def, WEB_DELVER, on_just_note},
    {&web_protocol_def, WEB_ALL, on_just_note},
    {&web_protocol_def, WEB_WRITE, on_write},
    {&web_protocol_def, WEB_ALL_AT, on_all_at},
    {&heads_protocol_def, HEADS_WANTED, on_just_note},
#ifndef FAKE_WITHOUT_STATS
    {&stats_protocol_def, STATS_DISK, on_just_note},
    {&stats_protocol_def, STATS_SITE, on_just_note},
    {&stats_protocol_def, STATS_QUEUE, on_just_note},
    {&stats_protocol_def, STATS_SLAVE, on_just_note},
    {&stats_protocol_def, STATS_SLAVE_GONE, on_just_note},
    {&stats_protocol_def, STATS_PAUSED, on_just_note},
    {&stats_protocol_def, STATS_PAUSE, on_other},
    {&stats_protocol_def, STATS_FIGURES, on_other},
#endif
    {&seals_protocol_def, SEALS_WANTED, on_seals_wanted},
    {&fake_protocol_def, FAKE_SET, on_set},
    {&fake_protocol_def, FAKE_WAIT, on_wait},
    {&fake_protocol_def, FAKE_COUNT, on_count},
    {&fake_protocol_def, FAKE_CLEAR, on_clear},
    {&fake_protocol_def, FAKE_QUEUE, on_queue},
    {&fake_protocol_def, FAKE_ORDER, on_order},
    {&fake_protocol_def, FAKE_REMOVE, on_remove},
    {&fake_protocol_def, FAKE_PAUSE, on_pause},
    {&fake_protocol_def, FAKE_DISK, on_disk},
    {&fake_protocol_def, FAKE_SHOW, on_show},
    PIW_HANDLERS_END,
};

#ifdef FAKE_WITHOUT_STATS
PIW_PLUGIN(fake_house, .version = "1.0", .summary = "stands for the tasks around the two that are tested",
           .serves = serves, .uses = uses, .subscribes = subscribes, .emits = emits, .start = start, .stop = stop,
           .handlers = handlers);
#else
PIW_PLUGIN(fake_farm, .version = "1.0", .summary = "stands for the tasks around the one that is tested",
           .serves = serves, .uses = uses, .subscribes = subscribes, .emits = emits, .start = start, .stop = stop,
           .handlers = handlers);
#endif
