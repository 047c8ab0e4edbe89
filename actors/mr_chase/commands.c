/* commands.c — what an operator asks with piw-ctl: why is a version as it is, and have what failed tried again. */
#include "mr_chase/chase.h"

#include "piw/codec.h"
#include "shared/version.h"
#include "slaves.piw.h"
#include "web.piw.h"

#include <stdio.h>

enum { MOMENT_BYTES = 40 };

/* --- The commands ------------------------------------------------------------------------------------------------- */

int chase_on_command(piw_task *task, piw_msg *msg)
{
    const orders_ORDER *body = orders_ORDER_of(msg);
    bool why = piw_text_is(body->word, "why"), retry = piw_text_is(body->word, "retry");
    char package[PIW_NAME_MAX + 1];
    if (piw_text_is(body->word, "abi"))
        return chase_on_abi_command(task, msg);
    if (!why && !retry)
        return piw_refuse(
            task, msg, PIW_ENOENT,
            "mr_chase takes no command '%.64s': there are why PACKAGE VERSION, retry PACKAGE [VERSION] and "
            "abi add|skip|remove|list",
            body->word.s);
    if (body->args.count > 2 || body->args.count < (why ? 2 : 1))
        return piw_refuse(task, msg, PIW_EINVAL, "the command is: %s",
                          why ? "why PACKAGE VERSION" : "retry PACKAGE [VERSION]");
    if (!piw_name_canonical(body->args.at[0], package))
        return piw_refuse(task, msg, PIW_EINVAL, "'%.100s' can't be a package's name", body->args.at[0].s);
    piw_text version = body->args.count > 1 ? body->args.at[1] : (piw_text){0};
    if (version.s != NULL && !piw_version_acceptable(version))
        return piw_refuse(task, msg, PIW_EINVAL, "'%.100s' can't be a version", version.s);
    return why ? chase_ask(task, msg, db_WHY_make(piw_text_of(package), version), PIW_ON(why))
               : chase_ask(task, msg, db_RETRY_make(piw_text_of(package), version), PIW_ON(retry));
}

/* --- why ----------------------------------------------------------------------------------------------------------- */

/* To the second, in UTC. */
static const char *moment(piw_time time, char text[MOMENT_BYTES])
{
    piw_time_format((piw_time){.us = time.us - time.us % 1000000}, text, MOMENT_BYTES);
    return text;
}

static void say_attempt(chase_answer *to, const why_attempt *attempt)
{
    char began[MOMENT_BYTES], what[300];
    long long build = attempt->build_id != NULL ? (long long)*attempt->build_id : 0;
    if (piw_text_is(attempt->state, "running"))
        snprintf(what, sizeof(what), "is building it");
    else if (piw_text_is(attempt->state, "built"))
        snprintf(what, sizeof(what), "built it: build %lld", build);
    else if (piw_text_is(attempt->state, "failed"))
        snprintf(what, sizeof(what), "failed: build %lld", build);
    else if (piw_text_is(attempt->state, "transient"))
        snprintf(what, sizeof(what), "failed for its own sake: %.200s", attempt->cause.s);
    else
        snprintf(what, sizeof(what), "ended without a result: %.200s", attempt->cause.s);
    chase_say(to, "    %s  slave %lld %s", moment(attempt->started, began), (long long)attempt->slave_id, what);
}

/* What will happen next for an ABI that has no build yet. */
static void say_pending(chase_answer *to, const why_abi *abi, const db_WHY_reply *why)
{
    const why_attempt *rests = NULL, *runs = NULL;
    const char *before = NULL;
    char when[MOMENT_BYTES];
    for (uint32_t i = 0; i < why->attempts.count; i++) {
        const why_attempt *attempt = &why->attempts.at[i];
        if (!piw_text_eq(attempt->abi_tag, abi->abi_tag))
            continue;
        rests = rests == NULL && attempt->next_try != NULL ? attempt : rests;
        runs = runs == NULL && piw_text_is(attempt->state, "running") ? attempt : runs;
    }
    for (uint32_t i = 0; i < why->abis.count; i++)
        before = why->abis.at[i].offered ? why->abis.at[i].abi_tag.s : before;
    if (runs != NULL)
        chase_say(to, "%s: slave %lld is building it", abi->abi_tag.s, (long long)runs->slave_id);
    else if (rests != NULL)
        chase_say(to, "%s: rests; the next try is after %s", abi->abi_tag.s, moment(*rests->next_try, when));
    else if (abi->offered)
        chase_say(to, "%s: waits for a slave", abi->abi_tag.s);
    else if (before != NULL)
        chase_say(to, "%s: waits for the build for %s, which may do for both", abi->abi_tag.s, before);
    else
        chase_say(to, "%s: is about to join the build queue", abi->abi_tag.s);
}

static void say_abi(chase_answer *to, const why_abi *abi, const db_WHY_reply *why)
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
        say_pending(to, abi, why);
    for (uint32_t i = why->attempts.count; i-- > 0;)
        if (piw_text_eq(why->attempts.at[i].abi_tag, abi->abi_tag))
            say_attempt(to, &why->attempts.at[i]);
}

int on_why(piw_task *task, piw_msg *reply, uint64_t key)
{
    if (piw_msg_error(reply) != 0)
        return piw_answer_error(task, (piw_token){key}, piw_msg_error(reply), "%s", piw_msg_error_text(reply));
    const db_WHY_reply *why = db_WHY_reply_of(reply);
    if (!why->known)
        return piw_answer_error(task, (piw_token){key}, PIW_ENOENT, "that version is unknown");
    chase_answer made = chase_answer_new();
    if (why->package_skip.len > 0)
        chase_say(&made, "the package is not built: %s", why->package_skip.s);
    if (why->version_skip.len > 0)
        chase_say(&made, "the version is not built: %s", why->version_skip.s);
    if (why->abis.count == 0)
        chase_say(&made, CHASE_NO_ABI);
    for (uint32_t i = 0; i < why->abis.count; i++)
        say_abi(&made, &why->abis.at[i], why);
    chase_say_strangers(piw_soul(task), &made, NULL);
    return chase_give(task, key, &made);
}

/* --- retry --------------------------------------------------------------------------------------------------------- */

static void cast_quietly(piw_task *task, piw_msg *msg)
{
    if (piw_cast(task, &msg) != 0)
        piw_warning("%s could not be sent: its service is away", piw_msg_type_of(msg)->name);
    piw_msg_free(&msg);
}

int on_retry(piw_task *task, piw_msg *reply, uint64_t key)
{
    if (piw_msg_error(reply) != 0)
        return piw_answer_error(task, (piw_token){key}, piw_msg_error(reply), "%s", piw_msg_error_text(reply));
    const db_RETRY_reply *body = db_RETRY_reply_of(reply);
    if (!body->known)
        return piw_answer_error(task, (piw_token){key}, PIW_ENOENT, "the database knows nothing of that name");
    if (body->builds == 0 && body->resting == 0)
        return piw_answer_error(task, (piw_token){key}, PIW_EREFUSED, "nothing of it has failed");
    cast_quietly(task, slaves_RETRY_make(body->package, body->version));
    if (body->builds > 0)
        cast_quietly(task, web_PROJECT_make(body->package, true));
    chase_answer made = chase_answer_new();
    chase_say(&made, "%s %s is tried again (failed builds deleted: %lld, delays ended: %lld)", body->package.s,
              body->version.s != NULL ? body->version.s : "in all versions", (long long)body->builds,
              (long long)body->resting);
    piw_info("%s", made.body->lines.at[0].s);
    return chase_give(task, key, &made);
}
