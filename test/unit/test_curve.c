/* test_curve.c — who is let in with a key, and what becomes of a connection whose key is revoked. */
#include "piw/keys.h"
#include "port/keys.h"
#include "port_side.h"

#include <fcntl.h>
#include <sys/stat.h>

static char keys_dir[48];

static void path_in_keys(char *to, size_t size, const char *name)
{
    ck_assert_int_lt(snprintf(to, size, "%s/%s", keys_dir, name), (int)size);
}

static piw_key pair(const char *name, const char *queues)
{
    piw_key key;
    ck_assert_int_eq(piw_key_make(&key, NULL), 0);
    snprintf(key.name, sizeof(key.name), "%s", name);
    snprintf(key.queues, sizeof(key.queues), "%s", queues);
    return key;
}

static void put(const piw_key *key, const char *file)
{
    piw_err err = {0};
    int fd = open(keys_dir, O_RDONLY | O_DIRECTORY);
    ck_assert_int_ge(fd, 0);
    ck_assert_msg(piw_key_write(key, fd, file, &err) == 0, "%s", err.text);
    close(fd);
}

static void drop(const char *file)
{
    char path[128];
    path_in_keys(path, sizeof(path), file);
    ck_assert_int_eq(unlink(path), 0);
}

/* One whose public half is let in as `name`.pub. */
static piw_key known(const char *name, const char *queues, const piw_key *master)
{
    char file[80];
    piw_key key = pair(name, queues), open_half = key;
    open_half.has_secret = false;
    snprintf(file, sizeof(file), "%s.pub", name);
    put(&open_half, file);
    memcpy(key.master, master->own, sizeof(key.master));
    key.has_master = true;
    return key;
}

static piw_key master;

static void keys_setup(void)
{
    side_use_protocols();
    unit_folder(side_dir);
    snprintf(keys_dir, sizeof(keys_dir), "%s/keys", side_dir);
    ck_assert_int_eq(mkdir(keys_dir, 0700), 0);
    master = pair("master", "");
    put(&master, "master.key");
}

static void zap_start(void)
{
    static const char *const names[] = {"file-curve"}, *const allows[] = {"10.0.0.0/8"};
    piw_err err = {0};
    const piw__zap_settings settings = {.allow = "all", .names = names, .allows = allows, .count = 1, .keys = keys_dir};
    ck_assert_msg(piw__zap_start(&settings, &err) == 0, "%s", err.text);
}

static void keys_teardown(void)
{
    side_teardown();
}

static piw__port *curve_port(piw_protocol_def *def)
{
    piw__port *port = NULL;
    piw_err err = {0};
    piw__port_settings settings = {.name = def->interned->name,
                                   .address = side_ipc(def->interned->name),
                                   .curve_address = "tcp://127.0.0.1:*",
                                   .protocol = def->interned};
    ck_assert_msg(piw__port_open(&port, &settings, &err) == 0, "%s", err.text);
    return port;
}

static piw_client *connect_with(piw_protocol_def *def, const piw__port *port, const piw_key *key)
{
    piw_client *client = NULL;
    piw_err err = {0};
    ck_assert_msg(piw_client_open_with(&client, def, piw__port_curve_endpoint(port), PIW_MSGPACK, key, &err) == 0, "%s",
                  err.text);
    return client;
}

static int hear(piw_client *client, int timeout_ms)
{
    piw_msg *msg = NULL;
    piw_err err = {0};
    int rc = piw_client_recv(client, &msg, timeout_ms, &err);
    piw_msg_free(&msg);
    return rc;
}

static void say(piw_client *client, piw_msg *msg)
{
    piw_err err = {0};
    ck_assert_msg(piw_client_send(client, &msg, SOON_MS, &err) == 0, "%s", err.text);
}

/* The folder is read again by the check's own thread. */
static void wait_for_change(unsigned before)
{
    int64_t until = piw_monotonic_ns() + SOON_MS * INT64_C(1000000);
    while (piw__keys_generation() == before && piw_monotonic_ns() < until)
        poll(NULL, 0, 10);
    ck_assert_uint_ne(piw__keys_generation(), before);
}

START_TEST(a_known_key_is_let_in_and_is_who_it_is)
{
    piw_key anna = known("anna", "slave file", &master);
    zap_start();
    piw__port *port = curve_port(&slave_protocol_def);
    piw_client *client = connect_with(&slave_protocol_def, port, &anna);
    say(client, slave_BYE_new());
    piw_msg *msg = side_wait(port, SOON_MS);
    ck_assert_ptr_nonnull(msg);
    ck_assert_str_eq(piw__port_peer_address(port, piw_msg_peer(msg)), "key anna");
    piw_msg_free(&msg);
    piw_client_close(&client);
    piw__port_close(&port);
    keys_teardown();
}
END_TEST

/* Until it can be told why there is no connection. */
static const char *trouble_of(piw_client *client)
{
    int64_t until = piw_monotonic_ns() + SOON_MS * INT64_C(1000000);
    const char *why = NULL;
    bool lasting = false;
    while ((why == NULL || !lasting) && piw_monotonic_ns() < until) {
        poll(NULL, 0, 10);
        why = piw_client_trouble(client, &lasting);
    }
    ck_assert_msg(why != NULL, "nothing is known of what is wrong");
    return why;
}

START_TEST(what_is_wrong_is_told)
{
    piw_key anna = known("anna", "slave file", &master), other = pair("other", "");
    memcpy(anna.master, other.own, sizeof(anna.master));
    zap_start();
    piw__port *port = curve_port(&slave_protocol_def), *without = side_port(&slave_protocol_def, "tcp://127.0.0.1:*");
    piw_client *plain = connect_with(&slave_protocol_def, port, NULL), *keyed = NULL;
    ck_assert_ptr_nonnull(strstr(trouble_of(plain), "with keys"));
    ck_assert_int_eq(
        piw_client_open_with(&keyed, &slave_protocol_def, piw__port_endpoint(without), PIW_MSGPACK, &anna, NULL), 0);
    ck_assert_ptr_nonnull(strstr(trouble_of(keyed), "without keys"));
    piw_client *mistaken = connect_with(&slave_protocol_def, port, &anna); /* of another master's */
    ck_assert_ptr_nonnull(trouble_of(mistaken));
    piw_client *good = side_client(&slave_protocol_def, without, PIW_MSGPACK);
    say(good, slave_BYE_new());
    piw_msg *bye = side_get(without);
    ck_assert_ptr_null(piw_client_trouble(good, NULL));
    piw_msg_free(&bye);
    piw_client_close(&good);
    piw_client_close(&mistaken);
    piw_client_close(&keyed);
    piw_client_close(&plain);
    piw__port_close(&port);
    piw__port_close(&without);
    keys_teardown();
}
END_TEST

START_TEST(others_are_refused)
{
    piw_key eye = known("eye", "status control", &master), anna = known("anna", "slave file", &master);
    piw_key stranger = pair("stranger", "slave file");
    memcpy(stranger.master, master.own, sizeof(stranger.master));
    zap_start();
    piw__port *port = curve_port(&slave_protocol_def), *file = curve_port(&file_protocol_def);
    piw_client *clients[] = {connect_with(&slave_protocol_def, port, &stranger), /* nobody knows it */
                             connect_with(&slave_protocol_def, port, &eye),      /* not for this queue */
                             connect_with(&file_protocol_def, file, &anna)};     /* not from this network */
    for (size_t i = 0; i < PIW_COUNT(clients); i++) {
        ck_assert_int_eq(hear(clients[i], SOON_MS), PIW_EREFUSED);
        piw_client_close(&clients[i]);
    }
    piw_client *plain = connect_with(&slave_protocol_def, port, NULL);
    piw_msg *bye = slave_BYE_new();
    int rc = piw_client_send(plain, &bye, NEVER_MS, NULL); /* libzmq may have given the connection up already */
    ck_assert(rc == 0 || rc == PIW_EAGAIN);
    piw_msg_free(&bye);
    ck_assert_ptr_null(side_wait(port, NEVER_MS));
    piw_client_close(&plain);
    piw__port_close(&port);
    piw__port_close(&file);
    keys_teardown();
}
END_TEST

START_TEST(a_revoked_key_is_heard_no_more_and_told_nothing)
{
    piw_key anna = known("anna", "slave file", &master);
    zap_start();
    piw__port *port = curve_port(&slave_protocol_def);
    piw_client *client = connect_with(&slave_protocol_def, port, &anna);
    slave_stats *stats;
    piw_msg *idle = slave_IDLE_new(&stats);
    say(client, idle);
    piw_msg *msg = side_wait(port, SOON_MS);
    ck_assert_ptr_nonnull(msg);
    unsigned before = piw__keys_generation();
    drop("anna.pub");
    wait_for_change(before);
    piw_msg *answer = slave_SLEEP_make(false);
    ck_assert_int_eq(piw__port_answer(port, piw_msg_peer(msg), &answer), 0);
    ck_assert_int_eq(piw__port_figures(port).dead_letters, 1);
    ck_assert_int_ne(hear(client, NEVER_MS), 0);
    piw_msg_free(&msg);
    ck_assert_int_eq(piw_client_reset(client, NULL), 0);
    ck_assert_int_eq(hear(client, SOON_MS), PIW_EREFUSED);
    piw_client_close(&client);
    piw__port_close(&port);
    keys_teardown();
}
END_TEST

/* Publish until the client hears it: a subscription takes its time. */
static bool hears(piw__port *port, piw_client *client, int timeout_ms)
{
    int64_t until = piw_monotonic_ns() + timeout_ms * INT64_C(1000000);
    bool heard = false;
    while (!heard && piw_monotonic_ns() < until) {
        master_stats *stats;
        piw_msg *msg = status_STATS_new(&stats);
        ck_assert_int_eq(piw__port_publish(port, &msg), 0);
        heard = hear(client, 20) == 0;
    }
    return heard;
}

START_TEST(a_revoked_monitor_hears_no_more_and_others_do)
{
    piw_key eye = known("eye", "status control", &master), other = known("other", "status control", &master);
    zap_start();
    piw__port *port = curve_port(&status_protocol_def);
    piw_client *plain = side_client(&status_protocol_def, port, PIW_CBOR);
    piw_client *revoked = connect_with(&status_protocol_def, port, &eye),
               *kept = connect_with(&status_protocol_def, port, &other);
    ck_assert(hears(port, revoked, SOON_MS));
    ck_assert(hears(port, kept, SOON_MS));
    ck_assert(hears(port, plain, SOON_MS));
    unsigned before = piw__keys_generation();
    drop("eye.pub");
    wait_for_change(before);
    bool silent = false; /* what it was sent before may still be under way */
    for (int64_t until = piw_monotonic_ns() + SOON_MS * INT64_C(1000000); !silent && piw_monotonic_ns() < until;)
        silent = !hears(port, revoked, 500);
    ck_assert(silent);
    ck_assert(hears(port, kept, SOON_MS));
    ck_assert(hears(port, plain, SOON_MS));
    piw_client_close(&plain);
    piw_client_close(&revoked);
    piw_client_close(&kept);
    piw__port_close(&port);
    keys_teardown();
}
END_TEST

START_TEST(files_that_others_may_use_are_refused)
{
    piw_key key, anna = known("anna", "slave file", &master);
    char path[128];
    put(&anna, "client");
    path_in_keys(path, sizeof(path), "client");
    ck_assert_int_eq(piw_key_read_client(&key, path, NULL), 0);
    ck_assert_mem_eq(key.secret, anna.secret, sizeof(key.secret));
    static const mode_t modes[] = {0644, 0640, 0604, 0620, 0660, 0601, 0700};
    for (size_t i = 0; i < PIW_COUNT(modes); i++) {
        piw_err err = {0};
        ck_assert_int_eq(chmod(path, modes[i]), 0);
        ck_assert_int_eq(piw_key_read_client(&key, path, &err), PIW_EREFUSED);
        ck_assert_ptr_nonnull(strstr(err.text, "chmod 600"));
    }
    path_in_keys(path, sizeof(path), "anna.pub");
    piw_err err = {0};
    ck_assert_int_eq(piw_key_read_client(&key, path, &err), PIW_ESHAPE); /* no secret in it */
    ck_assert_int_eq(chmod(path, 0666), 0);
    zap_start(); /* one that anybody may have written opens nothing, and keeps nobody else out */
    char name[PIW_KEY_NAME + 1];
    ck_assert(!piw__keys_find(anna.own, "slave", name));
    piw__zap_stop();
    path_in_keys(path, sizeof(path), "master.key");
    ck_assert_int_eq(chmod(path, 0640), 0);
    err = (piw_err){0};
    ck_assert_int_eq(piw__zap_start(&(piw__zap_settings){.keys = keys_dir}, &err), PIW_EREFUSED);
    ck_assert_ptr_nonnull(strstr(err.text, "0640"));
    keys_teardown();
}
END_TEST

/* In a container a killed program's number is that of the next one. */
START_TEST(what_was_left_half_made_is_in_nobodys_way)
{
    char path[128], left[64];
    piw_key anna = pair("anna", "slave");
    snprintf(left, sizeof(left), ".anna.key.%ld", (long)getpid());
    path_in_keys(path, sizeof(path), left);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    put(&anna, "anna.key");
    path_in_keys(path, sizeof(path), "anna.key");
    ck_assert(unit_exists(path));
    keys_teardown();
}
END_TEST

START_TEST(names_and_queues)
{
    static const char *const good[] = {"a", "anna", "pi-4.b_1", "0"}, *const bad[] = {"",    ".a",  "-a", "A",
                                                                                      "a/b", "a b", "ä"};
    for (size_t i = 0; i < PIW_COUNT(good); i++)
        ck_assert(piw_key_name_good(good[i]));
    for (size_t i = 0; i < PIW_COUNT(bad); i++)
        ck_assert(!piw_key_name_good(bad[i]));
    piw_key key = {.queues = "slave file"};
    ck_assert(piw_key_opens(&key, "slave") && piw_key_opens(&key, "file"));
    ck_assert(!piw_key_opens(&key, "status") && !piw_key_opens(&key, "slav") && !piw_key_opens(&key, ""));
    keys_teardown();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("curve");
    TCase *keys = tcase_create("keys");
    tcase_set_timeout(keys, 120);
    tcase_add_checked_fixture(keys, keys_setup, NULL);
    tcase_add_test(keys, a_known_key_is_let_in_and_is_who_it_is);
    tcase_add_test(keys, what_is_wrong_is_told);
    tcase_add_test(keys, others_are_refused);
    tcase_add_test(keys, a_revoked_key_is_heard_no_more_and_told_nothing);
    tcase_add_test(keys, a_revoked_monitor_hears_no_more_and_others_do);
    tcase_add_test(keys, files_that_others_may_use_are_refused);
    tcase_add_test(keys, what_was_left_half_made_is_in_nobodys_way);
    tcase_add_test(keys, names_and_queues);
    return side_suite(suite, keys);
}
