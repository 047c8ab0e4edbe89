/* commands.c — what an operator asks with piw-ctl: the newest builds, and to have what failed tried again. why.c, abis.c and views.c
 * have the others. */
#include "mr_chase/chase.h"

#include "piw/codec.h"
#include "shared/version.h"
#include "slaves.piw.h"
#include "web.piw.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUILDS_SHOWN = 20, BUILDS_MAX = 1000 };

/* --- The commands ------------------------------------------------------------------------------------------------- */

static int on_builds_command(piw_task *task, piw_msg *msg)
{
    const orders_ORDER *body = orders_ORDER_of(msg);
    int64_t count = body->args.count > 0 ? strtoll(body->args.at[0].s, NULL, 10) : BUILDS_SHOWN;
    if (body->args.count > 1 || count < 1 || count > BUILDS_MAX)
        return piw_refuse(task, msg, PIW_EINVAL, "the command is: builds [COUNT], with a COUNT of 1 to %d", BUILDS_MAX);
    db_RECENT_BUILDS *wanted;
    piw_msg *call = db_RECENT_BUILDS_new(&wanted);
    wanted->limit = count;
    return chase_ask(task, msg, call, PIW_ON(builds));
}

int chase_on_command(piw_task *task, piw_msg *msg)
{
    const orders_ORDER *body = orders_ORDER_of(msg);
    bool why = piw_text_is(body->word, "why"), retry = piw_text_is(body->word, "retry");
    char package[PIW_NAME_MAX + 1];
    if (piw_text_is(body->word, "abi"))
        return chase_on_abi_command(task, msg);
    if (piw_text_is(body->word, "view"))
        return chase_on_view_command(task, msg);
    if (piw_text_is(body->word, "builds"))
        return on_builds_command(task, msg);
    if (!why && !retry)
        return piw_refuse(task, msg, PIW_ENOENT,
                          "mr_chase takes no command '%.64s': there are builds [COUNT], why PACKAGE [VERSION], retry "
                          "PACKAGE [VERSION], abi add|skip|remove|list and view list|fill|drop",
                          body->word.s);
    if (body->args.count > 2 || body->args.count < 1)
        return piw_refuse(task, msg, PIW_EINVAL, "the command is: %s PACKAGE [VERSION]", body->word.s);
    if (!piw_name_canonical(body->args.at[0], package))
        return piw_refuse(task, msg, PIW_EINVAL, "'%.100s' can't be a package's name", body->args.at[0].s);
    piw_text version = body->args.count > 1 ? body->args.at[1] : (piw_text){0};
    if (version.s != NULL && !piw_version_acceptable(version))
        return piw_refuse(task, msg, PIW_EINVAL, "'%.100s' can't be a version", version.s);
    return why ? chase_why(task, msg, package, version)
               : chase_ask(task, msg, db_RETRY_make(piw_text_of(package), version), PIW_ON(retry));
}

/* --- builds --------------------------------------------------------------------------------------------------------- */

int on_builds(piw_task *task, piw_msg *reply, uint64_t key)
{
    if (piw_msg_error(reply) != 0)
        return chase_pass_error(task, key, reply);
    const db_RECENT_BUILDS_reply *list = db_RECENT_BUILDS_reply_of(reply);
    chase_answer made = chase_answer_new();
    char when[CHASE_MOMENT_BYTES];
    chase_say(&made, ">build\tended\tpackage\tversion\tabi\tresult\t>seconds\t>slave");
    for (uint32_t i = list->builds.count; i-- > 0;) {
        const recent_build *build = &list->builds.at[i];
        chase_say(&made, "%lld\t%s\t%s\t%s\t%s\t%s\t%.1f\t%lld", (long long)build->build_id,
                  chase_moment(build->built, when), build->package.s, build->version.s, build->abi_tag.s,
                  build->status ? "built" : "failed", (double)piw_duration_us(build->duration) / 1e6,
                  (long long)build->slave_id);
    }
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
        return chase_pass_error(task, key, reply);
    const db_RETRY_reply *body = db_RETRY_reply_of(reply);
    if (!body->known)
        return piw_answer_error(task, (piw_token){key}, PIW_ENOENT, "package %s%s%s is unknown", body->package.s,
                                body->version.s != NULL ? ", version " : "",
                                body->version.s != NULL ? body->version.s : "");
    if (body->builds == 0 && body->resting == 0)
        return piw_answer_error(task, (piw_token){key}, PIW_EREFUSED, "nothing of %s%s%s has failed", body->package.s,
                                body->version.s != NULL ? " " : "", body->version.s != NULL ? body->version.s : "");
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
