/* test_hello.c — the example to copy does what it says: answers, refuses, keeps its state over a swap, says no to an
 * option that it can't use. Its protocol is its own; this program has its tables from the same file. */
#include "plugins/hello/hello.piw.c"

#include "runtime/runtime.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WAIT_MS = 20000 };

static piw_runtime *bus;

static int begin(const char *greeting, piw_err *err)
{
    char plugins[UNIT_BUILD];
    unit_built(plugins, "plugins");
    const char *dir = plugins, *names[] = {"greeting", "every"}, *values[] = {greeting, "100ms"};
    const piw_runtime_config config = {.plugin_dirs = &dir, .plugin_dirs_count = 1, .trust_files = true};
    piw_protocol_use(&hello_protocol_def);
    ck_assert_msg(piw_runtime_new(&bus, &config, err) == 0, "%s", err->text);
    const piw_task_config task = {.name = "hello",
                                  .enabled = true,
                                  .critical = -1,
                                  .option_names = names,
                                  .option_values = values,
                                  .options_count = 2};
    int rc = piw_runtime_add(bus, &task, err);
    return rc == 0 ? piw_runtime_start(bus, WAIT_MS, err) : rc;
}

static void end(void)
{
    piw_runtime_stop(bus);
    piw_runtime_free(&bus);
}

static void ck_greeting(const char *name, const char *text, int64_t number)
{
    piw_err err = {0};
    piw_msg *msg = hello_GREET_make(piw_text_of(name)), *answer = NULL;
    ck_assert_msg(piw_runtime_call(bus, "hello", &msg, WAIT_MS, &answer, &err) == 0, "%s", err.text);
    const hello_GREET_reply *reply = hello_GREET_reply_of(answer);
    ck_assert_str_eq(reply->text.s, text);
    ck_assert_int_eq(reply->number, number);
    piw_msg_free(&answer);
}

START_TEST(it_greets_and_counts_on_after_a_swap)
{
    piw_err err = {0};
    ck_assert_msg(begin("Good day", &err) == 0, "%s", err.text);
    ck_greeting("farm", "Good day, farm!", 1);
    ck_assert_msg(piw_runtime_replace(bus, "hello", "hello.so", &err) == 0, "%s", err.text);
    ck_greeting("wheel", "Good day, wheel!", 2);
    piw_msg *msg = hello_GREET_make(piw_text_of("")), *answer = NULL;
    ck_assert_int_eq(piw_runtime_call(bus, "hello", &msg, WAIT_MS, &answer, &err), PIW_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "a greeting needs a name"));
    piw_msg_free(&msg);
    ck_greeting("again", "Good day, again!", 3);
    /* A cold restart forgets. */
    err = (piw_err){0};
    ck_assert_msg(piw_runtime_restart(bus, "hello", &err) == 0, "%s", err.text);
    ck_greeting("world", "Good day, world!", 1);
    end();
}
END_TEST

START_TEST(a_greeting_that_is_too_long_is_refused)
{
    char greeting[600];
    piw_err err = {0};
    memset(greeting, 'x', sizeof(greeting));
    greeting[sizeof(greeting) - 1] = '\0';
    ck_assert_int_ne(begin(greeting, &err), 0);
    ck_assert_msg(strstr(err.text, "more than 500 bytes") != NULL, "%s", err.text);
    piw_runtime_free(&bus);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("hello");
    TCase *tests = tcase_create("hello");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, it_greets_and_counts_on_after_a_swap);
    tcase_add_test(tests, a_greeting_that_is_too_long_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
