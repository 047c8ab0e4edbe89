/* The table of peers and lists of networks. */
#include "port/networks.h"
#include "port/peers.h"
#include "slave.piw.h"
#include "unit.h"

#include <stdio.h>

static const piw_msg_type any_request;

static piw_msg *record(void)
{
    piw_protocol_use(&slave_protocol_def);
    return slave_BYE_new();
}

static piw__peer_entry *add(piw__peers *peers, const char *routing, const char *address)
{
    return piw__peers_add(peers, routing, strlen(routing), &(piw__peer_from){address, "", "", false});
}

START_TEST(peers_are_found_by_routing_and_number)
{
    piw__peers peers;
    piw__peers_init(&peers, PIW_LIMIT_PEERS);
    ck_assert_ptr_null(piw__peers_find(&peers, "a", 1));
    ck_assert_ptr_null(piw__peers_by_id(&peers, 77));
    for (unsigned i = 0; i < 5000; i++) {
        char routing[16];
        snprintf(routing, sizeof(routing), "peer-%u", i);
        piw__peer_entry *entry = add(&peers, routing, "192.0.2.7");
        ck_assert_ptr_nonnull(entry);
        ck_assert_ptr_eq(piw__peers_by_id(&peers, entry->id), entry);
    }
    for (unsigned i = 0; i < 5000; i++) {
        char routing[16];
        snprintf(routing, sizeof(routing), "peer-%u", i);
        ck_assert_ptr_nonnull(piw__peers_find(&peers, routing, strlen(routing)));
    }
    ck_assert_uint_eq(piw__peers_count(&peers), 5000);
    ck_assert_ptr_null(piw__peers_find(&peers, "peer-5000", 9));
    piw__peers_fini(&peers);
}
END_TEST

START_TEST(peer_numbers_are_never_used_again)
{
    piw__peers one, other;
    piw__peers_init(&one, 2);
    piw__peers_init(&other, 2);
    piw_peer last = 0;
    for (unsigned i = 0; i < 1000; i++) {
        piw__peers *peers = i % 2 ? &one : &other;
        piw__peer_entry *entry = add(peers, "x", "192.0.2.7");
        piw_peer id = entry->id;
        ck_assert_uint_gt(id, last);
        last = id + PIW_LIMIT_PEERS - id % PIW_LIMIT_PEERS - 1;
        piw__peers_forget(peers, entry);
        ck_assert_ptr_null(piw__peers_by_id(peers, id));
    }
    piw__peers_fini(&one);
    piw__peers_fini(&other);
}
END_TEST

START_TEST(longest_silent_peer_is_forgotten_first)
{
    piw__peers peers;
    piw__peers_init(&peers, 4);
    piw__peer_entry *a = add(&peers, "a", "192.0.2.1");
    piw__peer_entry *b = add(&peers, "b", "192.0.2.2");
    piw__peer_entry *c = add(&peers, "c", "192.0.2.3");
    add(&peers, "d", "192.0.2.4");
    piw__peers_open(&peers, a, &any_request);
    piw__peers_record(&peers, b, record());
    ck_assert(piw__peers_spoke(&peers, c, 1));
    add(&peers, "e", "192.0.2.5"); /* a waits, b has a record, c has just spoken: d goes */
    ck_assert_ptr_null(piw__peers_find(&peers, "d", 1));
    ck_assert_ptr_nonnull(piw__peers_find(&peers, "c", 1));
    add(&peers, "f", "192.0.2.6");
    ck_assert_ptr_null(piw__peers_find(&peers, "c", 1));
    piw__peers_open(&peers, piw__peers_find(&peers, "e", 1), &any_request);
    piw__peers_record(&peers, piw__peers_find(&peers, "f", 1), record());
    ck_assert_ptr_null(add(&peers, "g", "192.0.2.7")); /* all four are held */
    piw__peers_record(&peers, b, NULL);
    ck_assert_ptr_nonnull(add(&peers, "g", "192.0.2.7"));
    ck_assert_ptr_null(piw__peers_find(&peers, "b", 1));
    ck_assert_uint_eq(piw__peers_count(&peers), 4);
    piw__peers_fini(&peers);
}
END_TEST

START_TEST(walk_over_records_allows_changes)
{
    piw__peers peers;
    piw__peers_init(&peers, PIW_LIMIT_PEERS);
    for (unsigned i = 0; i < 300; i++) {
        char routing[16];
        snprintf(routing, sizeof(routing), "p%u", i);
        piw__peer_entry *entry = add(&peers, routing, "192.0.2.7");
        if (i % 3 == 0)
            piw__peers_record(&peers, entry, record());
    }
    unsigned seen = 0;
    piw_peer id = 0;
    for (piw__peer_entry *at; (at = piw__peers_next(&peers, id)) != NULL; seen++) {
        id = at->id;
        if (seen % 2 == 0)
            piw__peers_forget(&peers, at);
        else
            piw__peers_record(&peers, at, NULL);
    }
    ck_assert_uint_eq(seen, 100);
    ck_assert_ptr_null(piw__peers_next(&peers, 0));
    ck_assert_uint_eq(piw__peers_count(&peers), 250);
    piw__peers_fini(&peers);
}
END_TEST

START_TEST(messages_a_second_are_bounded_by_address)
{
    piw__peers peers;
    piw__peers_init(&peers, PIW_LIMIT_PEERS);
    piw__peer_entry *one = add(&peers, "a", "192.0.2.7"), *same = add(&peers, "b", "192.0.2.7");
    piw__peer_entry *near = add(&peers, "c", "::ffff:127.0.0.1"), *other = add(&peers, "d", "::ffff:192.0.2.8");
    int64_t now = 5000000000;
    for (unsigned i = 0; i < PIW_LIMIT_REQUESTS_PER_S / 2; i++)
        ck_assert(piw__peers_spoke(&peers, one, now) && piw__peers_spoke(&peers, same, now));
    ck_assert(!piw__peers_spoke(&peers, one, now + 999999999));
    ck_assert(!piw__peers_spoke(&peers, same, now));
    ck_assert(piw__peers_spoke(&peers, other, now));
    ck_assert(piw__peers_spoke(&peers, one, now + 1000000000));
    for (unsigned i = 0; i < PIW_LIMIT_REQUESTS_PER_S * 2; i++)
        ck_assert(piw__peers_spoke(&peers, near, now));
    ck_assert_str_eq(near->address->text, "127.0.0.1");
    ck_assert_str_eq(other->address->text, "192.0.2.8");
    ck_assert_ptr_eq(one->address, same->address);
    piw__peer_entry *file = piw__peers_add(&peers, "e", 1, &(piw__peer_from){"localhost:0:0:12", "", "", true});
    ck_assert_str_eq(file->address->text, "local");
    piw__peers_fini(&peers);
}
END_TEST

static bool holds(const char *networks, const char *address)
{
    piw__networks list;
    piw__ip ip;
    piw_err err = {0};
    ck_assert_msg(piw__networks_parse(&list, networks, &err) == 0, "%s", err.text);
    ck_assert_msg(piw__ip_parse(address, &ip), "%s", address);
    bool in = piw__networks_hold(&list, &ip);
    piw__networks_fini(&list);
    return in;
}

START_TEST(networks_hold_their_addresses)
{
    ck_assert(holds("all", "203.0.113.9"));
    ck_assert(holds("all", "2001:db8::1"));
    ck_assert(holds("10.0.0.0/8", "10.255.0.1"));
    ck_assert(holds("10.0.0.0/8", "::ffff:10.255.0.1"));
    ck_assert(!holds("10.0.0.0/8", "11.0.0.1"));
    ck_assert(!holds("10.0.0.0/8", "::10.0.0.1"));
    ck_assert(holds("192.0.2.0/25", "192.0.2.127"));
    ck_assert(!holds("192.0.2.0/25", "192.0.2.128"));
    ck_assert(holds("192.0.2.5", "192.0.2.5"));
    ck_assert(!holds("192.0.2.5", "192.0.2.4"));
    ck_assert(holds("0.0.0.0/0", "8.8.8.8"));
    ck_assert(!holds("0.0.0.0/0", "2001:db8::1"));
    ck_assert(holds("10.0.0.0/8, 2001:db8::/33", "2001:db8:7fff::1"));
    ck_assert(!holds("10.0.0.0/8, 2001:db8::/33", "2001:db8:8000::1"));
    ck_assert(holds("fe80::/10 ::1", "fe80::1%eth0"));
    ck_assert(holds(" ::1 ,, 10.0.0.0/8 ", "::1"));
}
END_TEST

START_TEST(wrong_networks_are_refused_with_a_sentence)
{
    static const char *const wrong[] = {"",
                                        " , ",
                                        "10.0.0.1/8",
                                        "10.0.0.0/33",
                                        "10.0.0.0/",
                                        "10.0.0.0/-1",
                                        "10.0.0.0/8x",
                                        "10.0.0/8",
                                        "example.org",
                                        "2001:db8::/129",
                                        "2001:db8::1/64",
                                        "fe80::1%eth0",
                                        "all/0",
                                        "10.0.0.0/8;11.0.0.0/8",
                                        "1111111111111111111111111111111111111111111111111111111111111111111111111"};
    for (size_t i = 0; i < PIW_COUNT(wrong); i++) {
        piw__networks list;
        piw_err err = {0};
        ck_assert_msg(piw__networks_parse(&list, wrong[i], &err) == PIW_ECONFIG, "\"%s\" was accepted", wrong[i]);
        ck_assert_msg(strlen(err.text) > 20, "\"%s\"", err.text);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("peers");
    TCase *peers = tcase_create("peers");
    tcase_add_test(peers, peers_are_found_by_routing_and_number);
    tcase_add_test(peers, peer_numbers_are_never_used_again);
    tcase_add_test(peers, longest_silent_peer_is_forgotten_first);
    tcase_add_test(peers, walk_over_records_allows_changes);
    tcase_add_test(peers, messages_a_second_are_bounded_by_address);
    tcase_add_test(peers, networks_hold_their_addresses);
    tcase_add_test(peers, wrong_networks_are_refused_with_a_sentence);
    suite_add_tcase(suite, peers);
    return suite;
}
