/* Jobs of the background, and large ones: threads of their own with less priority, for which no other job waits; and turns between
 * the tasks that have jobs for the others. */
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
    _Atomic bool open;     /* those that wait may end; released by the test's thread */
    _Atomic int64_t spare; /* or so many of them */
    _Atomic int64_t last;  /* how many had been begun before the job of LAST; or -1 */
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

static bool may_end(void)
{
    int64_t spare = it.spare;
    while (spare > 0 && !atomic_compare_exchange_weak(&it.spare, &spare, spare - 1))
        ;
    return it.open || spare > 0;
}

static int do_job(piw_msg *job, piw_msg **result, piw_err *err)
{
    (void)err;
    const chores_job *body = chores_job_of(job);
    if (body->waits) {
        /* Between a thread's taking of one and this the others may do any number of those that follow: only what it takes itself comes
         * in order for sure. */
        static _Thread_local int64_t before = -1;
        if (body->n <= before)
            it.out_of_order = true;
        before = body->n;
        it.begun++;
        const struct timespec moment = {.tv_nsec = 1000000};
        while (!may_end())
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
        rc = chores_MANY_of(msg)->background ? piw_work_background(task, do_job, &job, PIW_ON(one_of_many), (uint64_t)n)
                                             : piw_work(task, do_job, &job, PIW_ON(one_of_many), (uint64_t)n);
        piw_msg_free(&job);
    }
    return rc;
}

static int do_last(piw_msg *job, piw_msg **result, piw_err *err)
{
    it.last = it.begun;
    return do_job(job, result, err);
}

static int on_last(piw_task *task, piw_msg *msg)
{
    (void)msg;
    piw_msg *job = make_job(0, false, NULL);
    int rc = piw_work(task, do_last, &job, PIW_ON(one_of_many), 0);
    piw_msg_free(&job);
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
static const piw_service other_services[] = {{"others", &chores_protocol_def}, PIW_SERVICES_END};
static piw_protocol_def *const extra[] = {&chores_local_protocol_def, NULL};
static const piw_handler handlers[] = {{&chores_protocol_def, CHORES_DO, on_do},
                                       {&chores_protocol_def, CHORES_MANY, on_many},
                                       {&chores_protocol_def, CHORES_LARGE, on_large},
                                       {&chores_protocol_def, CHORES_LAST, on_last},
                                       PIW_HANDLERS_END};
static const piw_continuation continuations[] = {PIW_CONTINUATION(did), PIW_CONTINUATION(one_of_many),
                                                 PIW_CONTINUATIONS_END};

#define CHORES(name_, serves_)                                                                                         \
    {                                                                                                                  \
        .size = sizeof(piw_plugin), .abi = PIW_ABI, .magic = {'p', 'i', 'w', '-', 't', 'a', 's', 'k'},                 \
        .build = PIW_BUILD, .sizes = PIW_SIZES, .name = name_, .version = "1", .serves = serves_, .extra = extra,      \
        .start = start, .handlers = handlers, .continuations = continuations,                                          \
    }

static const piw_plugin plugin = CHORES("chores", services), other_plugin = CHORES("others", other_services);

static void up(void)
{
    const piw_task_config config = {.name = "chores", BUS_ON, .critical = 1},
                          other = {.name = "others", BUS_ON, .critical = 1};
    piw_err err = {0};
    bus_new();
    piw_protocol_use(&chores_protocol_def);
    piw_protocol_use(&chores_local_protocol_def);
    ck_assert_msg(piw__runtime_add_builtin(bus, &config, &plugin, &err) == 0, "%s", err.text);
    ck_assert_msg(piw__runtime_add_builtin(bus, &other, &other_plugin, &err) == 0, "%s", err.text);
    bus_start();
}

static chores_DO_reply did_by(const char *service, bool background)
{
    piw_msg *answer = bus_call(service, chores_DO_make(background));
    chores_DO_reply body = *chores_DO_reply_of(answer);
    piw_msg_free(&answer);
    return body;
}

static chores_DO_reply did(bool background)
{
    return did_by("chores", background);
}

static void give(const char *service, piw_msg *msg)
{
    ck_assert_int_eq(piw_runtime_call(bus, service, &msg, 0, NULL, NULL), 0);
}

static void give_many(int64_t count)
{
    give("chores", chores_MANY_make(count, true));
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
    give("chores", chores_LARGE_make(LARGE));
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

/* Another task's one job is begun as soon as one of the many is done. */
START_TEST(a_task_with_many_holds_up_no_other)
{
    it.last = -1;
    up();
    give("chores", chores_MANY_make(MANY, false));
    BUS_UNTIL(it.begun == PIW_LIMIT_WORKERS);
    give("others", chores_LAST_new());
    did_by("others", true); /* so it has been asked for */
    ck_assert_int_eq(it.last, -1);
    it.spare = 1;
    BUS_UNTIL(it.last >= 0);
    ck_assert_int_eq(it.last, PIW_LIMIT_WORKERS);
    it.open = true;
    BUS_UNTIL(it.ended == MANY + 1);
    ck_assert(!it.out_of_order);
    bus_end();
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
    tcase_add_test(tc, a_task_with_many_holds_up_no_other);
    tcase_add_test(tc, the_end_waits_for_none_that_hasnt_begun);
    suite_add_tcase(suite, tc);
    return suite;
}
