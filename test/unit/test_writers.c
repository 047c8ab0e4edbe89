/* test_writers.c — the two writers of the site take over from each other again and again while pages are asked for, by
 * callers who wait for each answer. No request is lost or fails, and afterwards the pages are those of the writer that
 * stayed. */
#include "site_house.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { SWAPS = 1000 };
/* fake_archive keeps a line for each of their questions to the database, 10,000 at most. */
enum { CALLERS = 4, REQUESTS_MAX = 2000 };

static const char *const writers[] = {"scribe_html.so", "the_scribe.so"};

typedef struct caller {
    pthread_t thread;
    char own[16];
    unsigned asked, answered;
    char error[600];
} caller;

static atomic_bool over;
static sem_t step; /* posted for each request that has ended */

static piw_msg *request(const caller *self)
{
    piw_text own = piw_text_of(self->own), common = piw_text_of("gold");
    switch (self->asked % 5) {
    case 0:
        return scribe_HOME_new();
    case 1:
        return scribe_PROJECT_make(common);
    case 2:
        return scribe_BOTH_make(common);
    case 3:
        return scribe_DELPKG_make(piw_text_of("never-there"));
    default:
        return scribe_BOTH_make(own);
    }
}

/* One request after the other until the swaps are over; a failure is kept for the test's own thread. */
static void *ask_on(void *arg)
{
    caller *self = arg;
    while (!atomic_load(&over) && self->asked < REQUESTS_MAX && self->error[0] == '\0') {
        piw_msg *msg = request(self), *answer = NULL;
        piw_err err = {0};
        self->asked++;
        int rc = piw_runtime_call(runtime, "scribe", &msg, WAIT_MS, &answer, &err);
        if (rc != 0 || piw_msg_error(answer) != 0)
            snprintf(self->error, sizeof(self->error), "request %u: %s", self->asked,
                     rc != 0 ? err.text : piw_msg_error_text(answer));
        else
            self->answered++;
        piw_msg_free(&answer);
        piw_msg_free(&msg);
        sem_post(&step);
    }
    return NULL;
}

static void take_over(const char *file)
{
    piw_err err = {0};
    ck_assert_msg(piw_runtime_replace(runtime, "the_scribe", file, &err) == 0, "%s: %s", file, err.text);
}

static void wait_step(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MS / 1000;
    ck_assert_msg(sem_timedwait(&step, &until) == 0, "no request has ended for %d ms", WAIT_MS);
}

static void both(const char *package)
{
    tell("scribe", scribe_BOTH_make(piw_text_of(package)));
}

/* Once no request is deferred any more: the last answer may be here before the shell that gave it has counted it. */
static piw_task_figures last_figures(void)
{
    piw_task_figures figures;
    for (int64_t until_ns = piw_monotonic_ns() + WAIT_MS * INT64_C(1000000);; poll(NULL, 0, 10)) {
        ck_assert_int_eq(piw_runtime_figures(runtime, "the_scribe", 0, &figures), 0);
        if (figures.deferred == 0 || piw_monotonic_ns() > until_ns)
            return figures;
    }
}

START_TEST(writers_take_turns_and_no_request_is_lost)
{
    caller callers[CALLERS] = {0};
    unsigned answered = 0;
    store("gold", NULL, NULL);
    for (int i = 0; i < CALLERS; i++) {
        snprintf(callers[i].own, sizeof(callers[i].own), "own-%d", i);
        store(callers[i].own, NULL, NULL);
    }
    ck_assert_int_eq(sem_init(&step, 0, 0), 0);
    for (int i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_create(&callers[i].thread, NULL, ask_on, &callers[i]), 0);
    /* When one request has ended the others' are under way. */
    for (int i = 0; i < SWAPS; i++) {
        wait_step();
        take_over(writers[i % 2]);
    }
    atomic_store(&over, true);
    for (int i = 0; i < CALLERS; i++) {
        ck_assert_int_eq(pthread_join(callers[i].thread, NULL), 0);
        ck_assert_msg(callers[i].error[0] == '\0', "%s", callers[i].error);
        ck_assert_uint_eq(callers[i].answered, callers[i].asked);
        answered += callers[i].answered;
    }
    ck_assert_uint_ge(answered, SWAPS);
    piw_task_figures figures = last_figures();
    ck_assert_uint_eq(figures.swaps, SWAPS);
    ck_assert_uint_eq(figures.restarts, 0);
    ck_assert_uint_eq(figures.errors, 0);
    ck_assert_uint_eq(figures.unanswered, 0);
    ck_assert_uint_eq(figures.deferred, 0);
    printf("# %d swaps under %u requests, the longest pause %.1f ms\n", SWAPS, answered,
           (double)figures.swap_pause_ns_max / 1e6);
}
END_TEST

/* Requests that wait for the database when the swap comes are answered by the successor, in the successor's forms. */
START_TEST(what_was_asked_before_is_written_by_the_successor)
{
    store("gold", NULL, NULL);
    for (int i = 0; i < 4; i++) {
        web("BOTH", "gold", true);
        take_over(writers[i % 2]);
        both("gold");
        ck_assert(is_there("simple/gold/index.html"));
        ck_assert_int_eq(is_there("simple/gold/index.v1.json"), i % 2 == 1);
    }
}
END_TEST

/* Removing a package waits for the root list: another writer may finish it, and takes both forms away. */
START_TEST(a_removal_is_finished_by_either_writer)
{
    for (int i = 0; i < 4; i++) {
        store("gold", NULL, NULL);
        store("silver", NULL, NULL);
        both("silver");
        both("gold");
        tell("archive", archive_FORGET_make(piw_text_of("gold")));
        web("DELPKG", "gold", true);
        take_over(writers[i % 2]);
        tell("scribe", scribe_DELPKG_make(piw_text_of("gold")));
        ck_assert(!is_there("simple/gold"));
        char *list = content("simple/index.html");
        ck_assert_ptr_nonnull(strstr(list, "silver"));
        ck_assert_ptr_null(strstr(list, "gold"));
        free(list);
        ck_assert_int_eq(is_there("simple/index.v1.json"), i % 2 == 1);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("writers");
    TCase *swaps = tcase_create("swaps");
    tcase_set_timeout(swaps, 120);
    tcase_add_checked_fixture(swaps, setup, teardown);
    tcase_add_test(swaps, writers_take_turns_and_no_request_is_lost);
    tcase_add_test(swaps, what_was_asked_before_is_written_by_the_successor);
    tcase_add_test(swaps, a_removal_is_finished_by_either_writer);
    suite_add_tcase(suite, swaps);
    return suite;
}
