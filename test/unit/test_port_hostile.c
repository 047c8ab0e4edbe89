/* Peers that break the rules: they are refused one by one, and the others notice nothing. */
#include "port/networks.h"
#include "port_side.h"
#include "zmtp.h"

#include <cjson/cJSON.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char anywhere[] = "tcp://127.0.0.1:*";
static const char cbor_sent[] = "\x64SENT", cbor_done[] = "\x64"
                                                          "DONE";
static const char pack_sent[] = "\xa4SENT", pack_done[] = "\xa4"
                                                          "DONE";

static int connect_as(const piw__port *port, const char *kind, const char *routing)
{
    int fd = zmtp_connect(piw__port_endpoint(port), kind, routing);
    ck_assert_int_ge(fd, 0);
    return fd;
}

/* One proper request and its answer, in CBOR. */
static void assert_served(piw__port *port, int fd)
{
    uint8_t answer[64];
    ck_assert(zmtp_request(fd, cbor_sent, 5));
    piw_msg *got = side_get(port), *done = slave_DONE_new();
    ck_assert_ptr_eq(got->type, slave_SENT_type());
    ck_assert_int_eq(piw__port_answer(port, piw_msg_peer(got), &done), 0);
    ck_assert_int_eq(zmtp_answer(fd, answer, sizeof(answer)), 5);
    ck_assert_int_eq(memcmp(answer, cbor_done, 5), 0);
    piw_msg_free(&got);
}

START_TEST(wrong_frame_counts_are_refused)
{
    piw__port *port = side_port(&slave_protocol_def, anywhere);
    int fd = connect_as(port, "DEALER", NULL);
    ck_assert(zmtp_frame(fd, false, cbor_sent, 5)); /* no delimiter */
    ck_assert(zmtp_frame(fd, false, "", 0));        /* nothing */
    ck_assert(zmtp_frame(fd, true, "", 0) && zmtp_frame(fd, true, cbor_sent, 5) && zmtp_frame(fd, false, "", 0));
    ck_assert(zmtp_frame(fd, true, "", 0) && zmtp_frame(fd, true, "", 0) && zmtp_frame(fd, false, cbor_sent, 5));
    ck_assert(zmtp_frame(fd, true, "x", 1) && zmtp_frame(fd, false, cbor_sent, 5));
    side_await_refused(port, 5);
    for (int i = 0; i < 20000; i++)
        ck_assert(zmtp_frame(fd, i < 19999, "y", 1));
    side_await_refused(port, 6);
    assert_served(port, fd);
    ck_assert_uint_eq(piw__port_figures(port).refused, 6);
    close(fd);
    piw__port_close(&port);
}
END_TEST

/* A message of very many frames is read away within the budget of each turn. */
START_TEST(endless_message_takes_no_more_than_the_budget)
{
    enum { FRAMES = 5000, BUDGET = 100 };
    piw__port *port = side_port(&slave_protocol_def, anywhere);
    int fd = connect_as(port, "DEALER", NULL), other = connect_as(port, "REQ", NULL);
    for (int i = 0; i < FRAMES; i++)
        ck_assert(zmtp_frame(fd, i < FRAMES - 1, "y", 1));
    unsigned turns = 0;
    int64_t until = piw_monotonic_ns() + SOON_MS * 1000000ll;
    while (piw__port_figures(port).refused == 0) {
        ck_assert_int_lt(piw_monotonic_ns(), until);
        unsigned budget = 1;
        piw_msg *msg = NULL;
        ck_assert_int_eq(piw__port_read(port, &budget, &msg), PIW_EAGAIN);
        struct pollfd wait = {.fd = piw__port_fd(port), .events = POLLIN};
        if (budget > 0)
            poll(&wait, 1, 100);
    }
    ck_assert(zmtp_request(other, cbor_sent, 5));
    piw_msg *msg = NULL;
    for (bool got = false; !got;) {
        unsigned budget = BUDGET;
        ck_assert_int_lt(piw_monotonic_ns(), until);
        got = piw__port_read(port, &budget, &msg) == 0;
        ck_assert_uint_le(budget, BUDGET);
        turns += budget == 0;
    }
    ck_assert_uint_ge(turns, FRAMES / BUDGET - 1);
    piw_msg_free(&msg);
    close(fd);
    close(other);
    piw__port_close(&port);
}
END_TEST

START_TEST(random_bytes_are_refused)
{
    piw__port *port = side_port(&slave_protocol_def, anywhere);
    int fd = connect_as(port, "REQ", NULL), other = connect_as(port, "REQ", NULL);
    unsigned seed = 20240229, accepted = 0;
    static const uint8_t starts[][8] = {
        {1, 0x82}, {1, 0x92}, {6, 0x82, 0x65, 'B', 'U', 'I', 'L'}, {3, 0xd9, 0xd9, 0xf7}};
    for (unsigned i = 0; i < 3000; i++) {
        uint8_t bytes[96];
        size_t len = (size_t)rand_r(&seed) % sizeof(bytes);
        for (size_t j = 0; j < len; j++)
            bytes[j] = (uint8_t)rand_r(&seed);
        const uint8_t *start = starts[i % 4];
        if (len > start[0] && i % 3 != 0)
            memcpy(bytes, start + 1, start[0]);
        ck_assert(zmtp_request(fd, bytes, len));
        /* Each is either refused or, by chance, a message: then the peer must be let go. */
        while (piw__port_figures(port).refused + accepted <= i) {
            unsigned budget = 10;
            piw_msg *msg = NULL;
            struct pollfd wait = {.fd = piw__port_fd(port), .events = POLLIN};
            if (piw__port_read(port, &budget, &msg) == 0) {
                accepted++;
                piw__port_release(port, piw_msg_peer(msg));
                piw_msg_free(&msg);
            } else if (piw__port_figures(port).refused + accepted <= i) {
                ck_assert_int_ge(poll(&wait, 1, SOON_MS), 1);
            }
        }
    }
    assert_served(port, other);
    assert_served(port, fd);
    close(fd);
    close(other);
    piw__port_close(&port);
}
END_TEST

START_TEST(second_request_is_dropped_and_counted)
{
    piw__port *port = side_port(&slave_protocol_def, anywhere);
    int fd = connect_as(port, "DEALER", NULL);
    uint8_t answer[64];
    ck_assert(zmtp_request(fd, cbor_sent, 5) && zmtp_request(fd, cbor_sent, 5));
    piw_msg *got = side_get(port), *done = slave_DONE_new();
    side_await_refused(port, 1);
    ck_assert_uint_eq(piw__port_figures(port).second_requests, 1);
    ck_assert_int_eq(piw__port_answer(port, piw_msg_peer(got), &done), 0);
    piw_msg_free(&got);
    ck_assert_int_eq(zmtp_answer(fd, answer, sizeof(answer)), 5);
    assert_served(port, fd); /* one answer for the first, none for the second */
    ck_assert_uint_eq(piw__port_figures(port).dead_letters, 0);
    close(fd);
    piw__port_close(&port);
}
END_TEST

START_TEST(answers_go_in_the_codec_of_the_request)
{
    piw__port *port = side_port(&slave_protocol_def, anywhere);
    int fd = connect_as(port, "REQ", NULL);
    for (int i = 0; i < 4; i++) {
        uint8_t answer[64];
        ck_assert(zmtp_request(fd, i % 2 ? cbor_sent : pack_sent, 5));
        piw_msg *got = side_get(port), *done = slave_DONE_new();
        ck_assert_uint_eq(got->codec, i % 2 ? PIW_CBOR : PIW_MSGPACK);
        ck_assert_int_eq(piw__port_answer(port, piw_msg_peer(got), &done), 0);
        ck_assert_int_eq(zmtp_answer(fd, answer, sizeof(answer)), 5);
        ck_assert_int_eq(memcmp(answer, i % 2 ? cbor_done : pack_done, 5), 0);
        piw_msg_free(&got);
    }
    close(fd);
    piw__port_close(&port);
}
END_TEST

static void assert_malformed(piw__port *port, int fd, const char *bytes, size_t len, const char *answer)
{
    uint8_t back[64];
    ck_assert(zmtp_request(fd, bytes, len));
    piw_msg *got = side_get(port);
    ck_assert_ptr_eq(got->type, slave_BUILT_type());
    ck_assert_ptr_nonnull(piw_malformed(got));
    ck_assert_uint_gt(strlen(piw_malformed(got)), 5);
    ck_assert_ptr_null(slave_BUILT_of(got)->output);
    ck_assert_uint_eq(slave_BUILT_of(got)->files.count, 0);
    ck_assert(got->flags & PIW__REQUEST);
    piw_msg *done = piw__port_fallback(got->type, PIW_ESHAPE, piw_malformed(got));
    ck_assert_int_eq(piw__port_answer(port, piw_msg_peer(got), &done), 0);
    ck_assert_int_eq(zmtp_answer(fd, back, sizeof(back)), 5);
    ck_assert_int_eq(memcmp(back, answer, 5), 0);
    piw_msg_free(&got);
}

START_TEST(built_of_wrong_shape_is_handed_on_as_malformed)
{
    piw__port *port = side_port(&slave_protocol_def, anywhere);
    int fd = connect_as(port, "REQ", NULL);
    static const char cbor[] = "\x82\x65"
                               "BUILT\x82\x01\x02";
    static const char pack[] = "\x92\xa5"
                               "BUILT\x92\x01\x02";
    assert_malformed(port, fd, cbor, 10, cbor_done);
    assert_malformed(port, fd, pack, 10, pack_done);
    /* Others are not: HELLO of wrong shape has no answer, and the peer may speak again. */
    ck_assert(zmtp_request(fd, "\x82\x65HELLO\x82\x01\x02", 10));
    side_await_refused(port, 1);
    assert_served(port, fd);
    close(fd);
    piw__port_close(&port);
}
END_TEST

static void assert_cut_off(piw_protocol_def *def, const char *kind, uint64_t len)
{
    piw__port *port = side_port(def, anywhere);
    int fd = connect_as(port, kind, NULL);
    ck_assert(zmtp_head(fd, 0, len));
    ck_assert_msg(zmtp_closed(fd), "%llu bytes for %s", (unsigned long long)len, def->interned->name);
    close(fd);
    piw__port_close(&port);
}

START_TEST(oversize_frames_end_the_connection)
{
    assert_cut_off(&slave_protocol_def, "REQ", (64u << 20) + 1024);
    assert_cut_off(&slave_protocol_def, "REQ", 1ull << 62);
    assert_cut_off(&import_protocol_def, "REQ", (64u << 20) + 1024);
    assert_cut_off(&file_protocol_def, "DEALER", (2u << 20) + 1024);
    assert_cut_off(&control_protocol_def, "PUSH", (1u << 20) + 1024);
    assert_cut_off(&log_protocol_def, "PUSH", (1u << 20) + 1024);
}
END_TEST

/* Routing ids may be chosen: another address that takes a peer's id gets nothing of it. */
START_TEST(routing_id_from_another_address_is_refused)
{
    piw__port *port = side_port(&slave_protocol_def, anywhere);
    int fd = connect_as(port, "REQ", "chosen");
    ck_assert(zmtp_request(fd, cbor_sent, 5));
    piw_msg *got = side_get(port), *record = slave_DONE_new();
    piw_peer peer = piw_msg_peer(got);
    piw_msg_free(&got);
    piw__port_peer_set(port, peer, &record);
    piw__port_release(port, peer);
    close(fd);
    /* Until libzmq has let the first connection go, a second of the same id is not even heard. */
    zmtp_from = "127.0.0.2";
    int64_t until = piw_monotonic_ns() + SOON_MS * 1000000ll;
    while (piw__port_figures(port).refused == 0) {
        ck_assert_int_lt(piw_monotonic_ns(), until);
        fd = connect_as(port, "REQ", "chosen");
        ck_assert(zmtp_request(fd, cbor_sent, 5));
        ck_assert_ptr_null(side_wait(port, 20));
        close(fd);
    }
    zmtp_from = NULL;
    ck_assert_ptr_nonnull(piw__port_peer_get(port, peer));
    piw__port_close(&port);
}
END_TEST

START_TEST(file_frames_are_strict)
{
    piw__port *port = side_port(&file_protocol_def, anywhere);
    int fd = connect_as(port, "DEALER", NULL);
    static const char *const ids[] = {
        "", "12x", "-1", "+1", " 1", "1 ", "0x1", "1.0", "99999999999999999999", "9223372036854775808", "\xd9\xa1"};
    uint64_t refused = 0;
    for (size_t i = 0; i < PIW_COUNT(ids); i++, refused++)
        ck_assert(zmtp_frame(fd, true, "HELLO", 5) && zmtp_frame(fd, false, ids[i], strlen(ids[i])));
    ck_assert(zmtp_frame(fd, true, "HELLO", 5) && zmtp_frame(fd, false, "1\0", 2) && ++refused);
    ck_assert(zmtp_frame(fd, true, "HELL", 4) && zmtp_frame(fd, false, "1", 1) && ++refused);
    ck_assert(zmtp_frame(fd, true, "hello", 5) && zmtp_frame(fd, false, "1", 1) && ++refused);
    ck_assert(zmtp_frame(fd, true, "FETCH", 5) && zmtp_frame(fd, true, "1", 1) && zmtp_frame(fd, false, "1", 1) &&
              ++refused);
    ck_assert(zmtp_frame(fd, true, "", 0) && zmtp_frame(fd, true, "HELLO", 5) && zmtp_frame(fd, false, "1", 1) &&
              ++refused);
    ck_assert(zmtp_frame(fd, false, "HELLO", 5) && ++refused);
    ck_assert(zmtp_frame(fd, true, "HELLO", 5) && zmtp_frame(fd, true, "1", 1) && zmtp_frame(fd, true, "t", 1) &&
              zmtp_frame(fd, false, "1", 1) && ++refused);
    char token[66] = "\xff";
    for (size_t len = 1; len <= 65;
         len += 64, memset(token, 'x', sizeof(token)), refused++) /* a third that isn't text, or too long */
        ck_assert(zmtp_frame(fd, true, "HELLO", 5) && zmtp_frame(fd, true, "1", 1) &&
                  zmtp_frame(fd, false, token, len));
    ck_assert(zmtp_frame(fd, true, "CHUNK", 5) && zmtp_frame(fd, false, "1", 1) && ++refused);
    ck_assert(zmtp_frame(fd, false, "", 0) && ++refused);
    for (int i = 0; i < 40; i++)
        ck_assert(zmtp_frame(fd, i < 39, "HELLO", 5));
    side_await_refused(port, ++refused);
    ck_assert(zmtp_frame(fd, true, "HELLO", 5) && zmtp_frame(fd, false, "9223372036854775807", 19));
    piw_msg *got = side_get(port);
    ck_assert_int_eq(file_HELLO_of(got)->slave_id, INT64_MAX);
    ck_assert_ptr_null(file_HELLO_of(got)->token.s);
    piw_msg_free(&got);
    ck_assert(zmtp_frame(fd, true, "HELLO", 5) && zmtp_frame(fd, true, "1", 1) && zmtp_frame(fd, false, token, 64));
    got = side_get(port);
    ck_assert_uint_eq(file_HELLO_of(got)->token.len, 64);
    piw_msg_free(&got);
    static uint8_t large[1048577];
    ck_assert(zmtp_frame(fd, true, "CHUNK", 5) && zmtp_frame(fd, true, "0", 1) &&
              zmtp_frame(fd, false, large, sizeof(large)));
    side_await_refused(port, ++refused); /* a byte beyond the field, within the frame's slack */
    ck_assert_uint_eq(piw__port_figures(port).refused, refused);
    close(fd);
    piw__port_close(&port);
}
END_TEST

START_TEST(pushed_multipart_is_refused)
{
    piw__port *port = side_port(&control_protocol_def, side_ipc("control"));
    int fd = connect_as(port, "PUSH", NULL);
    ck_assert(zmtp_frame(fd, true, "\x65HELLO", 6) && zmtp_frame(fd, false, "\x65HELLO", 6));
    for (int i = 0; i < 1000; i++)
        ck_assert(zmtp_frame(fd, i < 999, "\x65HELLO", 6));
    side_await_refused(port, 2);
    ck_assert(zmtp_frame(fd, false, "\x65HELLO", 6));
    piw_msg *got = side_get(port);
    ck_assert_ptr_eq(got->type, control_HELLO_type());
    piw_msg_free(&got);
    close(fd);
    piw__port_close(&port);
}
END_TEST

/* Even when its file lets others in, a private socket serves its own user and root alone. */
START_TEST(private_socket_serves_its_own_user)
{
    if (geteuid() != 0) {
        printf("skip port_private_socket - only root can become another user\n");
        return;
    }
    piw_err err = {0};
    piw__port *port = NULL;
    piw_protocol declared = *import_protocol_def.interned;
    declared.queue_flags = PIW_Q_PRIVATE;
    piw__port_settings settings = {.name = "admin", .address = side_ipc("admin"), .protocol = &declared};
    ck_assert_msg(piw__port_open(&port, &settings, &err) == 0, "%s", err.text);
    ck_assert_int_eq(chmod(side_dir, 0755), 0);
    ck_assert_int_eq(chmod(settings.address + 6, 0666), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = setuid(65534) == 0 ? zmtp_connect(settings.address, "REQ", NULL) : -1;
        _exit(fd >= 0 && zmtp_request(fd, cbor_sent, 5) && zmtp_closed(fd) ? 0 : 1);
    }
    side_await_refused(port, 1);
    piw__port_close(&port);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* --- What clients sent to the stock master ---------------------------------------------------------------------- */

static bool replay_frames(int fd, const cJSON *frames)
{
    const cJSON *frame;
    cJSON_ArrayForEach(frame, frames)
    {
        uint8_t bytes[65536] = {0};
        size_t len = sizeof(bytes);
        if (cJSON_IsString(frame) && strlen(frame->valuestring) <= 2 * sizeof(bytes))
            len = unit_from_hex(frame->valuestring, bytes);
        if (!zmtp_frame(fd, frame->next != NULL, bytes, len))
            return false;
    }
    return true;
}

/* Feed one queue's client side; returns how many messages it had, and how many of them got through. */
static unsigned replay(const char *name, const char *queue, piw_protocol_def *def, unsigned *accepted)
{
    const char *folder = getenv("PIW_VECTORS");
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder != NULL ? folder : "../shared/vectors", name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        printf("skip port_vectors_%s - %s is not there\n", queue, path);
        return 0;
    }
    bool router = def->interned->queue == PIW_Q_ROUTER;
    piw__port *port = side_port(def, anywhere);
    int peers[100] = {0};
    unsigned sent = 0;
    char *line = NULL;
    *accepted = 0;
    for (size_t size = 0; getline(&line, &size, file) > 0;) {
        cJSON *json = cJSON_Parse(line);
        ck_assert_ptr_nonnull(json);
        int peer = cJSON_GetObjectItem(json, "peer")->valueint;
        if (strcmp(cJSON_GetObjectItem(json, "queue")->valuestring, queue) == 0 && peer > 0 && peer < 100 &&
            strcmp(cJSON_GetObjectItem(json, "dir")->valuestring, "to_master") == 0) {
            if (peers[peer] == 0)
                peers[peer] = connect_as(port, router ? "REQ" : "DEALER", NULL);
            ck_assert(!router || zmtp_frame(peers[peer], true, "", 0));
            ck_assert(replay_frames(peers[peer], cJSON_GetObjectItem(json, "frames")));
            sent++;
        }
        cJSON_Delete(json);
        while (piw__port_figures(port).refused + *accepted < sent) {
            piw_msg *msg = side_wait(port, piw__port_figures(port).refused + *accepted < sent ? 50 : 0);
            if (msg == NULL)
                continue;
            ++*accepted;
            piw__port_release(port, piw_msg_peer(msg));
            piw_msg_free(&msg);
        }
    }
    free(line);
    fclose(file);
    for (size_t i = 0; i < PIW_COUNT(peers); i++)
        if (peers[i] != 0)
            close(peers[i]);
    piw__port_close(&port);
    return sent;
}

START_TEST(recorded_bad_messages_do_no_harm)
{
    unsigned accepted, sent = replay("probe-bad-messages.jsonl", "slave", &slave_protocol_def, &accepted);
    if (sent > 0)
        ck_assert_msg(accepted >= 3 && accepted < sent, "%u of %u were accepted", accepted, sent);
    sent = replay("probe-bad-file-messages.jsonl", "file", &file_protocol_def, &accepted);
    if (sent > 0)
        ck_assert_msg(accepted >= 3 && accepted < sent, "%u of %u were accepted", accepted, sent);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("port_hostile");
    TCase *hostile = tcase_create("hostile");
    tcase_set_timeout(hostile, 120);
    tcase_add_checked_fixture(hostile, side_setup, side_teardown);
    tcase_add_test(hostile, wrong_frame_counts_are_refused);
    tcase_add_test(hostile, endless_message_takes_no_more_than_the_budget);
    tcase_add_test(hostile, random_bytes_are_refused);
    tcase_add_test(hostile, second_request_is_dropped_and_counted);
    tcase_add_test(hostile, answers_go_in_the_codec_of_the_request);
    tcase_add_test(hostile, built_of_wrong_shape_is_handed_on_as_malformed);
    tcase_add_test(hostile, oversize_frames_end_the_connection);
    tcase_add_test(hostile, routing_id_from_another_address_is_refused);
    tcase_add_test(hostile, file_frames_are_strict);
    tcase_add_test(hostile, pushed_multipart_is_refused);
    tcase_add_test(hostile, private_socket_serves_its_own_user);
    tcase_add_test(hostile, recorded_bad_messages_do_no_harm);
    return side_suite(suite, hostile);
}
