/* test_player.c — a task of the bus is recorded while it works, is swapped and fails, then played: the same plugin does the same,
 * another one does not. */
#include "bus.h"

#include "record/recording.h"
#include "recording.piw.h"
#include "runtime/player.h"

enum { ECHOES = 50 };

static char folder[UNIT_FOLDER], recorded[UNIT_FOLDER + 20], played[UNIT_FOLDER + 20], root[UNIT_FOLDER + 20];

static void set_up(void)
{
    unit_folder(folder);
    snprintf(recorded, sizeof(recorded), "%s/recorded", folder);
    snprintf(played, sizeof(played), "%s/played", folder);
    snprintf(root, sizeof(root), "%s/root", folder);
    ck_assert_int_eq(mkdir(root, 0700), 0);
    piw_protocol_use(&recording_protocol_def);
    bus_up("echo_v1.so");
}

static void tear_down(void)
{
    unit_remove(folder);
}

static void record(void)
{
    piw_err err = {0};
    ck_assert_msg(piw_runtime_record(bus, "echo", recorded, 0, 0, &err) == 0, "%s", err.text);
}

static void record_end(void)
{
    piw_err err = {0};
    char said[300];
    ck_assert_msg(piw_runtime_record_end(bus, "echo", said, sizeof(said), &err) == 0, "%s", err.text);
    ck_assert_ptr_nonnull(strstr(said, "piw-ctl ended it"));
    bus_end();
}

static piw_play_result play(const char *plugin)
{
    char path[UNIT_BUILD + 40];
    piw_play_result result;
    piw_err err = {0};
    snprintf(path, sizeof(path), "%s/%s", bus_plugins(), plugin);
    const piw_play what = {.plugin = path, .recording = recorded, .played = played, .root = root};
    ck_assert_msg(piw_play_recording(&what, &result, &err) == 0, "%s", err.text);
    ck_assert_msg(result.left_out == 0, "left out: %s", result.first_left_out);
    ck_assert(!result.torn);
    return result;
}

/* All that was sent, one after the other. */
static size_t sent_of(const char *path, piw_buffer *to)
{
    piw_recording *file = NULL;
    piw_msg *record = NULL;
    piw_err err = {0};
    size_t count = 0;
    ck_assert_msg(piw_recording_open(&file, path, &err) == 0, "%s", err.text);
    while (piw_recording_next(file, &record, &err) == 1) {
        if (piw_msg_type_of(record) == recording_sent_type()) {
            const recording_sent *sent = recording_sent_of(record);
            uint8_t piece[4096];
            size_t len = piw_blob_read(sent->data, 0, piece, sizeof(piece));
            ck_assert_int_eq(piw_buffer_add(to, piece, len), 0);
            count++;
        }
        piw_msg_free(&record);
    }
    ck_assert_msg(err.code == 0, "%s", err.text);
    piw_recording_close(&file);
    return count;
}

static bool same(void)
{
    piw_buffer a = {0}, b = {0};
    size_t first = sent_of(recorded, &a), second = sent_of(played, &b);
    bool equal = first == second && a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
    ck_assert_uint_ge(first, ECHOES);
    piw_buffer_fini(&a);
    piw_buffer_fini(&b);
    return equal;
}

START_TEST(the_same_plugin_does_the_same)
{
    record();
    for (int64_t n = 0; n < ECHOES; n++)
        bus_echo(1, n);
    record_end();
    ck_assert_uint_ge(play("echo_v1.so").played, ECHOES);
    ck_assert(same());
}
END_TEST

START_TEST(a_recording_goes_on_over_a_swap)
{
    record();
    for (int64_t n = 0; n < ECHOES; n++) {
        if (n == ECHOES / 2)
            bus_replace("echo_v1.so");
        bus_echo(1, n);
    }
    record_end();
    play("echo_v1.so");
    ck_assert(same());
}
END_TEST

START_TEST(another_plugin_is_seen_to_be_one)
{
    record();
    for (int64_t n = 0; n < ECHOES; n++)
        bus_echo(1, n);
    record_end();
    play("echo_v2.so");
    ck_assert(!same());
}
END_TEST

START_TEST(an_instance_is_one_that_is_there)
{
    static const char *const none[] = {"echo.1", "echo.4294967296", "echo.99999999999999999999999"};
    for (size_t i = 0; i < PIW_COUNT(none); i++) {
        piw_err err = {0};
        ck_assert_int_eq(piw_runtime_record(bus, none[i], played, 0, 0, &err), PIW_ENOENT);
        ck_assert_ptr_nonnull(strstr(err.text, "task echo has no instance"));
        ck_assert(!unit_exists(played));
    }
    bus_end();
}
END_TEST

START_TEST(a_task_is_recorded_once_at_a_time)
{
    piw_err err = {0};
    record();
    ck_assert_int_eq(piw_runtime_record(bus, "echo", played, 0, 0, &err), PIW_EREFUSED);
    ck_assert_ptr_nonnull(strstr(err.text, "is being recorded in"));
    ck_assert(!unit_exists(played));
    bus_echo(1, 1);
    record_end();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("player");
    TCase *all = tcase_create("played");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, the_same_plugin_does_the_same);
    tcase_add_test(all, a_recording_goes_on_over_a_swap);
    tcase_add_test(all, another_plugin_is_seen_to_be_one);
    tcase_add_test(all, an_instance_is_one_that_is_there);
    tcase_add_test(all, a_task_is_recorded_once_at_a_time);
    suite_add_tcase(suite, all);
    return suite;
}
