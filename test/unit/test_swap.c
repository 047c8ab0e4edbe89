/* Hot swap: mailbox, calls, deferred requests, timers and state go over; what can't go over is refused without harm. And
 * calls from many sides go on over a thousand swaps and a thousand failures. */
#include "bus.h"

#include "plugin/image.h"
#include "storms.h"

#include <pthread.h>
#include <stdatomic.h>

/* ThreadSanitizer makes everything slower; the races are the same. */
#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 200 };
#else
enum { ROUNDS = 1000 };
#endif

enum { CALLERS = 4 };

/* --- One swap ------------------------------------------------------------------------------------------------------ */

START_TEST(state_goes_over)
{
    bus_up("echo_v1.so");
    for (int n = 1; n <= 10; n++)
        ck_assert(bus_echo(1, n));
    bus_replace("echo_v2.so");
    echo_STAND_reply stand = bus_stand();
    ck_assert_int_eq(stand.version, 2);
    ck_assert_int_eq(stand.why, PIW_SWAP);
    ck_assert_int_eq(stand.seen, 10);
    ck_assert(bus_echo(1, 11));
    ck_figure("echo", version, "2");
    /* Back again is the same operation. */
    bus_replace("echo_v1.so");
    ck_assert(bus_echo(1, 12));
    ck_assert_int_eq(bus_stand().version, 1);
    bus_end();
}
END_TEST

static void *ask_later(void *arg)
{
    int64_t n = (intptr_t)arg;
    piw_msg *answer = NULL;
    int ret = bus_try("echo", echo_LATER_make(2, n, 60), &answer);
    bool good = ret == 0 && echo_LATER_reply_of(answer)->n == n;
    piw_msg_free(&answer);
    return good ? arg : NULL;
}

START_TEST(deferred_requests_go_over)
{
    bus_up("echo_v1.so");
    pthread_t threads[8];
    for (intptr_t i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_later, (void *)(i + 1)), 0);
    BUS_UNTIL(bus_figures("echo").deferred > 0);
    bus_replace("echo_v2.so");
    bus_replace("echo_v1.so");
    for (intptr_t i = 0; i < 8; i++) {
        void *good;
        pthread_join(threads[i], &good);
        ck_assert_ptr_eq(good, (void *)(i + 1));
    }
    ck_assert_int_eq(bus_stand().strays, 0);
    ck_assert_int_eq(bus_stand().held, 0);
    bus_end();
}
END_TEST

START_TEST(timers_keep_their_phase)
{
    /* A timer of 20 ms would never fire if each of these swaps, a few milliseconds apart, began it anew. On a busy machine they
     * are farther apart; then there are as many of them, and more ticks. */
    bus_up("echo_v1.so");
    int64_t until = piw_monotonic_ns() + BUS_WAIT_MS * INT64_C(1000000);
    for (int swaps = 0; swaps < 26 || bus_stand().ticks < 15; swaps++) {
        bus_replace(swaps % 2 == 0 ? "echo_v2.so" : "echo_v1.so");
        ck_assert_int_eq(bus_stand().out_of_order, 0);
        ck_assert_msg(piw_monotonic_ns() < until, "%d ticks in %d swaps", (int)bus_stand().ticks, swaps + 1);
    }
    bus_end();
}
END_TEST

START_TEST(work_of_the_old_soul_reaches_the_new)
{
    bus_up("echo_v1.so");
    piw_msg *call = echo_WORK_make(-600), *answer;
    piw_err err = {0};
    /* Nobody waits for this one; the swap comes while it runs. */
    ck_assert_int_eq(piw_runtime_call(bus, "echo", &call, 100, &answer, &err), PIW_EDEADLINE);
    BUS_UNTIL(bus_figures("echo").calls_open == 1);
    bus_replace_refused("echo_less.so", "no continuation squared");
    ck_assert_int_eq(bus_stand().version, 1);
    bus_replace("echo_v2.so");
    BUS_UNTIL(bus_figures("echo").calls_open == 0 && bus_figures("echo").deferred == 0);
    bus_replace("echo_less.so");
    bus_end();
}
END_TEST

START_TEST(a_start_that_refuses_changes_nothing)
{
    bus_up("echo_v1.so");
    ck_assert(bus_echo(1, 1));
    for (int i = 0; i < 20; i++)
        bus_replace_refused("echo_bad_start.so", "this fixture never starts");
    echo_STAND_reply stand = bus_stand();
    ck_assert_int_eq(stand.version, 1);
    ck_assert_int_eq(stand.why, PIW_BOOT);
    ck_assert_int_eq(stand.seen, 1);
    ck_assert_int_eq(stand.notes, 0);
    ck_assert_int_eq(stand.strays, 0);
    int64_t ticks = stand.ticks;
    BUS_UNTIL(bus_stand().ticks > ticks);
    ck_assert_int_eq(bus_stand().strays, 0);
    bus_end();
}
END_TEST

START_TEST(another_state_is_refused)
{
    bus_up("echo_v1.so");
    bus_replace_refused("echo_other_state.so", "the type of its state is another");
    bus_replace_refused("relay.so", "is refused");
    bus_replace_refused("bad_abi.so", "runtime interface");
    ck_assert(bus_echo(1, 1));
    bus_end();
}
END_TEST

/* So that there is a way back from a version that serves more. */
START_TEST(a_service_goes_when_nobody_uses_it)
{
    piw_err err = {0};
    piw_msg *answer = NULL;
    bus_new();
    bus_add("echo", "echo_every.so", (piw_task_config){BUS_ON});
    bus_add("relay", NULL, (piw_task_config){BUS_ON});
    bus_start();
    bus_replace_refused("idle.so", "it does not serve echo, which task relay uses");
    ck_assert_int_eq(piw_runtime_disable(bus, "relay", false, NULL), 0);
    bus_replace("idle.so");
    ck_assert_int_eq(bus_try("echo", echo_ECHO_make(1, 5), &answer), PIW_ENOENT);
    piw_msg_free(&answer);
    ck_assert_int_ne(piw_runtime_enable(bus, "relay", &err), 0);
    ck_assert_msg(strstr(err.text, "it uses the service echo, which no task serves") != NULL, "%s", err.text);
    bus_replace("echo_every.so");
    ck_assert_int_eq(piw_runtime_enable(bus, "relay", NULL), 0);
    ck_assert(bus_try("echo", echo_ECHO_make(1, 5), &answer) == 0);
    piw_msg_free(&answer);
    bus_end();
}
END_TEST

START_TEST(a_handler_that_does_not_end_aborts_the_swap)
{
    piw__tune.boundary_ms = 100;
    bus_up("echo_v1.so");
    piw_msg *slow = echo_SLOW_make(3000), *answer;
    ck_assert_int_eq(piw_runtime_call(bus, "echo", &slow, 150, &answer, NULL), PIW_EDEADLINE);
    bus_replace_refused("echo_v2.so", "handler of SLOW");
    ck_assert_int_eq(bus_stand().version, 1);
    bus_end();
}
END_TEST

START_TEST(instances_go_over_together_or_not_at_all)
{
    piw__tune.boundary_ms = 200;
    bus_new();
    bus_add("echo", "echo_v1.so", (piw_task_config){BUS_ON, .instances = 3});
    bus_add("relay", NULL, (piw_task_config){BUS_ON});
    bus_start();
    bus_replace("echo_v2.so");
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(bus_stand().version, 2);
    piw_msg *slow = echo_SLOW_make(3000), *answer;
    ck_assert_int_eq(piw_runtime_call(bus, "echo", &slow, 150, &answer, NULL), PIW_EDEADLINE);
    bus_replace_refused("echo_v1.so", "echo");
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(bus_stand().version, 2);
    bus_replace_refused("echo_bad_start.so", "never starts");
    bus_end();
}
END_TEST

/* --- Successors that take their time -------------------------------------------------------------------------------- */

/* Echoes, in order, of a sender whose last one was `n`; none is lost, and the old soul or the new one knows of all. */
static void echo_some(int64_t from, int64_t n)
{
    for (int i = 1; i <= 5; i++)
        ck_assert(bus_echo(from, n + i));
}

START_TEST(a_successor_may_be_ready_later)
{
    bus_up("echo_v1.so");
    echo_some(1, 0);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_later, (void *)(intptr_t)7), 0);
    BUS_UNTIL(bus_figures("echo").deferred > 0);
    bus_replace("echo_late.so");
    /* The order is carried out when it is ready, not when it has begun. */
    ck_figure("echo", state, "running");
    ck_assert_int_ge(bus_figures("echo").swap_pause_ns_last, 15000000);
    echo_STAND_reply stand = bus_stand();
    ck_assert_int_eq(stand.version, 2);
    ck_assert_int_eq(stand.seen, 5);
    echo_some(1, 5);
    void *good;
    pthread_join(thread, &good);
    ck_assert_ptr_eq(good, (void *)(intptr_t)7);
    BUS_UNTIL(bus_stand().ticks > stand.ticks);
    ck_assert_int_eq(bus_stand().out_of_order, 0);
    bus_end();
}
END_TEST

/* It has taken over, and then can't: everything is as if it had never been. */
static void check_goes_back(const char *successor, const char *why)
{
    bus_up("echo_v1.so");
    echo_some(1, 0);
    int64_t ticks = bus_stand().ticks;
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_later, (void *)(intptr_t)7), 0);
    BUS_UNTIL(bus_figures("echo").deferred > 0);
    /* Work that ends while the successor is on trial; nobody waits for its answer. */
    piw_msg *call = echo_WORK_make(-60), *answer;
    ck_assert_int_eq(piw_runtime_call(bus, "echo", &call, 30, &answer, NULL), PIW_EDEADLINE);
    bus_replace_refused(successor, why);
    echo_STAND_reply stand = bus_stand();
    ck_assert_int_eq(stand.version, 1);
    ck_assert_int_eq(stand.why, PIW_SWAP);
    ck_assert_int_eq(stand.seen, 5);
    echo_some(1, 5);
    void *good;
    pthread_join(thread, &good);
    ck_assert_ptr_eq(good, (void *)(intptr_t)7);
    BUS_UNTIL(bus_figures("echo").calls_open == 0 && bus_figures("echo").deferred == 0);
    BUS_UNTIL(bus_stand().ticks > ticks);
    ck_assert_int_eq(bus_stand().out_of_order, 0);
    ck_assert_int_eq(bus_stand().strays, 0);
    ck_assert_int_eq(bus_figures("echo").swaps, 0);
    ck_assert_int_eq(bus_figures("echo").restarts, 0);
    /* And the next one is taken. */
    bus_replace("echo_v2.so");
    ck_assert_int_eq(bus_stand().seen, 10);
    bus_end();
}

START_TEST(a_successor_that_fails_before_it_is_ready)
{
    check_goes_back("echo_dies.so", "this fixture dies");
}
END_TEST

START_TEST(a_successor_that_is_never_ready)
{
    piw__tune.swap_ms = 150;
    check_goes_back("echo_never.so", "not ready within 150 ms");
}
END_TEST

START_TEST(a_successor_that_takes_too_long_to_start)
{
    piw__tune.swap_ms = 100;
    bus_up("echo_v1.so");
    echo_some(1, 0);
    bus_replace_refused("echo_slow.so", "ms to start, 100 are allowed");
    ck_assert_int_eq(bus_stand().version, 1);
    ck_assert_int_eq(bus_stand().why, PIW_BOOT);
    echo_some(1, 5);
    bus_end();
}
END_TEST

START_TEST(instances_go_back_together)
{
    piw__tune.swap_ms = 150;
    bus_new();
    bus_add("echo", "echo_v1.so", (piw_task_config){BUS_ON, .instances = 3});
    bus_add("relay", NULL, (piw_task_config){BUS_ON});
    bus_start();
    bus_replace_refused("echo_never.so", "not ready within 150 ms");
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(bus_stand().version, 1);
    piw__tune.swap_ms = 5000;
    bus_replace("echo_late.so");
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(bus_stand().version, 2);
    bus_end();
}
END_TEST

/* Another state needs --fresh: that, too, is undone when the new soul is not ready in the end. */
START_TEST(a_fresh_one_that_is_never_ready)
{
    piw__tune.swap_ms = 150;
    piw_err err = {0};
    bus_up("echo_v1.so");
    ck_assert_int_eq(piw_runtime_replace_fresh(bus, "echo", "echo_never.so", &err), PIW_EDEADLINE);
    ck_assert_int_eq(bus_stand().version, 1);
    err = (piw_err){0};
    ck_assert_int_eq(piw_runtime_replace_fresh(bus, "echo", "echo_dies.so", &err), PIW_EHANDLER);
    ck_assert_int_eq(bus_stand().version, 1);
    err = (piw_err){0};
    piw__tune.swap_ms = 5000;
    ck_assert_int_eq(piw_runtime_replace_fresh(bus, "echo", "echo_late.so", &err), 0);
    ck_assert_int_eq(bus_stand().version, 2);
    bus_end();
}
END_TEST

START_TEST(a_held_task_goes_over_too)
{
    piw_err err = {0};
    bus_up("echo_v1.so");
    ck_assert_int_eq(piw_runtime_hold(bus, "echo", true, &err), 0);
    bus_replace("echo_late.so");
    uint64_t handled = bus_figures("echo").handled;
    piw_msg *call = echo_ECHO_make(1, 1), *answer;
    ck_assert_int_eq(piw_runtime_call(bus, "echo", &call, 50, &answer, NULL), PIW_EDEADLINE);
    ck_assert_uint_eq(bus_figures("echo").handled, handled);
    ck_assert_int_eq(piw_runtime_hold(bus, "echo", false, &err), 0);
    ck_assert_int_eq(bus_stand().version, 2);
    bus_end();
}
END_TEST

static void say(const char *text, const char *then)
{
    piw_msg *answer = NULL;
    int ret = bus_try("echo", echo_SAY_make(piw_text_of(text), piw_text_of(then)), &answer);
    ck_assert_int_eq(ret != 0, then[0] != '\0');
    piw_msg_free(&answer);
}

/* Shown at once, kept when the handler fails, gone with the soul; cut, and harmless on a screen. */
START_TEST(what_a_task_says_of_itself)
{
    bus_up("echo_v1.so");
    ck_figure("echo", note, "");
    say("1 of 2 done", "");
    ck_figure("echo", note, "1 of 2 done");
    ck_figure("relay", note, "");
    say("2 of 2 done", "error");
    ck_figure("echo", note, "2 of 2 done");
    say("\x1b[2J \xc3", "");
    ck_figure("echo", note, "\\x1b[2J \\xc3");
    char text[600], cut[PIW_LIMIT_NOTE + 1];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    memset(cut, 'x', sizeof(cut));
    cut[PIW_LIMIT_NOTE] = '\0';
    say(text, "");
    ck_figure("echo", note, cut);
    bus_replace_refused("echo_bad_start.so", "this fixture never starts");
    ck_figure("echo", note, cut);
    bus_replace("echo_v2.so");
    ck_figure("echo", note, "");
    say("again", "");
    say("for the last time", "fail");
    BUS_UNTIL(bus_figures("echo").restarts == 1 && strcmp(bus_figures("echo").state, "running") == 0);
    ck_figure("echo", note, "");
    bus_end();
}
END_TEST

START_TEST(a_failed_task_can_be_replaced)
{
    piw__tune.failures = 1;
    piw__tune.failures_window_ms = 60000;
    bus_up("echo_v1.so");
    piw_msg *answer;
    bus_try("echo", echo_BREAK_make(piw_text_of("fail")), &answer);
    BUS_UNTIL(strcmp(bus_figures("echo").state, "failed") == 0);
    bus_replace("echo_v2.so");
    ck_assert_int_eq(bus_stand().version, 2);
    bus_end();
}
END_TEST

/* --- A thousand ------------------------------------------------------------------------------------------------------- */

static _Atomic bool over;

typedef struct caller {
    pthread_t thread;
    int64_t from;
    /* Of this thread only until it is joined. */
    int64_t asked, answered, errors, out_of_order;
} caller;

/* Asks one by one: the order of its numbers is the order of its calls. */
static void *call_on(void *arg)
{
    caller *self = arg;
    int64_t n = 0;
    while (!atomic_load(&over)) {
        piw_msg *answer = NULL;
        self->asked++;
        int ret = bus_try("echo", echo_ECHO_make(self->from, n + 1), &answer);
        if (ret == 0) {
            self->answered++;
            n++;
            self->out_of_order += !echo_ECHO_reply_of(answer)->in_order;
        } else {
            self->errors++;
        }
        piw_msg_free(&answer);
    }
    return NULL;
}

/* Whole batches through the relay, and requests that are deferred. */
static void *ask_on(void *arg)
{
    caller *self = arg;
    int64_t batch = 0;
    while (!atomic_load(&over)) {
        piw_msg *answer = NULL;
        self->asked += 500;
        /* A new sender each time: the relay counts from 1. */
        int ret = bus_try("relay", relay_ASK_make(self->from + batch++ % 100, 500), &answer);
        if (ret == 0) {
            const relay_ASK_reply *reply = relay_ASK_reply_of(answer);
            self->answered += reply->answers;
            self->errors += reply->errors;
        }
        piw_msg_free(&answer);
        self->asked++;
        ret = bus_try("echo", echo_LATER_make(self->from, batch, 1), &answer);
        self->answered += ret == 0 && echo_LATER_reply_of(answer)->n == batch;
        self->errors += ret != 0;
        piw_msg_free(&answer);
    }
    return NULL;
}

static void callers_start(caller *callers)
{
    atomic_store(&over, false);
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (caller){.from = 1 + i};
        if (i % 2 == 1)
            callers[i].from = 100 + 200 * i;
        ck_assert_int_eq(pthread_create(&callers[i].thread, NULL, i % 2 == 1 ? ask_on : call_on, &callers[i]), 0);
    }
}

static caller callers_end(caller *callers)
{
    caller sum = {0};
    atomic_store(&over, true);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        sum.asked += callers[i].asked;
        sum.answered += callers[i].answered;
        sum.errors += callers[i].errors;
        sum.out_of_order += callers[i].out_of_order;
    }
    return sum;
}

START_TEST(a_thousand_swaps)
{
    bus_up("echo_v1.so");
    caller callers[CALLERS];
    callers_start(callers);
    unsigned images = piw__images_count();
    for (int i = 0; i < unit_times(ROUNDS); i++)
        bus_replace(i % 2 == 0 ? "echo_v2.so" : "echo_v1.so");
    caller sum = callers_end(callers);
    ck_assert_uint_le(piw__images_count(), images + 1);
    ck_assert_int_gt(sum.answered, unit_times(ROUNDS));
    ck_assert_int_eq(sum.asked, sum.answered);
    ck_assert_int_eq(sum.errors, 0);
    ck_assert_int_eq(sum.out_of_order, 0);
    echo_STAND_reply stand = bus_stand();
    ck_assert_int_eq(stand.held, 0);
    ck_assert_int_eq(stand.strays, 0);
    piw_task_figures figures = bus_figures("echo");
    ck_assert_uint_eq(figures.swaps, unit_times(ROUNDS));
    ck_assert_uint_eq(figures.dead_letters + figures.unanswered + figures.errors + figures.restarts, 0);
    ck_assert_uint_eq(figures.deferred + figures.calls_open, 0);
    printf("# %lld calls over %d swaps, longest pause %.2f ms\n", (long long)sum.answered, unit_times(ROUNDS),
           (double)figures.swap_pause_ns_max / 1e6);
    bus_end();
}
END_TEST

/* Handlers that fail, while calls and swaps go on: they have done nothing, and everybody else notices nothing. */
START_TEST(a_thousand_handler_errors)
{
    bus_up("echo_v1.so");
    caller callers[CALLERS];
    callers_start(callers);
    for (int i = 0; i < unit_times(ROUNDS); i++) {
        piw_msg *answer = NULL;
        ck_assert_int_eq(bus_try("echo", echo_BREAK_make(piw_text_of("error")), &answer), PIW_EREFUSED);
        if (i % 10 == 0)
            bus_replace(i % 20 == 0 ? "echo_v2.so" : "echo_v1.so");
    }
    caller sum = callers_end(callers);
    ck_assert_int_eq(sum.asked, sum.answered);
    ck_assert_int_eq(sum.errors, 0);
    ck_assert_int_eq(sum.out_of_order, 0);
    ck_assert_int_eq(bus_stand().strays, 0);
    ck_assert_int_eq(bus_stand().events, 0);
    ck_assert_uint_eq(bus_figures("echo").errors, unit_times(ROUNDS));
    bus_end();
}
END_TEST

/* Souls that fail, between swaps: each request gets exactly one answer, be it an error. */
START_TEST(a_thousand_restarts)
{
    bus_up("echo_v1.so");
    caller callers[CALLERS];
    callers_start(callers);
    for (int i = 0; i < unit_times(ROUNDS); i++) {
        piw_msg *answer = NULL;
        ck_assert_int_eq(bus_try("echo", echo_BREAK_make(piw_text_of("fail")), &answer), PIW_EHANDLER);
        if (i % 10 == 0) {
            /* A swap may come upon a task that is just being restarted: then it is refused, or begins cold. */
            piw_err err = {0};
            int ret = piw_runtime_replace(bus, "echo", i % 20 == 0 ? "echo_v2.so" : "echo_v1.so", &err);
            ck_assert_msg(ret == 0 || ret == PIW_EREFUSED, "%s", err.text);
        }
    }
    caller sum = callers_end(callers);
    ck_assert_int_eq(sum.asked, sum.answered + sum.errors);
    BUS_UNTIL(bus_figures("echo").restarts >= (uint64_t)unit_times(ROUNDS) / 2);
    ck_assert_uint_eq(bus_figures("echo").deferred, 0);
    ck_assert_uint_eq(bus_figures("relay").calls_open, 0);
    ck_assert_uint_eq(bus_figures("relay").deferred, 0);
    bus_end();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("swap");
    TCase *tc = tcase_create("swap");
    tcase_set_timeout(tc, unit_times(120));
    tcase_add_checked_fixture(tc, storms_allow, NULL);
    tcase_add_test(tc, state_goes_over);
    tcase_add_test(tc, deferred_requests_go_over);
    tcase_add_test(tc, timers_keep_their_phase);
    tcase_add_test(tc, work_of_the_old_soul_reaches_the_new);
    tcase_add_test(tc, a_service_goes_when_nobody_uses_it);
    tcase_add_test(tc, a_start_that_refuses_changes_nothing);
    tcase_add_test(tc, another_state_is_refused);
    tcase_add_test(tc, a_handler_that_does_not_end_aborts_the_swap);
    tcase_add_test(tc, instances_go_over_together_or_not_at_all);
    tcase_add_test(tc, a_successor_may_be_ready_later);
    tcase_add_test(tc, a_successor_that_fails_before_it_is_ready);
    tcase_add_test(tc, a_successor_that_is_never_ready);
    tcase_add_test(tc, a_successor_that_takes_too_long_to_start);
    tcase_add_test(tc, instances_go_back_together);
    tcase_add_test(tc, a_fresh_one_that_is_never_ready);
    tcase_add_test(tc, a_held_task_goes_over_too);
    tcase_add_test(tc, a_failed_task_can_be_replaced);
    tcase_add_test(tc, what_a_task_says_of_itself);
    tcase_add_test(tc, a_thousand_swaps);
    tcase_add_test(tc, a_thousand_handler_errors);
    tcase_add_test(tc, a_thousand_restarts);
    suite_add_tcase(suite, tc);
    return suite;
}
