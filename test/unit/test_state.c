/* State that grows: three versions of a task whose saved state, peer records and results of work differ take over from each
 * other in both directions, under load, and nothing that both know is lost. */
#include "base/tuning.h"
#include "queue_task.h"
#include "test/tally_v1/tally.piw.h"

#include <pthread.h>
#include <stdatomic.h>

enum { PEERS = 20, ROUNDS = 300 };

static void tally_up(const char *plugin)
{
    piw__tune.restart_ms = 0;
    up("tally", &tally_protocol_def, plugin);
}

/* ADD of n: true when it came in order, and was answered. */
static bool add(piw_client *client, int64_t n)
{
    piw_msg *answer = ask(client, tally_ADD_make(n));
    bool good = answer != NULL && piw_msg_type_of(answer) == tally_SUM_type() && tally_SUM_of(answer)->n == n &&
                tally_SUM_of(answer)->in_order;
    piw_msg_free(&answer);
    return good;
}

static void replace_refused(const char *plugin, const char *part)
{
    piw_err err = {0};
    ck_assert_int_ne(piw_runtime_replace(runtime, "tally", plugin, &err), 0);
    ck_assert_msg(strstr(err.text, part) != NULL, "\"%s\" does not say \"%s\"", err.text, part);
}

/* What the soul says it knows. */
static void check_known(piw_client *client, int version, int64_t total, const char *texts)
{
    piw_msg *answer = ask(client, tally_TELL_new());
    ck_assert_ptr_nonnull(answer);
    ck_assert_ptr_eq(piw_msg_type_of(answer), tally_KNOWN_type());
    const tally_KNOWN *known = tally_KNOWN_of(answer);
    ck_assert_int_eq(known->version, version);
    ck_assert_int_eq(known->total, total);
    ck_assert_str_eq(known->texts.s, texts);
    piw_msg_free(&answer);
}

START_TEST(each_version_reads_what_it_knows)
{
    tally_up("tally_v1.so");
    piw_client *client = connect_peer();
    ck_assert(add(client, 1));
    check_known(client, 1, 1, "one two ");
    /* A new optional field is empty, */
    replace("tally_v2.so");
    check_known(client, 2, 1, "one two -");
    ck_assert(add(client, 2));
    check_known(client, 2, 2, "one=7 two noted");
    replace("tally_v3.so");
    check_known(client, 3, 2, "one=7 two noted");
    ck_assert(add(client, 3));
    check_known(client, 3, 3, "one=7 two@high noted");
    ck_assert_uint_eq(figures().left_behind, 0);
    /* one that isn't known is dropped and counted: a place. The way back is the same operation. */
    replace("tally_v2.so");
    check_known(client, 2, 3, "one=7 two noted");
    ck_assert_uint_eq(figures().left_behind, 1);
    /* A note, and a weight; then the peer's count when its record is read. */
    replace("tally_v1.so");
    check_known(client, 1, 3, "one two ");
    ck_assert_uint_eq(figures().left_behind, 3);
    ck_assert(add(client, 4));
    ck_assert_uint_eq(figures().left_behind, 4);
    replace("tally_v3.so");
    check_known(client, 3, 4, "one two -");
    ck_assert(add(client, 5));
    piw_client_close(&client);
    down();
}
END_TEST

START_TEST(a_field_of_another_type_needs_a_fresh_start)
{
    tally_up("tally_v2.so");
    piw_client *client = connect_peer();
    ck_assert(add(client, 1));
    replace_refused("tally_other.so",
                    "a field of its state has another type: tally_state: total: it is an int there and a text here");
    check_known(client, 2, 1, "one=7 two noted");
    piw_err err = {0};
    ck_assert_msg(piw_runtime_replace_fresh(runtime, "tally", "tally_other.so", &err) == 0, "%s", err.text);
    ck_assert_msg(piw_runtime_replace_fresh(runtime, "tally", "tally_v1.so", &err) == 0, "%s", err.text);
    /* The state is gone; the peer's record is the shell's, and this version reads what it knows of it. */
    check_known(client, 1, 0, "one two ");
    ck_assert(add(client, 2));
    piw_client_close(&client);
    down();
}
END_TEST

START_TEST(a_richer_version_that_fails_leaves_the_old_one_whole)
{
    tally_up("tally_v2.so");
    piw_client *client = connect_peer();
    ck_assert(add(client, 1));
    replace_refused("tally_v3_fails.so", "the test wants it");
    check_known(client, 2, 1, "one=7 two noted");
    ck_assert(add(client, 2));
    piw_client_close(&client);
    down();
}
END_TEST

/* --- Under load ---------------------------------------------------------------------------------------------------- */

static _Atomic bool over;

typedef struct peer {
    pthread_t thread;
    /* Of its thread only until that is joined. */
    int64_t added, squares, wrong;
} peer;

static void *load_on(void *arg)
{
    peer *self = arg;
    piw_client *client = connect_peer();
    while (!atomic_load(&over) && self->wrong == 0) {
        self->wrong += !add(client, ++self->added);
        if (self->added % 4 != 0)
            continue;
        piw_msg *answer = ask(client, tally_LATER_make(self->added));
        bool good = answer != NULL && piw_msg_type_of(answer) == tally_SUM_type() &&
                    tally_SUM_of(answer)->n == self->added * self->added;
        self->squares++;
        self->wrong += !good;
        piw_msg_free(&answer);
    }
    piw_client_close(&client);
    return NULL;
}

START_TEST(three_versions_up_and_down_under_load_lose_nothing)
{
    static const char *const way[] = {"tally_v2.so", "tally_v3.so", "tally_v2.so",
                                      "tally_v1.so", "tally_v3.so", "tally_v1.so"};
    tally_up("tally_v1.so");
    peer peers[PEERS] = {0};
    atomic_store(&over, false);
    for (int i = 0; i < PEERS; i++)
        ck_assert_int_eq(pthread_create(&peers[i].thread, NULL, load_on, &peers[i]), 0);
    for (int i = 0; i < unit_times(ROUNDS); i++)
        replace(way[i % (int)PIW_COUNT(way)]);
    atomic_store(&over, true);
    int64_t added = 0, squares = 0;
    for (int i = 0; i < PEERS; i++) {
        pthread_join(peers[i].thread, NULL);
        ck_assert_int_eq(peers[i].wrong, 0);
        added += peers[i].added;
        squares += peers[i].squares;
    }
    piw_client *client = connect_peer();
    piw_msg *answer = ask(client, tally_TELL_new());
    ck_assert_ptr_nonnull(answer);
    ck_assert_int_eq(tally_KNOWN_of(answer)->total, added);
    ck_assert_int_eq(tally_KNOWN_of(answer)->held, 0);
    piw_msg_free(&answer);
    piw_client_close(&client);
    ck_assert_uint_gt(figures().left_behind, 0);
    ck_assert_int_gt(squares, 0);
    printf("# %lld counted and %lld squared for %d peers over %d swaps among three versions\n", (long long)added,
           (long long)squares, PEERS, unit_times(ROUNDS));
    down();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("state");
    TCase *tc = tcase_create("state");
    tcase_set_timeout(tc, unit_times(120));
    tcase_add_test(tc, each_version_reads_what_it_knows);
    tcase_add_test(tc, a_field_of_another_type_needs_a_fresh_start);
    tcase_add_test(tc, a_richer_version_that_fails_leaves_the_old_one_whole);
    tcase_add_test(tc, three_versions_up_and_down_under_load_lose_nothing);
    suite_add_tcase(suite, tc);
    return suite;
}
