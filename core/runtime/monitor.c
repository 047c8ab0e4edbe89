/* monitor.c — the monitor thread: says which handler is stuck, and tells systemd that none is. Also what is printed
 * in a crash. */
#include "base/sdnotify.h"
#include "base/tuning.h"
#include "port/descriptors.h"
#include "runtime/inner.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* What was seen of one shell at the last look. */
struct seen {
    uint64_t number;
    int64_t since_ns;
    bool reported;
    /* Of the rate: how many messages had been handled at the last looks, about a second apart. */
    uint64_t handled[10];
    int64_t at_ns[10];
    unsigned looks;
};

enum { RATE_EVERY_MS = 1000 };

/* Messages a second over the last ten looks. */
static void take_rate(piw__shell *shell, struct seen *seen, int64_t now)
{
    unsigned last = (seen->looks + PIW_COUNT(seen->at_ns) - 1) % PIW_COUNT(seen->at_ns);
    if (seen->looks > 0 && now - seen->at_ns[last] < RATE_EVERY_MS * INT64_C(1000000))
        return;
    unsigned slot = seen->looks % PIW_COUNT(seen->at_ns);
    uint64_t handled = atomic_load_explicit(&shell->seen.figures.handled, memory_order_relaxed);
    bool full = seen->looks >= PIW_COUNT(seen->at_ns);
    uint64_t before = full ? seen->handled[slot] : seen->handled[0];
    int64_t since = full ? seen->at_ns[slot] : seen->at_ns[0];
    if (seen->looks > 0 && now > since)
        atomic_store_explicit(&shell->seen.rate_milli,
                              (handled - before) * 1000000 / ((uint64_t)(now - since) / 1000000 + 1),
                              memory_order_relaxed);
    seen->handled[slot] = handled;
    seen->at_ns[slot] = now;
    seen->looks++;
}

static void look_at(piw__shell *shell, struct seen *seen, int64_t now)
{
    uint64_t number = atomic_load_explicit(&shell->seen.busy_number, memory_order_relaxed);
    const char *what = atomic_load_explicit(&shell->seen.busy_in, memory_order_relaxed);
    if (what == NULL || number != seen->number) {
        if (seen->reported)
            piw_warning("task %s goes on", shell->name);
        seen->number = number;
        seen->since_ns = now;
        seen->reported = false;
        return;
    }
    if (seen->reported || now - seen->since_ns < piw__tune.stuck_ms * INT64_C(1000000))
        return;
    atomic_store_explicit(&shell->seen.long_since_ns, seen->since_ns, memory_order_relaxed);
    atomic_store_explicit(&shell->seen.long_number, number, memory_order_relaxed);
    if (atomic_load_explicit(&shell->seen.blocks, memory_order_relaxed))
        return; /* it may: whoever asks is told */
    seen->reported = true;
    atomic_store_explicit(&shell->seen.stuck_number, number, memory_order_relaxed);
    piw_error("task %s is stuck: its handler of %s has been running for more than %d ms", shell->name, what,
              (int)((now - seen->since_ns) / 1000000));
    piw__recorder_print(&shell->seen.recorder, shell->name, STDERR_FILENO, 32);
}

static bool is_fit(const piw_runtime *runtime)
{
    for (size_t i = 0; i < runtime->roles_count; i++)
        for (unsigned n = 0; n < runtime->roles[i]->instances; n++)
            if (runtime->roles[i]->critical && piw__seen_stuck(&runtime->roles[i]->shells[n]->seen))
                return false;
    return true;
}

static void *monitor_main(void *arg)
{
    piw_runtime *runtime = arg;
    piw_log_name_thread("master.monitor");
    struct seen *seen = NULL;
    size_t known = 0; /* tasks; more may come */
    int64_t watchdog_us = piw__sd_watchdog_us(), told_ns = 0;
    int64_t tick_ms = piw__tune.stuck_ms / 4 > 0 ? piw__tune.stuck_ms / 4 : 1;
    if (watchdog_us > 0 && watchdog_us / 2000 < tick_ms)
        tick_ms = watchdog_us / 2000 > 0 ? watchdog_us / 2000 : 1;
    struct pollfd end = {.fd = runtime->monitor_fd, .events = POLLIN};
    while (poll(&end, 1, (int)tick_ms) <= 0) {
        int64_t now = piw_monotonic_ns();
        piw__descriptors_look(now);
        size_t count = runtime->roles_count;
        if (count > known) {
            seen = piw_realloc(seen, count * PIW_LIMIT_INSTANCES * sizeof(*seen));
            memset(seen + known * PIW_LIMIT_INSTANCES, 0, (count - known) * PIW_LIMIT_INSTANCES * sizeof(*seen));
            known = count;
        }
        for (size_t i = 0; i < count; i++)
            for (unsigned n = 0; n < runtime->roles[i]->instances; n++) {
                look_at(runtime->roles[i]->shells[n], &seen[i * PIW_LIMIT_INSTANCES + n], now);
                take_rate(runtime->roles[i]->shells[n], &seen[i * PIW_LIMIT_INSTANCES + n], now);
            }
        if (watchdog_us > 0 && now - told_ns >= watchdog_us * 1000 / 2 - tick_ms * 1000000 && is_fit(runtime)) {
            piw__sd_notify("WATCHDOG=1");
            told_ns = now;
        }
    }
    free(seen);
    return NULL;
}

int piw__monitor_start(piw_runtime *runtime, piw_err *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int ret = pthread_create(&runtime->monitor, NULL, monitor_main, runtime);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (ret != 0) {
        errno = ret;
        return piw_err_errno(err, "the monitor's thread can't be started");
    }
    pthread_setname_np(runtime->monitor, "monitor");
    runtime->monitor_runs = true;
    return 0;
}

void piw__monitor_stop(piw_runtime *runtime)
{
    if (!runtime->monitor_runs)
        return;
    const uint64_t one = 1;
    while (write(runtime->monitor_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
    pthread_join(runtime->monitor, NULL);
    runtime->monitor_runs = false;
}

/* --- In a crash -------------------------------------------------------------------------------------------------- */

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
static struct sigaction crash_before[PIW_COUNT(crash_signals)];

/* Read by the signal handler in whatever thread crashes; set and cleared by the thread that owns the runtime. Release
 * and acquire: the runtime is whole before the handler can see it. */
static _Atomic(piw_runtime *) crash_runtime;

static void on_crash(int number)
{
    /* Read first: a second fault in here must end the process at once. SA_RESETHAND has put the default back. */
    piw_runtime *runtime = atomic_exchange_explicit(&crash_runtime, NULL, memory_order_acq_rel);
    static const char head[] = "crashed; the last messages of the tasks:\n";
    if (runtime != NULL && write(STDERR_FILENO, head, sizeof(head) - 1) > 0) {
        for (size_t i = 0; i < runtime->roles_count; i++)
            for (unsigned n = 0; n < runtime->roles[i]->instances; n++) {
                const piw__shell *shell = runtime->roles[i]->shells[n];
                bool ours = pthread_equal(shell->thread, pthread_self()) != 0;
                piw__recorder_print(&shell->seen.recorder, shell->name, STDERR_FILENO, ours ? PIW_LIMIT_RECORDER : 16);
            }
    }
    raise(number);
}

void piw__crash_watch(piw_runtime *runtime)
{
    piw_runtime *none = NULL;
    if (!atomic_compare_exchange_strong_explicit(&crash_runtime, &none, runtime, memory_order_acq_rel,
                                                 memory_order_acquire))
        return;
    for (size_t i = 0; i < PIW_COUNT(crash_signals); i++) {
        struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)(SA_RESETHAND | SA_ONSTACK)};
        sigemptyset(&action.sa_mask);
        sigaction(crash_signals[i], NULL, &crash_before[i]);
        /* A sanitizer's own handler tells more, and stays. */
        if ((crash_before[i].sa_flags & SA_SIGINFO) == 0 && crash_before[i].sa_handler == SIG_DFL)
            sigaction(crash_signals[i], &action, NULL);
    }
}

void piw__crash_unwatch(piw_runtime *runtime)
{
    if (!atomic_compare_exchange_strong_explicit(&crash_runtime, &runtime, NULL, memory_order_acq_rel,
                                                 memory_order_acquire))
        return;
    for (size_t i = 0; i < PIW_COUNT(crash_signals); i++)
        sigaction(crash_signals[i], &crash_before[i], NULL);
}
