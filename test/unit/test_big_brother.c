/* big_brother as it is, with slave_driver beside it: what a monitor sees and what its orders do. */
#include "control.piw.h"
#include "farm.h"
#include "status.piw.h"

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

static void order(piw_msg *msg)
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

/* A subscription is there when something comes through: orders are repeated until it does. */
static void meet(void)
{
    piw_err err = {0};
    piw_msg *msg = NULL;
    for (int i = 0; i < 200 && msg == NULL; i++) {
        order(control_HELLO_new());
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
    order(control_HELLO_new());
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
    order(control_HELLO_new());
    SEES("HELLO");
    order(control_HELLO_new()); /* nothing of the slave that has gone lies between */
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
    order(control_HELLO_new());
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
    order(control_SKIP_make((int64_t[]){1}));
    order(control_HELLO_new());
    while (strcmp(see(), "HELLO") != 0)
        ;
    for (const char *answer = "CONT"; strcmp(answer, "CONT") == 0;) {
        answer = slave_say(slave, busy());
        ck_assert(strcmp(answer, "CONT") == 0 || strcmp(answer, "DONE") == 0);
    }
    order(control_SLEEP_make(NULL));
    const char *answer = "SLEEP false";
    for (int i = 0; i < 1000 && strcmp(answer, "SLEEP true") != 0; i++) {
        answer = slave_say(slave, idle());
        if (strncmp(answer, "BUILD", 5) == 0)
            SAYS(slave, built(false, "", NULL), "DONE");
    }
    ck_assert_str_eq(answer, "SLEEP true");
    order(control_WAKE_make(NULL));
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
    order(control_WAKE_make(NULL));
    farm_tell(&f, fake_DISK_make(at_the_limit));
    order(control_HELLO_new());
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
    order(control_HELLO_new());
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
    order(control_HELLO_new());
    SEES("HELLO");
    SEES("SLAVE 1 HELLO");
    SEES("SLAVE 1 SLEEP");
    piw_client_close(&slave);
}
END_TEST

START_TEST(quit_stops_the_master)
{
    piw_err err = {0};
    order(control_QUIT_new());
    ck_assert_msg(piw_runtime_run(f.runtime, &err) == 0, "%s", err.text);
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
    tcase_add_test(tests, quit_stops_the_master);
    suite_add_tcase(suite, tests);
    return suite;
}
