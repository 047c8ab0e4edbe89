/* seals.c — what was sealed and left has no row yet: slave_driver wants to know of it, so that nobody builds it again meanwhile. */
#include "juggler.h"

#include "jobs.h"
#include "seals.piw.h"
#include "shared/text.h"

static int tell(piw_task *task, int64_t key, const sealed_versions *left)
{
    juggler *self = piw_soul(task);
    seals_left *body;
    piw_msg *event = seals_left_new(&body);
    body->key = key;
    piw_value_copy(event, sealed_versions_type(), left, &body->left);
    body->recorded = self->seals_recorded;
    int rc = piw_emit(task, &event);
    piw_msg_free(&event);
    self->seals_told = self->seals_told || rc == 0;
    return rc;
}

int on_seals_read(piw_task *task, piw_msg *reply, uint64_t key)
{
    if (piw_msg_error(reply) == 0)
        return tell(task, (int64_t)key, &read_seals_reply_of(reply)->left);
    piw_debug("which builds are sealed can't be told: %s", piw_msg_error_text(reply)); /* it is asked again */
    return 0;
}

/* What the journal has is known; what is staged has its seal in a file. */
static void sort_out(juggler *self, piw_msg *job, read_seals *body)
{
    piw_msg_list(job, &body->builds, self->unfinished_count);
    piw_msg_list(job, &body->known.at, self->unfinished_count);
    body->builds.count = body->known.at.count = 0;
    for (uint32_t i = 0; i < self->unfinished_count; i++) {
        const unfinished *it = &self->unfinished[i];
        const journal_entry *known = it->recorded ? NULL : journal_find(&self->journal, it->id);
        if (known != NULL && known->build->sealed != NULL)
            job_add_sealed(job, &body->known, known->build->package, known->build->sealed);
        else if (!it->recorded && juggler_is_staged(self, it->id))
            body->builds.at[body->builds.count++] = it->id;
    }
}

int on_seals_wanted(piw_task *task, piw_msg *msg)
{
    juggler *self = piw_soul(task);
    int64_t key = seals_wanted_of(msg)->key;
    if (!self->opened || self->site_away)
        return 0; /* nobody knows: it is asked again */
    read_seals *body;
    piw_msg *job = read_seals_new(&body);
    body->root = piw_msg_textz(job, self->root);
    sort_out(self, job, body);
    int rc = body->builds.count > 0 ? piw_work(task, job_read_seals, &job, PIW_ON(seals_read), (uint64_t)key)
                                    : tell(task, key, &body->known);
    piw_msg_free(&job);
    return rc;
}
