/* How a wheel comes into the site: chunks, checks, staging, publishing, and what is cleaned up before and after. */
#include "site_house.h"

/* --- From the first chunk to the page --- */

START_TEST(a_wheel_travels_from_slave_to_page)
{
    parcel p = pack("gold", 3000000);
    store("gold", p.name, p.hash);
    expect(&p, BUILD, 7, "local", "gold");
    transfer(&p, 7);
    piw_msg *answer = verify(BUILD, 7);
    const fs_VERIFY_reply *found = fs_VERIFY_reply_of(answer);
    ck_assert_msg(found->good, "%s", found->why.s);
    ck_assert_str_eq(found->file.state.filename.s, p.name);
    ck_assert_str_eq(found->file.state.requires_python.s, ">=3.5");
    ck_assert_uint_eq(found->file.metadata_hash.len, 64);
    ck_assert(!is_there("simple/gold"));
    stage(BUILD, "gold", "all\x01 is well\n");
    ck_assert(!is_there("logs"));
    publish(BUILD, "gold", NULL);
    ck_bytes("simple/gold/gold-1.0-py3-none-any.whl", &p.bytes);
    struct stat info;
    ck_assert_int_eq(stat(at("simple/gold/gold-1.0-py3-none-any.whl"), &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0644);
    char *metadata = content("simple/gold/gold-1.0-py3-none-any.whl.metadata"), hash[65];
    ck_assert_ptr_nonnull(strstr(metadata, "Name: gold\n"));
    piw_buffer bytes = {(uint8_t *)metadata, strlen(metadata), 0};
    maker_hash(&bytes, hash);
    ck_assert_str_eq(hash, found->file.metadata_hash.s);
    free(metadata);
    piw_msg_free(&answer);
    ck_log("logs/0001/2345/6789.txt.gz", "all\xef\xbf\xbd is well\n");
    ck_assert(!is_there(".staging/000123456789"));

    tell("scribe", scribe_BOTH_make(piw_text_of("gold")));
    char *page = content("simple/gold/index.html");
    ck_assert_ptr_nonnull(strstr(page, p.name));
    free(page);
    ck_assert(is_there("project/gold/json/index.json"));
    tell("scribe", scribe_HOME_new());
    ck_assert(is_there("index.html"));
    ck_assert(is_there("404.html"));
    piw_buffer_fini(&p.bytes);
}
END_TEST

/* Many at a time are synced together. */
START_TEST(the_last_file_of_a_build_stages_it)
{
    enum { BUILDS = 12 };
    parcel p = pack("gold", 3000), large = pack("gold", 3000000);
    piw_client *clients[BUILDS];
    for (int i = 0; i < BUILDS; i++) {
        expect_last(i == BUILDS - 1 ? &large : &p, BUILD + i, 7 + i, "gold", "all is well");
        clients[i] = connect_file();
        hello(clients[i], 7 + i);
    }
    for (int i = 0; i < BUILDS; i++)
        serve(clients[i], i == BUILDS - 1 ? &large : &p);
    for (int i = 0; i < BUILDS; i++) {
        piw_msg *verdict = verify(BUILD + i, 7 + i);
        ck_assert(is_staged_too(verdict));
        piw_msg_free(&verdict);
        ck_assert(!is_there("simple/gold"));
    }
    publish(BUILD, "gold", NULL);
    ck_bytes("simple/gold/gold-1.0-py3-none-any.whl", &p.bytes);
    ck_assert(is_there("simple/gold/gold-1.0-py3-none-any.whl.metadata"));
    ck_log("logs/0001/2345/6789.txt.gz", "all is well");
    publish(BUILD + BUILDS - 1, "gold", NULL);
    ck_bytes("simple/gold/gold-1.0-py3-none-any.whl", &large.bytes);
    for (int i = 0; i < BUILDS; i++)
        piw_client_close(&clients[i]);
    piw_buffer_fini(&p.bytes);
    piw_buffer_fini(&large.bytes);
}
END_TEST

/* What was done before VERIFY asked isn't kept over a swap: it is done again. */
START_TEST(a_swap_before_it_is_asked_for_loses_nothing)
{
    parcel p = pack("gold", 3000);
    piw_err err = {0};
    expect_last(&p, BUILD, 7, "gold", "all is well");
    piw_client *client = connect_file();
    hello(client, 7);
    serve(client, &p);
    ck_assert_msg(piw_runtime_replace(runtime, "file_juggler", "file_juggler.so", &err) == 0, "%s", err.text);
    piw_msg *verdict = verify(BUILD, 7);
    if (!is_staged_too(verdict))
        stage(BUILD, "gold", "all is well");
    piw_msg_free(&verdict);
    publish(BUILD, "gold", NULL);
    ck_bytes("simple/gold/gold-1.0-py3-none-any.whl", &p.bytes);
    ck_log("logs/0001/2345/6789.txt.gz", "all is well");
    piw_client_close(&client);
    piw_buffer_fini(&p.bytes);
}
END_TEST

START_TEST(a_bad_last_file_stages_nothing)
{
    parcel p = pack("gold", 3000), other = pack("gold", 3000);
    other.bytes.data[1000] ^= 1;
    for (int i = 0; i < 2; i++) {
        expect_last(&p, BUILD, 7, "gold", "all is well");
        transfer(i == 0 ? &other : &p, 7);
        piw_msg *verdict = verify(BUILD, 7);
        ck_assert_int_eq(fs_VERIFY_reply_of(verdict)->good, i == 1);
        ck_assert_int_eq(fs_VERIFY_reply_of(verdict)->staged != NULL && *fs_VERIFY_reply_of(verdict)->staged, i == 1);
        piw_msg_free(&verdict);
    }
    piw_buffer_fini(&p.bytes);
    piw_buffer_fini(&other.bytes);
}
END_TEST

START_TEST(strange_chunks_change_nothing)
{
    parcel p = pack("gold", 1000000);
    expect(&p, BUILD, 7, "local", "gold");
    piw_client *stranger = connect_file();
    hello(stranger, 8);
    chunk(stranger, 0, "intruder", 8);
    piw_client *client = connect_file();
    chunk(client, 0, "too early", 9);
    hello(client, 7);
    int64_t offset, length;
    ck_assert(asked(client, &offset, &length));
    ck_assert_int_eq(offset, 0);
    static uint8_t zeros[1 << 20];
    chunk(client, 0, zeros, (size_t)length - 1);
    chunk(client, 0, zeros, (size_t)length + 1);
    chunk(client, 1, zeros, (size_t)length);
    chunk(client, -1, zeros, 1);
    chunk(client, (int64_t)p.bytes.len, zeros, 100);
    chunk(client, INT64_MAX, zeros, 1);
    chunk(client, 0, "", 0);
    chunk(client, 0, p.bytes.data, (size_t)length);
    /* It has come: another one of the same place doesn't count. */
    chunk(client, 0, zeros, (size_t)length);
    serve(client, &p);
    ck_good(BUILD, 7);
    piw_client_close(&stranger);
    piw_client_close(&client);
    piw_buffer_fini(&p.bytes);
}
END_TEST

START_TEST(a_transfer_belongs_to_its_address)
{
    parcel p = pack("gold", 100);
    expect(&p, BUILD, 7, "192.0.2.7", "gold");
    piw_client *client = connect_file();
    hello(client, 7);
    /* The same connection is heard once the right address is announced: what it said before is over by then. */
    expect(&p, BUILD, 8, "local", "gold");
    hello(client, 8);
    int64_t offset, length;
    ck_assert(asked(client, &offset, &length));
    chunk(client, 0, p.bytes.data, p.bytes.len);
    ck_assert(!asked(client, &offset, &length));
    ck_bad(BUILD, 7, false, "not finished");
    piw_client_close(&client);
    piw_buffer_fini(&p.bytes);
}
END_TEST

/* Importers ask over a socket file and send over the loopback interface, or the other way round. */
START_TEST(a_socket_file_and_the_loopback_interface_are_one_place)
{
    static const char *const addresses[] = {"127.0.0.1", "::1", "127.0.1.1"};
    parcel p = pack("gold", 100);
    for (size_t i = 0; i < PIW_COUNT(addresses); i++) {
        int64_t offset, length;
        expect(&p, BUILD, 0, addresses[i], "gold");
        piw_client *client = connect_file();
        hello(client, 0);
        ck_assert(asked(client, &offset, &length));
        piw_client_close(&client);
    }
    piw_buffer_fini(&p.bytes);
}
END_TEST

enum { AT_ONCE = 4 }; /* pieces that a new transfer asks for before the first has come */

static void take_asked(piw_client *client, int64_t *offsets, int64_t *lengths)
{
    for (int i = 0; i < AT_ONCE; i++)
        ck_assert(asked(client, &offsets[i], &lengths[i]));
}

START_TEST(what_got_lost_is_asked_for_again)
{
    parcel p = pack("gold", 5000000);
    expect(&p, BUILD, 7, "local", "gold");
    piw_client *client = connect_file();
    hello(client, 7);
    int64_t offset, length, offsets[AT_ONCE], lengths[AT_ONCE];
    take_asked(client, offsets, lengths);
    /* The second is lost, the third comes twice, and late ones count though they were asked for anew. */
    hello(client, 7);
    for (int i = 0; i < AT_ONCE; i++) {
        for (int times = i == 1 ? 0 : i == 2 ? 2 : 1; times > 0; times--)
            chunk(client, offsets[i], p.bytes.data + offsets[i], (size_t)lengths[i]);
    }
    bool again = false;
    while (asked(client, &offset, &length)) {
        if (offset == offsets[1] && length == lengths[1] && !again) {
            again = true;
            continue;
        }
        if (again || offset != offsets[1])
            chunk(client, offset, p.bytes.data + offset, (size_t)length);
        if (again) {
            hello(client, 7);
            serve(client, &p);
            break;
        }
    }
    ck_assert(again);
    /* DONE may have got lost as well. */
    hello(client, 7);
    while (asked(client, &offset, &length))
        continue;
    ck_good(BUILD, 7);
    piw_client_close(&client);
    piw_buffer_fini(&p.bytes);
}
END_TEST

/* In any order, and twice: what is published is what was packed. */
START_TEST(pieces_come_in_any_order)
{
    parcel p = pack("gold", 9000000);
    expect(&p, BUILD, 7, "local", "gold");
    piw_client *client = connect_file();
    hello(client, 7);
    int64_t offsets[AT_ONCE], lengths[AT_ONCE];
    take_asked(client, offsets, lengths);
    for (int i = AT_ONCE - 1; i >= 0; i--)
        for (int times = 0; times < 2; times++)
            chunk(client, offsets[i], p.bytes.data + offsets[i], (size_t)lengths[i]);
    serve(client, &p);
    ck_good(BUILD, 7);
    stage(BUILD, "gold", "log");
    publish(BUILD, "gold", NULL);
    ck_bytes("simple/gold/gold-1.0-py3-none-any.whl", &p.bytes);
    piw_client_close(&client);
    piw_buffer_fini(&p.bytes);
}
END_TEST

/* Somebody else at the same address knows the number of a slave, and is first: the slave's own file comes through. */
START_TEST(who_sends_another_file_makes_way)
{
    parcel p = pack("gold", 3000000), other = pack("gold", 3000000), small = pack("gold", 100);
    other.bytes.data[1000] ^= 1;
    expect(&p, BUILD, 7, "local", "gold");
    piw_client *liar = connect_file(), *slave = connect_file();
    hello(liar, 7);
    int64_t offset, length;
    ck_assert(asked(liar, &offset, &length));
    hello(slave, 7);
    /* What it says comes in order: when it is asked for another file it has been heard. */
    expect(&small, BUILD + 1, 8, "local", "gold");
    hello(slave, 8);
    ck_assert(asked(slave, &offset, &length));
    ck_assert_int_eq(length, (int64_t)small.bytes.len);
    expect(&small, BUILD + 1, 8, "local", "gold");
    /* The liar sends all that it is asked for, and is never told DONE: the slave is asked instead. */
    hello(liar, 7);
    piw_msg *msg = NULL;
    for (int64_t until = piw_monotonic_ns() + WAIT_MS * INT64_C(1000000); piw_client_recv(slave, &msg, 0, NULL) != 0;) {
        ck_assert_int_lt(piw_monotonic_ns(), until);
        if (piw_client_recv(liar, &msg, 10, NULL) != 0)
            continue;
        ck_assert_ptr_eq(piw_msg_type_of(msg), file_FETCH_type());
        offset = file_FETCH_of(msg)->offset;
        chunk(liar, offset, other.bytes.data + offset, (size_t)file_FETCH_of(msg)->length);
        piw_msg_free(&msg);
    }
    chunk(slave, file_FETCH_of(msg)->offset, p.bytes.data + file_FETCH_of(msg)->offset,
          (size_t)file_FETCH_of(msg)->length);
    piw_msg_free(&msg);
    serve(slave, &p);
    ck_good(BUILD, 7);
    stage(BUILD, "gold", "log");
    publish(BUILD, "gold", NULL);
    ck_bytes("simple/gold/gold-1.0-py3-none-any.whl", &p.bytes);
    piw_client_close(&liar);
    piw_client_close(&slave);
    piw_buffer_fini(&p.bytes);
    piw_buffer_fini(&other.bytes);
    piw_buffer_fini(&small.bytes);
}
END_TEST

/* It was heard, and is asked for nothing of what it said before: only for the small file of slave 8. */
static void ck_only_heard(piw_client *liar, const parcel *small)
{
    int64_t offset, length;
    expect(small, BUILD + 1, 8, "local", "gold");
    hello(liar, 8);
    ck_assert(asked(liar, &offset, &length));
    ck_assert_int_eq(length, (int64_t)small->bytes.len);
}

/* Who knows the slave's number, and not its token, neither stops nor joins its transfer: not before it, not in the middle,
 * not when all has come, not after a swap; and the slave's next connection needs not wait for the end of the one before. */
START_TEST(a_transfer_belongs_to_its_token)
{
    parcel p = pack("gold", 5000000), small = pack("gold", 100);
    expect_with(&p, BUILD, 7, "local", "gold", "5e6f");
    piw_client *liar = connect_file(), *slave = connect_file();
    hello(liar, 7);
    hello_with(liar, 7, "5e60");
    hello_with(liar, 7, "5e6");
    ck_only_heard(liar, &small);
    int64_t offset, length;
    hello_with(slave, 7, "5e6f");
    ck_assert(asked(slave, &offset, &length));
    hello(liar, 7);
    chunk(liar, offset, p.bytes.data + offset + 1, (size_t)length); /* other bytes of that place */
    ck_only_heard(liar, &small);
    chunk(slave, offset, p.bytes.data + offset, (size_t)length);
    ck_assert(asked(slave, &offset, &length));
    piw_err err = {0};
    ck_assert_msg(piw_runtime_replace(runtime, "file_juggler", "file_juggler.so", &err) == 0, "%s", err.text);
    hello(liar, 7);
    ck_only_heard(liar, &small);
    piw_client *next = connect_file();
    hello_with(next, 7, "5e6f");
    serve(next, &p);
    hello(liar, 7);
    ck_only_heard(liar, &small);
    ck_good(BUILD, 7);
    piw_client_close(&liar);
    piw_client_close(&slave);
    piw_client_close(&next);
    piw_buffer_fini(&p.bytes);
    piw_buffer_fini(&small.bytes);
}
END_TEST

/* file_juggler begins anew alone and knows nothing of what it was sent: it says so, and when the file is expected again (which slave_driver
 * sees to), its slave sends it from the beginning. Who has no token gets nothing all the while. */
START_TEST(a_transfer_that_is_forgotten_begins_anew)
{
    enum { HELLOS = 200 };
    parcel p = pack("gold", 5000000), small = pack("gold", 100);
    store("gold", p.name, p.hash);
    expect_with(&p, BUILD, 7, "local", "gold", "5e6f");
    piw_client *liar = connect_file(), *slave = connect_file();
    int64_t offset, length;
    hello_with(slave, 7, "5e6f");
    ck_assert(asked(slave, &offset, &length));
    chunk(slave, offset, p.bytes.data + offset, (size_t)length);
    ck_assert(asked(slave, &offset, &length));
    ck_assert_int_eq(count_of("transfer_unknown("), 0);
    piw_err err = {0};
    ck_assert_msg(piw_runtime_restart(runtime, "file_juggler", &err) == 0, "%s", err.text);
    chunk(slave, offset, p.bytes.data + offset, (size_t)length);
    hello_with(slave, 7, "5e6f");
    wait_for("transfer_unknown(slave_id=7)", 1);
    /* Who says it all the time is told of once a second. */
    for (int i = 0; i < HELLOS; i++)
        hello(liar, 7);
    ck_only_heard(liar, &small);
    ck_assert_int_lt(count_of("transfer_unknown(slave_id=7)"), HELLOS / 4);
    expect_with(&p, BUILD, 7, "local", "gold", "5e6f");
    int64_t told = count_of("transfer_unknown(");
    hello(liar, 7);
    ck_only_heard(liar, &small);
    piw_client *next = connect_file();
    hello_with(next, 7, "5e6f");
    serve(next, &p);
    ck_assert_int_eq(count_of("transfer_unknown("), told);
    ck_good(BUILD, 7);
    stage(BUILD, "gold", "log");
    publish(BUILD, "gold", NULL);
    ck_bytes("simple/gold/gold-1.0-py3-none-any.whl", &p.bytes);
    piw_client_close(&liar);
    piw_client_close(&slave);
    piw_client_close(&next);
    piw_buffer_fini(&p.bytes);
    piw_buffer_fini(&small.bytes);
}
END_TEST

/* A damaged file that nobody else claims is a bad transfer, as ever; and another connection sends all of it anew. */
START_TEST(a_damaged_file_is_sent_anew_by_another_connection)
{
    parcel p = pack("gold", 1000000), damaged = pack("gold", 1000000);
    damaged.bytes.data[500] ^= 1;
    expect(&p, BUILD, 7, "local", "gold");
    transfer(&damaged, 7);
    transfer(&p, 7);
    ck_good(BUILD, 7);
    piw_buffer_fini(&p.bytes);
    piw_buffer_fini(&damaged.bytes);
}
END_TEST

/* It says HELLO first, and sends nothing: after some seconds another connection has the transfer. */
START_TEST(who_is_silent_makes_way)
{
    parcel p = pack("gold", 1000000);
    expect(&p, BUILD, 7, "local", "gold");
    piw_client *silent = connect_file(), *slave = connect_file();
    int64_t offset, length;
    hello(silent, 7);
    ck_assert(asked(silent, &offset, &length));
    piw_msg *msg = NULL;
    int tries = 0;
    for (hello(slave, 7); piw_client_recv(slave, &msg, 500, NULL) != 0; hello(slave, 7))
        ck_assert_int_lt(++tries, 2 * WAIT_MS / 500);
    ck_assert_int_gt(tries, 3); /* not at once */
    ck_assert_ptr_eq(piw_msg_type_of(msg), file_FETCH_type());
    offset = file_FETCH_of(msg)->offset;
    chunk(slave, offset, p.bytes.data + offset, (size_t)file_FETCH_of(msg)->length);
    piw_msg_free(&msg);
    serve(slave, &p);
    ck_good(BUILD, 7);
    piw_client_close(&silent);
    piw_client_close(&slave);
    piw_buffer_fini(&p.bytes);
}
END_TEST

START_TEST(bad_files_are_told_from_bad_transfers)
{
    parcel p = pack("gold", 1000), damaged = pack("gold", 1000);
    damaged.bytes.data[500] ^= 1;
    ck_bad(BUILD, 7, false, "no transfer");
    expect(&p, BUILD, 7, "local", "gold");
    ck_bad(BUILD, 7, false, "not finished");
    transfer(&damaged, 7);
    ck_bad(BUILD, 7, false, "SHA-256");
    expect(&p, BUILD, 7, "local", "gold");
    transfer(&p, 7);
    ck_good(BUILD, 7);
    maker_hash(&damaged.bytes, damaged.hash);
    expect(&damaged, BUILD, 7, "local", "gold");
    transfer(&damaged, 7);
    ck_bad(BUILD, 7, true, "no sound wheel");
    piw_buffer_fini(&p.bytes);
    piw_buffer_fini(&damaged.bytes);
}
END_TEST

START_TEST(builds_are_thrown_away_and_published_once)
{
    parcel p = pack("gold", 1000), other = pack("gold", 2000);
    expect(&p, BUILD, 7, "local", "gold");
    transfer(&p, 7);
    ck_good(BUILD, 7);
    /* DISCARD is a cast, but of one sender and one receiver: a STAGE after it finds the wheel gone. Here both come from
     * different ends, so what is published is looked at instead. */
    stage(BUILD, "gold", "first");
    publish(BUILD, "gold", NULL);
    publish(BUILD, "gold", NULL);
    ck_bytes("simple/gold/gold-1.0-py3-none-any.whl", &p.bytes);
    /* Another build whose bytes differ: what is published stays, its log does too. */
    expect(&other, BUILD + 1, 7, "local", "gold");
    transfer(&other, 7);
    ck_good(BUILD + 1, 7);
    stage(BUILD + 1, "gold", "second");
    publish(BUILD + 1, "gold", p.name);
    ck_bytes("simple/gold/gold-1.0-py3-none-any.whl", &p.bytes);
    ck_log("logs/0001/2345/6790.txt.gz", "second");
    /* A log is never overwritten. */
    stage(BUILD, "gold", "third");
    publish(BUILD, "gold", NULL);
    ck_log("logs/0001/2345/6789.txt.gz", "first");
    ck_assert(!is_there(".staging/000123456789"));
    ck_assert(!is_there(".staging/000123456790"));
    piw_buffer_fini(&p.bytes);
    piw_buffer_fini(&other.bytes);
}
END_TEST

START_TEST(a_swap_in_mid_transfer_loses_nothing)
{
    parcel p = pack("gold", 5000000);
    expect(&p, BUILD, 7, "local", "gold");
    piw_client *client = connect_file();
    hello(client, 7);
    int64_t offset, length;
    for (int i = 0; i < 12; i++) {
        piw_err err = {0};
        ck_assert(asked(client, &offset, &length));
        if (i == 5)
            ck_assert_msg(piw_runtime_replace(runtime, "file_juggler", "file_juggler.so", &err) == 0, "%s", err.text);
        chunk(client, offset, p.bytes.data + offset, (size_t)length);
    }
    serve(client, &p);
    ck_good(BUILD, 7);
    stage(BUILD, "gold", "log");
    publish(BUILD, "gold", NULL);
    ck_bytes("simple/gold/gold-1.0-py3-none-any.whl", &p.bytes);
    piw_client_close(&client);
    piw_buffer_fini(&p.bytes);
}
END_TEST

START_TEST(a_file_that_is_refused_is_not_expected)
{
    parcel p = pack("gold", 100);
    fs_EXPECT *body;
    piw_msg *msg = fs_EXPECT_new(&body), *answer = NULL;
    body->build_id = BUILD;
    body->slave_id = 7;
    body->peer_address = piw_text_of("local");
    body->package = piw_text_of("silver");
    body->file.filename = piw_msg_textz(msg, p.name);
    body->file.filesize = 100;
    piw_err err = {0};
    int rc = piw_runtime_call(runtime, "fs", &msg, WAIT_MS, &answer, &err);
    ck_assert(rc != 0 || piw_msg_error(answer) != 0);
    piw_msg_free(&answer);
    piw_msg_free(&msg);
    ck_assert(!is_there(".staging/000123456789"));
    piw_buffer_fini(&p.bytes);
}
END_TEST

/* --- Before and after --- */

START_TEST(what_a_killed_master_left_is_finished_or_removed)
{
    make_folders();
    parcel p = pack("gold", 1000);
    begin();
    /* Two builds are staged; then the master is gone. */
    for (int i = 0; i < 2; i++) {
        expect(&p, BUILD + i, 7, "local", "gold");
        transfer(&p, 7);
        ck_good(BUILD + i, 7);
        stage(BUILD + i, "gold", "left behind");
    }
    end();
    ck_assert(!is_there("simple/gold"));
    ck_assert(is_there(".staging/000123456790"));
    ck_assert_int_eq(piw_file_write(root, at(".staging/tmp/1-half"), "x", 1, 0, NULL), 0);
    /* The database is away at first: what is left waits for it. */
    away_at_start = "yes";
    begin();
    wait_for("BUILDS_KNOWN(", 1);
    store("gold", p.name, p.hash);
    tell("archive", known(BUILD));
    set("away", "no");
    /* Once for the file's hash, and once for the pages, which follow when it is in place. */
    wait_for("PROJECT(package='gold')", 2);
    ck_bytes("simple/gold/gold-1.0-py3-none-any.whl", &p.bytes);
    ck_assert(is_there("simple/gold/gold-1.0-py3-none-any.whl.metadata"));
    ck_log("logs/0001/2345/6789.txt.gz", "left behind");
    ck_assert(!is_there("logs/0001/2345/6790.txt.gz"));
    ck_assert(!is_there(".staging/000123456789"));
    ck_assert(!is_there(".staging/000123456790"));
    ck_assert(!is_there(".staging/tmp/1-half"));
    piw_buffer_fini(&p.bytes);
}
END_TEST

static void seal(const built_file *file, int64_t build_id, const char *package)
{
    build_row *body;
    piw_msg *msg = fs_SEAL_new(&body);
    body->build_id = build_id;
    body->slave_id = 7;
    body->package = piw_msg_textz(msg, package);
    body->version = piw_msg_textz(msg, "1.0");
    body->abi_tag = piw_msg_textz(msg, "cp311");
    body->status = true;
    body->duration = piw_duration_from_us(1500000);
    piw_msg_list(msg, &body->files, 1);
    piw_value_copy(msg, built_file_type(), file, &body->files.at[0]);
    tell("fs", msg);
}

/* What was sealed while the database was away is recorded by the next master, in order, and put in place. */
START_TEST(what_was_sealed_is_recorded_and_put_in_place)
{
    make_folders();
    parcel p[] = {pack("gold", 1000), pack("silver", 1000)};
    const char *const names[] = {"gold", "silver"};
    begin();
    for (int i = 1; i >= 0; i--) {
        expect(&p[i], BUILD + i, 7, "local", names[i]);
        transfer(&p[i], 7);
        piw_msg *verdict = verify(BUILD + i, 7);
        stage(BUILD + i, names[i], "sealed");
        seal(&fs_VERIFY_reply_of(verdict)->file, BUILD + i, names[i]);
        piw_msg_free(&verdict);
    }
    end();
    begin_asking();
    for (int i = 0; i < 2; i++)
        store(names[i], p[i].name, p[i].hash);
    answer_builds();
    wait_for("PROJECT(package='silver')", 2);
    wait_for("LOGBUILD(build_id=123456789, slave_id=7, package='gold', version='1.0', abi_tag='cp311', status=true", 1);
    wait_for("LOGBUILD(build_id=123456790", 1);
    for (int i = 0; i < 2; i++) {
        char path[128];
        snprintf(path, sizeof(path), "simple/%s/%s", names[i], p[i].name);
        ck_bytes(path, &p[i].bytes);
        piw_buffer_fini(&p[i].bytes);
    }
    ck_log("logs/0001/2345/6790.txt.gz", "sealed");
    ck_assert(!is_there(".staging/000123456789"));
    ck_assert(!is_there(".staging/000123456790"));
}
END_TEST

START_TEST(files_that_are_due_are_removed)
{
    ck_assert_int_eq(piw_file_write(root, at("simple/gold/a-1-py3-none-any.whl"), "x", 1, 0, NULL), 0);
    ck_assert_int_eq(piw_file_write(root, at("simple/gold/a-1-py3-none-any.whl.metadata"), "x", 1, 0, NULL), 0);
    tell("archive", archive_DUE_make(piw_text_of("gold"), piw_text_of("a-1-py3-none-any.whl")));
    tell("archive", archive_DUE_make(piw_text_of("gold"), piw_text_of("was-1-py3-none-any.whl")));
    wait_for("REMOVALS_DONE", 1);
    ck_assert(!is_there("simple/gold"));
    wait_for("DISK(", 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("transfer");
    TCase *files = tcase_create("files");
    tcase_set_timeout(files, 60);
    tcase_add_checked_fixture(files, setup, teardown);
    tcase_add_test(files, a_wheel_travels_from_slave_to_page);
    tcase_add_test(files, the_last_file_of_a_build_stages_it);
    tcase_add_test(files, a_swap_before_it_is_asked_for_loses_nothing);
    tcase_add_test(files, a_bad_last_file_stages_nothing);
    tcase_add_test(files, strange_chunks_change_nothing);
    tcase_add_test(files, a_transfer_belongs_to_its_address);
    tcase_add_test(files, a_socket_file_and_the_loopback_interface_are_one_place);
    tcase_add_test(files, what_got_lost_is_asked_for_again);
    tcase_add_test(files, pieces_come_in_any_order);
    tcase_add_test(files, who_sends_another_file_makes_way);
    tcase_add_test(files, a_transfer_belongs_to_its_token);
    tcase_add_test(files, a_transfer_that_is_forgotten_begins_anew);
    tcase_add_test(files, a_damaged_file_is_sent_anew_by_another_connection);
    tcase_add_test(files, who_is_silent_makes_way);
    tcase_add_test(files, bad_files_are_told_from_bad_transfers);
    tcase_add_test(files, builds_are_thrown_away_and_published_once);
    tcase_add_test(files, a_swap_in_mid_transfer_loses_nothing);
    tcase_add_test(files, a_file_that_is_refused_is_not_expected);
    tcase_add_test(files, files_that_are_due_are_removed);
    suite_add_tcase(suite, files);
    TCase *restart = tcase_create("restart");
    tcase_set_timeout(restart, 60);
    tcase_add_checked_fixture(restart, NULL, teardown);
    tcase_add_test(restart, what_a_killed_master_left_is_finished_or_removed);
    tcase_add_test(restart, what_was_sealed_is_recorded_and_put_in_place);
    suite_add_tcase(suite, restart);
    return suite;
}
