/* why.c — why is a version, or a package, as it is? Of a version the database is asked for what came of it and slave_driver
 * whether it rests; of a package, or when the version is unknown, for all versions, and of a package
 * for which of them rest. */
#include "mr_chase/chase.h"

#include "piw/codec.h"
#include "shared/version.h"
#include "slaves.piw.h"

#include <stdio.h>
#include <stdlib.h>

enum { WHYS_MAX = 100, VERSIONS_SHOWN = 500, VERSIONS_NAMED = 5 };

/* A question that waits for its answers. A swap loses it, and who asked is told. */
typedef struct chase_asked {
    struct chase_asked *next;
    uint64_t key; /* the request's token */
    char package[PIW_NAME_MAX + 1];
    char *version; /* NULL: the package was asked for */
    piw_msg *why;  /* the database's answer, once it is there */
} chase_asked;

const char *chase_moment(piw_time time, char text[CHASE_MOMENT_BYTES])
{
    piw_time_format((piw_time){.us = time.us - time.us % 1000000}, text, CHASE_MOMENT_BYTES);
    return text;
}

/* --- The questions -------------------------------------------------------------------------------------------------- */

static void forget(chase *self, uint64_t key)
{
    for (chase_asked **at = &self->asked; *at != NULL; at = &(*at)->next) {
        chase_asked *asked = *at;
        if (asked->key != key)
            continue;
        *at = asked->next;
        piw_msg_free(&asked->why);
        free(asked->version);
        free(asked);
        return;
    }
}

void chase_forget_questions(chase *self)
{
    while (self->asked != NULL)
        forget(self, self->asked->key);
}

static chase_asked *find(const chase *self, uint64_t key)
{
    chase_asked *asked = self->asked;
    while (asked != NULL && asked->key != key)
        asked = asked->next;
    return asked;
}

/* The next question about it, of another task. */
static int ask_on(piw_task *task, chase_asked *asked, piw_msg *call, const char *continuation)
{
    int rc = piw_call(task, &call, continuation, asked->key, 0);
    piw_msg_free(&call);
    return rc;
}

int chase_why(piw_task *task, piw_msg *msg, const char *package, piw_text version)
{
    chase *self = piw_soul(task);
    size_t count = 0;
    for (const chase_asked *asked = self->asked; asked != NULL; asked = asked->next)
        count++;
    if (count >= WHYS_MAX)
        return piw_refuse(task, msg, PIW_ELIMIT, "%d such questions wait already: ask again later", WHYS_MAX);
    piw_token token;
    int rc = piw_defer(task, msg, &token);
    if (rc != 0)
        return rc;
    chase_asked *asked = piw_zalloc(sizeof(*asked));
    asked->key = token.id;
    snprintf(asked->package, sizeof(asked->package), "%s", package);
    asked->version = version.s != NULL ? piw_strndup(version.s, version.len) : NULL;
    asked->next = self->asked;
    self->asked = asked;
    rc = version.s != NULL ? ask_on(task, asked, db_WHY_make(piw_text_of(package), version), PIW_ON(why))
                           : ask_on(task, asked, db_PROJECT_make(piw_text_of(package)), PIW_ON(why_package));
    if (rc != 0)
        forget(self, token.id);
    return rc;
}

static int lost(piw_task *task, uint64_t key)
{
    return piw_answer_error(task, (piw_token){key}, PIW_EAGAIN, "mr_chase was replaced meanwhile: ask again");
}

static int give_up(piw_task *task, uint64_t key, const piw_msg *reply)
{
    forget(piw_soul(task), key);
    return chase_pass_error(task, key, reply);
}

/* --- A version ------------------------------------------------------------------------------------------------------ */

static void say_attempt(chase_answer *to, const why_attempt *attempt)
{
    char began[CHASE_MOMENT_BYTES], what[300];
    long long build = attempt->build_id != NULL ? (long long)*attempt->build_id : 0;
    if (piw_text_is(attempt->state, "running"))
        snprintf(what, sizeof(what), "is building it");
    else if (piw_text_is(attempt->state, "built"))
        snprintf(what, sizeof(what), "built it: build %lld", build);
    else if (piw_text_is(attempt->state, "failed"))
        snprintf(what, sizeof(what), "failed: build %lld", build);
    else if (piw_text_is(attempt->state, "transient"))
        snprintf(what, sizeof(what), "failed because of the slave: %.200s", attempt->cause.s);
    else
        snprintf(what, sizeof(what), "ended without a result: %.200s", attempt->cause.s);
    chase_say(to, "    %s  slave %lld %s", chase_moment(attempt->started, began), (long long)attempt->slave_id, what);
}

/* Who builds it, or why it is kept back, as slave_driver knows. */
static bool say_rest(chase_answer *to, const why_abi *abi, const slaves_RESTS_reply *rests)
{
    const version_rest *rest = NULL;
    for (uint32_t i = 0; rests != NULL && i < rests->rests.count; i++)
        rest = piw_text_eq(rests->rests.at[i].abi_tag, abi->abi_tag) ? &rests->rests.at[i] : rest;
    if (rest == NULL)
        return false;
    char when[CHASE_MOMENT_BYTES];
    piw_time until = piw_time_now();
    until.us += rest->seconds * 1000000;
    chase_moment(until, when);
    if (piw_text_is(rest->after, "builds"))
        chase_say(to, "%s: slave %lld is building it", abi->abi_tag.s, (long long)rest->slave_id);
    else if (piw_text_is(rest->after, "alike"))
        chase_say(to, "%s: waits, for nothing is given out while all its slaves fail alike", abi->abi_tag.s);
    else if (piw_text_is(rest->after, "claimable"))
        chase_say(to, "%s: was being built when the master ended; slave %lld may go on with it until %s",
                  abi->abi_tag.s, (long long)rest->slave_id, when);
    else if (piw_text_is(rest->after, "sealed"))
        chase_say(to, "%s: its build is sealed and is recorded as soon as the database takes it", abi->abi_tag.s);
    else if (piw_text_is(rest->after, "skipped"))
        chase_say(to, "%s: rests until %s, for its build was thrown away", abi->abi_tag.s, when);
    else if (rest->seconds > 0)
        chase_say(to, "%s: rests; the next try is after %s, rather by another slave than %lld", abi->abi_tag.s, when,
                  (long long)rest->slave_id);
    else
        chase_say(to, "%s: waits for a slave, rather another than %lld", abi->abi_tag.s, (long long)rest->slave_id);
    return true;
}

/* What will happen next for an ABI that has no build yet. */
static void say_pending(chase_answer *to, const why_abi *abi, const db_WHY_reply *why, const slaves_RESTS_reply *rests)
{
    const why_attempt *later = NULL, *runs = NULL;
    const char *before = NULL;
    char when[CHASE_MOMENT_BYTES];
    for (uint32_t i = 0; i < why->attempts.count; i++) {
        const why_attempt *attempt = &why->attempts.at[i];
        if (!piw_text_eq(attempt->abi_tag, abi->abi_tag))
            continue;
        later = later == NULL && attempt->next_try != NULL ? attempt : later;
        runs = runs == NULL && piw_text_is(attempt->state, "running") ? attempt : runs;
    }
    for (uint32_t i = 0; i < why->abis.count; i++)
        before = before == NULL && why->abis.at[i].offered ? why->abis.at[i].abi_tag.s : before;
    if (say_rest(to, abi, rests))
        return;
    if (runs != NULL)
        chase_say(to, "%s: slave %lld is building it", abi->abi_tag.s, (long long)runs->slave_id);
    else if (later != NULL)
        chase_say(to, "%s: rests; the next try is after %s", abi->abi_tag.s, chase_moment(*later->next_try, when));
    else if (abi->unread != NULL && *abi->unread)
        chase_say(to, "%s: waits until it is known what PyPI offers", abi->abi_tag.s);
    else if (abi->offered)
        chase_say(to, "%s: waits for a slave", abi->abi_tag.s);
    else if (before != NULL)
        chase_say(to, "%s: waits for the build for %s, which may do for both", abi->abi_tag.s, before);
    else
        chase_say(to, "%s: is about to join the build queue", abi->abi_tag.s);
}

static void say_abi(chase_answer *to, const why_abi *abi, const db_WHY_reply *why, const slaves_RESTS_reply *rests)
{
    long long build = abi->build_id != NULL ? (long long)*abi->build_id : 0;
    if (piw_text_is(abi->status, "success"))
        chase_say(to, "%s: built, build %lld", abi->abi_tag.s, build);
    else if (piw_text_is(abi->status, "fail"))
        chase_say(to, "%s: failed, build %lld; it is tried again only when an operator says so (piw-ctl retry)",
                  abi->abi_tag.s, build);
    else if (piw_text_is(abi->status, "error"))
        chase_say(to, "%s: build %lld succeeded, but left no files", abi->abi_tag.s, build);
    else if (abi->abi_skip.len > 0)
        chase_say(to, "%s: not built: %s", abi->abi_tag.s, abi->abi_skip.s);
    else if (piw_text_is(abi->status, "skip"))
        chase_say(to, "%s: not built", abi->abi_tag.s);
    else
        say_pending(to, abi, why, rests);
    for (uint32_t i = why->attempts.count; i-- > 0;)
        if (piw_text_eq(why->attempts.at[i].abi_tag, abi->abi_tag))
            say_attempt(to, &why->attempts.at[i]);
}

int on_why(piw_task *task, piw_msg *reply, uint64_t key)
{
    chase_asked *asked = find(piw_soul(task), key);
    if (asked == NULL)
        return lost(task, key);
    if (piw_msg_error(reply) != 0)
        return give_up(task, key, reply);
    piw_text package = piw_text_of(asked->package);
    if (!db_WHY_reply_of(reply)->known)
        return ask_on(task, asked, db_PROJECT_make(package), PIW_ON(why_package));
    asked->why = piw_msg_copy(reply);
    return ask_on(task, asked, slaves_RESTS_make(package, piw_text_of(asked->version)), PIW_ON(why_rests));
}

int on_why_rests(piw_task *task, piw_msg *reply, uint64_t key)
{
    const chase_asked *asked = find(piw_soul(task), key);
    if (asked == NULL || asked->why == NULL)
        return lost(task, key);
    const db_WHY_reply *why = db_WHY_reply_of(asked->why);
    const slaves_RESTS_reply *rests = piw_msg_error(reply) == 0 ? slaves_RESTS_reply_of(reply) : NULL;
    chase_answer made = chase_answer_new();
    if (why->package_skip.len > 0)
        chase_say(&made, "the package is not built: %s", why->package_skip.s);
    if (why->version_skip.len > 0)
        chase_say(&made, "the version is not built: %s", why->version_skip.s);
    if (why->abis.count == 0)
        chase_say(&made, CHASE_NO_ABI);
    for (uint32_t i = 0; i < why->abis.count; i++)
        say_abi(&made, &why->abis.at[i], why, rests);
    if (rests != NULL && rests->paused)
        chase_say(&made, "the farm is paused: nothing is given out");
    if (rests == NULL)
        chase_say(&made, "whether it rests isn't known: %s", piw_msg_error_text(reply));
    chase_say_strangers(piw_soul(task), &made, NULL);
    forget(piw_soul(task), key);
    return chase_give(task, key, &made);
}

/* --- A package ------------------------------------------------------------------------------------------------------ */

static int newest_first(const void *left, const void *right)
{
    const project_release *const *a = left, *const *b = right;
    return piw_version_compare_text((*b)->version, (*a)->version);
}

/* What happens to a version that has no build for an ABI yet. `rests` NULL: slave_driver didn't say. */
static size_t say_waits(char *to, size_t size, piw_text abi_tag, piw_text version, const slaves_RESTS_reply *rests)
{
    const version_rest *found = NULL;
    bool alike = false;
    for (uint32_t i = 0; rests != NULL && i < rests->rests.count; i++) {
        const version_rest *rest = &rests->rests.at[i];
        if (!piw_text_eq(rest->abi_tag, abi_tag))
            continue;
        alike = alike || rest->version.s == NULL;
        found = rest->version.s != NULL && piw_text_eq(rest->version, version) ? rest : found;
    }
    char when[CHASE_MOMENT_BYTES];
    piw_time until = piw_time_now();
    until.us += found != NULL ? found->seconds * 1000000 : 0;
    if (rests == NULL)
        return (size_t)snprintf(to, size, "waits or rests");
    if (found != NULL && piw_text_is(found->after, "builds"))
        return (size_t)snprintf(to, size, "is being built by slave %lld", (long long)found->slave_id);
    if (found != NULL && found->seconds > 0)
        return (size_t)snprintf(to, size, "rests until %s", chase_moment(until, when));
    return (size_t)snprintf(to, size, alike ? "waits while all its slaves fail alike" : "waits");
}

/* "cp39 built (build 7), cp311 waits" */
static void say_release(chase_answer *to, const project_release *release, const slaves_RESTS_reply *rests)
{
    enum { ONE_MAX = 250 /* tag, state, build */ };
    char states[1000] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < release->abis.count && used + ONE_MAX < sizeof(states); i++) {
        const project_abi *abi = &release->abis.at[i].value;
        piw_text tag = release->abis.at[i].key;
        const char *state = piw_text_is(abi->status, "success")   ? "built"
                            : piw_text_is(abi->status, "fail")    ? "failed"
                            : piw_text_is(abi->status, "pending") ? NULL
                            : piw_text_is(abi->status, "skip")    ? "not built"
                                                                  : "left no files";
        used += (size_t)snprintf(states + used, sizeof(states) - used, "%s%s %s", used > 0 ? ", " : "", tag.s,
                                 state != NULL ? state : "");
        if (state == NULL)
            used += say_waits(states + used, sizeof(states) - used, tag, release->version, rests);
        if (abi->build_id != NULL)
            used += (size_t)snprintf(states + used, sizeof(states) - used, " (build %lld)", (long long)*abi->build_id);
    }
    if (release->skip.len > 0)
        chase_say(to, "%s: not built: %s", release->version.s, release->skip.s);
    else
        chase_say(to, "%s: %s", release->version.s, used > 0 ? states : CHASE_NO_ABI);
}

static int refuse_version(piw_task *task, uint64_t key, const chase_asked *asked, const project_release *const *list,
                          uint32_t count)
{
    char known[300] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < count && i < VERSIONS_NAMED && used + list[i]->version.len + 3 < sizeof(known); i++)
        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i > 0 ? ", " : "", list[i]->version.s);
    return piw_answer_error(task, (piw_token){key}, PIW_ENOENT,
                            "package %s is known, but no version %.100s of it; %s%s", asked->package, asked->version,
                            count > 1   ? "the newest are "
                            : count > 0 ? "there is "
                                        : "it has none",
                            known);
}

/* The releases of a package, the newest first, in the arena of `reply`. */
static const project_release **releases_of(piw_msg *reply)
{
    const db_PROJECT_reply *project = db_PROJECT_reply_of(reply);
    uint32_t count = project->data.releases.count;
    const project_release **list = piw_msg_alloc(reply, (count + 1) * sizeof(*list));
    for (uint32_t i = 0; i < count; i++)
        list[i] = &project->data.releases.at[i];
    qsort(list, count, sizeof(list[0]), newest_first);
    return list;
}

int on_why_package(piw_task *task, piw_msg *reply, uint64_t key)
{
    chase *self = piw_soul(task);
    chase_asked *asked = find(self, key);
    if (asked == NULL)
        return lost(task, key);
    if (piw_msg_error(reply) != 0)
        return give_up(task, key, reply);
    const db_PROJECT_reply *project = db_PROJECT_reply_of(reply);
    if (project->found && asked->version == NULL) {
        asked->why = piw_msg_copy(reply);
        return ask_on(task, asked, slaves_RESTS_make(piw_text_of(asked->package), piw_text_of("")),
                      PIW_ON(why_package_rests));
    }
    int rc = project->found
                 ? refuse_version(task, key, asked, releases_of(reply), project->data.releases.count)
                 : piw_answer_error(
                       task, (piw_token){key}, PIW_ENOENT,
                       "package %s is unknown: PyPI's log hasn't named it so far as it was followed, or it was removed",
                       asked->package);
    forget(self, key);
    return rc;
}

int on_why_package_rests(piw_task *task, piw_msg *reply, uint64_t key)
{
    const chase_asked *asked = find(piw_soul(task), key);
    if (asked == NULL || asked->why == NULL)
        return lost(task, key);
    const db_PROJECT_reply *project = db_PROJECT_reply_of(asked->why);
    const slaves_RESTS_reply *rests = piw_msg_error(reply) == 0 ? slaves_RESTS_reply_of(reply) : NULL;
    const project_release **list = releases_of(asked->why);
    uint32_t count = project->data.releases.count;
    chase_answer made = chase_answer_new();
    if (project->data.skip.len > 0)
        chase_say(&made, "the package is not built: %s", project->data.skip.s);
    if (count == 0)
        chase_say(&made, "no version of it is known");
    for (uint32_t i = 0; i < count && i < VERSIONS_SHOWN; i++)
        say_release(&made, list[i], rests);
    if (count > VERSIONS_SHOWN)
        chase_say(&made, "… and %u older versions", count - VERSIONS_SHOWN);
    if (rests != NULL && rests->paused)
        chase_say(&made, "the farm is paused: nothing is given out");
    if (rests == NULL)
        chase_say(&made, "which of them rest isn't known: %s", piw_msg_error_text(reply));
    forget(piw_soul(task), key);
    return chase_give(task, key, &made);
}
