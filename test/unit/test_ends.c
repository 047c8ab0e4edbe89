/* What ends while something else is under way: timers, the pool of workers, a start that is refused, a subscription. */
#include "bus.h"

#include "runtime/inner.h"
#include "test/ends.piw.h"

#include <time.h>

static piw_continuation_fn on_never_due, on_time_is_up, on_worked;

enum { STOP_MS = 100, LATE_MS = 600 };

static struct {
    piw_token asker;
    _Atomic bool begun; /* LATE runs; released to the test's thread */
    _Atomic int worked; /* what piw_work returned; 1: nothing yet */
    _Atomic bool refuses;
    _Atomic int starts;
} it;

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)task;
    (void)why;
    (void)state;
    it.starts++;
    return it.refuses ? piw_err_set(err, PIW_EREFUSED, "it was told not to start") : 0;
}

static int on_both(piw_task *task, piw_msg *msg)
{
    int rc = piw_defer(task, msg, &it.asker);
    piw_msg *never = ends_NEVER_new();
    if (rc == 0)
        rc = piw_timer(task, PIW_ON(never_due), 0, 60000, 0);
    if (rc == 0)
        rc = piw_call(task, &never, PIW_ON(time_is_up), 0, ends_BOTH_of(msg)->deadline_ms);
    piw_msg_free(&never);
    return rc;
}

static int on_time_is_up(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    piw_timer_stop(task, PIW_ON(never_due), 0);
    piw_msg *answer = ends_BOTH_reply_new();
    return piw_answer(task, it.asker, &answer);
}

static int on_never_due(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)task;
    (void)reply;
    (void)key;
    return PIW_EHANDLER;
}

static int on_never(piw_task *task, piw_msg *msg)
{
    piw_token token;
    return piw_defer(task, msg, &token);
}

static int no_job(piw_msg *job, piw_msg **result, piw_err *err)
{
    (void)err;
    *result = ends_job_reply_make(ends_job_of(job)->n);
    return 0;
}

static int on_late(piw_task *task, piw_msg *msg)
{
    int64_t ms = ends_LATE_of(msg)->ms;
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    it.begun = true;
    nanosleep(&time, NULL);
    piw_msg *job = ends_job_make(1);
    it.worked = piw_work(task, no_job, &job, PIW_ON(worked), 0);
    piw_msg_free(&job);
    return 0;
}

static int on_worked(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)task;
    (void)reply;
    (void)key;
    return 0;
}

static const piw_service services[] = {{"ends", &ends_protocol_def}, PIW_SERVICES_END};
static piw_protocol_def *const extra[] = {&ends_local_protocol_def, NULL};
static const piw_handler handlers[] = {{&ends_protocol_def, ENDS_BOTH, on_both},
                                       {&ends_protocol_def, ENDS_NEVER, on_never},
                                       {&ends_protocol_def, ENDS_LATE, on_late},
                                       PIW_HANDLERS_END};
static const piw_continuation continuations[] = {PIW_CONTINUATION(time_is_up), PIW_CONTINUATION(never_due),
                                                 PIW_CONTINUATION(worked), PIW_CONTINUATIONS_END};

static const piw_plugin plugin = {.size = sizeof(plugin),
                                  .abi = PIW_ABI,
                                  .magic = {'p', 'i', 'w', '-', 't', 'a', 's', 'k'},
                                  .build = PIW_BUILD,
                                  .sizes = PIW_SIZES,
                                  .name = "ends",
                                  .version = "1",
                                  .serves = services,
                                  .uses = services,
                                  .extra = extra,
                                  .start = start,
                                  .handlers = handlers,
                                  .continuations = continuations};

static void up(bool enabled)
{
    const piw_task_config config = {.name = "ends", .enabled = enabled, .critical = 1};
    piw_err err = {0};
    it.worked = 1;
    bus_new();
    piw_protocol_use(&ends_protocol_def);
    piw_protocol_use(&ends_local_protocol_def);
    ck_assert_msg(piw__runtime_add_builtin(bus, &config, &plugin, &err) == 0, "%s", err.text);
    bus_start();
}

START_TEST(a_timer_stopped_by_a_call_that_ends)
{
    up(true);
    for (int i = 0; i < 10; i++) {
        piw_msg *answer = bus_call("ends", ends_BOTH_make(2));
        piw_msg_free(&answer);
    }
    ck_assert_uint_eq(bus_figures("ends").errors, 0);
    bus_end();
}
END_TEST

START_TEST(work_that_comes_after_the_pool_has_stopped)
{
    piw__tune.stop_ms = STOP_MS;
    up(true);
    piw_msg *late = ends_LATE_make(LATE_MS);
    ck_assert_int_eq(piw_runtime_call(bus, "ends", &late, 0, NULL, NULL), 0);
    BUS_UNTIL(it.begun);
    bus_end();
    ck_assert_int_eq(it.worked, 0);
}
END_TEST

START_TEST(an_enabling_that_fails_leaves_it_disabled)
{
    up(false);
    it.refuses = true;
    piw_err err = {0};
    ck_assert_int_eq(piw_runtime_enable(bus, "ends", &err), PIW_EREFUSED);
    ck_assert_msg(strstr(err.text, "told not to start") != NULL, "%s", err.text);
    /* Disabled tasks refuse at once; what failed and is tried again keeps calls until then. */
    piw_msg *answer;
    ck_assert_int_eq(bus_try("ends", ends_NEVER_new(), &answer), PIW_EABSENT);
    ck_assert_int_eq(it.starts, 1);
    it.refuses = false;
    ck_assert_int_eq(piw_runtime_enable(bus, "ends", &err), 0);
    ck_assert_int_eq(it.starts, 2);
    bus_end();
}
END_TEST

START_TEST(a_successor_that_subscribes_to_less)
{
    bus_up("echo_v1.so");
    piw_msg *answer = bus_call("relay", relay_TELL_make(1));
    piw_msg_free(&answer);
    BUS_UNTIL(bus_stand().events == 1);
    bus_replace("echo_deaf.so");
    answer = bus_call("relay", relay_TELL_make(2));
    piw_msg_free(&answer);
    /* The event went to echo before the relay asks it. */
    answer = bus_call("relay", relay_ASK_make(1, 1));
    piw_msg_free(&answer);
    ck_assert_int_eq(bus_stand().events, 1);
    ck_assert_uint_eq(bus_figures("echo").dead_letters, 0);
    bus_end();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ends");
    TCase *tc = tcase_create("ends");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_timer_stopped_by_a_call_that_ends);
    tcase_add_test(tc, work_that_comes_after_the_pool_has_stopped);
    tcase_add_test(tc, an_enabling_that_fails_leaves_it_disabled);
    tcase_add_test(tc, a_successor_that_subscribes_to_less);
    suite_add_tcase(suite, tc);
    return suite;
}
