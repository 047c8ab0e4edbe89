/* Ports and clients over real sockets: every queue, both codecs, answers, peers, addresses. */
#include "port_side.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static const char anywhere[] = "tcp://127.0.0.1:*";

/* --- Round trips ------------------------------------------------------------------------------------------------ */

static void ask_everything(piw_protocol_def *def, const char *address, piw_codec codec)
{
    const piw_protocol *protocol = def->interned;
    piw__port *port = side_port(def, address);
    piw_client *client = side_client(def, port, codec);
    uint16_t out = 0;
    side_optional = codec == PIW_MSGPACK;
    for (uint16_t i = 0; i < protocol->messages_count; i++) {
        const piw_msg_type *type = &protocol->messages[i];
        if (type->kind != PIW_M_IN || (type->flags & PIW_M_NOREPLY) != 0)
            continue;
        piw_msg *request = side_filled(type);
        piw_msg *copy = piw_msg_copy(request);
        side_send(client, request);
        piw_msg *got = side_get(port);
        side_assert_same(copy, got);
        ck_assert_uint_eq(got->codec, codec);
        ck_assert_uint_eq(got->flags & ~PIW__REST, PIW__REQUEST);
        ck_assert_ptr_eq(piw__msg_rest_of(got)->port, (struct piw__port *)port);
        do
            out = (uint16_t)((out + 1) % protocol->messages_count);
        while (protocol->messages[out].kind != PIW_M_OUT);
        piw_msg *answer = side_filled(&protocol->messages[out]);
        piw_msg *expected = piw_msg_copy(answer);
        ck_assert_int_eq(piw__port_answer(port, piw_msg_peer(got), &answer), 0);
        ck_assert_ptr_null(answer);
        piw_msg *answered = side_recv(client);
        side_assert_same(expected, answered);
        piw_msg_free(&copy);
        piw_msg_free(&got);
        piw_msg_free(&expected);
        piw_msg_free(&answered);
    }
    ck_assert_uint_eq(piw__port_figures(port).sent, piw__port_figures(port).received);
    ck_assert_uint_eq(piw__port_figures(port).refused, 0);
    piw_client_close(&client);
    piw__port_close(&port);
}

START_TEST(slave_queue_both_codecs)
{
    ask_everything(&slave_protocol_def, anywhere, PIW_CBOR);
    ask_everything(&slave_protocol_def, anywhere, PIW_MSGPACK);
}
END_TEST

START_TEST(import_queue_both_codecs)
{
    ask_everything(&import_protocol_def, side_ipc("import"), PIW_CBOR);
    ask_everything(&import_protocol_def, side_ipc("import"), PIW_MSGPACK);
}
END_TEST

static void push_everything(piw_protocol_def *def, piw_codec codec)
{
    piw__port *port = side_port(def, side_ipc(def->interned->name));
    piw_client *client = side_client(def, port, codec);
    for (uint16_t i = 0; i < def->interned->messages_count; i++) {
        piw_msg *sent = side_filled(&def->interned->messages[i]);
        piw_msg *copy = piw_msg_copy(sent);
        side_send(client, sent);
        piw_msg *got = side_get(port);
        side_assert_same(copy, got);
        ck_assert_uint_eq(got->flags & ~PIW__REST, 0);
        ck_assert_uint_eq(piw_msg_peer(got), 0);
        piw_msg_free(&copy);
        piw_msg_free(&got);
    }
    piw_client_close(&client);
    piw__port_close(&port);
}

START_TEST(control_and_log_queues_both_codecs)
{
    push_everything(&control_protocol_def, PIW_CBOR);
    push_everything(&control_protocol_def, PIW_MSGPACK);
    push_everything(&log_protocol_def, PIW_CBOR);
    push_everything(&log_protocol_def, PIW_MSGPACK);
}
END_TEST

START_TEST(status_queue_reaches_every_subscriber)
{
    piw__port *port = side_port(&status_protocol_def, side_ipc("status"));
    piw_client *clients[] = {side_client(&status_protocol_def, port, PIW_CBOR),
                             side_client(&status_protocol_def, port, PIW_MSGPACK)};
    const piw_msg_type *hello = &status_protocol_def.interned->messages[STATUS_HELLO];
    /* A subscription is on its way for a while: say hello until both have heard it. */
    for (unsigned heard = 0, tries = 0; heard < 2; tries++) {
        ck_assert_uint_lt(tries, 1000);
        piw_msg *msg = side_filled(hello), *got = NULL;
        ck_assert_int_eq(piw__port_publish(port, &msg), 0);
        if (piw_client_recv(clients[heard], &got, 10, NULL) == 0)
            heard++;
        piw_msg_free(&got);
    }
    for (uint16_t i = 0; i < status_protocol_def.interned->messages_count; i++) {
        const piw_msg_type *type = &status_protocol_def.interned->messages[i];
        if (type == hello)
            continue;
        piw_msg *msg = side_filled(type), *copy = piw_msg_copy(msg);
        ck_assert_int_eq(piw__port_publish(port, &msg), 0);
        for (unsigned j = 0; j < 2; j++) {
            piw_msg *got;
            for (got = side_recv(clients[j]); piw_msg_type_of(got) == hello; got = side_recv(clients[j]))
                piw_msg_free(&got);
            ck_assert_ptr_eq(piw_msg_type_of(got), type);
            piw_msg_free(&got);
        }
        piw_msg_free(&copy);
    }
    piw_client_close(&clients[0]);
    piw_client_close(&clients[1]);
    piw__port_close(&port);
}
END_TEST

START_TEST(file_queue_carries_chunks_without_copying)
{
    static uint8_t wheel[1048576];
    for (size_t i = 0; i < sizeof(wheel); i++)
        wheel[i] = (uint8_t)(i * 31 >> 3);
    piw__port *port = side_port(&file_protocol_def, anywhere);
    piw_client *client = side_client(&file_protocol_def, port, PIW_MSGPACK);
    side_send(client, file_HELLO_make(17, (piw_text){0}));
    piw_msg *got = side_get(port);
    ck_assert_int_eq(file_HELLO_of(got)->slave_id, 17);
    ck_assert_uint_eq(got->flags & ~PIW__REST, 0);
    piw_peer peer = piw_msg_peer(got);
    piw_msg_free(&got);
    for (int i = 0; i < 10; i++) {
        piw_msg *fetch = file_FETCH_make(i * 1048576ll, 1048576);
        ck_assert_int_eq(piw__port_send(port, peer, &fetch), 0);
    }
    static const uint32_t sizes[] = {0, 1, 4096, 4097, 65536, 1048576};
    for (size_t i = 0; i < PIW_COUNT(sizes); i++) {
        piw_msg *fetch = side_recv(client);
        ck_assert_int_eq(file_FETCH_of(fetch)->offset, (int64_t)i * 1048576);
        file_CHUNK *chunk;
        piw_msg *msg = file_CHUNK_new(&chunk);
        chunk->offset = file_FETCH_of(fetch)->offset;
        chunk->data = (piw_bytes){wheel, sizes[i]};
        side_send(client, msg);
        got = side_get(port);
        ck_assert_int_eq(file_CHUNK_of(got)->offset, (int64_t)i * 1048576);
        ck_assert_uint_eq(file_CHUNK_of(got)->data.len, sizes[i]);
        ck_assert_int_eq(memcmp(file_CHUNK_of(got)->data.data, wheel, sizes[i]), 0);
        ck_assert_uint_lt(piw__msg_bytes(got), 65536);
        ck_assert_ptr_null(sizes[i] > PIW_LIMIT_BLOB_COPY ? piw__msg_rest_of(got)->chunks : NULL);
        piw_msg_free(&fetch);
        piw_msg_free(&got);
    }
    piw_msg *done = file_DONE_new();
    ck_assert_int_eq(piw__port_send(port, peer, &done), 0);
    for (int i = (int)PIW_COUNT(sizes); i < 10; i++) {
        got = side_recv(client);
        piw_msg_free(&got);
    }
    got = side_recv(client);
    ck_assert_ptr_eq(piw_msg_type_of(got), file_DONE_type());
    piw_msg_free(&got);
    piw_client_close(&client);
    piw__port_close(&port);
}
END_TEST

START_TEST(build_log_is_referenced_not_copied)
{
    static char log[1 << 20];
    memset(log, 'l', sizeof(log));
    piw__port *port = side_port(&slave_protocol_def, anywhere);
    piw_client *client = side_client(&slave_protocol_def, port, PIW_MSGPACK);
    slave_BUILT *built;
    piw_msg *msg = slave_BUILT_new(&built);
    built->output = piw_blob_new(log, sizeof(log));
    piw__msg_own_blob(msg, built->output);
    side_send(client, msg);
    piw_msg *got = side_get(port);
    ck_assert_uint_eq(piw_blob_size(slave_BUILT_of(got)->output), sizeof(log));
    char *back = malloc(sizeof(log));
    ck_assert_uint_eq(piw_blob_read(slave_BUILT_of(got)->output, 0, back, sizeof(log)), sizeof(log));
    ck_assert_int_eq(memcmp(back, log, sizeof(log)), 0);
    free(back);
    ck_assert_uint_lt(piw__msg_bytes(got), 65536);
    ck_assert_ptr_null(piw__msg_rest_of(got)->chunks);
    piw_client_close(&client);
    piw__port_close(&port);
    piw_msg_free(&got); /* after the socket it came from */
}
END_TEST

/* --- One open request, answers, records ------------------------------------------------------------------------- */

START_TEST(released_request_lets_the_peer_ask_again)
{
    piw__port *port = side_port(&slave_protocol_def, anywhere);
    piw_client *client = side_client(&slave_protocol_def, port, PIW_CBOR);
    side_send(client, slave_SENT_new());
    piw_msg *got = side_get(port);
    piw_peer peer = piw_msg_peer(got);
    piw_msg_free(&got);
    piw__port_release(port, peer);
    piw_msg *answer = slave_DONE_new();
    ck_assert_int_eq(piw__port_answer(port, peer, &answer), 0); /* too late: a dead letter */
    ck_assert_ptr_null(answer);
    ck_assert_uint_eq(piw__port_figures(port).dead_letters, 1);
    answer = slave_DONE_new();
    ck_assert_int_eq(piw__port_answer(port, 12345, &answer), 0);
    ck_assert_uint_eq(piw__port_figures(port).dead_letters, 2);
    piw_client_close(&client);
    piw__port_close(&port);
}
END_TEST

START_TEST(answer_to_a_gone_peer_is_a_dead_letter)
{
    piw__port *port = side_port(&slave_protocol_def, anywhere);
    piw_client *client = side_client(&slave_protocol_def, port, PIW_CBOR);
    side_send(client, slave_SENT_new());
    piw_msg *got = side_get(port);
    piw_client_close(&client);
    /* The port notices the end of the connection while it reads; there is no message that says so. */
    uint64_t dead = 0;
    for (int i = 0; i < 500 && dead == 0; i++) {
        piw_msg *none = side_wait(port, 10), *answer = slave_DONE_new();
        ck_assert_ptr_null(none);
        ck_assert_int_eq(piw__port_answer(port, piw_msg_peer(got), &answer), 0);
        dead = piw__port_figures(port).dead_letters;
    }
    ck_assert_uint_ge(dead, 1);
    piw_msg_free(&got);
    piw__port_close(&port);
}
END_TEST

START_TEST(answer_that_cannot_be_encoded_becomes_the_error_answer)
{
    piw__port *port = side_port(&slave_protocol_def, anywhere);
    piw_client *client = side_client(&slave_protocol_def, port, PIW_CBOR);
    side_send(client, slave_SENT_new());
    piw_msg *got = side_get(port);
    piw_msg *answer = slave_BUILD_make(piw_text_of("bad \xff utf-8"), piw_text_of("1"));
    ck_assert_int_eq(piw__port_answer(port, piw_msg_peer(got), &answer), 0);
    ck_assert_ptr_null(answer);
    piw_msg_free(&got);
    got = side_recv(client);
    ck_assert_ptr_eq(got->type, slave_DONE_type());
    piw_msg_free(&got);
    /* HELLO has none: the peer hears nothing, but may ask again. */
    side_send(client, side_filled(slave_HELLO_type()));
    got = side_get(port);
    answer = slave_ACK_make(1, piw_text_of("bad \xff utf-8"), (piw_text){0});
    ck_assert_int_eq(piw__port_answer(port, piw_msg_peer(got), &answer), 0);
    ck_assert_uint_eq(piw__port_figures(port).dead_letters, 1);
    piw_msg_free(&got);
    piw_client_close(&client);
    piw__port_close(&port);
}
END_TEST

START_TEST(error_answers_are_those_of_the_queue)
{
    piw_msg *msg = piw__port_fallback(slave_IDLE_type(), PIW_EABSENT, "away");
    ck_assert_ptr_eq(msg->type, slave_SLEEP_type());
    ck_assert(!slave_SLEEP_of(msg)->paused);
    piw_msg_free(&msg);
    msg = piw__port_fallback(slave_BUSY_type(), PIW_EABSENT, "away");
    ck_assert_ptr_eq(msg->type, slave_CONT_type());
    piw_msg_free(&msg);
    ck_assert_ptr_null(piw__port_fallback(slave_HELLO_type(), PIW_EABSENT, "away"));
    ck_assert_ptr_null(piw__port_fallback(slave_BYE_type(), PIW_EABSENT, "away"));
    msg = piw__port_fallback(import_ADDPKG_type(), PIW_EDB, "no \xc3\xa4 name");
    ck_assert_str_eq(import_ERROR_of(msg)->message.s, "no \xc3\xa4 name");
    piw_msg_free(&msg);
    msg = piw__port_fallback(import_ADDPKG_type(), PIW_EDB, "");
    ck_assert_str_eq(import_ERROR_of(msg)->message.s, piw_err_name(PIW_EDB));
    piw_msg_free(&msg);
    char longer[3000];
    for (size_t i = 0; i + 2 < sizeof(longer); i += 2)
        memcpy(longer + i, "\xc3\xa4", 3);
    msg = piw__port_fallback(import_ADDPKG_type(), PIW_EDB, longer);
    ck_assert_uint_eq(import_ERROR_of(msg)->message.len, 2000);
    ck_assert_int_eq(piw_msg_check(msg, NULL), 0);
    piw_msg_free(&msg);
}
END_TEST

START_TEST(records_stay_with_their_peers)
{
    piw__port *port = side_port(&slave_protocol_def, anywhere);
    piw_client *clients[3];
    piw_peer peers[3];
    for (int i = 0; i < 3; i++) {
        clients[i] = side_client(&slave_protocol_def, port, i % 2 ? PIW_CBOR : PIW_MSGPACK);
        side_send(clients[i], slave_SENT_new());
        piw_msg *got = side_get(port), *record = slave_ACK_make(i, piw_text_of("x"), (piw_text){0});
        peers[i] = piw_msg_peer(got);
        ck_assert_str_eq(piw__port_peer_address(port, peers[i]), "127.0.0.1");
        piw__port_peer_set(port, peers[i], &record);
        ck_assert_ptr_null(record);
        piw_msg_free(&got);
    }
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(slave_ACK_of(piw__port_peer_get(port, peers[i]))->slave_id, i);
    piw_msg *none = NULL;
    piw__port_peer_set(port, peers[1], &none);
    ck_assert_ptr_null(piw__port_peer_get(port, peers[1]));
    unsigned seen = 0;
    for (piw_peer at = 0; piw__port_peer_next(port, &at); seen++)
        ck_assert(at == peers[0] || at == peers[2]);
    ck_assert_uint_eq(seen, 2);
    piw__port_peer_forget(port, peers[0]);
    ck_assert_ptr_null(piw__port_peer_address(port, peers[0]));
    piw_msg *late = slave_ACK_make(9, piw_text_of("x"), (piw_text){0});
    piw__port_peer_set(port, peers[0], &late);
    ck_assert_ptr_null(late);
    for (int i = 0; i < 3; i++)
        piw_client_close(&clients[i]);
    piw__port_close(&port);
}
END_TEST

/* --- Addresses -------------------------------------------------------------------------------------------------- */

static mode_t mode_of(const char *address)
{
    struct stat st;
    ck_assert_int_eq(stat(address + 6, &st), 0);
    return st.st_mode & 0777;
}

START_TEST(socket_files_have_the_mode_of_their_queue)
{
    piw_err err = {0};
    umask(022);
    piw__port *port = NULL;
    piw__port_settings settings = {
        .name = "status", .address = side_ipc("group"), .protocol = status_protocol_def.interned};
    ck_assert_msg(piw__port_open(&port, &settings, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(mode_of(settings.address), 0775);
    piw__port_close(&port);
    piw_protocol declared = *import_protocol_def.interned;
    declared.queue_flags = PIW_Q_PRIVATE;
    settings = (piw__port_settings){.name = "admin", .address = side_ipc("private"), .protocol = &declared};
    ck_assert_msg(piw__port_open(&port, &settings, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(mode_of(settings.address), 0600);
    piw_client *client = side_client(&import_protocol_def, port, PIW_MSGPACK);
    side_send(client, side_filled(import_SENT_type())); /* our own user may */
    piw_msg *got = side_get(port);
    ck_assert_str_eq(piw__port_peer_address(port, piw_msg_peer(got)), "local");
    piw_msg_free(&got);
    piw_client_close(&client);
    piw__port_close(&port);
    settings.address = "tcp://127.0.0.1:*";
    ck_assert_int_eq(piw__port_open(&port, &settings, &err), PIW_EINVAL);
}
END_TEST

/* Over TCP only queues are served whose declaration has connections checked. */
START_TEST(a_queue_that_is_not_admitted_stays_local)
{
    piw_err err = {0};
    piw__port *port = NULL;
    piw_protocol declared = *import_protocol_def.interned;
    declared.queue_flags = 0;
    piw__port_settings settings = {.name = "import", .address = anywhere, .protocol = &declared};
    ck_assert_int_eq(piw__port_open(&port, &settings, &err), PIW_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "not declared \"admitted\""));
    err = (piw_err){0};
    settings.address = side_ipc("local");
    ck_assert_msg(piw__port_open(&port, &settings, &err) == 0, "%s", err.text);
    piw__port_close(&port);
}
END_TEST

static void assert_open_fails(const char *address, int code, const char *words)
{
    piw__port *port = NULL;
    piw_err err = {0};
    piw__port_settings settings = {.name = "slave", .address = address, .protocol = slave_protocol_def.interned};
    int rc = piw__port_open(&port, &settings, &err);
    ck_assert_ptr_null(port);
    ck_assert_msg(rc == code, "%s: %s: %s", address, piw_err_name(rc), err.text);
    ck_assert_msg(strstr(err.text, "slave") != NULL && strstr(err.text, address) != NULL &&
                      strstr(err.text, words) != NULL,
                  "%s", err.text);
}

START_TEST(address_in_use_is_said_clearly)
{
    piw__port *port = side_port(&slave_protocol_def, anywhere);
    assert_open_fails(piw__port_endpoint(port), PIW_EEXIST, "some other program");
    piw__port_close(&port);
    port = side_port(&slave_protocol_def, side_ipc("slave"));
    assert_open_fails(side_ipc("slave"), PIW_EEXIST, "in use");
    piw_client *client = side_client(&slave_protocol_def, port, PIW_CBOR); /* the first goes on */
    side_send(client, slave_SENT_new());
    piw_msg *got = side_get(port);
    piw_msg_free(&got);
    piw_client_close(&client);
    piw__port_close(&port);
}
END_TEST

START_TEST(wrong_addresses_are_refused_with_a_sentence)
{
    char path[160];
    assert_open_fails("tcp:/x", PIW_EINVAL, "not an address");
    assert_open_fails("tcp://*", PIW_EINVAL, "not an address");
    assert_open_fails("inproc://x", PIW_EINVAL, "not an address");
    assert_open_fails("ipc:///nonexistent/folder/x", PIW_ENET, "No such file");
    snprintf(path, sizeof(path), "%s", side_ipc("file"));
    FILE *file = fopen(path + 6, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    assert_open_fails(path, PIW_EEXIST, "not a socket");
    ck_assert_int_eq(access(path + 6, F_OK), 0);
    memset(path + 6, 'x', 130);
    path[6] = '/';
    path[136] = '\0';
    assert_open_fails(path, PIW_EINVAL, "107");
}
END_TEST

START_TEST(stale_socket_file_is_taken_over)
{
    const char *address = side_ipc("stale");
    pid_t child = fork();
    if (child == 0) { /* binds and dies without closing */
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        memcpy(to.sun_path, address + 6, strnlen(address + 6, sizeof(to.sun_path) - 1));
        _exit(bind(fd, (struct sockaddr *)&to, sizeof(to)) == 0 && listen(fd, 1) == 0 ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(access(address + 6, F_OK), 0);
    piw__port *port = side_port(&slave_protocol_def, address);
    piw__port_close(&port);
}
END_TEST

static void reach(const char *bound, const char *host)
{
    piw__port *port = side_port(&slave_protocol_def, bound);
    const char *number = strrchr(piw__port_endpoint(port), ':');
    char address[64];
    snprintf(address, sizeof(address), "tcp://%s%s", host, number);
    piw_client *client = NULL;
    piw_err err = {0};
    ck_assert_msg(piw_client_open(&client, &slave_protocol_def, address, PIW_CBOR, &err) == 0, "%s", err.text);
    side_send(client, slave_SENT_new());
    piw_msg *got = side_get(port);
    piw_msg_free(&got);
    piw_client_close(&client);
    piw__port_close(&port);
}

START_TEST(every_way_to_this_machine_works)
{
    reach("tcp://*:*", "127.0.0.1");
    reach("tcp://*:*", "localhost");
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 one = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool ipv6 = fd >= 0 && bind(fd, (struct sockaddr *)&one, sizeof(one)) == 0;
    if (fd >= 0)
        close(fd);
    if (ipv6) {
        reach("tcp://*:*", "[::1]");
        reach("tcp://[::1]:*", "[::1]");
    } else {
        printf("skip port_ipv6 - this machine has no ::1\n");
    }
}
END_TEST

/* --- The wake-up ------------------------------------------------------------------------------------------------ */

/* The master answers and only then sleeps: a request that arrives while it sends takes libzmq's signal away. Each round
 * a push lands between the drain and the poll; none may be left lying. */
START_TEST(no_wake_up_is_lost)
{
    enum { ROUNDS = 100000 };
    piw__port *port = side_port(&control_protocol_def, side_ipc("control"));
    piw_client *client = side_client(&control_protocol_def, port, PIW_MSGPACK);
    int64_t until = piw_monotonic_ns() + 100 * 1000000000ll;
    uint64_t got = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned budget = PIW_LIMIT_PORT_BUDGET;
        piw_msg *msg = NULL;
        while (piw__port_read(port, &budget, &msg) == 0) {
            got++;
            piw_msg_free(&msg);
        }
        side_send(client, control_HELLO_new()); /* after the drain */
        struct pollfd fd = {.fd = piw__port_fd(port), .events = POLLIN};
        while (got <= round) {
            ck_assert_msg(piw_monotonic_ns() < until, "%u rounds took too long", round);
            ck_assert_msg(poll(&fd, 1, 10000) == 1, "round %u: nothing woke the port", round);
            budget = PIW_LIMIT_PORT_BUDGET;
            while (piw__port_read(port, &budget, &msg) == 0) {
                got++;
                piw_msg_free(&msg);
            }
        }
    }
    ck_assert_uint_eq(got, ROUNDS);
    piw_client_close(&client);
    piw__port_close(&port);
}
END_TEST

/* The same with answers in between, from both ends; the client sleeps on its descriptor alone. */
START_TEST(no_wake_up_is_lost_between_answers)
{
    enum { ROUNDS = 20000 };
    piw__port *port = side_port(&file_protocol_def, side_ipc("file"));
    piw_client *client = side_client(&file_protocol_def, port, PIW_MSGPACK);
    int64_t until = piw_monotonic_ns() + 100 * 1000000000ll;
    for (unsigned round = 0; round < ROUNDS; round++) {
        ck_assert_int_lt(piw_monotonic_ns(), until);
        side_send(client, file_HELLO_make(1, (piw_text){0}));
        side_send(client, file_HELLO_make(2, (piw_text){0}));
        for (int i = 0; i < 2; i++) {
            piw_msg *got = side_get(port), *done = file_DONE_new();
            ck_assert_int_eq(piw__port_send(port, piw_msg_peer(got), &done), 0);
            piw_msg_free(&got);
        }
        piw_msg *msg = NULL;
        for (int got = 0; got < 2;) {
            struct pollfd fd = {.fd = piw_client_fd(client), .events = POLLIN};
            ck_assert_msg(poll(&fd, 1, 10000) == 1, "round %u: nothing woke the client", round);
            while (piw_client_recv(client, &msg, 0, NULL) == 0) {
                got++;
                piw_msg_free(&msg);
                if (got == 1)
                    side_send(client, file_HELLO_make(3, (piw_text){0})); /* its sending may take the signal away */
            }
        }
        piw_msg *third = side_get(port);
        piw_msg_free(&third);
    }
    piw_client_close(&client);
    piw__port_close(&port);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("port");
    TCase *port = tcase_create("port");
    tcase_set_timeout(port, 120);
    tcase_add_checked_fixture(port, side_setup, side_teardown);
    tcase_add_test(port, slave_queue_both_codecs);
    tcase_add_test(port, import_queue_both_codecs);
    tcase_add_test(port, control_and_log_queues_both_codecs);
    tcase_add_test(port, status_queue_reaches_every_subscriber);
    tcase_add_test(port, file_queue_carries_chunks_without_copying);
    tcase_add_test(port, build_log_is_referenced_not_copied);
    tcase_add_test(port, released_request_lets_the_peer_ask_again);
    tcase_add_test(port, answer_to_a_gone_peer_is_a_dead_letter);
    tcase_add_test(port, answer_that_cannot_be_encoded_becomes_the_error_answer);
    tcase_add_test(port, error_answers_are_those_of_the_queue);
    tcase_add_test(port, records_stay_with_their_peers);
    tcase_add_test(port, socket_files_have_the_mode_of_their_queue);
    tcase_add_test(port, a_queue_that_is_not_admitted_stays_local);
    tcase_add_test(port, address_in_use_is_said_clearly);
    tcase_add_test(port, wrong_addresses_are_refused_with_a_sentence);
    tcase_add_test(port, stale_socket_file_is_taken_over);
    tcase_add_test(port, every_way_to_this_machine_works);
    tcase_add_test(port, no_wake_up_is_lost);
    tcase_add_test(port, no_wake_up_is_lost_between_answers);
    return side_suite(suite, port);
}
