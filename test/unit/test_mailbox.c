/* The mailbox under threads: nothing lost, nothing doubled, order of each sender kept, sleepers woken, senders muted. */
#include "unit.h"

#include "bus/mailbox.h"
#include "test/echo.piw.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { MESSAGES = 20000 };
#else
enum { MESSAGES = 300000 };
#endif
enum { SENDERS = 4, WAIT_MS = 30000 };

static piw__mailbox box, sender_box;

static void setup(void)
{
    piw_err err = {0};
    piw_protocol_use(&echo_protocol_def);
    ck_assert_int_eq(piw__mailbox_init(&box, &err), 0);
    ck_assert_int_eq(piw__mailbox_init(&sender_box, &err), 0);
}

static void teardown(void)
{
    piw__mailbox_fini(&box);
    piw__mailbox_fini(&sender_box);
}

static void push(int64_t n)
{
    piw_msg *msg = echo_NOTE_make(n);
    ck_assert_int_eq(piw__mailbox_push(&box, msg, msg, 1, NULL, NULL), 0);
}

static unsigned drain(int64_t *first)
{
    unsigned count = 0;
    for (piw_msg *msg = piw__mailbox_take(&box, 0); msg != NULL;) {
        piw_msg *next = msg->next;
        if (count++ == 0 && first != NULL)
            *first = echo_NOTE_of(msg)->n;
        piw_msg_free(&msg);
        msg = next;
    }
    return count;
}

START_TEST(takes_all_at_once)
{
    ck_assert_ptr_null(piw__mailbox_take(&box, 0));
    for (int i = 0; i < 10; i++)
        push(i);
    ck_assert_uint_eq(piw__mailbox_depth(&box), 10);
    int64_t first = -1;
    ck_assert_uint_eq(drain(&first), 10);
    ck_assert_int_eq(first, 0);
    ck_assert_uint_eq(piw__mailbox_depth(&box), 0);
}
END_TEST

static bool is_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

START_TEST(wakes_only_a_sleeper)
{
    push(1);
    ck_assert(!is_readable(box.wake_fd));
    ck_assert(!piw__mailbox_sleep(&box));
    drain(NULL);
    ck_assert(piw__mailbox_sleep(&box));
    push(2);
    ck_assert(is_readable(box.wake_fd));
    push(3);
    piw__mailbox_awake(&box);
    ck_assert(!is_readable(box.wake_fd));
    ck_assert_uint_eq(drain(NULL), 2);
    piw__mailbox_nudge(&box);
    ck_assert(is_readable(box.wake_fd));
}
END_TEST

START_TEST(mutes_senders_between_the_marks)
{
    bool muted = false;
    for (int i = 0; i < PIW_LIMIT_MAILBOX_HIGH; i++)
        push(i);
    piw_msg *msg = echo_NOTE_make(0);
    ck_assert_int_eq(piw__mailbox_push(&box, msg, msg, 1, &sender_box, &muted), 0);
    ck_assert(muted);
    /* Taken, but kept back by the owner: the sender still waits. */
    ck_assert_uint_eq(drain(NULL), PIW_LIMIT_MAILBOX_HIGH + 1);
    ck_assert(!is_readable(sender_box.wake_fd));
    ck_assert_ptr_null(piw__mailbox_take(&box, PIW_LIMIT_MAILBOX_LOW + 1));
    ck_assert(!is_readable(sender_box.wake_fd));
    ck_assert_ptr_null(piw__mailbox_take(&box, PIW_LIMIT_MAILBOX_LOW));
    ck_assert(is_readable(sender_box.wake_fd));
}
END_TEST

START_TEST(takes_nothing_when_closed)
{
    push(1);
    piw__mailbox_close(&box);
    piw_msg *msg = echo_NOTE_make(2);
    ck_assert_int_eq(piw__mailbox_push(&box, msg, msg, 1, NULL, NULL), PIW_ESTOPPED);
    piw_msg_free(&msg);
    ck_assert_uint_eq(drain(NULL), 1);
}
END_TEST

/* A number says who sent it and as which. Chains of 1 to 7 messages. */
static void *send_all(void *arg)
{
    int64_t who = (intptr_t)arg;
    for (int64_t n = 0; n < MESSAGES;) {
        piw_msg *first = NULL, *last = NULL;
        uint32_t count = 0;
        for (; count < 1 + (uint32_t)n % 7 && n < MESSAGES; n++, count++) {
            piw_msg *msg = echo_NOTE_make(who * 100000000 + n);
            if (last != NULL)
                last->next = msg;
            else
                first = msg;
            last = msg;
        }
        if (piw__mailbox_push(&box, first, last, count, NULL, NULL) != 0)
            return NULL;
    }
    return arg;
}

static bool wait_for_more(void)
{
    if (!piw__mailbox_sleep(&box))
        return true;
    struct pollfd fd = {.fd = box.wake_fd, .events = POLLIN};
    bool woken = poll(&fd, 1, WAIT_MS) == 1;
    piw__mailbox_awake(&box);
    return woken;
}

START_TEST(many_senders_one_owner)
{
    pthread_t threads[SENDERS];
    int64_t next[SENDERS + 1] = {0}, left = (int64_t)SENDERS * MESSAGES;
    for (intptr_t i = 1; i <= SENDERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i - 1], NULL, send_all, (void *)i), 0);
    while (left > 0) {
        piw_msg *msg = piw__mailbox_take(&box, 0);
        if (msg == NULL)
            ck_assert_msg(wait_for_more(), "%lld messages never came", (long long)left);
        for (; msg != NULL; left--) {
            piw_msg *after = msg->next;
            int64_t n = echo_NOTE_of(msg)->n;
            ck_assert_int_eq(n % 100000000, next[n / 100000000]++);
            piw_msg_free(&msg);
            msg = after;
        }
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_ptr_null(piw__mailbox_take(&box, 0));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("mailbox");
    TCase *tc = tcase_create("mailbox");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, takes_all_at_once);
    tcase_add_test(tc, wakes_only_a_sleeper);
    tcase_add_test(tc, mutes_senders_between_the_marks);
    tcase_add_test(tc, takes_nothing_when_closed);
    tcase_add_test(tc, many_senders_one_owner);
    suite_add_tcase(suite, tc);
    return suite;
}
