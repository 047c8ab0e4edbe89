/* process.c — commands that the slave runs, and ends with everything they started. */
#include "process.h"

#include "piw/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    KILL_MS = 10000, /* a killed process that is still there then is stuck in the kernel */
    ROOM = 256,      /* processes by which a list of them grows */
    ROUND_MS = 100,  /* SIGCHLD is not queued: one may stand for several, so the children are looked at again */
    START_FAILED = 127,
};
#define OOM_SCORE "500" /* of 1000 */

int slave_process_init(piw_err *err)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
        return piw_err_errno(err, "can't become the parent of orphaned processes");
    return 0;
}

/* When the machine's memory, or the unit's, is used up, the kernel looks for what to kill here first, not at the slave. Raising
 * it needs no right; where it can't be, nothing is lost. */
static void give_up_first(void)
{
    prctl(PR_SET_DUMPABLE, 1, 0, 0,
          0); /* what is closed to others has files there that are root's; it begins anew soon */
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t n = write(fd, OOM_SCORE, sizeof(OOM_SCORE) - 1);
        (void)n;
        close(fd);
    }
}

/* Between fork and exec: only calls that are safe after fork in a process with threads. */
static void become(const slave_command *command) __attribute__((noreturn));
static void become(const slave_command *command)
{
    static const char failed[] = "the command can't be started\n";
    sigset_t none;
    sigemptyset(&none);
    struct rlimit no_core = {0, 0}, space = {(rlim_t)command->memory, (rlim_t)command->memory};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    setsid();
    give_up_first();
    if (null >= 0 && dup2(null, 0) == 0 && dup2(command->output, 1) == 1 && dup2(command->output, 2) == 2 &&
        chdir(command->dir) == 0 && sigprocmask(SIG_SETMASK, &none, NULL) == 0 &&
        setrlimit(RLIMIT_CORE, &no_core) == 0 && (command->memory == 0 || setrlimit(RLIMIT_AS, &space) == 0))
        execve(command->argv[0], (char *const *)(uintptr_t)command->argv, (char *const *)(uintptr_t)command->env);
    ssize_t n = write(2, failed, sizeof(failed) - 1);
    (void)n;
    _exit(START_FAILED);
}

int slave_process_start(const slave_command *command, pid_t *pid, piw_err *err)
{
    if (access(command->argv[0], X_OK) != 0)
        return piw_err_errno(err, "can't run %s", command->argv[0]);
    *pid = fork();
    if (*pid < 0)
        return piw_err_errno(err, "can't start %s", command->argv[0]);
    if (*pid == 0)
        become(command);
    return 0;
}

bool slave_process_ended(pid_t pid, int *status)
{
    return waitpid(pid, status, WNOHANG) == pid;
}

typedef struct process {
    pid_t pid, parent;
    int64_t pages; /* in memory */
} process;

/* False: it has gone. The second field of /proc/PID/stat is a name in parentheses that may hold anything. */
static bool read_process(const char *pid, process *found)
{
    char path[64], line[512];
    snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, line, sizeof(line) - 1);
    close(fd);
    line[n > 0 ? n : 0] = '\0';
    const char *after = strrchr(line, ')');
    long long pages = 0;
    *found = (process){.pid = (pid_t)strtol(pid, NULL, 10)};
    bool good = after != NULL && sscanf(after + 1,
                                        " %*c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                                        "%*s %*s %lld",
                                        &found->parent, &pages) == 2;
    found->pages = pages;
    return good;
}

/* All that run now; the caller frees them. */
static process *list_processes(size_t *count)
{
    *count = 0;
    DIR *proc = opendir("/proc");
    if (proc == NULL)
        return NULL;
    process *all = NULL;
    struct dirent *entry;
    while ((entry = readdir(proc)) != NULL) {
        process one;
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !read_process(entry->d_name, &one))
            continue;
        if (*count % ROOM == 0)
            all = piw_realloc(all, (*count + ROOM) * sizeof(*all));
        all[(*count)++] = one;
    }
    closedir(proc);
    return all;
}

static int by_pid(const void *a, const void *b)
{
    const process *one = a, *other = b;
    return (one->pid > other->pid) - (one->pid < other->pid);
}

/* Did we start it, over however many? The list may be of several moments: that it ends isn't sure but for `depth`. */
static bool is_ours(const process *all, size_t count, const process *from)
{
    for (size_t depth = 0; from != NULL && depth <= count; depth++) {
        if (from->parent == getpid())
            return true;
        process parent = {.pid = from->parent};
        from = bsearch(&parent, all, count, sizeof(*all), by_pid);
    }
    return false;
}

int64_t slave_process_memory(void)
{
    size_t count;
    process *all = list_processes(&count);
    if (count > 0)
        qsort(all, count, sizeof(*all), by_pid);
    int64_t pages = 0;
    for (size_t i = 0; i < count; i++)
        if (all[i].pages > 0 && is_ours(all, count, &all[i]))
            pages += all[i].pages;
    free(all);
    return pages * sysconf(_SC_PAGESIZE);
}

static void kill_children(void)
{
    size_t count;
    process *all = list_processes(&count);
    for (size_t i = 0; i < count; i++)
        if (all[i].parent == getpid())
            kill(all[i].pid, SIGKILL);
    free(all);
}

void slave_process_kill(pid_t pid, int *status)
{
    int64_t until_ns = piw_monotonic_ns() + KILL_MS * INT64_C(1000000);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    struct timespec round = {0, ROUND_MS * 1000000};
    for (;;) {
        kill(-pid, SIGKILL);
        kill_children();
        int ended;
        pid_t reaped;
        while ((reaped = waitpid(-1, &ended, WNOHANG)) > 0)
            if (reaped == pid && status != NULL)
                *status = ended;
        if (reaped < 0 && errno == ECHILD)
            return;
        if (piw_monotonic_ns() > until_ns)
            break;
        sigtimedwait(&child, NULL, &round);
    }
    piw_warning("a process of the build can't be killed");
}

/* Reads until the end, the bound or the time. */
static int collect(int fd, int64_t until_ns, size_t max, piw_buffer *output, piw_err *err)
{
    char piece[16384];
    for (;;) {
        int64_t left_ms = (until_ns - piw_monotonic_ns()) / 1000000;
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int ready = left_ms > 0 ? poll(&wait, 1, (int)left_ms) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return piw_err_set(err, PIW_EDEADLINE, "it took too long");
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? 0 : piw_err_errno(err, "its output can't be read");
        if (output->len + (size_t)n > max)
            return piw_err_set(err, PIW_ELIMIT, "it printed more than %zu bytes", max);
        if (piw_buffer_add(output, piece, (size_t)n) != 0)
            return piw_err_set(err, PIW_ENOMEM, "no memory for its output");
    }
}

int slave_process_run(const slave_command *command, int timeout_ms, size_t max, piw_buffer *output, int *status,
                      piw_err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return piw_err_errno(err, "can't make a pipe");
    slave_command piped = *command;
    piped.output = ends[1];
    pid_t pid;
    int rc = slave_process_start(&piped, &pid, err);
    close(ends[1]);
    if (rc == 0) {
        int64_t until_ns = piw_monotonic_ns() + timeout_ms * INT64_C(1000000);
        rc = collect(ends[0], until_ns, max, output, err);
        /* Its output has ended, so it is about to end. It gets a moment for that, so that its own exit status is
         * known. */
        *status = 0;
        sigset_t child;
        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        bool ended = false;
        while (rc == 0 && !(ended = slave_process_ended(pid, status)) && piw_monotonic_ns() < until_ns)
            sigtimedwait(&child, NULL, &(struct timespec){0, ROUND_MS * 1000000});
        slave_process_kill(pid, ended ? NULL : status);
        if (rc != 0)
            piw_err_prefix(err, "%s", command->argv[0]);
    }
    close(ends[0]);
    return rc;
}
