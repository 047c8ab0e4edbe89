/* waiters.c — who waits until a package's pages are written (web.WRITE). A wait ends with the first writing of the package
 * that begins after the request came: well, or with the reason why it has to be tried again. */
#include "secretary.h"

#include "piw/log.h"
#include "web.piw.h"

#include <stdlib.h>

int waiters_add(piw_task *task, secretary *self, piw_msg *msg, piw_text package)
{
    waiter *w = &self->waiters[self->waiters_count];
    int rc = piw_defer(task, msg, &w->token);
    if (rc != 0)
        return rc;
    memcpy(w->package, package.s, package.len);
    w->package[package.len] = '\0';
    w->after = self->requests.last_number;
    self->waiters_count++;
    return 0;
}

/* Answer one waiter. One that has gone gets no answer. */
static void tell(piw_task *task, piw_token token, const piw_msg *reply)
{
    piw_msg *answer = piw_msg_error(reply) == 0 ? web_WRITE_reply_new() : NULL;
    int rc = answer != NULL ? piw_answer(task, token, &answer)
                            : piw_answer_error(task, token, piw_msg_error(reply), "the pages have to wait: %s",
                                               piw_msg_error_text(reply));
    if (rc != 0)
        piw_debug("a task that waited for pages has gone");
    piw_msg_free(&answer);
}

void waiters_tell(piw_task *task, secretary *self, const char *package, int64_t number, const piw_msg *reply)
{
    for (size_t i = 0; i < self->waiters_count;) {
        waiter *w = &self->waiters[i];
        if (w->after >= number || strcmp(w->package, package) != 0) {
            i++;
            continue;
        }
        tell(task, w->token, reply);
        *w = self->waiters[--self->waiters_count];
    }
}

void waiters_save(const secretary *self, piw_msg *msg, secretary_state *body)
{
    piw_msg_list(msg, &body->waiters, self->waiters_count);
    for (size_t i = 0; i < self->waiters_count; i++)
        body->waiters.at[i] = (secretary_waiter){.package = piw_msg_textz(msg, self->waiters[i].package),
                                                 .request = self->waiters[i].token,
                                                 .after = self->waiters[i].after};
}

void waiters_load(secretary *self, const secretary_state *state)
{
    for (uint32_t i = 0; i < state->waiters.count && i < WAITERS_MAX; i++) {
        const secretary_waiter *from = &state->waiters.at[i];
        waiter *w = &self->waiters[self->waiters_count];
        if (!piw_name_is_canonical(from->package))
            continue;
        memcpy(w->package, from->package.s, from->package.len + 1);
        w->token = from->request;
        w->after = from->after;
        self->waiters_count++;
    }
}
