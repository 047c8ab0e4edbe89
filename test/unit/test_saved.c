/* test_saved.c — what tasks of an earlier revision saved is read by today's: state, peer records, and the record of a staged build,
 * which stays on disk while masters come and go. The bytes were written by that revision (test/upgrade/make-states). */
#include "unit.h"

#include "values.h"

#include "leaves.h"

enum { LEAVES_MAX = 4000, LINE_MAX_BYTES = 1 << 20 };

typedef struct leaf {
    char *where, *name, *value;
} leaf;

/* A value of today. */
static struct {
    leaf at[LEAVES_MAX];
    size_t count;
} now;

static void keep(void *arg, const char *where, const char *name, const char *value)
{
    (void)arg;
    ck_assert_uint_lt(now.count, LEAVES_MAX);
    now.at[now.count++] = (leaf){strdup(where), strdup(name), strdup(value)};
}

static void forget(void)
{
    for (size_t i = 0; i < now.count; i++) {
        free(now.at[i].where);
        free(now.at[i].name);
        free(now.at[i].value);
    }
    now.count = 0;
}

static piw_msg *read_hex(const piw_protocol *protocol, const char *hex, piw_err *err)
{
    uint8_t *bytes = malloc(strlen(hex) / 2 + 1);
    size_t len = unit_from_hex(hex, bytes);
    piw_msg *msg = NULL;
    int ret = piw_record_read(protocol, bytes, len, &msg, err);
    ck_assert((ret == 0) == (msg != NULL));
    free(bytes);
    return msg;
}

/* `record PROTOCOL MESSAGE HEX`: its values are kept in `now`. */
static void read_record(const char *line)
{
    char protocol[64], name[64];
    int at = 0;
    piw_err err = {0};
    ck_assert_int_eq(sscanf(line, "record %63s %63s %n", protocol, name, &at), 2);
    const piw_protocol *known = protocol_named(protocol);
    ck_assert_msg(known != NULL, "the protocol %s has gone", protocol);
    piw_msg *msg = read_hex(known, line + at, &err);
    ck_assert_msg(msg != NULL, "%s: %s", name, err.text);
    ck_assert_str_eq(piw_msg_type_of(msg)->name, name);
    const leaves to = {.say = keep};
    forget();
    leaves_of(&to, "", "", piw_msg_type_of(msg)->body, 0, piw_msg_any_body(msg));
    piw_msg_free(&msg);
}

/* What was said of a part then is said of it now. It may have got another name, but no other part may have got its name. */
static void check_leaf(const char *record, char *line)
{
    const char *where = strtok(line, " "), *name = strtok(NULL, " "), *value = strtok(NULL, " ");
    ck_assert_ptr_nonnull(value);
    bool found = false;
    for (size_t i = 0; i < now.count; i++) {
        if (strcmp(now.at[i].where, where) != 0 && strcmp(now.at[i].name, name) != 0)
            continue;
        ck_assert_msg(strcmp(now.at[i].value, value) == 0, "%s: %s was %s, is %s", record, name, value,
                      now.at[i].value);
        found = found || strcmp(now.at[i].where, where) == 0;
    }
    ck_assert_msg(found, "%s: %s has gone", record, name);
}

START_TEST(what_40b4f6b_saved_is_read)
{
    FILE *file = fopen("test/golden/state-40b4f6b.txt", "r");
    ck_assert_msg(file != NULL, "test/golden isn't here: run from the top folder");
    char *line = malloc(LINE_MAX_BYTES), record[80] = "";
    size_t records = 0, parts = 0;
    while (fgets(line, LINE_MAX_BYTES, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "record ", 7) == 0) {
            read_record(line);
            snprintf(record, sizeof(record), "%.60s", line);
            records++;
        } else {
            check_leaf(record, line);
            parts++;
        }
    }
    ck_assert_uint_eq(records, 26);
    ck_assert_uint_gt(parts, 1000);
    forget();
    free(line);
    fclose(file);
}
END_TEST

/* The record of a message, with the hash of another form of its protocol. */
static void record_of_another_form(piw_msg *msg, piw_buffer *bytes)
{
    ck_assert_int_eq(piw_record_write(msg, bytes, NULL), 0);
    bytes->data[0] ^= 0xff;
}

START_TEST(a_record_of_another_form_is_checked_as_any)
{
    const piw_protocol *juggler = protocol_named("file_juggler");
    const piw_msg_type *type = piw_protocol_find(juggler, "staged_record", strlen("staged_record"), -1);
    ck_assert_ptr_nonnull(type);
    dice d = seeded("a_record_of_another_form_is_checked_as_any");
    d.optional = true;
    piw_msg *msg = piw_msg_new(type), *back = NULL;
    random_value(&d, msg, type->body, piw_msg_any_body(msg));
    piw_buffer bytes = {0};
    record_of_another_form(msg, &bytes);
    piw_err err = {0};
    ck_assert_msg(piw_record_read(juggler, bytes.data, bytes.len, &back, &err) == 0, "%s", err.text);
    ck_assert(equal(type->body, 0, piw_msg_any_body(msg), piw_msg_any_body(back)));
    piw_msg_free(&back);
    for (size_t len = 0; len < bytes.len; len++) {
        uint8_t *cut = malloc(len + 1); /* so that a sanitizer sees what is read beyond */
        memcpy(cut, bytes.data, len);
        ck_assert_int_ne(piw_record_read(juggler, cut, len, &back, NULL), 0);
        ck_assert_ptr_null(back);
        free(cut);
    }
    /* The error says that the form was another. */
    err = (piw_err){0};
    ck_assert_int_eq(piw_record_read(protocol_named("slave_driver"), bytes.data, bytes.len, &back, &err), PIW_ESHAPE);
    ck_assert_msg(strstr(err.text, "another form of slave_driver") != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, "staged_record is no message of slave_driver") != NULL, "%s", err.text);
    piw_buffer_fini(&bytes);
    piw_msg_free(&msg);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("saved");
    TCase *tcase = tcase_create("saved");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, what_40b4f6b_saved_is_read);
    tcase_add_test(tcase, a_record_of_another_form_is_checked_as_any);
    suite_add_tcase(suite, tcase);
    return suite;
}
