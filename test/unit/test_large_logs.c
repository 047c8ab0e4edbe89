/* test_large_logs.c — what slave_driver keeps of a large log while it has others. */
#include "slave_driver/large_logs.c"

#include "piw/codec.h"
#include "type/message.h"
#include "unit.h"

enum { MIB = 1 << 20, LARGEST = 64 * MIB };

static driver self;
static driver_build builds[3];
static char *text; /* LARGEST bytes of "é": each byte is half of a character */

static void setup(void)
{
    piw_protocol_use(&slave_protocol_def);
    self = (driver){0};
    text = malloc(LARGEST);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < LARGEST; i += 2)
        memcpy(text + i, "é", 2);
}

static void teardown(void)
{
    for (size_t i = 0; i < PIW_COUNT(builds); i++)
        piw_msg_free(&builds[i].memory);
    memset(builds, 0, sizeof(builds));
    free(text);
}

static piw_msg *built(const char *log, size_t size)
{
    slave_BUILT *body;
    piw_msg *msg = slave_BUILT_new(&body);
    piw_blob *output = piw_blob_new(log, size);
    body->status = true;
    body->duration = piw_duration_from_us(7);
    body->output = piw_msg_blob(msg, output);
    piw_blob_unref(&output);
    piw_msg_list(msg, &body->files, 1);
    body->files.at[0].filename = piw_msg_textz(msg, "a.whl");
    return msg;
}

/* Another build that is being recorded. */
static void records(driver_build *build, size_t size)
{
    build->memory = built(text, size);
    build->report.output = slave_BUILT_of(build->memory)->output;
    build->next = self.builds;
    self.builds = build;
}

static char *read_log(const piw_msg *report, size_t *size)
{
    const piw_blob *output = slave_BUILT_of(report)->output;
    char *log = malloc(piw_blob_size(output) + 1);
    ck_assert_ptr_nonnull(log);
    *size = piw_blob_read(output, 0, log, piw_blob_size(output));
    log[*size] = '\0';
    return log;
}

static size_t kept(const char *log, size_t size)
{
    piw_msg *said = built(log, size);
    uint64_t before = piw__bus_bytes();
    driver_log_bound(&self, said);
    size_t bytes = piw_blob_size(slave_BUILT_of(said)->output);
    ck_assert_uint_eq(before - piw__bus_bytes(), size - bytes); /* nothing else holds it */
    piw_msg_free(&said);
    return bytes;
}

START_TEST(two_of_the_largest_are_kept_whole)
{
    ck_assert_uint_eq(kept(text, LARGEST), LARGEST);
    records(&builds[0], LARGEST);
    ck_assert_uint_eq(kept(text, LARGEST), LARGEST);
    records(&builds[1], LARGEST);
    ck_assert_uint_lt(kept(text, LARGEST), 5 * MIB);
    ck_assert_uint_eq(kept(text, 4 * MIB), 4 * MIB);
}
END_TEST

START_TEST(the_rest_of_what_is_said_stays)
{
    records(&builds[0], LARGEST);
    records(&builds[1], LARGEST);
    size_t size;
    text[0] = '1'; /* now a character begins at each odd byte: where it is cut there is half of one */
    for (size_t i = 1; i + 2 < LARGEST; i += 2)
        memcpy(text + i, "é", 2);
    memcpy(text + LARGEST - 5, "\nEND\n", 5);
    piw_msg *report = built(text, LARGEST);
    driver_log_bound(&self, report);
    const slave_BUILT *body = slave_BUILT_of(report);
    ck_assert(body->status);
    ck_assert_int_eq(piw_duration_us(body->duration), 7);
    ck_assert_uint_eq(body->files.count, 1);
    ck_assert_str_eq(body->files.at[0].filename.s, "a.whl");
    char *log = read_log(report, &size);
    ck_assert_uint_eq(piw_utf8_valid(log, size), size);
    ck_assert_mem_eq(log, text, MIB - 1);
    char *note = strstr(log, "\n["), *after = strstr(log, "keeps]\n");
    size_t left_out;
    ck_assert(note != NULL && after != NULL);
    ck_assert_int_eq(sscanf(note, "\n[%zu bytes are left out here", &left_out), 1);
    after += strlen("keeps]\n");
    ck_assert_uint_eq((size_t)(note - log) + left_out + strlen(after), LARGEST);
    ck_assert_str_eq(log + size - 5, "\nEND\n");
    free(log);
    piw_msg_free(&report);
}
END_TEST

START_TEST(small_ones_count_for_nothing)
{
    for (size_t i = 0; i < PIW_COUNT(builds); i++)
        records(&builds[i], PIW_LIMIT_LARGE_JOB);
    ck_assert_uint_eq(kept(text, LARGEST), LARGEST);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("large_logs");
    TCase *tests = tcase_create("reports");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, two_of_the_largest_are_kept_whole);
    tcase_add_test(tests, the_rest_of_what_is_said_stays);
    tcase_add_test(tests, small_ones_count_for_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}
