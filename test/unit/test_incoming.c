/* What one connection may have of an unfinished message, followed frame by frame in whatever pieces it comes. */
#include "port/incoming.h"

#include "piw/limits.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 64 << 10, FRAME_BYTES = 1 << 20 };

static int ours, theirs;
static uint8_t piece[PIECE];

static void setup(void)
{
    int pair[2];
    struct rlimit files = {4096, 4096};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    piw__incoming_watch(4096);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ours = pair[0];
    theirs = pair[1];
    piw__incoming_begin(ours);
}

static void teardown(void)
{
    ck_assert_int_eq(piw_incoming_close(ours), 0);
    close(theirs);
}

/* False when the connection was ended. It is read in pieces of so many bytes. */
static bool goes_through(const void *data, size_t len, size_t pieces)
{
    ck_assert_int_eq(send(theirs, data, len, MSG_NOSIGNAL), (ssize_t)len);
    uint8_t buffer[PIECE];
    for (size_t got = 0; got < len;) {
        ssize_t n = piw_incoming_recv(ours, buffer, pieces < len - got ? pieces : len - got, 0);
        if (n < 0) {
            ck_assert_int_eq(errno, ECONNRESET);
            return false;
        }
        got += (size_t)n;
    }
    return true;
}

static bool greets(uint8_t version)
{
    uint8_t greeting[64] = {0xff, [9] = 0x7f, [10] = version};
    return goes_through(greeting, sizeof(greeting), 7);
}

static bool frame(uint8_t flags, uint32_t len)
{
    uint8_t head[9] = {flags, (uint8_t)len};
    if (flags & 2)
        for (int i = 0; i < 8; i++)
            head[1 + i] = i < 4 ? 0 : (uint8_t)(len >> (7 - i) * 8);
    bool good = goes_through(head, flags & 2 ? 9 : 2, 1);
    for (uint32_t at = 0; good && at < len; at += PIECE)
        good = goes_through(piece, len - at < PIECE ? len - at : PIECE, PIECE);
    return good;
}

START_TEST(whole_messages_go_through_without_end)
{
    ck_assert(greets(3));
    ck_assert(frame(4, 30)); /* READY */
    for (int i = 0; i < 3; i++) {
        ck_assert(frame(1, 0)); /* REQ's empty frame */
        ck_assert(frame(2, 64 << 20));
    }
    for (int i = 0; i < 3 * PIW_LIMIT_FRAMES; i++)
        ck_assert(frame((uint8_t)(i % 2), i % 200));
}
END_TEST

START_TEST(a_message_without_an_end_is_ended)
{
    ck_assert(greets(3));
    int frames = 0;
    while (frame(3, FRAME_BYTES)) {
        ck_assert(frame(4, 7)); /* heartbeats in between change nothing */
        ck_assert_int_lt(++frames, 100);
    }
    ck_assert_int_eq(frames, PIW_LIMIT_UNFINISHED / FRAME_BYTES);
    /* What is ended takes no part any more: the next of this descriptor begins anew. */
    piw__incoming_begin(ours);
    ck_assert(greets(3) && frame(3, FRAME_BYTES));
}
END_TEST

/* Others than libzmq's peers come to the program too, such as browsers to a task's own web server. */
START_TEST(what_is_no_greeting_is_not_followed)
{
    /* Read as frames each 'a' says that more follow, and the next one that this one has 97 bytes. */
    enum { HEAD = 4096, FRAME = 2 + 'a' };
    static char head[HEAD] = "GET /";
    memset(head + strlen(head), 'a', sizeof(head) - strlen(head));
    for (size_t sent = 0; sent < (size_t)2 * FRAME * PIW_LIMIT_FRAMES; sent += sizeof(head)) {
        char got[HEAD];
        ck_assert_int_eq(send(theirs, head, sizeof(head), 0), sizeof(head));
        ck_assert_int_eq(piw_incoming_recv(ours, got, sizeof(got), 0), sizeof(got));
        memset(head, 'a', sizeof(head));
    }
}
END_TEST

START_TEST(so_is_one_of_tiny_frames)
{
    ck_assert(greets(3));
    int frames = 0;
    while (frame(1, 0))
        ck_assert_int_lt(++frames, 2 * PIW_LIMIT_FRAMES);
    ck_assert_int_eq(frames, PIW_LIMIT_FRAMES);
}
END_TEST

/* Each is below its bound; together they are not: then who has a large one is ended, and small ones go through. */
START_TEST(all_together_are_bounded)
{
    enum { MANY = 20 };
    int others[MANY][2];
    int own[] = {ours, theirs}, ended = 0;
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, others[i]), 0);
        ours = others[i][0];
        theirs = others[i][1];
        piw__incoming_begin(ours);
        ck_assert(greets(3));
        ended += !frame(3, 60 << 20);
    }
    ck_assert_int_eq(ended, MANY - PIW_LIMIT_UNFINISHED_ALL / (60 << 20));
    ours = own[0];
    theirs = own[1];
    ck_assert(greets(3) && frame(3, 1000) && frame(0, 10));
    for (int i = 0; i < MANY; i++) {
        piw_incoming_close(others[i][0]);
        close(others[i][1]);
    }
    ck_assert(frame(3, 60 << 20));
}
END_TEST

/* What has shaken hands stays, however many come afterwards; what hasn't makes room. */
START_TEST(who_never_shakes_hands_makes_room)
{
    int silent[2], others[PIW_LIMIT_HALF_OPEN][2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, silent), 0);
    ck_assert(greets(3) && frame(4, 30));
    piw__incoming_begin(silent[0]);
    for (int i = 0; i < PIW_LIMIT_HALF_OPEN; i++) {
        ck_assert_int_eq(recv(silent[1], piece, 1, MSG_DONTWAIT), -1);
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, others[i]), 0);
        piw__incoming_begin(others[i][0]);
    }
    ck_assert_int_eq(recv(silent[1], piece, 1, MSG_DONTWAIT), 0);
    ck_assert(frame(1, 10));
    /* A descriptor that is another's by now is left alone. */
    piw_incoming_close(others[0][0]);
    close(others[0][1]);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, others[0]), 0);
    piw__incoming_begin(silent[0]);
    ck_assert_int_eq(recv(others[0][1], piece, 1, MSG_DONTWAIT), -1);
    ck_assert(frame(0, 10));
}
END_TEST

/* Of older versions, which libzmq lets in only where nobody is asked, and of files and pipes nothing is followed. */
START_TEST(what_is_not_known_is_not_followed)
{
    ck_assert(greets(1));
    for (int i = 0; i < 2 * PIW_LIMIT_FRAMES; i++)
        ck_assert(frame(1, 0));
    ck_assert_int_eq(piw_incoming_recv(-1, piece, 1, 0), -1);
    ck_assert_int_eq(errno, EBADF);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("incoming");
    TCase *tests = tcase_create("incoming");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, whole_messages_go_through_without_end);
    tcase_add_test(tests, a_message_without_an_end_is_ended);
    tcase_add_test(tests, what_is_no_greeting_is_not_followed);
    tcase_add_test(tests, so_is_one_of_tiny_frames);
    tcase_add_test(tests, all_together_are_bounded);
    tcase_add_test(tests, who_never_shakes_hands_makes_room);
    tcase_add_test(tests, what_is_not_known_is_not_followed);
    suite_add_tcase(suite, tests);
    return suite;
}
