/* Signals reach the one thread that takes them, each once, and no other thread. */
#include "unit.h"

#include "base/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int came_fd, came[NSIG];

static void on_signal(int number, void *arg)
{
    ck_assert_ptr_eq(arg, &came_fd);
    came[number]++;
    uint64_t one = 1;
    ck_assert_int_eq(write(came_fd, &one, sizeof(one)), sizeof(one));
}

static void wait_for(int number)
{
    struct pollfd fd = {.fd = came_fd, .events = POLLIN};
    uint64_t count;
    ck_assert_int_eq(kill(getpid(), number), 0);
    ck_assert_int_eq(poll(&fd, 1, 10000), 1);
    ck_assert_int_eq(read(came_fd, &count, sizeof(count)), sizeof(count));
}

START_TEST(taken_once)
{
    piw_err err = {0};
    came_fd = eventfd(0, EFD_CLOEXEC);
    ck_assert_int_ge(came_fd, 0);
    for (int round = 1; round <= 2; round++) {
        ck_assert_int_eq(piw_signals_start(on_signal, &came_fd, &err), 0);
        wait_for(SIGTERM);
        wait_for(SIGHUP);
        wait_for(SIGINT);
        wait_for(SIGTERM);
        ck_assert_int_eq(kill(getpid(), SIGPIPE), 0);
        piw_signals_stop();
        ck_assert_int_eq(came[SIGTERM], 2 * round);
        ck_assert_int_eq(came[SIGHUP], round);
        ck_assert_int_eq(came[SIGINT], round);
    }
    piw_signals_stop();
    close(came_fd);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("signals");
    TCase *tc = tcase_create("signals");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, taken_once);
    suite_add_tcase(suite, tc);
    return suite;
}
