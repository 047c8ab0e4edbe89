/* slave_driver as it is, in a runtime, behind its real queue: what slaves are told, and what others hear of it. */
#include "driver.h"
#include "zmtp.h"

#include <poll.h>

START_TEST(a_failed_build_from_hello_to_done)
{
    const piw_codec codec = _i == 0 ? PIW_CBOR : PIW_MSGPACK;
    piw_client *slave = slave_connect(&f, codec);
    farm_queue(&f, "cp311", two);
    SAYS(slave, hello(), ACK(1));
    SAYS(slave, idle(), "BUILD p 1.0");
    farm_wait(&f, "ATTEMPT(slave_id=1, package='p', version='1.0', abi_tag='cp311', address='local')", 1);
    SAYS(slave, busy(), "CONT");
    SAYS(slave, built(false, "it broke\n", NULL), "DONE");
    farm_wait(&f, "LOG it broke", 1);
    const char *row = farm_wait(&f, "LOGBUILD(", 1);
    ck_assert_ptr_nonnull(
        strstr(row, "build_id=100, slave_id=1, package='p', version='1.0', abi_tag='cp311', status=false"));
    farm_wait(&f, "PUBLISH(build_id=100", 1);
    farm_wait(&f, "PROJECT(package='p'", 1);
    /* The recorded one isn't given out again, though the window still names it. */
    SAYS(slave, idle(), "BUILD p 2.0");
    SAYS(slave, built(false, "", NULL), "DONE");
    SAYS(slave, idle(), "SLEEP false");
    /* Monitors: HELLO, ACK; STATS and the reply each time, but CONT. */
    farm_wait(&f, "message='HELLO'", 1);
    farm_wait(&f, "message='ACK'", 1);
    farm_wait(&f, "message='STATS'", 4);
    farm_wait(&f, "message='BUILD'", 2);
    farm_wait(&f, "message='DONE'", 2);
    farm_wait(&f, "message='SLEEP'", 1);
    ck_assert_int_eq(farm_count(&f, "message='CONT'"), 0);
    slave_send(slave, slave_BYE_new());
    farm_wait(&f, "message='DIE'", 1);
    farm_wait(&f, "SLAVE_GONE(slave_id=1)", 1);
    piw_client_close(&slave);
}
END_TEST

START_TEST(files_are_asked_for_one_by_one)
{
    piw_client *slave = building(300000, 10800000);
    const char *const files[] = {"manylinux1_x86_64", "linux_x86_64", NULL};
    SAYS(slave, built(true, "fine", files), "SEND p-1.0-py3-none-linux_x86_64.whl");
    SAYS(slave, busy(), "CONT");
    farm_set(&f, "verify", "bad");
    SAYS(slave, slave_SENT_new(), "SEND p-1.0-py3-none-linux_x86_64.whl");
    farm_set(&f, "verify", "good");
    SAYS(slave, slave_SENT_new(), "SEND p-1.0-py3-none-manylinux1_x86_64.whl");
    SAYS(slave, slave_SENT_new(), "DONE");
    ck_assert_int_eq(farm_count(&f, "EXPECT(build_id=100, slave_id=1"), 3);
    const char *row = farm_wait(&f, "LOGBUILD(", 1);
    ck_assert_ptr_nonnull(strstr(row, "status=true"));
    ck_assert_ptr_nonnull(strstr(row, "verified.whl"));
    farm_wait(&f, "BOTH(package='p'", 1);
    ck_assert_int_eq(farm_count(&f, "DISCARD("), 0);
    SAYS(slave, idle(), "BUILD p 2.0");
    piw_client_close(&slave);
}
END_TEST

START_TEST(five_bad_transfers_fail_the_build)
{
    piw_client *slave = building(300000, 10800000);
    farm_set(&f, "verify", "bad");
    SAYS(slave, built(true, "fine", one_file), "SEND p-1.0-py3-none-any.whl");
    for (int i = 0; i < 4; i++)
        SAYS(slave, slave_SENT_new(), "SEND p-1.0-py3-none-any.whl");
    SAYS(slave, slave_SENT_new(), "DONE");
    farm_wait(&f, "DISCARD(build_id=100", 1);
    farm_wait(&f, "LOG fine\nThe wheel p-1.0-py3-none-any.whl could not be transferred in 5 tries", 1);
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, "LOGBUILD(", 1), "status=false"));
    piw_client_close(&slave);
}
END_TEST

START_TEST(a_refused_wheel_fails_the_build_at_once)
{
    piw_client *slave = building(300000, 10800000);
    farm_set(&f, "verify", "final");
    SAYS(slave, built(true, "fine\n", one_file), "SEND p-1.0-py3-none-any.whl");
    SAYS(slave, slave_SENT_new(), "DONE");
    farm_wait(&f, "LOG fine\nThe wheel p-1.0-py3-none-any.whl was refused", 1);
    piw_client_close(&slave);
}
END_TEST

START_TEST(success_without_files_is_recorded_as_it_is)
{
    piw_client *slave = building(300000, 10800000);
    SAYS(slave, built(true, "nothing came of it", NULL), "DONE");
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, "LOGBUILD(", 1), "status=true"));
    farm_wait(&f, "PROJECT(package='p'", 1);
    piw_client_close(&slave);
}
END_TEST

START_TEST(bad_reports_are_failed_builds_that_say_why)
{
    static const char *const more[] = {"p", "1.0.1", "p", "1.0.0", "p", "3.0", NULL};
    piw_client *slave = building(300000, 10800000);
    piw_msg *report = built(true, "well", one_file);
    file_state *file = ((slave_BUILT *)piw_msg_any_body(report))->files.at;
    file->filename = piw_msg_textz(report, "../../p-1.0-py3-none-any.whl");
    SAYS(slave, report, "DONE");
    farm_wait(&f, "LOG well\nThe slave's report of the build was refused: ", 1);
    ck_assert_int_eq(farm_count(&f, "EXPECT("), 0);

    SAYS(slave, idle(), "BUILD p 2.0");
    report = built(true, "well", one_file);
    file = ((slave_BUILT *)piw_msg_any_body(report))->files.at;
    file->filesize = 0;
    SAYS(slave, report, "DONE");
    farm_wait(&f, "LOG well\nThe slave's report of the build was refused: ", 2);
    ck_assert_int_eq(farm_count(&f, "status=false"), 2);
    farm_queue(&f, "cp311", more);
    SAYS(slave, busy(), "CONT"); /* the window is in when this is answered */
    SAYS(slave, idle(), "BUILD p 1.0.1");
    SAYS(slave, built(true, "well", one_file), "DONE");
    farm_wait(&f, "is a wheel of version 1.0, not of 1.0.1", 1);
    for (int i = 0; i < 2; i++) {
        SAYS(slave, idle(), i == 0 ? "BUILD p 1.0.0" : "BUILD p 3.0");
        report = built(i == 0, "well", one_file);
        ((slave_BUILT *)piw_msg_any_body(report))->duration = piw_duration_from_us(-1);
        SAYS(slave, report, "DONE");
        farm_wait(&f, "it says that the build took a negative time", i + 1);
    }
    ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 5);
    ck_assert_int_eq(farm_count(&f, "status=false"), 5);
    ck_assert_int_eq(farm_count(&f, "duration=0"), 2);
    piw_client_close(&slave);
}
END_TEST

/* Send these bytes as a request: the answer's bytes in `answer`, its length. */
static int say_bytes(int fd, const void *bytes, size_t len, uint8_t answer[256])
{
    ck_assert(zmtp_request(fd, bytes, len));
    return zmtp_answer(fd, answer, 256);
}

static int say_raw(int fd, piw_msg *msg, uint8_t answer[256])
{
    piw_err err = {0};
    piw_buffer bytes = {0};
    ck_assert_msg(piw_encode(msg, PIW_CBOR, &bytes, &err) == 0, "%s", err.text);
    int len = say_bytes(fd, bytes.data, bytes.len, answer);
    piw_buffer_fini(&bytes);
    piw_msg_free(&msg);
    return len;
}

START_TEST(a_report_of_wrong_shape_is_a_failed_build)
{
    static const char wrong_shape[] = "\x82\x65"
                                      "BUILT\x82\x01\x02";
    char address[128];
    uint8_t answer[256];
    snprintf(address, sizeof(address), "ipc://%s/slave", f.dir);
    int fd = zmtp_connect(address, "REQ", NULL);
    ck_assert_int_ge(fd, 0);
    farm_queue(&f, "cp311", two);
    ck_assert_int_gt(say_raw(fd, hello(), answer), 0);
    /* Not building: as any BUILT out of order. */
    ck_assert_int_eq(say_bytes(fd, wrong_shape, sizeof(wrong_shape) - 1, answer), 4);
    ck_assert_mem_eq(answer,
                     "\x63"
                     "DIE",
                     4);
    ck_assert_int_gt(say_raw(fd, hello(), answer), 0);
    ck_assert_int_eq(say_raw(fd, idle(), answer), 14);
    ck_assert_mem_eq(answer,
                     "\x82\x65"
                     "BUILD\x82\x61p\x63"
                     "1.0",
                     14);
    ck_assert_int_eq(say_bytes(fd, wrong_shape, sizeof(wrong_shape) - 1, answer), 5);
    ck_assert_mem_eq(answer,
                     "\x64"
                     "DONE",
                     5);
    farm_wait(&f, "LOG The slave's report of the build could not be read: ", 1);
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, "LOGBUILD(", 1), "status=false"));
    close(fd);
}
END_TEST

START_TEST(order_is_kept)
{
    piw_client *slave = slave_connect(&f, PIW_CBOR);
    farm_queue(&f, "cp311", two);
    SAYS(slave, hello(), ACK(1));
    SAYS(slave, hello(), ACK(1)); /* the number stays */
    SAYS(slave, slave_SENT_new(), "DIE");
    SAYS(slave, idle(), "DIE"); /* the last reply was DIE */
    piw_client_close(&slave);

    slave = slave_connect(&f, PIW_CBOR);
    SAYS(slave, hello(), ACK(2));
    SAYS(slave, busy(), "CONT");
    SAYS(slave, busy(), "CONT");
    SAYS(slave, built(false, "log\n", NULL), "DIE");
    SAYS(slave, busy(), "CONT");
    piw_client_close(&slave);

    slave = slave_connect(&f, PIW_CBOR);
    SAYS(slave, hello(), ACK(3));
    SAYS(slave, idle(), "BUILD p 1.0");
    SAYS(slave, idle(), "DIE");
    farm_wait(&f, "ATTEMPT_END(slave_id=3, package='p', version='1.0'", 1);
    SAYS(slave, idle(), "DIE");
    piw_client_close(&slave);

    slave = slave_connect(&f, PIW_CBOR);
    SAYS(slave, hello(), ACK(4));
    SAYS(slave, idle(), "BUILD p 1.0"); /* what came back goes out first */
    SAYS(slave, hello(), ACK(4));
    SAYS(slave, busy(), "CONT");
    SAYS(slave, built(false, "", NULL), "DIE");
    piw_client_close(&slave);

    slave = slave_connect(&f, PIW_CBOR);
    SAYS(slave, hello(), ACK(5));
    SAYS(slave, idle(), "BUILD p 1.0");
    SAYS(slave, built(true, "", one_file), "SEND p-1.0-py3-none-any.whl");
    SAYS(slave, built(false, "", NULL), "DIE");
    farm_wait(&f, "DISCARD(", 1);
    piw_client_close(&slave);
    ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 0);
}
END_TEST

START_TEST(strangers_get_no_answer)
{
    piw_client *stranger = slave_connect(&f, PIW_CBOR);
    piw_client *slave = slave_connect(&f, PIW_CBOR);
    slave_send(stranger, idle());
    /* An answer to another slave, after the stranger's message was handled: then there is none for it. */
    SAYS(slave, hello(), ACK(1));
    SAYS(slave, idle(), "SLEEP false");
    ck_assert_str_eq(slave_hear(stranger, 200), "nothing");
    piw_err err = {0};
    ck_assert_int_eq(piw_client_reset(stranger, &err), 0);
    SAYS(stranger, hello(), ACK(2));
    piw_client_close(&stranger);
    piw_client_close(&slave);
}
END_TEST

START_TEST(skip_ends_the_build_that_runs)
{
    piw_client *slave = building(300000, 10800000);
    farm_order(&f, "SKIP", 1);
    SAYS(slave, busy(), "DONE");
    farm_wait(&f, "cause='skipped'", 1);
    farm_queue(&f, "cp311", two);
    SAYS(slave, busy(), "CONT");        /* the window is in when this is answered */
    SAYS(slave, idle(), "BUILD p 2.0"); /* the skipped one rests */
    farm_order(&f, "SKIP", 0);
    SAYS(slave, built(true, "thrown away", one_file), "DONE");
    SAYS(slave, idle(), "SLEEP false");
    farm_order(&f, "SKIP", 1); /* an idle slave has nothing to skip */
    SAYS(slave, idle(), "SLEEP false");
    ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 0);
    piw_client_close(&slave);
}
END_TEST

START_TEST(kill_acts_at_the_next_idle)
{
    piw_client *slave = building(300000, 10800000);
    farm_order(&f, "KILL", 1);
    SAYS(slave, busy(), "CONT");
    SAYS(slave, built(false, "", NULL), "DONE");
    SAYS(slave, idle(), "DIE");
    piw_client_close(&slave);
    slave = slave_connect(&f, PIW_CBOR);
    SAYS(slave, hello(), ACK(2));
    farm_order(&f, "KILL", 0);
    farm_order(&f, "WAKE", 2); /* clears it */
    SAYS(slave, idle(), "BUILD p 2.0");
    piw_client_close(&slave);
}
END_TEST

START_TEST(sleep_and_wake)
{
    piw_client *a = slave_connect(&f, PIW_CBOR), *b = slave_connect(&f, PIW_MSGPACK);
    SAYS(a, hello(), ACK(1));
    SAYS(b, hello(), ACK(2));
    farm_order(&f, "SLEEP", 1);
    SAYS(a, idle(), "SLEEP true");
    SAYS(b, idle(), "SLEEP false");
    farm_order(&f, "WAKE", 1);
    SAYS(a, idle(), "SLEEP false");
    farm_pause(&f, true);
    farm_queue(&f, "cp311", two);
    SAYS(a, idle(), "SLEEP true");
    SAYS(b, idle(), "SLEEP true");
    farm_pause(&f, false);
    SAYS(a, idle(), "BUILD p 1.0");
    farm_order(&f, "SLEEP", 0);
    SAYS(b, idle(), "SLEEP true");
    SAYS(a, busy(), "CONT");
    farm_order(&f, "WAKE", 0);
    SAYS(b, idle(), "BUILD p 2.0");
    piw_client_close(&a);
    piw_client_close(&b);
}
END_TEST

START_TEST(a_silent_slave_is_forgotten)
{
    piw_client *slave = building(1000, 10800000);
    farm_set(&f, "wait", "600");
    farm_wait(&f, "SLAVE_GONE(slave_id=1)", 1);
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, "message='DIE'", 1), "data=null"));
    /* Its build was lost because of the slave: another slave gets it later. */
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, "ATTEMPT_FAILED(slave_id=1", 1), "cause='the slave fell silent'"));
    slave_send(slave, busy());
    ck_assert_str_eq(slave_hear(slave, 500), "nothing");
    piw_err err = {0};
    ck_assert_int_eq(piw_client_reset(slave, &err), 0);
    SAYS(slave, hello(), ACK(2));
    SAYS(slave, idle(), "BUILD p 2.0");
    ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 0);
    piw_client_close(&slave);
}
END_TEST

/* IDLE again and again, until the answer is another than that there is nothing. */
static const char *idle_until(piw_client *slave, const char *nothing)
{
    const char *answer = nothing;
    for (int i = 0; i < 2000 && strcmp(answer, nothing) == 0; i++) {
        poll(NULL, 0, 10);
        answer = slave_say(slave, idle());
    }
    return answer;
}

START_TEST(a_slaves_fault_is_tried_again_elsewhere)
{
    static const char *const one[] = {"p", "1.0", NULL};
    piw_client *slave = slave_connect(&f, PIW_CBOR), *other = slave_connect(&f, PIW_CBOR);
    farm_queue(&f, "cp311", one);
    SAYS(slave, hello(), ACK(1));
    SAYS(other, hello(), ACK(2));
    SAYS(slave, idle(), "BUILD p 1.0");
    SAYS(
        slave,
        built(false, "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n", NULL),
        "DONE");
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, "ATTEMPT_FAILED(slave_id=1", 1), "cause='the disk was full'"));
    ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 0);
    ck_assert_int_eq(farm_count(&f, "STAGE("), 0);
    /* It rests, over a swap too; then it is kept for another slave. */
    SAYS(other, idle(), "SLEEP false");
    swap();
    ck_assert_str_eq(idle_until(other, "SLEEP false"), "BUILD p 1.0");
    SAYS(slave, idle(), "SLEEP false");
    /* Whoever is alone gets it back. */
    SAYS(other, built(false, "ERROR: HTTPSConnectionPool(host='h', port=443): Read timed out.\n", NULL), "DONE");
    slave_send(slave, slave_BYE_new());
    farm_wait(&f, "SLAVE_GONE(slave_id=1)", 1);
    ck_assert_str_eq(idle_until(other, "SLEEP false"), "BUILD p 1.0");
    SAYS(other, built(false, "error: expected ';'\n", NULL), "DONE");
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, "LOGBUILD(", 1), "status=false"));
    ck_assert_int_eq(farm_count(&f, "ATTEMPT_FAILED("), 2);
    piw_client_close(&slave);
    piw_client_close(&other);
}
END_TEST

START_TEST(the_fifth_try_is_final)
{
    static const char *const one[] = {"p", "1.0", NULL};
    piw_client *slave = slave_connect(&f, PIW_CBOR);
    farm_queue(&f, "cp311", one);
    SAYS(slave, hello(), ACK(1));
    SAYS(slave, idle(), "BUILD p 1.0");
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 0);
        SAYS(slave, built(false, "ERROR: No matching distribution found for p==1.0\n", NULL), "DONE");
        if (i < 4)
            ck_assert_str_eq(idle_until(slave, "SLEEP false"), "BUILD p 1.0");
    }
    farm_wait(&f,
              "LOG ERROR: No matching distribution found for p==1.0\nThe build failed because of its slave (the "
              "source was not to be found yet), for the 5th time",
              1);
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, "LOGBUILD(", 1), "status=false"));
    SAYS(slave, idle(), "SLEEP false"); /* nobody else has built it: who knows whose fault it was */
    piw_client_close(&slave);
}
END_TEST

START_TEST(the_packages_own_fault_is_final_at_once)
{
    piw_client *slave = building(300000, 10800000);
    /* What it needs and is nowhere is the package's fault; so is what stands far from the end. */
    char log[40000];
    int n = snprintf(log, sizeof(log), "No space left on device\n");
    memset(log + n, '.', sizeof(log) - (size_t)n);
    snprintf(log + 30000, sizeof(log) - 30000, "\nNo matching distribution found for q==1.0\n");
    SAYS(slave, built(false, log, NULL), "DONE");
    farm_wait(&f, "LOGBUILD(", 1);
    ck_assert_int_eq(farm_count(&f, "ATTEMPT_FAILED("), 0);
    piw_client_close(&slave);
}
END_TEST

START_TEST(a_build_is_sealed_when_the_database_stays_away)
{
    piw_client *slave = building(300000, 10800000);
    SAYS(slave, built(true, "fine", one_file), "SEND p-1.0-py3-none-any.whl");
    farm_set(&f, "db", "away");
    SAYS(slave, slave_SENT_new(), "DONE");
    ck_assert_ptr_nonnull(
        strstr(farm_wait(&f, "SEAL(build_id=100, slave_id=1, package='p', version='1.0'", 1), "status=true"));
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, "SEAL(", 1), "verified.whl"));
    ck_assert_int_eq(farm_count(&f, "PUBLISH("), 0);
    /* The slave works on, this task is swapped, the slave even goes: the build comes to its end all the same. */
    SAYS(slave, idle(), "BUILD p 2.0");
    swap();
    slave_send(slave, slave_BYE_new());
    farm_wait(&f, "SLAVE_GONE(slave_id=1)", 1);
    farm_set(&f, "db", "here");
    farm_wait(&f, "PUBLISH(build_id=100", 1);
    farm_wait(&f, "BOTH(package='p'", 1);
    ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 1);
    ck_assert_int_eq(farm_count(&f, "DISCARD("), 0);
    piw_client_close(&slave);
}
END_TEST

START_TEST(pieces_of_a_file_are_signs_of_life)
{
    piw_client *slave = building(1000, 10800000);
    SAYS(slave, built(true, "fine", one_file), "SEND p-1.0-py3-none-any.whl");
    /* Three times as long as the slave may be silent: what is waited for is the clock itself. */
    for (int i = 0; i < 30; i++) {
        poll(NULL, 0, 100);
        farm_order(&f, "PIECES", 1);
    }
    ck_assert_int_eq(farm_count(&f, "SLAVE_GONE("), 0);
    SAYS(slave, slave_SENT_new(), "DONE");
    farm_wait(&f, "SLAVE_GONE(slave_id=1)", 1);
    piw_client_close(&slave);
}
END_TEST

/* Whoever waits for us isn't silent, and has all its time from the answer on. */
START_TEST(a_slave_that_waits_is_not_silent)
{
    piw_client *slave = building(1000, 10800000);
    farm_set(&f, "db", "away");
    slave_send(slave, built(false, "broken", NULL));
    ck_assert_str_eq(slave_hear(slave, 2500), "nothing");
    ck_assert_int_eq(farm_count(&f, "SLAVE_GONE("), 0);
    farm_set(&f, "db", "here");
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "DONE");
    SAYS(slave, idle(), "BUILD p 2.0");
    piw_client_close(&slave);
}
END_TEST

START_TEST(what_is_given_out_is_pending_no_more)
{
    piw_client *slave = slave_connect(&f, PIW_CBOR);
    farm_queue(&f, "cp311", two);
    farm_wait(&f, "QUEUE(abi_tag='cp311', pending=2)", 1);
    SAYS(slave, hello(), ACK(1));
    SAYS(slave, idle(), "BUILD p 1.0");
    farm_wait(&f, "QUEUE(abi_tag='cp311', pending=1)", 1);
    slave_send(slave, slave_BYE_new());
    farm_clear(&f);
    farm_wait(&f, "QUEUE(abi_tag='cp311', pending=2)", 1);
    piw_client_close(&slave);
}
END_TEST

START_TEST(a_build_past_its_time_is_recorded_as_failed)
{
    piw_client *slave = building(300000, 1000);
    /* What is waited for is the clock itself: BUSY is answered CONT until the second has passed. */
    const char *answer = "CONT";
    for (int i = 0; i < 1000 && strcmp(answer, "CONT") == 0; i++) {
        poll(NULL, 0, 10);
        answer = slave_say(slave, busy());
    }
    ck_assert_str_eq(answer, "DONE");
    farm_wait(&f, "LOG The build ran past the slave's build timeout of 0 h 00 min 01 s", 1);
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, "LOGBUILD(", 1), "status=false"));
    SAYS(slave, idle(), "BUILD p 2.0");
    piw_client_close(&slave);
}
END_TEST

START_TEST(a_reported_build_has_no_time_to_run_past)
{
    piw_client *slave = building(300000, 1000);
    SAYS(slave, built(true, "fine", one_file), "SEND p-1.0-py3-none-any.whl");
    /* What is waited for is the clock itself: until the second of the build has passed. */
    int64_t past = piw_monotonic_ns() + INT64_C(1000000000);
    while (piw_monotonic_ns() <= past) {
        poll(NULL, 0, 10);
        SAYS(slave, busy(), "CONT");
    }
    SAYS(slave, busy(), "CONT");
    SAYS(slave, slave_SENT_new(), "DONE");
    ck_assert_ptr_nonnull(strstr(farm_wait(&f, "LOGBUILD(", 1), "status=true"));
    piw_client_close(&slave);
}
END_TEST

START_TEST(removed_versions_are_thrown_away)
{
    static const char *const same[] = {"p", "1.0", "p", "1.0.0", NULL};
    piw_client *slave = building(300000, 10800000);
    farm_queue(&f, "cp311", same);
    SAYS(slave, busy(), "CONT"); /* the window is in when this is answered */
    farm_remove(&f, "p", "1.0", false);
    SAYS(slave, busy(), "DONE");
    farm_wait(&f, "cause='removed'", 1);
    SAYS(slave, idle(), "BUILD p 1.0.0");
    SAYS(slave, built(true, "", one_file), "SEND p-1.0-py3-none-any.whl");
    farm_remove(&f, "p", NULL, false);
    SAYS(slave, slave_SENT_new(), "DONE");
    farm_wait(&f, "DISCARD(", 1);
    ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 0);
    SAYS(slave, idle(), "SLEEP false");
    piw_client_close(&slave);
}
END_TEST

START_TEST(a_version_whose_builds_went_is_offered_again)
{
    piw_client *slave = building(300000, 10800000);
    farm_remove(&f, "p", NULL, true);
    SAYS(slave, busy(), "DONE");
    farm_wait(&f, "cause='removed'", 1);
    SAYS(slave, idle(), "BUILD p 1.0");
    /* What goes for good isn't. */
    farm_remove(&f, "p", "1.0", false);
    farm_remove(&f, "p", NULL, true);
    SAYS(slave, built(false, "", NULL), "DONE");
    SAYS(slave, idle(), "BUILD p 2.0");
    piw_client_close(&slave);
}
END_TEST

/* Its files take a while to be looked at, and its builds are removed meanwhile: they don't come back with this one. */
START_TEST(what_is_reported_when_its_builds_go_is_not_recorded)
{
    piw_client *slave = building(300000, 10800000);
    SAYS(slave, built(true, "", one_file), "SEND p-1.0-py3-none-any.whl");
    farm_set(&f, "files", "slow");
    slave_send(slave, slave_SENT_new());
    farm_wait(&f, "VERIFY(", 1);
    farm_remove(&f, "p", "1.0", true);
    farm_set(&f, "files", "quick");
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "DONE");
    farm_wait(&f, "DISCARD(", 1);
    SAYS(slave, idle(), "BUILD p 1.0");
    farm_set(&f, "files", "slow");
    slave_send(slave, built(false, "log", NULL));
    farm_wait(&f, "STAGE(", 1);
    farm_remove(&f, "p", NULL, true);
    farm_set(&f, "files", "quick");
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "DONE");
    farm_wait(&f, "DISCARD(", 2);
    ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 0);
    ck_assert_int_eq(farm_count(&f, "cause='removed'"), 2);
    SAYS(slave, idle(), "BUILD p 1.0");
    piw_client_close(&slave);
}
END_TEST

START_TEST(a_version_that_is_gone_is_not_recorded)
{
    piw_client *slave = building(300000, 10800000);
    farm_set(&f, "recorded", "no");
    SAYS(slave, built(false, "", NULL), "DONE");
    farm_wait(&f, "DISCARD(build_id=100", 1);
    ck_assert_int_eq(farm_count(&f, "PUBLISH("), 0);
    ck_assert_int_eq(farm_count(&f, "BUILDS_KNOWN("), 0);
    piw_client_close(&slave);
}
END_TEST

START_TEST(an_answer_waits_for_the_database)
{
    piw_client *slave = building(1000, 10800000);
    farm_set(&f, "db", "away");
    slave_send(slave, built(false, "log", NULL));
    farm_wait(&f, "LOGBUILD(", 1);
    /* Longer than its busy timeout: who waits for our answer is not silent. */
    ck_assert_str_eq(slave_hear(slave, 2500), "nothing");
    farm_set(&f, "db", "here");
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "DONE");
    ck_assert_int_eq(farm_count(&f, "SLAVE_GONE("), 0);
    ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 1);
    piw_client_close(&slave);
}
END_TEST

START_TEST(a_lost_answer_of_the_database_is_asked_for)
{
    char code[16];
    piw_client *slave = building(300000, 10800000);
    snprintf(code, sizeof(code), "%d", PIW_EDBAWAY);
    farm_set(&f, "code", code);
    farm_set(&f, "refuse", "LOGBUILD");
    slave_send(slave, built(false, "log", NULL));
    farm_wait(&f, "LOGBUILD(", 1);
    farm_set(&f, "refuse", "");
    farm_set(&f, "recorded", "no"); /* as the second LOGBUILD of a number says */
    ck_assert_str_eq(slave_hear(slave, FARM_WAIT_MS), "DONE");
    farm_wait(&f, "BUILDS_KNOWN(", 1);
    farm_wait(&f, "PUBLISH(build_id=100", 1);
    piw_client_close(&slave);
}
END_TEST

START_TEST(what_the_database_refuses_is_thrown_away)
{
    char code[16];
    piw_client *slave = building(300000, 10800000);
    snprintf(code, sizeof(code), "%d", PIW_EDB);
    farm_set(&f, "code", code);
    farm_set(&f, "refuse", "LOGBUILD");
    SAYS(slave, built(false, "log", NULL), "DONE");
    farm_wait(&f, "DISCARD(build_id=100", 1);
    SAYS(slave, idle(), "BUILD p 2.0"); /* not the same again at once */
    piw_client_close(&slave);
}
END_TEST

START_TEST(versions_must_match_when_they_are_said)
{
    piw_client *slave = slave_connect(&f, PIW_MSGPACK);
    SAYS(slave, say_hello("cp311", 300000, 10800000, "9.99"), "DIE");
    SAYS(slave, say_hello("cp311", 300000, 10800000, PIW_VERSION), ACK(1));
    farm_wait(&f, "message='HELLO'", 1);
    piw_client_close(&slave);
}
END_TEST

START_TEST(versions_can_be_required)
{
    farm_stop(&f);
    f.settings[2] = "require-slave-version";
    f.settings[3] = "1";
    farm_start(&f, tasks, queues);
    piw_client *slave = slave_connect(&f, PIW_CBOR);
    SAYS(slave, hello(), "DIE");
    piw_client_close(&slave);
}
END_TEST

/* The HELLO of a slave that goes on with a build; the fixture's database says what was under way. */
static piw_msg *claim(int64_t slave_id, const char *version, int64_t elapsed_ms)
{
    piw_msg *msg = say_hello("cp311", 300000, 10800000, PIW_VERSION);
    slave_claim *body = piw_msg_alloc(msg, sizeof(*body));
    *body = (slave_claim){.slave_id = slave_id,
                          .package = piw_msg_textz(msg, "under-way"),
                          .version = piw_msg_textz(msg, version),
                          .elapsed = piw_duration_from_us(elapsed_ms * 1000)};
    ((slave_hello *)piw_msg_any_body(msg))->claim = body;
    return msg;
}

START_TEST(a_build_goes_on_after_a_restart_of_the_master)
{
    static const char *const window[] = {"under-way", "1.0", "under-way", "2.0", "p", "1.0", NULL};
    piw_client *slave = slave_connect(&f, PIW_MSGPACK);
    piw_client *other = slave_connect(&f, PIW_CBOR);
    farm_queue(&f, "cp311", window);
    SAYS(other, hello(), ACK(1));
    SAYS(other, idle(), "BUILD p 1.0"); /* what may still be claimed isn't given out */
    SAYS(slave, claim(40, "1.0", 5000), ACK(2));
    farm_wait(&f, "ATTEMPT(slave_id=2, package='under-way', version='1.0', abi_tag='cp311', address='local')", 1);
    ck_assert_ptr_null(strstr(farm_wait(&f, "message='HELLO'", 2), "under-way"));
    farm_wait(&f, "message='BUILD'", 2);
    SAYS(slave, busy(), "CONT");
    SAYS(slave, built(false, "log\n", NULL), "DONE");
    farm_wait(&f, "LOGBUILD(build_id=100, slave_id=2, package='under-way', version='1.0'", 1);
    SAYS(slave, idle(), "SLEEP false");
    piw_client_close(&slave);
    piw_client_close(&other);
}
END_TEST

START_TEST(a_claim_in_vain_is_thrown_away)
{
    /* Of another number, of what was not under way, past its time, of the future, what is claimed already, and what a slave
     * somewhere else had. */
    static const struct {
        int64_t slave_id;
        const char *version;
        int64_t elapsed_ms;
    } claims[] = {{41, "1.0", 0}, {40, "3.0", 0}, {40, "1.0", 10800001}, {40, "1.0", -1},
                  {40, "1.0", 0}, {40, "1.0", 0}, {42, "4.0", 0}};
    piw_client *slaves[PIW_COUNT(claims)];
    for (size_t i = 0; i < PIW_COUNT(claims); i++) {
        char ack[64];
        snprintf(ack, sizeof(ack), "ACK %zu http://simple.test/simple", i + 1);
        slaves[i] = slave_connect(&f, PIW_MSGPACK);
        SAYS(slaves[i], claim(claims[i].slave_id, claims[i].version, claims[i].elapsed_ms), ack);
        if (i == 4)
            SAYS(slaves[i], busy(), "CONT");
        else if (i % 2 == 0)
            SAYS(slaves[i], busy(), "DONE");
        else
            SAYS(slaves[i], built(false, "", NULL), "DONE");
        SAYS(slaves[i], i == 4 ? busy() : idle(), i == 4 ? "CONT" : "SLEEP false");
    }
    farm_wait(&f, "ATTEMPT(slave_id=", 1); /* it is noted a moment later */
    ck_assert_int_eq(farm_count(&f, "ATTEMPT(slave_id="), 1);
    ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 0);
    for (size_t i = 0; i < PIW_COUNT(claims); i++)
        piw_client_close(&slaves[i]);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("slave_driver");
    TCase *tests = tcase_create("slave_driver");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_failed_build_from_hello_to_done, 0, 2);
    tcase_add_test(tests, files_are_asked_for_one_by_one);
    tcase_add_test(tests, five_bad_transfers_fail_the_build);
    tcase_add_test(tests, a_refused_wheel_fails_the_build_at_once);
    tcase_add_test(tests, success_without_files_is_recorded_as_it_is);
    tcase_add_test(tests, bad_reports_are_failed_builds_that_say_why);
    tcase_add_test(tests, a_report_of_wrong_shape_is_a_failed_build);
    tcase_add_test(tests, order_is_kept);
    tcase_add_test(tests, strangers_get_no_answer);
    tcase_add_test(tests, skip_ends_the_build_that_runs);
    tcase_add_test(tests, kill_acts_at_the_next_idle);
    tcase_add_test(tests, sleep_and_wake);
    tcase_add_test(tests, a_silent_slave_is_forgotten);
    tcase_add_test(tests, pieces_of_a_file_are_signs_of_life);
    tcase_add_test(tests, a_slave_that_waits_is_not_silent);
    tcase_add_test(tests, what_is_given_out_is_pending_no_more);
    tcase_add_test(tests, a_slaves_fault_is_tried_again_elsewhere);
    tcase_add_test(tests, the_fifth_try_is_final);
    tcase_add_test(tests, the_packages_own_fault_is_final_at_once);
    tcase_add_test(tests, a_build_past_its_time_is_recorded_as_failed);
    tcase_add_test(tests, a_reported_build_has_no_time_to_run_past);
    tcase_add_test(tests, removed_versions_are_thrown_away);
    tcase_add_test(tests, a_version_whose_builds_went_is_offered_again);
    tcase_add_test(tests, what_is_reported_when_its_builds_go_is_not_recorded);
    tcase_add_test(tests, a_version_that_is_gone_is_not_recorded);
    tcase_add_test(tests, an_answer_waits_for_the_database);
    tcase_add_test(tests, a_lost_answer_of_the_database_is_asked_for);
    tcase_add_test(tests, what_the_database_refuses_is_thrown_away);
    tcase_add_test(tests, versions_must_match_when_they_are_said);
    tcase_add_test(tests, versions_can_be_required);
    tcase_add_test(tests, a_build_goes_on_after_a_restart_of_the_master);
    tcase_add_test(tests, a_claim_in_vain_is_thrown_away);
    suite_add_tcase(suite, tests);
    TCase *outage = tcase_create("outage");
    tcase_add_checked_fixture(outage, setup_sealing, teardown);
    tcase_set_timeout(outage, 60);
    tcase_add_test(outage, a_build_is_sealed_when_the_database_stays_away);
    suite_add_tcase(suite, outage);
    return suite;
}
