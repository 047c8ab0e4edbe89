/* piw-monitor without its terminal: what it makes of the status queue, how that looks at any size. The
 * recorded stream of a stock master is monitor.jsonl in ../shared/vectors, or where PIW_VECTORS says. */
#include "monitor_screen.h"
#include "piw-monitor/view.h"
#include "piw/codec.h"

#include <cjson/cJSON.h>
#include <errno.h>

/* --- The recorded stream ----------------------------------------------------------------------------------------- */

/* Feed what came on the status queue until `until_s`; false: there is no recording here. */
static bool replay_recording(double until_s, unsigned *count)
{
    const char *folder = getenv("PIW_VECTORS");
    char path[512], *line = NULL;
    size_t size = 0;
    snprintf(path, sizeof(path), "%s/monitor.jsonl", folder != NULL ? folder : "../shared/vectors");
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    int64_t began = now;
    *count = 0;
    while (getline(&line, &size, file) > 0) {
        cJSON *json = cJSON_Parse(line);
        double at = cJSON_GetObjectItem(json, "t")->valuedouble;
        if (strcmp(cJSON_GetObjectItem(json, "queue")->valuestring, "status") == 0 && at <= until_s) {
            static uint8_t bytes[65536];
            const char *hex = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "frames"), 0)->valuestring;
            piw_err err = {0};
            piw_msg *msg = NULL;
            now = began + (int64_t)(at * 1e6);
            int ret =
                piw_decode(status_protocol_def.interned, 0, bytes, unit_from_hex(hex, bytes), NULL, &msg, NULL, &err);
            ck_assert_msg(ret == 0, "%s", err.text);
            model_hear(known, msg, NULL, now);
            model_tick(known, now);
            piw_msg_free(&msg);
            ++*count;
        }
        cJSON_Delete(json);
    }
    free(line);
    fclose(file);
    return true;
}

#define RECORDING(name, until_s)                                                                                       \
    unsigned heard;                                                                                                    \
    model_connected(known, true, now);                                                                                 \
    if (!replay_recording(until_s, &heard)) {                                                                          \
        printf("skip %s - monitor.jsonl isn't found (PIW_VECTORS)\n", name);                                           \
        return;                                                                                                        \
    }

START_TEST(a_stock_masters_stream_is_understood_whole)
{
    RECORDING("recorded.whole", 1000)
    ck_assert_uint_gt(heard, 60);
    ck_assert_uint_eq(known->odd, 0);
    ck_assert_int_eq(known->hellos, 3);
    ck_assert_ptr_nonnull(known->stats);
    /* Six STATS; those that were repeated are known already. */
    ck_assert_uint_eq(known->past.count, 6);
}
END_TEST

START_TEST(the_recorded_farm_at_80_by_24)
{
    RECORDING("recorded.80x24", 4)
    now += SECOND;
    look(80, 24);
    SEES("vm, up 3s, Debian GNU/Linux 12 (bookworm)");
    SEES("2 slaves");
    SEES("4 packages, 8 files, 725KB, built in 26s");
    SEES("all slaves  2 building");
    SEES("cp311  0 pending");
    ck_assert_int_lt(find("builder-1"), find("builder-2"));
    SEES("builds goldquick 0.4");
    SEES("builds goldslow 0.3");
    SEES("Memory");
    KEY(UI_DOWN);
    look(80, 24);
    SEES("Slave 2 builder-1, cp311 on linux_x86_64, build limit 3h00m");
    SEES(", Debian GNU/Linux 12 (bookworm)");
    SEES("77.2G free");
}
END_TEST

START_TEST(a_long_host_name_leaves_room)
{
    char name[200];
    memset(name, 'h', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    model_connected(known, true, now);
    hear(status_HELLO_make(stamp(3 * SECOND), piw_text_of(name), piw_text_of("Debian GNU/Linux"),
                           piw_text_of("12 (bookworm)"), piw_text_of("unknown"), piw_text_of("unknown")));
    hear_stats(0, INT64_C(40) << 30, 9);
    look(80, 24);
    SEES("hhhhhhhh\xe2\x80\xa6, up 3s, Debian GNU/Linux 12");
    SEES("0 slaves");
    look(40, 12);
    SEES("hhhhh\xe2\x80\xa6, up 3s");
}
END_TEST

START_TEST(large_totals_fit_at_80_columns)
{
    master_stats *stats;
    piw_msg *msg = status_STATS_new(&stats);
    stats->timestamp = stamp(0);
    stats->packages_built = 98765;
    stats->files_count = 9876543;
    stats->builds_size = INT64_C(9999) << 30;
    stats->builds_time = piw_duration_from_us(INT64_C(999) * 86400 * SECOND);
    stats->downloads_last_month = 98765432;
    stats->downloads_all = INT64_C(9876543210);
    model_connected(known, true, now);
    hear_hello(0);
    hear(msg);
    look(100, 24);
    SEES("98.8k packages, 9.9M files, 9.8TB, built in 999d; downloads: 98.8M a month, 9.9G in all");
    look(80, 24);
    SEES("98.8k packages, 9.9M files, 9.8TB, 999d; 98.8M downloads/month, 9.9G ever");
}
END_TEST

START_TEST(the_recorded_farm_later)
{
    RECORDING("recorded.later", 22)
    ck_assert_int_eq(state_of(1), STATE_IDLE);
    ck_assert_int_eq(state_of(2), STATE_IDLE);
    look(80, 24);
    SEES("all slaves  2 idle");
    /* From the first SLEEP of the row, although they were repeated by the replay and by the slaves. */
    ck_assert_int_eq(model_ago(known, model_find(known, 1)->since_us, now) / SECOND, 2);
    ck_assert_int_eq(model_ago(known, model_find(known, 2)->since_us, now) / SECOND, 16);
}
END_TEST

START_TEST(the_recorded_farm_ends)
{
    RECORDING("recorded.ends", 41)
    now += 4 * SECOND;
    model_tick(known, now);
    ck_assert_int_eq(state_of(2), STATE_STOPPED);
    ck_assert_ptr_null(model_find(known, 1)); /* it left long ago */
    look(80, 24);
    SEES("all slaves  1 ended");
    SEES("slave 2 builder-1 has ended");
    now += 30 * SECOND;
    model_tick(known, now);
    ck_assert_uint_eq(known->count, 0);
}
END_TEST

START_TEST(the_recorded_farm_at_other_sizes)
{
    RECORDING("recorded.sizes", 4)
    look(40, 12);
    SEES("2 slaves");
    SEES("cp311  0 pending");
    SEES("builds goldslow");
    SEES("? Help  q Quit");
    look(200, 60);
    SEES("goldslow 0.3");
    SEES("DISK  MEM SWAP LOAD TEMP");
    SEES("cp311  0 pending, 9 built in the last hour");
    look(20, 3);
    SEES("too small");
    for (int columns = 1; columns <= 130; columns += 3)
        for (int rows = 1; rows <= 50; rows++)
            look(columns, rows); /* under a sanitizer this is a test */
    /* In ASCII alone. */
    canvas_free(&screen);
    screen = canvas_new(24, 80, true);
    view_draw(screen, known, &beside, &person, now);
    for (int i = 0; i < 24 * 80; i++)
        ck_assert_int_lt(screen->cells[i].text[0], 0x80);
    SEES(">   2 builder-1");
}
END_TEST

/* --- What is made of messages ------------------------------------------------------------------------------------ */

START_TEST(states_and_since_when)
{
    model_connected(known, true, now);
    hear_hello(100 * SECOND);
    hear_stats(0, INT64_C(40) << 30, 9);
    arrive(7, "pi-9", "cp39", builds("numpy", "1.26.4"));
    ck_assert_int_eq(state_of(7), STATE_BUILDING);
    now += 134 * SECOND;
    hear_slave_stats(7, 0, 55);
    look(80, 24);
    SEES("builds numpy 1.26.4");
    SEES(" 2m14s");
    SEES_NOT(">2m14s");
    hear_reply(7, 0, slave_SEND_make(piw_text_of("numpy-1.26.4-cp39-cp39-linux_armv7l.whl")));
    ck_assert_int_eq(state_of(7), STATE_SENDING);
    hear_reply(7, 0, slave_DONE_new());
    ck_assert_int_eq(state_of(7), STATE_DONE);
    hear_reply(7, 0, slave_SLEEP_make(true));
    ck_assert_int_eq(state_of(7), STATE_PAUSED);
    look(80, 24);
    SEES("paused, 1 slave");
    hear_reply(7, 0, slave_SLEEP_make(false));
    ck_assert_int_eq(state_of(7), STATE_IDLE);
    hear_reply(7, 0, slave_DIE_new());
    ck_assert_int_eq(state_of(7), STATE_STOPPED);
}
END_TEST

START_TEST(boards_by_name_and_code)
{
    static const struct {
        const char *revision, *seen;
    } boards[] = {
        {"c03112", "heard 0s ago; Pi 4 Model B 1.2, 4 GB (c03112), Debian GNU/Linux 12 (bookworm)"},
        {"902120", "heard 0s ago; Pi Zero 2 W 1.0, 512 MB (902120), Debian GNU/Linux 12 (bookworm"},
        {"ffffff", "heard 0s ago; board ffffff, Debian GNU/Linux 12 (bookworm)"},
        {"unknown", "heard 0s ago; board unknown, Debian GNU/Linux 12 (bookworm)"},
    };
    model_connected(known, true, now);
    hear_hello(100 * SECOND);
    hear_stats(0, INT64_C(40) << 30, 9);
    for (size_t i = 0; i < PIW_COUNT(boards); i++) {
        slave_hello *hello;
        piw_msg *msg = make_slave_hello(&hello, "pi-4", "cp311");
        hello->os_name = piw_text_of("Debian GNU/Linux");
        hello->os_version = piw_text_of("12 (bookworm)");
        hello->board_revision = piw_text_of(boards[i].revision);
        hear_slave(7, 0, "HELLO", msg);
        piw_msg_free(&msg);
        if (i == 0)
            KEY(UI_DOWN);
        look(80, 24);
        SEES(boards[i].seen);
        SEES("Slave 7 pi-4, cp311 on linux_armv7l, build limit 3h00m");
    }
}
END_TEST

START_TEST(a_replay_says_since_at_least)
{
    model_connected(known, true, now);
    hear_hello(100 * SECOND);
    hear_slave_hello(7, 90 * SECOND, "pi-9", "cp39");
    for (int i = 0; i < 100; i++)
        hear_slave_stats(7, 3 * SECOND, 55);
    hear_reply(7, 3 * SECOND, builds("numpy", "1.26.4"));
    ck_assert_uint_eq(model_find(known, 7)->past.count, 100);
    now += 10 * SECOND;
    hear_stats(0, INT64_C(40) << 30, 9);
    look(80, 24);
    SEES(">13s");
    /* Another replay of the same build doesn't begin it anew; that of another one does. */
    now += 60 * SECOND;
    hear_hello(170 * SECOND);
    hear_slave_hello(7, 160 * SECOND, "pi-9", "cp39");
    hear_slave_stats(7, SECOND, 55);
    hear_reply(7, SECOND, builds("numpy", "1.26.4"));
    ck_assert_uint_eq(model_find(known, 7)->past.count, 1);
    look(80, 24);
    SEES(">1m13s");
    hear_slave_hello(7, 160 * SECOND, "pi-9", "cp39");
    hear_reply(7, SECOND, builds("scipy", "1.0"));
    look(80, 24);
    SEES("builds scipy 1.0");
    SEES(">1s");
}
END_TEST

START_TEST(a_slave_that_falls_silent)
{
    model_connected(known, true, now);
    hear_hello(100 * SECOND);
    arrive(7, "pi-9", "cp39", builds("numpy", "1.26.4"));
    now += 301 * SECOND;
    look(80, 24);
    SEES("silent, builds numpy");
    SEES("1 silent!");
    hear_slave(7, 301 * SECOND, "DIE", NULL); /* null: it was forgotten */
    ck_assert_int_eq(state_of(7), STATE_LOST);
    look(80, 24);
    SEES("lost numpy 1.26.4");
    SEES("slave 7 pi-9 fell silent while it built numpy 1.26.4");
    now += 121 * SECOND;
    model_tick(known, now);
    ck_assert_uint_eq(known->count, 0);
    hear_slave(7, 0, "DIE", NULL); /* of one that isn't known */
    ck_assert_uint_eq(known->count, 0);
}
END_TEST

START_TEST(what_is_not_understood_is_noted)
{
    model_connected(known, true, now);
    hear_hello(100 * SECOND);
    arrive(7, "pi-9", "cp39", slave_SLEEP_make(false));
    piw_msg *ack = slave_ACK_make(1, piw_text_of("x"), (piw_text){0});
    hear_slave(7, 0, "DANCE", ack);
    look(80, 24);
    SEES("DANCE of slave 7 was left out");
    hear_slave(7, 0, "BUILD", ack);
    look(80, 24);
    SEES("BUILD of slave 7 was left out");
    hear_slave(7, 0, "HELLO", ack);
    hear_slave(8, 0, "HELLO", ack);
    hear_slave(7, 0, "SLEEP", ack);
    hear_slave(7, 0, "STATS", NULL);
    model_hear(known, NULL, "bytes that are no message", now);
    look(80, 24);
    SEES("a message was left out");
    SEES("bytes that are no message");
    ck_assert_int_eq(state_of(7), STATE_IDLE);
    ck_assert_str_eq(model_label(model_find(known, 7)), "pi-9");
    ck_assert_uint_eq(known->odd, 7);
    piw_msg_free(&ack);
}
END_TEST

START_TEST(clocks_that_differ)
{
    model_connected(known, true, now);
    hear_hello(3600 * SECOND);
    for (int i = 10; i >= 0; i--)
        hear_stats(i * 10 * SECOND, INT64_C(40) << 30, 9);
    look(80, 24);
    SEES("farm-1, up 1h00m");
    /* The master's clock is set back by ten minutes: within two minutes times are right again. */
    for (int i = 0; i < 14; i++) {
        now += 10 * SECOND;
        hear_stats(600 * SECOND, INT64_C(40) << 30, 9);
    }
    ck_assert_int_eq(model_ago(known, now + master_clock - 600 * SECOND, now), 0);
    ck_assert_int_eq(model_ago(known, now + master_clock - 660 * SECOND, now), 60 * SECOND);
    /* A slave's own clock is a matter for the operator, but moves nothing here. */
    slave_stats *stats;
    arrive(7, "pi-9", "cp39", slave_SLEEP_make(false));
    piw_msg *msg = slave_IDLE_new(&stats);
    stats->timestamp = stamp(5 * 86400 * SECOND);
    hear_slave(7, 600 * SECOND, "STATS", msg);
    piw_msg_free(&msg);
    KEY(UI_DOWN);
    look(100, 24);
    SEES("behind!");
}
END_TEST

START_TEST(another_master)
{
    model_connected(known, true, now);
    hear_hello(100 * SECOND);
    hear_stats(0, INT64_C(40) << 30, 9);
    arrive(7, "pi-9", "cp39", slave_SLEEP_make(false));
    model_connected(known, false, now);
    look(80, 24);
    SEES("the master has gone");
    SEES("pi-9");
    now += 5 * SECOND;
    model_connected(known, true, now);
    model_asked_hello(known);
    hear_hello(SECOND); /* started after the other */
    ck_assert_uint_eq(known->count, 0);
    ck_assert_uint_eq(known->past.count, 1); /* what was goes on being shown */
    look(80, 24);
    SEES("the master was restarted");
    SEES("0 slaves");
}
END_TEST

START_TEST(slaves_that_left_while_the_line_was_down)
{
    int64_t started = 100 * SECOND;
    model_connected(known, true, now);
    hear_hello(started);
    arrive(7, "pi-9", "cp39", slave_SLEEP_make(false));
    arrive(8, "pi-10", "cp39", slave_SLEEP_make(false));
    model_connected(known, false, now);
    now += 5 * SECOND;
    model_connected(known, true, now);
    model_asked_hello(known);
    hear_hello(started + 5 * SECOND);
    hear_slave_hello(8, 6 * SECOND, "pi-10", "cp39");
    hear_reply(8, SECOND, slave_SLEEP_make(false));
    ck_assert_uint_eq(known->count, 2);
    now += 21 * SECOND;
    model_tick(known, now);
    ck_assert_uint_eq(known->count, 1);
    ck_assert_ptr_nonnull(model_find(known, 8));
}
END_TEST

/* --- The look ---------------------------------------------------------------------------------------------------- */

START_TEST(warnings_are_seen_without_colour)
{
    model_connected(known, true, now);
    hear_hello(100 * SECOND);
    hear_stats(0, INT64_C(4) << 30, 9);
    arrive(7, "pi-9", "cp39", builds("numpy", "1.26.4"));
    hear_slave_stats(7, 0, 85);
    look(80, 24);
    SEES("96%!");
    SEES("85!");
    SEES("94!");
    /* Where the columns have no room the mark is there. */
    look(40, 12);
    SEES("►!pi-9");
    /* Builds wait, and nobody is there to make them. */
    hear_slave(7, 0, "DIE", NULL);
    now += 121 * SECOND;
    model_tick(known, now);
    look(80, 24);
    SEES("cp39  9 pending, 352 built in the last hour");
    SEES("no slave!");
}
END_TEST

START_TEST(groups_are_in_the_order_of_interpreters)
{
    model_connected(known, true, now);
    hear_hello(100 * SECOND);
    arrive(1, "pi-11", "cp311", slave_SLEEP_make(false));
    arrive(2, "pi-9", "cp311", slave_SLEEP_make(false));
    arrive(3, "pi-1", "cp39", slave_SLEEP_make(false));
    arrive(4, "pi-2", "cp313t", slave_SLEEP_make(false));
    look(80, 24);
    ck_assert_int_lt(find(" cp39 "), find("pi-1 "));
    ck_assert_int_lt(find("pi-1 "), find(" cp311 "));
    ck_assert_int_lt(find(" cp311 "), find("pi-9 "));
    ck_assert_int_lt(find("pi-9 "), find("pi-11"));
    ck_assert_int_lt(find("pi-11"), find(" cp313t "));
}
END_TEST

START_TEST(hostile_texts_stay_in_their_place)
{
    char label[800] = "";
    for (int i = 0; i < 120; i++)
        strcat(label, i % 2 == 0 ? "日" : "e\xcc\x81");
    model_connected(known, true, now);
    hear_hello(100 * SECOND);
    arrive(1, "\x1b[2J\x1b[31mred\x07\r\n", "cp311\x1b[0m",
           builds("\x1b]0;title\x07", "\xe2\x80\xae"
                                      "1.0"));
    arrive(2, label, "cp39", slave_SLEEP_make(false));
    for (int i = 0; i < 3; i++, KEY(UI_DOWN))
        for (int columns = 30; columns < 140; columns++) {
            look(columns, 24);
            for (int k = 0; k < 24 * columns; k++)
                ck_assert_int_ge(screen->cells[k].text[0], 0x20);
        }
    look(120, 24);
    SEES("\\x1b[2J\\x1b[31m");
    SEES("builds \\x1b]0;title\\x07 \\u202e1.0");
}
END_TEST

START_TEST(a_thousand_slaves)
{
    char label[16];
    model_connected(known, true, now);
    hear_hello(100 * SECOND);
    for (int i = 1; i <= 1000; i++) {
        snprintf(label, sizeof(label), "pi-%d", i);
        arrive(i, label, i % 2 ? "cp39" : "cp311", slave_SLEEP_make(false));
    }
    look(80, 24);
    SEES("1000 slaves");
    SEES("pi-1 ");
    KEY(UI_END);
    look(80, 24);
    SEES("pi-1000 ");
    SEES("Slave 1000 pi-1000, cp311");
    SEES_NOT("pi-1 ");
    KEY(UI_UP);
    KEY(UI_UP);
    look(80, 24);
    SEES("Slave 996 pi-996");
    KEY(UI_PAGE_UP);
    look(80, 24);
    SEES_NOT("Slave 996 pi-996");
    for (int i = 0; i < 200; i++)
        KEY(UI_PAGE_UP);
    ck_assert(person.all);
    look(80, 24);
    SEES("all slaves");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("monitor");
    TCase *tests = tcase_create("monitor");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_stock_masters_stream_is_understood_whole);
    tcase_add_test(tests, the_recorded_farm_at_80_by_24);
    tcase_add_test(tests, the_recorded_farm_later);
    tcase_add_test(tests, the_recorded_farm_ends);
    tcase_add_test(tests, the_recorded_farm_at_other_sizes);
    tcase_add_test(tests, a_long_host_name_leaves_room);
    tcase_add_test(tests, large_totals_fit_at_80_columns);
    tcase_add_test(tests, states_and_since_when);
    tcase_add_test(tests, boards_by_name_and_code);
    tcase_add_test(tests, a_replay_says_since_at_least);
    tcase_add_test(tests, a_slave_that_falls_silent);
    tcase_add_test(tests, what_is_not_understood_is_noted);
    tcase_add_test(tests, clocks_that_differ);
    tcase_add_test(tests, another_master);
    tcase_add_test(tests, slaves_that_left_while_the_line_was_down);
    tcase_add_test(tests, warnings_are_seen_without_colour);
    tcase_add_test(tests, groups_are_in_the_order_of_interpreters);
    tcase_add_test(tests, hostile_texts_stay_in_their_place);
    tcase_add_test(tests, a_thousand_slaves);
    suite_add_tcase(suite, tests);
    return suite;
}
