/* claims.c — builds that went on while the master was restarted, and that our own slaves claim (docs/wire.md#slaves).
 *
 * What was under way is known from the database: it is void there, and kept back here until a slave claims it or the
 * time for that is over. What was recorded or ended before is not under way, so nothing is recorded twice. */
#include "slave_driver/driver.h"

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
        driver_hold_ref *hold = driver_builds_restore(self->builds, attempt->abi_tag, attempt->package,
                                                      attempt->version, DRIVER_HOLD_CLAIMABLE, self->claims_until_ns);
        if (hold != NULL)
            hold->slave_id = attempt->slave_id;
    }
}

bool driver_claim_waits(const driver *self, const driver_builder *builder)
{
    return driver_hello(builder)->claim != NULL && !self->claims_known && piw_monotonic_ns() < self->claims_until_ns;
}

/* The version that the slave may go on with, or NULL. */
static driver_hold_ref *claimed(driver *self, const driver_builder *builder)
{
    const slave_hello *hello = driver_hello(builder);
    int64_t elapsed_us = piw_duration_us(hello->claim->elapsed);
    driver_hold_ref *hold = driver_builds_find(self->builds, hello->abi, hello->claim->package, hello->claim->version);
    bool good = hold != NULL && hold->kind == DRIVER_HOLD_CLAIMABLE && hold->slave_id == hello->claim->slave_id &&
                piw_monotonic_ns() < self->claims_until_ns && elapsed_us >= 0 &&
                elapsed_us <= driver_build_timeout_ns(builder) / 1000;
    return good ? hold : NULL;
}

void driver_claim(driver *self, driver_builder *builder)
{
    const slave_claim *claim = driver_hello(builder)->claim;
    if (claim == NULL)
        return;
    driver_hold_ref *hold = claimed(self, builder);
    if (hold == NULL) {
        piw_info("slave %lld, before %lld, can't go on with %s %s: it isn't under way any more", (long long)builder->id,
                 (long long)claim->slave_id, claim->package.s, claim->version.s);
        return;
    }
    piw_info("slave %lld, before %lld, goes on with %s %s", (long long)builder->id, (long long)claim->slave_id,
             hold->package.s, hold->version.s);
    hold->kind = DRIVER_HOLD_OUT;
    builder->hold = hold;
    driver_build_begins(self, builder, piw_duration_us(claim->elapsed) * 1000);
    piw_msg *order = slave_BUILD_make(hold->package, hold->version);
    driver_tell_reply(self, builder, order);
    piw_msg_free(&order);
    builder->last = DRIVER_SAID_BUILD;
    driver_remember(self, builder);
}

bool driver_claim_lost(const driver_builder *builder)
{
    return driver_hello(builder)->claim != NULL && builder->last == DRIVER_SAID_ACK;
}
