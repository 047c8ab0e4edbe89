/* wait.c — the one place where piw-slave waits. */
#include "slave.h"

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

int slave_wait(slave *s, int fd, int64_t timeout_ms)
{
    struct pollfd waits[] = {{.fd = s->signals, .events = POLLIN},
                             {.fd = piw_client_fd(s->master), .events = POLLIN},
                             {.fd = fd, .events = POLLIN}};
    if (s->build != NULL && !slave_build_ended(s->build)) {
        int64_t look_ms = (slave_build_look_ns(s->build) - piw_monotonic_ns()) / 1000000 + 1;
        timeout_ms = timeout_ms < look_ms ? timeout_ms : look_ms;
    }
    int timeout = timeout_ms < 0 ? 0 : timeout_ms > 3600000 ? 3600000 : (int)timeout_ms;
    int ready = poll(waits, PIW_COUNT(waits), timeout);
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
