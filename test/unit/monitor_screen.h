/* monitor_screen.h — piw-monitor's model and screen, fed by hand: what its tests have in common. */
#ifndef TEST_MONITOR_SCREEN_H
#define TEST_MONITOR_SCREEN_H

#include "piw-monitor/view.h"
#include "piw/codec.h"
#include "unit.h"

#include <locale.h>
#include <stdio.h>

#define SECOND INT64_C(1000000)

static model *known;
static farm_known beside; /* what an admin queue tells */
static ui person;
static canvas *screen;
static int64_t now; /* ours; the master's clock is far away from it */
static const int64_t master_clock = 1790000000 * SECOND;

static inline void setup(void)
{
    ck_assert_ptr_nonnull(setlocale(LC_ALL, "C.UTF-8"));
    piw_protocol_use(&status_protocol_def);
    piw_protocol_use(&slave_protocol_def);
    piw_protocol_use(&admin_protocol_def);
    known = model_new();
    farm_init(&beside);
    ui_init(&person, "ipc:///tmp/piw-status");
    now = 1000 * SECOND;
}

static inline void teardown(void)
{
    canvas_free(&screen);
    model_free(&known);
    farm_fini(&beside);
}

/* --- What the master says ---------------------------------------------------------------------------------------- */

/* As it comes from the queue: through bytes. */
static inline void hear(piw_msg *msg)
{
    piw_err err = {0};
    piw_buffer bytes = {0};
    piw_msg *decoded = NULL;
    ck_assert_msg(piw_encode(msg, PIW_CBOR, &bytes, &err) == 0, "%s", err.text);
    piw_msg_free(&msg);
    int ret = piw_decode(status_protocol_def.interned, 0, bytes.data, bytes.len, NULL, &decoded, NULL, &err);
    model_hear(known, ret == 0 ? decoded : NULL, err.text, now);
    piw_msg_free(&decoded);
    piw_buffer_fini(&bytes);
}

static inline piw_time stamp(int64_t ago_us)
{
    return (piw_time){.us = now + master_clock - ago_us};
}

static inline void hear_hello(int64_t up_us)
{
    hear(status_HELLO_make(stamp(up_us), piw_text_of("farm-1"), piw_text_of("Debian GNU/Linux"),
                           piw_text_of("12 (bookworm)"), piw_text_of("unknown"), piw_text_of("unknown")));
}

static inline void hear_stats(int64_t ago_us, int64_t disk_free, int64_t pending)
{
    master_stats *stats;
    piw_msg *msg = status_STATS_new(&stats);
    stats->timestamp = stamp(ago_us);
    stats->packages_built = 12345;
    stats->files_count = 23456;
    stats->builds_size = INT64_C(78) << 30;
    stats->downloads_all = 3;
    piw_msg_list(msg, &stats->builds_pending, 2);
    piw_msg_list(msg, &stats->builds_last_hour, 1);
    stats->builds_pending.at[0].key = piw_text_of("cp39");
    stats->builds_pending.at[0].value = pending;
    stats->builds_pending.at[1].key = piw_text_of("cp311");
    stats->builds_last_hour.at[0].key = piw_text_of("cp39");
    stats->builds_last_hour.at[0].value = 352;
    stats->disk_size = INT64_C(100) << 30;
    stats->disk_free = disk_free;
    stats->mem_size = INT64_C(8) << 30;
    stats->mem_free = INT64_C(6) << 30;
    stats->load_average = 2.5;
    stats->cpu_temp = 48;
    hear(msg);
}

static inline void hear_slave(int64_t id, int64_t ago_us, const char *word, const piw_msg *data)
{
    status_SLAVE *body;
    piw_msg *msg = status_SLAVE_new(&body);
    body->slave_id = id;
    body->timestamp = stamp(ago_us);
    body->message = piw_text_of(word);
    if (data != NULL)
        body->data = piw_any_of(msg, data);
    hear(msg);
}

static inline void hear_reply(int64_t id, int64_t ago_us, piw_msg *reply)
{
    hear_slave(id, ago_us, piw_msg_type_of(reply)->name, reply);
    piw_msg_free(&reply);
}

static inline piw_msg *make_slave_hello(slave_hello **made, const char *label, const char *abi)
{
    piw_msg *msg = slave_HELLO_new(made);
    slave_hello *hello = *made;
    hello->build_timeout = piw_duration_from_us(10800 * SECOND);
    hello->busy_timeout = piw_duration_from_us(300 * SECOND);
    hello->py_version = piw_text_of("311");
    hello->abi = piw_text_of(abi);
    hello->platform = piw_text_of("linux_armv7l");
    hello->label = piw_text_of(label);
    hello->os_name = hello->os_version = hello->board_revision = hello->board_serial = piw_text_of("unknown");
    return msg;
}

static inline void hear_slave_hello(int64_t id, int64_t ago_us, const char *label, const char *abi)
{
    slave_hello *hello;
    piw_msg *msg = make_slave_hello(&hello, label, abi);
    hear_slave(id, ago_us, "HELLO", msg);
    piw_msg_free(&msg);
}

static inline void hear_slave_stats(int64_t id, int64_t ago_us, double temperature)
{
    slave_stats *stats;
    piw_msg *msg = slave_IDLE_new(&stats);
    *stats = (slave_stats){.timestamp = stamp(ago_us),
                           .disk_size = INT64_C(32) << 30,
                           .disk_free = INT64_C(2) << 30,
                           .mem_size = INT64_C(1) << 30,
                           .mem_free = INT64_C(1) << 29,
                           .load_average = 3.25,
                           .cpu_temp = temperature};
    hear_slave(id, ago_us, "STATS", msg);
    piw_msg_free(&msg);
}

static inline piw_msg *builds(const char *package, const char *version)
{
    return slave_BUILD_make(piw_text_of(package), piw_text_of(version));
}

/* A slave that comes, and what it is told first. */
static inline void arrive(int64_t id, const char *label, const char *abi, piw_msg *reply)
{
    hear_slave_hello(id, 0, label, abi);
    hear_reply(id, 0, slave_ACK_make(id, piw_text_of("https://pypi.org/simple"), (piw_text){0}));
    hear_slave_stats(id, 0, 55);
    hear_reply(id, 0, reply);
}

/* --- What is on the screen --------------------------------------------------------------------------------------- */

static inline void look(int columns, int rows)
{
    canvas_free(&screen);
    screen = canvas_new(rows, columns, false);
    view_draw(screen, known, &beside, &person, now);
}

/* The first line that holds the text, or -1. */
static inline int find(const char *text)
{
    char line[4096];
    for (int row = 0; row < screen->rows; row++) {
        canvas_line(screen, row, line, sizeof(line));
        if (strstr(line, text) != NULL)
            return row;
    }
    return -1;
}

static inline void print_screen(void)
{
    char line[4096];
    for (int row = 0; row < screen->rows; row++) {
        canvas_line(screen, row, line, sizeof(line));
        printf("# |%s\n", line);
    }
}

static inline bool sees(const char *text)
{
    bool found = find(text) >= 0;
    if (!found)
        print_screen();
    return found;
}

#define SEES(text)     ck_assert_msg(sees(text), "'%s' is not on the screen", text)
#define SEES_NOT(text) ck_assert_msg(find(text) < 0, "'%s' is on the screen", text)
#define KEY(key)       ui_key(&person, known, key, now)

static inline model_state state_of(int64_t id)
{
    ck_assert_ptr_nonnull(model_find(known, id));
    return model_find(known, id)->state;
}

#endif
