/* One ROUTER port under a storm of REQ peers, while the task behind it is swapped a thousand times and fails a thousand
 * times: every request is answered once, each peer's order and record are kept. */
#include "queue_task.h"
#include "storms.h"
#include "test/crowd.piw.h"

#include <pthread.h>
#include <stdatomic.h>

enum { PEERS = 50, ROUNDS = 1000 };

static void crowd_up(void)
{
    storms_allow();
    up("crowd", &crowd_protocol_def, "crowd_v1.so");
}

static bool is_answer(piw_msg *msg, int64_t n)
{
    return msg != NULL && piw_msg_type_of(msg) == crowd_ANSWER_type() && crowd_ANSWER_of(msg)->n == n;
}

static void replace_once(int round)
{
    replace(round % 2 == 0 ? "crowd_v2.so" : "crowd_v1.so");
}

/* --- One peer ------------------------------------------------------------------------------------------------------ */

START_TEST(a_second_try_comes_before_the_fallback)
{
    crowd_up();
    piw_client *client = connect_peer();
    piw_msg *answer = ask(client, crowd_FAULT_make(1, false));
    ck_assert(is_answer(answer, 1));
    piw_msg_free(&answer);
    /* Also when the soul ended over the first. */
    answer = ask(client, crowd_FAULT_make(2, true));
    ck_assert(is_answer(answer, 2));
    piw_msg_free(&answer);
    piw_client_close(&client);
    down();
}
END_TEST

static void *restart_when_deferred(void *arg)
{
    int64_t until = piw_monotonic_ns() + WAIT_MS * INT64_C(1000000);
    while (figures().deferred == 0 && piw_monotonic_ns() < until)
        usleep(1000);
    piw_err err = {0};
    return piw_runtime_restart(runtime, "crowd", &err) == 0 ? arg : NULL;
}

START_TEST(deferred_requests_of_a_soul_that_ends)
{
    crowd_up();
    piw_client *client = connect_peer();
    pthread_t thread;
    /* The queue gives this one again: the new soul answers it. */
    ck_assert_int_eq(pthread_create(&thread, NULL, restart_when_deferred, NULL), 0);
    piw_msg *answer = ask(client, crowd_KEEP_make(5));
    ck_assert(is_answer(answer, 5));
    piw_msg_free(&answer);
    pthread_join(thread, NULL);
    /* And this one not: the peer gets the queue's error answer. */
    ck_assert_int_eq(pthread_create(&thread, NULL, restart_when_deferred, NULL), 0);
    answer = ask(client, crowd_LATER_make(6, 20000));
    ck_assert_ptr_nonnull(answer);
    ck_assert_ptr_eq(piw_msg_type_of(answer), crowd_SORRY_type());
    piw_msg_free(&answer);
    pthread_join(thread, NULL);
    piw_client_close(&client);
    down();
}
END_TEST

/* --- The storm --------------------------------------------------------------------------------------------------------- */

static _Atomic bool over;

typedef struct peer {
    pthread_t thread;
    bool faults; /* says FAULT now and then */
    /* Of its thread only until that is joined. */
    int64_t asked, answered, sorry, lost, out_of_order;
} peer;

static void note(peer *self, piw_msg *answer, int64_t n)
{
    if (answer == NULL)
        self->lost++;
    else if (is_answer(answer, n))
        self->answered++;
    else
        self->sorry++;
    piw_msg_free(&answer);
}

static void *storm_on(void *arg)
{
    peer *self = arg;
    piw_client *client = connect_peer();
    int64_t n = 0;
    while (!atomic_load(&over) && self->lost == 0) {
        self->asked++;
        piw_msg *answer = ask(client, crowd_ASK_make(n + 1));
        if (is_answer(answer, n + 1)) {
            n++;
            self->out_of_order += !crowd_ANSWER_of(answer)->in_order;
        }
        note(self, answer, n);
        if (self->asked % 5 == 0) {
            self->asked++;
            note(self, ask(client, crowd_LATER_make(n, 2)), n);
        }
        if (self->faults && self->asked % 7 == 0) {
            self->asked++;
            note(self, ask(client, crowd_FAULT_make(n, false)), n);
        }
    }
    piw_client_close(&client);
    return NULL;
}

static void storm_start(peer *peers, bool faults)
{
    atomic_store(&over, false);
    for (int i = 0; i < PEERS; i++) {
        peers[i] = (peer){.faults = faults};
        ck_assert_int_eq(pthread_create(&peers[i].thread, NULL, storm_on, &peers[i]), 0);
    }
    /* All of them have begun. */
    int64_t until = piw_monotonic_ns() + WAIT_MS * INT64_C(1000000);
    while (figures().handled < PEERS * 4 && piw_monotonic_ns() < until)
        usleep(1000);
}

static peer storm_end(peer *peers)
{
    peer sum = {0};
    atomic_store(&over, true);
    for (int i = 0; i < PEERS; i++) {
        pthread_join(peers[i].thread, NULL);
        ck_assert_int_gt(peers[i].answered, 0);
        sum.asked += peers[i].asked;
        sum.answered += peers[i].answered;
        sum.sorry += peers[i].sorry;
        sum.lost += peers[i].lost;
        sum.out_of_order += peers[i].out_of_order;
    }
    return sum;
}

START_TEST(peers_notice_nothing_of_a_thousand_swaps)
{
    crowd_up();
    peer peers[PEERS];
    storm_start(peers, true);
    for (int i = 0; i < unit_times(ROUNDS); i++)
        replace_once(i);
    peer sum = storm_end(peers);
    ck_assert_int_eq(sum.lost, 0);
    ck_assert_int_eq(sum.sorry, 0);
    ck_assert_int_eq(sum.answered, sum.asked);
    ck_assert_int_eq(sum.out_of_order, 0);
    ck_assert_uint_eq(figures().swaps, unit_times(ROUNDS));
    ck_assert_uint_eq(figures().deferred, 0);
    printf("# %lld answers to %d peers over %d swaps, longest pause %.2f ms\n", (long long)sum.answered, PEERS,
           unit_times(ROUNDS), (double)figures().swap_pause_ns_max / 1e6);
    down();
}
END_TEST

START_TEST(every_peer_is_answered_over_a_thousand_failures)
{
    crowd_up();
    peer peers[PEERS];
    storm_start(peers, false);
    piw_client *client = connect_peer();
    for (int i = 0; i < unit_times(ROUNDS); i++) {
        piw_msg *answer = ask(client, crowd_FAULT_make(i, true));
        ck_assert(is_answer(answer, i));
        piw_msg_free(&answer);
        if (i % 10 == 0)
            replace_once(i / 10);
    }
    piw_client_close(&client);
    peer sum = storm_end(peers);
    /* What was deferred when a soul ended gets the queue's error answer; nothing is lost, and records are kept. */
    ck_assert_int_eq(sum.lost, 0);
    ck_assert_int_eq(sum.answered + sum.sorry, sum.asked);
    ck_assert_int_eq(sum.out_of_order, 0);
    ck_assert_uint_eq(figures().restarts, unit_times(ROUNDS));
    printf("# %lld answers and %lld error answers to %d peers over %d failures\n", (long long)sum.answered,
           (long long)sum.sorry, PEERS, unit_times(ROUNDS));
    down();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("storm");
    TCase *tc = tcase_create("storm");
    tcase_set_timeout(tc, unit_times(200));
    tcase_add_test(tc, a_second_try_comes_before_the_fallback);
    tcase_add_test(tc, deferred_requests_of_a_soul_that_ends);
    tcase_add_test(tc, peers_notice_nothing_of_a_thousand_swaps);
    tcase_add_test(tc, every_peer_is_answered_over_a_thousand_failures);
    suite_add_tcase(suite, tc);
    return suite;
}
