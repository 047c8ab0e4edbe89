/* slave_driver and the connections of its slaves: what ends with one, what comes back by the next, whose IDLE waits. */
#include "driver.h"

#include "piw/limits.h"

static void setup_with(const char *option, const char *value)
{
    memset(&f, 0, sizeof(f));
    f.settings[0] = "pypi-simple";
    f.settings[1] = "http://simple.test/simple";
    f.option[0] = "slave_driver";
    f.option[1] = option;
    f.option[2] = value;
    farm_start(&f, tasks, queues);
}

static const int64_t gone_after_ns = 1000000000;

static void setup_hasty(void)
{
    setup_with("gone-after", "1s");
}

static void setup_few(void)
{
    setup_with("per-address", "2");
}

/* Long enough for a slave that speaks, on a machine that has little time for it. */
static void setup_strict(void)
{
    setup_with("busy-timeout", "3s");
}

/* IDLE whose answer may wait. */
static piw_msg *patient(int64_t wait_s)
{
    slave_stats *body;
    piw_msg *msg = slave_IDLE_new(&body);
    int64_t *wait = piw_msg_alloc(msg, sizeof(*wait));
    *wait = wait_s;
    body->timestamp = piw_time_now();
    body->wait = wait;
    return msg;
}

/* Says it, and waits until slave_driver has heard it: the answer is not there then. */
static void asks(piw_client *slave, piw_msg *msg)
{
    uint64_t handled = farm_driver(&f).handled;
    slave_send(slave, msg);
    int64_t until_ns = piw_monotonic_ns() + FARM_WAIT_MS * INT64_C(1000000);
    while (farm_driver(&f).deferred == 0) {
        ck_assert_msg(piw_monotonic_ns() < until_ns, "IDLE does not wait (%llu messages later)",
                      (unsigned long long)(farm_driver(&f).handled - handled));
        usleep(500);
    }
}

static piw_client *waiting(piw_codec codec)
{
    piw_client *slave = slave_connect(&f, codec);
    SAYS(slave, hello(), ACK(1));
    asks(slave, patient(60));
    return slave;
}

START_TEST(an_idle_waits_for_work)
{
    piw_client *slave = waiting(PIW_MSGPACK);
    farm_queue(&f, "cp311", two);
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "BUILD p 1.0");
    SAYS(slave, built(false, "log", NULL), "DONE");
    SAYS(slave, idle(), "BUILD p 2.0");
    piw_client_close(&slave);
}
END_TEST

START_TEST(a_swap_leaves_it_waiting)
{
    piw_client *slave = waiting(PIW_MSGPACK);
    swap();
    farm_queue(&f, "cp311", two);
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "BUILD p 1.0");
    piw_client_close(&slave);
}
END_TEST

START_TEST(orders_end_the_wait)
{
    piw_client *slave = waiting(PIW_MSGPACK);
    farm_order(&f, "SLEEP", 1);
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "SLEEP true");
    farm_order(&f, "WAKE", 1);
    asks(slave, patient(60));
    farm_pause(&f, true);
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "SLEEP true");
    farm_pause(&f, false);
    asks(slave, patient(60));
    farm_order(&f, "KILL", 1);
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "DIE");
    piw_client_close(&slave);
}
END_TEST

START_TEST(a_stop_ends_the_wait)
{
    piw_client *slave = waiting(PIW_MSGPACK);
    int64_t began_ns = piw_monotonic_ns();
    piw_runtime_stop(f.runtime);
    ck_assert_int_lt(piw_monotonic_ns() - began_ns, PIW_LIMIT_DRAIN_MS * INT64_C(1000000));
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "SLEEP false");
    piw_client_close(&slave);
}
END_TEST

START_TEST(a_wait_ends)
{
    piw_client *slave = slave_connect(&f, PIW_MSGPACK);
    SAYS(slave, hello(), ACK(1));
    SAYS(slave, patient(1), "SLEEP false");
    SAYS(slave, patient(-1), "SLEEP false");
    farm_wait(&f, "message='STATS'", 1);
    piw_client_close(&slave);
}
END_TEST

/* A stock slave asks for nothing; but what waits behind the window it is not told to sleep for. */
START_TEST(nobody_sleeps_while_there_is_work)
{
    static const char *const more[] = {"p", "3.0", NULL};
    piw_client *slave = slave_connect(&f, PIW_CBOR), *other = slave_connect(&f, PIW_CBOR);
    farm_set(&f, "behind", "5");
    farm_queue(&f, "cp311", two);
    SAYS(slave, hello(), ACK(1));
    SAYS(slave, idle(), "BUILD p 1.0");
    const char *wanted = farm_wait(&f, "WANTED(abi_tag='cp311'", 1);
    ck_assert_msg(strstr(wanted, "count=1005, now=true") != NULL, "%s", wanted);
    SAYS(slave, built(false, "log", NULL), "DONE");
    SAYS(slave, idle(), "BUILD p 2.0");
    SAYS(other, hello(), ACK(2));
    asks(other, idle());
    ck_assert_int_eq(farm_count(&f, "WANTED("), 1);
    farm_set(&f, "behind", "0");
    farm_queue(&f, "cp311", more);
    ck_assert_str_eq(slave_hear(other, FARM_WAIT_MS), "BUILD p 3.0");
    piw_client_close(&slave);
    piw_client_close(&other);
}
END_TEST

/* The master has just started: whether there is work nobody knows before the first window has come. */
START_TEST(nobody_sleeps_before_the_first_window)
{
    static const char *const none[] = {NULL};
    piw_client *slave = slave_connect(&f, PIW_CBOR);
    SAYS(slave, hello(), ACK(1));
    asks(slave, idle());
    farm_queue(&f, "cp311", two);
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "BUILD p 1.0");
    SAYS(slave, built(false, "log", NULL), "DONE");
    farm_queue(&f, "cp311", none);
    int64_t began_ns = piw_monotonic_ns();
    SAYS(slave, idle(), "SLEEP false");
    ck_assert_int_lt(piw_monotonic_ns() - began_ns, INT64_C(1000000000));
    piw_client_close(&slave);
}
END_TEST

START_TEST(a_record_ends_with_its_connection)
{
    piw_client *slave = slave_connect(&f, PIW_CBOR);
    SAYS(slave, hello(), ACK(1));
    SAYS(slave, idle(), "SLEEP false");
    piw_client_close(&slave);
    farm_wait(&f, "SLAVE_GONE(slave_id=1)", 1);
    piw_client *patient_one = slave_connect(&f, PIW_MSGPACK);
    SAYS(patient_one, hello(), ACK(2));
    asks(patient_one, patient(60));
    piw_client_close(&patient_one);
    farm_wait(&f, "SLAVE_GONE(slave_id=2)", 1);
    ck_assert_uint_eq(farm_driver(&f).deferred, 0);
}
END_TEST

START_TEST(a_build_returns_when_its_connection_has_gone)
{
    piw_client *slave = building(300000, 10800000);
    int64_t closed_ns = piw_monotonic_ns();
    piw_client_close(&slave);
    slave = slave_connect(&f, PIW_CBOR);
    SAYS(slave, hello(), ACK(2));
    /* Its address has one build and one connection: before the build returns there is nothing for it. */
    bool early = strcmp(slave_say(slave, idle()), "SLEEP false") == 0;
    ck_assert(early || piw_monotonic_ns() - closed_ns >= gone_after_ns);
    farm_wait(&f, "SLAVE_GONE(slave_id=1)", 1);
    farm_wait(
        &f, "ATTEMPT_END(slave_id=1, package='p', version='1.0', abi_tag='cp311', cause='its connection has gone')", 1);
    if (early)
        SAYS(slave, idle(), "BUILD p 1.0");
    farm_wait(&f, "ATTEMPT(slave_id=2, package='p', version='1.0'", 1);
    piw_client_close(&slave);
}
END_TEST

START_TEST(an_address_has_no_more_builds_than_connections)
{
    piw_client *slave = building(300000, 10800000);
    piw_client_close(&slave);
    slave = slave_connect(&f, PIW_CBOR);
    piw_client *other = slave_connect(&f, PIW_CBOR), *third = slave_connect(&f, PIW_CBOR);
    SAYS(slave, hello(), ACK(2));
    SAYS(slave, idle(), "SLEEP false");
    SAYS(other, hello(), ACK(3));
    SAYS(slave, idle(), "BUILD p 2.0");
    SAYS(other, idle(), "SLEEP false");
    SAYS(third, hello(), ACK(4));
    piw_client_close(&slave);
    piw_client_close(&other);
    piw_client_close(&third);
}
END_TEST

START_TEST(our_slave_goes_on_by_its_next_connection)
{
    piw_client *slave = building(300000, 10800000);
    piw_client_close(&slave);
    slave = slave_connect(&f, PIW_MSGPACK);
    slave_claim said = {.slave_id = 1, .package = piw_text_of("p"), .version = piw_text_of("1.0")};
    piw_msg *msg = say_hello("cp311", 300000, 10800000, PIW_VERSION);
    slave_HELLO_of(msg);
    slave_claim *claim = piw_msg_alloc(msg, sizeof(*claim));
    *claim = said;
    ((slave_hello *)piw_msg_any_body(msg))->claim = claim;
    SAYS(slave, msg, ACK(2));
    SAYS(slave, busy(), "CONT");
    farm_wait(&f, "SLAVE_GONE(slave_id=1)", 1);
    farm_wait(&f, "ATTEMPT(slave_id=2, package='p', version='1.0'", 1);
    SAYS(slave, built(false, "log\n", NULL), "DONE");
    farm_wait(&f, "LOGBUILD(build_id=100, slave_id=2, package='p', version='1.0'", 1);
    SAYS(slave, idle(), "BUILD p 2.0");
    piw_client_close(&slave);
}
END_TEST

/* A claim says whatever it likes: as long as the connection is there, the build is the other's. */
START_TEST(what_another_builds_is_not_claimed)
{
    piw_client *slave = building(300000, 10800000), *thief = slave_connect(&f, PIW_MSGPACK);
    piw_msg *msg = say_hello("cp311", 300000, 10800000, PIW_VERSION);
    slave_claim *claim = piw_msg_alloc(msg, sizeof(*claim));
    *claim = (slave_claim){.slave_id = 1, .package = piw_text_of("p"), .version = piw_text_of("1.0")};
    ((slave_hello *)piw_msg_any_body(msg))->claim = claim;
    SAYS(thief, msg, ACK(2));
    SAYS(thief, busy(), "DONE");
    SAYS(slave, busy(), "CONT");
    piw_client_close(&slave);
    piw_client_close(&thief);
}
END_TEST

/* The token of its ACK; "" when there is none. */
static const char *token_of(piw_client *slave, piw_msg *hello)
{
    static char token[80];
    piw_err err = {0};
    piw_msg *answer = NULL;
    slave_send(slave, hello);
    ck_assert_msg(piw_client_recv(slave, &answer, FARM_WAIT_MS, &err) == 0, "%s", err.text);
    snprintf(token, sizeof(token), "%s", slave_ACK_of(answer)->token.s != NULL ? slave_ACK_of(answer)->token.s : "");
    piw_msg_free(&answer);
    return token;
}

START_TEST(who_tells_its_version_has_a_token)
{
    const char *const files[] = {"any", "linux_x86_64", NULL};
    piw_client *slave = slave_connect(&f, PIW_MSGPACK), *stock = slave_connect(&f, PIW_CBOR);
    char token[80], line[120];
    snprintf(token, sizeof(token), "%s", token_of(slave, say_hello("cp311", 300000, 10800000, PIW_VERSION)));
    ck_assert_uint_eq(strlen(token), 32);
    ck_assert_str_eq(token_of(slave, say_hello("cp311", 300000, 10800000, PIW_VERSION)), token);
    ck_assert_str_eq(token_of(stock, hello()), "");
    /* Monitors see nothing of it. */
    ck_assert_ptr_null(strstr(farm_wait(&f, "message='ACK'", 1), token));
    farm_queue(&f, "cp311", two);
    SAYS(slave, idle(), "BUILD p 1.0");
    SAYS(slave, built(true, "fine", files), "SEND p-1.0-py3-none-any.whl");
    snprintf(line, sizeof(line), "token='%s'", token);
    farm_wait(&f, line, 1);
    swap();
    SAYS(slave, slave_SENT_new(), "SEND p-1.0-py3-none-linux_x86_64.whl");
    farm_wait(&f, line, 2);
    piw_client_close(&slave);
    piw_client_close(&stock);
}
END_TEST

START_TEST(the_longest_silent_makes_room)
{
    piw_client *first = building(300000, 10800000), *second = slave_connect(&f, PIW_CBOR),
               *third = slave_connect(&f, PIW_CBOR);
    SAYS(second, hello(), ACK(2));
    SAYS(third, hello(), ACK(3));
    farm_wait(&f, "SLAVE_GONE(slave_id=2)", 1);
    SAYS(third, idle(), "BUILD p 2.0");
    SAYS(first, busy(), "CONT");
    piw_client *fourth = slave_connect(&f, PIW_CBOR);
    slave_send(fourth, hello()); /* all are at work */
    ck_assert_str_eq(slave_hear(fourth, 200), "nothing");
    piw_client_close(&first);
    piw_client_close(&second);
    piw_client_close(&third);
    piw_client_close(&fourth);
}
END_TEST

START_TEST(silence_is_bounded)
{
    piw_client *slave = building(86400000, 10800000);
    farm_wait(&f, "SLAVE_GONE(slave_id=1)", 1);
    piw_client_close(&slave);
}
END_TEST

/* It is busy all the time, and its file never comes. */
START_TEST(sending_is_bounded)
{
    piw_client *slave = building(86400000, 1000);
    SAYS(slave, built(true, "fine", one_file), "SEND p-1.0-py3-none-any.whl");
    int64_t until_ns = piw_monotonic_ns() + FARM_WAIT_MS * INT64_C(1000000);
    bool answered = true; /* no longer when the slave has gone */
    while (answered && piw_monotonic_ns() < until_ns) {
        slave_send(slave, busy());
        answered = strcmp(slave_hear(slave, 2000), "nothing") != 0;
    }
    farm_wait(&f, "SLAVE_GONE(slave_id=1)", 1);
    ck_assert_ptr_nonnull(
        strstr(farm_wait(&f, "ATTEMPT_FAILED(slave_id=1", 1), "cause='its files did not come in time'"));
    piw_client_close(&slave);
}
END_TEST

static void add(Suite *suite, const char *name, void (*with)(void), const TTest *const *list)
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, with, teardown);
    tcase_set_timeout(tests, 60);
    for (; *list != NULL; list++)
        tcase_add_test(tests, *list);
    suite_add_tcase(suite, tests);
}

Suite *unit_suite(void)
{
    Suite *suite = suite_create("driver_peers");
    add(suite, "waits", setup,
        (const TTest *const[]){an_idle_waits_for_work, a_swap_leaves_it_waiting, orders_end_the_wait,
                               a_stop_ends_the_wait, a_wait_ends, nobody_sleeps_while_there_is_work,
                               nobody_sleeps_before_the_first_window, a_record_ends_with_its_connection,
                               an_address_has_no_more_builds_than_connections, our_slave_goes_on_by_its_next_connection,
                               what_another_builds_is_not_claimed, who_tells_its_version_has_a_token, NULL});
    add(suite, "gone", setup_hasty, (const TTest *const[]){a_build_returns_when_its_connection_has_gone, NULL});
    add(suite, "few", setup_few, (const TTest *const[]){the_longest_silent_makes_room, NULL});
    add(suite, "strict", setup_strict, (const TTest *const[]){silence_is_bounded, sending_is_bounded, NULL});
    return suite;
}
