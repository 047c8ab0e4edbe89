/* abis.c — which ABIs the farm builds for: piw-ctl abi add, skip, remove, list. */
#include "mr_chase/chase.h"

#include "piw/codec.h"
#include "shared/abi.h"
#include "shared/text.h"

enum { REASON_MAX = 100 };

static const char usage[] = "the command is: abi add TAG, abi skip TAG [REASON], abi remove TAG [force], abi list";

int chase_on_slaves_here(piw_task *task, piw_msg *msg)
{
    chase *self = piw_soul(task);
    piw_msg_free(&self->here);
    self->here = piw_msg_copy(msg);
    return 0;
}

int chase_on_abi_command(piw_task *task, piw_msg *msg)
{
    const orders_ORDER *body = orders_ORDER_of(msg);
    uint32_t count = body->args.count;
    piw_text action = count > 0 ? body->args.at[0] : (piw_text){0};
    if (count == 1 && piw_text_is(action, "list"))
        return chase_ask(task, msg, db_ABI_LIST_new(), PIW_ON(abi_list));
    bool add = piw_text_is(action, "add"), skip = piw_text_is(action, "skip"), remove = piw_text_is(action, "remove");
    if ((!add && !skip && !remove) || count < 2 || count > (add ? 2 : 3))
        return piw_refuse(task, msg, PIW_EINVAL, "%s", usage);
    piw_text tag = body->args.at[1], more = count > 2 ? body->args.at[2] : (piw_text){0};
    if (add ? !piw_abi_typed(tag) : !piw_abi_acceptable(tag))
        return piw_refuse(task, msg, PIW_EINVAL,
                          "'%.100s' is no ABI tag of an interpreter, such as cp311, cp313t or pypy310_pp73", tag.s);
    bool force = remove && piw_text_is(more, "force");
    if (remove && more.s != NULL && !force)
        return piw_refuse(task, msg, PIW_EINVAL, "%s", usage);
    piw_text reason = skip && more.s != NULL ? more : piw_text_of(skip ? "no longer built for" : "");
    if (skip && (reason.len == 0 || piw_utf8_chars(reason.s, reason.len) > REASON_MAX))
        return piw_refuse(task, msg, PIW_EINVAL, "the reason for skipping has 1 to %d characters", REASON_MAX);
    return chase_ask(task, msg, db_ABI_CHANGE_make(action, tag, reason, force), PIW_ON(abi_changed));
}

int64_t chase_slaves_of(const chase *self, piw_text queue)
{
    const slaves_here *here = self->here != NULL ? slaves_here_of(self->here) : NULL;
    for (uint32_t i = 0; here != NULL && i < here->abis.count; i++)
        if (piw_text_eq(here->abis.at[i].abi_tag, queue))
            return here->abis.at[i].slaves;
    return 0;
}

void chase_say_strangers(const chase *self, chase_answer *to, const db_ABI_LIST_reply *list)
{
    const slaves_here *here = self->here != NULL ? slaves_here_of(self->here) : NULL;
    for (uint32_t i = 0; here != NULL && i < here->abis.count; i++) {
        const abi_slaves *abi = &here->abis.at[i];
        bool known = list == NULL && abi->known;
        for (uint32_t k = 0; list != NULL && k < list->abis.count; k++)
            known = known || piw_text_eq(list->abis.at[k].abi_tag, abi->abi_tag);
        if (self->views.count > 0 ? abi->known : known)
            continue;
        if (self->views.count > 0)
            chase_say(to, "%s: %lld %s for it, but %s no view", abi->abi_tag.s, (long long)abi->slaves,
                      abi->slaves == 1 ? "slave builds" : "slaves build", abi->slaves == 1 ? "fits" : "fit");
        else if (piw_abi_typed(abi->abi_tag))
            chase_say(to, "%s: %lld %s for it, the farm doesn't; piw-ctl abi add %s", abi->abi_tag.s,
                      (long long)abi->slaves, abi->slaves == 1 ? "slave builds" : "slaves build", abi->abi_tag.s);
        else
            chase_say(to, "%s: %lld %s for it, but it is no ABI tag of an interpreter", abi->abi_tag.s,
                      (long long)abi->slaves, abi->slaves == 1 ? "slave builds" : "slaves build");
    }
}

int on_abi_list(piw_task *task, piw_msg *reply, uint64_t key)
{
    chase *self = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        return chase_pass_error(task, key, reply);
    const db_ABI_LIST_reply *list = db_ABI_LIST_reply_of(reply);
    chase_answer made = chase_answer_new();
    if (list->abis.count == 0)
        chase_say(&made, CHASE_NO_ABI);
    else
        chase_say(&made, "%-20s %9s %9s %7s", "ABI", "pending", "builds", "slaves");
    for (uint32_t i = 0; i < list->abis.count; i++) {
        const abi_row *abi = &list->abis.at[i];
        chase_say(&made, "%-20s %9lld %9lld %7lld%s%s", abi->abi_tag.s, (long long)abi->pending, (long long)abi->builds,
                  (long long)chase_slaves_of(self, abi->abi_tag), abi->skip.len > 0 ? "  skipped: " : "", abi->skip.s);
    }
    chase_say_strangers(self, &made, list);
    return chase_give(task, key, &made);
}

int on_abi_changed(piw_task *task, piw_msg *reply, uint64_t key)
{
    if (piw_msg_error(reply) != 0)
        return chase_pass_error(task, key, reply);
    const db_ABI_CHANGE_reply *body = db_ABI_CHANGE_reply_of(reply);
    const char *tag = body->abi_tag.s;
    long long builds = (long long)body->builds;
    if (piw_text_is(body->outcome, "unknown"))
        return piw_answer_error(task, (piw_token){key}, PIW_ENOENT, "the farm doesn't build for %s", tag);
    if (piw_text_is(body->outcome, "built"))
        return piw_answer_error(task, (piw_token){key}, PIW_EREFUSED,
                                "%s has %lld builds, which would stay without a column on their pages: use abi skip %s "
                                "instead, or --force",
                                tag, builds, tag);
    if (piw_text_is(body->outcome, "view"))
        return piw_answer_error(task, (piw_token){key}, PIW_EREFUSED, "%s is the name of a view", tag);
    if (piw_text_is(body->outcome, "views"))
        return piw_answer_error(task, (piw_token){key}, PIW_EREFUSED,
                                "the farm has views: it builds for %s when a section [view:NAME] has abi = %s", tag,
                                tag);
    if (piw_text_is(body->outcome, "common"))
        return piw_answer_error(task, (piw_token){key}, PIW_EREFUSED, "the common view builds for %s", tag);
    chase_answer made = chase_answer_new();
    if (piw_text_is(body->outcome, "added"))
        chase_say(&made, "the farm builds for %s: what no other build does for waits to be built from now on", tag);
    else if (piw_text_is(body->outcome, "enabled"))
        chase_say(&made, "the farm builds for %s again", tag);
    else if (piw_text_is(body->outcome, "known"))
        chase_say(&made, "the farm builds for %s already", tag);
    else if (piw_text_is(body->outcome, "skipped"))
        chase_say(&made, "the farm builds for %s no more: %s", tag, body->reason.s);
    else
        chase_say(&made, "the farm has forgotten %s; %lld builds for it stay", tag, builds);
    piw_info("%s", made.body->lines.at[0].s);
    return chase_give(task, key, &made);
}
