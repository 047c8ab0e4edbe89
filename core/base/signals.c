/* signals.c — signals of a program with threads: one thread takes them, one after the other. */
#include "base/signals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Written before the thread starts and after it has ended. */
static struct {
    bool running;
    pthread_t thread;
    int signal_fd, stop_fd;
    void (*fn)(int number, void *arg);
    void *arg;
} taker;

static void *take_signals(void *unused)
{
    (void)unused;
    struct pollfd fds[] = {{.fd = taker.signal_fd, .events = POLLIN}, {.fd = taker.stop_fd, .events = POLLIN}};
    for (;;) {
        if (poll(fds, PIW_COUNT(fds), -1) < 0) {
            continue; /* EINTR: a debugger came or went */
        }
        struct signalfd_siginfo info;
        if ((fds[0].revents & POLLIN) != 0 && read(taker.signal_fd, &info, sizeof(info)) == sizeof(info))
            taker.fn((int)info.ssi_signo, taker.arg);
        if (fds[1].revents != 0)
            return NULL;
    }
}

static int open_descriptors(const sigset_t *set, piw_err *err)
{
    taker.signal_fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (taker.signal_fd < 0)
        return piw_err_errno(err, "can't receive signals");
    taker.stop_fd = eventfd(0, EFD_CLOEXEC);
    if (taker.stop_fd < 0) {
        int rc = piw_err_errno(err, "can't receive signals");
        close(taker.signal_fd);
        return rc;
    }
    return 0;
}

int piw_signals_start(void (*fn)(int number, void *arg), void *arg, piw_err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    int number = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (number != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        errno = number != 0 ? number : errno;
        return piw_err_errno(err, "can't set up signals");
    }
    int rc = open_descriptors(&set, err);
    if (rc != 0)
        return rc;
    taker.fn = fn;
    taker.arg = arg;
    number = pthread_create(&taker.thread, NULL, take_signals, NULL);
    if (number != 0) {
        close(taker.signal_fd);
        close(taker.stop_fd);
        errno = number;
        return piw_err_errno(err, "can't start the thread that receives signals");
    }
    taker.running = true;
    return 0;
}

void piw_signals_stop(void)
{
    if (!taker.running)
        return;
    uint64_t one = 1;
    ssize_t n = write(taker.stop_fd, &one, sizeof(one));
    if (n == sizeof(one)) { /* an eventfd at 0 takes it always; without it the thread would not end */
        pthread_join(taker.thread, NULL);
        close(taker.signal_fd);
        close(taker.stop_fd);
    }
    taker.running = false;
}
