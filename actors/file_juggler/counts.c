/* counts.c — what has come and was refused: counted, and told now and then, so that a file costs no message. */
#include "juggler.h"

#include "events.piw.h"
#include "shared/text.h"

enum { CHECKS_MAX = 32 /* as many as the event takes; the gate has fewer */ };

static files_counted *counts_of(juggler *self)
{
    files_counted *body;
    if (self->counts != NULL)
        return piw_msg_any_body(self->counts);
    self->counts = files_counted_new(&body);
    piw_msg_list(self->counts, &body->refused, CHECKS_MAX);
    body->refused.count = 0;
    return body;
}

void counts_received(juggler *self, int64_t bytes)
{
    files_counted *counts = counts_of(self);
    counts->transfers++;
    counts->bytes += bytes;
}

static void add_refused(juggler *self, piw_text by, int64_t count)
{
    files_counted *counts = counts_of(self);
    uint32_t i = 0;
    while (i < counts->refused.count && !piw_text_eq(counts->refused.at[i].key, by))
        i++;
    if (i == CHECKS_MAX)
        return;
    if (i == counts->refused.count)
        counts->refused.at[counts->refused.count++].key = piw_text_copy(self->counts, by);
    counts->refused.at[i].value += count;
}

void counts_refused(juggler *self, piw_text by)
{
    add_refused(self, by, 1);
}

void counts_tell(piw_task *task)
{
    juggler *self = piw_soul(task);
    if (self->counts != NULL && piw_emit(task, &self->counts) != 0)
        piw_debug("what was counted is told later");
}

void counts_save(const juggler *self, piw_msg *msg, file_juggler_state *body)
{
    if (self->counts == NULL)
        return;
    const files_counted *from = piw_msg_any_body(self->counts);
    juggler_counts *to = piw_msg_alloc(msg, sizeof(*to));
    to->transfers = from->transfers;
    to->bytes = from->bytes;
    piw_msg_list(msg, &to->refused, from->refused.count);
    for (uint32_t i = 0; i < to->refused.count; i++) {
        to->refused.at[i].key = piw_text_copy(msg, from->refused.at[i].key);
        to->refused.at[i].value = from->refused.at[i].value;
    }
    body->counts = to;
}

void counts_load(juggler *self, const file_juggler_state *state)
{
    const juggler_counts *from = state->counts;
    if (from == NULL)
        return;
    files_counted *to = counts_of(self);
    to->transfers = from->transfers;
    to->bytes = from->bytes;
    for (uint32_t i = 0; i < from->refused.count; i++)
        add_refused(self, from->refused.at[i].key, from->refused.at[i].value);
}
