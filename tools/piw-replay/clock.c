/* clock.c — the time that the plugin is told: that of the recording. What this program defines here is found in place of the C
 * library's, by the plugin and by libpiw. */
#include "replay.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Written by the thread that plays, read by workers too; each stands alone. */
static _Atomic bool playing;
static _Atomic int64_t monotonic, real;
static int64_t speed, began_ns, began_at;

static int system_clock(clockid_t clock, struct timespec *now)
{
#ifdef SYS_clock_gettime64
    return (int)syscall(SYS_clock_gettime64, clock, now);
#else
    return (int)syscall(SYS_clock_gettime, clock, now);
#endif
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *now)
{
    bool day = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    bool interval = clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_BOOTTIME;
    if (!atomic_load_explicit(&playing, memory_order_relaxed) || (!day && !interval))
        return system_clock(clock, now);
    int64_t ns = atomic_load_explicit(day ? &real : &monotonic, memory_order_relaxed);
    *now = (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    return 0;
}

__attribute__((visibility("default"))) time_t time(time_t *to)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    if (to != NULL)
        *to = now.tv_sec;
    return now.tv_sec;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict to, void *restrict zone)
{
    struct timespec now = {0};
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *to = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

static int64_t system_ns(void)
{
    struct timespec now = {0};
    system_clock(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* At a speed: not before its time. */
static void wait_for(int64_t monotonic_ns)
{
    if (began_ns == 0) {
        began_ns = system_ns();
        began_at = monotonic_ns;
    }
    int64_t left = (monotonic_ns - began_at) / speed - (system_ns() - began_ns);
    struct timespec rest = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    while (left > 0 && nanosleep(&rest, &rest) != 0)
        continue;
}

void clock_speed(int64_t factor)
{
    speed = factor;
}

void clock_set(int64_t monotonic_ns, int64_t real_us)
{
    if (monotonic_ns < 0 || real_us < 0 || real_us > INT64_MAX / 1000)
        return; /* no clock of ours ever stood there */
    if (speed > 0)
        wait_for(monotonic_ns);
    atomic_store_explicit(&monotonic, monotonic_ns, memory_order_relaxed);
    atomic_store_explicit(&real, real_us * 1000, memory_order_relaxed);
    atomic_store_explicit(&playing, true, memory_order_relaxed);
}
