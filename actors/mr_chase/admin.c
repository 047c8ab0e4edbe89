/* admin.c — what administrators ask for. The database decides and answers with a word; the answer names the
 * package and version, so that nothing needs to be kept meanwhile: the token of the request is the key. */
#include "mr_chase/chase.h"

#include "piw/codec.h"
#include "shared/text.h"
#include "shared/version.h"
#include "slaves.piw.h"
#include "web.piw.h"

enum { REASON_MAX = 100, DESCRIPTION_MAX = 200, SHOWN = 100 };

static int check_package(piw_text name, char *canonical, piw_err *err)
{
    if (name.len == 0)
        return piw_err_set(err, PIW_EINVAL, "the package has no name");
    if (name.len > PIW_NAME_MAX)
        return piw_err_set(err, PIW_EINVAL, "the package's name is longer than %d characters", PIW_NAME_MAX);
    if (!piw_name_canonical(name, canonical))
        return piw_err_set(err, PIW_EINVAL,
                           "\"%.*s\" is no package name: letters, digits and -_. between them make one", SHOWN, name.s);
    return 0;
}

static int check_version(piw_text version, piw_err *err)
{
    if (version.len == 0)
        return piw_err_set(err, PIW_EINVAL, "the version is empty");
    if (!piw_version_acceptable(version))
        return piw_err_set(err, PIW_EINVAL,
                           "\"%.*s\" is no version: it is longer than %d characters, or holds a / or a control "
                           "character",
                           SHOWN, version.s, PIW_VERSION_MAX);
    return 0;
}

static int check_reason(piw_text reason, piw_err *err)
{
    if (piw_utf8_chars(reason.s, reason.len) > REASON_MAX)
        return piw_err_set(err, PIW_EINVAL, "the reason for skipping is longer than %d characters", REASON_MAX);
    return 0;
}

static int check_aliases(const piw_text *at, uint32_t count, const char *package, piw_err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!piw_name_same(at[i], piw_text_of(package)))
            return piw_err_set(err, PIW_EINVAL, "\"%.*s\" is no other spelling of %s", SHOWN, at[i].s, package);
    }
    return 0;
}

/* At most so many characters. */
static piw_text cut(piw_text text, uint32_t chars)
{
    uint32_t at = 0;
    for (; at < text.len; at++) {
        bool begins = ((uint8_t)text.s[at] & 0xc0) != 0x80;
        if (begins && chars-- == 0)
            break;
    }
    return (piw_text){text.s, at};
}

/* Hand the call to the database; a write never times out. */
static int ask(piw_task *task, piw_msg *msg, piw_msg *call, const char *continuation)
{
    piw_token token;
    int rc = piw_defer(task, msg, &token);
    if (rc == 0)
        rc = piw_call(task, &call, continuation, token.id, -1);
    piw_msg_free(&call);
    return rc;
}

int chase_on_addpkg(piw_task *task, piw_msg *msg)
{
    const import_ADDPKG *body = import_ADDPKG_of(msg);
    char package[PIW_NAME_MAX + 1];
    piw_err err = {0};
    if (check_package(body->name, package, &err) != 0 || check_reason(body->skip, &err) != 0 ||
        check_aliases(body->aliases.at, body->aliases.count, package, &err) != 0)
        return chase_error(task, msg, err.text);
    db_ADDPKG *to;
    piw_msg *call = db_ADDPKG_new(&to);
    piw_text description = cut(body->description, DESCRIPTION_MAX);
    to->package = piw_msg_textz(call, package);
    to->name = piw_text_copy(call, body->name);
    to->description = piw_text_copy(call, description);
    to->skip = piw_text_copy(call, body->skip);
    to->unskip = body->unskip;
    piw_msg_list(call, &to->aliases, body->aliases.count);
    piw_texts_copy(call, body->aliases.at, body->aliases.count, to->aliases.at);
    return ask(task, msg, call, PIW_ON(administered));
}

int chase_on_addver(piw_task *task, piw_msg *msg)
{
    const import_ADDVER *body = import_ADDVER_of(msg);
    char package[PIW_NAME_MAX + 1];
    piw_err err = {0};
    if (check_package(body->name, package, &err) != 0 || check_version(body->version, &err) != 0 ||
        check_reason(body->skip, &err) != 0 || check_aliases(body->aliases.at, body->aliases.count, package, &err) != 0)
        return chase_error(task, msg, err.text);
    db_ADDVER *to;
    piw_msg *call = db_ADDVER_new(&to);
    to->package = piw_msg_textz(call, package);
    to->name = piw_text_copy(call, body->name);
    to->version = piw_text_copy(call, body->version);
    to->skip = piw_text_copy(call, body->skip);
    to->unskip = body->unskip;
    to->released = body->released;
    to->yank = body->yank;
    to->unyank = body->unyank;
    piw_msg_list(call, &to->aliases, body->aliases.count);
    piw_texts_copy(call, body->aliases.at, body->aliases.count, to->aliases.at);
    return ask(task, msg, call, PIW_ON(administered));
}

int chase_on_rempkg(piw_task *task, piw_msg *msg)
{
    const import_REMPKG *body = import_REMPKG_of(msg);
    char package[PIW_NAME_MAX + 1];
    piw_err err = {0};
    if (check_package(body->name, package, &err) != 0 || check_reason(body->skip, &err) != 0)
        return chase_error(task, msg, err.text);
    return ask(task, msg, db_REMPKG_make(piw_text_of(package), body->builds, body->skip), PIW_ON(administered));
}

int chase_on_remver(piw_task *task, piw_msg *msg)
{
    const import_REMVER *body = import_REMVER_of(msg);
    char package[PIW_NAME_MAX + 1];
    piw_err err = {0};
    if (check_package(body->name, package, &err) != 0 || check_version(body->version, &err) != 0 ||
        check_reason(body->skip, &err) != 0)
        return chase_error(task, msg, err.text);
    return ask(task, msg, db_REMVER_make(piw_text_of(package), body->version, body->builds, body->skip, body->yank),
               PIW_ON(administered));
}

/* --- What follows from it ---------------------------------------------------------------------------------------- */

static void cast(piw_task *task, piw_msg *msg, piw_text package)
{
    const char *word = piw_msg_type_of(msg)->name;
    if (piw_cast(task, &msg) != 0) {
        piw_warning("%s for %s could not be sent: its service is away", word, package.s);
        piw_msg_free(&msg);
    }
}

/* Tell slave_driver what was removed, so that slaves stop building it, and have changed pages written: at once where
 * something was removed. */
static void spread(piw_task *task, const admin_outcome *outcome)
{
    bool removed = strncmp(outcome->word.s, "DEL", 3) == 0;
    if (removed)
        cast(task, slaves_REMOVED_make(outcome->package, outcome->version, outcome->again), outcome->package);
    cast(task,
         piw_text_is(outcome->word, "DELPKG")   ? web_DELPKG_make(outcome->package)
         : piw_text_is(outcome->word, "DELVER") ? web_DELVER_make(outcome->package, outcome->version)
                                                : web_BOTH_make(outcome->package, removed),
         outcome->package);
}

static int answer(piw_task *task, piw_token token, piw_msg *msg)
{
    if (piw_answer(task, token, &msg) != 0) {
        piw_debug("an administrator's program ended before its answer came");
        piw_msg_free(&msg);
    }
    return 0;
}

int on_administered(piw_task *task, piw_msg *reply, uint64_t key)
{
    piw_token token = {key};
    if (piw_msg_error(reply) != 0)
        return answer(task, token, import_ERROR_make(piw_text_of(piw_msg_error_text(reply))));
    const admin_outcome *outcome = piw_msg_any_body(reply);
    if (!outcome->done)
        return answer(task, token, import_ERROR_make(outcome->word));
    piw_info("an operator's %s: %s%s%s", outcome->word.s, outcome->package.s, outcome->version.s != NULL ? " " : "",
             outcome->version.s != NULL ? outcome->version.s : "");
    spread(task, outcome);
    return answer(task, token, import_DONE_make(outcome->word));
}

/* --- REBUILD ------------------------------------------------------------------------------------------------------ */

static int done_rebuild(piw_task *task, piw_msg *msg, piw_msg *request)
{
    int rc = piw_cast(task, &request);
    piw_msg_free(&request);
    if (rc != 0)
        return rc;
    piw_msg *done = import_DONE_make(piw_text_of("REBUILD"));
    rc = piw_reply(task, msg, &done);
    piw_msg_free(&done);
    return rc;
}

/* One package's pages, or those of all. */
static int rebuild(piw_task *task, piw_msg *msg, piw_text name, const char *part, const char *continuation)
{
    if (name.s == NULL)
        return done_rebuild(task, msg, web_ALL_make(piw_text_of(part)));
    char package[PIW_NAME_MAX + 1];
    if (!piw_name_canonical(name, package)) {
        piw_err err = {0};
        piw_err_set(&err, PIW_EINVAL, "unknown package %.*s", PIW_NAME_MAX, name.s);
        return chase_error(task, msg, err.text);
    }
    return ask(task, msg, db_KNOWN_make(piw_text_of(package), piw_text_of(""), piw_text_of("")), continuation);
}

int chase_on_rebuild(piw_task *task, piw_msg *msg)
{
    const import_REBUILD *body = import_REBUILD_of(msg);
    switch (body->which) {
    case IMPORT_REBUILD_HOME:
        return done_rebuild(task, msg, web_HOME_new());
    case IMPORT_REBUILD_SEARCH:
        return done_rebuild(task, msg, web_SEARCH_new());
    case IMPORT_REBUILD_PROJECT:
        return rebuild(task, msg, body->PROJECT.package, "PROJECT", PIW_ON(rebuild_project));
    default:
        return rebuild(task, msg, body->BOTH.package, "BOTH", PIW_ON(rebuild_both));
    }
}

int chase_on_rebuilding(piw_task *task, piw_msg *msg)
{
    return ask(task, msg, web_ALL_AT_new(), PIW_ON(rebuilding));
}

int on_rebuilding(piw_task *task, piw_msg *reply, uint64_t key)
{
    piw_token token = {key};
    if (piw_msg_error(reply) != 0)
        return answer(task, token, import_ERROR_make(piw_text_of(piw_msg_error_text(reply))));
    const web_ALL_AT_reply *at = web_ALL_AT_reply_of(reply);
    return answer(task, token, import_AT_make(at->done, at->total, at->running));
}

static int rebuild_known(piw_task *task, const piw_msg *reply, uint64_t key, bool index)
{
    piw_token token = {key};
    if (piw_msg_error(reply) != 0)
        return answer(task, token, import_ERROR_make(piw_text_of(piw_msg_error_text(reply))));
    const db_KNOWN_reply *known = db_KNOWN_reply_of(reply);
    if (!known->known) {
        piw_err err = {0};
        piw_err_set(&err, PIW_ENOENT, "unknown package %s", known->package.s);
        return answer(task, token, import_ERROR_make(piw_text_of(err.text)));
    }
    piw_msg *call = web_WRITE_make(known->package, index);
    int rc = piw_call(task, &call, PIW_ON(rebuilt), key, -1);
    piw_msg_free(&call);
    return rc == 0 ? 0 : answer(task, token, import_ERROR_make(piw_text_of(piw_err_name(rc))));
}

int on_rebuilt(piw_task *task, piw_msg *reply, uint64_t key)
{
    piw_token token = {key};
    if (piw_msg_error(reply) != 0)
        return answer(task, token, import_ERROR_make(piw_text_of(piw_msg_error_text(reply))));
    return answer(task, token, import_DONE_make(piw_text_of("REBUILD")));
}

int on_rebuild_project(piw_task *task, piw_msg *reply, uint64_t key)
{
    return rebuild_known(task, reply, key, false);
}

int on_rebuild_both(piw_task *task, piw_msg *reply, uint64_t key)
{
    return rebuild_known(task, reply, key, true);
}
