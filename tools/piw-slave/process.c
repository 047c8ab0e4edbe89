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
    ROUND_MS = 100,  /* SIGCHLD is not queued: one may stand for several, so the children are looked at again */
    START_FAILED = 127,
};

int slave_process_init(piw_err *err)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
        return piw_err_errno(err, "can't become the parent of orphaned processes");
    return 0;
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

/* The parent of a process, or 0. The second field of /proc/PID/stat is a name in parentheses that may hold anything. */
static pid_t parent_of(const char *pid)
{
    char path[64], line[512];
    snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, line, sizeof(line) - 1);
    close(fd);
    line[n > 0 ? n : 0] = '\0';
    const char *after = strrchr(line, ')');
    int parent = 0;
    return after != NULL && sscanf(after + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

static void kill_children(void)
{
    DIR *proc = opendir("/proc");
    if (proc == NULL)
        return;
    struct dirent *entry;
    while ((entry = readdir(proc)) != NULL)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && parent_of(entry->d_name) == getpid())
            kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL);
    closedir(proc);
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
