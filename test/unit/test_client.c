/* The other end of a queue: requests, time-outs, new connections, and masters that break the rules. */
#include "port_side.h"
#include "zmtp.h"

static const char anywhere[] = "tcp://127.0.0.1:*";

static piw_client *client_at(piw_protocol_def *def, const char *address)
{
    piw_client *client = NULL;
    piw_err err = {0};
    ck_assert_msg(piw_client_open(&client, def, address, PIW_MSGPACK, &err) == 0, "%s", err.text);
    return client;
}

static void serve_sent(piw__port *port, piw_client *client)
{
    side_send(client, slave_SENT_new());
    piw_msg *got = side_get(port), *done = slave_DONE_new();
    ck_assert_int_eq(piw__port_answer(port, piw_msg_peer(got), &done), 0);
    piw_msg_free(&got);
    got = side_recv(client);
    ck_assert_ptr_eq(got->type, slave_DONE_type());
    piw_msg_free(&got);
}

START_TEST(waiting_is_bounded)
{
    piw__port *port = side_port(&slave_protocol_def, anywhere);
    piw_client *client = side_client(&slave_protocol_def, port, PIW_CBOR);
    piw_msg *msg = NULL;
    piw_err err = {0};
    ck_assert_int_eq(piw_client_recv(client, &msg, 0, &err), PIW_EAGAIN);
    ck_assert_int_eq(piw_client_recv(client, &msg, 30, &err), PIW_EAGAIN); /* nothing was asked */
    side_send(client, slave_SENT_new());
    int64_t begin = piw_monotonic_ns();
    ck_assert_int_eq(piw_client_recv(client, &msg, 100, &err), PIW_EAGAIN);
    ck_assert_int_ge(piw_monotonic_ns() - begin, 100 * 1000000);
    ck_assert_int_eq(err.code, 0);
    ck_assert_int_eq(piw_client_recv(client, &msg, -1, &err), PIW_EINVAL);
    msg = slave_SENT_new();
    err = (piw_err){0};
    ck_assert_int_eq(piw_client_send(client, &msg, -1, &err), PIW_EINVAL);
    ck_assert_ptr_nonnull(msg);
    piw_msg_free(&msg);
    piw_client_close(&client);
    piw__port_close(&port);
}
END_TEST

START_TEST(what_is_no_request_is_refused)
{
    piw__port *port = side_port(&slave_protocol_def, anywhere);
    piw_client *client = side_client(&slave_protocol_def, port, PIW_CBOR);
    piw_msg *wrong[] = {slave_DONE_new(), control_HELLO_new(), slave_SENT_new()};
    side_send(client, slave_SENT_new());
    for (size_t i = 0; i < PIW_COUNT(wrong); i++) { /* from the master; of another queue; a second request */
        piw_err err = {0};
        ck_assert_int_eq(piw_client_send(client, &wrong[i], 100, &err), PIW_EINVAL);
        ck_assert_uint_gt(strlen(err.text), 10);
        piw_msg_free(&wrong[i]);
    }
    piw_client *none = NULL;
    static const char *const addresses[] = {"nonsense", "tcp://127.0.0.1", "tcp://", "", "http://localhost"};
    for (size_t i = 0; i < PIW_COUNT(addresses); i++) {
        piw_err err = {0};
        ck_assert_int_lt(piw_client_open(&none, &slave_protocol_def, addresses[i], PIW_CBOR, &err), 0);
        ck_assert_ptr_null(none);
        ck_assert_ptr_nonnull(strstr(err.text, addresses[i]));
    }
    piw_client_close(&client);
    piw__port_close(&port);
}
END_TEST

static piw_msg *built_with_log(size_t len)
{
    char *log = malloc(len);
    ck_assert_ptr_nonnull(log);
    memset(log, 'l', len);
    slave_BUILT *built;
    piw_msg *msg = slave_BUILT_new(&built);
    built->output = piw_blob_new(log, len);
    piw__msg_own_blob(msg, built->output);
    free(log);
    return msg;
}

START_TEST(largest_log_arrives_and_larger_ones_are_refused_here)
{
    piw__port *port = side_port(&slave_protocol_def, anywhere);
    piw_client *client = side_client(&slave_protocol_def, port, PIW_CBOR);
    size_t most = slave_protocol_def.interned->message_max;
    piw_msg *msg = built_with_log(most - 10);
    piw_err err = {0};
    ck_assert_int_eq(piw_client_send(client, &msg, 100, &err), PIW_ELIMIT);
    ck_assert_ptr_nonnull(msg);
    piw_msg_free(&msg);
    side_send(client, built_with_log(most - 100));
    msg = side_get(port);
    ck_assert_uint_eq(piw_blob_size(slave_BUILT_of(msg)->output), most - 100);
    piw_msg_free(&msg);
    piw_client_close(&client);
    piw__port_close(&port);
}
END_TEST

START_TEST(reset_throws_the_request_away)
{
    piw__port *port = side_port(&slave_protocol_def, anywhere);
    piw_client *client = side_client(&slave_protocol_def, port, PIW_CBOR);
    int fd = piw_client_fd(client);
    side_send(client, slave_SENT_new());
    piw_msg *first = side_get(port), *late = slave_DONE_new();
    piw_err err = {0};
    ck_assert_msg(piw_client_reset(client, &err) == 0, "%s", err.text);
    ck_assert_int_eq(piw_client_fd(client), fd);
    side_send(client, side_filled(slave_HELLO_type()));
    piw_msg *second = side_get(port), *ack = slave_ACK_make(5, piw_text_of("u"), (piw_text){0});
    ck_assert_uint_ne(piw_msg_peer(first), piw_msg_peer(second));
    ck_assert_int_eq(piw__port_answer(port, piw_msg_peer(first), &late), 0);
    ck_assert_int_eq(piw__port_answer(port, piw_msg_peer(second), &ack), 0);
    piw_msg_free(&first);
    piw_msg_free(&second);
    first = side_recv(client);
    ck_assert_int_eq(slave_ACK_of(first)->slave_id, 5);
    piw_msg_free(&first);
    ck_assert(!piw_client_reconnected(client));
    piw_client_close(&client);
    piw__port_close(&port);
}
END_TEST

START_TEST(unsent_request_of_before_a_reset_never_arrives)
{
    piw_client *client = client_at(&slave_protocol_def, side_ipc("slave"));
    piw_err err = {0};
    for (int i = 0; i < 50; i++) {
        side_send(client, slave_SENT_new()); /* there is no master yet */
        ck_assert_int_eq(piw_client_reset(client, &err), 0);
    }
    side_send(client, side_filled(slave_HELLO_type()));
    piw__port *port = side_port(&slave_protocol_def, side_ipc("slave"));
    piw_msg *got = side_get(port);
    ck_assert_ptr_eq(got->type, slave_HELLO_type());
    piw_msg_free(&got);
    ck_assert_ptr_null(side_wait(port, NEVER_MS));
    piw_client_close(&client);
    piw__port_close(&port);
}
END_TEST

START_TEST(restarted_master_is_noticed)
{
    piw__port *port = side_port(&slave_protocol_def, side_ipc("slave"));
    piw_client *client = side_client(&slave_protocol_def, port, PIW_MSGPACK);
    serve_sent(port, client);
    ck_assert(piw_client_connected(client) && !piw_client_reconnected(client));
    side_send(client, slave_SENT_new()); /* dies with the master */
    piw_msg *got = side_get(port), *msg = NULL;
    piw_msg_free(&got);
    piw__port_close(&port);
    int64_t until = piw_monotonic_ns() + SOON_MS * 1000000ll;
    while (piw_client_connected(client)) {
        ck_assert_int_lt(piw_monotonic_ns(), until);
        ck_assert_int_eq(piw_client_recv(client, &msg, 10, NULL), PIW_EAGAIN);
    }
    ck_assert(piw_client_met(client));
    port = side_port(&slave_protocol_def, side_ipc("slave"));
    until = piw_monotonic_ns() + SOON_MS * 1000000ll;
    while (!piw_client_reconnected(client)) {
        ck_assert_int_lt(piw_monotonic_ns(), until);
        struct pollfd fd = {.fd = piw_client_fd(client), .events = POLLIN}; /* the descriptor tells of it too */
        ck_assert_int_eq(poll(&fd, 1, SOON_MS), 1);
        ck_assert_int_eq(piw_client_recv(client, &msg, 0, NULL), PIW_EAGAIN);
    }
    ck_assert(piw_client_connected(client) && !piw_client_reconnected(client)); /* told once */
    piw_err err = {0};
    ck_assert_int_eq(piw_client_reset(client, &err), 0);
    serve_sent(port, client); /* which listens: the new socket may be connected at once */
    ck_assert(piw_client_connected(client) && !piw_client_reconnected(client));
    piw_client_close(&client);
    piw__port_close(&port);
}
END_TEST

START_TEST(last_words_arrive)
{
    piw__port *port = side_port(&slave_protocol_def, anywhere);
    for (int i = 0; i < 20; i++) {
        piw_client *client = side_client(&slave_protocol_def, port, PIW_CBOR);
        side_send(client, slave_BYE_new());
        piw_client_close(&client);
        piw_msg *got = side_get(port);
        ck_assert_ptr_eq(got->type, slave_BYE_type());
        ck_assert_uint_eq(got->flags & ~PIW__REST, 0);
        piw_msg_free(&got);
    }
    piw__port_close(&port);
}
END_TEST

START_TEST(closing_without_a_master_is_bounded)
{
    piw_client *client = client_at(&slave_protocol_def, side_ipc("nobody"));
    side_send(client, slave_BYE_new());
    int64_t begin = piw_monotonic_ns();
    piw_client_close(&client);
    ck_assert_int_lt(piw_monotonic_ns() - begin, 8 * 1000000000ll);
}
END_TEST

START_TEST(full_queue_says_not_now)
{
    piw_client *client = client_at(&log_protocol_def, side_ipc("nobody"));
    int rc = 0;
    unsigned sent = 0;
    for (; rc == 0; sent += rc == 0) {
        piw_msg *msg = side_filled(&log_protocol_def.interned->messages[LOG_LOGPAGE]);
        piw_err err = {0};
        ck_assert_uint_lt(sent, 100000);
        rc = piw_client_send(client, &msg, 5, &err);
        ck_assert(rc == 0 ? msg == NULL : msg != NULL);
        piw_msg_free(&msg);
    }
    ck_assert_int_eq(rc, PIW_EAGAIN);
    /* What waits goes out as soon as there is a master. */
    piw__port *port = side_port(&log_protocol_def, side_ipc("nobody"));
    for (; sent > 0; sent--) {
        piw_msg *got = side_get(port);
        piw_msg_free(&got);
    }
    piw_client_close(&client);
    piw__port_close(&port);
}
END_TEST

/* --- A master that breaks the rules ----------------------------------------------------------------------------- */

typedef struct false_master {
    int listening, fd;
    piw_client *client;
} false_master;

static false_master false_master_open(piw_protocol_def *def, const char *kind)
{
    false_master master = {.listening = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    struct timeval bound = {.tv_sec = 10};
    char address[64];
    ck_assert_int_eq(bind(master.listening, (struct sockaddr *)&at, sizeof(at)), 0);
    ck_assert_int_eq(listen(master.listening, 5), 0);
    ck_assert_int_eq(getsockname(master.listening, (struct sockaddr *)&at, &len), 0);
    snprintf(address, sizeof(address), "tcp://127.0.0.1:%d", ntohs(at.sin_port));
    master.client = client_at(def, address);
    int fd = accept(master.listening, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound));
    master.fd = zmtp_shake(fd, kind, NULL);
    ck_assert_int_ge(master.fd, 0);
    return master;
}

static void false_master_close(false_master *master)
{
    close(master->fd);
    close(master->listening);
    piw_client_close(&master->client);
}

/* Read a whole request away. */
static void read_request(int fd)
{
    uint8_t bytes[4096];
    int flags;
    do
        ck_assert_int_ge(zmtp_recv(fd, bytes, sizeof(bytes), &flags), 0);
    while ((flags & (ZMTP_MORE | ZMTP_COMMAND)) != 0);
}

static void assert_answer_refused(false_master *master, const void *bytes, size_t len)
{
    piw_msg *msg = NULL;
    piw_err err = {0};
    side_send(master->client, slave_SENT_new());
    read_request(master->fd);
    ck_assert(zmtp_request(master->fd, bytes, len));
    int rc = piw_client_recv(master->client, &msg, SOON_MS, &err);
    ck_assert_msg(rc < 0 && rc != PIW_EAGAIN, "%s", piw_err_name(rc));
    ck_assert_ptr_null(msg);
    ck_assert_uint_gt(strlen(err.text), 10);
}

START_TEST(answers_that_are_no_messages_are_refused)
{
    false_master master = false_master_open(&slave_protocol_def, "ROUTER");
    static uint8_t noise[5000];
    unsigned seed = 4711;
    assert_answer_refused(&master, "", 0);
    assert_answer_refused(&master, "\x64SENT", 5); /* only a slave says that */
    assert_answer_refused(&master, "\xa4SENT", 5);
    assert_answer_refused(&master,
                          "\x64"
                          "DONE\0",
                          6);
    assert_answer_refused(&master,
                          "\x82\x63"
                          "ACK\x82\x01\x7b\xff\xff\xff\xff\xff\xff\xff\xff",
                          17); /* a url of 2^64 - 1 bytes */
    for (size_t len = 1; len < sizeof(noise); len = len * 3 / 2 + 1) {
        for (size_t i = 0; i < len; i++)
            noise[i] = (uint8_t)rand_r(&seed);
        noise[0] = 0xff;
        assert_answer_refused(&master, noise, len);
    }
    side_send(master.client, slave_SENT_new());
    read_request(master.fd);
    ck_assert(zmtp_frame(master.fd, true, "", 0));
    for (int i = 0; i < 1000; i++)
        ck_assert(zmtp_frame(master.fd, i < 999,
                             "\x64"
                             "DONE",
                             5));
    piw_msg *msg = NULL;
    ck_assert_int_eq(piw_client_recv(master.client, &msg, SOON_MS, NULL), PIW_ESHAPE);
    side_send(master.client, slave_SENT_new());
    read_request(master.fd);
    ck_assert(zmtp_request(master.fd,
                           "\x64"
                           "DONE",
                           5));
    msg = side_recv(master.client); /* and a good one is still understood */
    ck_assert_ptr_eq(msg->type, slave_DONE_type());
    piw_msg_free(&msg);
    false_master_close(&master);
}
END_TEST

START_TEST(oversize_answer_ends_the_connection)
{
    false_master master = false_master_open(&slave_protocol_def, "ROUTER");
    side_send(master.client, slave_SENT_new());
    read_request(master.fd);
    ck_assert(zmtp_frame(master.fd, true, "", 0) && zmtp_head(master.fd, 0, 1ull << 40));
    ck_assert(zmtp_closed(master.fd));
    false_master_close(&master);
}
END_TEST

START_TEST(false_fetches_are_refused)
{
    false_master master = false_master_open(&file_protocol_def, "ROUTER");
    static const char *const offsets[] = {"", "-5", "1e6", "99999999999999999999"};
    side_send(master.client, file_HELLO_make(1, (piw_text){0}));
    piw_msg *msg = NULL;
    for (size_t i = 0; i < PIW_COUNT(offsets); i++) {
        ck_assert(zmtp_frame(master.fd, true, "FETCH", 5) &&
                  zmtp_frame(master.fd, true, offsets[i], strlen(offsets[i])) && zmtp_frame(master.fd, false, "1", 1));
        ck_assert_int_eq(piw_client_recv(master.client, &msg, SOON_MS, NULL), PIW_ESHAPE);
    }
    ck_assert(zmtp_frame(master.fd, true, "FETCH", 5) && zmtp_frame(master.fd, true, "7", 1) &&
              zmtp_frame(master.fd, false, "9", 1));
    msg = side_recv(master.client);
    ck_assert(file_FETCH_of(msg)->offset == 7 && file_FETCH_of(msg)->length == 9);
    piw_msg_free(&msg);
    ck_assert(zmtp_head(master.fd, 0, 5000)); /* no field of the master's is that long */
    ck_assert(zmtp_closed(master.fd));
    false_master_close(&master);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("client");
    TCase *client = tcase_create("client");
    tcase_set_timeout(client, 60);
    tcase_add_checked_fixture(client, side_setup, side_teardown);
    tcase_add_test(client, waiting_is_bounded);
    tcase_add_test(client, what_is_no_request_is_refused);
    tcase_add_test(client, largest_log_arrives_and_larger_ones_are_refused_here);
    tcase_add_test(client, reset_throws_the_request_away);
    tcase_add_test(client, unsent_request_of_before_a_reset_never_arrives);
    tcase_add_test(client, restarted_master_is_noticed);
    tcase_add_test(client, last_words_arrive);
    tcase_add_test(client, closing_without_a_master_is_bounded);
    tcase_add_test(client, full_queue_says_not_now);
    tcase_add_test(client, answers_that_are_no_messages_are_refused);
    tcase_add_test(client, oversize_answer_ends_the_connection);
    tcase_add_test(client, false_fetches_are_refused);
    return side_suite(suite, client);
}
