/* slave.c — the conversation of one simulated slave (docs/wire.md#slaves), and what the master may answer in each of
 * its states. */
#include "load.h"
#include "slave.piw.h"

#include <stdlib.h>

#define NS_PER_MS INT64_C(1000000)

static uint64_t chance(load *all)
{
    all->random ^= all->random << 13;
    all->random ^= all->random >> 7;
    all->random ^= all->random << 17;
    return all->random;
}

/* --- Asking ------------------------------------------------------------------------------------------------------ */

/* A request is an empty frame, as REQ puts it there, and the message. */
static int say(load_slave *slave, piw_msg *msg, piw_err *err)
{
    piw_buffer *scratch = &slave->load->scratch;
    scratch->len = 0;
    int rc = piw_encode(msg, slave->load->settings.codec, scratch, err);
    piw_msg_free(&msg);
    const load_frame frames[] = {{NULL, 0}, {scratch->data, scratch->len}};
    rc = rc != 0 ? rc : load_peer_send(&slave->master, frames, 2, NULL, err);
    if (rc == PIW_ENET) {
        load_slave_lose(slave, err);
        rc = 0;
    }
    return rc;
}

static int ask(load_slave *slave, load_request request, piw_msg *msg, piw_err *err)
{
    slave->load->figures.requests[request]++;
    slave->asked = request;
    slave->phase = LOAD_WAITS;
    slave->asked_ns = piw_monotonic_ns();
    return say(slave, msg, err);
}

static void fill_stats(slave_stats *stats)
{
    *stats = (slave_stats){.timestamp = piw_time_now(),
                           .disk_size = INT64_C(1) << 36,
                           .disk_free = INT64_C(1) << 35,
                           .mem_size = INT64_C(1) << 32,
                           .mem_free = INT64_C(1) << 31,
                           .load_average = 1.5,
                           .cpu_temp = 41.5};
}

static int say_hello(load_slave *slave, piw_err *err)
{
    slave_hello *hello;
    piw_msg *msg = slave_HELLO_new(&hello);
    const load_settings *settings = &slave->load->settings;
    const char *abi = settings->abi;
    hello->build_timeout = piw_duration_from_us(INT64_C(3600) * 1000000);
    hello->busy_timeout = piw_duration_from_us(INT64_C(300) * 1000000);
    hello->py_version = piw_text_of(strncmp(abi, "cp", 2) == 0 ? abi + 2 : abi);
    hello->abi = piw_text_of(abi);
    hello->platform = piw_text_of("linux_x86_64");
    hello->label = piw_msg_printf(msg, "load%d", slave->number);
    hello->os_name = hello->os_version = piw_text_of("simulated");
    hello->board_revision = hello->board_serial = piw_text_of("");
    if (settings->codec == PIW_MSGPACK)
        hello->version = piw_text_of(PIW_VERSION);
    return ask(slave, LOAD_HELLO, msg, err);
}

static int say_idle(load_slave *slave, piw_err *err)
{
    slave_stats *stats;
    piw_msg *msg = slave_IDLE_new(&stats);
    fill_stats(stats);
    slave->load->reserved++;
    return ask(slave, LOAD_IDLE, msg, err);
}

static int say_busy(load_slave *slave, piw_err *err)
{
    slave_stats *stats;
    piw_msg *msg = slave_BUSY_new(&stats);
    fill_stats(stats);
    slave->busy_left--;
    return ask(slave, LOAD_BUSY, msg, err);
}

static int say_built(load_slave *slave, piw_err *err)
{
    const load_settings *settings = &slave->load->settings;
    slave_BUILT *built;
    piw_msg *msg = slave_BUILT_new(&built);
    char text[512];
    int len = snprintf(text, sizeof(text), "Building %s %s\n%s\n", slave->package, slave->version,
                       slave->good ? "Successfully built" : "error: this build was to fail");
    piw_blob *log = piw_blob_new(text, (size_t)len);
    if (log == NULL) {
        piw_msg_free(&msg);
        return piw_err_set(err, PIW_ENOMEM, "no memory for a build's log");
    }
    built->status = slave->good;
    built->duration = piw_duration_from_us(1500000);
    built->output = piw_msg_blob(msg, log);
    piw_blob_unref(&log);
    piw_msg_list(msg, &built->files, slave->good ? slave->kind->files : 0);
    for (uint32_t i = 0; i < built->files.count; i++)
        load_wheel_state(&slave->wheels[i], settings->abi, msg, &built->files.at[i]);
    slave->next = 0;
    slave->built_ns = piw_monotonic_ns();
    if (slave->load->figures.first_built_ns == 0)
        slave->load->figures.first_built_ns = slave->built_ns;
    return ask(slave, LOAD_BUILT, msg, err);
}

static int say_bye(load_slave *slave, piw_err *err)
{
    slave->load->figures.requests[LOAD_BYE]++;
    int rc = say(slave, slave_BYE_new(), err);
    load_slave_close(slave);
    return rc;
}

int load_slave_turn(load_slave *slave, piw_err *err)
{
    const load *all = slave->load;
    if (slave->phase == LOAD_ENDED) /* while it was in line */
        return 0;
    bool enough = all->settings.builds > 0 && all->reserved >= all->settings.builds;
    /* What others asked for may yet be answered SLEEP: then there is one to be begun again. */
    if (all->stopping || (enough && (int64_t)all->figures.builds >= all->settings.builds))
        return say_bye(slave, err);
    if (!enough)
        return say_idle(slave, err);
    load_want_rest(slave);
    return 0;
}

/* --- Answers ------------------------------------------------------------------------------------------------------- */

static int wrong(load_slave *slave, const piw_msg *msg)
{
    static const char *const words[] = {"HELLO", "IDLE", "BUSY", "BUILT", "SENT", "BYE"};
    char text[300];
    piw_msg_print(msg, text, sizeof(text));
    load_violation(&slave->load->figures, "slave %d (%lld) at %s %s: %s is no answer to %s", slave->number,
                   (long long)slave->id, slave->package, slave->version, text, words[slave->asked]);
    load_slave_close(slave); /* whatever it says next would be out of order too */
    return 0;
}

static int on_build(load_slave *slave, const slave_BUILD *body, piw_err *err)
{
    load *all = slave->load;
    snprintf(slave->package, sizeof(slave->package), "%s", body->package.s);
    snprintf(slave->version, sizeof(slave->version), "%s", body->version.s);
    if (all->figures.first_build_ns == 0)
        all->figures.first_build_ns = piw_monotonic_ns();
    if (!load_given_add(&all->given, slave->package, slave->version))
        load_violation(&all->figures, "slave %d: %s %s was given out before", slave->number, slave->package,
                       slave->version);
    slave->good = (int64_t)(chance(all) % 100) >= all->settings.fail_percent;
    slave->kind = &all->kinds.at[all->kinds.count > 1 ? chance(all) % all->kinds.count : 0];
    slave->busy_left = all->settings.busy;
    int rc = 0;
    for (int64_t i = 0; slave->good && rc == 0 && i < slave->kind->files; i++)
        rc = load_wheel_make(&slave->wheels[i], &slave->kind->filling, slave->package, slave->version,
                             all->settings.abi, (unsigned)i + 1, err);
    if (rc != 0)
        return rc;
    return slave->busy_left > 0 ? say_busy(slave, err) : say_built(slave, err);
}

static int on_sleep(load_slave *slave)
{
    slave->load->reserved--;
    load_want_rest(slave);
    return 0;
}

/* The file asked for is the next one, or the one that was sent, if the master found it wrong. */
static int on_send(load_slave *slave, const slave_SEND *asked, const piw_msg *msg, piw_err *err)
{
    if (!slave->good)
        return wrong(slave, msg);
    if (slave->next > 0 && piw_text_is(asked->filename, slave->wheels[slave->next - 1].filename)) {
        slave->load->figures.again++;
        return load_transfer_begin(slave, err);
    }
    if (slave->next == slave->kind->files || !piw_text_is(asked->filename, slave->wheels[slave->next].filename))
        return wrong(slave, msg);
    slave->next++;
    return load_transfer_begin(slave, err);
}

static void note(load_slave *slave, bool whole)
{
    FILE *to = slave->load->settings.journal;
    if (to == NULL)
        return;
    fprintf(to, "%s\t%s\t%s", slave->package, slave->version, !whole ? "given-up" : slave->good ? "good" : "failed");
    for (int64_t i = 0; whole && slave->good && i < slave->kind->files; i++)
        fprintf(to, "\t%s=%s", slave->wheels[i].filename, slave->wheels[i].hash);
    fputc('\n', to);
}

static int on_done(load_slave *slave)
{
    load_figures *figures = &slave->load->figures;
    bool whole = !slave->good || slave->next == slave->kind->files;
    figures->last_done_ns = piw_monotonic_ns();
    figures->ending_ns += (uint64_t)(figures->last_done_ns - slave->built_ns);
    figures->builds++;
    figures->failed += slave->good ? 0 : 1;
    if (!whole) {
        figures->given_up++;
        load_violation(figures, "slave %d: DONE with %s %s after %lld of its %lld files", slave->number, slave->package,
                       slave->version, (long long)slave->next, (long long)slave->kind->files);
    }
    note(slave, whole);
    load_want_turn(slave);
    return 0;
}

static int take(load_slave *slave, load_answer answer, const piw_msg *msg, piw_err *err)
{
    if (slave->asked == LOAD_HELLO && answer == LOAD_ACK) {
        const slave_ACK *ack = slave_ACK_of(msg);
        slave->id = ack->slave_id;
        if (slave->id <= 0 || ack->token.len >= sizeof(slave->token))
            return wrong(slave, msg);
        snprintf(slave->token, sizeof(slave->token), "%s", ack->token.s != NULL ? ack->token.s : "");
        slave->load->known++;
        load_want_turn(slave);
        return 0;
    }
    if (slave->asked == LOAD_IDLE && answer == LOAD_BUILD)
        return on_build(slave, slave_BUILD_of(msg), err);
    if (slave->asked == LOAD_IDLE && answer == LOAD_SLEEP)
        return on_sleep(slave);
    if (slave->asked == LOAD_BUSY && answer == LOAD_CONT)
        return slave->busy_left > 0 ? say_busy(slave, err) : say_built(slave, err);
    if ((slave->asked == LOAD_BUILT || slave->asked == LOAD_SENT) && answer == LOAD_SEND)
        return on_send(slave, slave_SEND_of(msg), msg, err);
    if ((slave->asked == LOAD_BUILT || slave->asked == LOAD_SENT) && answer == LOAD_DONE)
        return on_done(slave);
    return wrong(slave, msg);
}

static int on_answer(load_slave *slave, const piw_msg *msg, piw_err *err)
{
    load_figures *figures = &slave->load->figures;
    load_answer answer = (load_answer)(piw_msg_type_of(msg)->index - SLAVE_ACK);
    figures->answers[answer]++;
    if (slave->phase != LOAD_WAITS) {
        load_violation(figures, "slave %d: %s comes though nothing was asked", slave->number,
                       piw_msg_type_of(msg)->name);
        return 0;
    }
    load_times_add(&figures->times[slave->asked], piw_monotonic_ns() - slave->asked_ns);
    return take(slave, answer, msg, err);
}

static int hear_one(load_slave *slave, const load_frame *frames, size_t count, piw_err *err)
{
    piw_msg *msg = NULL;
    int rc = PIW_ESHAPE;
    if (count == 2 && frames[0].len == 0)
        rc = piw_decode(slave->load->protocol, 0, frames[1].data, frames[1].len, NULL, &msg, NULL, err);
    else
        piw_err_set(err, rc, "the slave queue sent a message of %zu frames", count);
    rc = rc != 0 ? rc : on_answer(slave, msg, err);
    piw_msg_free(&msg);
    return rc;
}

int load_slave_hear(load_slave *slave, uint32_t events, piw_err *err)
{
    load_frame frames[LOAD_FRAMES_MAX];
    size_t count;
    int rc = load_peer_move(&slave->master, events, err);
    while (rc == 0 && slave->phase != LOAD_ENDED && (rc = load_peer_next(&slave->master, frames, &count, err)) == 0)
        rc = hear_one(slave, frames, count, err);
    if (rc == PIW_ESHAPE || rc == PIW_ENET) {
        load_slave_lose(slave, err);
        return 0;
    }
    return rc == PIW_EAGAIN ? 0 : rc;
}

/* --- The clock, the ends --------------------------------------------------------------------------------------------- */

int load_slave_tick(load_slave *slave, int64_t now_ns, piw_err *err)
{
    load *all = slave->load;
    if (slave->phase == LOAD_SENDS)
        return load_transfer_tick(slave, now_ns, err);
    if (slave->phase == LOAD_WAITS && now_ns - slave->asked_ns > all->settings.patience_ms * NS_PER_MS) {
        load_violation(&all->figures, "slave %d (%lld) at %s %s: no answer within %lld s", slave->number,
                       (long long)slave->id, slave->package, slave->version,
                       (long long)(all->settings.patience_ms / 1000));
        load_slave_close(slave);
    }
    return 0;
}

int load_slave_open(load_slave *slave, piw_err *err)
{
    const load_settings *settings = &slave->load->settings;
    slave->wheels = piw_zalloc((size_t)slave->load->kinds.files_max * sizeof(*slave->wheels) + 1);
    int rc = load_peer_open(&slave->master, settings->slave_queue, "REQ", slave->load->epoll_fd,
                            (uint64_t)slave->number * 2, settings->wait_ms, err);
    return rc != 0 ? rc : say_hello(slave, err);
}

/* Each file that was sent whole is said to be. */
int load_slave_hear_files(load_slave *slave, uint32_t events, piw_err *err)
{
    bool sent;
    int rc = load_peer_move(&slave->files, events, err);
    do {
        rc = rc != 0 ? rc : load_transfer_hear(slave, &sent, err);
        if (rc == 0 && sent)
            rc = ask(slave, LOAD_SENT, slave_SENT_new(), err);
    } while (rc == 0 && sent);
    if (rc == PIW_ESHAPE || rc == PIW_ENET) {
        load_slave_lose(slave, err);
        return 0;
    }
    return rc;
}
