/* wait.c — the one place where piw-slave waits. */
#include "slave.h"

#include "base/sdnotify.h"
#include "build.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void read_signals(slave *s)
{
    struct signalfd_siginfo info;
    piw_err err = {0};
    while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            s->stopping = true;
        else if (info.ssi_signo == SIGHUP && piw_log_reopen(&err) != 0)
            piw_warning("%s", err.text);
    }
}

/* Between requests nothing comes from the master, but ZeroMQ's descriptor stays ready until it is asked what for. */
static void quiet(slave *s)
{
    piw_msg *stray = NULL;
    piw_err err = {0};
    if (!s->asked && piw_client_recv(s->master, &stray, 0, &err) == 0)
        piw_msg_free(&stray);
}

/* poll(), in pieces so short that systemd's watchdog hears of this process however long nothing happens. */
static int poll_watched(struct pollfd *waits, nfds_t count, int64_t timeout_ms)
{
    int64_t piece_ms = piw__sd_watchdog_us() / 1000 / 3, until_ns = piw_monotonic_ns() + timeout_ms * 1000000;
    for (;;) {
        piw__sd_notify("WATCHDOG=1");
        int64_t left_ms = (until_ns - piw_monotonic_ns() + 999999) / 1000000;
        left_ms = left_ms < 0 ? 0 : left_ms;
        bool last = piece_ms == 0 || left_ms <= piece_ms;
        int ready = poll(waits, count, (int)(last ? left_ms : piece_ms));
        if (ready != 0 || last)
            return ready;
    }
}

int slave_wait(slave *s, int fd, int64_t timeout_ms)
{
    struct pollfd waits[] = {{.fd = s->signals, .events = POLLIN},
                             {.fd = piw_client_fd(s->master), .events = POLLIN},
                             {.fd = fd, .events = POLLIN}};
    if (s->build != NULL && !slave_build_ended(s->build)) {
        int64_t look_ms = (slave_build_look_ns(s->build) - piw_monotonic_ns()) / 1000000 + 1;
        timeout_ms = timeout_ms < look_ms ? timeout_ms : look_ms;
    }
    timeout_ms = timeout_ms < 0 ? 0 : timeout_ms > 3600000 ? 3600000 : timeout_ms;
    int ready = poll_watched(waits, PIW_COUNT(waits), timeout_ms);
    if (ready > 0 && waits[0].revents != 0)
        read_signals(s);
    if (ready > 0 && waits[1].revents != 0)
        quiet(s);
    if (s->build != NULL)
        slave_build_ended(s->build);
    if (s->stopping)
        return PIW_ESTOPPED;
    return ready == 0 ? PIW_EDEADLINE : 0;
}
