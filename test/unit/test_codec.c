/* test_codec.c — the engine: every message of every protocol there and back in both encodings, copied, checked,
 * printed; times, texts and records; and the golden bytes of shapes that were in use. */
#include "unit.h"

#include "values.h"

#include <pthread.h>
#include <unistd.h>

enum { ROUNDS = 200, PROTOCOLS_MAX = 256 };

static void there_and_back(const piw_msg_type *type, piw_codec codec, dice *d)
{
    piw_err err = {0};
    piw_buffer bytes = {0}, again = {0};
    piw_msg *msg = piw_msg_new(type), *back = NULL;
    const piw_msg_type *word = NULL;
    d->optional = codec == PIW_MSGPACK;
    random_value(d, msg, type->body, piw_msg_any_body(msg));
    ck_assert_msg(piw_msg_check(msg, &err) == 0, "%s", err.text);
    int r = piw_encode(msg, codec, &bytes, &err);
    ck_assert_msg(r == 0, "%s.%s: %s", type->protocol->name, type->name, err.text);
    ck_assert_int_eq(piw_codec_of(bytes.data, bytes.len), codec);
    r = piw_decode(type->protocol, -1, bytes.data, bytes.len, NULL, &back, &word, &err);
    ck_assert_msg(r == 0, "%s.%s: %s", type->protocol->name, type->name, err.text);
    ck_assert_ptr_eq(word, type);
    ck_assert_msg(equal(type->body, 0, piw_msg_any_body(msg), piw_msg_any_body(back)), "%s.%s differs",
                  type->protocol->name, type->name);
    ck_assert_int_eq(piw_encode(back, codec, &again, &err), 0);
    ck_assert_uint_eq(bytes.len, again.len);
    ck_assert_mem_eq(bytes.data, again.data, bytes.len);
    piw_msg *copy = piw_msg_copy(back);
    piw_msg_free(&back);
    ck_assert(equal(type->body, 0, piw_msg_any_body(msg), piw_msg_any_body(copy)));
    piw_msg_free(&copy);
    piw_msg_free(&msg);
    piw_buffer_fini(&bytes);
    piw_buffer_fini(&again);
}

START_TEST(every_message_there_and_back)
{
    const piw_protocol *protocols[PROTOCOLS_MAX];
    size_t count;
    dice d = seeded("every_message_there_and_back");
    use_all(protocols, &count, PROTOCOLS_MAX);
    for (size_t i = 0; i < count; i++)
        for (int j = 0; j < protocols[i]->messages_count; j++)
            for (int k = 0; k < ROUNDS; k++)
                there_and_back(&protocols[i]->messages[j], k % 2 == 0 ? PIW_CBOR : PIW_MSGPACK, &d);
}
END_TEST

START_TEST(every_message_prints_in_any_space)
{
    const piw_protocol *protocols[PROTOCOLS_MAX];
    size_t count;
    dice d = seeded("every_message_prints_in_any_space");
    use_all(protocols, &count, PROTOCOLS_MAX);
    for (size_t i = 0; i < count; i++) {
        for (int j = 0; j < protocols[i]->messages_count; j++) {
            const piw_msg_type *type = &protocols[i]->messages[j];
            piw_msg *msg = piw_msg_new(type);
            random_value(&d, msg, type->body, piw_msg_any_body(msg));
            for (size_t size = 0; size < 300; size++) {
                char *to = malloc(size + 1);
                memset(to, 'x', size + 1);
                size_t len = piw_msg_print(msg, to, size);
                ck_assert(size == 0 ? len == 0 : len < size && to[len] == '\0');
                ck_assert_uint_eq(piw_utf8_valid(to, len), len);
                ck_assert_int_eq(to[size], 'x');
                ck_assert_ptr_null(memchr(to, '\n', len));
                free(to);
            }
            piw_msg_free(&msg);
        }
    }
}
END_TEST

START_TEST(a_message_prints_readably)
{
    char line[200];
    piw_protocol_use(&slave_protocol_def);
    piw_msg *msg = slave_ACK_make(7, piw_text_of("https://pypi.org/\033simple"), (piw_text){0});
    piw_msg_print(msg, line, sizeof(line));
    ck_assert_str_eq(line, "ACK(slave_id=7, pypi_url='https://pypi.org/\\x1bsimple', token=null)");
    piw_msg_free(&msg);
}
END_TEST

START_TEST(an_image_has_one_protocol_object)
{
    static const piw_type none = {.kind = PIW_TUPLE};
    static const piw_msg_type messages[] = {{.name = "A", .body = &none, .flags = PIW_M_NODATA, .reply = -1}};
    static const piw_protocol first = {.name = "twin", .hash = 42, .messages = messages, .messages_count = 1};
    static const piw_protocol second = {.name = "twin", .hash = 42, .messages = messages, .messages_count = 1};
    piw_protocol_def a = {.own = &first}, b = {.own = &second};
    ck_assert_ptr_eq(piw_protocol_use(&a), piw_protocol_use(&b));
    ck_assert_ptr_eq(a.interned, b.interned);
    ck_assert_ptr_ne(a.interned, &first);
    ck_assert_ptr_eq(a.interned->messages[0].protocol, a.interned);
}
END_TEST

static void *intern_all(void *arg)
{
    const piw_protocol *protocols[PROTOCOLS_MAX];
    size_t count;
    use_all(protocols, &count, PROTOCOLS_MAX);
    for (size_t i = 0; i < count; i++)
        ((const piw_protocol **)arg)[i] = protocols[i];
    return NULL;
}

START_TEST(threads_intern_the_same_objects)
{
    enum { THREADS = 8 };
    static const piw_protocol *seen[THREADS][PROTOCOLS_MAX];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, intern_all, seen[i]), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (int i = 1; i < THREADS; i++)
        ck_assert_mem_eq(seen[i], seen[0], sizeof(seen[0]));
}
END_TEST

START_TEST(words_are_found_in_their_direction)
{
    const piw_protocol *slave = piw_protocol_use(&slave_protocol_def);
    ck_assert_ptr_eq(piw_protocol_find(slave, "HELLO", 5, 1), slave_HELLO_type());
    ck_assert_ptr_null(piw_protocol_find(slave, "HELLO", 5, 0));
    ck_assert_ptr_eq(piw_protocol_find(slave, "ACK", 3, 0), slave_ACK_type());
    ck_assert_ptr_eq(piw_protocol_find(slave, "ACK", 3, -1), slave_ACK_type());
    ck_assert_ptr_null(piw_protocol_find(slave, "AC", 2, -1));
    ck_assert_ptr_null(piw_protocol_find(slave, "ACKK", 4, -1));
    ck_assert_ptr_null(piw_protocol_find(slave, "", 0, -1));
    ck_assert_ptr_null(piw_protocol_find(slave, "ACK\0\0\0\0\0\0\0\0\0\0\0\0", 15, -1));
}
END_TEST

START_TEST(what_does_not_fit_is_not_sent)
{
    piw_err err = {0};
    piw_buffer to = {0};
    char long_text[300];
    piw_protocol_use(&slave_protocol_def);
    memset(long_text, 'x', sizeof(long_text));
    piw_buffer_add(&to, "before", 6);
    piw_msg *msg = slave_BUILD_make((piw_text){long_text, 201}, piw_text_of("1"));
    ck_assert_int_eq(piw_encode(msg, PIW_CBOR, &to, &err), PIW_ESHAPE);
    ck_assert_str_eq(err.text, "BUILD: package: a text is longer than 200 characters");
    ck_assert_uint_eq(to.len, 6);
    err = (piw_err){0};
    ck_assert_int_eq(piw_msg_check(msg, &err), PIW_ESHAPE);
    piw_msg_free(&msg);
    msg = slave_BUILD_make(piw_text_of("a\xff"), piw_text_of("1"));
    ck_assert_int_eq(piw_encode(msg, PIW_MSGPACK, &to, NULL), PIW_ESHAPE);
    piw_msg_free(&msg);
    err = (piw_err){0};
    msg = slave_BUILD_make(piw_text_of("a"), (piw_text){0});
    ck_assert_int_eq(piw_encode(msg, PIW_MSGPACK, &to, &err), PIW_ESHAPE);
    ck_assert_str_eq(err.text, "BUILD: version: it is not set");
    ck_assert_uint_eq(to.len, 6);
    piw_msg_free(&msg);
    piw_buffer_fini(&to);
}
END_TEST

START_TEST(optional_fields_stay_out_of_cbor)
{
    slave_hello *body;
    piw_msg *back;
    piw_buffer bytes = {0};
    const piw_protocol *slave = piw_protocol_use(&slave_protocol_def);
    piw_msg *msg = slave_HELLO_new(&body);
    body->py_version = body->abi = body->platform = body->label = body->os_name = body->os_version =
        body->board_revision = body->board_serial = body->version = piw_text_of("1.0");
    ck_assert_int_eq(piw_encode(msg, PIW_CBOR, &bytes, NULL), 0);
    ck_assert_int_eq(bytes.data[7], 0x8a);
    ck_assert_int_eq(piw_decode(slave, 1, bytes.data, bytes.len, NULL, &back, NULL, NULL), 0);
    ck_assert_ptr_null(slave_HELLO_of(back)->version.s);
    piw_msg_free(&back);
    bytes.len = 0;
    ck_assert_int_eq(piw_encode(msg, PIW_MSGPACK, &bytes, NULL), 0);
    ck_assert_int_eq(piw_decode(slave, 1, bytes.data, bytes.len, NULL, &back, NULL, NULL), 0);
    ck_assert(piw_text_is(slave_HELLO_of(back)->version, "1.0"));
    piw_msg_free(&back);
    body->version = (piw_text){0};
    bytes.len = 0;
    ck_assert_int_eq(piw_encode(msg, PIW_MSGPACK, &bytes, NULL), 0);
    ck_assert_int_eq(piw_decode(slave, 1, bytes.data, bytes.len, NULL, &back, NULL, NULL), 0);
    ck_assert_ptr_null(slave_HELLO_of(back)->version.s);
    piw_msg_free(&back);
    piw_msg_free(&msg);
    piw_buffer_fini(&bytes);
}
END_TEST

static void released(void *arg)
{
    ++*(int *)arg;
}

START_TEST(a_large_log_is_not_copied)
{
    enum { LOG = 100000 };
    int releases = 0;
    slave_BUILT *body;
    piw_msg *back, *msg;
    piw_buffer bytes = {0};
    char *text = malloc(LOG);
    const piw_protocol *slave = piw_protocol_use(&slave_protocol_def);
    memset(text, 'x', LOG);
    msg = slave_BUILT_new(&body);
    piw_blob *log = piw_blob_new(text, LOG);
    body->output = piw_msg_blob(msg, log);
    piw_blob_unref(&log);
    ck_assert_int_eq(piw_encode(msg, PIW_MSGPACK, &bytes, NULL), 0);
    piw_owner *owner = piw_owner_new(&releases, released);
    ck_assert_int_eq(piw_decode(slave, 1, bytes.data, bytes.len, owner, &back, NULL, NULL), 0);
    piw_owner_unref(&owner);
    ck_assert_int_eq(releases, 0);
    ck_assert_uint_eq(piw_blob_size(slave_BUILT_of(back)->output), LOG);
    piw_msg *copy = piw_msg_copy(back);
    piw_msg_free(&back);
    ck_assert_int_eq(releases, 0);
    ck_assert(equal_blobs(slave_BUILT_of(copy)->output, body->output));
    piw_msg_free(&copy);
    ck_assert_int_eq(releases, 1);
    piw_msg_free(&msg);
    piw_buffer_fini(&bytes);
    free(text);
}
END_TEST

START_TEST(a_broken_log_is_mended)
{
    static const struct {
        const char *bytes, *mended;
    } cases[] = {{"ok \xff\xfe!", "ok \xef\xbf\xbd\xef\xbf\xbd!"},
                 {"\xed\xa0\x80 lone", "\xef\xbf\xbd lone"},
                 {"\xe6\xb0", "\xef\xbf\xbd"},
                 {"\xf0\x9f\x90x", "\xef\xbf\xbdx"},
                 {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"}};
    const piw_protocol *slave = piw_protocol_use(&slave_protocol_def);
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        slave_BUILT *body;
        piw_msg *back, *msg = slave_BUILT_new(&body);
        piw_buffer bytes = {0};
        char text[32];
        piw_blob *log = piw_blob_new(cases[i].bytes, strlen(cases[i].bytes));
        body->output = piw_msg_blob(msg, log);
        piw_blob_unref(&log);
        ck_assert_int_eq(piw_encode(msg, i % 2 == 0 ? PIW_CBOR : PIW_MSGPACK, &bytes, NULL), 0);
        ck_assert_int_eq(piw_decode(slave, 1, bytes.data, bytes.len, NULL, &back, NULL, NULL), 0);
        size_t len = piw_blob_read(slave_BUILT_of(back)->output, 0, text, sizeof(text));
        ck_assert_uint_eq(len, strlen(cases[i].mended));
        ck_assert_mem_eq(text, cases[i].mended, len);
        piw_msg_free(&back);
        piw_msg_free(&msg);
        piw_buffer_fini(&bytes);
    }
}
END_TEST

START_TEST(utf8_is_told_from_what_is_not)
{
    static const struct {
        const char *bytes;
        size_t valid, chars;
    } cases[] = {{"", 0, 0},
                 {"abcdefghijklmnop", 16, 16},
                 {"abcdefgé水🐍xyzabcd", 23, 17},
                 {"\xc0\x80", 0, 0},
                 {"a\xe0\x80\x80", 1, 1},
                 {"ab\xed\xa0\x80", 2, 2},
                 {"\xf4\x90\x80\x80", 0, 0},
                 {"\xf4\x8f\xbf\xbf", 4, 1},
                 {"12345678\xff", 8, 8},
                 {"é\xc3", 2, 1}};
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        size_t valid = piw_utf8_valid(cases[i].bytes, strlen(cases[i].bytes));
        ck_assert_msg(valid == cases[i].valid, "case %zu: %zu", i, valid);
        ck_assert_uint_eq(piw_utf8_chars(cases[i].bytes, valid), cases[i].chars);
    }
}
END_TEST

START_TEST(times_as_text)
{
    static const char *const same[] = {
        "2024-03-01T12:34:56.789012Z", "2024-03-01T12:34:56Z",     "1970-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z",     "9999-12-31T23:59:59.999999Z",
        "2024-02-29T00:00:00+02:00",   "2000-02-29T23:59:59Z",     "2024-03-01T12:34:56-05:30",
        "1900-03-01T00:00:00.000001Z", "2024-12-31T23:00:00+14:00"};
    static const char *const refused[] = {"",
                                          "2024-03-01",
                                          "2024-03-01T12:34:56",
                                          "2024-13-01T00:00:00Z",
                                          "2023-02-29T00:00:00Z",
                                          "yesterday",
                                          "2024-03-01T24:00:00Z",
                                          "2024-03-01T12:60:00Z",
                                          "2024-03-01T12:34:56.Z",
                                          "2024-03-01T12:34:56Zx",
                                          "0000-01-01T00:00:00Z",
                                          "0001-01-01T00:00:00+00:01",
                                          "9999-12-31T23:59:59-00:01",
                                          "2024-03-01T12:34:56+0200",
                                          "2024-03-01T12:34:56+24:00",
                                          "1900-02-29T00:00:00Z",
                                          "-024-03-01T12:34:56Z",
                                          "2024-03-01T12:34:56.789012"};
    piw_time t;
    char text[40];
    for (size_t i = 0; i < PIW_COUNT(same); i++) {
        ck_assert_msg(piw_time_parse(same[i], strlen(same[i]), &t) == 0, "%s", same[i]);
        ck_assert_uint_eq(piw_time_format(t, text, sizeof(text)), strlen(same[i]));
        ck_assert_str_eq(text, same[i]);
    }
    for (size_t i = 0; i < PIW_COUNT(refused); i++)
        ck_assert_msg(piw_time_parse(refused[i], strlen(refused[i]), &t) != 0, "%s", refused[i]);
    ck_assert_int_eq(piw_time_parse("2024-03-01t12:34:56.7890129z", 28, &t), 0);
    ck_assert_int_eq(t.us % 1000000, 789012);
    ck_assert_int_eq(piw_time_parse("2024-03-01T12:34:56.5+02:00", 27, &t), 0);
    ck_assert_int_eq(t.us, 1709289296500000);
    ck_assert_int_eq(t.zone_min, 120);
    ck_assert_uint_eq(piw_time_format(t, text, 33), 32);
    ck_assert_uint_eq(piw_time_format(t, text, 32), 0);
    t.zone_min = 1440;
    ck_assert_uint_eq(piw_time_format(t, text, sizeof(text)), 0);
}
END_TEST

START_TEST(every_day_there_and_back)
{
    char text[40];
    piw_time t, back;
    for (int64_t day = -719162; day < 2932897; day += 17) {
        t = (piw_time){.us = day * 86400000000};
        ck_assert_uint_gt(piw_time_format(t, text, sizeof(text)), 0);
        ck_assert_int_eq(piw_time_parse(text, strlen(text), &back), 0);
        ck_assert_int_eq(back.us, t.us);
    }
}
END_TEST

START_TEST(durations_are_normal)
{
    piw_duration d = piw_duration_from_us(-1);
    ck_assert(d.days == -1 && d.seconds == 86399 && d.micros == 999999);
    ck_assert_int_eq(piw_duration_us(d), -1);
    d = piw_duration_from_us(INT64_MIN);
    ck_assert_int_eq(piw_duration_us(d), INT64_MIN);
    ck_assert_int_eq(piw_duration_us(piw_duration_from_us(INT64_MIN + 5)), INT64_MIN + 5);
    d = piw_duration_from_us(INT64_MAX);
    ck_assert_int_eq(piw_duration_us(d), INT64_MAX);
    ck_assert_int_eq(piw_duration_us((piw_duration){999999999, 0, 0}), INT64_MAX);
    ck_assert_int_eq(piw_duration_us((piw_duration){-999999999, 0, 0}), INT64_MIN);
}
END_TEST

START_TEST(records_are_read_by_their_own_protocol_only)
{
    piw_err err = {0};
    piw_msg *back;
    piw_buffer bytes = {0};
    const piw_protocol *slave = piw_protocol_use(&slave_protocol_def);
    const piw_protocol *control = piw_protocol_use(&control_protocol_def);
    piw_msg *msg = slave_ACK_make(7, piw_text_of("x"), (piw_text){0});
    ck_assert_int_eq(piw_record_write(msg, &bytes, &err), 0);
    ck_assert_int_eq(piw_record_read(slave, bytes.data, bytes.len, &back, &err), 0);
    ck_assert_int_eq(slave_ACK_of(back)->slave_id, 7);
    piw_msg_free(&back);
    ck_assert_int_eq(piw_record_read(control, bytes.data, bytes.len, &back, &err), PIW_ESHAPE);
    for (size_t len = 0; len < bytes.len; len++)
        ck_assert_int_ne(piw_record_read(slave, bytes.data, len, &back, NULL), 0);
    piw_msg_free(&msg);
    piw_buffer_fini(&bytes);
}
END_TEST

START_TEST(any_holds_the_data_of_another_message)
{
    piw_protocol_use(&slave_protocol_def);
    piw_protocol_use(&status_protocol_def);
    status_SLAVE *body;
    piw_msg *to = status_SLAVE_new(&body), *sleep = slave_SLEEP_make(true), *done = slave_DONE_new();
    body->data = piw_any_of(to, done);
    ck_assert(body->data.nodata);
    body->data = piw_any_of(to, sleep);
    piw_msg_free(&sleep);
    ck_assert(body->data.type->kind == PIW_BOOL && *(const bool *)body->data.value);
    piw_buffer bytes = {0};
    body->message = piw_text_of("SLEEP");
    ck_assert_int_eq(piw_encode(to, PIW_CBOR, &bytes, NULL), 0);
    ck_assert_int_eq(bytes.data[bytes.len - 1], 0xf5);
    piw_msg *back;
    bool paused = false;
    ck_assert_int_eq(piw_decode(status_protocol_def.interned, 0, bytes.data, bytes.len, NULL, &back, NULL, NULL), 0);
    const piw_any *raw = &status_SLAVE_of(back)->data;
    ck_assert_int_eq(piw_any_read(back, raw, slave_SLEEP_type()->body->fields[0].type, &paused, NULL), 0);
    ck_assert(paused);
    int64_t number;
    static const piw_type integer = {.kind = PIW_INT, .size = sizeof(int64_t)};
    ck_assert_int_eq(piw_any_read(back, raw, &integer, &number, NULL), PIW_ESHAPE);
    piw_msg_free(&back);
    piw_msg_free(&done);
    piw_msg_free(&to);
    piw_buffer_fini(&bytes);
}
END_TEST

/* --- Golden bytes: lines `CODEC HEX` of messages as they were encoded once; they are read for ever --- */

static void golden_line(const piw_protocol *protocol, const char *name, const char *hex)
{
    piw_err err = {0};
    piw_buffer again = {0};
    piw_msg *msg;
    uint8_t *bytes = malloc(strlen(hex) / 2 + 1);
    size_t len = unit_from_hex(hex, bytes);
    int r = piw_decode(protocol, -1, bytes, len, NULL, &msg, NULL, &err);
    ck_assert_msg(r == 0, "%s: %s: %s", name, hex, err.text);
    ck_assert_int_eq(piw_encode(msg, piw_codec_of(bytes, len), &again, &err), 0);
    ck_assert_msg(again.len == len && memcmp(again.data, bytes, len) == 0, "%s: %s is written otherwise now", name,
                  hex);
    piw_msg_free(&msg);
    piw_buffer_fini(&again);
    free(bytes);
}

/* With PIW_GOLDEN set: write what is missing, for queues that other programs speak. */
static void write_golden(const piw_protocol *protocol, FILE *file)
{
    dice d = {.state = 1};
    for (int i = 0; i < protocol->messages_count; i++) {
        for (int j = 0; j < 6; j++) {
            const piw_msg_type *type = &protocol->messages[i];
            piw_msg *msg = piw_msg_new(type);
            piw_buffer bytes = {0};
            d.optional = j % 2 == 1;
            random_value(&d, msg, type->body, piw_msg_any_body(msg));
            ck_assert_int_eq(piw_encode(msg, j % 2 == 1 ? PIW_MSGPACK : PIW_CBOR, &bytes, NULL), 0);
            char *hex = to_hex(bytes.data, bytes.len);
            fprintf(file, "%s %s %s\n", type->name, piw_codec_name(j % 2 == 1 ? PIW_MSGPACK : PIW_CBOR), hex);
            free(hex);
            piw_msg_free(&msg);
            piw_buffer_fini(&bytes);
        }
    }
}

START_TEST(golden_bytes_are_read_for_ever)
{
    const piw_protocol *protocols[PROTOCOLS_MAX];
    size_t count, read = 0;
    use_all(protocols, &count, PROTOCOLS_MAX);
    for (size_t i = 0; i < count; i++) {
        char path[200], word[128], codec[16];
        snprintf(path, sizeof(path), "test/golden/%s.txt", protocols[i]->name);
        if (getenv("PIW_GOLDEN") != NULL && protocols[i]->queue != PIW_Q_NONE && access(path, F_OK) != 0) {
            FILE *made = fopen(path, "w");
            ck_assert_ptr_nonnull(made);
            write_golden(protocols[i], made);
            fclose(made);
        }
        FILE *file = fopen(path, "r");
        if (file == NULL)
            continue;
        char *hex = malloc(1 << 20);
        while (fscanf(file, "%127s %15s %1048575s", word, codec, hex) == 3) {
            golden_line(protocols[i], path, hex);
            read++;
        }
        free(hex);
        fclose(file);
    }
    ck_assert_msg(read > 100, "only %zu golden messages were found: run from the top folder", read);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("codec");
    TCase *tcase = tcase_create("codec");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, every_message_there_and_back);
    tcase_add_test(tcase, every_message_prints_in_any_space);
    tcase_add_test(tcase, a_message_prints_readably);
    tcase_add_test(tcase, an_image_has_one_protocol_object);
    tcase_add_test(tcase, threads_intern_the_same_objects);
    tcase_add_test(tcase, words_are_found_in_their_direction);
    tcase_add_test(tcase, what_does_not_fit_is_not_sent);
    tcase_add_test(tcase, optional_fields_stay_out_of_cbor);
    tcase_add_test(tcase, a_large_log_is_not_copied);
    tcase_add_test(tcase, a_broken_log_is_mended);
    tcase_add_test(tcase, utf8_is_told_from_what_is_not);
    tcase_add_test(tcase, times_as_text);
    tcase_add_test(tcase, every_day_there_and_back);
    tcase_add_test(tcase, durations_are_normal);
    tcase_add_test(tcase, records_are_read_by_their_own_protocol_only);
    tcase_add_test(tcase, any_holds_the_data_of_another_message);
    tcase_add_test(tcase, golden_bytes_are_read_for_ever);
    suite_add_tcase(suite, tcase);
    return suite;
}
