/* views.c — the farm's views: piw-ctl view list, fill, drop. */
#include "mr_chase/chase.h"

#include "piw/codec.h"
#include "shared/text.h"

static const char usage[] = "the command is: view list, view fill VIEW, view drop VIEW";

int chase_on_view_command(piw_task *task, piw_msg *msg)
{
    const orders_ORDER *body = orders_ORDER_of(msg);
    piw_text action = body->args.count > 0 ? body->args.at[0] : (piw_text){0};
    if (body->args.count == 1 && piw_text_is(action, "list"))
        return chase_ask(task, msg, db_VIEW_LIST_new(), PIW_ON(view_list));
    if (body->args.count != 2 || (!piw_text_is(action, "fill") && !piw_text_is(action, "drop")))
        return piw_refuse(task, msg, PIW_EINVAL, "%s", usage);
    piw_text view = body->args.at[1];
    const char *fault = piw_view_name_fault(view);
    if (fault != NULL)
        return piw_refuse(task, msg, PIW_EINVAL, "'%.100s': %s", view.s, fault);
    return chase_ask(task, msg, db_VIEW_CHANGE_make(action, view), PIW_ON(view_changed));
}

/* How far it is with asking PyPI for what the view doesn't want. */
static void say_unread(chase_answer *to, const view_row *view)
{
    if (view->unread == NULL || *view->unread == 0)
        return;
    bool held = view->held != NULL && *view->held;
    chase_say(to, "%s: of %lld packages it is still to be read what PyPI offers; they are built %s", view->view.s,
              (long long)*view->unread, held ? "after that" : "all the same, for its pages can't be read or aren't");
}

int on_view_list(piw_task *task, piw_msg *reply, uint64_t key)
{
    const chase *self = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        return piw_answer_error(task, (piw_token){key}, piw_msg_error(reply), "%s", piw_msg_error_text(reply));
    const db_VIEW_LIST_reply *list = db_VIEW_LIST_reply_of(reply);
    chase_answer made = chase_answer_new();
    if (list->views.count == 0)
        chase_say(&made, "the farm has no views: its configuration has no section [view:NAME]");
    else
        chase_say(&made, "%-32s %-12s %9s %9s %9s %7s  %s", "VIEW", "ABI", "pending", "builds", "files", "slaves",
                  "platforms");
    for (uint32_t i = 0; i < list->views.count; i++) {
        const view_row *view = &list->views.at[i];
        chase_say(&made, "%-32s %-12s %9lld %9lld %9lld %7lld  %s%s", view->view.s, view->abi_tag.s,
                  (long long)view->pending, (long long)view->builds, (long long)view->files,
                  (long long)chase_slaves_of(self, view->common ? view->abi_tag : view->view), view->platforms.s,
                  view->common       ? "; the common view"
                  : view->configured ? ""
                                     : "gone from the configuration: view drop deletes its builds");
    }
    for (uint32_t i = 0; i < list->views.count; i++)
        say_unread(&made, &list->views.at[i]);
    if (list->views.count > 0)
        chase_say_strangers(self, &made, NULL);
    return chase_give(task, key, &made);
}

int on_view_changed(piw_task *task, piw_msg *reply, uint64_t key)
{
    if (piw_msg_error(reply) != 0)
        return piw_answer_error(task, (piw_token){key}, piw_msg_error(reply), "%s", piw_msg_error_text(reply));
    const db_VIEW_CHANGE_reply *body = db_VIEW_CHANGE_reply_of(reply);
    const char *view = body->view.s;
    if (piw_text_is(body->outcome, "unknown"))
        return piw_answer_error(task, (piw_token){key}, PIW_ENOENT, "the farm has no view %s", view);
    if (piw_text_is(body->outcome, "common"))
        return piw_answer_error(task, (piw_token){key}, PIW_EREFUSED,
                                "%s is the common view: what it has built is the common index", view);
    if (piw_text_is(body->outcome, "there"))
        return piw_answer_error(
            task, (piw_token){key}, PIW_EREFUSED,
            "the configuration has [view:%s], so all would be built again: take the section away and "
            "restart the master first",
            view);
    chase_answer made = chase_answer_new();
    if (piw_text_is(body->outcome, "filling"))
        chase_say(&made, "all versions are looked at again, in slices: what %s lacks joins its queue", view);
    else
        chase_say(&made, "what %s has built is deleted, in slices: %lld build%s; the files follow later", view,
                  (long long)body->builds, body->builds == 1 ? "" : "s");
    piw_info("%s", made.body->lines.at[0].s);
    return chase_give(task, key, &made);
}
