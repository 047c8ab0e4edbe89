/* Messages: arena, copies, blobs, errors; and the pool when one thread makes what another frees. */
#include "unit.h"

#include "bus/mailbox.h"
#include "test/echo.piw.h"
#include "test/every.piw.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static void setup(void)
{
    piw_protocol_use(&echo_protocol_def);
    piw_protocol_use(&every_protocol_def);
    piw_protocol_use(&every_service_protocol_def);
}

START_TEST(a_new_one_is_zero)
{
    for (int i = 0; i < 300; i++) {
        echo_STAND_reply *body;
        piw_msg *msg = echo_STAND_reply_new(&body);
        static const echo_STAND_reply zero;
        ck_assert_mem_eq(body, &zero, sizeof(zero));
        ck_assert_int_eq(piw_msg_error(msg), 0);
        ck_assert_str_eq(piw_msg_error_text(msg), "");
        ck_assert_ptr_eq(piw_msg_type_of(msg), echo_STAND_reply_type());
        memset(body, 0xff, sizeof(*body));
        memset(piw_msg_alloc(msg, 100), 0xff, 100);
        piw_msg_free(&msg);
        ck_assert_ptr_null(msg);
    }
}
END_TEST

static bool is_filled(const uint8_t *data, size_t size, uint8_t with)
{
    return size == 0 || (data[0] == with && memcmp(data, data + 1, size - 1) == 0);
}

START_TEST(the_arena_grows)
{
    piw_msg *msg = echo_NOTE_make(1);
    uint64_t before = piw__bus_bytes();
    uint8_t *pieces[2000];
    size_t sizes[2000];
    unsigned seed = 4711;
    for (unsigned i = 0; i < 2000; i++) {
        sizes[i] = (size_t)(rand_r(&seed) % (i % 100 == 0 ? 300000 : 700));
        pieces[i] = piw_msg_alloc(msg, sizes[i]);
        ck_assert_uint_eq((uintptr_t)pieces[i] % 16, 0);
        ck_assert(is_filled(pieces[i], sizes[i], 0));
        memset(pieces[i], (int)(i % 256), sizes[i]);
    }
    for (unsigned i = 0; i < 2000; i++)
        ck_assert(is_filled(pieces[i], sizes[i], (uint8_t)(i % 256)));
    ck_assert_uint_gt(piw__bus_bytes(), before + 1000000);
    piw_msg_free(&msg);
    ck_assert_uint_lt(piw__bus_bytes(), before);
}
END_TEST

START_TEST(texts_are_counted_and_ended)
{
    piw_msg *msg = echo_NOTE_make(1);
    piw_text text = piw_msg_text(msg, "abcdef", 3);
    ck_assert_str_eq(text.s, "abc");
    ck_assert_uint_eq(text.len, 3);
    ck_assert_ptr_null(piw_msg_textz(msg, NULL).s);
    ck_assert_str_eq(piw_msg_textz(msg, "").s, "");
    ck_assert(piw_text_is(piw_msg_printf(msg, "%s-%d", "x", 42), "x-42"));
    ck_assert_uint_eq(piw_msg_bytes(msg, "\0\1", 2).data[1], 1);
    piw_msg_free(&msg);
}
END_TEST

static void count_release(void *arg)
{
    (*(int *)arg)++;
}

/* Each in its turn, the first of a message and those beside it; what is left goes with the message. */
START_TEST(a_blob_can_be_dropped)
{
    enum { BLOBS = 20, SIZE = 5000 };
    static const char text[SIZE];
    uint64_t before = piw__bus_bytes();
    piw_msg *msg = echo_NOTE_make(1);
    piw_blob *fields[BLOBS];
    for (int i = 0; i < BLOBS; i++) {
        piw_blob *blob = piw_blob_new(text, sizeof(text));
        fields[i] = piw_msg_blob(msg, blob);
        piw_blob_unref(&blob);
    }
    for (int i = 0; i < BLOBS; i += 3) {
        uint64_t bytes = piw__bus_bytes();
        piw_msg_blob_drop(msg, &fields[i]);
        ck_assert_ptr_null(fields[i]);
        ck_assert_uint_eq(bytes - piw__bus_bytes(), SIZE);
    }
    piw_msg_blob_drop(msg, &fields[0]); /* nothing is there */
    piw_msg_free(&msg);
    ck_assert_uint_eq(piw__bus_bytes(), before);
}
END_TEST

/* What was received is the blob that it lies in, not a copy, and stays without its message; few bytes are copied. */
START_TEST(bytes_of_a_message_are_a_blob)
{
    static const char text[5000] = "received";
    uint64_t before = piw__bus_bytes();
    piw_msg *msg = echo_NOTE_make(1);
    piw_blob *received[3];
    for (size_t i = 0; i < PIW_COUNT(received); i++) {
        piw_blob *blob = piw_blob_new(text, sizeof(text) - i);
        received[i] = piw_msg_blob(msg, blob);
        piw_blob_unref(&blob);
    }
    for (size_t i = 0; i < PIW_COUNT(received); i++) {
        piw_blob *found =
            piw_msg_blob_of(msg, (piw_bytes){piw_blob_data(received[i]), (uint32_t)piw_blob_size(received[i])});
        ck_assert_ptr_eq(found, received[i]);
        piw_blob_unref(&found);
    }
    piw_blob *kept =
        piw_msg_blob_of(msg, (piw_bytes){piw_blob_data(received[2]), (uint32_t)piw_blob_size(received[2])});
    piw_blob *copy = piw_msg_blob_of(msg, (piw_bytes){piw_blob_data(received[0]), 8});
    piw_msg_free(&msg);
    ck_assert_uint_eq(piw_blob_size(kept), sizeof(text) - 2);
    ck_assert_mem_eq(piw_blob_data(kept), text, sizeof(text) - 2);
    ck_assert_uint_eq(piw_blob_size(copy), 8);
    ck_assert_mem_eq(piw_blob_data(copy), text, 8);
    piw_blob_unref(&kept);
    piw_blob_unref(&copy);
    ck_assert_uint_eq(piw__bus_bytes(), before);
}
END_TEST

START_TEST(blobs_are_shared)
{
    uint64_t before = piw__bus_bytes();
    char text[10000];
    memset(text, 'x', sizeof(text));
    piw_blob *blob = piw_blob_new(text, sizeof(text));
    ck_assert_uint_eq(piw__bus_bytes(), before + sizeof(text));
    piw_msg *msgs[3];
    for (int i = 0; i < 3; i++) {
        msgs[i] = echo_NOTE_make(i);
        for (int n = 0; n < 50; n++)
            piw__msg_own_blob(msgs[i], piw_blob_ref(blob));
    }
    char part[100];
    ck_assert_uint_eq(piw_blob_read(blob, sizeof(text) - 10, part, sizeof(part)), 10);
    ck_assert_uint_eq(piw_blob_read(blob, sizeof(text), part, sizeof(part)), 0);
    piw_blob_unref(&blob);
    for (int i = 0; i < 3; i++)
        piw_msg_free(&msgs[i]);
    ck_assert_uint_eq(piw__bus_bytes(), before);

    int released = 0;
    piw_owner *owner = piw_owner_new(&released, count_release);
    blob = piw__blob_over(text, 5000, owner);
    piw_owner_unref(&owner);
    ck_assert_int_eq(released, 0);
    ck_assert_uint_eq(piw_blob_size(blob), 5000);
    piw_blob_unref(&blob);
    ck_assert_int_eq(released, 1);
}
END_TEST

START_TEST(copies_are_deep)
{
    every_service_ASK *body;
    piw_msg *msg = every_service_ASK_new(&body);
    body->question = piw_msg_textz(msg, "what?");
    msg->trace = 77;
    piw_msg *copy = piw_msg_copy(msg);
    piw_msg_free(&msg);
    ck_assert(piw_text_is(every_service_ASK_of(copy)->question, "what?"));
    ck_assert_uint_eq(piw_msg_trace(copy), 77);
    piw_msg_free(&copy);
}
END_TEST

START_TEST(errors_are_answers)
{
    piw_msg *call = echo_ECHO_make(1, 2);
    piw_msg *answer = piw__msg_error_answer(call, PIW_ELIMIT, "too many");
    ck_assert_ptr_eq(piw_msg_type_of(answer), echo_ECHO_reply_type());
    ck_assert_int_eq(piw_msg_error(answer), PIW_ELIMIT);
    ck_assert_str_eq(piw_msg_error_text(answer), "too many");
    piw_msg_free(&answer);
    piw_msg_free(&call);
}
END_TEST

START_TEST(reading_another_type_aborts)
{
    piw_msg *msg = echo_NOTE_make(1);
    (void)*(const volatile int64_t *)&echo_ECHO_of(msg)->n;
    piw_msg_free(&msg);
}
END_TEST

/* --- The pool between two threads ------------------------------------------------------------------------------------ */

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { TRAVELS = 20000 };
#else
enum { TRAVELS = 400000 };
#endif

static piw__mailbox box;
static _Atomic int64_t freed;

/* Makes messages that another thread frees; not more than 1,000 ahead. */
static void *make_all(void *arg)
{
    for (int64_t n = 0; n < TRAVELS; n++) {
        while (n - atomic_load(&freed) > 1000)
            sched_yield();
        piw_msg *msg = echo_NOTE_make(n);
        if (n % 100 == 0)
            piw_msg_alloc(msg, 3000);
        piw__mailbox_push(&box, msg, msg, 1, NULL, NULL);
    }
    return arg;
}

/* What few messages have isn't cleared with the others. */
START_TEST(one_in_a_used_block_has_nothing_of_the_message_before)
{
    piw_msg *call = echo_ECHO_make(1, 2);
    for (int i = 0; i < 10; i++) {
        piw_msg *before = piw__msg_error_answer(call, PIW_ELIMIT, "too many");
        piw_blob *blob = piw_blob_new("x", 1);
        piw_msg_blob(before, blob);
        piw_msg_alloc(before, 100000);
        piw_msg_free(&before);

        piw_msg *after = echo_NOTE_make(i);
        ck_assert_int_eq(piw_msg_error(after), 0);
        ck_assert_uint_eq(piw_msg_peer(after), 0);
        piw_msg_blob(after, blob);
        ck_assert_int_eq(piw_msg_error(after), 0);
        ck_assert_str_eq(piw_msg_error_text(after), "");
        ck_assert_ptr_null(piw_malformed(after));
        piw_msg_alloc(after, 100000);
        piw_msg_free(&after);
        piw_blob_unref(&blob);
    }
    piw_msg_free(&call);
}
END_TEST

START_TEST(blocks_travel_between_threads)
{
    piw_err err = {0};
    ck_assert_int_eq(piw__mailbox_init(&box, &err), 0);
    uint64_t before = piw__bus_bytes();
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, make_all, NULL), 0);
    for (int64_t n = 0; n < TRAVELS;) {
        piw_msg *msg = piw__mailbox_take(&box, 0);
        if (msg == NULL)
            sched_yield();
        for (; msg != NULL; n++) {
            piw_msg *next = msg->next;
            ck_assert_int_eq(echo_NOTE_of(msg)->n, n);
            piw_msg_free(&msg);
            atomic_store(&freed, n + 1);
            msg = next;
        }
    }
    pthread_join(thread, NULL);
    ck_assert_uint_eq(piw__bus_bytes(), before);
    piw__mailbox_fini(&box);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("message");
    TCase *tc = tcase_create("message");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, a_new_one_is_zero);
    tcase_add_test(tc, the_arena_grows);
    tcase_add_test(tc, texts_are_counted_and_ended);
    tcase_add_test(tc, a_blob_can_be_dropped);
    tcase_add_test(tc, bytes_of_a_message_are_a_blob);
    tcase_add_test(tc, blobs_are_shared);
    tcase_add_test(tc, copies_are_deep);
    tcase_add_test(tc, errors_are_answers);
    tcase_add_test(tc, one_in_a_used_block_has_nothing_of_the_message_before);
    tcase_add_test(tc, blocks_travel_between_threads);
    /* An abort needs a process of its own. */
    if (getenv("CK_FORK") == NULL || strcmp(getenv("CK_FORK"), "no") != 0)
        tcase_add_test_raise_signal(tc, reading_another_type_aborts, 6);
    suite_add_tcase(suite, tc);
    return suite;
}
