/* alike.c — who else fails alike.
 *
 * One slave that fails for its own sake is the slave's trouble; a version that fails alike on two slaves, of which the second built
 * others meanwhile, is the package's; and when all slaves of an ABI fail alike, it is neither: a network that is down, a name
 * server. Then nothing is given out for a while, and no try counts. */
#include "slave_driver/alike.h"

#include "slave_driver/offers.h"
#include "slave_driver/slaves.h"

#include <string.h>

static void least(int64_t *to, bool *known, int64_t value)
{
    *to = *known && *to < value ? *to : value;
    *known = true;
}

void driver_figures_see(driver_slave *slave, const slave_stats *stats)
{
    driver_figures *to = &slave->figures;
    if (slave->build == NULL) /* only what it had just before the next build, and during it */
        *to = (driver_figures){0};
    if (stats->disk_size > 0)
        least(&to->disk_free, &to->disk_known, stats->disk_free);
    if (stats->mem_size > 0)
        least(&to->memory_free, &to->memory_known, stats->mem_free + stats->swap_free);
}

static uint64_t hash_of(const driver_build *build)
{
    uint64_t hash = piw_table_hash(0, build->embargo->saved.package.s, build->embargo->saved.package.len);
    return piw_table_hash(hash, build->embargo->saved.version.s, build->embargo->saved.version.len);
}

/* --- one slave ---------------------------------------------------------------------------------------------------- */

/* A slave that can't build at all must not spoil the whole queue; but only others can show that it is the slave. */
static void maybe_sleep(driver_slave *slave)
{
    if (slave->faults_elsewhere < DRIVER_OWN_FAULTS || slave->saved.own_faults < DRIVER_OWN_FAULTS ||
        slave->saved.paused)
        return;
    piw_text label = slave->saved.hello.label;
    slave->saved.paused = true;
    piw_error(
        "slave %lld (%.*s) is put to sleep: its last %lld builds failed for its own sake, the last because %s, and "
        "other slaves have built %d of them; wake it when that is mended",
        (long long)slave->saved.slave_id, (int)label.len, label.s, (long long)slave->saved.own_faults,
        slave->failing != NULL ? slave->failing : "it fell silent", slave->faults_elsewhere);
}

void driver_fault_note(driver_slave *slave, const driver_build *build)
{
    slave->faults[slave->saved.own_faults % DRIVER_FAULTS_KEPT] = hash_of(build);
    slave->saved.own_faults++;
    maybe_sleep(slave);
}

void driver_faults_forget(driver_slave *slave)
{
    memset(slave->faults, 0, sizeof(slave->faults));
    slave->saved.own_faults = slave->faults_elsewhere = 0;
}

/* What failed for other slaves' sake has come to an end of its own with this one. */
static void done_elsewhere(driver *self, const driver_slave *by, uint64_t version)
{
    for (driver_slave *slave = driver_next(self, NULL); slave != NULL; slave = driver_next(self, slave))
        for (int i = 0; slave != by && i < DRIVER_FAULTS_KEPT; i++)
            if (slave->faults[i] == version) {
                slave->faults[i] = 0;
                slave->faults_elsewhere++;
                maybe_sleep(slave);
            }
}

static void worked(driver *self, const driver_build *build)
{
    driver_slave *slave = build->slave;
    slave->worked_ns = build->saved.began_ns;
    slave->failing = NULL;
    slave->failing_many = false;
    driver_faults_forget(slave);
    done_elsewhere(self, slave, hash_of(build));
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

/* Do all slaves that could have built this fail for the same reason, and at more than one package? */
static int all_fail(const driver *self, const driver_slave *slave, const char *why)
{
    int slaves = 0;
    bool many = false;
    for (const driver_slave *other = driver_next(self, NULL); other != NULL; other = driver_next(self, other)) {
        if (other->saved.killed || other->saved.paused || other->saved.leaving ||
            !piw_text_eq(other->queue, slave->queue))
            continue;
        if (other->failing != why)
            return 0;
        many = many || other->failing_many || other->failing_at != slave->failing_at;
        slaves++;
    }
    return many ? slaves : 0;
}

static void note_failing(driver_slave *slave, const driver_build *build, const char *why)
{
    uint64_t at = hash_of(build);
    slave->failing_many = slave->failing == why && (slave->failing_many || slave->failing_at != at);
    slave->failing = why;
    slave->failing_at = at;
}

/* The farm, as far as this ABI goes, rests: what is given out now would only fail like the rest. */
static void rest(driver *self, const driver_build *build, const char *why, int slaves)
{
    piw_text abi = build->embargo->saved.abi_tag;
    int64_t rest_ns = self->retry_after_ns;
    driver_offers_pause(self->offers, abi, piw_monotonic_ns() + rest_ns);
    piw_log_limited(
        &self->alike, 6, PIW_LOG_ERROR,
        "all %d slaves for %.*s fail alike (%s): nothing is given out for %lld s, and no such failure is final; "
        "look after the network and the name servers",
        slaves, (int)abi.len, abi.s, why, (long long)(rest_ns / 1000000000));
}

/* --- a build ------------------------------------------------------------------------------------------------------ */

/* It failed like this before, elsewhere if there is another slave, and this one has begun and built something else since. */
static bool is_packages_own(const driver *self, const driver_build *build, driver_cause cause)
{
    const driver_embargo *embargo = build->embargo;
    const driver_slave *slave = build->slave;
    return cause.log_only && embargo->failing == cause.why && slave->worked_ns > embargo->failing_since_ns &&
           (embargo->saved.slave_id != build->slave_id || !driver_has_others(self, slave));
}

void driver_judge(driver *self, driver_build *build, driver_cause cause)
{
    driver_embargo *embargo = build->embargo;
    driver_slave *slave = build->slave;
    if (cause.why == NULL) {
        worked(self, build);
        return;
    }
    if (is_packages_own(self, build, cause)) {
        build->report.note = piw_msg_printf(
            build->memory,
            "This looks as if it was its slave's fault (%s), but it failed alike on slave %lld, and this one "
            "has built something else since: it isn't tried again.",
            cause.why, (long long)embargo->saved.slave_id);
        return;
    }
    note_failing(slave, build, cause.why);
    if (embargo->failing != cause.why) {
        embargo->failing = cause.why;
        embargo->failing_since_ns = piw_monotonic_ns();
    }
    build->report.cause = piw_msg_textz(build->memory, cause.why);
    int slaves = all_fail(self, slave, cause.why);
    build->uncounted = slaves > 0;
    if (slaves > 0)
        rest(self, build, cause.why, slaves);
}
