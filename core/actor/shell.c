/* shell.c — the thread of an actor: its mailbox, timers, descriptors and ports, turn by turn. */
#include "actor/shell.h"

#include "actor/deliver.h"
#include "actor/dispatch.h"
#include "actor/intake.h"
#include "actor/op.h"
#include "base/clock.h"
#include "base/tuning.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Messages between two looks at timers, descriptors and ports; and between two pushes of what was sent. */
enum { TURN = 256, FLUSH_EVERY = 64, EVENTS = 32, FETCH_LINES = 2, SIGNAL_STACK = 64 << 10 };

/* While the bus holds too many bytes nobody tells when that ends: look again so often. */
enum { BUS_FULL_MS = 20 };

static void free_list(piw_msg *msg)
{
    while (msg != NULL) {
        piw_msg *next = msg->next;
        piw_msg_free(&msg);
        msg = next;
    }
}

/* After the thread has ended, or when it never ran. */
void piw__shell_free(piw__shell **shell_)
{
    piw__shell *shell = *shell_;
    *shell_ = NULL;
    if (shell == NULL)
        return;
    free_list(shell->loop.batch);
    free_list(shell->loop.kept.first);
    piw__outbox_fini(&shell->loop.outbox);
    piw__calls_fini(shell);
    piw__timers_clear(shell);
    piw__table_fini(&shell->waits.timers);
    piw__heap_fini(&shell->waits.timer_heap);
    for (piw__node *node; (node = piw__table_pop(&shell->waits.deferred)) != NULL;)
        piw__deferred_free((piw__deferred *)node);
    piw__table_fini(&shell->waits.deferred);
    piw__table_fini(&shell->waits.watches);
    piw__txn_fini(&shell->soul.txn);
    piw__mailbox_fini(&shell->mailbox);
    free(shell->queues.muted_by);
    if (shell->loop.epoll_fd >= 0)
        close(shell->loop.epoll_fd);
    piw__recording_unref(&shell->record.to);
    piw_buffer_fini(&shell->record.sent);
    pthread_mutex_destroy(&shell->record.lock);
    pthread_mutex_destroy(&shell->supervision.ops_lock);
    free(shell);
}

int piw__shell_new(piw__hub *hub, piw__role *role, unsigned instance, piw__shell **made, piw_err *err)
{
    /* Tokens and traces carry the number, so that they are unique in the process. */
    static _Atomic uint64_t numbers;
    piw__shell *shell = piw_alloc_aligned(64, sizeof(*shell));
    *made = NULL;
    memset(shell, 0, sizeof(*shell));
    shell->hub = hub;
    shell->role = role;
    shell->soul.options = role != NULL ? role->options : NULL;
    shell->instance = instance;
    shell->number = atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed) + 1;
    shell->soul.state = PIW__DOWN;
    shell->loop.epoll_fd = -1;
    if (role != NULL && role->instances > 1)
        snprintf(shell->name, sizeof(shell->name), "%s.%u", role->name, instance);
    else
        snprintf(shell->name, sizeof(shell->name), "%s", role != NULL ? role->name : "caller");
    int rc = piw__mailbox_init(&shell->mailbox, err);
    if (rc != 0) {
        free(shell);
        return rc;
    }
    pthread_mutex_init(&shell->supervision.ops_lock, NULL); /* plain mutexes: no failure on Linux */
    pthread_mutex_init(&shell->record.lock, NULL);
    if (role == NULL) {
        *made = shell;
        return 0;
    }
    shell->loop.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = PIW__POLL_WAKE};
    if (shell->loop.epoll_fd < 0 ||
        epoll_ctl(shell->loop.epoll_fd, EPOLL_CTL_ADD, shell->mailbox.wake_fd, &event) != 0) {
        rc = piw_err_errno(err, "task %s can't be set up: there is no epoll descriptor", shell->name);
        piw__shell_free(&shell);
        return rc;
    }
    *made = shell;
    return 0;
}

/* --- One turn ---------------------------------------------------------------------------------------------------- */

static void flush_when_due(piw__shell *shell)
{
    if (shell->loop.outbox.waiting > 0 && (shell->loop.outbox.full || shell->loop.since_flush >= FLUSH_EVERY ||
                                           shell->loop.coarse_ns != shell->loop.flushed_ns))
        piw__flush(shell);
}

/* Where one message was all that there was, its receivers don't wait for another look at the queues and descriptors: with
 * a single peer at work that is eight system calls, at each step that leads from its request to its answer. */
static void flush_if_alone(piw__shell *shell, unsigned done)
{
    if (done == 1 && shell->loop.outbox.waiting > 0)
        piw__flush(shell);
}

/* Messages were made on another processor, most likely: fetch one that comes soon while this one is handled, the first line of
 * its header and as many of its body as this one has. That is the next one only at a list's end: a line takes longer to come
 * than a small message to be handled. (gcc takes a call of a function that does nothing else for one without an effect, and
 * leaves it out.) */
static inline __attribute__((always_inline)) void fetch_ahead(const piw_msg *msg)
{
    uintptr_t soon = (uintptr_t)(msg->ahead != NULL ? msg->ahead : msg->next), body = soon + PIW__MSG_HEADER;
    uintptr_t size = msg->type->body != NULL ? msg->type->body->size : 0;
    __builtin_prefetch((const void *)soon);
    for (uintptr_t at = 0; at < size && at < FETCH_LINES * 64; at += 64)
        __builtin_prefetch((const void *)(body + at));
}

static unsigned run_batch(piw__shell *shell)
{
    unsigned count = 0;
    while (count < TURN) {
        if (shell->loop.batch == NULL &&
            (shell->loop.batch = piw__mailbox_take(&shell->mailbox, shell->loop.kept.count)) == NULL)
            break;
        /* Pairs with the release of piw__op_send: what was put in the list before is seen. */
        if (__builtin_expect(atomic_load_explicit(&shell->supervision.ops_waiting, memory_order_acquire), 0))
            break;
        piw_msg *msg = shell->loop.batch;
        shell->loop.batch = msg->next;
        fetch_ahead(msg);
        piw__accept(shell, msg);
        count++;
        flush_when_due(shell);
    }
    return count;
}

static void run_due(piw__shell *shell)
{
    if (piw__heap_first(&shell->waits.call_heap) == NULL && piw__heap_first(&shell->waits.timer_heap) == NULL &&
        shell->supervision.restart_at_ns == 0 && shell->supervision.stop_op == NULL &&
        shell->supervision.fresh_op == NULL && shell->supervision.trial.op == NULL &&
        shell->supervision.start_until_ns == 0)
        return;
    int64_t now = piw_monotonic_ns();
    piw__calls_expire(shell, now);
    piw__timers_fire(shell, now);
    if (shell->supervision.trial.op != NULL && shell->supervision.trial.until_ns <= now) {
        char why[80];
        snprintf(why, sizeof(why), "it was not ready within %d ms", piw__tune.swap_ms);
        piw__trial_back(shell, why);
    }
    if (shell->supervision.start_until_ns != 0 && shell->supervision.start_until_ns <= now)
        piw__start_late(shell);
    if (shell->supervision.restart_at_ns != 0 && shell->supervision.restart_at_ns <= now)
        piw__soul_retry(shell, now);
    if (shell->supervision.fresh_op != NULL && shell->supervision.drain_until_ns <= now)
        piw__fresh_check(shell, now);
    if (shell->supervision.stop_op != NULL && shell->supervision.drain_until_ns <= now)
        piw__stop_check(shell, now);
}

static void poll_events(piw__shell *shell, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(shell->loop.epoll_fd, events, EVENTS, timeout_ms);
    if (timeout_ms != 0) {
        piw__mailbox_awake(&shell->mailbox);
        shell->loop.coarse_ns = piw__coarse_ns();
    }
    for (int i = 0; i < n; i++) {
        if (events[i].data.u64 < PIW__POLL_WATCH)
            continue; /* the mailbox and the ports are looked at in each turn */
        piw__watch_fire(shell, events[i].data.u64);
        flush_when_due(shell);
    }
}

/* Milliseconds to the next thing to do by the clock, rounded up; -1: none. */
static int next_timeout(const piw__shell *shell)
{
    int64_t at = INT64_MAX;
    const piw__due *due = piw__heap_first(&shell->waits.call_heap);
    if (due != NULL)
        at = due->at_ns;
    due = piw__heap_first(&shell->waits.timer_heap);
    if (due != NULL && due->at_ns < at && shell->soul.task != NULL)
        at = due->at_ns;
    if (shell->supervision.restart_at_ns != 0 && shell->supervision.restart_at_ns < at)
        at = shell->supervision.restart_at_ns;
    if (shell->supervision.trial.op != NULL && shell->supervision.trial.until_ns < at)
        at = shell->supervision.trial.until_ns;
    if (shell->supervision.start_until_ns != 0 && shell->supervision.start_until_ns < at)
        at = shell->supervision.start_until_ns;
    if ((shell->supervision.stop_op != NULL || shell->supervision.fresh_op != NULL) &&
        shell->supervision.drain_until_ns < at)
        at = shell->supervision.drain_until_ns;
    if (at == INT64_MAX)
        return -1;
    int64_t ms = (at - piw_monotonic_ns() + 999999) / 1000000;
    return ms < 0 ? 0 : ms > 60000 ? 60000 : (int)ms;
}

static bool wants_idle(const piw__shell *shell)
{
    return shell->soul.task != NULL && (shell->soul.state == PIW__RUNNING || shell->soul.state == PIW__STARTING) &&
           shell->soul.task->plugin->idle != NULL &&
           shell->loop.idle_mark != atomic_load_explicit(&shell->seen.figures.handled, memory_order_relaxed);
}

/* Nothing to do: the soul's idle function, what is left to send, then sleep. */
static void rest(piw__shell *shell)
{
    if (wants_idle(shell)) {
        piw__dispatch_idle(shell);
        shell->loop.idle_mark = atomic_load_explicit(&shell->seen.figures.handled, memory_order_relaxed);
    }
    piw__flush(shell);
    piw__fresh_check(shell, piw_monotonic_ns());
    piw__stop_check(shell, piw_monotonic_ns());
    piw__flush(shell);
    if (shell->loop.leave || shell->loop.batch != NULL || (shell->queues.dirty && piw__ports_wanted(shell)))
        return;
    /* Only after work: who sleeps most of the time sleeps at once. */
    if (shell->loop.lingers && shell->queues.count == 0 && shell->waits.watches.count == 0) {
        shell->loop.lingers = false;
        if (piw__mailbox_linger(&shell->mailbox))
            return;
    }
    if (!piw__mailbox_sleep(&shell->mailbox))
        return;
    int timeout_ms = next_timeout(shell);
    if (shell->queues.count > 0 && (timeout_ms < 0 || timeout_ms > BUS_FULL_MS) && shell->soul.state == PIW__RUNNING &&
        !shell->queues.quiet && !shell->queues.rest && shell->queues.muted_count == 0 && !piw__ports_wanted(shell))
        timeout_ms = BUS_FULL_MS;
    if (timeout_ms == 0) {
        piw__mailbox_awake(&shell->mailbox);
        return;
    }
    poll_events(shell, timeout_ms);
}

/* Nothing is handled, read or fired until an operation comes. Messages stay in the mailbox, whose senders need not
 * wake us. */
static void rest_on_hold(piw__shell *shell)
{
    struct pollfd fd = {.fd = shell->mailbox.wake_fd, .events = POLLIN};
    if (poll(&fd, 1, 60000) > 0)
        piw__mailbox_awake(&shell->mailbox);
}

static void turn(piw__shell *shell)
{
    shell->loop.coarse_ns = piw__coarse_ns();
    if (atomic_load_explicit(&shell->supervision.ops_waiting, memory_order_acquire))
        piw__ops_run(shell);
    if (__builtin_expect(piw__rests(shell), 0)) {
        rest_on_hold(shell);
        return;
    }
    unsigned done = run_batch(shell);
    run_due(shell);
    flush_if_alone(shell, done);
    unsigned came = piw__ports_read(shell);
    flush_if_alone(shell, came);
    done += came;
    if (done > 0) {
        shell->loop.lingers = true;
        flush_when_due(shell);
        if (shell->waits.watches.count > 0)
            poll_events(shell, 0);
        return;
    }
    rest(shell);
}

/* --- The thread -------------------------------------------------------------------------------------------------- */

/* The shell's thread ends: what is still unread is answered or counted. */
static void finish(piw__shell *shell)
{
    piw__soul_end(shell, true, PIW_ESTOPPED, "the master stops");
    piw__record_end(shell, "the master stops");
    piw__state_set(shell, PIW__STOPPED);
    piw__release_held(shell);
    piw__mailbox_close(&shell->mailbox);
    do {
        while (shell->loop.batch != NULL) {
            piw_msg *msg = shell->loop.batch;
            shell->loop.batch = msg->next;
            piw__accept(shell, msg);
        }
        piw__flush(shell);
        shell->loop.batch = piw__mailbox_take(&shell->mailbox, 0);
    } while (shell->loop.batch != NULL);
    piw__ports_close(shell);
}

static void *shell_main(void *arg)
{
    piw__shell *shell = arg;
    char name[80];
    snprintf(name, sizeof(name), "master.%s", shell->name);
    piw_log_name_thread(name);
    piw__record_thread(shell);
    /* A handler that overflows its stack still gets its flight recorder printed. */
    stack_t stack = {.ss_sp = malloc(SIGNAL_STACK), .ss_size = SIGNAL_STACK};
    bool has_stack = stack.ss_sp != NULL && sigaltstack(&stack, NULL) == 0;
    while (!shell->loop.leave)
        turn(shell);
    finish(shell);
    if (has_stack) {
        stack_t none = {.ss_flags = SS_DISABLE};
        sigaltstack(&none, NULL);
    }
    free(stack.ss_sp);
    return NULL;
}

int piw__shell_run(piw__shell *shell, piw_err *err)
{
    /* Signals belong to the main thread. */
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int ret = pthread_create(&shell->thread, NULL, shell_main, shell);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (ret != 0) {
        errno = ret;
        return piw_err_errno(err, "task %s: its thread can't be started", shell->name);
    }
    char name[16];
    snprintf(name, sizeof(name), "%.15s", shell->name);
    pthread_setname_np(shell->thread, name);
    shell->thread_runs = true;
    return 0;
}
