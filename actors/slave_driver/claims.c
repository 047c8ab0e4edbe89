/* claims.c — builds that went on while the master was restarted, or the connection made again, and that our own slaves claim.
 *
 * What was under way is known from the database: it is void there, and kept back here until a slave claims it or the
 * time for that is over. What was recorded or ended before is not under way, so nothing is recorded twice. */
#include "slave_driver/claims.h"

#include "slave_driver/build.h"
#include "slave_driver/leave.h"
#include "slave_driver/monitor.h"
#include "slave_driver/slaves.h"
#include "slave_driver/state.h"

enum { CLAIMS_S = 30 };

void driver_claims_open(driver *self)
{
    self->claims_until_ns = piw_monotonic_ns() + CLAIMS_S * INT64_C(1000000000);
}

void driver_claims_list(driver *self, const db_ATTEMPTS_VOID_reply *voided)
{
    self->claims_known = true;
    for (uint32_t i = 0; i < voided->attempts.count; i++) {
        const running_attempt *attempt = &voided->attempts.at[i];
        driver_offers_restore(self->offers, &(driver_hold){.package = attempt->package,
                                                           .version = attempt->version,
                                                           .abi_tag = attempt->abi_tag,
                                                           .kind = DRIVER_EMBARGO_CLAIMABLE,
                                                           .until_ns = self->claims_until_ns,
                                                           .slave_id = attempt->slave_id,
                                                           .address = attempt->address});
    }
}

bool driver_claim_waits(const driver *self, const driver_slave *slave)
{
    return slave->saved.hello.claim != NULL && !self->claims_known && piw_monotonic_ns() < self->claims_until_ns;
}

/* What it still holds by its earlier connection, which has gone, from the same address; else NULL. */
static driver_slave *earlier(const driver *self, const driver_slave *slave, const driver_embargo *embargo)
{
    driver_slave *before = driver_find_id(self, slave->saved.hello.claim->slave_id);
    const driver_build *build = before != NULL ? before->build : NULL;
    bool good = build != NULL && build->embargo == embargo && build->saved.phase == DRIVER_IDLE &&
                build->memory == NULL && !build->saved.skip && !build->saved.removed &&
                before->address == slave->address && piw_peer_gone_ns(self->task, before->peer, NULL) != 0;
    return good ? before : NULL;
}

/* Another slave goes on with the version: what is known of the first one's attempt ends. */
static void take_over(driver *self, driver_slave *before)
{
    driver_build_note(self, before->build);
    piw_msg *end = db_ATTEMPT_END_make(before->saved.slave_id, before->build->embargo->saved.package,
                                       before->build->embargo->saved.version, before->build->embargo->saved.abi_tag,
                                       piw_text_of("its slave came back under another number"));
    if (piw_cast(self->task, &end) != 0)
        piw_msg_free(&end);
    driver_build_free(self, &before->build);
    driver_leave(self, before, (driver_outcome){0}, true);
}

/* The version that the slave may go on with, or NULL. */
static driver_embargo *claimed(driver *self, const driver_slave *slave)
{
    const slave_hello *hello = &slave->saved.hello;
    int64_t elapsed_us = piw_duration_us(hello->claim->elapsed);
    driver_embargo *embargo =
        driver_offers_find(self->offers, slave->queue, hello->claim->package, hello->claim->version);
    if (embargo == NULL || elapsed_us < 0 || elapsed_us > driver_build_timeout_ns(slave) / 1000)
        return NULL;
    driver_slave *before = embargo->saved.kind == DRIVER_EMBARGO_OUT ? earlier(self, slave, embargo) : NULL;
    bool left = embargo->saved.kind == DRIVER_EMBARGO_CLAIMABLE && embargo->saved.slave_id == hello->claim->slave_id &&
                (embargo->saved.address.len == 0 || piw_text_is(embargo->saved.address, slave->address->text)) &&
                piw_monotonic_ns() < self->claims_until_ns;
    if (before != NULL)
        take_over(self, before);
    return before != NULL || left ? embargo : NULL;
}

void driver_claim(driver *self, driver_slave *slave)
{
    const slave_claim *claim = slave->saved.hello.claim;
    if (claim == NULL)
        return;
    driver_embargo *embargo = claimed(self, slave);
    if (embargo == NULL) {
        piw_info("slave %lld, before %lld, can't go on with %s %s: it isn't under way any more",
                 (long long)slave->saved.slave_id, (long long)claim->slave_id, claim->package.s, claim->version.s);
        return;
    }
    piw_info("slave %lld, before %lld, goes on with %s %s", (long long)slave->saved.slave_id,
             (long long)claim->slave_id, embargo->saved.package.s, embargo->saved.version.s);
    embargo->saved.kind = DRIVER_EMBARGO_OUT;
    driver_build *build = driver_build_new(self, slave, slave->saved.slave_id, embargo);
    driver_build_begins(self, build, piw_duration_us(claim->elapsed) * 1000);
    piw_msg *reply = slave_BUILD_make(embargo->saved.package, embargo->saved.version);
    driver_tell_reply(self, slave, reply);
    piw_msg_free(&reply);
    slave->saved.last = DRIVER_SAID_BUILD;
    driver_remember(self, slave);
}

bool driver_claim_lost(const driver_slave *slave)
{
    return slave->saved.hello.claim != NULL && slave->saved.last == DRIVER_SAID_ACK;
}
