/* isolate = process: the same plugin files, their souls in processes that crash, hang and are killed, while nobody else
 * notices and every request has its answer. */
#include "bus.h"

#include "actor/isolate.h"

#include "plugin/image.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

enum { CALLERS = 4, REQUESTS = 1000, CRASHES = 20 };

/* What hangs; what is to be ended soon, in a test that waits for it. */
#if defined(__SANITIZE_ADDRESS__)
enum { STUCK_MS = 15000, STUCK_SOON_MS = 1500 };
#else
enum { STUCK_MS = 5000, STUCK_SOON_MS = 600 };
#endif

static void setup(void)
{
    static char program[PATH_MAX + 32];
    snprintf(program, sizeof(program), "%s/../../bin/piw-soul", bus_plugins());
    piw__soul_program = program;
    piw__tune = (piw__tuning){.restart_ms = 1,
                              .restart_max_ms = 1,
                              .failures = 1000000,
                              .failures_window_ms = 1,
                              .errors_per_s = 20,
                              .stuck_ms = STUCK_MS,
                              .boundary_ms = BUS_WAIT_MS,
                              .swap_ms = BUS_WAIT_MS,
                              .drain_ms = 2000,
                              .stop_ms = 20000};
}

/* echo in a process, relay in a thread. */
static void up(const char *plugin)
{
    bus_new();
    bus_add("echo", plugin, (piw_task_config){BUS_ON, .isolate = true});
    bus_add("relay", NULL, (piw_task_config){BUS_ON});
    bus_start();
    ck_assert_int_ne(bus_figures("echo").pid, 0);
    ck_assert(bus_figures("echo").isolated);
    ck_assert(!bus_figures("relay").isolated);
}

static void await_running(void)
{
    BUS_UNTIL(strcmp(bus_figures("echo").state, "running") == 0);
}

static unsigned open_files(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static void no_children(void)
{
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}

/* --- Everything that a task does ------------------------------------------------------------------------------------ */

START_TEST(calls_and_casts)
{
    up("echo_v1.so");
    for (int n = 1; n <= 100; n++)
        ck_assert(bus_echo(1, n));
    for (int i = 0; i < 1000; i++) {
        piw_msg *note = echo_NOTE_make(i);
        ck_assert_int_eq(piw_runtime_call(bus, "echo", &note, 0, NULL, NULL), 0);
    }
    /* More than a window, and in order: the call comes behind the casts. */
    ck_assert_int_eq(bus_stand().notes, 1000);
    ck_assert_int_eq(bus_stand().out_of_order, 0);
    bus_end();
    no_children();
}
END_TEST

START_TEST(deferral_timers_and_work)
{
    up("echo_v1.so");
    piw_msg *answer = bus_call("echo", echo_LATER_make(1, 7, 30));
    ck_assert_int_eq(echo_LATER_reply_of(answer)->n, 7);
    piw_msg_free(&answer);
    BUS_UNTIL(bus_stand().ticks > 3);
    answer = bus_call("echo", echo_WORK_make(12));
    ck_assert_int_eq(echo_WORK_reply_of(answer)->n, 144);
    piw_msg_free(&answer);
    ck_assert_int_eq(bus_try("echo", echo_WORK_make(13), &answer), PIW_EREFUSED);
    ck_assert_uint_eq(bus_figures("echo").deferred, 0);
    bus_end();
}
END_TEST

START_TEST(more_requests_may_be_kept_than_a_window_holds)
{
    up("echo_v1.so");
    piw_msg *answer = bus_call("relay", relay_ASK_make(5, 5000));
    ck_assert_int_eq(relay_ASK_reply_of(answer)->answers, 5000);
    ck_assert_int_eq(relay_ASK_reply_of(answer)->errors, 0);
    ck_assert_int_eq(relay_ASK_reply_of(answer)->out_of_order, 0);
    piw_msg_free(&answer);
    for (int i = 0; i < 400; i++) {
        piw_msg *call = echo_NEVER_new();
        piw_runtime_call(bus, "echo", &call, 0, &answer, NULL);
        piw_msg_free(&call);
    }
    ck_assert(bus_echo(1, 1));
    bus_end();
}
END_TEST

START_TEST(events_come_and_go)
{
    up("echo_v1.so");
    piw_msg *answer = bus_call("relay", relay_TELL_make(1));
    piw_msg_free(&answer);
    BUS_UNTIL(bus_stand().events == 1);
    bus_end();
}
END_TEST

START_TEST(a_handler_that_fails_has_done_nothing)
{
    up("echo_v1.so");
    piw_msg *answer;
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(bus_try("echo", echo_BREAK_make(piw_text_of("error")), &answer), PIW_EREFUSED);
    ck_assert_int_eq(bus_try("echo", echo_BREAK_make(piw_text_of("silent")), &answer), PIW_EUNANSWERED);
    int64_t ticks = bus_stand().ticks;
    BUS_UNTIL(bus_stand().ticks > ticks + 3);
    ck_assert_int_eq(bus_stand().strays, 0);
    ck_assert_int_eq(bus_stand().events, 0);
    ck_assert_uint_eq(bus_figures("echo").restarts, 0);
    bus_end();
}
END_TEST

START_TEST(the_soul_calls_others)
{
    /* The relay in a process asks, hands requests on, and is bound by deadlines. */
    bus_new();
    bus_add("echo", "echo_v1.so", (piw_task_config){BUS_ON});
    bus_add("relay", NULL, (piw_task_config){BUS_ON, .isolate = true});
    bus_start();
    piw_msg *answer = bus_call("relay", relay_ASK_make(5, 3000));
    ck_assert_int_eq(relay_ASK_reply_of(answer)->answers, 3000);
    ck_assert_int_eq(relay_ASK_reply_of(answer)->errors, 0);
    ck_assert_int_eq(relay_ASK_reply_of(answer)->out_of_order, 0);
    piw_msg_free(&answer);
    answer = bus_call("front", echo_ECHO_make(3, 1));
    ck_assert(echo_ECHO_reply_of(answer)->in_order);
    piw_msg_free(&answer);
    ck_assert_int_eq(bus_try("front", echo_BREAK_make(piw_text_of("error")), &answer), PIW_EREFUSED);
    answer = bus_call("relay", relay_WAIT_make(50));
    ck_assert_int_eq(relay_WAIT_reply_of(answer)->error, PIW_EDEADLINE);
    piw_msg_free(&answer);
    answer = bus_call("relay", relay_TELL_make(1));
    piw_msg_free(&answer);
    BUS_UNTIL(bus_stand().events == 1);
    bus_end();
    no_children();
}
END_TEST

START_TEST(each_instance_has_its_process)
{
    bus_new();
    bus_add("echo", "echo_v1.so", (piw_task_config){BUS_ON, .instances = 3, .isolate = true});
    bus_add("relay", NULL, (piw_task_config){BUS_ON});
    bus_start();
    piw_task_figures one, two;
    ck_assert_int_eq(piw_runtime_figures(bus, "echo", 0, &one), 0);
    ck_assert_int_eq(piw_runtime_figures(bus, "echo", 2, &two), 0);
    ck_assert_int_ne(one.pid, two.pid);
    ck_assert_int_eq(kill(one.pid, SIGKILL), 0);
    BUS_UNTIL(bus_figures("echo").restarts == 1);
    ck_assert_int_eq(piw_runtime_figures(bus, "echo", 2, &one), 0);
    ck_assert_int_eq(one.pid, two.pid);
    bus_end();
    no_children();
}
END_TEST

/* --- What can't be ---------------------------------------------------------------------------------------------------- */

START_TEST(a_start_that_refuses_is_said)
{
    bus_new();
    bus_add("echo", "echo_bad_start.so", (piw_task_config){BUS_ON, .isolate = true});
    bus_add("relay", NULL, (piw_task_config){BUS_ON});
    bus_start_refused("never starts");
    bus_end();
    no_children();
}
END_TEST

START_TEST(what_replaces_it_begins_cold)
{
    up("echo_v1.so");
    ck_assert(bus_echo(1, 1));
    bus_replace("echo_v2.so");
    await_running();
    ck_assert_int_eq(bus_stand().version, 2);
    ck_assert_int_eq(bus_stand().seen, 0);
    ck_assert_int_eq(bus_stand().why, PIW_RESTART);
    bus_replace("echo_v1.so");
    ck_assert_int_eq(bus_stand().version, 1);
    bus_end();
    no_children();
}
END_TEST

/* Whatever is wrong with the new one, the old is there again, and its master stays up. */
START_TEST(what_can_not_start_is_not_taken)
{
    piw__tune.failures = 2;
    piw__tune.failures_window_ms = 60000;
    bus_new();
    bus_add("echo", "echo_v1.so", (piw_task_config){BUS_ON, .isolate = true, .critical = 1});
    bus_add("relay", NULL, (piw_task_config){BUS_ON});
    bus_start();
    bus_replace_refused("echo_bad_start.so", "never starts");
    bus_replace_refused("echo_dies.so", "this fixture dies");
    piw__tune.swap_ms = 300;
    bus_replace_refused("echo_never.so", "not ready within 300 ms");
    piw__tune.swap_ms = BUS_WAIT_MS;
    await_running();
    ck_assert(bus_echo(1, 1));
    ck_assert_int_eq(bus_stand().version, 1);
    bus_replace("echo_late.so");
    ck_assert_int_eq(bus_stand().version, 2);
    bus_end();
    no_children();
}
END_TEST

START_TEST(disabled_and_enabled)
{
    up("echo_v1.so");
    piw_err err = {0};
    piw_msg *answer;
    ck_assert_int_eq(piw_runtime_disable(bus, "echo", true, &err), 0);
    ck_assert_int_eq(bus_figures("echo").pid, 0);
    no_children();
    ck_assert_int_eq(bus_try("echo", echo_ECHO_make(1, 1), &answer), PIW_EABSENT);
    ck_assert_int_eq(piw_runtime_enable(bus, "echo", &err), 0);
    ck_assert(bus_echo(1, 1));
    bus_end();
}
END_TEST

/* --- Crashes ------------------------------------------------------------------------------------------------------------ */

/* The failure is the process's: its callers get errors, and it begins anew. */
START_TEST(a_crash_is_a_failed_task)
{
    up("echo_v1.so");
    piw_msg *answer;
    int pid = bus_figures("echo").pid;
    ck_assert_int_eq(bus_try("echo", echo_CRASH_new(), &answer), PIW_EHANDLER);
    await_running();
    ck_assert_int_ne(bus_figures("echo").pid, pid);
    ck_assert_int_eq(bus_stand().why, PIW_RESTART);
    ck_assert_uint_eq(bus_figures("relay").restarts, 0);
    bus_end();
    no_children();
}
END_TEST

START_TEST(killed_from_outside)
{
    static const int numbers[] = {SIGKILL, SIGSEGV, SIGABRT};
    up("echo_v1.so");
    bus_echo(1, 1);
    unsigned files = open_files();
    for (unsigned i = 0; i < 6; i++) {
        ck_assert_int_eq(kill(bus_figures("echo").pid, numbers[i % 3]), 0);
        BUS_UNTIL(bus_figures("echo").restarts == i + 1);
        await_running();
        bus_echo(1, 1);
    }
    ck_assert_uint_eq(open_files(), files);
    bus_end();
    no_children();
}
END_TEST

START_TEST(orders_to_stop_go_to_the_master_alone)
{
    up("echo_v1.so");
    int pid = bus_figures("echo").pid;
    ck_assert_int_eq(kill(pid, SIGTERM), 0);
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    ck_assert(bus_echo(1, 1));
    ck_assert_int_eq(bus_figures("echo").pid, pid);
    bus_end();
}
END_TEST

/* One that began anew may be ended again where the machine has no time for it. */
static void await_echo(void)
{
    piw_msg *answer = NULL;
    BUS_UNTIL(bus_try("echo", echo_ECHO_make(1, 1), &answer) == 0);
    piw_msg_free(&answer);
}

START_TEST(a_handler_without_end_is_ended)
{
    piw__tune.stuck_ms = STUCK_SOON_MS;
    up("echo_v1.so");
    piw_msg *answer;
    int64_t began = piw_monotonic_ns();
    ck_assert_int_eq(bus_try("echo", echo_SLOW_make(600000), &answer), PIW_EHANDLER);
    ck_assert_int_lt(piw_monotonic_ns() - began, 15 * INT64_C(1000000000));
    await_echo();
    bus_end();
    no_children();
}
END_TEST

START_TEST(a_process_that_stands_still_is_ended)
{
    piw__tune.stuck_ms = STUCK_SOON_MS;
    up("echo_v1.so");
    piw_msg *answer;
    int pid = bus_figures("echo").pid;
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    ck_assert_int_eq(bus_try("echo", echo_ECHO_make(1, 1), &answer), PIW_EHANDLER);
    await_echo();
    ck_assert_int_ne(bus_figures("echo").pid, pid);
    bus_end();
    no_children();
}
END_TEST

START_TEST(what_it_says_of_itself)
{
    up("echo_v1.so");
    piw_msg *answer;
    ck_assert_int_eq(bus_try("echo", echo_SAY_make(piw_text_of("half way"), piw_text_of("")), &answer), 0);
    piw_msg_free(&answer);
    BUS_UNTIL(strcmp(bus_figures("echo").note, "half way") == 0);
    ck_assert_int_eq(kill(bus_figures("echo").pid, SIGKILL), 0);
    BUS_UNTIL(bus_figures("echo").restarts == 1);
    await_running();
    BUS_UNTIL(strcmp(bus_figures("echo").note, "") == 0);
    bus_end();
}
END_TEST

START_TEST(a_failure_that_it_reports)
{
    up("echo_v1.so");
    piw_msg *answer;
    ck_assert_int_ne(bus_try("echo", echo_BREAK_make(piw_text_of("fail")), &answer), 0);
    BUS_UNTIL(bus_figures("echo").restarts == 1);
    await_running();
    bus_echo(1, 1);
    /* Twenty errors within a second are one, too. */
    BUS_UNTIL((bus_try("echo", echo_BREAK_make(piw_text_of("error")), &answer), bus_figures("echo").restarts == 2));
    bus_end();
    no_children();
}
END_TEST

/* --- Under load ------------------------------------------------------------------------------------------------------------ */

static _Atomic unsigned answers, errors;
static _Atomic bool enough;

static void *ask(void *arg)
{
    int64_t from = (intptr_t)arg;
    for (int n = 1; n <= REQUESTS / CALLERS || !atomic_load(&enough); n++) {
        piw_msg *answer = NULL;
        int ret = bus_try("echo", echo_ECHO_make(from, n), &answer);
        if (ret == PIW_EDEADLINE)
            return arg;
        if (ret != 0)
            atomic_fetch_add(&errors, 1);
        else if (echo_ECHO_reply_of(answer)->n != n)
            return arg;
        piw_msg_free(&answer);
        atomic_fetch_add(&answers, 1);
    }
    return NULL;
}

START_TEST(every_request_has_an_answer_over_twenty_crashes)
{
    up("echo_v1.so");
    pthread_t threads[CALLERS];
    unsigned files = open_files();
    for (intptr_t i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask, (void *)(i + 1)), 0);
    for (unsigned i = 0; i < CRASHES; i++) {
        unsigned before = atomic_load(&answers);
        BUS_UNTIL(atomic_load(&answers) >= before + REQUESTS / CRASHES);
        int pid;
        BUS_UNTIL((pid = bus_figures("echo").pid) != 0);
        kill(pid, i % 2 == 0 ? SIGSEGV : SIGKILL);
        BUS_UNTIL(bus_figures("echo").restarts == i + 1);
    }
    atomic_store(&enough, true);
    for (int i = 0; i < CALLERS; i++) {
        void *bad;
        pthread_join(threads[i], &bad);
        ck_assert_ptr_null(bad);
    }
    await_running();
    printf("# %u requests, %u answers with an error, %u crashes\n", atomic_load(&answers), atomic_load(&errors),
           (unsigned)bus_figures("echo").restarts);
    ck_assert_uint_ge(atomic_load(&answers), REQUESTS);
    ck_assert_uint_lt(atomic_load(&errors), atomic_load(&answers) / 2);
    ck_assert_uint_eq(bus_figures("relay").restarts, 0);
    BUS_UNTIL(bus_figures("echo").deferred == 0);
    /* Callers have descriptors of their own, one each. */
    ck_assert_uint_le(open_files(), files + CALLERS + 1);
    bus_end();
    no_children();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("isolate");
    TCase *tcase = tcase_create("isolate");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, calls_and_casts);
    tcase_add_test(tcase, deferral_timers_and_work);
    tcase_add_test(tcase, more_requests_may_be_kept_than_a_window_holds);
    tcase_add_test(tcase, events_come_and_go);
    tcase_add_test(tcase, a_handler_that_fails_has_done_nothing);
    tcase_add_test(tcase, the_soul_calls_others);
    tcase_add_test(tcase, each_instance_has_its_process);
    tcase_add_test(tcase, a_start_that_refuses_is_said);
    tcase_add_test(tcase, what_replaces_it_begins_cold);
    tcase_add_test(tcase, what_can_not_start_is_not_taken);
    tcase_add_test(tcase, disabled_and_enabled);
    tcase_add_test(tcase, a_crash_is_a_failed_task);
    tcase_add_test(tcase, killed_from_outside);
    tcase_add_test(tcase, orders_to_stop_go_to_the_master_alone);
    tcase_add_test(tcase, a_handler_without_end_is_ended);
    tcase_add_test(tcase, a_process_that_stands_still_is_ended);
    tcase_add_test(tcase, what_it_says_of_itself);
    tcase_add_test(tcase, a_failure_that_it_reports);
    tcase_add_test(tcase, every_request_has_an_answer_over_twenty_crashes);
    suite_add_tcase(suite, tcase);
    return suite;
}
