/* The runtime with real plugins: handlers as transactions, calls, deadlines, events, work, start order, refusals,
 * supervision, absence. */
#include "bus.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static const piw__tuning usual = {.restart_ms = 20,
                                  .restart_max_ms = 100,
                                  .failures = 5,
                                  .failures_window_ms = 60000,
                                  .errors_per_s = 20,
                                  .stuck_ms = 200,
                                  .boundary_ms = 5000,
                                  .drain_ms = 2000,
                                  .stop_ms = PIW_LIMIT_STOP_MS};

static void setup(void)
{
    piw__tune = usual;
}

/* --- Handlers ---------------------------------------------------------------------------------------------------- */

START_TEST(calls_are_answered)
{
    bus_up("echo_v1.so");
    for (int n = 1; n <= 100; n++)
        ck_assert(bus_echo(1, n));
    ck_assert(!bus_echo(1, 500));
    ck_assert_int_eq(bus_stand().seen, 101);
    bus_end();
}
END_TEST

START_TEST(casts_come_in_order_before_calls)
{
    bus_up("echo_v1.so");
    for (int i = 0; i < 1000; i++) {
        piw_msg *note = echo_NOTE_make(i);
        ck_assert_int_eq(piw_runtime_call(bus, "echo", &note, 0, NULL, NULL), 0);
    }
    ck_assert_int_eq(bus_stand().notes, 1000);
    bus_end();
}
END_TEST

START_TEST(a_handler_that_fails_has_done_nothing)
{
    bus_up("echo_v1.so");
    piw_msg *answer;
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(bus_try("echo", echo_BREAK_make(piw_text_of("error")), &answer), PIW_EREFUSED);
    /* The timer that was stopped ticks on; the one that was set, the event and the call don't come. */
    int64_t ticks = bus_stand().ticks;
    BUS_UNTIL(bus_stand().ticks > ticks + 3);
    echo_STAND_reply stand = bus_stand();
    ck_assert_int_eq(stand.strays, 0);
    ck_assert_int_eq(stand.events, 0);
    ck_assert_uint_eq(bus_figures("echo").calls_open, 0);
    ck_assert_uint_eq(bus_figures("echo").deferred, 0);
    ck_assert_uint_eq(bus_figures("echo").errors, 5);
    bus_end();
}
END_TEST

START_TEST(a_request_without_an_answer_is_answered)
{
    bus_up("echo_v1.so");
    piw_msg *answer;
    ck_assert_int_eq(bus_try("echo", echo_BREAK_make(piw_text_of("silent")), &answer), PIW_EUNANSWERED);
    ck_assert_uint_eq(bus_figures("echo").unanswered, 1);
    bus_end();
}
END_TEST

START_TEST(deferred_requests_are_answered_later)
{
    bus_up("echo_v1.so");
    piw_msg *answer = bus_call("echo", echo_LATER_make(1, 7, 30));
    ck_assert_int_eq(echo_LATER_reply_of(answer)->n, 7);
    piw_msg_free(&answer);
    ck_assert_uint_eq(bus_figures("echo").deferred, 0);
    bus_end();
}
END_TEST

START_TEST(forwarded_requests_are_answered_to_the_asker)
{
    bus_up("echo_v1.so");
    piw_msg *answer = bus_call("front", echo_ECHO_make(3, 1));
    ck_assert(echo_ECHO_reply_of(answer)->in_order);
    piw_msg_free(&answer);
    ck_assert_int_eq(bus_try("front", echo_BREAK_make(piw_text_of("error")), &answer), PIW_EREFUSED);
    bus_end();
}
END_TEST

START_TEST(tasks_call_each_other)
{
    bus_up("echo_v1.so");
    piw_msg *answer = bus_call("relay", relay_ASK_make(5, 20000));
    ck_assert_int_eq(relay_ASK_reply_of(answer)->answers, 20000);
    ck_assert_int_eq(relay_ASK_reply_of(answer)->errors, 0);
    ck_assert_int_eq(relay_ASK_reply_of(answer)->out_of_order, 0);
    piw_msg_free(&answer);
    ck_assert_uint_eq(bus_figures("relay").calls_open, 0);
    bus_end();
}
END_TEST

START_TEST(work_comes_back)
{
    bus_up("echo_v1.so");
    piw_msg *answer = bus_call("echo", echo_WORK_make(12));
    ck_assert_int_eq(echo_WORK_reply_of(answer)->n, 144);
    piw_msg_free(&answer);
    ck_assert_int_eq(bus_try("echo", echo_WORK_make(13), &answer), PIW_EREFUSED);
    bus_end();
}
END_TEST

START_TEST(events_come_to_subscribers)
{
    bus_new();
    bus_add("echo", "echo_v1.so", (piw_task_config){BUS_ON, .instances = 3});
    bus_add("relay", NULL, (piw_task_config){BUS_ON});
    bus_start();
    piw_msg *answer = bus_call("relay", relay_TELL_make(1));
    piw_msg_free(&answer);
    /* Three asks in turn reach the three instances. */
    BUS_UNTIL(bus_stand().events == 1 && bus_stand().events == 1 && bus_stand().events == 1);
    bus_end();
}
END_TEST

/* --- Deadlines ------------------------------------------------------------------------------------------------------ */

START_TEST(calls_end_at_their_deadline)
{
    bus_up("echo_v1.so");
    piw_msg *answer = bus_call("relay", relay_WAIT_make(50));
    ck_assert_int_eq(relay_WAIT_reply_of(answer)->error, PIW_EDEADLINE);
    ck_assert_int_ge(relay_WAIT_reply_of(answer)->after_ms, 45);
    ck_assert_int_lt(relay_WAIT_reply_of(answer)->after_ms, 5000);
    piw_msg_free(&answer);
    bus_end();
}
END_TEST

START_TEST(deadlines_are_inherited)
{
    /* The relay's own call is without a bound, but made on behalf of one that has 100 ms. */
    bus_up("echo_v1.so");
    piw_msg *call = relay_WAIT_make(0), *answer = NULL;
    piw_err err = {0};
    int64_t began = piw_monotonic_ns();
    int ret = piw_runtime_call(bus, "relay", &call, 100, &answer, &err);
    ck_assert_int_lt(piw_monotonic_ns() - began, 5 * INT64_C(1000000000));
    /* Both end at the same moment: the relay may just have said so before we gave up. */
    ck_assert_int_eq(ret == 0 ? relay_WAIT_reply_of(answer)->error : ret, PIW_EDEADLINE);
    piw_msg_free(&answer);
    BUS_UNTIL(bus_figures("relay").calls_open == 0);
    bus_end();
}
END_TEST

START_TEST(what_is_too_late_is_not_begun)
{
    bus_up("echo_v1.so");
    piw_msg *slow = echo_SLOW_make(500), *call = echo_ECHO_make(1, 1), *answer;
    piw_err err = {0};
    ck_assert_int_eq(piw_runtime_call(bus, "echo", &slow, 100, &answer, &err), PIW_EDEADLINE);
    ck_assert_int_eq(piw_runtime_call(bus, "echo", &call, 20, &answer, NULL), PIW_EDEADLINE);
    ck_assert_int_eq(bus_stand().seen, 0);
    bus_end();
}
END_TEST

/* --- Start, order, refusals --------------------------------------------------------------------------------------------- */

START_TEST(tasks_start_after_what_they_need)
{
    bus_new();
    bus_add("relay", NULL, (piw_task_config){BUS_ON});
    bus_add("echo", "echo_v1.so", (piw_task_config){BUS_ON});
    bus_start();
    ck_figure("relay", state, "running");
    ck_figure("echo", version, "1");
    bus_end();
}
END_TEST

START_TEST(a_cycle_is_said_by_name)
{
    bus_new();
    bus_add("echo", "echo_needs_relay.so", (piw_task_config){BUS_ON});
    bus_add("relay", NULL, (piw_task_config){BUS_ON});
    bus_start_refused("echo needs relay needs echo");
    bus_end();
}
END_TEST

START_TEST(a_missing_service_is_said_by_name)
{
    bus_new();
    bus_add("relay", NULL, (piw_task_config){BUS_ON});
    bus_start_refused("uses the service echo, which no task serves");
    bus_end();
}
END_TEST

START_TEST(a_service_is_served_once)
{
    bus_new();
    bus_add("echo", "echo_v1.so", (piw_task_config){BUS_ON});
    bus_add("second", "echo_v2.so", (piw_task_config){BUS_ON});
    bus_add("relay", NULL, (piw_task_config){BUS_ON});
    bus_start_refused("the service echo is served by task echo already");
    bus_end();
}
END_TEST

START_TEST(a_start_that_refuses_stops_all)
{
    bus_new();
    bus_add("echo", "echo_bad_start.so", (piw_task_config){BUS_ON});
    bus_add("relay", NULL, (piw_task_config){BUS_ON});
    bus_start_refused("this fixture never starts");
    bus_end();
}
END_TEST

START_TEST(unknown_options_are_refused)
{
    const char *names[] = {"colour"}, *values[] = {"red"};
    bus_new();
    bus_add("echo", "echo_v1.so",
            (piw_task_config){BUS_ON, .option_names = names, .option_values = values, .options_count = 1});
    bus_start_refused("colour: echo_v1.so has no such option");
    bus_end();
}
END_TEST

/* A message's own handler comes before the one for every message. */
START_TEST(one_handler_for_every_message)
{
    bus_new();
    bus_add("echo", "echo_every.so", (piw_task_config){BUS_ON});
    bus_start();
    piw_msg *answer = bus_call("echo", echo_ECHO_make(1, 5));
    ck_assert_int_eq(echo_ECHO_reply_of(answer)->n, 5);
    ck_assert_int_eq(echo_ECHO_reply_of(answer)->version, 7);
    piw_msg_free(&answer);
    ck_assert_int_eq(bus_try("echo", echo_SLOW_make(1), &answer), PIW_EREFUSED);
    piw_msg_free(&answer);
    ck_assert_int_eq(bus_try("echo", echo_SAY_make(piw_text_of("a"), piw_text_of("b")), &answer), PIW_EREFUSED);
    piw_msg_free(&answer);
    bus_end();
}
END_TEST

static const struct {
    const char *file, *why;
} refusals[] = {
    {"bad_abi.so", "was built for runtime interface 2"},
    {"bad_magic.so", "does not begin as a task's does"},
    {"bad_size.so", "bytes, this runtime's has"},
    {"bad_build.so", "its time_t has 4 bytes, this runtime's 8"},
    {"bad_reserved.so", "reserved fields"},
    {"bad_entries.so", " bytes each, this runtime's "},
    {"bad_option.so", "reserved fields of its option limit are in use"},
    {"bad_default.so", "the default of its option pause: 'soon' is not a duration"},
    {"bad_key.so", "its option enabled can never be set"},
    {"echo_no_note.so", "has no handler for NOTE"},
    {"nowhere.so", "is not there"},
    {"../unit/test_runtime", "outside the plugin folder "},
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    {"forbidden.so", "it uses pthread_create"},
#endif
};

START_TEST(bad_plugins_are_refused)
{
    bus_new();
    bus_add("echo", refusals[_i].file, (piw_task_config){BUS_ON});
    bus_start_refused(refusals[_i].why);
    bus_end();
}
END_TEST

static void copy_file(const char *from, const char *to, mode_t mode)
{
    char buffer[65536];
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(in, 0);
    ck_assert_int_ge(out, 0);
    ssize_t n;
    while ((n = read(in, buffer, sizeof(buffer))) > 0)
        ck_assert_int_eq(write(out, buffer, (size_t)n), n);
    ck_assert_int_eq(fchmod(out, mode), 0);
    close(in);
    close(out);
}

/* A folder of our own with one file echo.so, checked as for a real master. */
static void start_in_folder(const char *content, mode_t mode, mode_t dir_mode, const char *part)
{
    char dir[UNIT_FOLDER], file[64], source[PATH_MAX + 20];
    unit_folder(dir);
    snprintf(file, sizeof(file), "%s/echo.so", dir);
    if (content != NULL) {
        int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
        ck_assert_int_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
        close(fd);
    } else {
        snprintf(source, sizeof(source), "%s/echo_v1.so", bus_plugins());
        copy_file(source, file, mode);
    }
    ck_assert_int_eq(chmod(dir, dir_mode), 0);
    const char *dirs[] = {dir, bus_plugins()};
    const piw_runtime_config config = {.plugin_dirs = dirs, .plugin_dirs_count = 1};
    piw_err err = {0};
    ck_assert_int_eq(piw_runtime_new(&bus, &config, &err), 0);
    bus_add("echo", NULL, (piw_task_config){BUS_ON});
    bus_start_refused(part);
    bus_end();
    unit_remove(dir);
}

START_TEST(files_that_others_can_write_are_refused)
{
    start_in_folder(NULL, 0664, 0700, "others can write to");
    start_in_folder(NULL, 0644, 0770, "others can write to");
    /* A sound one gets as far as the services that it uses. */
    start_in_folder(NULL, 0644, 0700, "which no task serves");
    start_in_folder("#!/bin/sh\necho no plugin\n", 0644, 0700, "it is no ELF file");
    start_in_folder("\177ELF\002\001\001", 0644, 0700, "it is no ELF file");
    start_in_folder("", 0644, 0700, "it is no ELF file");
}
END_TEST

/* A refused image stays mapped: the next file must not be taken for it. */
START_TEST(a_refused_file_does_not_stand_for_the_next)
{
    for (int i = 0; i < 3; i++) {
        for (size_t n = 0; n < 4; n++) {
            bus_new();
            bus_add("echo", refusals[n].file, (piw_task_config){BUS_ON});
            bus_start_refused(refusals[n].why);
            bus_end();
        }
    }
    bus_up("echo_v1.so");
    bus_echo(1, 1);
    bus_end();
}
END_TEST

/* --- Supervision ---------------------------------------------------------------------------------------------------------- */

START_TEST(a_failed_task_starts_again)
{
    bus_up("echo_v1.so");
    bus_echo(1, 1);
    piw_msg *answer;
    ck_assert_int_eq(bus_try("echo", echo_BREAK_make(piw_text_of("fail")), &answer), PIW_EHANDLER);
    /* What comes meanwhile waits for the new soul. */
    echo_STAND_reply stand = bus_stand();
    ck_assert_int_eq(stand.why, PIW_RESTART);
    ck_assert_int_eq(stand.seen, 0);
    ck_assert_uint_eq(bus_figures("echo").restarts, 1);
    bus_end();
}
END_TEST

START_TEST(many_errors_in_a_second_are_a_failure)
{
    bus_up("echo_v1.so");
    piw_msg *answer;
    for (int i = 0; i < usual.errors_per_s; i++)
        bus_try("echo", echo_BREAK_make(piw_text_of("error")), &answer);
    BUS_UNTIL(bus_stand().why == PIW_RESTART);
    bus_end();
}
END_TEST

START_TEST(deferred_requests_of_a_failed_task_are_answered)
{
    bus_up("echo_v1.so");
    piw_msg *never = echo_NEVER_new(), *answer;
    piw_err err = {0};
    piw_msg *call = echo_BREAK_make(piw_text_of("fail"));
    ck_assert_int_eq(piw_runtime_call(bus, "echo", &call, 0, NULL, NULL), 0);
    /* It may be deferred by the first soul and failed with it, or wait for the second and fail with that. */
    call = echo_BREAK_make(piw_text_of("fail"));
    ck_assert_int_eq(piw_runtime_call(bus, "echo", &never, 20, &answer, &err), PIW_EDEADLINE);
    ck_assert_int_eq(piw_runtime_call(bus, "echo", &call, 0, NULL, NULL), 0);
    BUS_UNTIL(bus_figures("echo").restarts == 2);
    ck_assert_uint_eq(bus_figures("echo").deferred, 0);
    bus_end();
}
END_TEST

static void fail_often(void)
{
    piw_msg *answer;
    for (int i = 0; i < usual.failures; i++)
        bus_try("echo", echo_BREAK_make(piw_text_of("fail")), &answer);
}

START_TEST(a_task_that_fails_too_often_stays_down)
{
    bus_up("echo_v1.so");
    fail_often();
    BUS_UNTIL(strcmp(bus_figures("echo").state, "failed") == 0);
    piw_msg *answer;
    ck_assert_int_eq(bus_try("echo", echo_STAND_new(), &answer), PIW_EABSENT);
    piw_err err = {0};
    ck_assert_int_eq(piw_runtime_enable(bus, "echo", &err), 0);
    ck_assert_int_eq(bus_stand().why, PIW_RESTART);
    bus_end();
}
END_TEST

START_TEST(a_critical_task_stops_the_master)
{
    bus_new();
    bus_add("echo", "echo_v1.so", (piw_task_config){BUS_ON, .critical = 1});
    bus_add("relay", NULL, (piw_task_config){BUS_ON});
    bus_start();
    fail_often();
    piw_err err = {0};
    ck_assert_int_ne(piw_runtime_run(bus, &err), 0);
    ck_assert_msg(strstr(err.text, "task echo failed 5 times") != NULL, "%s", err.text);
    bus_end();
}
END_TEST

START_TEST(a_stuck_handler_is_seen)
{
    bus_up("echo_v1.so");
    piw_msg *slow = echo_SLOW_make(4000), *answer; /* long enough to be seen on a loaded machine */
    piw_err err = {0};
    ck_assert_int_eq(piw_runtime_call(bus, "echo", &slow, 100, &answer, &err), PIW_EDEADLINE);
    BUS_UNTIL(strcmp(bus_figures("echo").state, "stuck") == 0);
    ck_figure("echo", stuck_in, "SLOW");
    bus_stand(); /* is answered behind the slow one: the next look says so, not only the monitor's */
    ck_figure("echo", state, "running");
    bus_end();
}
END_TEST

/* The next thing that systemd is told within a time; "" when there is none. */
static const char *told(int fd, int wait_ms)
{
    static char text[100];
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    ssize_t n = poll(&ready, 1, wait_ms) == 1 ? recv(fd, text, sizeof(text) - 1, 0) : 0;
    text[n > 0 ? n : 0] = '\0';
    return text;
}

START_TEST(systemd_is_told)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[32];
    int len = snprintf(name, sizeof(name), "@piw-runtime-%d", (int)getpid());
    memcpy(address.sun_path + 1, name + 1, (size_t)len - 1);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(
        bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len)), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    setenv("WATCHDOG_USEC", "100000", 1);
    bus_new();
    bus_add("echo", "echo_v1.so", (piw_task_config){BUS_ON, .critical = 1});
    bus_add("relay", NULL, (piw_task_config){BUS_ON});
    bus_start();
    BUS_UNTIL(strcmp(told(fd, BUS_WAIT_MS), "WATCHDOG=1") == 0);
    /* Not while a critical task is stuck; what was said before is forgotten. */
    piw_msg *slow = echo_SLOW_make(3000), *answer;
    ck_assert_int_eq(piw_runtime_call(bus, "echo", &slow, 100, &answer, NULL), PIW_EDEADLINE);
    BUS_UNTIL(strcmp(bus_figures("echo").state, "stuck") == 0);
    while (told(fd, 0)[0] != '\0') {
    }
    unsigned looks = 0;
    for (; strcmp(bus_figures("echo").state, "stuck") == 0; looks++)
        ck_assert(told(fd, 20)[0] == '\0' || strcmp(bus_figures("echo").state, "stuck") != 0);
    ck_assert_uint_gt(looks, 0);
    BUS_UNTIL(strcmp(told(fd, BUS_WAIT_MS), "WATCHDOG=1") == 0);
    piw_runtime_quit(bus);
    ck_assert_int_eq(piw_runtime_run(bus, NULL), 0);
    BUS_UNTIL(strcmp(told(fd, BUS_WAIT_MS), "READY=1") == 0);
    bus_end();
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    BUS_UNTIL(strcmp(told(fd, BUS_WAIT_MS), "STOPPING=1") == 0);
    BUS_UNTIL(strncmp(told(fd, BUS_WAIT_MS), "EXTEND_TIMEOUT_USEC=", 20) == 0);
    close(fd);
}
END_TEST

/* --- Absence, restart, stop ------------------------------------------------------------------------------------------------- */

START_TEST(calls_to_a_disabled_task_fail_at_once)
{
    bus_up("echo_v1.so");
    piw_err err = {0};
    ck_assert_int_ne(piw_runtime_disable(bus, "echo", false, &err), 0);
    ck_assert_msg(strstr(err.text, "needed by relay (echo)") != NULL, "%s", err.text);
    ck_assert_int_eq(piw_runtime_disable(bus, "echo", true, NULL), 0);
    piw_msg *answer;
    ck_assert_int_eq(bus_try("echo", echo_STAND_new(), &answer), PIW_EABSENT);
    answer = bus_call("relay", relay_ASK_make(1, 3));
    ck_assert_int_eq(relay_ASK_reply_of(answer)->errors, 3);
    piw_msg_free(&answer);
    piw_msg *note = echo_NOTE_make(1);
    ck_assert_int_eq(piw_runtime_call(bus, "echo", &note, 0, NULL, NULL), 0);
    BUS_UNTIL(bus_figures("echo").dead_letters == 1);
    ck_assert_int_eq(piw_runtime_enable(bus, "echo", NULL), 0);
    ck_assert_int_eq(bus_stand().notes, 0);
    bus_end();
}
END_TEST

static void *ask_how_it_stands(void *arg)
{
    return bus_try("echo", echo_STAND_new(), arg) == 0 ? arg : NULL;
}

START_TEST(calls_wait_where_that_is_wanted)
{
    bus_new();
    bus_add("echo", "echo_v1.so", (piw_task_config){.enabled = true, .absent_wait = true});
    bus_add("relay", NULL, (piw_task_config){BUS_ON});
    bus_start();
    ck_assert_int_eq(piw_runtime_disable(bus, "echo", true, NULL), 0);
    pthread_t thread;
    piw_msg *answer = NULL;
    void *good;
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_how_it_stands, &answer), 0);
    /* The shell holds it back, however long that is looked at. */
    BUS_UNTIL(bus_figures("echo").mailbox_depth == 1);
    ck_assert_int_eq(piw_runtime_enable(bus, "echo", NULL), 0);
    pthread_join(thread, &good);
    ck_assert_ptr_nonnull(good);
    ck_assert_int_eq(echo_STAND_reply_of(answer)->why, PIW_RESTART);
    piw_msg_free(&answer);
    bus_end();
}
END_TEST

START_TEST(restart_is_cold)
{
    bus_up("echo_v1.so");
    bus_echo(1, 1);
    piw_err err = {0};
    ck_assert_int_eq(piw_runtime_restart(bus, "echo", &err), 0);
    ck_assert_int_eq(bus_stand().seen, 0);
    ck_assert_int_eq(bus_stand().why, PIW_RESTART);
    bus_end();
}
END_TEST

START_TEST(quit_ends_run)
{
    bus_up("echo_v1.so");
    piw_runtime_quit(bus);
    piw_err err = {0};
    ck_assert_int_eq(piw_runtime_run(bus, &err), 0);
    piw_runtime_stop(bus);
    piw_msg *answer;
    ck_assert_int_eq(bus_try("echo", echo_STAND_new(), &answer), PIW_ESTOPPED);
    bus_end();
}
END_TEST

/* Many asks are under way when it stops: each gets an answer or an error, and nothing hangs. */
static void *ask_on(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100000; i++) {
        piw_msg *answer = NULL;
        int ret = bus_try("relay", relay_ASK_make(9, 50), &answer);
        piw_msg_free(&answer);
        if (ret == PIW_ESTOPPED)
            break;
    }
    return NULL;
}

START_TEST(stop_answers_what_is_under_way)
{
    bus_up("echo_v1.so");
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_on, NULL), 0);
    BUS_UNTIL(bus_figures("echo").handled > 2000);
    piw_runtime_stop(bus);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    bus_end();
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
START_TEST(a_crash_prints_the_flight_recorder)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        bus_up("echo_v1.so");
        bus_echo(1, 1);
        piw_msg *answer;
        bus_try("echo", echo_CRASH_new(), &answer);
        _exit(0);
    }
    close(ends[1]);
    char text[16384];
    size_t len = 0;
    ssize_t n;
    while (len < sizeof(text) - 1 && (n = read(ends[0], text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    close(ends[0]);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFSIGNALED(status), "status %d: %s", status, text);
    ck_assert_int_eq(WTERMSIG(status), SIGILL);
    ck_assert_msg(strstr(text, "CRASH") != NULL && strstr(text, "runs") != NULL, "%s", text);
    ck_assert_msg(strstr(text, "ECHO") != NULL, "%s", text);
}
END_TEST
#endif

Suite *unit_suite(void)
{
    Suite *suite = suite_create("runtime");
    TCase *tc = tcase_create("runtime");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, calls_are_answered);
    tcase_add_test(tc, casts_come_in_order_before_calls);
    tcase_add_test(tc, a_handler_that_fails_has_done_nothing);
    tcase_add_test(tc, a_request_without_an_answer_is_answered);
    tcase_add_test(tc, deferred_requests_are_answered_later);
    tcase_add_test(tc, forwarded_requests_are_answered_to_the_asker);
    tcase_add_test(tc, tasks_call_each_other);
    tcase_add_test(tc, work_comes_back);
    tcase_add_test(tc, events_come_to_subscribers);
    tcase_add_test(tc, calls_end_at_their_deadline);
    tcase_add_test(tc, deadlines_are_inherited);
    tcase_add_test(tc, what_is_too_late_is_not_begun);
    tcase_add_test(tc, tasks_start_after_what_they_need);
    tcase_add_test(tc, a_cycle_is_said_by_name);
    tcase_add_test(tc, a_missing_service_is_said_by_name);
    tcase_add_test(tc, a_service_is_served_once);
    tcase_add_test(tc, a_start_that_refuses_stops_all);
    tcase_add_test(tc, unknown_options_are_refused);
    tcase_add_test(tc, one_handler_for_every_message);
    tcase_add_loop_test(tc, bad_plugins_are_refused, 0, (int)PIW_COUNT(refusals));
    tcase_add_test(tc, a_refused_file_does_not_stand_for_the_next);
    tcase_add_test(tc, files_that_others_can_write_are_refused);
    tcase_add_test(tc, a_failed_task_starts_again);
    tcase_add_test(tc, many_errors_in_a_second_are_a_failure);
    tcase_add_test(tc, deferred_requests_of_a_failed_task_are_answered);
    tcase_add_test(tc, a_task_that_fails_too_often_stays_down);
    tcase_add_test(tc, a_critical_task_stops_the_master);
    tcase_add_test(tc, a_stuck_handler_is_seen);
    tcase_add_test(tc, systemd_is_told);
    tcase_add_test(tc, calls_to_a_disabled_task_fail_at_once);
    tcase_add_test(tc, calls_wait_where_that_is_wanted);
    tcase_add_test(tc, restart_is_cold);
    tcase_add_test(tc, quit_ends_run);
    tcase_add_test(tc, stop_answers_what_is_under_way);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    tcase_add_test(tc, a_crash_prints_the_flight_recorder);
#endif
    suite_add_tcase(suite, tc);
    return suite;
}
