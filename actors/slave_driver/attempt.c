/* attempt.c — builds that failed because of their slave: tried again later, and by whom. */
#include "slave_driver/attempt.h"

#include "slave_driver/alike.h"

#include "db.piw.h"
#include "shared/text.h"
#include "web.piw.h"

piw_msg *driver_attempt_call(driver *self, const driver_build *build)
{
    db_ATTEMPT_FAILED *body;
    piw_msg *call = db_ATTEMPT_FAILED_new(&body);
    const driver_embargo *embargo = build->embargo;
    piw_text abi = embargo->saved.abi_tag;
    body->slave_id = build->slave_id;
    body->package = piw_text_copy(call, embargo->saved.package);
    body->version = piw_text_copy(call, embargo->saved.version);
    body->abi_tag = piw_text_copy(call, abi);
    body->cause = piw_text_copy(call, build->report.cause);
    body->output = piw_msg_blob(call, build->report.output);
    int64_t *unit_s = piw_msg_alloc(call, sizeof(*unit_s));
    *unit_s = self->retry_after_ns / 1000000000;
    body->unit_s = unit_s;
    bool *uncounted = piw_msg_alloc(call, sizeof(*uncounted));
    *uncounted = build->uncounted;
    body->uncounted = uncounted;
    return call;
}

/* The last try: from here on it is a failed build like any other. */
static driver_outcome make_final(driver_build *build, int64_t tries)
{
    driver_reported *report = &build->report;
    report->note = piw_msg_printf(build->memory,
                                  "The build failed because of its slave (%s), for the %lldth time: it is not tried "
                                  "again.",
                                  report->cause.s, (long long)tries);
    report->cause = piw_msg_textz(build->memory, "");
    return (driver_outcome){.what = DRIVER_WAIT_STAGE};
}

driver_outcome driver_attempt_failed(driver *self, driver_build *build, const piw_msg *reply)
{
    const db_ATTEMPT_FAILED_reply *body = db_ATTEMPT_FAILED_reply_of(reply);
    if (build->slave != NULL && !build->uncounted)
        driver_fault_note(build->slave, build);
    if (body->final && !build->saved.removed)
        return make_final(build, body->tries);
    piw_text abi = build->embargo->saved.abi_tag;
    piw_info("%s %s for %.*s failed because of slave %lld (%s): try %lld, the next in %lld s",
             build->embargo->saved.package.s, build->embargo->saved.version.s, (int)abi.len, abi.s,
             (long long)build->slave_id, build->report.cause.s, (long long)body->tries, (long long)body->wait_s);
    if (build->saved.removed && !build->saved.again)
        return (driver_outcome){.what = DRIVER_DROPPED};
    /* The project's page says why it isn't there yet, and when it is tried next. */
    piw_msg *page = web_PROJECT_make(build->embargo->saved.package, false);
    if (piw_cast(self->task, &page) != 0)
        piw_msg_free(&page);
    return (driver_outcome){.what = DRIVER_RESTS, .until_ns = piw_monotonic_ns() + body->wait_s * INT64_C(1000000000)};
}
