/* A wheel that comes while builds are being recorded: workers store and read it then. The second thing that one of them is to store can't
 * be: a piece that was lost so is asked for again. */
#include "site_house.h"

enum {
    SILENT_MS = 300,
    QUICK_NS = 2000000, /* a tenth of the time for which transfers give way after a build */
    QUICK_PIECES = 10,  /* so many that came so soon after one: the fault point has been met */
};

/* Fault points are read when a program begins. */
__attribute__((constructor)) static void arm(int argc, char **argv)
{
    (void)argc;
    if (getenv("PIW_FAULTS") == NULL && setenv("PIW_FAULTS", "juggler.store=error:2", 1) == 0)
        execv("/proc/self/exe", argv);
}

/* Answers what is asked for until DONE comes, each time after a build of another package. Who hears nothing says HELLO again. Swaps the
 * task each `swap` pieces (0: never). Returns how often it had to say HELLO again; *quick: how many pieces came soon after a build. */
static int serve_beside(piw_client *client, const parcel *p, int swap, int *quick)
{
    int again = 0;
    *quick = 0;
    for (int n = 1;; n++) {
        piw_err err = {0};
        piw_msg *msg = NULL;
        stage(BUILD + n, "silver", "failed");
        int64_t staged_ns = piw_monotonic_ns();
        while (piw_client_recv(client, &msg, SILENT_MS, NULL) != 0) {
            ck_assert_int_lt(++again, WAIT_MS / SILENT_MS);
            hello(client, 7);
        }
        bool done = piw_msg_type_of(msg) != file_FETCH_type();
        int64_t offset = done ? 0 : file_FETCH_of(msg)->offset, length = done ? 0 : file_FETCH_of(msg)->length;
        piw_msg_free(&msg);
        if (done)
            return again;
        chunk(client, offset, p->bytes.data + offset, (size_t)length);
        *quick += piw_monotonic_ns() - staged_ns < QUICK_NS;
        if (swap > 0 && n % swap == 0)
            ck_assert_msg(piw_runtime_replace(runtime, "file_juggler", "file_juggler.so", &err) == 0, "%s", err.text);
    }
}

static void ck_comes(int swap)
{
    parcel p = pack("gold", 5000000);
    expect(&p, BUILD, 7, "local", "gold");
    piw_client *client = connect_file();
    hello(client, 7);
    int quick, again = serve_beside(client, &p, swap, &quick);
    ck_assert_msg(again > 0 || quick < QUICK_PIECES, "%d pieces came soon after a build, and none was lost", quick);
    ck_good(BUILD, 7);
    stage(BUILD, "gold", "log");
    publish(BUILD, "gold", NULL);
    ck_bytes("simple/gold/gold-1.0-py3-none-any.whl", &p.bytes);
    piw_client_close(&client);
    piw_buffer_fini(&p.bytes);
}

START_TEST(what_cant_be_stored_is_asked_for_again)
{
    ck_comes(0);
}
END_TEST

START_TEST(swaps_lose_nothing_of_it)
{
    ck_comes(3);
}
END_TEST

/* What a worker still stores of the first one is not in the second, which has the same name. */
START_TEST(a_file_that_is_asked_for_anew_begins_anew)
{
    parcel p = pack("gold", 3000000), other = pack("gold", 2000000);
    piw_client *client = connect_file();
    int64_t offset, length;
    for (int i = 0; i < 5; i++) {
        expect(&p, BUILD, 7, "local", "gold");
        hello(client, 7);
        stage(BUILD + 1 + i, "silver", "failed");
        ck_assert(asked(client, &offset, &length));
        chunk(client, offset, p.bytes.data + offset, (size_t)length);
        piw_client_close(&client);
        client = connect_file();
    }
    expect(&other, BUILD, 7, "local", "gold");
    hello(client, 7);
    int quick;
    serve_beside(client, &other, 0, &quick);
    ck_good(BUILD, 7);
    piw_client_close(&client);
    piw_buffer_fini(&p.bytes);
    piw_buffer_fini(&other.bytes);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("beside_builds");
    TCase *tests = tcase_create("beside_builds");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_cant_be_stored_is_asked_for_again);
    tcase_add_test(tests, swaps_lose_nothing_of_it);
    tcase_add_test(tests, a_file_that_is_asked_for_anew_begins_anew);
    suite_add_tcase(suite, tests);
    return suite;
}
