/* test_recording.c — the file of a recording: what is written is read again, by name, however it was cut or garbled. */
#include "unit.h"

#include "record/frame.h"
#include "record/recording.h"
#include "record/shape.h"
#include "recording.piw.h"
#include "type/message.h"
#include "values.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { PROTOCOLS_MAX = 100, VALUES_EACH = 3 };

static char folder[UNIT_FOLDER], path[UNIT_FOLDER + 20];

static void set_up(void)
{
    unit_folder(folder);
    snprintf(path, sizeof(path), "%s/recording", folder);
    piw_protocol_use(&recording_protocol_def);
}

static void tear_down(void)
{
    unit_remove(folder);
}

static piw__recording *begin(uint64_t max)
{
    piw__recording *recording = NULL;
    piw_err err = {0};
    ck_assert_msg(piw__recording_new(&recording, "test", path, max, 0, &err) == 0, "%s", err.text);
    return recording;
}

static void put(piw__recording *recording, const piw_msg *msg)
{
    recording_came *body;
    piw_msg *record = recording_came_new(&body);
    body->kind = PIW_CAME_MESSAGE;
    body->name = body->error_text = piw_text_of("");
    body->protocol = piw__recording_protocol(recording, msg->type->protocol);
    body->word = msg->type->index;
    piw_blob *data = piw__recording_body(msg);
    body->data = piw_msg_blob(record, data);
    piw_blob_unref(&data);
    piw__recording_put(recording, &record);
}

static void end(piw__recording *recording)
{
    piw__recording_close(recording, "the test ends it");
    piw__recording_unref(&recording);
}

static piw_recording *open_it(void)
{
    piw_recording *file = NULL;
    piw_err err = {0};
    ck_assert_msg(piw_recording_open(&file, path, &err) == 0, "%s", err.text);
    return file;
}

static const recording_came *next_came(piw_recording *file, piw_msg **record)
{
    piw_err err = {0};
    for (;;) {
        piw_msg_free(record);
        int rc = piw_recording_next(file, record, &err);
        ck_assert_msg(rc >= 0, "%s", err.text);
        if (rc == 0)
            return NULL;
        if (piw_msg_type_of(*record) == recording_came_type())
            return recording_came_of(*record);
    }
}

/* --- All that protocols can say ------------------------------------------------------------------------------------- */

START_TEST(every_message_survives)
{
    const piw_protocol *protocols[PROTOCOLS_MAX];
    size_t count = 0;
    dice d = seeded("recording"), again = d;
    use_all(protocols, &count, PROTOCOLS_MAX);
    const piw_protocol *protocol = protocols[_i % (int)count];
    piw__recording *recording = begin(0);
    for (int n = 0; n < VALUES_EACH; n++) {
        for (uint16_t m = 0; m < protocol->messages_count; m++) {
            piw_msg *msg = piw_msg_new(&protocol->messages[m]);
            random_value(&d, msg, msg->type->body, piw__msg_body(msg));
            put(recording, msg);
            piw_msg_free(&msg);
        }
    }
    end(recording);
    piw_recording *file = open_it();
    piw_msg *record = NULL;
    for (int n = 0; n < VALUES_EACH; n++) {
        for (uint16_t m = 0; m < protocol->messages_count; m++) {
            const piw_msg_type *type = &protocol->messages[m];
            piw_msg *msg = piw_msg_new(type), *read = NULL;
            piw_err err = {0};
            random_value(&again, msg, type->body, piw__msg_body(msg));
            const recording_came *came = next_came(file, &record);
            ck_assert_ptr_nonnull(came);
            ck_assert_str_eq(piw_recording_word(file, came->protocol, came->word)->name, type->name);
            ck_assert_msg(piw_recording_as(file, came->protocol, came->word, came->data, type, &read, &err) == 0,
                          "%s.%s: %s", protocol->name, type->name, err.text);
            ck_assert_msg(equal(type->body, 0, piw__msg_body(msg), piw__msg_body(read)), "%s.%s is another one",
                          protocol->name, type->name);
            piw_msg_free(&msg);
            piw_msg_free(&read);
        }
    }
    ck_assert_ptr_null(next_came(file, &record));
    ck_assert(!piw_recording_torn(file));
    piw_recording_close(&file);
}
END_TEST

/* --- Cut and garbled -------------------------------------------------------------------------------------------------- */

/* A small recording; its bytes. */
static size_t bytes_of(uint8_t **bytes)
{
    piw__recording *recording = begin(0);
    piw_msg *msg = recording_end_new(&(recording_end *){0});
    recording_end *body = piw_msg_any_body(msg);
    body->why = piw_text_of("a message like any other");
    put(recording, msg);
    put(recording, msg);
    piw_msg_free(&msg);
    end(recording);
    int fd = open(path, O_RDONLY);
    off_t len = lseek(fd, 0, SEEK_END);
    *bytes = malloc((size_t)len);
    ck_assert_int_eq(pread(fd, *bytes, (size_t)len, 0), len);
    close(fd);
    return (size_t)len;
}

static void write_bytes(const uint8_t *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_TRUNC);
    ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

/* How many records there are; negative: it is damaged, or none. */
static int records(bool *torn)
{
    piw_recording *file = NULL;
    piw_msg *record = NULL;
    piw_err err = {0};
    int count = 0, rc = piw_recording_open(&file, path, &err);
    while (rc == 0 && (rc = piw_recording_next(file, &record, &err)) == 1) {
        count++;
        rc = 0;
        piw_msg_free(&record);
    }
    ck_assert((rc < 0) == (err.code != 0));
    *torn = file != NULL && piw_recording_torn(file);
    piw_recording_close(&file);
    return err.code != 0 ? err.code : count;
}

START_TEST(a_torn_end_is_tolerated)
{
    uint8_t *bytes;
    bool torn;
    size_t len = bytes_of(&bytes);
    int before = 0;
    ck_assert_int_eq(records(&torn), 4); /* shape, two messages, the end */
    ck_assert(!torn);
    for (size_t cut = PIW__RECORD_HEAD; cut < len; cut += cut % 64 < 16 ? 1 : 5) {
        write_bytes(bytes, cut);
        int count = records(&torn);
        ck_assert_msg(count >= before && count < 4 && torn, "%zu of %zu bytes: %d records", cut, len, count);
        before = count;
    }
    write_bytes(bytes, PIW__RECORD_HEAD - 1);
    ck_assert_int_eq(records(&torn), PIW_ESHAPE);
    free(bytes);
}
END_TEST

START_TEST(any_byte_that_is_another_is_seen)
{
    uint8_t *bytes;
    bool torn;
    size_t len = bytes_of(&bytes);
    for (size_t at = 0; at < len; at++) {
        if (at >= 12 && at < PIW__RECORD_HEAD)
            continue; /* has no meaning yet */
        bytes[at] ^= 0x41;
        write_bytes(bytes, len);
        int count = records(&torn);
        ck_assert_msg(count < 0 || torn, "byte %zu of %zu may be anything", at, len);
        bytes[at] ^= 0x41;
    }
    free(bytes);
}
END_TEST

/* --- Bounds ----------------------------------------------------------------------------------------------------------- */

START_TEST(it_ends_before_it_is_too_large)
{
    enum { MOST = 20000 };
    piw__recording *recording = begin(MOST);
    piw_msg *msg = recording_end_new(&(recording_end *){0});
    recording_end *body = piw_msg_any_body(msg);
    body->why = piw_text_of("a message like any other");
    for (int i = 0; i < 1000; i++)
        put(recording, msg);
    ck_assert(piw__recording_over(recording));
    piw_msg_free(&msg);
    end(recording);
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_int_le(info.st_size, MOST);
    ck_assert_int_eq(info.st_mode & 07777, 0600);
    bool torn;
    ck_assert_int_gt(records(&torn), 10);
    ck_assert(!torn);
}
END_TEST

START_TEST(a_file_that_is_there_stays)
{
    piw__recording *recording = NULL;
    piw_err err = {0};
    end(begin(0));
    ck_assert_int_ne(piw__recording_new(&recording, "test", path, 0, 0, &err), 0);
    ck_assert_ptr_null(recording);
    ck_assert_ptr_nonnull(strstr(err.text, "can't be made"));
    err = (piw_err){0};
    ck_assert_int_eq(piw__recording_new(&recording, "test", "here", 0, 0, &err), PIW_EINVAL);
}
END_TEST

/* --- Shapes that are none --------------------------------------------------------------------------------------------- */

static int read_shape(recording_type *types, uint32_t count, int64_t body)
{
    recording_shape *shape;
    piw_msg *msg = recording_shape_new(&shape);
    recording_word word = {.name = piw_text_of("WORD"), .body = body, .reply = -1};
    shape->name = piw_text_of("made");
    shape->number = 1;
    shape->types.count = count;
    shape->types.at = types;
    shape->words.count = 1;
    shape->words.at = &word;
    piw_protocol *made = NULL;
    piw_err err = {0};
    int rc = piw__shape_read(msg, &made, &err);
    ck_assert((rc == 0) == (made != NULL));
    piw__shape_free(&made);
    piw_msg_free(&msg);
    return rc;
}

START_TEST(hostile_shapes_are_refused)
{
    recording_member self = {piw_text_of("self"), 0, 0}, none = {piw_text_of(""), 0, 0}, many[16];
    recording_type good = {.name = piw_text_of(""), .kind = PIW_TUPLE};
    recording_type types[16] = {good};
    ck_assert_int_eq(read_shape(types, 1, 0), 0);
    ck_assert_int_eq(read_shape(types, 1, 1), PIW_ESHAPE);
    ck_assert_int_eq(read_shape(types, 1, -1), PIW_ESHAPE);
    types[0].kind = 99;
    ck_assert_int_eq(read_shape(types, 1, 0), PIW_ESHAPE);
    types[0] = good;
    types[0].members.count = 1;
    types[0].members.at = &self; /* it contains itself */
    ck_assert_int_eq(read_shape(types, 1, 0), PIW_ESHAPE);
    types[0] = types[1] = good;
    types[1].members.count = 1;
    types[1].members.at = &none; /* a member without a name */
    ck_assert_int_eq(read_shape(types, 2, 1), PIW_ESHAPE);
    types[1].kind = PIW_LIST;
    ck_assert_int_eq(read_shape(types, 2, 0), 0);
    ck_assert_int_eq(read_shape(types, 2, 1), PIW_ESHAPE); /* a body is a tuple */
    /* Sixteen of sixteen of sixteen …: more than anybody could go through. */
    for (size_t i = 0; i < PIW_COUNT(many); i++)
        many[i] = self;
    recording_member rows[16][16];
    static char names[16][2];
    for (size_t k = 0; k < 16; k++)
        names[k][0] = (char)('a' + k);
    for (int64_t i = 1; i < 16; i++) {
        types[i] = good;
        for (size_t k = 0; k < 16; k++)
            rows[i][k] = (recording_member){piw_text_of(names[k]), i - 1, 0};
        types[i].members.count = 16;
        types[i].members.at = rows[i];
    }
    types[0] = good;
    ck_assert_int_eq(read_shape(types, 16, 15), PIW_ESHAPE);
    ck_assert_int_eq(read_shape(types, 4, 3), 0);
    rows[3][9] = rows[3][2]; /* which of them is meant by the name? */
    ck_assert_int_eq(read_shape(types, 4, 3), PIW_ESHAPE);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("recording");
    const piw_protocol *protocols[PROTOCOLS_MAX];
    size_t count = 0;
    use_all(protocols, &count, PROTOCOLS_MAX);
    TCase *all = tcase_create("file");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, every_message_survives, 0, (int)count);
    tcase_add_test(all, a_torn_end_is_tolerated);
    tcase_add_test(all, any_byte_that_is_another_is_seen);
    tcase_add_test(all, it_ends_before_it_is_too_large);
    tcase_add_test(all, a_file_that_is_there_stays);
    tcase_add_test(all, hostile_shapes_are_refused);
    suite_add_tcase(suite, all);
    return suite;
}
