/* answers.c — what answers to importers, administrators and operators are made with. */
#include "mr_chase/chase.h"

#include <stdio.h>

enum { LINES_MAX = 2000, LINE_BYTES = 1200 };

int chase_error(piw_task *task, piw_msg *request, const char *why)
{
    piw_msg *answer = import_ERROR_make(piw_text_of(why));
    int rc = piw_reply(task, request, &answer);
    piw_msg_free(&answer);
    return rc;
}

int chase_ask(piw_task *task, piw_msg *request, piw_msg *call, const char *continuation)
{
    piw_token token;
    int rc = piw_defer(task, request, &token);
    if (rc == 0)
        rc = piw_call(task, &call, continuation, token.id, 0);
    piw_msg_free(&call);
    return rc;
}

void chase_say(chase_answer *to, const char *fmt, ...)
{
    if (to->body->lines.count == LINES_MAX)
        return;
    char line[LINE_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    to->body->lines.at[to->body->lines.count++] = piw_msg_textz(to->msg, line);
}

chase_answer chase_answer_new(void)
{
    chase_answer made;
    made.msg = orders_ORDER_reply_new(&made.body);
    piw_msg_list(made.msg, &made.body->lines, LINES_MAX);
    made.body->lines.count = 0;
    return made;
}

int chase_give(piw_task *task, uint64_t key, chase_answer *made)
{
    int rc = piw_answer(task, (piw_token){key}, &made->msg);
    piw_msg_free(&made->msg);
    return rc;
}

int chase_pass_error(piw_task *task, uint64_t key, const piw_msg *reply)
{
    int code = piw_msg_error(reply);
    const char *text = piw_msg_error_text(reply);
    if (code == PIW_EDEADLINE || code == PIW_EABSENT)
        return piw_answer_error(task, (piw_token){key}, code, "the database can't be asked now (%s): see piw-ctl list",
                                text);
    return piw_answer_error(task, (piw_token){key}, code, "%s", text);
}
