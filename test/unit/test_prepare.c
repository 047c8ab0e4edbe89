/* What a plugin prepares while others are loaded (PIW_PREPARES): once, for the first instance alone, and discarded where the
 * master is refused. Tasks that no other needs begin after those that are needed or have prepared themselves. */
#include "bus.h"

#include <fcntl.h>
#include <unistd.h>

static int notes[2];
static int gate[2];
static char notes_fd[16], gate_fd[16];

static const char *setting(void *arg, const char *name)
{
    (void)arg;
    if (strcmp(name, "gate") == 0 && gate_fd[0] != '\0')
        return gate_fd;
    return strcmp(name, "notes") == 0 ? notes_fd : NULL;
}

static void setup_notes(void)
{
    piw_err err = {0};
    const char *dir = bus_plugins();
    const piw_runtime_config config = {
        .plugin_dirs = &dir, .plugin_dirs_count = 1, .trust_files = true, .setting = setting};
    ck_assert_int_eq(pipe2(notes, O_NONBLOCK | O_CLOEXEC), 0);
    snprintf(notes_fd, sizeof(notes_fd), "%d", notes[1]);
    ck_assert_msg(piw_runtime_new(&bus, &config, &err) == 0, "%s", err.text);
}

static void setup(void)
{
    setup_notes();
    bus_add("prepares", NULL, (piw_task_config){BUS_ON});
}

/* All that was noted since the last look, in order. */
static void assert_noted(const char *wanted)
{
    char noted[16] = "";
    ssize_t len = read(notes[0], noted, sizeof(noted) - 1);
    ck_assert_str_eq(len > 0 ? noted : "", wanted);
}

START_TEST(the_first_instance_takes_it_once)
{
    bus_start();
    assert_noted("ptn");
    bus_end();
    assert_noted("");
}
END_TEST

START_TEST(it_is_discarded_when_a_later_plugin_is_refused)
{
    bus_add("late", "bad_magic.so", (piw_task_config){BUS_ON});
    bus_start_refused("does not begin as a task's does"); /* is said at once: only the end waits for what was begun */
    bus_end();
    assert_noted("pd");
}
END_TEST

/* As where the database can't be reached: the sentence doesn't wait for that. */
START_TEST(a_refusal_is_said_before_it_is_done)
{
    ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
    snprintf(gate_fd, sizeof(gate_fd), "%d", gate[0]);
    bus_add("late", "bad_magic.so", (piw_task_config){BUS_ON});
    bus_start_refused("does not begin as a task's does");
    ck_assert_int_eq(write(gate[1], "g", 1), 1);
    bus_end();
    assert_noted("pd");
}
END_TEST

START_TEST(a_look_prepares_nothing)
{
    ck_assert_int_eq(piw_runtime_check(bus, NULL), 0);
    bus_end();
    assert_noted("");
}
END_TEST

START_TEST(a_disabled_task_prepares_nothing)
{
    bus_end();
    setup();
    bus_add("off", "prepares.so", (piw_task_config){.enabled = false});
    bus_start();
    assert_noted("ptn");
    bus_end();
    assert_noted("");
}
END_TEST

START_TEST(who_has_time_begins_after_it)
{
    bus_end();
    setup_notes();
    bus_add("has_time", NULL, (piw_task_config){BUS_ON});
    bus_add("prepares", NULL, (piw_task_config){BUS_ON, .instances = 1});
    bus_start();
    assert_noted("ptl");
    bus_end();
}
END_TEST

/* What others need is such a task as little as one that has prepared itself. Until then there isn't even a thread. */
START_TEST(who_has_time_begins_after_all_that_is_needed)
{
    bus_end();
    setup_notes();
    bus_add("has_time", NULL, (piw_task_config){BUS_ON});
    bus_add("echo", "echo_notes.so", (piw_task_config){BUS_ON});
    bus_add("relay", NULL, (piw_task_config){BUS_ON});
    bus_start();
    assert_noted("el");
    bus_end();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("prepare");
    TCase *tests = tcase_create("prepare");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, the_first_instance_takes_it_once);
    tcase_add_test(tests, it_is_discarded_when_a_later_plugin_is_refused);
    tcase_add_test(tests, a_refusal_is_said_before_it_is_done);
    tcase_add_test(tests, a_look_prepares_nothing);
    tcase_add_test(tests, a_disabled_task_prepares_nothing);
    tcase_add_test(tests, who_has_time_begins_after_it);
    tcase_add_test(tests, who_has_time_begins_after_all_that_is_needed);
    suite_add_tcase(suite, tests);
    return suite;
}
