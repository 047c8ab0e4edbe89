/* attempt.c — builds that failed for their slave's sake: tried again later, and by whom. */
#include "slave_driver/attempt.h"

#include "db.piw.h"
#include "shared/text.h"

piw_msg *driver_attempt_call(driver *self, const driver_build *build)
{
    (void)self;
    db_ATTEMPT_FAILED *body;
    piw_msg *call = db_ATTEMPT_FAILED_new(&body);
    const driver_embargo *embargo = build->embargo;
    piw_text abi = driver_offers_embargo_abi(embargo);
    body->slave_id = build->slave_id;
    body->package = piw_text_copy(call, embargo->package);
    body->version = piw_text_copy(call, embargo->version);
    body->abi_tag = piw_text_copy(call, abi);
    body->cause = piw_text_copy(call, build->report.cause);
    body->output = piw_msg_blob(call, build->report.output);
    return call;
}

/* A slave that can't build at all must not fail one version of the build queue after the other. */
static void count_fault(const driver_build *build)
{
    driver_slave *slave = build->slave;
    if (slave == NULL || ++slave->saved.own_faults < DRIVER_OWN_FAULTS || slave->saved.paused)
        return;
    piw_text label = slave->saved.hello.label;
    slave->saved.paused = true;
    piw_error(
        "slave %lld (%.*s) is put to sleep: its last %d builds failed for its own sake, the last because %s; wake it "
        "when that is mended",
        (long long)build->slave_id, (int)label.len, label.s, DRIVER_OWN_FAULTS, build->report.cause.s);
}

/* The last try: from here on it is a failed build like any other. */
static driver_outcome make_final(driver_build *build, int64_t tries)
{
    driver_reported *report = &build->report;
    report->note = piw_msg_printf(build->memory,
                                  "The build failed for its slave's sake (%s), for the %lldth time: it is not tried "
                                  "again.",
                                  report->cause.s, (long long)tries);
    report->cause = piw_msg_textz(build->memory, "");
    return (driver_outcome){.what = DRIVER_WAIT_STAGE};
}

driver_outcome driver_attempt_failed(driver *self, driver_build *build, const piw_msg *reply)
{
    (void)self;
    const db_ATTEMPT_FAILED_reply *body = db_ATTEMPT_FAILED_reply_of(reply);
    count_fault(build);
    if (body->final && !build->removed)
        return make_final(build, body->tries);
    piw_text abi = driver_offers_embargo_abi(build->embargo);
    piw_info("%s %s for %.*s failed by slave %lld for its own sake (%s): try %lld, the next in %lld s",
             build->embargo->package.s, build->embargo->version.s, (int)abi.len, abi.s, (long long)build->slave_id,
             build->report.cause.s, (long long)body->tries, (long long)body->wait_s);
    if (build->removed && !build->again)
        return (driver_outcome){.what = DRIVER_DROPPED};
    return (driver_outcome){.what = DRIVER_RESTS, .until_ns = piw_monotonic_ns() + body->wait_s * INT64_C(1000000000)};
}
