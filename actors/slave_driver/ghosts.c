/* ghosts.c — builds that are still being recorded when their slaves are gone, or at work again
 * (docs/reliability.md#the-database-is-away). */
#include "slave_driver/driver.h"

#include <stdlib.h>

static const char lost_text[] = "The slave fell silent while it built this.\n";

piw_peer driver_ghost_peer(driver *self)
{
    return UINT64_C(1) << 63 | ++self->ghosts;
}

/* The record stays, but no slave finds it any more. */
static void detach(driver *self, driver_builder *builder)
{
    piw_table_remove(&self->by_peer, &builder->by_peer);
    piw_table_remove(&self->by_id, &builder->by_id);
    builder->ghost = true;
    builder->request = (piw_token){0};
    builder->peer = driver_ghost_peer(self);
    piw_table_add(&self->by_peer, &builder->by_peer, piw_table_hash_u64(builder->peer));
}

static piw_msg *lost_report(const driver_builder *builder)
{
    slave_BUILT *body;
    piw_msg *report = slave_BUILT_new(&body);
    body->duration = piw_duration_from_us((builder->heard_ns - builder->began_ns) / 1000);
    piw_blob *output = piw_blob_new(lost_text, sizeof(lost_text) - 1);
    body->output = piw_msg_blob(report, output);
    piw_blob_unref(&output);
    return report;
}

void driver_lose(driver *self, driver_builder **builder)
{
    driver_builder *lost = *builder;
    *builder = NULL;
    if (lost->id != 0)
        driver_tell_gone(self, lost, true);
    piw_peer_forget(self->task, lost->peer);
    if (lost->hold == NULL || lost->skip || lost->removed) {
        int kind = lost->removed && !lost->again ? DRIVER_DROP
                   : lost->skip                  ? DRIVER_HOLD_SKIPPED
                                                 : DRIVER_HOLD_RETURNED;
        driver_abandon(self, lost, kind, "the slave fell silent");
        driver_remove(self, &lost);
        return;
    }
    if (lost->job != NULL && !lost->job->sent_before)
        driver_discard(self, lost);
    driver_job_free(self, &lost->job);
    detach(self, lost);
    piw_msg *report = lost_report(lost);
    driver_job_begin(self, lost, &report, NULL, "the slave fell silent");
}

/* The slave is let go; its build goes on by itself. */
static void let_go(driver *self, driver_builder *builder)
{
    driver_builder *ghost = driver_add(self, driver_ghost_peer(self), builder->hello);
    ghost->ghost = true;
    ghost->id = builder->id;
    ghost->removed = builder->removed;
    ghost->again = builder->again;
    ghost->began_ns = builder->began_ns;
    ghost->ends_ns = builder->ends_ns;
    ghost->phase = builder->phase;
    ghost->phase_ns = builder->phase_ns;
    ghost->tries = builder->tries;
    ghost->hold = builder->hold;
    ghost->job = builder->job;
    ghost->job->builder = ghost;
    builder->hold = NULL;
    builder->job = NULL;
    builder->skip = builder->removed = false;
    piw_msg *answer = slave_DONE_new();
    driver_answer(self, builder, NULL, &answer, DRIVER_SAID_DONE);
    if (builder->leaving)
        driver_leave(self, &builder);
}

static piw_msg *seal_call(const driver_builder *builder)
{
    const driver_job *job = builder->job;
    const slave_BUILT *report = slave_BUILT_of(job->report);
    piw_text abi = driver_hello(builder)->abi;
    fs_SEAL *body;
    piw_msg *call = fs_SEAL_new(&body);
    body->build_id = job->build_id;
    body->slave_id = builder->id;
    body->package = piw_msg_text(call, builder->hold->package.s, builder->hold->package.len);
    body->version = piw_msg_text(call, builder->hold->version.s, builder->hold->version.len);
    body->abi_tag = piw_msg_text(call, abi.s, abi.len);
    body->status = report->status;
    body->duration = report->duration;
    piw_msg_list(call, &body->files, job->verified_count);
    for (uint32_t i = 0; i < job->verified_count; i++)
        piw_value_copy(call, built_file_type(), &job->verified[i], &body->files.at[i]);
    return call;
}

void driver_seal_if_late(driver *self, driver_builder *builder, int64_t now_ns)
{
    if (builder->ghost || builder->job == NULL || now_ns - builder->phase_ns < self->seal_after_ns)
        return;
    if (builder->phase == DRIVER_WAIT_ATTEMPT) {
        let_go(self, builder); /* should the master die too, the attempt is void, and that is all */
        return;
    }
    if (builder->phase != DRIVER_WAIT_RECORD || builder->job->sealing)
        return;
    piw_msg *call = seal_call(builder);
    builder->job->sealing = piw_call(self->task, &call, "sealed", (uint64_t)builder->job->build_id, 0) == 0;
    piw_msg_free(&call);
}

int driver_on_sealed(piw_task *task, piw_msg *reply, uint64_t key)
{
    driver *self = piw_soul(task);
    driver_builder *builder = driver_find_build(self, (int64_t)key);
    if (builder == NULL || builder->ghost || builder->phase != DRIVER_WAIT_RECORD)
        return 0; /* recorded meanwhile */
    builder->job->sealing = false;
    if (piw_msg_error(reply) != 0) {
        piw_log_limited(&self->troubles, 12, PIW_LOG_WARNING, "build %lld can't be sealed, its slave waits on: %s",
                        (long long)key, piw_msg_error_text(reply));
        return 0;
    }
    piw_warning(
        "build %lld of %s %s is sealed: the database has been away for %lld s; it is recorded when that is back",
        (long long)key, builder->hold->package.s, builder->hold->version.s,
        (long long)(self->seal_after_ns / 1000000000));
    let_go(self, builder);
    return 0;
}
