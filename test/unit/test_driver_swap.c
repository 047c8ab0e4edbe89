/* slave_driver goes over to a new plugin, or begins anew, in the middle of everything: slaves notice nothing, and monitors
 * are told what slaves were told. */
#include "driver.h"

#include <poll.h>

START_TEST(slaves_notice_nothing_of_a_swap)
{
    piw_client *slave = building(300000, 10800000), *other = slave_connect(&f, PIW_MSGPACK);
    SAYS(other, hello(), ACK(2));
    swap();
    SAYS(slave, busy(), "CONT");
    const char *const files[] = {"manylinux1_x86_64", "linux_x86_64", NULL};
    SAYS(slave, built(true, "fine", files), "SEND p-1.0-py3-none-linux_x86_64.whl");
    swap();
    SAYS(slave, slave_SENT_new(), "SEND p-1.0-py3-none-manylinux1_x86_64.whl");
    farm_order(&f, "SLEEP", 2);
    SAYS(other, idle(), "SLEEP true");
    swap();
    SAYS(other, idle(), "SLEEP true");
    farm_order(&f, "WAKE", 2);
    /* In the middle of recording, with the answer open. */
    farm_set(&f, "db", "away");
    slave_send(slave, slave_SENT_new());
    farm_wait(&f, "LOGBUILD(", 1);
    swap();
    SAYS(other, idle(), "BUILD p 2.0");
    farm_set(&f, "db", "here");
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "DONE");
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, "LOGBUILD(", 1), "build_id=100"));
    farm_wait(&f, "LOG fine", 1);
    SAYS(slave, idle(), "SLEEP false");
    ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 1);
    piw_client_close(&slave);
    piw_client_close(&other);
}
END_TEST

/* A swap is no pause of the master, for which slaves would be forgiven. */
START_TEST(a_slave_that_is_silent_after_a_swap_is_forgotten)
{
    piw_client *slave = building(1000, 10800000);
    swap();
    farm_wait(&f, "SLAVE_GONE(slave_id=1)", 1);
    piw_client_close(&slave);
}
END_TEST

static void restart(void)
{
    piw_err err = {0};
    ck_assert_msg(piw_runtime_restart(f.runtime, "slave_driver", &err) == 0, "%s", err.text);
}

START_TEST(slaves_are_known_after_a_restart)
{
    piw_client *slave = building(300000, 10800000);
    restart();
    SAYS(slave, busy(), "CONT");
    SAYS(slave, built(false, "log", NULL), "DONE");
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, "LOGBUILD(", 1), "slave_id=1, package='p', version='1.0'"));
    SAYS(slave, idle(), "SLEEP false");
    piw_client_close(&slave);
}
END_TEST

START_TEST(a_restart_while_recording_records_once)
{
    piw_client *slave = building(300000, 10800000);
    farm_set(&f, "db", "away");
    slave_send(slave, built(false, "log", NULL));
    farm_wait(&f, "LOGBUILD(build_id=100", 1);
    restart();
    farm_wait(&f, "LOGBUILD(build_id=100", 2); /* under the same number: the database takes it once */
    farm_set(&f, "recorded", "no");
    farm_set(&f, "db", "here");
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "DONE");
    farm_wait(&f, "PUBLISH(build_id=100", 1);
    ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 2);
    ck_assert_int_eq(farm_count(&f, "DISCARD("), 0);
    SAYS(slave, idle(), "SLEEP false");
    piw_client_close(&slave);
}
END_TEST

START_TEST(a_restart_while_a_build_past_its_time_is_recorded)
{
    piw_client *slave = building(300000, 1000);
    farm_set(&f, "db", "away");
    bool recorded = false;
    for (int i = 0; i < 1000 && !recorded; i++) {
        poll(NULL, 0, 10);
        slave_send(slave, busy());
        while (!recorded && strcmp(slave_hear(slave, 100), "nothing") == 0)
            recorded = farm_count(&f, "LOGBUILD(") > 0;
    }
    farm_wait(&f, "LOGBUILD(build_id=100", 1);
    restart();
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "CONT");
    slave_send(slave, busy());
    farm_wait(&f, "LOGBUILD(build_id=100", 2);
    farm_set(&f, "db", "here");
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "DONE");
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, "LOGBUILD(", 2), "status=false"));
    piw_client_close(&slave);
}
END_TEST

START_TEST(a_restart_while_files_come_goes_on)
{
    piw_client *slave = building(300000, 10800000);
    const char *const files[] = {"manylinux1_x86_64", "linux_x86_64", NULL};
    SAYS(slave, built(true, "fine", files), "SEND p-1.0-py3-none-linux_x86_64.whl");
    SAYS(slave, slave_SENT_new(), "SEND p-1.0-py3-none-manylinux1_x86_64.whl");
    restart();
    farm_set(&f, "db", "away");
    slave_send(slave, slave_SENT_new());
    farm_wait(&f, "LOGBUILD(build_id=100", 1);
    restart();
    farm_wait(&f, "LOGBUILD(build_id=100", 2);
    farm_set(&f, "db", "here");
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "DONE");
    farm_wait(&f, "BOTH(package='p'", 1);
    ck_assert_int_eq(farm_count(&f, "VERIFY("), 2);
    ck_assert_int_eq(farm_count(&f, "LOG fine"), 2);
    piw_client_close(&slave);
}
END_TEST

static const char *until_build(piw_client *slave)
{
    const char *said = slave_say(slave, idle());
    for (int i = 0; i < FARM_WAIT_MS / 100 && strncmp(said, "SLEEP", 5) == 0; i++) {
        poll(NULL, 0, 100);
        said = slave_say(slave, idle());
    }
    return said;
}

/* Nothing is given out before it is known which builds are sealed, and those that are when they aren't any more. */
START_TEST(what_is_sealed_is_not_given_out_after_a_restart)
{
    farm_set(&f, "sealed", "silent");
    restart();
    piw_client *slave = slave_connect(&f, PIW_CBOR);
    slave_say(slave, hello());
    farm_queue(&f, "cp311", two);
    farm_wait(&f, "seals_wanted", 3); /* it is asked again */
    if (_i == 1)
        swap();
    farm_set(&f, "sealed", "1.0");
    ck_assert_str_eq(until_build(slave), "BUILD p 2.0");
    SAYS(slave, built(false, "log", NULL), "DONE");
    SAYS(slave, idle(), "SLEEP false");
    farm_set(&f, "sealed", "");
    const char *const first[] = {"p", "1.0", NULL};
    const char *said = "SLEEP false";
    for (int i = 0; i < FARM_WAIT_MS / 100 && strcmp(said, "SLEEP false") == 0; i++) {
        farm_queue(&f, "cp311", first); /* one that was read since */
        said = slave_say(slave, idle());
        poll(NULL, 0, 100);
    }
    ck_assert_str_eq(said, "BUILD p 1.0");
    piw_client_close(&slave);
}
END_TEST

/* As by a file_juggler that knows nothing of the question. */
START_TEST(who_says_nothing_of_seals_is_waited_for_a_while)
{
    farm_set(&f, "sealed", "silent");
    restart();
    piw_client *slave = slave_connect(&f, PIW_CBOR);
    slave_say(slave, hello());
    farm_queue(&f, "cp311", two);
    ck_assert_str_eq(until_build(slave), "BUILD p 1.0");
    piw_client_close(&slave);
}
END_TEST

START_TEST(replay_tells_what_slaves_were_told_last)
{
    piw_client *slave = building(300000, 10800000);
    farm_wait(&f, "message='BUILD'", 1);
    farm_clear(&f);
    farm_order(&f, "REPLAY", 0);
    farm_wait(&f, "message='HELLO'", 1);
    farm_wait(&f, "message='BUILD'", 1);
    piw_client_close(&slave);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("driver_swap");
    TCase *tests = tcase_create("driver_swap");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, slaves_notice_nothing_of_a_swap);
    tcase_add_test(tests, a_slave_that_is_silent_after_a_swap_is_forgotten);
    tcase_add_test(tests, slaves_are_known_after_a_restart);
    tcase_add_test(tests, a_restart_while_recording_records_once);
    tcase_add_test(tests, a_restart_while_a_build_past_its_time_is_recorded);
    tcase_add_test(tests, a_restart_while_files_come_goes_on);
    tcase_add_loop_test(tests, what_is_sealed_is_not_given_out_after_a_restart, 0, 2);
    tcase_add_test(tests, who_says_nothing_of_seals_is_waited_for_a_while);
    tcase_add_test(tests, replay_tells_what_slaves_were_told_last);
    suite_add_tcase(suite, tests);
    return suite;
}
