/* The pending windows and versions under embargo of slave_driver, and the hash table under them. */
#include "slave_driver/offers.c"

#include "unit.h"

#include <stdio.h>

static driver_offers *builds;

static void setup(void)
{
    builds = driver_offers_new();
}

static void teardown(void)
{
    driver_offers_free(&builds);
}

/* A window of count versions of package "p": first, first + 1, … */
static void window(const char *abi, int64_t as_of_ns, int first, int count)
{
    build_ref list[32];
    char texts[32][8];
    for (int i = 0; i < count; i++) {
        snprintf(texts[i], sizeof(texts[i]), "%d", first + i);
        list[i] = (build_ref){piw_text_of("p"), piw_text_of(texts[i])};
    }
    driver_offers_window(builds, piw_text_of(abi), as_of_ns, count, list, (uint32_t)count);
}

/* A version that failed for slave 1's sake is given to another, also when an operator wants it at once. */
START_TEST(what_rested_goes_to_another_slave)
{
    const piw_text abi = piw_text_of("cp311");
    window("cp311", 10, 1, 2);
    driver_embargo *embargo = driver_offers_take(builds, abi, 1, true), *next;
    embargo->saved.slave_id = 1;
    driver_offers_end(builds, &embargo, DRIVER_EMBARGO_RESTING, INT64_C(60000000000));
    ck_assert(driver_offers_rest(builds, abi));
    window("cp311", 20, 1, 1);
    driver_offers_sweep(builds, 30);
    ck_assert_ptr_null(driver_offers_take(builds, abi, 2, true));
    driver_offers_retry(builds, piw_text_of("q"), (piw_text){0}, 40);
    driver_offers_sweep(builds, 50);
    ck_assert_ptr_null(driver_offers_take(builds, abi, 2, true));
    driver_offers_retry(builds, piw_text_of("p"), (piw_text){0}, 60);
    driver_offers_sweep(builds, 70);
    ck_assert_ptr_null(driver_offers_take(builds, abi, 1, true));
    next = driver_offers_take(builds, abi, 2, true);
    ck_assert_ptr_nonnull(next);
    ck_assert(!driver_offers_rest(builds, abi));
    /* Alone, or after ten minutes, its last slave gets it too. */
    next->saved.slave_id = 2;
    driver_offers_end(builds, &next, DRIVER_EMBARGO_RESTING, 80);
    driver_offers_sweep(builds, 90);
    ck_assert_ptr_null(driver_offers_take(builds, abi, 2, true));
    driver_offers_sweep(builds, INT64_C(600000000090));
    ck_assert_ptr_nonnull(driver_offers_take(builds, abi, 2, true));
}
END_TEST

/* The version that is given out next, as a number; -1: none. */
static int take(const char *abi, driver_embargo **embargo)
{
    driver_embargo *taken = driver_offers_take(builds, piw_text_of(abi), 1, false);
    if (embargo != NULL)
        *embargo = taken;
    return taken != NULL ? atoi(taken->saved.version.s) : -1;
}

START_TEST(gives_out_in_order_and_once)
{
    window("cp311", 10, 1, 3);
    ck_assert_int_eq(take("cp311", NULL), 1);
    ck_assert_int_eq(take("cp311", NULL), 2);
    /* The same head again: what is out stays out. */
    window("cp311", 20, 1, 4);
    ck_assert_int_eq(take("cp311", NULL), 3);
    ck_assert_int_eq(take("cp311", NULL), 4);
    ck_assert_int_eq(take("cp311", NULL), -1);
}
END_TEST

/* The windows of this test have nothing behind them unless it is said. */
START_TEST(a_window_that_runs_short_is_told_once)
{
    const piw_text abi = piw_text_of("cp311");
    const build_ref list[] = {{piw_text_of("p"), piw_text_of("1")}, {piw_text_of("p"), piw_text_of("2")}};
    driver_embargo *embargo;
    driver_offers_window(builds, abi, 10, 2, list, 2);
    ck_assert(!driver_offers_more(builds, abi));
    ck_assert_int_eq(driver_offers_lack(builds, abi, 100), 0);
    driver_offers_window(builds, abi, 20, 50, list, 2);
    ck_assert(driver_offers_more(builds, abi));
    ck_assert_int_eq(driver_offers_lack(builds, abi, 4), 0); /* half of them are there */
    ck_assert_int_eq(take("cp311", &embargo), 1);
    ck_assert_int_eq(driver_offers_lack(builds, abi, 4), 5); /* and the one that is out */
    ck_assert_int_eq(driver_offers_lack(builds, abi, 4), 0);
    driver_offers_end(builds, &embargo, DRIVER_EMBARGO_RECORDED, 30);
    driver_offers_window(builds, abi, 25, 50, list, 2);
    ck_assert_int_eq(driver_offers_lack(builds, abi, 4), 5); /* what is recorded may still stand there */
    driver_offers_window(builds, abi, 40, 50, list, 2);
    ck_assert_int_eq(driver_offers_lack(builds, abi, 6), 6);
    driver_offers_window(builds, abi, 50, 50, list, 2);
    driver_offers_whole(builds, abi); /* the others can't be given out now */
    ck_assert(!driver_offers_more(builds, abi));
    ck_assert_int_eq(driver_offers_lack(builds, abi, 6), 0);
}
END_TEST

START_TEST(abis_are_apart)
{
    window("cp311", 10, 1, 1);
    window("cp39", 10, 1, 1);
    ck_assert_int_eq(take("cp310", NULL), -1);
    ck_assert_int_eq(take("cp39", NULL), 1);
    ck_assert_int_eq(take("cp311", NULL), 1);
    ck_assert_int_eq(take("cp311", NULL), -1);
}
END_TEST

START_TEST(recorded_is_held_until_a_later_window)
{
    driver_embargo *embargo;
    window("cp311", 10, 1, 1);
    ck_assert_int_eq(take("cp311", &embargo), 1);
    driver_offers_end(builds, &embargo, DRIVER_EMBARGO_RECORDED, 100);
    ck_assert_ptr_null(embargo);
    /* Asked for before the commit: may still name it, and must not be believed. */
    window("cp311", 100, 1, 1);
    ck_assert_int_eq(take("cp311", NULL), -1);
    /* Asked for after the commit: if it names it, it wants another build. */
    window("cp311", 101, 1, 1);
    ck_assert_int_eq(take("cp311", NULL), 1);
}
END_TEST

START_TEST(returned_goes_first)
{
    driver_embargo *embargo;
    window("cp311", 10, 1, 3);
    ck_assert_int_eq(take("cp311", &embargo), 1);
    ck_assert_int_eq(take("cp311", NULL), 2);
    driver_offers_end(builds, &embargo, DRIVER_EMBARGO_RETURNED, 50);
    ck_assert_int_eq(take("cp311", &embargo), 1);
    ck_assert_int_eq(take("cp311", NULL), 3);
    /* Returned once more, and a later window doesn't want it any longer. */
    driver_offers_end(builds, &embargo, DRIVER_EMBARGO_RETURNED, 60);
    window("cp311", 61, 7, 1);
    ck_assert_int_eq(take("cp311", NULL), 7);
    ck_assert_int_eq(take("cp311", NULL), -1);
}
END_TEST

START_TEST(skipped_rests_until_its_time)
{
    driver_embargo *embargo;
    window("cp311", 10, 1, 2);
    ck_assert_int_eq(take("cp311", &embargo), 1);
    driver_offers_end(builds, &embargo, DRIVER_EMBARGO_SKIPPED, 1000);
    window("cp311", 20, 1, 2);
    ck_assert_int_eq(take("cp311", NULL), 2);
    driver_offers_sweep(builds, 999);
    ck_assert_int_eq(take("cp311", NULL), -1);
    driver_offers_sweep(builds, 1000);
    ck_assert_int_eq(take("cp311", NULL), 1);
    ck_assert_int_eq(take("cp311", NULL), -1);
}
END_TEST

static void seal(const char *version, int64_t now_ns)
{
    driver_offers_seal(builds, piw_text_of("cp311"), piw_text_of("p"), piw_text_of(version), now_ns);
}

START_TEST(sealed_is_kept_back_until_it_is_known_not_to_be)
{
    driver_embargo *embargo;
    driver_offers_restore(builds, &(driver_hold){.package = piw_text_of("p"),
                                                 .version = piw_text_of("2"),
                                                 .abi_tag = piw_text_of("cp311"),
                                                 .kind = DRIVER_EMBARGO_CLAIMABLE,
                                                 .until_ns = 100});
    window("cp311", 10, 1, 4);
    ck_assert_int_eq(take("cp311", &embargo), 1);
    seal("1", 20); /* it is being built */
    seal("2", 20);
    seal("3", 20);
    driver_offers_unseal(builds, 20);
    driver_offers_sweep(builds, 200);
    ck_assert_int_eq(take("cp311", NULL), 4);
    ck_assert_int_eq(take("cp311", NULL), -1);
    window("cp311", 210, 1, 4);
    ck_assert_int_eq(take("cp311", NULL), -1);
    seal("3", 220);
    driver_offers_unseal(builds, 220); /* 2 has its row, or never will; what was read before may name it */
    window("cp311", 219, 1, 4);
    ck_assert_int_eq(take("cp311", NULL), -1);
    ck_assert(driver_offers_sealed(builds));
    driver_offers_unseal(builds, 230);
    ck_assert(!driver_offers_sealed(builds));
    window("cp311", 240, 1, 3);
    ck_assert_int_eq(take("cp311", NULL), 2);
    ck_assert_int_eq(take("cp311", NULL), 3);
    ck_assert_int_eq(take("cp311", NULL), -1);
    driver_offers_drop(builds, &embargo);
}
END_TEST

START_TEST(stale_windows_say_nothing)
{
    window("cp311", 10, 1, 4);
    driver_offers_stale(builds, 20);
    ck_assert_int_eq(take("cp311", NULL), -1);
    ck_assert(!driver_offers_shown(builds, piw_text_of("cp311")));
    window("cp311", 19, 1, 4);
    ck_assert_int_eq(take("cp311", NULL), -1);
    window("cp311", 20, 3, 1);
    ck_assert_int_eq(take("cp311", NULL), 3);
}
END_TEST

START_TEST(removed_is_not_given_out)
{
    driver_embargo *embargo;
    window("cp311", 10, 1, 5);
    ck_assert_int_eq(take("cp311", &embargo), 1);
    driver_offers_removed(builds, piw_text_of("p"), piw_text_of("2"));
    ck_assert_int_eq(take("cp311", NULL), 3);
    driver_offers_drop(builds, &embargo);
    driver_offers_removed(builds, piw_text_of("other"), (piw_text){0});
    ck_assert_int_eq(take("cp311", &embargo), 4);
    driver_offers_end(builds, &embargo, DRIVER_EMBARGO_RETURNED, 30);
    driver_offers_removed(builds, piw_text_of("p"), (piw_text){0});
    ck_assert_int_eq(take("cp311", NULL), -1);
}
END_TEST

static void restore(const char *version, int kind, int64_t until_ns)
{
    driver_offers_restore(builds, &(driver_hold){.package = piw_text_of("p"),
                                                 .version = piw_text_of(version),
                                                 .abi_tag = piw_text_of("cp311"),
                                                 .kind = kind,
                                                 .until_ns = until_ns});
}

START_TEST(restored_embargoes_stay)
{
    restore("1", DRIVER_EMBARGO_OUT, 0);
    restore("2", DRIVER_EMBARGO_RECORDED, 50);
    restore("3", DRIVER_EMBARGO_RETURNED, 50);
    restore("3", DRIVER_EMBARGO_OUT, 0);
    ck_assert_int_eq(driver_offers_find(builds, piw_text_of("cp311"), piw_text_of("p"), piw_text_of("3"))->saved.kind,
                     DRIVER_EMBARGO_RETURNED);
    window("cp311", 20, 1, 4);
    ck_assert_int_eq(take("cp311", NULL), 3);
    ck_assert_int_eq(take("cp311", NULL), 4);
    ck_assert_int_eq(take("cp311", NULL), -1);
    ck_assert_ptr_nonnull(driver_offers_find(builds, piw_text_of("cp311"), piw_text_of("p"), piw_text_of("1")));
    ck_assert_ptr_null(driver_offers_find(builds, piw_text_of("cp39"), piw_text_of("p"), piw_text_of("1")));
}
END_TEST

START_TEST(names_do_not_run_together)
{
    build_ref list[2] = {{piw_text_of("ab"), piw_text_of("c")}, {piw_text_of("a"), piw_text_of("bc")}};
    driver_offers_window(builds, piw_text_of("cp311"), 1, 2, list, 2);
    ck_assert_ptr_nonnull(driver_offers_take(builds, piw_text_of("cp311"), 1, false));
    ck_assert_ptr_nonnull(driver_offers_take(builds, piw_text_of("cp311"), 1, false));
}
END_TEST

typedef struct number {
    piw_table_node node;
    uint64_t value;
} number;

static bool is_number(const piw_table_node *node, const void *key)
{
    return PIW_TABLE_ENTRY(node, const number, node)->value == *(const uint64_t *)key;
}

START_TEST(table_finds_what_is_in_it)
{
    enum { N = 5000 };
    static number numbers[N];
    piw_table table = {0};
    uint64_t key = 7;
    ck_assert_ptr_null(piw_table_find(&table, piw_table_hash_u64(key), is_number, &key));
    for (uint64_t i = 0; i < N; i++) {
        numbers[i].value = i;
        piw_table_add(&table, &numbers[i].node, i % 2 == 0 ? piw_table_hash_u64(i) : 1);
    }
    for (uint64_t i = 0; i < N; i += 3)
        piw_table_remove(&table, &numbers[i].node);
    size_t seen = 0;
    for (piw_table_node *node = piw_table_next(&table, NULL); node != NULL; node = piw_table_next(&table, node))
        seen++;
    ck_assert_uint_eq(seen, table.count);
    for (uint64_t i = 0; i < N; i++) {
        piw_table_node *node = piw_table_find(&table, i % 2 == 0 ? piw_table_hash_u64(i) : 1, is_number, &i);
        ck_assert_ptr_eq(node, i % 3 == 0 ? NULL : &numbers[i].node);
    }
    piw_table_fini(&table);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("offers");
    TCase *tests = tcase_create("builds");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, gives_out_in_order_and_once);
    tcase_add_test(tests, what_rested_goes_to_another_slave);
    tcase_add_test(tests, a_window_that_runs_short_is_told_once);
    tcase_add_test(tests, abis_are_apart);
    tcase_add_test(tests, recorded_is_held_until_a_later_window);
    tcase_add_test(tests, returned_goes_first);
    tcase_add_test(tests, skipped_rests_until_its_time);
    tcase_add_test(tests, sealed_is_kept_back_until_it_is_known_not_to_be);
    tcase_add_test(tests, stale_windows_say_nothing);
    tcase_add_test(tests, removed_is_not_given_out);
    tcase_add_test(tests, restored_embargoes_stay);
    tcase_add_test(tests, names_do_not_run_together);
    tcase_add_test(tests, table_finds_what_is_in_it);
    suite_add_tcase(suite, tests);
    return suite;
}
