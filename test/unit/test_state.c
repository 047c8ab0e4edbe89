/* State that grows: three versions of a task whose saved state, peer records and results of work differ take over from each
 * other in both directions, under load, and nothing that both know is lost. */
#include "unit.h"

#include "base/tuning.h"
#include "piw/client.h"
#include "runtime/runtime.h"
#include "test/tally_v1/tally.piw.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PEERS = 20, WAIT_MS = 30000, ROUNDS = 300 };

static piw_runtime *runtime;
static char dir[32], address[64];

static void up(const char *plugin)
{
    piw__tune.restart_ms = 0;
    char here[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", here, sizeof(here) - 20);
    ck_assert_int_gt(len, 0);
    here[len] = '\0';
    for (int i = 0; i < 2; i++)
        *strrchr(here, '/') = '\0';
    strcat(here, "/plugins");
    strcpy(dir, "/tmp/piw-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(address, sizeof(address), "ipc://%s/tally", dir);
    const char *dirs[] = {here}, *names[] = {"tally"}, *addresses[] = {address};
    const piw_runtime_config config = {.plugin_dirs = dirs,
                                       .plugin_dirs_count = 1,
                                       .trust_files = true,
                                       .queue_names = names,
                                       .queue_addresses = addresses,
                                       .queues_count = 1};
    piw_protocol_use(&tally_protocol_def);
    piw_err err = {0};
    const piw_task_config task = {.name = "tally", .plugin = plugin, .enabled = true};
    ck_assert_msg(piw_runtime_new(&runtime, &config, &err) == 0, "%s", err.text);
    ck_assert_msg(piw_runtime_add(runtime, &task, &err) == 0, "%s", err.text);
    ck_assert_msg(piw_runtime_start(runtime, WAIT_MS, &err) == 0, "%s", err.text);
}

static void down(void)
{
    piw_runtime_free(&runtime);
    unlink(address + strlen("ipc://"));
    rmdir(dir);
}

static piw_client *connect_peer(void)
{
    piw_err err = {0};
    piw_client *client = NULL;
    ck_assert_msg(piw_client_open(&client, &tally_protocol_def, address, PIW_MSGPACK, &err) == 0, "%s", err.text);
    return client;
}

/* The answer, or NULL when none came. */
static piw_msg *ask(piw_client *client, piw_msg *msg)
{
    piw_err err = {0};
    piw_msg *answer = NULL;
    if (piw_client_send(client, &msg, WAIT_MS, &err) != 0 || piw_client_recv(client, &answer, WAIT_MS, &err) != 0)
        piw_msg_free(&msg);
    return answer;
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

static void replace(const char *plugin)
{
    piw_err err = {0};
    ck_assert_msg(piw_runtime_replace(runtime, "tally", plugin, &err) == 0, "%s", err.text);
}

static void replace_refused(const char *plugin, const char *part)
{
    piw_err err = {0};
    ck_assert_int_ne(piw_runtime_replace(runtime, "tally", plugin, &err), 0);
    ck_assert_msg(strstr(err.text, part) != NULL, "\"%s\" does not say \"%s\"", err.text, part);
}

static uint64_t left_behind(void)
{
    piw_task_figures now;
    ck_assert_int_eq(piw_runtime_figures(runtime, "tally", 0, &now), 0);
    return now.left_behind;
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
    up("tally_v1.so");
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
    ck_assert_uint_eq(left_behind(), 0);
    /* one that isn't known is dropped and counted: a place. The way back is the same operation. */
    replace("tally_v2.so");
    check_known(client, 2, 3, "one=7 two noted");
    ck_assert_uint_eq(left_behind(), 1);
    /* A note, and a weight; then the peer's count when its record is read. */
    replace("tally_v1.so");
    check_known(client, 1, 3, "one two ");
    ck_assert_uint_eq(left_behind(), 3);
    ck_assert(add(client, 4));
    ck_assert_uint_eq(left_behind(), 4);
    replace("tally_v3.so");
    check_known(client, 3, 4, "one two -");
    ck_assert(add(client, 5));
    piw_client_close(&client);
    down();
}
END_TEST

START_TEST(a_field_of_another_type_needs_a_fresh_start)
{
    up("tally_v2.so");
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
    up("tally_v2.so");
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
    up("tally_v1.so");
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
    ck_assert_uint_gt(left_behind(), 0);
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
