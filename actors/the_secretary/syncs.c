/* syncs.c — pages that are written stay among the requests that are saved until they have reached the disk: after a power failure the
 * next master writes them once more. File systems may bring the name of a new page to the disk before its bytes (XFS does). One sync
 * is for all that was written before it, in the background: nobody waits for it. */
#include "secretary.h"

#include "piw/fault.h"
#include "piw/log.h"
#include "shared/atomic_file.h"
#include "shared/site_mark.h"

static const int64_t SYNC_EVERY_NS = 5000000000; /* as the kernel, which writes so often what is old enough */

static int job_sync_pages(piw_msg *job, piw_msg **result, piw_err *err)
{
    const char *root = sync_pages_of(job)->root.s;
    if (PIW_FAULT("secretary.sync"))
        return piw_err_set(err, PIW_ESYS, "can't sync: the fault point secretary.sync is armed");
    int rc = piw_site_there(root, err); /* what lies in its place instead says nothing of pages */
    if (rc == 0)
        rc = piw_site_sync(root, err);
    if (rc == 0)
        *result = sync_pages_reply_new();
    return rc;
}

void syncs_written(secretary *self, const request *r)
{
    unsynced_add(&self->unsynced, &(secretary_page){.package = piw_text_of(r->package),
                                                    .added_at = r->saved.added_at,
                                                    .index = r->saved.part != PART_PROJECT,
                                                    .written_ns = piw_monotonic_ns()});
}

int syncs_go(piw_task *task)
{
    secretary *self = piw_soul(task);
    const char *root = piw_setting(task, "output-path");
    int64_t now_ns = piw_monotonic_ns();
    if (unsynced_count(&self->unsynced) == 0 || self->sync_ns != 0 || now_ns < self->sync_due_ns || root == NULL)
        return 0;
    piw_msg *job = sync_pages_make(piw_text_of(root));
    int rc = piw_work_background(task, job_sync_pages, &job, PIW_ON(synced), (uint64_t)now_ns);
    piw_msg_free(&job);
    if (rc != 0)
        return rc;
    self->sync_ns = now_ns;
    self->sync_due_ns = now_ns + SYNC_EVERY_NS;
    return 0;
}

int on_synced(piw_task *task, piw_msg *reply, uint64_t key)
{
    secretary *self = piw_soul(task);
    if (self->sync_ns != (int64_t)key)
        return 0; /* from before the task began anew */
    self->sync_ns = 0;
    if (piw_msg_error(reply) != 0) {
        piw_outage_goes_on(&self->unreached, PIW_LOG_WARNING, 0,
                           "pages that were written can't be synced, and would be written again by the next master: %s",
                           piw_msg_error_text(reply));
        return 0;
    }
    piw_outage_over(&self->unreached, "pages are synced again");
    unsynced_reached(&self->unsynced, (int64_t)key);
    self->course.changed = true;
    return 0;
}

void syncs_save(const secretary *self, piw_msg *msg, secretary_state *body)
{
    secretary_unsynced *to = piw_msg_alloc(msg, sizeof(*to));
    piw_msg_list(msg, &to->pages, unsynced_count(&self->unsynced));
    uint32_t n = 0;
    for (const unsynced_page *page = unsynced_next(&self->unsynced, NULL); page != NULL;
         page = unsynced_next(&self->unsynced, page))
        piw_value_copy(msg, secretary_page_type(), &page->saved, &to->pages.at[n++]);
    to->sync_ns = self->sync_ns;
    body->unsynced = to;
}

void syncs_load(secretary *self, const secretary_state *state)
{
    if (state->unsynced == NULL)
        return;
    self->sync_ns = state->unsynced->sync_ns; /* its end comes to us */
    for (uint32_t i = 0; i < state->unsynced->pages.count; i++)
        unsynced_add(&self->unsynced, &state->unsynced->pages.at[i]);
}
