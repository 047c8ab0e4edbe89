/* file_juggler has begun anew and forgotten what a slave sends: slave_driver has exactly that file expected again, and its slave notices
 * nothing, whatever crosses it. */
#include "driver.h"

#include <poll.h>

#define EXPECTS "EXPECT(build_id=100, slave_id=1, peer_address='local', package='p'"
#define FILE_A  "p-1.0-py3-none-linux_x86_64.whl"
#define FILE_B  "p-1.0-py3-none-manylinux1_x86_64.whl"

static const char *const files[] = {"manylinux1_x86_64", "linux_x86_64", NULL};

/* A slave that was asked for the first of two files. */
static piw_client *sending(void)
{
    piw_client *slave = building(300000, 10800000);
    SAYS(slave, built(true, "fine", files), "SEND " FILE_A);
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, EXPECTS, 1), FILE_A));
    return slave;
}

/* Its HELLO comes to a file_juggler that knows nothing of it. */
static void forgotten(void)
{
    farm_order(&f, "UNKNOWN", 1);
}

/* The same until it is expected so many times: the answer to what was said before may not have been heard. */
static void forgotten_until(int times)
{
    for (int i = 0; farm_count(&f, EXPECTS) < times; i++) {
        ck_assert_int_lt(i, FARM_WAIT_MS / 10);
        forgotten();
        poll(NULL, 0, 10);
    }
    ck_assert_int_eq(farm_count(&f, EXPECTS), times);
}

static void refuse(int code)
{
    char number[16];
    snprintf(number, sizeof(number), "%d", code);
    farm_set(&f, "code", number);
    farm_set(&f, "refuse", code == 0 ? "" : "EXPECT");
}

/* All that is left of its way. */
static void ck_comes_to_its_end(piw_client *slave)
{
    SAYS(slave, slave_SENT_new(), "SEND " FILE_B);
    SAYS(slave, slave_SENT_new(), "DONE");
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, "LOGBUILD(", 1), "status=true"));
    ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 1);
    SAYS(slave, busy(), "CONT");
    piw_client_close(&slave);
}

START_TEST(a_forgotten_file_is_expected_again)
{
    piw_client *slave = building(300000, 10800000);
    forgotten(); /* nothing was asked for */
    SAYS(slave, built(true, "fine", files), "SEND " FILE_A);
    farm_order(&f, "UNKNOWN", 2); /* a number that no slave has */
    farm_order(&f, "UNKNOWN", 0);
    forgotten();
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, EXPECTS, 2), FILE_A));
    ck_assert_str_eq(slave_hear(slave, 100), "nothing");
    SAYS(slave, slave_SENT_new(), "SEND " FILE_B);
    forgotten();
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, EXPECTS, 4), FILE_B));
    ck_assert_str_eq(slave_hear(slave, 100), "nothing");
    SAYS(slave, slave_SENT_new(), "DONE");
    SAYS(slave, idle(), "BUILD p 2.0");
    forgotten();
    SAYS(slave, busy(), "CONT");
    ck_assert_int_eq(farm_count(&f, "EXPECT("), 4);
    ck_assert_int_eq(farm_count(&f, "DISCARD("), 0);
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, "LOGBUILD(", 1), "status=true"));
    piw_client_close(&slave);
}
END_TEST

START_TEST(it_is_expected_once_at_a_time)
{
    piw_client *slave = sending();
    farm_set(&f, "files", "slow");
    for (int i = 0; i < 5; i++)
        forgotten();
    farm_wait(&f, EXPECTS, 2);
    SAYS(slave, busy(), "CONT");
    ck_assert_int_eq(farm_count(&f, EXPECTS), 2);
    farm_set(&f, "files", "quick");
    forgotten_until(3);
    ck_comes_to_its_end(slave);
}
END_TEST

/* file_juggler can't, or doesn't want to: the next HELLO asks again, and the build is what it was. */
START_TEST(what_is_refused_is_asked_again_at_the_next_hello)
{
    piw_client *slave = sending();
    refuse(_i == 0 ? PIW_EAGAIN : PIW_EINVAL);
    forgotten_until(3);
    refuse(0);
    ck_assert_str_eq(slave_hear(slave, 100), "nothing");
    forgotten_until(4);
    ck_comes_to_its_end(slave);
}
END_TEST

/* It had been received, and the slave heard DONE: what is expected again hasn't come. */
START_TEST(it_crosses_the_slaves_word_that_all_is_sent)
{
    piw_client *slave = sending();
    farm_set(&f, "files", "slow");
    forgotten();
    farm_wait(&f, EXPECTS, 2);
    farm_set(&f, "verify", "bad");
    slave_send(slave, slave_SENT_new());
    farm_wait(&f, "VERIFY(", 1);
    forgotten();
    farm_set(&f, "files", "quick");
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "SEND " FILE_A);
    ck_assert_int_eq(farm_count(&f, EXPECTS), 3);
    farm_set(&f, "verify", "good");
    ck_comes_to_its_end(slave);
}
END_TEST

/* Its turn is over: what the slave sent is being checked. */
START_TEST(what_is_being_checked_is_not_expected)
{
    piw_client *slave = sending();
    farm_set(&f, "files", "slow");
    slave_send(slave, slave_SENT_new());
    farm_wait(&f, "VERIFY(", 1);
    forgotten();
    farm_set(&f, "files", "quick");
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "SEND " FILE_B);
    ck_assert_int_eq(farm_count(&f, EXPECTS), 2);
    SAYS(slave, slave_SENT_new(), "DONE");
    piw_client_close(&slave);
}
END_TEST

START_TEST(its_slave_goes_meanwhile)
{
    piw_client *slave = sending(), *other = slave_connect(&f, PIW_CBOR);
    SAYS(other, hello(), ACK(2));
    farm_set(&f, "files", "slow");
    forgotten();
    farm_wait(&f, EXPECTS, 2);
    slave_send(slave, slave_BYE_new());
    farm_wait(&f, "DISCARD(build_id=100, slave_id=1)", 1); /* behind what was expected */
    farm_set(&f, "files", "quick");
    SAYS(other, idle(), "BUILD p 1.0");
    SAYS(other, built(true, "fine", one_file), "SEND p-1.0-py3-none-any.whl");
    SAYS(other, slave_SENT_new(), "DONE");
    ck_assert_int_eq(farm_count(&f, EXPECTS), 2);
    piw_client_close(&slave);
    piw_client_close(&other);
}
END_TEST

START_TEST(slave_driver_changes_meanwhile)
{
    piw_client *slave = sending();
    farm_set(&f, "files", "slow");
    forgotten();
    farm_wait(&f, EXPECTS, 2);
    piw_err err = {0};
    if (_i == 0)
        swap();
    else
        ck_assert_msg(piw_runtime_restart(f.runtime, "slave_driver", &err) == 0, "%s", err.text);
    farm_set(&f, "files", "quick");
    forgotten_until(3);
    ck_assert_str_eq(slave_hear(slave, 100), "nothing");
    ck_comes_to_its_end(slave);
}
END_TEST

/* Its slave is told so only when it has sent all. */
START_TEST(of_a_version_that_is_gone_too)
{
    piw_client *slave = sending();
    farm_remove(&f, "p", "1.0", false);
    forgotten();
    farm_wait(&f, EXPECTS, 2);
    SAYS(slave, slave_SENT_new(), "DONE");
    farm_wait(&f, "DISCARD(build_id=100, slave_id=1)", 1);
    ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 0);
    piw_client_close(&slave);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("driver_forgotten");
    TCase *tests = tcase_create("driver_forgotten");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_forgotten_file_is_expected_again);
    tcase_add_test(tests, it_is_expected_once_at_a_time);
    tcase_add_loop_test(tests, what_is_refused_is_asked_again_at_the_next_hello, 0, 2);
    tcase_add_test(tests, it_crosses_the_slaves_word_that_all_is_sent);
    tcase_add_test(tests, what_is_being_checked_is_not_expected);
    tcase_add_test(tests, its_slave_goes_meanwhile);
    tcase_add_loop_test(tests, slave_driver_changes_meanwhile, 0, 2);
    tcase_add_test(tests, of_a_version_that_is_gone_too);
    suite_add_tcase(suite, tests);
    return suite;
}
