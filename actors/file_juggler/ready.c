/* ready.c — the files of a build that lies in the journal as a whole (small.c) are written while its bytes reach the disk and its row is
 * made, as temporary ones: nobody sees them, and PUBLISH then only renames them. With one slave that takes them out of what it waits
 * for (docs/performance.md#files-of-builds).
 *
 * Nothing depends on it: what isn't there when it is asked for is written then. So it is done for some builds at a time, while no other
 * job is at files that are asked for, and isn't kept over a swap. */
#include "juggler.h"

#include "file_juggler.piw.h"
#include "jobs.h"
#include "shared/atomic_file.h"
#include "shared/text.h"

enum {
    LATE_MS = 10000, /* by then a job of a soul before is over */
};

void ready_open(juggler *self)
{
    ready_fini(self);
    rooms_init(&self->rooms, piw_room_last(self->root));
    self->rooms_left = self->rooms.number;
    self->rooms_left_ns = piw_monotonic_ns() + LATE_MS * INT64_C(1000000);
}

void ready_clear(juggler *self)
{
    if (self->rooms_left == 0 || self->logs_running || self->site_away || piw_monotonic_ns() < self->rooms_left_ns)
        return;
    piw_rooms_clear(self->root, self->rooms_left);
    self->rooms_left = 0;
}

int64_t ready_room(juggler *self, uint32_t files)
{
    int64_t before = self->rooms.number, room = rooms_take(&self->rooms, files);
    if (room != before)
        piw_rooms_end(self->root, before - 1); /* what was begun in the last one may still be under way */
    return room;
}

void ready_cost(juggler *self, const room_cost *cost)
{
    if (cost != NULL)
        rooms_cost(&self->rooms, cost->room, cost->files, cost->ns);
}

static ready_build *find(juggler *self, int64_t build_id)
{
    for (uint32_t i = 0; i < READY_BUILDS; i++)
        if (self->ready[i].build_id == build_id)
            return &self->ready[i];
    return NULL;
}

/* Of a job that is at it the end finds nobody. */
static void drop(ready_build *it)
{
    if (it->made != NULL)
        job_drop_ready(&make_ready_reply_of(it->made)->files);
    piw_msg_free(&it->made);
    *it = (ready_build){0};
}

void ready_drop(juggler *self, int64_t build_id)
{
    ready_build *it = find(self, build_id);
    if (it != NULL)
        drop(it);
}

void ready_fini(juggler *self)
{
    for (uint32_t i = 0; i < READY_BUILDS; i++)
        drop(&self->ready[i]);
}

static piw_msg *make_job(juggler *self, const journal_build *build)
{
    make_ready *body;
    piw_msg *job = make_ready_new(&body);
    body->root = piw_msg_textz(job, self->root);
    body->build_id = build->build_id;
    body->room = ready_room(self, READY_FILES);
    body->filename = piw_text_copy(job, build->wheels.at[0]);
    piw_value_copy(job, noted_wheel_type(), build->wheel, &body->wheel);
    body->log = piw_msg_blob(job, build->log);
    return job;
}

void ready_begin(piw_task *task, int64_t build_id)
{
    juggler *self = piw_soul(task);
    const journal_entry *known = journal_find(&self->journal, build_id);
    ready_build *it = find(self, 0);
    if (it == NULL || self->logs_running || known == NULL || !small_has_wheel(known->build))
        return;
    piw_msg *job = make_job(self, known->build);
    uint64_t key = yielding_key(self);
    if (piw_work(task, job_make_ready, &job, PIW_ON(made_ready), key) == 0)
        *it = (ready_build){.build_id = build_id, .key = key};
    piw_msg_free(&job);
}

int on_made_ready(piw_task *task, piw_msg *reply, uint64_t key)
{
    juggler *self = piw_soul(task);
    ready_build *it = NULL;
    for (uint32_t i = 0; i < READY_BUILDS; i++)
        if (self->ready[i].key == key && self->ready[i].build_id != 0)
            it = &self->ready[i];
    if (piw_msg_error(reply) != 0) { /* it is said when they are asked for */
        if (it != NULL)
            drop(it);
        return 0;
    }
    ready_cost(self, make_ready_reply_of(reply)->cost);
    if (it == NULL) {
        job_drop_ready(&make_ready_reply_of(reply)->files);
        return 0;
    }
    it->key = 0;
    it->made = piw_msg_copy(reply);
    return 0;
}

const ready_files *ready_take(juggler *self, piw_msg *job, int64_t build_id)
{
    ready_build *it = find(self, build_id);
    if (it == NULL || it->made == NULL) {
        if (it != NULL)
            drop(it);
        return NULL;
    }
    ready_files *files = piw_msg_alloc(job, sizeof(*files));
    piw_value_copy(job, ready_files_type(), &make_ready_reply_of(it->made)->files, files);
    piw_msg_free(&it->made);
    *it = (ready_build){0};
    return files;
}

void ready_drop_of(const place_logs *job)
{
    for (uint32_t i = 0; i < job->logs.count; i++)
        if (job->logs.at[i].ready != NULL)
            job_drop_ready(job->logs.at[i].ready);
}
