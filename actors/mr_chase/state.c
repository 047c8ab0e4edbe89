/* state.c — the soul as a message and back (swap), and from the importers' records (restart). */
#include "mr_chase/chase.h"
#include "shared/text.h"

/* A copied value shares its blobs; the message keeps a reference of its own to each. */
static void copy_report(piw_msg *msg, const build_state *from, build_state *to)
{
    piw_value_copy(msg, build_state_type(), from, to);
}

static void save_import(piw_msg *msg, const importer *from, chase_import *to)
{
    to->id = from->id;
    to->peer = (int64_t)from->peer;
    to->request = from->request;
    to->phase = from->phase;
    to->tries = from->tries;
    to->build_id = from->build_id;
    copy_report(msg, chase_report(from), &to->report);
    piw_msg_list(msg, &to->verified, from->verified_count);
    for (uint32_t i = 0; i < from->verified_count; i++)
        piw_value_copy(msg, built_file_type(), &from->verified[i], &to->verified.at[i]);
    to->bad = from->bad;
    piw_msg_list(msg, &to->kept, from->kept.count);
    piw_texts_copy(msg, from->kept.at, from->kept.count, to->kept.at);
    to->sent_before = from->sent_before;
}

int chase_save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    const chase *self = piw_soul(task);
    mr_chase_state *body;
    piw_msg *msg = mr_chase_state_new(&body);
    piw_msg_list(msg, &body->imports, self->by_id.count);
    chase_import *to = body->imports.at;
    for (importer *from = chase_next(self, NULL); from != NULL; from = chase_next(self, from))
        save_import(msg, from, to++);
    body->last_id = self->last_id;
    body->turn = self->turn;
    *state = msg;
    return 0;
}

static importer *load_import(chase *self, const chase_import *from)
{
    build_state *body;
    piw_msg *report = import_IMPORT_new(&body);
    copy_report(report, &from->report, body);
    importer *to = chase_add(self, (piw_peer)from->peer, from->id, &report);
    to->request = from->request;
    to->phase = (int)from->phase;
    to->tries = (unsigned)from->tries;
    to->build_id = from->build_id;
    to->heard_ns = piw_monotonic_ns();
    to->verified_count =
        from->verified.count < from->report.files.count ? from->verified.count : from->report.files.count;
    for (uint32_t i = 0; i < to->verified_count; i++)
        piw_value_copy(to->report, built_file_type(), &from->verified.at[i], &to->verified[i]);
    to->bad = (unsigned)from->bad;
    piw_msg_list(to->report, &to->kept, from->kept.count);
    piw_texts_copy(to->report, from->kept.at, from->kept.count, to->kept.at);
    to->sent_before = from->sent_before;
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
    save_import(record, imp, &body->import);
    if (piw_peer_set(self->task, imp->peer, &record) != 0)
        piw_msg_free(&record);
}

static int recall_peer(piw_task *task, piw_peer peer, const piw_msg *record, void *arg)
{
    (void)task;
    (void)peer;
    chase *self = arg;
    importer *imp = load_import(self, &chase_peer_of(record)->import);
    imp->request = (piw_token){0}; /* answered with an error in our stead */
    if (imp->id > self->last_id)
        self->last_id = imp->id;
    return 0;
}

void chase_recall(chase *self)
{
    if (piw_peer_each(self->task, "import", recall_peer, self) != 0)
        piw_warning("the imports under way before the restart could not be recalled");
}
