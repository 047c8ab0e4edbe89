/* Log entries in batches: cut to their columns, sent in order and as many as may be, halved, kept over a swap. */
#include "lumberjack/batches.c"

#include "unit.h"

#include <stdio.h>

static batches all;

static void setup(void)
{
    piw_protocol_use(&db_protocol_def);
    piw_protocol_use(&lumberjack_protocol_def);
    batches_init(&all, NULL);
}

static void teardown(void)
{
    batches_fini(&all);
}

static bool add_download(int number)
{
    char name[40];
    snprintf(name, sizeof(name), "file-%d.whl", number);
    download entry = {.filename = piw_text_of(name), .host = piw_text_of("192.0.2.1"), .arch = piw_text_of("armv7l")};
    return batches_add_download(&all, &entry);
}

static void add_page(const char *page, const char *agent)
{
    hit entry = {.subject = piw_text_of(page), .host = piw_text_of("::1"), .user_agent = piw_text_of(agent)};
    batches_add_hit(&all, KIND_PAGE, &entry);
}

static void send_next(uint32_t count)
{
    batch *b = batches_next(&all, false);
    ck_assert_ptr_nonnull(b);
    ck_assert_uint_eq(batch_count(b), count);
    batches_sent(&all, b, true);
}

/* As a logger may send it that cuts off nothing. */
START_TEST(a_zone_is_cut_off_a_host)
{
    download entry = {.filename = piw_text_of("file.whl"), .host = piw_text_of("fe80::1%eth0")};
    batches_add_download(&all, &entry);
    batches_close(&all);
    ck_assert_str_eq(db_LOGDOWNLOADS_of(batches_next(&all, false)->msg)->records.at[0].host.s, "fe80::1");
}
END_TEST

START_TEST(a_batch_fills_and_the_next_begins)
{
    for (int i = 1; i < BATCH_MAX; i++)
        ck_assert(!add_download(i));
    ck_assert_ptr_null(batches_next(&all, false));
    ck_assert(add_download(BATCH_MAX));
    ck_assert(!add_download(0));
    send_next(BATCH_MAX);
    ck_assert_ptr_null(batches_next(&all, false));
    batches_close(&all);
    send_next(1);
    ck_assert_uint_eq(all.under_way, BATCH_MAX + 1);
    const db_LOGDOWNLOADS *body = db_LOGDOWNLOADS_of(batches_find(&all, 1)->msg);
    ck_assert_int_eq(body->number, 1);
    ck_assert_int_eq(body->sender, all.sender);
    ck_assert_str_eq(body->records.at[0].filename.s, "file-1.whl");
    ck_assert_str_eq(body->records.at[BATCH_MAX - 1].filename.s, "file-1000.whl");
    ck_assert_str_eq(body->records.at[BATCH_MAX - 1].arch.s, "armv7l");
    batches_end(&all, batches_find(&all, 1));
    batches_end(&all, batches_find(&all, 2));
    ck_assert_uint_eq(all.kept, 0);
    ck_assert_uint_eq(all.under_way, 0);
    ck_assert_ptr_null(all.first);
    add_page("home", "x");
    batches_close(&all);
    send_next(1);
}
END_TEST

START_TEST(only_so_many_are_under_way)
{
    for (int i = 0; i < UNDER_WAY_MAX + BATCH_MAX; i++)
        add_download(i);
    for (int i = 0; i < UNDER_WAY_MAX; i += BATCH_MAX)
        send_next(BATCH_MAX);
    ck_assert_ptr_null(batches_next(&all, false));
    ck_assert_ptr_nonnull(batches_next(&all, true));
    /* One that has to be sent again comes first, under its number. */
    batches_sent(&all, batches_find(&all, 2), false);
    batch *b = batches_next(&all, false);
    ck_assert_int_eq(b->number, 2);
}
END_TEST

START_TEST(a_refused_batch_is_halved)
{
    for (int i = 0; i < 7; i++)
        add_download(i);
    add_page("home", "x");
    add_page("stats", "x");
    batches_close(&all);
    send_next(7);
    batches_split(&all, batches_find(&all, 1));
    ck_assert_uint_eq(all.kept, 9);
    ck_assert_uint_eq(all.under_way, 0);
    send_next(3);
    send_next(4);
    ck_assert_ptr_null(batches_find(&all, 1));
    ck_assert_str_eq(db_LOGDOWNLOADS_of(all.first->msg)->records.at[2].filename.s, "file-2.whl");
    ck_assert_str_eq(db_LOGDOWNLOADS_of(all.first->next->msg)->records.at[0].filename.s, "file-3.whl");
    ck_assert_int_gt(all.first->number, 1);
    send_next(2);
    ck_assert_ptr_null(batches_next(&all, true));
    batches_end(&all, all.first);
    batches_end(&all, all.first);
    batches_split(&all, all.first); /* the only one: nothing is left of it, and something can be added */
    add_page("faq", "y");
    batches_close(&all);
    send_next(1);
    send_next(1);
    send_next(1);
    ck_assert_ptr_null(batches_next(&all, true));
}
END_TEST

START_TEST(a_successor_has_all_of_it)
{
    for (int i = 0; i < BATCH_MAX + 5; i++)
        add_download(i);
    search looked = {.package = piw_text_of("gold"), .host = piw_text_of("::1"), .py_name = piw_text_of("CPython")};
    batches_add_search(&all, &looked);
    add_page("home", "Mozilla/5.0");
    send_next(BATCH_MAX);
    piw_msg *state = batches_save(&all, true);
    int64_t sender = all.sender;
    batches_fini(&all);
    const lumberjack_state *kept = lumberjack_state_of(state);
    ck_assert(kept->paused);
    batches_init(&all, kept);
    piw_msg_free(&state);
    ck_assert_int_eq(all.sender, sender);
    ck_assert_uint_eq(all.kept, BATCH_MAX + 7);
    ck_assert_uint_eq(all.under_way, BATCH_MAX);
    ck_assert(batches_find(&all, 1)->sent);
    send_next(5);
    send_next(1);
    send_next(1);
    ck_assert_int_eq(all.last_number, 4);
    ck_assert_str_eq(db_LOGDOWNLOADS_of(batches_find(&all, 2)->msg)->records.at[0].filename.s, "file-1000.whl");
    ck_assert_str_eq(db_LOGSEARCHES_of(batches_find(&all, 3)->msg)->records.at[0].py_name.s, "CPython");
    ck_assert_ptr_null(db_LOGSEARCHES_of(batches_find(&all, 3)->msg)->records.at[0].arch.s);
    ck_assert_str_eq(db_LOGPAGES_of(batches_find(&all, 4)->msg)->records.at[0].user_agent.s, "mozilla");
}
END_TEST

START_TEST(values_are_cut_to_their_columns)
{
    char wide[5001];
    memset(wide, 'W', sizeof(wide) - 1);
    wide[sizeof(wide) - 1] = '\0';
    piw_text w = piw_text_of(wide);
    download d = {w, w, {0}, w, w, w, w, w, w, w, w, w, w};
    hit h = {w, w, {0}, w};
    batches_add_download(&all, &d);
    batches_add_hit(&all, KIND_PAGE, &h);
    batches_add_hit(&all, KIND_JSON, &h);
    batches_close(&all);
    send_next(1);
    send_next(1);
    send_next(1);
    const download *cut = &db_LOGDOWNLOADS_of(batches_find(&all, 1)->msg)->records.at[0];
    ck_assert_uint_eq(cut->filename.len, 255);
    ck_assert_uint_eq(cut->arch.len, 100);
    ck_assert_uint_eq(cut->installer_name.len, 20);
    ck_assert_uint_eq(cut->setuptools_version.len, 100);
    const hit *page = &db_LOGPAGES_of(batches_find(&all, 2)->msg)->records.at[0];
    ck_assert_uint_eq(page->subject.len, 30);
    ck_assert_uint_eq(page->user_agent.len, 200);
    ck_assert_int_eq(page->user_agent.s[199], 'w');
    ck_assert_uint_eq(db_LOGJSONS_of(batches_find(&all, 3)->msg)->records.at[0].subject.len, 200);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("lumberjack");
    TCase *tcase = tcase_create("batches");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_batch_fills_and_the_next_begins);
    tcase_add_test(tcase, a_zone_is_cut_off_a_host);
    tcase_add_test(tcase, only_so_many_are_under_way);
    tcase_add_test(tcase, a_refused_batch_is_halved);
    tcase_add_test(tcase, a_successor_has_all_of_it);
    tcase_add_test(tcase, values_are_cut_to_their_columns);
    suite_add_tcase(suite, tcase);
    return suite;
}
