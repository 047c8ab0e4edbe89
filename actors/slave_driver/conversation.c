/* conversation.c — what slaves say, and the only place that answers them: a table of what may be said after what. Each
 * handler decides first and then changes; none returns an error but for a fault point, so a slave always gets the answer
 * that its state gives. */
#include "slave_driver/conversation.h"

#include "heads.piw.h"
#include "piw/fault.h"
#include "slave_driver/abis.h"
#include "slave_driver/addresses.h"
#include "slave_driver/alike.h"
#include "slave_driver/claims.h"
#include "slave_driver/large_logs.h"
#include "slave_driver/leave.h"
#include "slave_driver/lost.h"
#include "slave_driver/monitor.h"
#include "slave_driver/numbers.h"
#include "slave_driver/seals.h"
#include "slave_driver/slaves.h"
#include "slave_driver/state.h"
#include "slave_driver/waiting.h"
#include "slave_driver/way.h"

#include <stdio.h>

static driver_slave *known(driver *self, piw_task *task, piw_msg *msg)
{
    driver_slave *slave = driver_find_peer(self, piw_msg_peer(msg));
    const char *word = piw_msg_type_of(msg)->name;
    if (slave == NULL) {
        const char *address = piw_peer_address(task, piw_msg_peer(msg));
        piw_log_limited(&self->strangers, 30, PIW_LOG_WARNING,
                        "a slave at %s says %s without having said HELLO: no answer (it was forgotten, or knows an "
                        "earlier master)",
                        address != NULL ? address : "an unknown address", word);
        if (piw_msg_type_of(msg)->flags & PIW_M_NOREPLY)
            return NULL;
        if (piw_drop(task, msg, "no HELLO before it") != 0)
            piw_debug("could not drop %s of an unknown slave", word);
        return NULL;
    }
    if (driver_waits(slave) && !(piw_msg_type_of(msg)->flags & PIW_M_NOREPLY)) {
        /* Its earlier request is still open; the port lets only one in, unless that one's answer was lost. */
        if (piw_drop(task, msg, "an earlier request is not answered yet") != 0)
            piw_debug("could not drop %s of slave %lld", word, (long long)slave->saved.slave_id);
        return NULL;
    }
    slave->saved.last_seen = piw_time_now();
    slave->saved.heard_ns = piw_monotonic_ns();
    if (slave->gone_ns != 0) /* another was taken for it, or it is back */
        driver_address_gone(slave, piw_peer_gone_ns(task, slave->peer, NULL));
    return slave;
}

/* Answer the slave: `request`, or the deferred one when it is NULL. Takes the answer; what was said is remembered. */
static void answer_slave(driver *self, driver_slave *slave, piw_msg *request, piw_msg **answer, int said)
{
    if (said != DRIVER_SAID_NOTHING) {
        driver_tell_reply(self, slave, *answer);
        slave->saved.last = said;
    }
    int failed;
    driver_waiting_remove(self, slave);
    if (request != NULL) {
        failed = piw_reply(self->task, request, answer);
    } else {
        failed = piw_answer(self->task, slave->saved.request, answer);
        slave->saved.request = (piw_token){0};
    }
    if (failed != 0) {
        piw_debug("slave %lld can't be answered: %s", (long long)slave->saved.slave_id, piw_err_name(failed));
        piw_msg_free(answer);
    }
    slave->waits_number = false;
    slave->unsure = false;
    slave->saved.heard_ns = piw_monotonic_ns(); /* its silence begins with our answer, which may have taken long */
    if (said != DRIVER_SAID_NOTHING)
        driver_remember(self, slave);
}

/* End the slave's build, if it has one, without recording anything. */
static void end_build(driver *self, driver_slave *slave, int what, const char *why)
{
    if (slave->build != NULL)
        driver_build_end(self, &slave->build, (driver_outcome){.what = what, .why = why});
}

static int say_die(driver *self, driver_slave *slave, piw_msg *msg, const char *why)
{
    if (why != NULL)
        piw_log_limited(&self->odd, 30, PIW_LOG_WARNING, "slave %lld: %s; told to DIE",
                        (long long)slave->saved.slave_id, why);
    if (why != NULL)
        driver_address_left(slave);
    end_build(self, slave, DRIVER_RETURNED, why != NULL ? why : "the slave was stopped");
    piw_msg *answer = slave_DIE_new();
    answer_slave(self, slave, msg, &answer, DRIVER_SAID_DIE);
    return 0;
}

/* The build is thrown away: the slave may go on with something else. */
static int say_thrown_away(driver *self, driver_slave *slave, piw_msg *msg, int what, const char *why)
{
    end_build(self, slave, what, why);
    piw_msg *answer = slave_DONE_new();
    answer_slave(self, slave, msg, &answer, DRIVER_SAID_DONE);
    return 0;
}

static int say_removed(driver *self, driver_slave *slave, piw_msg *msg)
{
    return say_thrown_away(self, slave, msg, slave->build->saved.again ? DRIVER_RETURNED : DRIVER_DROPPED, "removed");
}

static int out_of_order(driver *self, driver_slave *slave, piw_msg *msg)
{
    char why[64];
    snprintf(why, sizeof(why), "%s out of order", piw_msg_type_of(msg)->name);
    return say_die(self, slave, msg, why);
}

/* It said BYE: monitors are told DIE, the peer is forgotten. */
static void leave(driver *self, driver_slave *slave)
{
    if (!slave->saved.killed)
        driver_address_left(slave);
    driver_leave(self, slave, (driver_outcome){.what = DRIVER_RETURNED, .why = "the slave left"}, false);
}

/* --- HELLO -------------------------------------------------------------------------------------------------------- */

/* May a slave of this version work for us? */
static bool version_fits(const driver *self, const slave_hello *hello, const char *address)
{
    if (hello->version.s == NULL && !self->require_version)
        return true;
    if (hello->version.s != NULL && piw_text_is(hello->version, PIW_VERSION))
        return true;
    piw_warning("slave %.*s at %s has version %.*s, this master has " PIW_VERSION
                ": told to DIE; install the same version on both",
                (int)hello->label.len, hello->label.s, address, hello->version.s != NULL ? (int)hello->version.len : 7,
                hello->version.s != NULL ? hello->version.s : "unknown");
    return false;
}

static void say_ack(driver *self, driver_slave *slave, piw_msg *msg)
{
    driver_tell_hello(self, slave);
    driver_give_token(slave);
    driver_tell_came(self, slave);
    piw_msg *answer = slave_ACK_make(slave->saved.slave_id, self->pypi_url, slave->saved.token);
    answer_slave(self, slave, msg, &answer, DRIVER_SAID_ACK);
}

static void log_welcome(driver *self, driver_slave *slave)
{
    const slave_hello *hello = &slave->saved.hello;
    const char *address = piw_peer_address(self->task, slave->peer);
    piw_info("slave %lld: %.*s at %s builds for %.*s on %.*s", (long long)slave->saved.slave_id, (int)hello->label.len,
             hello->label.s, address != NULL ? address : "an unknown address", (int)hello->abi.len, hello->abi.s,
             (int)hello->platform.len, hello->platform.s);
    driver_check_abi(self, slave);
}

/* Give the slave its number, from the database or from the clock, and answer its HELLO: `msg`, or NULL when that has
 * waited for the number. */
static void welcome(driver *self, driver_slave *slave, piw_msg *msg, int64_t id)
{
    driver_set_id(self, slave, id);
    log_welcome(self, slave);
    say_ack(self, slave, msg);
    driver_claim(self, slave);
}

static int hello_again(driver *self, driver_slave *slave, piw_msg *msg)
{
    driver_address_left(slave);
    end_build(self, slave, DRIVER_RETURNED, "the slave said HELLO again");
    driver_set_hello(self, slave, slave_HELLO_of(msg));
    driver_check_abi(self, slave);
    say_ack(self, slave, msg);
    return 0;
}

static int hello_new(driver *self, piw_msg *msg)
{
    int64_t id;
    driver_slave *slave = driver_add(self, piw_msg_peer(msg), slave_HELLO_of(msg));
    if (!driver_claim_waits(self, slave) && driver_number_take(self, DRIVER_POOL_SLAVE, &id)) {
        welcome(self, slave, msg, id);
        return 0;
    }
    if (piw_defer(self->task, msg, &slave->saved.request) != 0) {
        driver_remove(self, &slave);
        return PIW_ELIMIT;
    }
    slave->waits_number = true;
    return piw_timer(self->task, PIW_ON(patience), slave->peer, DRIVER_HELLO_PATIENCE_MS, 0);
}

/* --- IDLE and BUSY ------------------------------------------------------------------------------------------------ */

/* A slave that asks again and again while there is no work must be cheap: its record is not written anew. */
static void say_sleep(driver *self, driver_slave *slave, piw_msg *msg, bool paused)
{
    piw_msg *answer = slave_SLEEP_make(paused);
    bool again = slave->saved.last == DRIVER_SAID_SLEEP && slave->saved.said_paused == paused;
    slave->saved.said_paused = paused;
    if (again && slave->shown_ns == slave->saved.heard_ns)
        driver_tell_reply(self, slave, answer);
    answer_slave(self, slave, msg, &answer, again ? DRIVER_SAID_NOTHING : DRIVER_SAID_SLEEP);
}

static void say_build(driver *self, driver_slave *slave, piw_msg *msg, driver_embargo *embargo)
{
    driver_build *build = driver_build_new(self, slave, slave->saved.slave_id, embargo);
    driver_build_begins(self, build, 0);
    piw_msg *answer = slave_BUILD_make(embargo->saved.package, embargo->saved.version);
    answer_slave(self, slave, msg, &answer, DRIVER_SAID_BUILD);
}

static driver_embargo *next_build(driver *self, const driver_slave *slave)
{
    bool others = driver_offers_rest(self->offers, slave->queue) && driver_has_others(self, slave);
    return driver_offers_take(self->offers, slave->queue, slave->saved.slave_id, others);
}

/* The window of its queue is to have something for every slave. */
static void ask_window(driver *self, piw_text abi)
{
    int64_t count = driver_offers_lack(self->offers, abi, DRIVER_SPARE + (int64_t)self->by_peer.count);
    piw_msg *wanted = count > 0 ? heads_WANTED_make(abi, count, true) : NULL;
    if (wanted != NULL && piw_cast(self->task, &wanted) != 0)
        piw_msg_free(&wanted); /* its own time brings the next window, too */
}

static bool is_paused(const driver *self, const driver_slave *slave)
{
    return self->farm.farm_paused || slave->saved.paused;
}

/* What it may build now; NULL: nothing. What is built while the database is away would only wait with the rest; and without
 * a number for it a build could not be recorded. */
static driver_embargo *work_for(driver *self, const driver_slave *slave)
{
    if (is_paused(self, slave) || self->farm.database_away || driver_seals_open(self) || driver_address_full(slave) ||
        driver_offers_paused(self->offers, slave->queue, piw_monotonic_ns()))
        return NULL;
    if (!driver_number_there(self, DRIVER_POOL_BUILD)) {
        driver_numbers_ask(self, DRIVER_POOL_BUILD);
        return NULL;
    }
    driver_embargo *embargo = next_build(self, slave);
    ask_window(self, slave->queue);
    return embargo;
}

/* A window of its queue is on its way: the first one, until which nobody knows whether there is work, or a larger one. */
static bool window_comes(const driver *self, const driver_slave *slave)
{
    return driver_builds_for(self, slave->queue) &&
           (!driver_offers_shown(self->offers, slave->queue) || driver_offers_more(self->offers, slave->queue));
}

/* How long its IDLE may wait: as it asked; and for what is on its way to us. */
static int64_t patience_ns(const driver *self, const driver_slave *slave, const piw_msg *msg)
{
    const int64_t *asked = slave_IDLE_of(msg)->wait;
    int64_t wait_s = asked == NULL || *asked < 0 ? 0 : *asked < DRIVER_WAIT_MAX_S ? *asked : DRIVER_WAIT_MAX_S;
    int64_t wait_ms = wait_s * 1000;
    bool coming =
        !self->farm.database_away && !driver_address_full(slave) &&
        (driver_seals_open(self) || window_comes(self, slave) || !driver_number_there(self, DRIVER_POOL_BUILD));
    if (coming && wait_ms < DRIVER_COMING_MS)
        wait_ms = DRIVER_COMING_MS;
    return is_paused(self, slave) ? 0 : wait_ms * 1000000;
}

static int idle_at_rest(driver *self, driver_slave *slave, piw_msg *msg)
{
    driver_embargo *embargo = work_for(self, slave);
    int64_t wait_ns = embargo != NULL ? 0 : patience_ns(self, slave, msg);
    if (embargo != NULL)
        say_build(self, slave, msg, embargo);
    else if (wait_ns > 0 && piw_defer(self->task, msg, &slave->saved.request) == 0)
        driver_waiting_add(self, slave, slave->saved.heard_ns + wait_ns);
    else
        say_sleep(self, slave, msg, is_paused(self, slave));
    return 0;
}

void driver_serve_idle(driver *self)
{
    int64_t now_ns = self->waiting != NULL ? piw_monotonic_ns() : 0;
    for (driver_slave *slave = self->waiting, *next; slave != NULL; slave = next) {
        next = slave->waits_next;
        driver_embargo *embargo = slave->saved.killed ? NULL : work_for(self, slave);
        if (slave->saved.killed)
            say_die(self, slave, NULL, NULL);
        else if (embargo != NULL)
            say_build(self, slave, NULL, embargo);
        else if (is_paused(self, slave) || now_ns >= slave->waits_until_ns)
            say_sleep(self, slave, NULL, is_paused(self, slave));
    }
}

static int idle_at_work(driver *self, driver_slave *slave, piw_msg *msg)
{
    if (!slave->unsure || slave->build == NULL)
        return out_of_order(self, slave, msg);
    end_build(self, slave, DRIVER_RETURNED, "the task that talks to slaves was restarted");
    return idle_at_rest(self, slave, msg);
}

static int say_cont(driver *self, driver_slave *slave, piw_msg *msg)
{
    piw_msg *answer = slave_CONT_new();
    answer_slave(self, slave, msg, &answer, DRIVER_SAID_NOTHING);
    return 0;
}

/* A build that ran past the slave's own limit is recorded as failed; the slave hears DONE when that is done. */
static int run_out(driver *self, driver_slave *slave, piw_msg *msg)
{
    char limit[64], note[256];
    int64_t limit_s = driver_build_timeout_ns(slave) / 1000000000;
    snprintf(limit, sizeof(limit), "%lld h %02lld min %02lld s", (long long)limit_s / 3600,
             (long long)limit_s / 60 % 60, (long long)limit_s % 60);
    snprintf(note, sizeof(note), "The build ran past the slave's build timeout of %s and was stopped.", limit);
    if (piw_defer(self->task, msg, &slave->saved.request) != 0)
        return PIW_ELIMIT;
    slave_BUILT *body;
    piw_msg *report = slave_BUILT_new(&body);
    body->duration = piw_duration_from_us((slave->saved.heard_ns - slave->build->saved.began_ns) / 1000);
    driver_build_report(slave->build, &report, note, NULL);
    driver_way_begin(self, slave->build);
    return 0;
}

static int busy_building(driver *self, driver_slave *slave, piw_msg *msg)
{
    driver_build *build = slave->build;
    if (build == NULL)
        return say_cont(self, slave, msg);
    if (build->saved.skip)
        return say_thrown_away(self, slave, msg, DRIVER_SKIPPED, "skipped");
    if (build->saved.removed)
        return say_removed(self, slave, msg);
    if (build->memory == NULL)
        return slave->saved.heard_ns > build->saved.ends_ns ? run_out(self, slave, msg) : say_cont(self, slave, msg);
    /* Its time was over before this task was restarted, but the failure was not recorded yet, and the slave was told
     * to go on. */
    if (piw_defer(self->task, msg, &slave->saved.request) != 0)
        return PIW_ELIMIT;
    driver_way_resume(self, build);
    return 0;
}

/* What is reported is no longer being built: its files have their own time (sweep.c). */
static int busy_sending(driver *self, driver_slave *slave, piw_msg *msg)
{
    bool gone = slave->build != NULL && slave->build->saved.removed;
    return gone ? say_removed(self, slave, msg) : say_cont(self, slave, msg);
}

static int busy_acked(driver *self, driver_slave *slave, piw_msg *msg)
{
    if (driver_claim_lost(slave))
        return say_thrown_away(self, slave, msg, DRIVER_RETURNED, "it claimed a build that is no longer under way");
    return say_cont(self, slave, msg);
}

/* --- BUILT, SENT, BYE --------------------------------------------------------------------------------------------- */

/* After the first failure the queue gives the message once more. After the second the slave is let go, and the
 * version is offered to the next slave. */
static int cannot_take(driver *self, driver_slave *slave, piw_msg *msg)
{
    if (!piw_again(msg))
        return PIW_ELIMIT;
    return say_thrown_away(self, slave, msg, DRIVER_RETURNED, "the report could not be taken in");
}

static int built_acked(driver *self, driver_slave *slave, piw_msg *msg)
{
    if (driver_claim_lost(slave))
        return say_thrown_away(self, slave, msg, DRIVER_RETURNED, "it claimed a build that is no longer under way");
    return out_of_order(self, slave, msg);
}

static int built(driver *self, driver_slave *slave, piw_msg *msg)
{
    driver_build *build = slave->build;
    if (build == NULL)
        return out_of_order(self, slave, msg);
    if (build->saved.skip)
        return say_thrown_away(self, slave, msg, DRIVER_SKIPPED, "skipped");
    if (build->saved.removed)
        return say_removed(self, slave, msg);
    driver_log_bound(self, msg); /* before it is deferred: the queue keeps it */
    if (PIW_FAULT("driver.built") || piw_defer(self->task, msg, &slave->saved.request) != 0)
        return cannot_take(self, slave, msg);
    if (build->memory != NULL) { /* only after a restart: this is the same report once more */
        driver_way_resume(self, build);
        return 0;
    }
    const char *malformed = piw_malformed(msg);
    char note[PIW_ERR_TEXT + 64];
    if (malformed != NULL)
        snprintf(note, sizeof(note), "The slave's report of the build could not be read: %s", malformed);
    piw_msg *report = piw_msg_copy(msg);
    const slave_end *end = malformed == NULL ? slave_BUILT_of(msg)->end : NULL;
    if (end != NULL)
        driver_figures_see(slave, &end->figures);
    driver_build_report(build, &report, malformed != NULL ? note : NULL, NULL);
    /* For its files it has as long as for the build, and as long as it may be silent. */
    build->saved.ends_ns = slave->saved.heard_ns + driver_build_timeout_ns(slave) + self->busy_max_ns;
    if (build->report.note.len == 0)
        driver_judge(self, build, driver_cause_of(&build->report, build->embargo, &slave->figures, end));
    driver_way_begin(self, build);
    return 0;
}

static int sent(driver *self, driver_slave *slave, piw_msg *msg)
{
    driver_build *build = slave->build;
    if (build == NULL || build->memory == NULL)
        return out_of_order(self, slave, msg);
    if (build->saved.removed)
        return say_removed(self, slave, msg);
    if (piw_defer(self->task, msg, &slave->saved.request) != 0)
        return cannot_take(self, slave, msg);
    driver_way_resume(self, build);
    return 0;
}

/* --- what may be said after what ---------------------------------------------------------------------------------- */

enum { SAYS_HELLO, SAYS_IDLE, SAYS_BUSY, SAYS_BUILT, SAYS_SENT, WORDS };

typedef int say_fn(driver *self, driver_slave *slave, piw_msg *msg);
/* A line for what the slave was told last. BYE, which has no answer, may always be said. */
static say_fn *const says[DRIVER_SAID_COUNT][WORDS] = {
    /*                       HELLO        IDLE          BUSY           BUILT         SENT */
    [DRIVER_SAID_NOTHING] = {hello_again, idle_at_work, say_cont, out_of_order, out_of_order},
    [DRIVER_SAID_ACK] = {hello_again, idle_at_rest, busy_acked, built_acked, out_of_order},
    [DRIVER_SAID_BUILD] = {hello_again, idle_at_work, busy_building, built, out_of_order},
    [DRIVER_SAID_SLEEP] = {hello_again, idle_at_rest, say_cont, out_of_order, out_of_order},
    [DRIVER_SAID_SEND] = {hello_again, idle_at_work, busy_sending, out_of_order, sent},
    [DRIVER_SAID_DONE] = {hello_again, idle_at_rest, say_cont, out_of_order, out_of_order},
    [DRIVER_SAID_DIE] = {hello_again, idle_at_work, say_cont, out_of_order, out_of_order},
};

static int say(driver *self, driver_slave *slave, piw_msg *msg, int word)
{
    return says[slave->saved.last][word](self, slave, msg);
}

/* A newcomer is let in: when there are too many, of its address or of all, one that builds nothing makes room. */
static bool make_room(driver *self, const char *text)
{
    const driver_address *address = driver_address_find(self, text);
    bool full = self->by_peer.count >= DRIVER_SLAVES_MAX;
    if (!full && (address == NULL || address->slaves < self->per_address))
        return true;
    unsigned there = full ? (unsigned)self->by_peer.count : address->slaves;
    driver_slave *least = driver_least(self, full ? NULL : address);
    if (least == NULL) {
        piw_log_limited(&self->odd, 30, PIW_LOG_WARNING,
                        "a slave at %s says HELLO but there are %u already, all at work: no answer", text, there);
        return false;
    }
    piw_log_limited(&self->odd, 30, PIW_LOG_WARNING,
                    "a slave at %s says HELLO but there are %u already: slave %lld at %s, which builds nothing, is "
                    "forgotten for it",
                    text, there, (long long)least->saved.slave_id, least->address->text);
    driver_leave(self, least, (driver_outcome){0}, true);
    return true;
}

int driver_on_hello(piw_task *task, piw_msg *msg)
{
    driver *self = piw_soul(task);
    const char *address = piw_peer_address(task, piw_msg_peer(msg));
    driver_slave *slave = driver_find_peer(self, piw_msg_peer(msg));
    if (slave != NULL && (slave = known(self, task, msg)) == NULL)
        return 0;
    if (!version_fits(self, slave_HELLO_of(msg), address != NULL ? address : "an unknown address")) {
        if (slave != NULL)
            return say_die(self, slave, msg, "HELLO with another version");
        piw_msg *die = slave_DIE_new();
        int failed = piw_reply(task, msg, &die);
        piw_msg_free(&die);
        return failed;
    }
    if (slave != NULL)
        return say(self, slave, msg, SAYS_HELLO);
    if (!make_room(self, address != NULL ? address : "an unknown address"))
        return piw_drop(task, msg, "too many slaves");
    return hello_new(self, msg);
}

int on_patience(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    driver *self = piw_soul(task);
    driver_slave *slave = driver_find_peer(self, key);
    if (slave == NULL || !slave->waits_number)
        return 0;
    if (driver_claim_waits(self, slave))
        return piw_timer(task, PIW_ON(patience), key, DRIVER_HELLO_PATIENCE_MS, 0);
    int64_t id;
    if (!driver_number_take(self, DRIVER_POOL_SLAVE, &id))
        id = driver_number_clock(self);
    welcome(self, slave, NULL, id);
    return 0;
}

/* Monitors are shown every IDLE of a slave that asks as slaves do; of one that asks all the time while it sleeps, one a second. */
static bool is_shown(driver_slave *slave)
{
    int64_t rest = (slave->saved.heard_ns - slave->shown_ns) / (DRIVER_SHOW_MS * INT64_C(1000000));
    slave->shows = rest < slave->shows ? slave->shows - (uint32_t)rest : 0;
    if (slave->saved.last == DRIVER_SAID_SLEEP && !slave->saved.killed && slave->shows >= DRIVER_SHOWS)
        return false;
    slave->shows++;
    slave->shown_ns = slave->saved.heard_ns;
    return true;
}

int driver_on_idle(piw_task *task, piw_msg *msg)
{
    driver *self = piw_soul(task);
    driver_slave *slave = known(self, task, msg);
    if (slave == NULL)
        return 0;
    driver_figures_see(slave, slave_IDLE_of(msg));
    if (is_shown(slave))
        driver_tell_stats(self, slave, slave_IDLE_of(msg));
    return slave->saved.killed ? say_die(self, slave, msg, NULL) : say(self, slave, msg, SAYS_IDLE);
}

int driver_on_busy(piw_task *task, piw_msg *msg)
{
    driver *self = piw_soul(task);
    driver_slave *slave = known(self, task, msg);
    if (slave == NULL)
        return 0;
    driver_tell_stats(self, slave, slave_BUSY_of(msg));
    driver_figures_see(slave, slave_BUSY_of(msg));
    return say(self, slave, msg, SAYS_BUSY);
}

int driver_on_built(piw_task *task, piw_msg *msg)
{
    driver *self = piw_soul(task);
    driver_slave *slave = known(self, task, msg);
    return slave != NULL ? say(self, slave, msg, SAYS_BUILT) : 0;
}

int driver_on_sent(piw_task *task, piw_msg *msg)
{
    driver *self = piw_soul(task);
    driver_slave *slave = known(self, task, msg);
    return slave != NULL ? say(self, slave, msg, SAYS_SENT) : 0;
}

int driver_on_bye(piw_task *task, piw_msg *msg)
{
    driver *self = piw_soul(task);
    driver_slave *slave = known(self, task, msg);
    if (slave == NULL) {
        driver_lost_said_bye(self, piw_peer_address(task, piw_msg_peer(msg)));
        return 0;
    }
    piw_info("slave %lld says BYE", (long long)slave->saved.slave_id);
    if (!driver_waits(slave) || slave->waits_number || driver_waiting_has(slave)) {
        leave(self, slave);
    } else {
        slave->saved.leaving = true; /* its build is being recorded: that comes to its end first */
    }
    return 0;
}

/* --- what becomes of builds --------------------------------------------------------------------------------------- */

void driver_serve_waiting(driver *self, int which)
{
    int64_t number;
    if (which == DRIVER_POOL_BUILD) {
        for (driver_build *build = self->builds; build != NULL; build = build->next)
            if (build->saved.phase == DRIVER_WAIT_BUILD_NO) {
                if (!driver_number_take(self, which, &number))
                    return;
                driver_way_number(self, build, number);
            }
        driver_serve_idle(self);
        return;
    }
    for (driver_slave *slave = driver_next(self, NULL); slave != NULL; slave = driver_next(self, slave)) {
        if (!slave->waits_number || driver_claim_waits(self, slave))
            continue;
        if (!driver_number_take(self, which, &number))
            return;
        welcome(self, slave, NULL, number);
    }
}

static void say_send(driver *self, driver_slave *slave)
{
    if (slave->saved.leaving) {
        leave(self, slave);
        return;
    }
    const driver_reported *report = &slave->build->report;
    piw_msg *answer = slave_SEND_make(report->files.at[report->verified.count].filename);
    answer_slave(self, slave, NULL, &answer, DRIVER_SAID_SEND);
}

void driver_heed(driver *self, driver_build *build, driver_outcome outcome)
{
    driver_slave *slave = build->slave;
    if (outcome.what == DRIVER_GOES_ON)
        return;
    if (outcome.what == DRIVER_WANTS_FILE) {
        if (slave != NULL)
            say_send(self, slave);
        return;
    }
    if (outcome.what == DRIVER_LET_GO)
        driver_build_part(build);
    else
        driver_build_end(self, &build, outcome);
    if (slave == NULL)
        return;
    piw_msg *answer = slave_DONE_new();
    answer_slave(self, slave, NULL, &answer, DRIVER_SAID_DONE);
    if (slave->saved.leaving)
        leave(self, slave);
}

/* The answer to the call of a phase. */
static int answered(piw_task *task, piw_msg *reply, uint64_t number, int phase)
{
    driver *self = piw_soul(task);
    driver_build *build = driver_build_find(self, (int64_t)number);
    if (build != NULL && build->saved.phase == phase)
        driver_heed(self, build, driver_way_answered(self, build, reply));
    return 0;
}

int on_expected(piw_task *task, piw_msg *reply, uint64_t key)
{
    driver *self = piw_soul(task);
    driver_build *build = driver_build_find(self, (int64_t)key);
    if (build != NULL && driver_way_expected_again(self, build, reply))
        return 0;
    return answered(task, reply, key, DRIVER_WAIT_EXPECT);
}

int on_verified(piw_task *task, piw_msg *reply, uint64_t key)
{
    return answered(task, reply, key, DRIVER_WAIT_VERIFY);
}

int on_staged(piw_task *task, piw_msg *reply, uint64_t key)
{
    return answered(task, reply, key, DRIVER_WAIT_STAGE);
}

int on_recorded(piw_task *task, piw_msg *reply, uint64_t key)
{
    return answered(task, reply, key, DRIVER_WAIT_RECORD);
}

int on_known(piw_task *task, piw_msg *reply, uint64_t key)
{
    return answered(task, reply, key, DRIVER_WAIT_KNOWN);
}

int on_published(piw_task *task, piw_msg *reply, uint64_t key)
{
    return answered(task, reply, key, DRIVER_WAIT_PUBLISH);
}

int on_attempt_failed(piw_task *task, piw_msg *reply, uint64_t key)
{
    return answered(task, reply, key, DRIVER_WAIT_ATTEMPT);
}

int on_sealed(piw_task *task, piw_msg *reply, uint64_t key)
{
    driver *self = piw_soul(task);
    driver_build *build = driver_build_find(self, (int64_t)key);
    if (build != NULL)
        driver_heed(self, build, driver_way_sealed(self, build, reply));
    return 0;
}
