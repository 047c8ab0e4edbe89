/* isolate_spawn.c — the process of an isolated soul: started with nothing but what it needs, killed and reaped. */
#include "actor/isolate.h"

#include "actor/soul_wire.h"
#include "base/core_dumps.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* A killed process is there until the kernel has let go of its memory. */
enum { REAP_MS = 10000 };

const char *piw__soul_program;

/* The program lies beside the library: LIB/../bin. */
static int program(char *path, size_t size, piw_err *err)
{
    if (piw__soul_program != NULL) {
        snprintf(path, size, "%s", piw__soul_program);
        return 0;
    }
    Dl_info info;
    char lib[PATH_MAX];
    if (dladdr((void *)(uintptr_t)piw__soul_spawn, &info) == 0 || realpath(info.dli_fname, lib) == NULL)
        return piw_err_set(err, PIW_ESYS, "the library's own file can't be found");
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(lib, '/');
        if (slash != NULL)
            *slash = 0;
    }
    int n = snprintf(path, size, "%s/bin/piw-soul", lib);
    if (n < 0 || (size_t)n >= size || access(path, X_OK) != 0)
        return piw_err_set(err, PIW_ENOENT, "%s is not there: isolate = process needs it", path);
    return 0;
}

/* Numbers above those that the process gets, so that no copy is made over another. */
static int above(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 16);
}

static int spawn(const char *path, const char *task, int socket, int image, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, defaults;
    char parent[16];
    snprintf(parent, sizeof(parent), "%d", (int)getpid());
    char *const argv[] = {(char *)"piw-soul", (char *)task, parent,
                          (char *)(piw__core_dumps_allowed() ? PIW__SOUL_OPEN : PIW__SOUL_CLOSED), NULL};
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    int rc = posix_spawn_file_actions_adddup2(&actions, socket, PIW__SOUL_SOCKET);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&actions, image, PIW__SOUL_IMAGE);
    if (rc == 0)
        rc = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (rc == 0)
        rc = posix_spawnattr_setsigmask(&attr, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(&attr, &defaults);
    if (rc == 0)
        rc = posix_spawn(pid, path, &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

int piw__soul_spawn(const char *task, int image_fd, int *fd, pid_t *pid, piw_err *err)
{
    char path[PATH_MAX + 32];
    int pair[2], ret = program(path, sizeof(path), err);
    if (ret != 0)
        return ret;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return piw_err_errno(err, "can't make the sockets to the process of %s", task);
    int socket = above(pair[1]), image = above(image_fd);
    if (socket < 0 || image < 0 || fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0)
        ret = piw_err_errno(err, "can't hand a socket to the process of %s", task);
    else if ((errno = spawn(path, task, socket, image, pid)) != 0)
        ret = piw_err_errno(err, "%s can't be started", path);
    if (socket >= 0)
        close(socket);
    if (image >= 0)
        close(image);
    close(pair[1]);
    if (ret != 0)
        close(pair[0]);
    else
        *fd = pair[0];
    return ret;
}

void piw__soul_reap(pid_t pid, char *how, size_t size)
{
    int status = 0;
    pid_t got;
    kill(pid, SIGKILL); /* nothing happens to one that has ended: it keeps its status */
    for (int waited = 0; (got = waitpid(pid, &status, WNOHANG)) == 0 && waited < REAP_MS; waited++)
        poll(NULL, 0, 1);
    if (got != pid)
        snprintf(how, size, "its process %d can't be reaped", (int)pid);
    else if (WIFSIGNALED(status))
        snprintf(how, size, "its process was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(how, size, "its process ended with code %d", WEXITSTATUS(status));
}
