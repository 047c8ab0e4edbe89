/* Jobs of the background, and large ones: threads of their own with less priority, for which no other job waits. */
#include "bus.h"

#include "runtime/inner.h"
#include "test/chores.piw.h"

#include <sched.h>
#include <sys/resource.h>
#include <time.h>

static piw_continuation_fn on_did, on_one_of_many;

enum { MANY = 200, LARGE = 20, STOP_MS = 200 };

static const char bytes[PIW_LIMIT_LARGE_JOB + 1];

static struct {
    _Atomic bool open; /* those that wait may end; released by the test's thread */
    _Atomic int64_t begun, ended;
    _Atomic bool out_of_order;
    _Atomic int64_t large, large_at_once; /* that run; the most that did */
    _Atomic int64_t large_nice, large_policy;
} it;

static piw_msg *make_job(int64_t n, bool waits, piw_blob *much)
{
    chores_job *body;
    piw_msg *job = chores_job_new(&body);
    body->n = n;
    body->waits = waits;
    body->much = piw_msg_blob(job, much);
    return job;
}

static int do_job(piw_msg *job, piw_msg **result, piw_err *err)
{
    (void)err;
    const chores_job *body = chores_job_of(job);
    if (body->waits) {
        /* Two threads take one each: one may be a place ahead. */
        int64_t place = it.begun++;
        if (place - body->n > PIW_LIMIT_BACKGROUND || body->n - place > PIW_LIMIT_BACKGROUND)
            it.out_of_order = true;
        const struct timespec moment = {.tv_nsec = 1000000};
        while (!it.open)
            nanosleep(&moment, NULL);
    }
    *result = chores_job_reply_make(getpriority(PRIO_PROCESS, 0), sched_getscheduler(0));
    return 0;
}

static int on_do(piw_task *task, piw_msg *msg)
{
    piw_token token;
    int rc = piw_defer(task, msg, &token);
    piw_msg *job = make_job(0, false, NULL);
    if (rc == 0)
        rc = chores_DO_of(msg)->background ? piw_work_background(task, do_job, &job, PIW_ON(did), token.id)
                                           : piw_work(task, do_job, &job, PIW_ON(did), token.id);
    piw_msg_free(&job);
    return rc;
}

static int on_did(piw_task *task, piw_msg *reply, uint64_t key)
{
    const chores_job_reply *did = chores_job_reply_of(reply);
    piw_msg *answer = chores_DO_reply_make(did->nice, did->policy);
    int rc = piw_answer(task, (piw_token){key}, &answer);
    piw_msg_free(&answer);
    return rc;
}

static int on_many(piw_task *task, piw_msg *msg)
{
    int rc = 0;
    for (int64_t n = 0; n < chores_MANY_of(msg)->count && rc == 0; n++) {
        piw_msg *job = make_job(n, true, NULL);
        rc = piw_work_background(task, do_job, &job, PIW_ON(one_of_many), (uint64_t)n);
        piw_msg_free(&job);
    }
    return rc;
}

static int do_large(piw_msg *job, piw_msg **result, piw_err *err)
{
    int64_t at_once = ++it.large;
    if (at_once > it.large_at_once)
        it.large_at_once = at_once;
    int rc = do_job(job, result, err);
    it.large_nice = chores_job_reply_of(*result)->nice;
    it.large_policy = chores_job_reply_of(*result)->policy;
    it.large--;
    return rc;
}

static int on_large(piw_task *task, piw_msg *msg)
{
    piw_blob *much = piw_blob_new(bytes, sizeof(bytes));
    int rc = 0;
    for (int64_t n = 0; n < chores_LARGE_of(msg)->count && rc == 0; n++) {
        piw_msg *job = make_job(n, true, much);
        rc = piw_work(task, do_large, &job, PIW_ON(one_of_many), (uint64_t)n);
        piw_msg_free(&job);
    }
    piw_blob_unref(&much);
    return rc;
}

static int on_one_of_many(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)task;
    (void)key;
    it.ended += piw_msg_error(reply) == 0;
    return 0;
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)task;
    (void)why;
    (void)state;
    (void)err;
    return 0;
}

static const piw_service services[] = {{"chores", &chores_protocol_def}, PIW_SERVICES_END};
static piw_protocol_def *const extra[] = {&chores_local_protocol_def, NULL};
static const piw_handler handlers[] = {{&chores_protocol_def, CHORES_DO, on_do},
                                       {&chores_protocol_def, CHORES_MANY, on_many},
                                       {&chores_protocol_def, CHORES_LARGE, on_large},
                                       PIW_HANDLERS_END};
static const piw_continuation continuations[] = {PIW_CONTINUATION(did), PIW_CONTINUATION(one_of_many),
                                                 PIW_CONTINUATIONS_END};

static const piw_plugin plugin = {.size = sizeof(plugin),
                                  .abi = PIW_ABI,
                                  .magic = {'p', 'i', 'w', '-', 't', 'a', 's', 'k'},
                                  .build = PIW_BUILD,
                                  .sizes = PIW_SIZES,
                                  .name = "chores",
                                  .version = "1",
                                  .serves = services,
                                  .extra = extra,
                                  .start = start,
                                  .handlers = handlers,
                                  .continuations = continuations};

static void up(void)
{
    const piw_task_config config = {.name = "chores", BUS_ON, .critical = 1};
    piw_err err = {0};
    bus_new();
    piw_protocol_use(&chores_protocol_def);
    piw_protocol_use(&chores_local_protocol_def);
    ck_assert_msg(piw__runtime_add_builtin(bus, &config, &plugin, &err) == 0, "%s", err.text);
    bus_start();
}

static chores_DO_reply did(bool background)
{
    piw_msg *answer = bus_call("chores", chores_DO_make(background));
    chores_DO_reply body = *chores_DO_reply_of(answer);
    piw_msg_free(&answer);
    return body;
}

static void give_many(int64_t count)
{
    piw_msg *many = chores_MANY_make(count);
    ck_assert_int_eq(piw_runtime_call(bus, "chores", &many, 0, NULL, NULL), 0);
}

START_TEST(its_threads_alone_have_the_least_priority)
{
    up();
    for (int i = 0; i < 20; i++) {
        chores_DO_reply background = did(true), other = did(false);
        ck_assert_int_eq(background.nice, 19);
        ck_assert_int_eq(background.policy, SCHED_IDLE);
        ck_assert_int_eq(other.nice, getpriority(PRIO_PROCESS, 0));
        ck_assert_int_eq(other.policy, sched_getscheduler(0));
    }
    bus_end();
}
END_TEST

START_TEST(other_jobs_dont_wait_for_it)
{
    up();
    give_many(MANY);
    BUS_UNTIL(it.begun == PIW_LIMIT_BACKGROUND);
    for (int i = 0; i < 100; i++)
        did(false);
    ck_assert_int_eq(it.begun, PIW_LIMIT_BACKGROUND);
    ck_assert_int_eq(it.ended, 0);
    it.open = true;
    BUS_UNTIL(it.ended == MANY);
    ck_assert(!it.out_of_order);
    bus_end();
}
END_TEST

START_TEST(of_large_ones_one_runs_and_others_go_past_it)
{
    up();
    piw_msg *large = chores_LARGE_make(LARGE);
    ck_assert_int_eq(piw_runtime_call(bus, "chores", &large, 0, NULL, NULL), 0);
    BUS_UNTIL(it.begun == 1);
    for (int i = 0; i < 20; i++) {
        did(true);
        did(false);
    }
    ck_assert_int_eq(it.begun, 1);
    ck_assert_int_eq(it.ended, 0);
    it.open = true;
    BUS_UNTIL(it.ended == LARGE);
    ck_assert_int_eq(it.large_at_once, 1);
    ck_assert_int_eq(it.large_nice, 19);
    ck_assert_int_eq(it.large_policy, SCHED_BATCH);
    ck_assert(!it.out_of_order);
    bus_end();
}
END_TEST

START_TEST(what_is_given_while_it_works_is_done)
{
    up();
    it.open = true;
    for (int i = 0; i < MANY; i++) {
        give_many(1);
        did(true);
    }
    BUS_UNTIL(it.ended == MANY);
    bus_end();
}
END_TEST

/* What is under way is waited for, within the bound; nothing else is begun, and nobody hangs. */
START_TEST(the_end_waits_for_none_that_hasnt_begun)
{
    piw__tune.stop_ms = STOP_MS;
    up();
    give_many(MANY);
    BUS_UNTIL(it.begun == PIW_LIMIT_BACKGROUND);
    it.open = true;
    bus_end();
    ck_assert_int_le(it.begun, MANY);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("background");
    TCase *tc = tcase_create("background");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, its_threads_alone_have_the_least_priority);
    tcase_add_test(tc, other_jobs_dont_wait_for_it);
    tcase_add_test(tc, of_large_ones_one_runs_and_others_go_past_it);
    tcase_add_test(tc, what_is_given_while_it_works_is_done);
    tcase_add_test(tc, the_end_waits_for_none_that_hasnt_begun);
    suite_add_tcase(suite, tc);
    return suite;
}
