/* state.c — the soul as a message and back (swap), and from the importers' records (restart). */
#include "mr_chase/chase.h"

#include <string.h>

int chase_save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    const chase *self = piw_soul(task);
    mr_chase_state *body;
    piw_msg *msg = mr_chase_state_new(&body);
    piw_msg_list(msg, &body->imports, self->by_id.count);
    chase_import *to = body->imports.at;
    for (importer *from = chase_next(self, NULL); from != NULL; from = chase_next(self, from))
        piw_value_copy(msg, chase_import_type(), &from->saved, to++);
    body->last_id = self->last_id;
    body->turn = self->turn;
    *state = msg;
    return 0;
}

static importer *load_import(chase *self, const chase_import *from)
{
    build_state *body;
    piw_msg *memory = import_IMPORT_new(&body);
    chase_import saved;
    piw_value_copy(memory, chase_import_type(), from, &saved);
    *body = saved.report;
    importer *to = chase_add(self, (piw_peer)from->peer, from->id, &memory);
    built_file *room = to->saved.verified.at;
    if (saved.verified.count > saved.report.files.count)
        saved.verified.count = saved.report.files.count;
    if (saved.verified.count > 0)
        memcpy(room, saved.verified.at, saved.verified.count * sizeof(*room));
    saved.verified.at = room;
    saved.tries = saved.tries < 0 ? 0 : saved.tries;
    to->saved = saved;
    to->heard_ns = piw_monotonic_ns();
    return to;
}

void chase_load(chase *self, const piw_msg *state)
{
    const mr_chase_state *body = mr_chase_state_of(state);
    for (uint32_t i = 0; i < body->imports.count; i++)
        load_import(self, &body->imports.at[i]);
    self->last_id = body->last_id;
    self->turn = body->turn;
}

/* --- Restart ------------------------------------------------------------------------------------------------------ */

void chase_remember(chase *self, const importer *imp)
{
    chase_peer *body;
    piw_msg *record = chase_peer_new(&body);
    piw_value_copy(record, chase_import_type(), &imp->saved, &body->import);
    if (piw_peer_set(self->task, (piw_peer)imp->saved.peer, &record) != 0)
        piw_msg_free(&record);
}

static int recall_peer(piw_task *task, piw_peer peer, const piw_msg *record, void *arg)
{
    (void)task;
    (void)peer;
    chase *self = arg;
    importer *imp = load_import(self, &chase_peer_of(record)->import);
    imp->saved.request = (piw_token){0}; /* answered with an error in our stead */
    if (imp->saved.id > self->last_id)
        self->last_id = imp->saved.id;
    return 0;
}

void chase_recall(chase *self)
{
    if (piw_peer_each(self->task, "import", recall_peer, self) != 0)
        piw_warning("the imports under way before the restart could not be recalled");
}
