/* Who may connect: networks, bounded connections, start and stop. */
#include "port/networks.h"
#include "port_side.h"
#include "zmtp.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>

static bool admitted(const char *endpoint)
{
    int fd = zmtp_connect(endpoint, "REQ", NULL);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

START_TEST(own_network_is_let_in)
{
    side_start("127.0.0.1/32");
    piw__port *port = side_port(&slave_protocol_def, "tcp://*:*");
    char address[64];
    snprintf(address, sizeof(address), "tcp://127.0.0.1%s", strrchr(piw__port_endpoint(port), ':'));
    ck_assert(admitted(address));
    zmtp_from = "127.0.0.2";
    ck_assert(!admitted(address));
    zmtp_from = NULL;
    piw_client *client = NULL;
    ck_assert_int_eq(piw_client_open(&client, &slave_protocol_def, address, PIW_CBOR, NULL), 0);
    side_send(client, slave_SENT_new());
    piw_msg *got = side_get(port);
    piw_msg_free(&got);
    piw_client_close(&client);
    piw__port_close(&port);
    side_teardown();
}
END_TEST

START_TEST(other_networks_are_refused_and_told)
{
    side_start("10.0.0.0/8, 2001:db8::/32");
    piw__port *ports[] = {side_port(&slave_protocol_def, "tcp://127.0.0.1:*"),
                          side_port(&file_protocol_def, "tcp://127.0.0.1:*")};
    for (size_t i = 0; i < PIW_COUNT(ports); i++)
        ck_assert(!admitted(piw__port_endpoint(ports[i])));
    piw_client *client = side_client(&slave_protocol_def, ports[0], PIW_CBOR);
    piw_msg *msg = slave_SENT_new();
    piw_err err = {0};
    int rc = piw_client_send(client, &msg, 1000, &err);
    if (rc == 0)
        rc = piw_client_recv(client, &msg, SOON_MS, &err);
    ck_assert_msg(rc == PIW_EREFUSED, "%s", piw_err_name(rc));
    ck_assert_ptr_nonnull(strstr(err.text, "[auth] allow"));
    piw_msg_free(&msg);
    ck_assert_ptr_null(side_wait(ports[0], 0));
    piw_client_close(&client);
    piw__port_close(&ports[0]);
    piw__port_close(&ports[1]);
    side_teardown();
}
END_TEST

START_TEST(socket_files_are_not_asked_for_a_network)
{
    side_start("10.0.0.0/8");
    piw__port *port = side_port(&slave_protocol_def, side_ipc("slave"));
    ck_assert(admitted(piw__port_endpoint(port)));
    piw__port_close(&port);
    side_teardown();
}
END_TEST

START_TEST(ipv6_has_its_own_networks)
{
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 one = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool ipv6 = fd >= 0 && bind(fd, (struct sockaddr *)&one, sizeof(one)) == 0;
    close(fd);
    if (!ipv6) {
        printf("skip zap_ipv6 - this machine has no ::1\n");
        return;
    }
    side_start("127.0.0.0/8");
    piw__port *port = side_port(&slave_protocol_def, "tcp://[::1]:*");
    ck_assert(!admitted(piw__port_endpoint(port)));
    piw__port_close(&port);
    side_teardown();
    side_start("::1/128");
    port = side_port(&slave_protocol_def, "tcp://[::1]:*");
    ck_assert(admitted(piw__port_endpoint(port)));
    piw__port_close(&port);
    side_teardown();
}
END_TEST

START_TEST(other_mechanisms_are_refused)
{
    side_start("all");
    piw__port *port = side_port(&slave_protocol_def, "tcp://127.0.0.1:*");
    uint8_t greeting[64] = {0xff, [9] = 0x7f, [10] = 3};
    memcpy(greeting + 12, "PLAIN", 5);
    int fd = zmtp_socket(piw__port_endpoint(port));
    ck_assert_int_ge(fd, 0);
    ck_assert(zmtp_write_all(fd, greeting, sizeof(greeting)));
    /* The connection may end after the greeting already. */
    bool written = zmtp_head(fd, ZMTP_COMMAND, 10) && zmtp_write_all(fd, "\5HELLO\1a\1b", 10);
    ck_assert(!written || zmtp_closed(fd));
    close(fd);
    ck_assert(admitted(piw__port_endpoint(port)));
    piw__port_close(&port);
    side_teardown();
}
END_TEST

/* An address of this machine that isn't loopback. */
static bool outside_address(char *to, size_t size)
{
    struct ifaddrs *all;
    bool found = false;
    if (getifaddrs(&all) != 0)
        return false;
    for (struct ifaddrs *at = all; at != NULL && !found; at = at->ifa_next) {
        char host[NI_MAXHOST];
        if (at->ifa_addr == NULL || at->ifa_addr->sa_family != AF_INET || (at->ifa_flags & IFF_LOOPBACK) != 0 ||
            getnameinfo(at->ifa_addr, sizeof(struct sockaddr_in), host, sizeof(host), NULL, 0, NI_NUMERICHOST) != 0)
            continue;
        found = snprintf(to, size, "tcp://%s:*", host) < (int)size;
    }
    freeifaddrs(all);
    return found;
}

START_TEST(connections_a_minute_are_bounded)
{
    char address[128];
    if (!outside_address(address, sizeof(address))) {
        printf("skip zap_connections - this machine has only its loopback\n");
        return;
    }
    side_start("all");
    piw__port *port = side_port(&slave_protocol_def, address);
    int64_t begin = piw_monotonic_ns();
    for (unsigned i = 0; i < PIW_LIMIT_CONNECTIONS_PER_MIN; i++)
        ck_assert_msg(admitted(piw__port_endpoint(port)), "connection %u was refused", i);
    if (piw_monotonic_ns() - begin < 50 * 1000000000ll) {
        zmtp_bound_ms = 500; /* it isn't refused for good: there is no answer, and the peer comes again */
        ck_assert(!admitted(piw__port_endpoint(port)));
        zmtp_bound_ms = 10000;
    } else {
        printf("skip zap_connections - this machine is too slow to make them in a minute\n");
    }
    piw__port_close(&port);
    side_teardown();
}
END_TEST

START_TEST(it_starts_once_and_stops_cleanly)
{
    piw_err err = {0};
    for (int i = 0; i < 20; i++) {
        ck_assert_msg(piw__zap_start(&(piw__zap_settings){0}, &err) == 0, "%s", err.text);
        ck_assert_int_eq(piw__zap_start(&(piw__zap_settings){.allow = "all"}, NULL), PIW_EEXIST);
        piw__zap_stop();
        piw__zap_stop();
        if (i % 2)
            piw__zmq_term();
    }
    ck_assert_int_eq(piw__zap_start(&(piw__zap_settings){.allow = "10.0.0.1/8"}, &err), PIW_ECONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "[auth] allow"));
    side_use_protocols();
    piw__port *port = NULL;
    piw__port_settings settings = {
        .name = "slave", .address = "tcp://127.0.0.1:*", .protocol = slave_protocol_def.interned};
    err = (piw_err){0};
    ck_assert_int_eq(piw__port_open(&port, &settings, &err), PIW_EINVAL); /* without the check nobody is let in */
    ck_assert_ptr_null(port);
    piw__zmq_term();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("zap");
    TCase *zap = tcase_create("zap");
    tcase_set_timeout(zap, 120);
    tcase_add_test(zap, own_network_is_let_in);
    tcase_add_test(zap, other_networks_are_refused_and_told);
    tcase_add_test(zap, socket_files_are_not_asked_for_a_network);
    tcase_add_test(zap, ipv6_has_its_own_networks);
    tcase_add_test(zap, other_mechanisms_are_refused);
    tcase_add_test(zap, connections_a_minute_are_bounded);
    tcase_add_test(zap, it_starts_once_and_stops_cleanly);
    return side_suite(suite, zap);
}
