/* syncs.c — builds that wait until what their answer promises is on the disk, synced together. */
#include "juggler.h"

#include "fs.piw.h"
#include "jobs.h"
#include "piw/log.h"
#include "shared/site_path.h"

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

int syncs_go(piw_task *task)
{
    juggler *self = piw_soul(task);
    char path[PIW_PATH_MAX];
    if (self->waiting_busy || self->waiting_count == 0)
        return 0;
    if (!journal_path(&self->journal, path))
        return PIW_EINVAL;
    uint32_t count = self->waiting_count < AT_ONCE_MAX ? self->waiting_count : AT_ONCE_MAX;
    sync_builds *body;
    piw_msg *job = sync_builds_new(&body);
    body->root = piw_msg_textz(job, self->root);
    body->journal = piw_msg_textz(job, path);
    piw_msg_list(job, &body->builds, count);
    memcpy(body->builds.at, self->waiting, count * sizeof(*self->waiting));
    int rc = piw_work(task, job_sync_builds, &job, PIW_ON(builds_synced), 0);
    piw_msg_free(&job);
    if (rc != 0)
        return rc;
    self->waiting_busy = true;
    self->waiting_count -= count;
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

int on_builds_synced(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    juggler *self = piw_soul(task);
    self->waiting_busy = false;
    if (piw_msg_error(reply) != 0) { /* the pool's own: whoever waits asks again in time */
        piw_outage_goes_on(&self->troubles[TROUBLE_STAGED], PIW_LOG_ERROR, 0, "builds could not be synced: %s",
                           piw_msg_error_text(reply));
        return syncs_go(task);
    }
    const sync_builds_reply *synced = sync_builds_reply_of(reply);
    for (uint32_t i = 0; i < synced->builds.count; i++) {
        if (answer(task, &synced->builds.at[i]) != 0) /* one that waits no more must not stand in the way of others */
            piw_debug("the task that waited for a build's sync has gone");
    }
    return syncs_go(task);
}
