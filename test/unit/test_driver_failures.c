/* slave_driver's handler of BUILT fails a thousand times: the queue gives it the report once more, every slave has its
 * answer, every build is recorded once. */
#include "base/tuning.h"
#include "farm.h"

enum {
    SLAVES = 10,
    BUILDS = 101, /* of each slave */
    BUILDS_MAX = SLAVES * BUILDS,
    FAILURES = BUILDS_MAX - 1, /* every second passage fails: all reports but the first one come twice */
};

static farm f;
static const char *const tasks[] = {"fake_farm", "slave_driver", NULL};
static const char *const queues[] = {"slave", NULL};

/* Fault points are read when a program begins: it begins again. */
__attribute__((constructor)) static void arm(void)
{
    char self[] = "/proc/self/exe", *argv[] = {self, NULL};
    if (getenv("PIW_FAULTS") == NULL && setenv("PIW_FAULTS", "driver.built=error/2", 1) == 0)
        execv(self, argv);
}

static void setup(void)
{
    memset(&f, 0, sizeof(f));
    piw__tune.errors_per_s = 1000000; /* else it would be restarted */
    farm_start(&f, tasks, queues);
}

static void teardown(void)
{
    farm_stop(&f);
}

/* Packages p with versions 0, 1, … */
static void offer(void)
{
    static char versions[BUILDS_MAX][12];
    static const char *window[2 * BUILDS_MAX + 1];
    for (int i = 0; i < BUILDS_MAX; i++) {
        snprintf(versions[i], sizeof(versions[i]), "%d", i);
        window[2 * i] = "p";
        window[2 * i + 1] = versions[i];
    }
    farm_queue(&f, "cp311", window);
}

START_TEST(a_thousand_failures_leave_nobody_waiting)
{
    static bool built_before[BUILDS_MAX];
    piw_client *slaves[SLAVES];
    offer();
    for (int i = 0; i < SLAVES; i++) {
        slaves[i] = slave_connect(&f, i % 2 != 0 ? PIW_CBOR : PIW_MSGPACK);
        slave_say(slaves[i], hello());
    }
    for (int i = 0; i < BUILDS_MAX; i++) {
        int version = -1;
        const char *answer = slave_say(slaves[i % SLAVES], idle());
        ck_assert_msg(sscanf(answer, "BUILD p %d", &version) == 1, "build %d: %s", i, answer);
        ck_assert_msg(version >= 0 && version < BUILDS_MAX && !built_before[version], "%s twice", answer);
        built_before[version] = true;
        ck_assert_str_eq(slave_say(slaves[i % SLAVES], built(false, "", NULL)), "DONE");
    }
    farm_wait(&f, "LOGBUILD(", BUILDS_MAX);
    piw_task_figures figures;
    ck_assert_int_eq(piw_runtime_figures(f.runtime, "slave_driver", 0, &figures), 0);
    ck_assert_uint_eq(figures.errors, FAILURES);
    ck_assert_uint_eq(figures.restarts, 0);
    ck_assert_uint_eq(figures.unanswered, 0);
    ck_assert_uint_eq(figures.dead_letters, 0);
    ck_assert_uint_eq(figures.deferred, 0);
    for (int i = 0; i < SLAVES; i++)
        piw_client_close(&slaves[i]);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("driver_failures");
    TCase *tc = tcase_create("failures");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, a_thousand_failures_leave_nobody_waiting);
    suite_add_tcase(suite, tc);
    return suite;
}
