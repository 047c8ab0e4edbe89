/* attempt.c — builds that failed for their builder's sake: tried again later, and by whom
 * (docs/reliability.md#a-build-fails-for-its-builders-sake). */
#include "slave_driver/driver.h"

#include "slaves.piw.h"

#include <stdio.h>
#include <stdlib.h>

piw_msg *driver_attempt_call(const driver_builder *builder)
{
    db_ATTEMPT_FAILED *body;
    piw_msg *call = db_ATTEMPT_FAILED_new(&body);
    const driver_hold_ref *hold = builder->hold;
    piw_text abi = driver_hello(builder)->abi;
    body->slave_id = builder->id;
    body->package = piw_msg_text(call, hold->package.s, hold->package.len);
    body->version = piw_msg_text(call, hold->version.s, hold->version.len);
    body->abi_tag = piw_msg_text(call, abi.s, abi.len);
    body->cause = piw_msg_textz(call, builder->job->cause);
    body->output = piw_msg_blob(call, slave_BUILT_of(builder->job->report)->output);
    return call;
}

/* A slave that can't build at all must not spoil the whole queue. */
static void count_fault(driver_builder *builder)
{
    if (builder->ghost || ++builder->own_faults < DRIVER_OWN_FAULTS || builder->paused)
        return;
    piw_text label = driver_hello(builder)->label;
    builder->paused = true;
    piw_error(
        "slave %lld (%.*s) is put to sleep: its last %d builds failed for its own sake, the last because %s; wake it "
        "when that is mended",
        (long long)builder->id, (int)label.len, label.s, DRIVER_OWN_FAULTS, builder->job->cause);
}

/* The last try: from here on it is a failed build like any other. */
static void make_final(driver *self, driver_builder *builder, int64_t tries)
{
    driver_job *job = builder->job;
    free(job->note);
    job->note = piw_sprintf("The build failed for its builder's sake (%s), for the %lldth time: it is not tried again.",
                            job->cause, (long long)tries);
    free(job->cause);
    job->cause = NULL;
    driver_job_go(self, builder, DRIVER_WAIT_STAGE);
}

int driver_on_attempt_failed(piw_task *task, piw_msg *reply, uint64_t key)
{
    driver *self = piw_soul(task);
    driver_builder *builder = driver_job_answered(self, reply, key, DRIVER_WAIT_ATTEMPT);
    if (builder == NULL)
        return 0;
    const db_ATTEMPT_FAILED_reply *body = db_ATTEMPT_FAILED_reply_of(reply);
    count_fault(builder);
    if (body->final && !builder->removed) {
        make_final(self, builder, body->tries);
        return 0;
    }
    piw_info("%s %s for %.*s failed by slave %lld for its own sake (%s): try %lld, the next in %lld s",
             builder->hold->package.s, builder->hold->version.s, (int)driver_hello(builder)->abi.len,
             driver_hello(builder)->abi.s, (long long)builder->id, builder->job->cause, (long long)body->tries,
             (long long)body->wait_s);
    if (builder->removed && !builder->again) {
        driver_builds_drop(self->builds, &builder->hold);
    } else {
        builder->hold->slave_id = builder->id;
        driver_builds_end(self->builds, &builder->hold, DRIVER_HOLD_RESTING,
                          piw_monotonic_ns() + body->wait_s * INT64_C(1000000000));
    }
    driver_job_finish(self, builder);
    return 0;
}

int driver_on_retry(piw_task *task, piw_msg *msg)
{
    const driver *self = piw_soul(task);
    const slaves_RETRY *body = slaves_RETRY_of(msg);
    driver_builds_retry(self->builds, body->package, body->version, piw_monotonic_ns());
    return 0;
}
