/* syncs.c — builds that wait until what their answer promises is on the disk, synced together. */
#include "juggler.h"

#include "fs.piw.h"
#include "jobs.h"
#include "piw/log.h"
#include "shared/site_path.h"
#include "shared/text.h"

#include <string.h>

enum { AT_ONCE_MAX = 1000 /* in one job: the first mustn't wait for long */ };

int syncs_ask(piw_task *task, piw_token token, int64_t build_id, bool seal)
{
    juggler *self = piw_soul(task);
    if (self->waiting_count == self->waiting_room) {
        self->waiting_room = self->waiting_room == 0 ? 16 : 2 * self->waiting_room;
        self->waiting = piw_realloc(self->waiting, self->waiting_room * sizeof(*self->waiting));
    }
    self->waiting[self->waiting_count++] = (juggler_sync){.token = token, .build_id = build_id, .seal = seal};
    return syncs_go(task);
}

void syncs_early(piw_task *task, uint64_t key, bool names)
{
    juggler *self = piw_soul(task);
    if (self->early_count == self->early_room) {
        self->early_room = self->early_room == 0 ? 16 : 2 * self->early_room;
        self->early = piw_realloc(self->early, self->early_room * sizeof(*self->early));
    }
    self->early[self->early_count++] = (juggler_early_sync){.key = key, .names = names};
    if (syncs_go(task) != 0) /* it goes with the next, or is done when it is asked for */
        piw_debug("a sync could not begin early");
}

/* What is still wanted of it. */
static const early_syncs *take_early(juggler *self, piw_msg *job)
{
    early_syncs *made = piw_msg_alloc(job, sizeof(*made));
    uint32_t count = self->early_count < AT_ONCE_MAX ? self->early_count : AT_ONCE_MAX;
    piw_msg_list(job, &made->at, count);
    made->at.count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const transfer *t = transfers_of_early(&self->transfers, self->early[i].key);
        const last_file *last = t == NULL ? NULL : juggler_last(t);
        if (last == NULL)
            continue;
        early_syncs_at *to = &made->at.at[made->at.count++];
        *to = (early_syncs_at){
            .key = (int64_t)t->early.key, .build_id = t->about->build_id, .names = self->early[i].names};
        if (t->held != NULL) {
            bool *noted = piw_msg_alloc(job, sizeof(*noted));
            *noted = true;
            to->noted = noted;
        }
        if (to->names)
            continue;
        piw_msg_list(job, &to->wheels, last->wheels.count);
        piw_texts_copy(job, last->wheels.at, last->wheels.count, to->wheels.at);
    }
    self->early_count -= count;
    if (count > 0)
        memmove(self->early, self->early + count, self->early_count * sizeof(*self->early));
    return made;
}

int syncs_go(piw_task *task)
{
    juggler *self = piw_soul(task);
    char path[PIW_PATH_MAX];
    if (self->waiting_busy || self->waiting_count + self->early_count == 0)
        return 0;
    if (!journal_path(&self->journal, path))
        return PIW_EINVAL;
    uint32_t count = self->waiting_count < AT_ONCE_MAX ? self->waiting_count : AT_ONCE_MAX;
    sync_builds *body;
    piw_msg *job = sync_builds_new(&body);
    body->root = piw_msg_textz(job, self->root);
    body->journal = piw_msg_textz(job, path);
    piw_msg_list(job, &body->builds, count);
    if (count > 0)
        memcpy(body->builds.at, self->waiting, count * sizeof(*self->waiting));
    body->early = take_early(self, job);
    bool *named = piw_msg_alloc(job, sizeof(*named));
    *named = self->named == self->journal.number;
    body->named = named;
    int64_t *number = piw_msg_alloc(job, sizeof(*number));
    *number = self->journal.number;
    body->number = number;
    if (count + body->early->at.count == 0) {
        piw_msg_free(&job);
        return 0;
    }
    int rc = piw_work(task, job_sync_builds, &job, PIW_ON(builds_synced), 0);
    piw_msg_free(&job);
    if (rc != 0)
        return rc;
    self->waiting_busy = true;
    self->waiting_count -= count;
    if (count > 0)
        memmove(self->waiting, self->waiting + count, self->waiting_count * sizeof(*self->waiting));
    return 0;
}

static int answer(piw_task *task, const sync_builds_reply_builds *synced)
{
    juggler *self = piw_soul(task);
    if (synced->code != 0) {
        piw_outage_goes_on(&self->troubles[TROUBLE_STAGED], PIW_LOG_ERROR, 0, "%s", synced->why.s);
        return piw_answer_error(task, synced->token, (int)synced->code, "%s", synced->why.s);
    }
    piw_outage_over(&self->troubles[TROUBLE_STAGED], "builds are synced again");
    piw_msg *reply = synced->seal ? fs_SEAL_reply_new() : fs_STAGE_reply_new();
    int rc = piw_answer(task, synced->token, &reply);
    piw_msg_free(&reply);
    return rc;
}

bool syncs_over(piw_task *task, const piw_msg *reply)
{
    juggler *self = piw_soul(task);
    self->waiting_busy = false;
    if (piw_msg_error(reply) != 0) { /* the pool's own: whoever waits asks again in time */
        piw_outage_goes_on(&self->troubles[TROUBLE_STAGED], PIW_LOG_ERROR, 0, "builds could not be synced: %s",
                           piw_msg_error_text(reply));
        return false;
    }
    const sync_builds_reply *synced = sync_builds_reply_of(reply);
    if (synced->named != NULL && *synced->named > self->named)
        self->named = *synced->named;
    for (uint32_t i = 0; i < synced->builds.count; i++) {
        if (answer(task, &synced->builds.at[i]) != 0) /* one that waits no more must not stand in the way of others */
            piw_debug("the task that waited for a build's sync has gone");
    }
    return true;
}
