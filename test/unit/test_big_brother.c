/* big_brother as it is, with slave_driver beside it: what a monitor sees and what its commands do. */
#include "control.piw.h"
#include "farm.h"
#include "status.piw.h"
#include "zmtp.h"

static farm f;
static const char *const tasks[] = {"fake_house", "slave_driver", "big_brother", NULL};
static const char *const queues[] = {"slave", "status", "control", NULL};
static const char *const two[] = {"p", "1.0", "p", "2.0", NULL};
static piw_client *status, *control;

static void connect_monitor(void)
{
    piw_err err = {0};
    char address[64];
    piw_protocol_use(&status_protocol_def);
    piw_protocol_use(&control_protocol_def);
    snprintf(address, sizeof(address), "ipc://%s/status", f.dir);
    ck_assert_int_eq(piw_client_open(&status, &status_protocol_def, address, PIW_CBOR, &err), 0);
    snprintf(address, sizeof(address), "ipc://%s/control", f.dir);
    ck_assert_int_eq(piw_client_open(&control, &control_protocol_def, address, PIW_CBOR, &err), 0);
}

static void command(piw_msg *msg)
{
    piw_err err = {0};
    ck_assert_msg(piw_client_send(control, &msg, FARM_WAIT_MS, &err) == 0, "%s", err.text);
}

/* The next thing published: "HELLO", "STATS", "SLAVE 1 BUILD". */
static const char *see(void)
{
    static char text[128];
    piw_err err = {0};
    piw_msg *msg = NULL;
    int failed = piw_client_recv(status, &msg, FARM_WAIT_MS, &err);
    ck_assert_msg(failed == 0, "nothing was published: %s", err.text);
    if (piw_msg_type_of(msg) == status_SLAVE_type())
        snprintf(text, sizeof(text), "SLAVE %lld %s", (long long)status_SLAVE_of(msg)->slave_id,
                 status_SLAVE_of(msg)->message.s);
    else
        snprintf(text, sizeof(text), "%s", piw_msg_type_of(msg)->name);
    piw_msg_free(&msg);
    return text;
}

/* The next one that isn't the master's STATS, which come by the clock. */
static const char *see_other(void)
{
    const char *text = see();
    while (strcmp(text, "STATS") == 0)
        text = see();
    return text;
}

/* A subscription is there when something comes through: commands are repeated until it does. */
static void meet(void)
{
    piw_err err = {0};
    piw_msg *msg = NULL;
    for (int i = 0; i < 200 && msg == NULL; i++) {
        command(control_HELLO_new());
        int failed = piw_client_recv(status, &msg, 100, &err);
        ck_assert(failed == 0 || failed == PIW_EAGAIN);
    }
    ck_assert_ptr_nonnull(msg);
    piw_msg_free(&msg);
    /* What the other HELLOs called forth is read until a while nothing comes. */
    while (piw_client_recv(status, &msg, 500, &err) == 0)
        piw_msg_free(&msg);
}

static void setup(void)
{
    memset(&f, 0, sizeof(f));
    farm_start(&f, tasks, queues);
    connect_monitor();
    meet();
}

static void teardown(void)
{
    piw_client_close(&status);
    piw_client_close(&control);
    farm_stop(&f);
}

#define SAYS(slave, msg, answer) ck_assert_str_eq(slave_say(slave, msg), answer)
#define SEES(text)               ck_assert_str_eq(see_other(), text)

START_TEST(shows_what_slaves_do_and_shows_it_again)
{
    piw_client *slave = slave_connect(&f, PIW_MSGPACK);
    farm_queue(&f, "cp311", two);
    SAYS(slave, hello(), "ACK 1 https://pypi.org/simple");
    SEES("SLAVE 1 HELLO");
    SEES("SLAVE 1 ACK");
    SAYS(slave, idle(), "BUILD p 1.0");
    SEES("SLAVE 1 STATS");
    SEES("SLAVE 1 BUILD");
    SAYS(slave, busy(), "CONT");
    SEES("SLAVE 1 STATS");
    command(control_HELLO_new());
    SEES("HELLO");
    SEES("SLAVE 1 HELLO");
    SEES("SLAVE 1 STATS");
    SEES("SLAVE 1 STATS");
    SEES("SLAVE 1 BUILD");
    /* On another HELLO the kept STATS come between HELLO and ACK. */
    SAYS(slave, hello(), "ACK 1 https://pypi.org/simple");
    SEES("SLAVE 1 HELLO");
    SEES("SLAVE 1 STATS");
    SEES("SLAVE 1 STATS");
    SEES("SLAVE 1 ACK");
    slave_send(slave, slave_BYE_new());
    SEES("SLAVE 1 DIE");
    command(control_HELLO_new());
    SEES("HELLO");
    command(control_HELLO_new()); /* nothing of the slave that has gone lies between */
    SEES("HELLO");
    piw_client_close(&slave);
}
END_TEST

START_TEST(monitors_see_ten_fields_of_a_hello)
{
    piw_err err = {0};
    piw_msg *msg = NULL;
    piw_client *slave = slave_connect(&f, PIW_MSGPACK);
    SAYS(slave, say_hello("cp311", 300000, 10800000, PIW_VERSION), "ACK 1 https://pypi.org/simple");
    do {
        piw_msg_free(&msg);
        ck_assert_int_eq(piw_client_recv(status, &msg, FARM_WAIT_MS, &err), 0);
    } while (piw_msg_type_of(msg) != status_SLAVE_type());
    const status_SLAVE *body = status_SLAVE_of(msg);
    ck_assert_str_eq(body->message.s, "HELLO");
    ck_assert_uint_gt(body->data.raw.len, 0);
    ck_assert_uint_eq(body->data.raw.data[0], 0x8a);
    piw_msg_free(&msg);
    piw_client_close(&slave);
}
END_TEST

START_TEST(shows_the_figures)
{
    piw_err err = {0};
    piw_msg *msg = NULL;
    command(control_HELLO_new());
    ck_assert_int_eq(piw_client_recv(status, &msg, FARM_WAIT_MS, &err), 0);
    const master_hello *hello_body = status_HELLO_of(msg);
    ck_assert_int_gt(hello_body->started.us, 0);
    ck_assert_int_gt(hello_body->label.len, 0);
    ck_assert_int_gt(hello_body->board_serial.len, 0);
    piw_msg_free(&msg);
    ck_assert_int_eq(piw_client_recv(status, &msg, FARM_WAIT_MS, &err), 0);
    const master_stats *stats = status_STATS_of(msg);
    ck_assert_int_eq(stats->packages_built, 7);
    ck_assert_uint_eq(stats->builds_pending.count, 2);
    ck_assert_str_eq(stats->builds_pending.at[0].key.s, "cp311");
    ck_assert_int_eq(stats->builds_pending.at[0].value, 4);
    ck_assert_int_gt(stats->mem_size, stats->mem_free);
    piw_msg_free(&msg);
}
END_TEST

START_TEST(orders_reach_the_slaves)
{
    piw_client *slave = slave_connect(&f, PIW_CBOR);
    farm_queue(&f, "cp311", two);
    SAYS(slave, hello(), "ACK 1 https://pypi.org/simple");
    SAYS(slave, idle(), "BUILD p 1.0");
    /* Orders and slaves come in through different sockets: what a HELLO on the same way shows says that they are in. */
    command(control_SKIP_make((int64_t[]){1}));
    command(control_HELLO_new());
    while (strcmp(see(), "HELLO") != 0)
        ;
    for (const char *answer = "CONT"; strcmp(answer, "CONT") == 0;) {
        answer = slave_say(slave, busy());
        ck_assert(strcmp(answer, "CONT") == 0 || strcmp(answer, "DONE") == 0);
    }
    command(control_SLEEP_make(NULL));
    const char *answer = "SLEEP false";
    for (int i = 0; i < 1000 && strcmp(answer, "SLEEP true") != 0; i++) {
        answer = slave_say(slave, idle());
        if (strncmp(answer, "BUILD", 5) == 0)
            SAYS(slave, built(false, "", NULL), "DONE");
    }
    ck_assert_str_eq(answer, "SLEEP true");
    command(control_WAKE_make(NULL));
    for (int i = 0; i < 1000 && strcmp(answer, "SLEEP true") == 0; i++)
        answer = slave_say(slave, idle());
    ck_assert_str_ne(answer, "SLEEP true");
    piw_client_close(&slave);
}
END_TEST

/* Say IDLE until the answer is the one: what big_brother announces comes to slave_driver on another way. */
static void idle_until(piw_client *slave, const char *expected)
{
    const char *answer = "";
    for (int i = 0; i < 1000 && strcmp(answer, expected) != 0; i++)
        answer = slave_say(slave, idle());
    ck_assert_str_eq(answer, expected);
}

START_TEST(a_full_disk_pauses_the_farm)
{
    const int64_t low = 900000000, at_the_limit = 1100000000, room = 2000000000;
    piw_client *slave = slave_connect(&f, PIW_CBOR);
    SAYS(slave, hello(), "ACK 1 https://pypi.org/simple");
    SAYS(slave, idle(), "SLEEP false");
    farm_tell(&f, fake_DISK_make(low));
    idle_until(slave, "SLEEP true");
    /* WAKE doesn't help, nor does a little room. */
    command(control_WAKE_make(NULL));
    farm_tell(&f, fake_DISK_make(at_the_limit));
    command(control_HELLO_new());
    while (strcmp(see(), "HELLO") != 0)
        ;
    SAYS(slave, idle(), "SLEEP true");
    farm_tell(&f, fake_DISK_make(room));
    idle_until(slave, "SLEEP false");
    piw_client_close(&slave);
}
END_TEST

START_TEST(a_swap_forgets_nothing)
{
    piw_err err = {0};
    piw_client *slave = slave_connect(&f, PIW_CBOR);
    SAYS(slave, hello(), "ACK 1 https://pypi.org/simple");
    SAYS(slave, idle(), "SLEEP false");
    SEES("SLAVE 1 HELLO");
    SEES("SLAVE 1 ACK");
    SEES("SLAVE 1 STATS");
    SEES("SLAVE 1 SLEEP");
    ck_assert_msg(piw_runtime_replace(f.runtime, "big_brother", "big_brother.so", &err) == 0, "%s", err.text);
    command(control_HELLO_new());
    SEES("HELLO");
    SEES("SLAVE 1 HELLO");
    SEES("SLAVE 1 STATS");
    SEES("SLAVE 1 SLEEP");
    piw_client_close(&slave);
}
END_TEST

START_TEST(a_restart_asks_slave_driver_for_the_slaves)
{
    piw_err err = {0};
    piw_client *slave = slave_connect(&f, PIW_CBOR);
    SAYS(slave, hello(), "ACK 1 https://pypi.org/simple");
    SAYS(slave, idle(), "SLEEP false");
    SEES("SLAVE 1 HELLO");
    SEES("SLAVE 1 ACK");
    SEES("SLAVE 1 STATS");
    SEES("SLAVE 1 SLEEP");
    ck_assert_msg(piw_runtime_restart(f.runtime, "big_brother", &err) == 0, "%s", err.text);
    SEES("SLAVE 1 SLEEP"); /* the replay has come: the slave is known again */
    command(control_HELLO_new());
    SEES("HELLO");
    SEES("SLAVE 1 HELLO");
    SEES("SLAVE 1 SLEEP");
    piw_client_close(&slave);
}
END_TEST

START_TEST(quit_stops_the_master)
{
    piw_err err = {0};
    command(control_QUIT_new());
    ck_assert_msg(piw_runtime_run(f.runtime, &err) == 0, "%s", err.text);
}
END_TEST

/* --- What a replay has, in full ---------------------------------------------------------------------------------- */

/* The next SLAVE message, ours to free. */
static piw_msg *see_slave(void)
{
    piw_err err = {0};
    piw_msg *msg = NULL;
    do {
        piw_msg_free(&msg);
        ck_assert_msg(piw_client_recv(status, &msg, FARM_WAIT_MS, &err) == 0, "%s", err.text);
    } while (piw_msg_type_of(msg) != status_SLAVE_type());
    return msg;
}

/* It must be this; its time, and how its data lie: "value", "null" or "nodata". */
static int64_t see_exactly(const char *word, const char *data)
{
    piw_msg *msg = see_slave();
    const status_SLAVE *body = status_SLAVE_of(msg);
    ck_assert_str_eq(body->message.s, word);
    ck_assert_str_eq(body->data.nodata ? "nodata" : body->data.raw.len == 0 ? "null" : "value", data);
    int64_t at = body->timestamp.us;
    piw_msg_free(&msg);
    return at;
}

START_TEST(a_replay_has_a_hundred_stats_and_its_stamps)
{
    piw_client *slave = slave_connect(&f, PIW_MSGPACK);
    farm_queue(&f, "cp311", two);
    SAYS(slave, hello(), "ACK 1 https://pypi.org/simple");
    int64_t first_seen = see_exactly("HELLO", "value");
    see_exactly("ACK", "value");
    SAYS(slave, idle(), "BUILD p 1.0");
    see_exactly("STATS", "value");
    int64_t given = see_exactly("BUILD", "value"), last_seen = given;
    for (int i = 0; i < 120; i++) {
        SAYS(slave, busy(), "CONT"); /* which is not shown */
        last_seen = see_exactly("STATS", "value");
    }
    ck_assert_int_gt(last_seen, given);
    command(control_HELLO_new());
    ck_assert_int_eq(see_exactly("HELLO", "value"), first_seen);
    for (int i = 0; i < 100; i++)
        see_exactly("STATS", "value");
    ck_assert_int_eq(see_exactly("BUILD", "value"), last_seen);
    piw_client_close(&slave);
}
END_TEST

START_TEST(replies_without_data_carry_the_mark_and_expiry_null)
{
    piw_client *slave = slave_connect(&f, PIW_CBOR), *silent = slave_connect(&f, PIW_CBOR);
    SAYS(slave, hello(), "ACK 1 https://pypi.org/simple");
    see_exactly("HELLO", "value");
    see_exactly("ACK", "value");
    command(control_KILL_make((int64_t[]){1}));
    idle_until(slave, "DIE");
    piw_msg *msg = see_slave();
    while (!piw_text_is(status_SLAVE_of(msg)->message, "DIE")) {
        piw_msg_free(&msg);
        msg = see_slave();
    }
    ck_assert(status_SLAVE_of(msg)->data.nodata);
    piw_msg_free(&msg);
    slave_send(slave, slave_BYE_new());
    see_exactly("DIE", "nodata");
    SAYS(silent, say_hello("cp311", 1000, 10800000, NULL), "ACK 2 https://pypi.org/simple");
    see_exactly("HELLO", "value");
    see_exactly("ACK", "value");
    see_exactly("DIE", "null");
    piw_client_close(&slave);
    piw_client_close(&silent);
}
END_TEST

START_TEST(only_words_that_monitors_know_are_shown)
{
    farm_tell(&f, fake_SHOW_make(7, piw_text_of("CONT")));
    farm_tell(&f, fake_SHOW_make(7, piw_text_of("DANCE")));
    farm_tell(&f, fake_SHOW_make(7, piw_text_of("DONE")));
    SEES("SLAVE 7 DONE");
}
END_TEST

enum { MANY = 60, EACH = 60 };

/* Slaves that have all said BUSY so often. */
static void many_slaves(piw_client *slaves[MANY], int times)
{
    for (int i = 0; i < MANY; i++) {
        slaves[i] = slave_connect(&f, PIW_MSGPACK);
        slave_say(slaves[i], hello());
        for (int k = 0; k < times; k++)
            SAYS(slaves[i], busy(), "CONT");
    }
}

static void close_all(piw_client *slaves[MANY])
{
    for (int i = 0; i < MANY; i++)
        piw_client_close(&slaves[i]);
}

START_TEST(a_swap_does_not_cut_a_replay)
{
    piw_err err = {0};
    piw_client *slaves[MANY];
    bool seen[MANY + 1] = {false};
    many_slaves(slaves, EACH);
    while (strcmp(see_other(), "SLAVE 60 ACK") != 0)
        continue;
    for (int i = 0; i < EACH; i++)
        SEES("SLAVE 60 STATS");
    for (int swap = 0; swap < 3; swap++) {
        command(control_HELLO_new());
        SEES("HELLO");
        SEES("SLAVE 1 HELLO"); /* it has begun */
        ck_assert_msg(piw_runtime_replace(f.runtime, "big_brother", "big_brother.so", &err) == 0, "%s", err.text);
        for (int id = 2; id <= MANY; id++)
            seen[id] = false;
        while (!seen[MANY]) {
            int id;
            if (sscanf(see_other(), "SLAVE %d HELLO", &id) == 1)
                seen[id] = true;
        }
        for (int id = 2; id <= MANY; id++)
            ck_assert_msg(seen[id], "slave %d was left out", id);
        while (strcmp(see_other(), "SLAVE 60 ACK") != 0)
            continue;
    }
    close_all(slaves);
}
END_TEST

/* Until nothing comes for a while. */
static void read_all(void)
{
    piw_err err = {0};
    piw_msg *msg = NULL;
    while (piw_client_recv(status, &msg, 1000, &err) == 0)
        piw_msg_free(&msg);
}

static void read_bound(int fd, int ms)
{
    struct timeval bound = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound)), 0);
}

/* A monitor that reads nothing until all was published: none of it may be dropped. */
START_TEST(a_slow_monitor_gets_all_of_a_replay)
{
    piw_client *slaves[MANY];
    char address[256];
    uint8_t bytes[4096];
    int flags, count = 0;
    bool there = false;
    snprintf(address, sizeof(address), "ipc://%s/status", f.dir);
    many_slaves(slaves, EACH);
    int fd = zmtp_connect(address, "SUB", NULL);
    ck_assert_int_ge(fd, 0);
    ck_assert(zmtp_frame(fd, false, "\1", 1));
    read_bound(fd, 500);
    for (int i = 0; i < 40 && !there; i++) { /* it has subscribed when something comes */
        command(control_HELLO_new());
        there = recv(fd, bytes, 1, MSG_PEEK) == 1;
    }
    ck_assert(there);
    read_all();
    command(control_HELLO_new());
    read_all(); /* the other monitor has had the last replay: all of it is out */
    int64_t until = piw_monotonic_ns() + FARM_WAIT_MS * INT64_C(1000000);
    do {
        for (int len; (len = zmtp_recv(fd, bytes, sizeof(bytes), &flags)) >= 0;)
            if ((flags & ZMTP_COMMAND) == 0 && len > 8) {
                count += memcmp(bytes + 1, "\x65SLAVE", 6) == 0;
                if (memcmp(bytes + 1, "\x65HELLO", 6) == 0)
                    count = 0; /* of the last replay alone: what is dropped is dropped at the end */
            }
    } while (count != MANY * (EACH + 2) && piw_monotonic_ns() < until);
    ck_assert_int_eq(count, MANY * (EACH + 2));
    close(fd);
    close_all(slaves);
}
END_TEST

/* --- Orders, one by one ------------------------------------------------------------------------------------------ */

START_TEST(orders_by_number_and_for_all)
{
    piw_client *one = slave_connect(&f, PIW_CBOR), *other = slave_connect(&f, PIW_MSGPACK);
    SAYS(one, hello(), "ACK 1 https://pypi.org/simple");
    SAYS(other, hello(), "ACK 2 https://pypi.org/simple");
    command(control_SLEEP_make((int64_t[]){2}));
    idle_until(other, "SLEEP true");
    SAYS(one, idle(), "SLEEP false");
    command(control_WAKE_make((int64_t[]){2}));
    idle_until(other, "SLEEP false");
    command(control_SLEEP_make(NULL));
    idle_until(one, "SLEEP true");
    idle_until(other, "SLEEP true");
    command(control_WAKE_make((int64_t[]){2})); /* the farm stays paused */
    command(control_KILL_make((int64_t[]){7})); /* there is none */
    SAYS(other, idle(), "SLEEP true");
    command(control_WAKE_make(NULL));
    idle_until(one, "SLEEP false");
    idle_until(other, "SLEEP false");
    farm_queue(&f, "cp311", two);
    idle_until(one, "BUILD p 1.0");
    idle_until(other, "BUILD p 2.0");
    command(control_SKIP_make(NULL));
    for (int i = 0; i < 1000 && strcmp(slave_say(one, busy()), "DONE") != 0; i++)
        continue;
    SAYS(other, busy(), "DONE");
    command(control_KILL_make(NULL));
    idle_until(one, "DIE");
    SAYS(other, idle(), "DIE");
    piw_client_close(&one);
    piw_client_close(&other);
}
END_TEST

/* --- A pause outlives this task ---------------------------------------------------------------------------------- */

static void restart(void)
{
    piw_err err = {0};
    ck_assert_msg(piw_runtime_restart(f.runtime, "big_brother", &err) == 0, "%s", err.text);
}

START_TEST(a_restart_knows_that_the_disk_was_full)
{
    const char *answer = "";
    piw_client *slave = slave_connect(&f, PIW_CBOR);
    SAYS(slave, hello(), "ACK 1 https://pypi.org/simple");
    farm_tell(&f, fake_DISK_make(900000000));
    idle_until(slave, "SLEEP true");
    restart();
    for (int i = 0; i < 1000 && strcmp(answer, "SLEEP false") != 0; i++) {
        farm_tell(&f, fake_DISK_make(2000000000));
        answer = slave_say(slave, idle());
    }
    ck_assert_str_eq(answer, "SLEEP false");
    piw_client_close(&slave);
}
END_TEST

START_TEST(a_restart_knows_that_an_operator_paused)
{
    piw_client *slave = slave_connect(&f, PIW_CBOR);
    SAYS(slave, hello(), "ACK 1 https://pypi.org/simple");
    command(control_SLEEP_make(NULL));
    idle_until(slave, "SLEEP true");
    const char *text = see_other();
    while (strcmp(text, "SLAVE 1 SLEEP") != 0)
        text = see_other();
    piw_msg *msg = NULL;
    piw_err err = {0};
    while (piw_client_recv(status, &msg, 500, &err) == 0)
        piw_msg_free(&msg);
    restart();
    SEES("SLAVE 1 SLEEP"); /* what slave_driver knows has come */
    farm_tell(&f, fake_DISK_make(900000000));
    farm_tell(&f, fake_DISK_make(2000000000));
    command(control_HELLO_new());
    while (strcmp(see(), "HELLO") != 0)
        continue;
    SAYS(slave, idle(), "SLEEP true");
    command(control_WAKE_make(NULL));
    idle_until(slave, "SLEEP false");
    piw_client_close(&slave);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("big_brother");
    TCase *tests = tcase_create("big_brother");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, shows_what_slaves_do_and_shows_it_again);
    tcase_add_test(tests, monitors_see_ten_fields_of_a_hello);
    tcase_add_test(tests, shows_the_figures);
    tcase_add_test(tests, orders_reach_the_slaves);
    tcase_add_test(tests, a_full_disk_pauses_the_farm);
    tcase_add_test(tests, a_swap_forgets_nothing);
    tcase_add_test(tests, a_restart_asks_slave_driver_for_the_slaves);
    tcase_add_test(tests, a_replay_has_a_hundred_stats_and_its_stamps);
    tcase_add_test(tests, replies_without_data_carry_the_mark_and_expiry_null);
    tcase_add_test(tests, only_words_that_monitors_know_are_shown);
    tcase_add_test(tests, a_swap_does_not_cut_a_replay);
    tcase_add_test(tests, a_slow_monitor_gets_all_of_a_replay);
    tcase_add_test(tests, orders_by_number_and_for_all);
    tcase_add_test(tests, a_restart_knows_that_the_disk_was_full);
    tcase_add_test(tests, a_restart_knows_that_an_operator_paused);
    tcase_add_test(tests, quit_stops_the_master);
    suite_add_tcase(suite, tests);
    return suite;
}
