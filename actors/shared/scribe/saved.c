/* saved.c — what a writer of the site hands over to its successor: the packages whose pages are asked for, and where the root list
 * is. Jobs that are held aren't kept: their packages are asked for anew. */
#include "soul.h"

#include "the_scribe.piw.h"

int scribe_save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    const scribe *self = piw_soul(task);
    scribe_state *body;
    piw_msg *msg = scribe_state_new(&body);
    piw_msg_list(msg, &body->errands, self->errands.count);
    uint32_t n = 0;
    for (const errand *e = self->errands.first; e != NULL; e = e->next)
        piw_value_copy(msg, scribe_errand_type(), &e->saved, &body->errands.at[n++]);
    body->last_number = self->errands.last_number;
    body->course = self->course;
    *state = msg;
    return 0;
}

void scribe_load(scribe *self, const scribe_state *state)
{
    for (uint32_t i = 0; i < state->errands.count; i++) {
        const scribe_errand *from = &state->errands.at[i];
        if (!piw_name_is_canonical(from->package) || from->part < PART_PROJECT || from->part > PART_REMOVE ||
            from->step < STEP_QUEUED || from->step > STEP_REMOVE)
            continue;
        errand *e = errands_add(&self->errands, from->package, (errand_part)from->part, from->request);
        e->saved.number = from->number;
        e->saved.step = from->step;
        e->saved.root_turn = from->root_turn;
        e->hidden = from->hidden != NULL && *from->hidden;
        e->batch = from->batch != NULL ? *from->batch : 0;
        e->bulk = from->bulk != NULL && *from->bulk;
        e->soon = from->soon != NULL && *from->soon;
    }
    self->errands.last_number = state->last_number;
    self->course = state->course;
}
