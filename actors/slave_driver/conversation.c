/* conversation.c — what a slave says, and what it is told (docs/wire.md#slaves). Each handler decides first and then
 * changes; none returns an error but for a fault point, so a slave always gets the answer that its state gives. */
#include "slave_driver/driver.h"

#include "piw/fault.h"

#include <stdio.h>

static driver_builder *known(driver *self, piw_task *task, piw_msg *msg)
{
    driver_builder *builder = driver_find_peer(self, piw_msg_peer(msg));
    const char *word = piw_msg_type_of(msg)->name;
    if (builder == NULL) {
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
    if (builder->phase != DRIVER_IDLE && !(piw_msg_type_of(msg)->flags & PIW_M_NOREPLY)) {
        /* Its earlier request is still open; the port lets only one in, unless that one's answer was lost. */
        if (piw_drop(task, msg, "an earlier request is not answered yet") != 0)
            piw_debug("could not drop %s of slave %lld", word, (long long)builder->id);
        return NULL;
    }
    builder->last_seen = piw_time_now();
    builder->heard_ns = piw_monotonic_ns();
    return builder;
}

void driver_answer(driver *self, driver_builder *builder, piw_msg *request, piw_msg **answer, int said)
{
    if (said != DRIVER_SAID_NOTHING) {
        driver_tell_reply(self, builder, *answer);
        builder->last = said;
    }
    int failed;
    if (request != NULL) {
        failed = piw_reply(self->task, request, answer);
    } else {
        failed = piw_answer(self->task, builder->request, answer);
        builder->request = (piw_token){0};
    }
    if (failed != 0) {
        piw_debug("slave %lld can't be answered: %s", (long long)builder->id, piw_err_name(failed));
        piw_msg_free(answer);
    }
    builder->phase = DRIVER_IDLE;
    builder->tries = 0;
    builder->unsure = false;
    builder->heard_ns = piw_monotonic_ns(); /* its silence begins with our answer, which may have taken long */
    if (said != DRIVER_SAID_NOTHING)
        driver_remember(self, builder);
}

static int say_die(driver *self, driver_builder *builder, piw_msg *msg, const char *why)
{
    if (why != NULL)
        piw_log_limited(&self->odd, 30, PIW_LOG_WARNING, "slave %lld: %s; told to DIE", (long long)builder->id, why);
    driver_abandon(self, builder, DRIVER_HOLD_RETURNED, why != NULL ? why : "the slave was stopped");
    piw_msg *answer = slave_DIE_new();
    driver_answer(self, builder, msg, &answer, DRIVER_SAID_DIE);
    return 0;
}

/* The build is thrown away: the slave may go on with something else. */
static int say_thrown_away(driver *self, driver_builder *builder, piw_msg *msg, int kind, const char *cause)
{
    driver_abandon(self, builder, kind, cause);
    piw_msg *answer = slave_DONE_new();
    driver_answer(self, builder, msg, &answer, DRIVER_SAID_DONE);
    return 0;
}

static int say_removed(driver *self, driver_builder *builder, piw_msg *msg)
{
    return say_thrown_away(self, builder, msg, builder->again ? DRIVER_HOLD_RETURNED : DRIVER_DROP, "removed");
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

static void say_ack(driver *self, driver_builder *builder, piw_msg *msg)
{
    driver_tell_hello(self, builder);
    piw_msg *answer = slave_ACK_make(builder->id, self->pypi_url);
    driver_answer(self, builder, msg, &answer, DRIVER_SAID_ACK);
}

static void log_welcome(driver *self, driver_builder *builder)
{
    const slave_hello *hello = driver_hello(builder);
    const char *address = piw_peer_address(self->task, builder->peer);
    piw_info("slave %lld: %.*s at %s builds for %.*s on %.*s", (long long)builder->id, (int)hello->label.len,
             hello->label.s, address != NULL ? address : "an unknown address", (int)hello->abi.len, hello->abi.s,
             (int)hello->platform.len, hello->platform.s);
    driver_check_abi(self, builder);
}

void driver_welcome(driver *self, driver_builder *builder, int64_t id)
{
    driver_set_id(self, builder, id);
    log_welcome(self, builder);
    say_ack(self, builder, NULL);
    driver_claim(self, builder);
}

static int hello_again(driver *self, driver_builder *builder, piw_msg *msg)
{
    driver_abandon(self, builder, DRIVER_HOLD_RETURNED, "the slave said HELLO again");
    piw_msg_free(&builder->hello);
    builder->hello = piw_msg_copy(msg);
    builder->abi_warned = false;
    self->slaves_changed = true;
    driver_check_abi(self, builder);
    say_ack(self, builder, msg);
    return 0;
}

static int hello_new(driver *self, piw_msg *msg)
{
    int64_t id;
    driver_builder *builder = driver_add(self, piw_msg_peer(msg), msg);
    if (!driver_claim_waits(self, builder) && driver_number_take(self, DRIVER_POOL_SLAVE, &id)) {
        driver_set_id(self, builder, id);
        log_welcome(self, builder);
        say_ack(self, builder, msg);
        driver_claim(self, builder);
        return 0;
    }
    if (piw_defer(self->task, msg, &builder->request) != 0) {
        driver_remove(self, &builder);
        return PIW_ELIMIT;
    }
    builder->phase = DRIVER_WAIT_SLAVE_NO;
    return piw_timer(self->task, "patience", builder->peer, DRIVER_HELLO_PATIENCE_MS, 0);
}

int driver_on_hello(piw_task *task, piw_msg *msg)
{
    driver *self = piw_soul(task);
    const char *address = piw_peer_address(task, piw_msg_peer(msg));
    driver_builder *builder = driver_find_peer(self, piw_msg_peer(msg));
    if (builder != NULL && (builder = known(self, task, msg)) == NULL)
        return 0;
    if (!version_fits(self, slave_HELLO_of(msg), address != NULL ? address : "an unknown address")) {
        if (builder != NULL)
            return say_die(self, builder, msg, "HELLO with another version");
        piw_msg *die = slave_DIE_new();
        int failed = piw_reply(task, msg, &die);
        piw_msg_free(&die);
        return failed;
    }
    if (builder != NULL)
        return hello_again(self, builder, msg);
    if (self->by_peer.count >= DRIVER_SLAVES_MAX) {
        piw_log_limited(&self->odd, 30, PIW_LOG_WARNING, "a slave says HELLO but there are %d already: no answer",
                        DRIVER_SLAVES_MAX);
        return piw_drop(task, msg, "too many slaves");
    }
    return hello_new(self, msg);
}

int driver_on_patience(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    driver *self = piw_soul(task);
    driver_builder *builder = driver_find_peer(self, key);
    if (builder == NULL || builder->phase != DRIVER_WAIT_SLAVE_NO)
        return 0;
    if (driver_claim_waits(self, builder))
        return piw_timer(task, "patience", key, DRIVER_HELLO_PATIENCE_MS, 0);
    int64_t id;
    if (!driver_number_take(self, DRIVER_POOL_SLAVE, &id))
        id = driver_number_clock(self);
    driver_welcome(self, builder, id);
    return 0;
}

/* --- IDLE and BUSY ------------------------------------------------------------------------------------------------ */

static void say_sleep(driver *self, driver_builder *builder, piw_msg *msg, bool paused)
{
    piw_msg *answer = slave_SLEEP_make(paused);
    builder->said_paused = paused;
    driver_answer(self, builder, msg, &answer, DRIVER_SAID_SLEEP);
}

void driver_build_begins(driver *self, driver_builder *builder, int64_t elapsed_ns)
{
    builder->began_ns = builder->heard_ns - elapsed_ns;
    builder->ends_ns = builder->began_ns + driver_build_timeout_ns(builder);
    builder->skip = builder->removed = false;
    piw_msg *attempt =
        db_ATTEMPT_make(builder->id, builder->hold->package, builder->hold->version, driver_hello(builder)->abi);
    if (piw_cast(self->task, &attempt) != 0)
        piw_msg_free(&attempt);
}

static void say_build(driver *self, driver_builder *builder, piw_msg *msg)
{
    driver_build_begins(self, builder, 0);
    piw_msg *answer = slave_BUILD_make(builder->hold->package, builder->hold->version);
    driver_answer(self, builder, msg, &answer, DRIVER_SAID_BUILD);
}

static driver_hold_ref *next_build(driver *self, const driver_builder *builder)
{
    piw_text abi = driver_hello(builder)->abi;
    bool others = driver_builds_rest(self->builds, abi) && driver_has_others(self, builder);
    return driver_builds_take(self->builds, abi, builder->id, others);
}

int driver_on_idle(piw_task *task, piw_msg *msg)
{
    driver *self = piw_soul(task);
    driver_builder *builder = known(self, task, msg);
    if (builder == NULL)
        return 0;
    driver_tell_stats(self, builder, slave_IDLE_of(msg));
    int last = builder->last;
    if (builder->killed)
        return say_die(self, builder, msg, NULL);
    if (builder->unsure && builder->hold != NULL) {
        driver_abandon(self, builder, DRIVER_HOLD_RETURNED, "the task that talks to slaves was restarted");
        last = DRIVER_SAID_DONE;
    }
    if (last != DRIVER_SAID_ACK && last != DRIVER_SAID_SLEEP && last != DRIVER_SAID_DONE)
        return say_die(self, builder, msg, "IDLE out of order");
    if (self->farm_paused || builder->paused) {
        say_sleep(self, builder, msg, true);
        return 0;
    }
    if (self->database_away) { /* what is built now would only wait with the rest */
        say_sleep(self, builder, msg, false);
        return 0;
    }
    /* Without a number for it a build could not be recorded. */
    if (driver_number_there(self, DRIVER_POOL_BUILD))
        builder->hold = next_build(self, builder);
    else
        driver_numbers_ask(self, DRIVER_POOL_BUILD);
    if (builder->hold != NULL)
        say_build(self, builder, msg);
    else
        say_sleep(self, builder, msg, false);
    return 0;
}

/* A build that ran past the slave's own limit is recorded as failed; the slave hears DONE when that is done. */
static int run_out(driver *self, driver_builder *builder, piw_msg *msg)
{
    char limit[64], note[256];
    int64_t limit_s = driver_build_timeout_ns(builder) / 1000000000;
    snprintf(limit, sizeof(limit), "%lld h %02lld min %02lld s", (long long)limit_s / 3600,
             (long long)limit_s / 60 % 60, (long long)limit_s % 60);
    snprintf(note, sizeof(note), "The build ran past the slave's build timeout of %s and was stopped.", limit);
    slave_BUILT *body;
    piw_msg *report = slave_BUILT_new(&body);
    body->duration = piw_duration_from_us((builder->heard_ns - builder->began_ns) / 1000);
    if (piw_defer(self->task, msg, &builder->request) != 0) {
        piw_msg_free(&report);
        return PIW_ELIMIT;
    }
    driver_job_begin(self, builder, &report, note, NULL);
    return 0;
}

/* Its time was over before this task was restarted, which left that unrecorded and the slave told to go on. */
static int record_on(driver *self, driver_builder *builder, piw_msg *msg)
{
    if (piw_defer(self->task, msg, &builder->request) != 0)
        return PIW_ELIMIT;
    driver_job_resume(self, builder);
    return 0;
}

int driver_on_busy(piw_task *task, piw_msg *msg)
{
    driver *self = piw_soul(task);
    driver_builder *builder = known(self, task, msg);
    if (builder == NULL)
        return 0;
    driver_tell_stats(self, builder, slave_BUSY_of(msg));
    if (driver_claim_lost(builder))
        return say_thrown_away(self, builder, msg, DRIVER_HOLD_RETURNED, "claimed in vain");
    if (builder->hold != NULL && builder->last == DRIVER_SAID_BUILD && builder->skip)
        return say_thrown_away(self, builder, msg, DRIVER_HOLD_SKIPPED, "skipped");
    if (builder->hold != NULL && builder->removed)
        return say_removed(self, builder, msg);
    /* What is reported is no longer being built: its files may take as long as they need. */
    if (builder->hold != NULL && builder->job == NULL && builder->heard_ns > builder->ends_ns)
        return run_out(self, builder, msg);
    if (builder->hold != NULL && builder->job != NULL && builder->last == DRIVER_SAID_BUILD)
        return record_on(self, builder, msg);
    piw_msg *answer = slave_CONT_new();
    driver_answer(self, builder, msg, &answer, DRIVER_SAID_NOTHING);
    return 0;
}

/* --- BUILT, SENT, BYE --------------------------------------------------------------------------------------------- */

/* The first time the queue gives the message once more; after that the slave is let go, and the version is offered to
 * the next. */
static int cannot_take(driver *self, driver_builder *builder, piw_msg *msg)
{
    if (!piw_again(msg))
        return PIW_ELIMIT;
    return say_thrown_away(self, builder, msg, DRIVER_HOLD_RETURNED, "the report could not be taken in");
}

int driver_on_built(piw_task *task, piw_msg *msg)
{
    driver *self = piw_soul(task);
    driver_builder *builder = known(self, task, msg);
    if (builder == NULL)
        return 0;
    if (driver_claim_lost(builder))
        return say_thrown_away(self, builder, msg, DRIVER_HOLD_RETURNED, "claimed in vain");
    if (builder->last != DRIVER_SAID_BUILD || builder->hold == NULL)
        return say_die(self, builder, msg, "BUILT out of order");
    if (builder->skip)
        return say_thrown_away(self, builder, msg, DRIVER_HOLD_SKIPPED, "skipped");
    if (builder->removed)
        return say_removed(self, builder, msg);
    if (PIW_FAULT("driver.built") || piw_defer(task, msg, &builder->request) != 0)
        return cannot_take(self, builder, msg);
    if (builder->job != NULL) { /* only after a restart: this is the same report once more */
        driver_job_resume(self, builder);
        return 0;
    }
    const char *malformed = piw_malformed(msg);
    char note[PIW_ERR_TEXT + 64];
    if (malformed != NULL)
        snprintf(note, sizeof(note), "The slave's report of the build could not be read: %s", malformed);
    piw_msg *report = piw_msg_copy(msg);
    driver_job_begin(self, builder, &report, malformed != NULL ? note : NULL, NULL);
    return 0;
}

int driver_on_sent(piw_task *task, piw_msg *msg)
{
    driver *self = piw_soul(task);
    driver_builder *builder = known(self, task, msg);
    if (builder == NULL)
        return 0;
    if (builder->last != DRIVER_SAID_SEND || builder->hold == NULL || builder->job == NULL)
        return say_die(self, builder, msg, "SENT out of order");
    if (builder->removed)
        return say_removed(self, builder, msg);
    if (piw_defer(task, msg, &builder->request) != 0)
        return cannot_take(self, builder, msg);
    driver_job_resume(self, builder);
    return 0;
}

int driver_on_bye(piw_task *task, piw_msg *msg)
{
    driver *self = piw_soul(task);
    driver_builder *builder = known(self, task, msg);
    if (builder == NULL)
        return 0;
    piw_info("slave %lld says BYE", (long long)builder->id);
    if (builder->phase == DRIVER_IDLE || builder->phase == DRIVER_WAIT_SLAVE_NO) {
        if (builder->request.id != 0 && piw_drop_token(task, builder->request, "the slave has left") != 0)
            piw_debug("the open request of a slave that leaves is gone already");
        driver_leave(self, &builder);
    } else {
        builder->leaving = true; /* its build is being recorded: that comes to its end first */
    }
    return 0;
}
