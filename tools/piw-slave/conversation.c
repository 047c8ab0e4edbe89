/* conversation.c — what the slave says to the master, and does with the answers. */
#include "conversation.h"

#include "apart.h"
#include "build.h"
#include "common/transfer.h"
#include "facts.h"
#include "machine.h"
#include "retag.h"
#include "shared/text.h"
#include "slave.piw.h"

#include <stdlib.h>

enum {
    AGAIN_MS = 5000,        /* before the next HELLO after nonsense or a refusal */
    LAST_ANSWER_MS = 2000,  /* how long a stopping slave waits for an answer, so that it may say BYE */
    APART_MS = 2000,        /* without a connection for so long: say why */
    QUIET_MS = 10000,       /* without an answer for so long: say so */
    FIRST_ANSWER_MS = 4000, /* the same, of the first */
    LOOK_MS = 20000,        /* and so often what is wrong is looked at anew */
    SEND_MS = 1000,         /* ZeroMQ takes a request at once, also without a connection */
};

/* Why a session with a master ended. */
enum { LOST = PIW_EDEAD, STOPPED = PIW_ESTOPPED, DIED = PIW_EREFUSED, NONSENSE = PIW_ESHAPE };

static bool is(const piw_msg *msg, const piw_msg_type *type)
{
    return piw_msg_type_of(msg) == type;
}

/* There is no connection, and has been none for a while: why, when that can be told. */
static bool say_apart(slave *s, bool *lasting)
{
    char text[300];
    const char *why = piw_client_trouble(s->master, lasting);
    if (why == NULL && slave_why_apart(s->settings.slave_queue, text, sizeof(text)))
        why = text;
    if (why != NULL)
        piw_outage_goes_on(&s->away, PIW_LOG_WARNING, 0, "can't reach the master at %s: %s; trying on",
                           s->settings.slave_queue, why);
    return why != NULL;
}

/* How long no answer is nothing to speak of. HELLO's is the first: who asked the wrong queue gets none. */
static int64_t quiet_ms(const slave *s)
{
    return s->id == 0 ? FIRST_ANSWER_MS : QUIET_MS + s->patience_ms;
}

static void say_quiet(slave *s)
{
    if (s->id == 0)
        piw_outage_goes_on(&s->away, PIW_LOG_WARNING, 0,
                           "no answer yet at %s: the master waits for its database, or that isn't its slave queue; "
                           "waiting for it",
                           s->settings.slave_queue);
    else
        piw_outage_goes_on(&s->away, PIW_LOG_WARNING, 0, "no answer yet from the master at %s; waiting for it",
                           s->settings.slave_queue);
}

/* Nothing has come. What is wrong is looked at again and again, for it may have passed; what the log says of it is up to
 * piw_outage. *look_ns: of the connection, when next; 0: there is one. Gives how long to wait, or LOST when only another
 * connection can help. */
static int64_t look_for_master(slave *s, int64_t waited_ms, int64_t *look_ns)
{
    int64_t now_ns = piw_monotonic_ns();
    if (piw_client_connected(s->master)) {
        *look_ns = 0;
        if (waited_ms < quiet_ms(s))
            return quiet_ms(s) - waited_ms;
        say_quiet(s);
        return LOOK_MS;
    }
    if (*look_ns == 0)
        *look_ns = now_ns + APART_MS * INT64_C(1000000);
    if (now_ns >= *look_ns && !s->stopping) {
        bool lasting = false;
        say_apart(s, &lasting);
        if (lasting)
            return LOST;
        *look_ns = piw_monotonic_ns() + LOOK_MS * INT64_C(1000000);
    }
    return (*look_ns - now_ns) / 1000000 + 1;
}

/* Until the answer to what was sent is there. */
static int await_answer(slave *s, piw_msg **answer)
{
    int64_t begun_ns = piw_monotonic_ns(), look_ns = 0;
    for (;;) {
        piw_err err = {0};
        int rc = piw_client_recv(s->master, answer, 0, &err);
        if (rc == 0) {
            piw_outage_over(&s->away, "the master at %s answers", s->settings.slave_queue);
            return 0;
        }
        if (rc != PIW_EAGAIN) {
            piw_outage_goes_on(&s->away, PIW_LOG_WARNING, 0, "%s", err.text);
            return NONSENSE;
        }
        if (piw_client_reconnected(s->master)) {
            piw_info("the connection to the master was lost and made again");
            return LOST;
        }
        int64_t waited_ms = (piw_monotonic_ns() - begun_ns) / 1000000;
        if (s->stopping && s->patience_ms > 0)
            return STOPPED; /* no answer is on its way, but when there is work */
        int64_t most_ms = s->stopping ? LAST_ANSWER_MS : SLAVE_BUSY_TIMEOUT_MS;
        if (waited_ms >= most_ms)
            return s->stopping ? STOPPED : LOST;
        int64_t look_ms = look_for_master(s, waited_ms, &look_ns);
        if (look_ms < 0)
            return LOST;
        slave_wait(s, -1, most_ms - waited_ms < look_ms ? most_ms - waited_ms : look_ms);
    }
}

/* Sends a request and waits for its answer. Takes the request; the caller frees the answer. */
static int ask(slave *s, piw_msg *request, piw_msg **answer)
{
    piw_err err = {0};
    int rc = piw_client_send(s->master, &request, SEND_MS, &err);
    if (rc != 0) {
        if (rc != PIW_EAGAIN || !say_apart(s, NULL))
            piw_outage_goes_on(&s->away, PIW_LOG_WARNING, 0, "%s can't be sent: %s", piw_msg_type_of(request)->name,
                               rc == PIW_EAGAIN ? piw_err_name(rc) : err.text);
        piw_msg_free(&request);
        return rc == PIW_EAGAIN ? LOST : NONSENSE;
    }
    s->asked = true;
    rc = await_answer(s, answer);
    s->asked = false;
    return rc;
}

/* An answer that doesn't belong here. */
static int odd(piw_msg **answer)
{
    int rc = is(*answer, slave_DIE_type()) ? DIED : NONSENSE;
    if (rc == NONSENSE)
        piw_warning("the master answered %s where that has no meaning", piw_msg_type_of(*answer)->name);
    piw_msg_free(answer);
    return rc;
}

static piw_msg *stats_message(slave *s, bool busy)
{
    slave_stats *stats;
    piw_msg *msg = busy ? slave_BUSY_new(&stats) : slave_IDLE_new(&stats);
    slave_machine_stats(s->settings.dir, stats);
    return msg;
}

/* Says IDLE, and that the answer may wait for work as long as we would rest after SLEEP: in the codec of our own
 * masters, which need not heed it. */
static int ask_for_work(slave *s, piw_msg **answer)
{
    piw_msg *msg = stats_message(s, false);
    int64_t wait_s = (s->settings.poll_ms + 999) / 1000;
    if (s->settings.codec == PIW_MSGPACK) {
        int64_t *wait = piw_msg_alloc(msg, sizeof(*wait));
        *wait = wait_s;
        ((slave_stats *)piw_msg_any_body(msg))->wait = wait;
        s->patience_ms = wait_s * 1000;
    }
    int rc = ask(s, msg, answer);
    s->patience_ms = 0;
    return rc;
}

/* --- One build ------------------------------------------------------------------------------------------------- */

/* Until the build has ended: BUSY, at once and every few seconds. *skipped when the master doesn't want it any more. */
static int watch_build(slave *s, bool *skipped)
{
    int64_t busy_ns = piw_monotonic_ns();
    while (!slave_build_ended(s->build)) {
        int64_t now_ns = piw_monotonic_ns();
        if (now_ns >= busy_ns) {
            piw_msg *answer = NULL;
            int rc = ask(s, stats_message(s, true), &answer);
            if (rc != 0)
                return rc;
            *skipped = is(answer, slave_DONE_type());
            if (!*skipped && !is(answer, slave_CONT_type()))
                return odd(&answer);
            piw_msg_free(&answer);
            if (*skipped)
                return 0;
            busy_ns = piw_monotonic_ns() + SLAVE_BUSY_EVERY_MS * INT64_C(1000000);
            continue;
        }
        int64_t until_ns = busy_ns < slave_build_look_ns(s->build) ? busy_ns : slave_build_look_ns(s->build);
        if (slave_wait(s, -1, until_ns > now_ns ? (until_ns - now_ns) / 1000000 + 1 : 0) == PIW_ESTOPPED)
            return STOPPED;
    }
    return 0;
}

/* What the log can't tell, to a master that knows of it. While the build's folder is still there: it may be what fills the disk. */
static void set_end(const slave *s, piw_msg *msg, slave_BUILT *built, bool not_begun)
{
    if (s->settings.codec != PIW_MSGPACK || built->status)
        return;
    slave_end *end = piw_msg_alloc(msg, sizeof(*end));
    *end = (slave_end){.signal = s->build != NULL ? slave_build_signal(s->build) : 0, .not_begun = not_begun};
    slave_machine_stats(s->settings.dir, &end->figures);
    built->end = end;
}

static void set_log(piw_msg *msg, slave_BUILT *built, piw_blob *log)
{
    built->output = piw_msg_blob(msg, log);
    piw_blob_unref(&log);
}

/* A build that came to nothing, and why: with its log, when there was a build at all. */
static piw_msg *failed_message(slave *s, const char *why, bool not_begun)
{
    slave_BUILT *built;
    piw_msg *msg = slave_BUILT_new(&built);
    if (s->build != NULL)
        built->duration = slave_build_duration(s->build);
    set_log(msg, built, s->build != NULL ? slave_build_log(s->build, why) : piw_blob_new(why, strlen(why)));
    set_end(s, msg, built, not_begun);
    return msg;
}

/* BUILT: the outcome, the log and what is known of the wheels. */
static piw_msg *built_message(slave *s, piw_text package)
{
    slave_BUILT *built;
    piw_msg *msg = slave_BUILT_new(&built);
    piw_err err = {0};
    slave_wheels wheels = {0};
    piw_buffer notes = {0};
    built->status = slave_build_good(s->build);
    if (built->status && slave_retag(slave_build_wheels(s->build), &s->settings, &notes, &err) != 0)
        built->status = false;
    if (built->status && slave_facts(msg, slave_build_wheels(s->build), slave_build_scratch(s->build),
                                     s->settings.sandbox, package, &wheels, &err) != 0)
        built->status = false;
    built->duration = slave_build_duration(s->build);
    piw_put(&notes, err.text);
    piw_put_bytes(&notes, "", 1);
    set_log(msg, built, slave_build_log(s->build, notes.len > 1 ? (const char *)notes.data : NULL));
    piw_buffer_fini(&notes);
    built->files.count = wheels.count;
    built->files.at = wheels.at;
    set_end(s, msg, built, false);
    /* A wheel may say more of itself than a message holds: too long a tag, too many dependencies. */
    if (piw_msg_check(msg, &err) != 0) {
        piw_msg_free(&msg);
        msg = failed_message(s, err.text, false);
    }
    return msg;
}

static int wait_in_transfer(void *arg, int fd, int64_t timeout_ms)
{
    slave *s = arg;
    int rc = slave_wait(s, fd, timeout_ms);
    return rc != STOPPED && piw_client_reconnected(s->master) ? LOST : rc;
}

/* A file name from the master is only ever compared with the names of the wheels that were made. */
static int send_wheel(slave *s, const char *const *names, size_t count, const slave_SEND *send)
{
    for (size_t i = 0; i < count; i++) {
        if (!piw_text_is(send->filename, names[i]))
            continue;
        char *path = piw_sprintf("%s/%s", slave_build_wheels(s->build), names[i]);
        piw_err err = {0};
        const tool_transfer transfer = {.address = s->settings.file_queue,
                                        .key = s->settings.encrypted ? &s->settings.key : NULL,
                                        .id = s->id,
                                        .token = s->token != NULL ? piw_text_of(s->token) : (piw_text){0},
                                        .silence_ms = SLAVE_BUSY_TIMEOUT_MS,
                                        .wait = wait_in_transfer,
                                        .arg = s};
        int rc = tool_transfer_file(&transfer, path, &err);
        free(path);
        if (rc != 0 && err.code != 0)
            piw_warning("%s can't be sent: %s", names[i], err.text);
        return rc == 0 || rc == STOPPED ? rc : LOST;
    }
    piw_warning("the master asked for %.*s, which this build did not make", (int)send->filename.len, send->filename.s);
    return NONSENSE;
}

/* From the answer to BUILT to DONE. */
static int deliver(slave *s, const char *const *names, size_t count, piw_msg **answer)
{
    while (is(*answer, slave_SEND_type())) {
        int rc = send_wheel(s, names, count, slave_SEND_of(*answer));
        piw_msg_free(answer);
        if (rc == 0)
            rc = ask(s, slave_SENT_new(), answer);
        if (rc != 0)
            return rc;
    }
    if (!is(*answer, slave_DONE_type()))
        return odd(answer);
    piw_msg_free(answer);
    return 0;
}

/* `failed`: why there is no build to report, or NULL. `not_begun`: that is this machine's trouble. */
static int report(slave *s, piw_text package, const char *failed, bool not_begun)
{
    piw_msg *msg = failed != NULL ? failed_message(s, failed, not_begun) : built_message(s, package);
    const slave_BUILT *built = slave_BUILT_of(msg);
    size_t count = built->files.count;
    const char **names = piw_zalloc((count + 1) * sizeof(*names));
    for (size_t i = 0; i < count; i++)
        names[i] = piw_strndup(built->files.at[i].filename.s, built->files.at[i].filename.len);
    piw_info("build of %s %s", package.s, built->status ? "succeeded" : "failed");
    piw_msg *answer = NULL;
    int rc = ask(s, msg, &answer);
    if (rc == 0)
        rc = deliver(s, names, count, &answer);
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)names[i]);
    free(names);
    return rc;
}

/* The rest of the running build. When the master is lost the build stays, to be claimed from the next. */
static int see_through(slave *s)
{
    bool skipped = false;
    const char *package = slave_build_package(s->build), *version = slave_build_version(s->build);
    int rc = watch_build(s, &skipped);
    if (rc == 0 && skipped)
        piw_info("the build of %s %s isn't wanted any more", package, version);
    else if (rc == 0)
        rc = slave_build_begun(s->build)
                 ? report(s, piw_text_of(package), NULL, false)
                 : report(s, piw_text_of(package), "bubblewrap could not begin the build", true);
    if (rc != LOST)
        slave_build_free(&s->build);
    return rc;
}

static int build(slave *s, const slave_BUILD *body)
{
    piw_err err = {0};
    piw_info("building %s %s", body->package.s, body->version.s);
    int rc = slave_build_start(&s->build, &s->settings, body->package, body->version, s->index_url, &err);
    if (rc != 0) {
        piw_warning("%s %s isn't built: %s", body->package.s, body->version.s, err.text);
        return report(s, body->package, err.text, rc != PIW_EREFUSED);
    }
    return see_through(s);
}

/* --- The session ----------------------------------------------------------------------------------------------- */

static int say_hello(slave *s)
{
    piw_msg *answer = NULL;
    int rc = ask(s, slave_machine_hello(s), &answer);
    if (rc != 0)
        return rc;
    if (!is(answer, slave_ACK_type()))
        return odd(&answer);
    const slave_ACK *ack = slave_ACK_of(answer);
    s->id = ack->slave_id;
    free(s->token);
    s->token = ack->token.s != NULL ? piw_strndup(ack->token.s, ack->token.len) : NULL;
    free(s->index_url);
    s->index_url = piw_strndup(ack->pypi_url.s, ack->pypi_url.len);
    piw_msg_free(&answer);
    piw_info("the master calls us slave %lld", (long long)s->id);
    return 0;
}

static int rest(slave *s, int64_t ms)
{
    int64_t until_ns = piw_monotonic_ns() + ms * 1000000;
    for (int64_t left_ns; (left_ns = until_ns - piw_monotonic_ns()) > 0;) {
        if (slave_wait(s, -1, left_ns / 1000000 + 1) == PIW_ESTOPPED)
            return STOPPED;
        if (piw_client_reconnected(s->master))
            return LOST;
    }
    return 0;
}

static int session(slave *s)
{
    int rc = say_hello(s);
    if (rc == 0 && s->build != NULL)
        rc = see_through(s);
    while (rc == 0 && !s->stopping) {
        piw_msg *answer = NULL;
        int64_t asked_ns = piw_monotonic_ns();
        rc = ask_for_work(s, &answer);
        if (rc != 0)
            return rc;
        if (is(answer, slave_SLEEP_type())) {
            piw_msg_free(&answer);
            rc = rest(s, s->settings.poll_ms - (piw_monotonic_ns() - asked_ns) / 1000000);
        } else if (is(answer, slave_BUILD_type())) {
            rc = build(s, slave_BUILD_of(answer));
            piw_msg_free(&answer);
        } else {
            rc = odd(&answer);
        }
    }
    return rc == 0 ? STOPPED : rc;
}

static void say_bye(slave *s)
{
    piw_err err = {0};
    piw_msg *bye = slave_BYE_new();
    if (piw_client_send(s->master, &bye, 0, &err) != 0)
        piw_debug("BYE wasn't sent: %s", err.text);
    piw_msg_free(&bye);
}

int slave_converse(slave *s, piw_err *err)
{
    while (!s->stopping) {
        int why = session(s);
        if (why != LOST || s->settings.codec != PIW_MSGPACK)
            slave_build_free(&s->build);
        if (why == DIED) {
            piw_warning("the master told this slave to end");
            if (s->id != 0) /* not when its HELLO was answered with DIE */
                say_bye(s);
            return 0;
        }
        if (why == STOPPED)
            break;
        int rc = piw_client_reset(s->master, err);
        if (rc != 0)
            return rc;
        if (why == NONSENSE)
            rest(s, AGAIN_MS);
    }
    piw_info("stopping");
    say_bye(s);
    return 0;
}
