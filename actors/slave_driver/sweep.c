/* sweep.c — what time brings: silent slaves are forgotten, skipped versions are free again. */
#include "slave_driver/sweep.h"

#include "slave_driver/abis.h"
#include "slave_driver/addresses.h"
#include "slave_driver/conversation.h"
#include "slave_driver/leave.h"
#include "slave_driver/lost.h"
#include "slave_driver/monitor.h"
#include "slave_driver/seals.h"
#include "slave_driver/slaves.h"
#include "slave_driver/way.h"

#include <malloc.h>

/* Why a slave is given up: the cause of its attempt, and what stands in its log. */
typedef struct loss {
    const char *cause, *text;
} loss;

static const loss silent = {"the slave fell silent", "The slave fell silent while it built this.\n"};
static const loss endless = {"its files did not come in time",
                             "The slave's files did not come within its build timeout.\n"};

static piw_msg *lost_report(const driver_build *build, int64_t heard_ns, const char *text)
{
    slave_BUILT *body;
    piw_msg *report = slave_BUILT_new(&body);
    body->duration = piw_duration_from_us((heard_ns - build->saved.began_ns) / 1000);
    piw_blob *output = piw_blob_new(text, strlen(text));
    body->output = piw_msg_blob(report, output);
    piw_blob_unref(&output);
    return report;
}

/* The slave is lost: monitors are told, its peer is forgotten, and its attempt ends as one that failed because of
 * it. */
static void lose(driver *self, driver_slave *lost, const loss *why)
{
    driver_build *build = lost->build;
    int64_t heard_ns = lost->saved.heard_ns;
    driver_lost_tell(self, lost);
    if (lost->saved.slave_id != 0)
        driver_tell_gone(self, lost, true);
    piw_peer_forget(self->task, lost->peer);
    if (build != NULL)
        driver_build_part(build);
    driver_remove(self, &lost);
    if (build == NULL)
        return;
    if (build->saved.skip || build->saved.removed) {
        int what = build->saved.removed && !build->saved.again ? DRIVER_DROPPED
                   : build->saved.skip                         ? DRIVER_SKIPPED
                                                               : DRIVER_RETURNED;
        driver_build_end(self, &build, (driver_outcome){.what = what, .why = why->cause});
        return;
    }
    driver_build_unreport(self, build);
    piw_msg *report = lost_report(build, heard_ns, why->text);
    driver_build_report(build, &report, NULL, why->cause);
    driver_way_begin(self, build);
}

/* Its connection has gone while it built. That counts as no failure: the version is offered to the next slave. */
static void release(driver *self, driver_slave *slave)
{
    const driver_build *build = slave->build;
    driver_outcome outcome = {.what = DRIVER_RETURNED, .why = "its connection has gone"};
    if (build->saved.removed)
        outcome.what = build->saved.again ? DRIVER_RETURNED : DRIVER_DROPPED;
    else if (build->saved.skip)
        outcome.what = DRIVER_SKIPPED;
    piw_log_limited(&self->lost, 30, PIW_LOG_WARNING,
                    "the connection of slave %lld at %s has gone while it built %s %s, which is offered again",
                    (long long)slave->saved.slave_id, slave->address->text, build->embargo->saved.package.s,
                    build->embargo->saved.version.s);
    driver_lost_tell(self, slave);
    driver_address_left(slave);
    driver_leave(self, slave, outcome, true);
}

/* Is its connection there? A record without a build ends with it, one with a build after a while: our own slaves come back
 * and claim theirs. What is being recorded comes to its end first. True: the slave is forgotten. */
static bool look_at_connection(driver *self, driver_slave *slave, int64_t now_ns)
{
    bool sure;
    int64_t gone_ns = piw_peer_gone_ns(self->task, slave->peer, &sure);
    if (gone_ns != slave->gone_ns)
        driver_address_gone(slave, gone_ns);
    if (gone_ns == 0)
        return false;
    if (slave->build == NULL) {
        if (!sure && now_ns - gone_ns < DRIVER_SUSPECT_S * INT64_C(1000000000))
            return false;
        piw_debug("slave %lld at %s has hung up", (long long)slave->saved.slave_id, slave->address->text);
        driver_lost_maybe(self, slave);
        driver_leave(self, slave, (driver_outcome){0}, true);
        return true;
    }
    if (slave->build->saved.phase != DRIVER_IDLE || now_ns - gone_ns < self->gone_after_ns)
        return false;
    release(self, slave);
    return true;
}

int on_peer_gone(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    driver *self = piw_soul(task);
    driver_slave *slave = driver_find_peer(self, key);
    if (slave != NULL)
        look_at_connection(self, slave, piw_monotonic_ns());
    return 0;
}

/* It is asked for its files, and its time for them is over: a slave that says that it is busy, and sends a piece now and then, is
 * never silent. */
static bool is_endless(const driver_build *build, int64_t now_ns)
{
    return build != NULL && build->memory != NULL && build->saved.phase == DRIVER_IDLE && now_ns > build->saved.ends_ns;
}

static void sweep_slave(driver *self, driver_slave *slave, int64_t now_ns)
{
    if (look_at_connection(self, slave, now_ns))
        return;
    driver_build *build = slave->build;
    /* A slave that waits for our answer is not silent. */
    if (!driver_waits(slave) && now_ns - slave->saved.heard_ns > driver_busy_timeout_ns(self, slave)) {
        piw_text label = slave->saved.hello.label;
        piw_warning("slave %lld (%.*s) has been silent for longer than its busy timeout%s; forgetting it",
                    (long long)slave->saved.slave_id, (int)label.len, label.s,
                    build != NULL ? " and its build is lost" : "");
        lose(self, slave, &silent);
    } else if (is_endless(build, now_ns)) {
        piw_text label = slave->saved.hello.label;
        piw_warning("slave %lld (%.*s) has been sending its files for longer than its build timeout; forgetting it",
                    (long long)slave->saved.slave_id, (int)label.len, label.s);
        lose(self, slave, &endless);
    } else if (build != NULL && build->memory != NULL && now_ns - build->saved.phase_ns >= self->seal_after_ns) {
        driver_heed(self, build, driver_way_late(self, build));
    }
}

/* When a crowd has left, and nobody more leaves now, what was theirs, here and with ZeroMQ, returns to the system. */
static void give_back(driver *self)
{
    if (self->left >= DRIVER_TRIM_AFTER && self->left == self->left_before) {
        malloc_trim(0);
        self->left = 0;
    }
    self->left_before = self->left;
}

/* Did the master stand still since the last sweep (SIGSTOP, a machine that slept)? What slaves said meanwhile isn't read yet:
 * none of them was silent for that time. */
static void forgive_pause(driver *self, int64_t now_ns)
{
    int64_t late_ns = now_ns - self->swept_ns - DRIVER_SWEEP_MS * INT64_C(1000000);
    self->swept_ns = now_ns;
    if (late_ns < DRIVER_PAUSE_S * INT64_C(1000000000))
        return;
    piw_warning("the master stood still for %lld s: no slave is blamed for that time",
                (long long)(late_ns / 1000000000));
    for (driver_slave *slave = driver_next(self, NULL); slave != NULL; slave = driver_next(self, slave))
        slave->saved.heard_ns += late_ns;
}

int on_sweep(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    driver *self = piw_soul(task);
    int64_t now_ns = piw_monotonic_ns();
    forgive_pause(self, now_ns);
    driver_slave *slave = driver_next(self, NULL);
    while (slave != NULL) {
        driver_slave *next = driver_next(self, slave);
        sweep_slave(self, slave, now_ns);
        slave = next;
    }
    driver_addresses_sweep(self);
    driver_lost_sweep(self, now_ns);
    driver_offers_sweep(self->offers, now_ns);
    driver_seals_sweep(self, now_ns);
    driver_serve_idle(self);
    give_back(self);
    driver_tell_pending(self);
    driver_tell_abis(self, now_ns);
    return 0;
}
