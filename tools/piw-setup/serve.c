/* serve.c — the farm is started: by systemd, or here until Ctrl+C. */
#include "setup.h"

#include "child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the packages and `make install` put the units. */
static bool has_unit(const char *name)
{
    static const char *const folders[] = {"/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system",
                                          "/usr/local/lib/systemd/system"};
    bool found = false;
    for (size_t i = 0; i < PIW_COUNT(folders) && !found; i++) {
        char *path = piw_sprintf("%s/%s", folders[i], name);
        found = access(path, R_OK) == 0;
        free(path);
    }
    return found;
}

int setup_units(const setup *self, piw_err *err)
{
    (void)self;
    static const char *const units[] = {"piwheels-master.service", "piwheels-slave.service"};
    int rc = 0;
    for (size_t i = 0; i < PIW_COUNT(units) && rc == 0; i++) {
        if (!has_unit(units[i])) {
            setup_say("left out", "%s isn't installed on this machine", units[i]);
            continue;
        }
        const char *argv[] = {"systemctl", "--quiet", "enable", "--now", units[i], NULL};
        rc = child_run(NULL, argv, NULL, err);
        if (rc == 0)
            setup_say("started", "%s", units[i]);
        else
            piw_err_prefix(err, "can't start %s (journalctl -u %s says more)", units[i], units[i]);
    }
    return rc;
}

typedef struct running {
    const char *name;
    pid_t pid; /* 0: doesn't run */
} running;

enum { MASTER, SLAVE, COUNT };

static void end_all(const running *farm)
{
    for (size_t i = 0; i < COUNT; i++)
        if (farm[i].pid > 0)
            kill(farm[i].pid, SIGTERM);
}

/* Of one that ended: an error, unless it was asked to. */
static int reap(running *farm, bool stopping, piw_err *err)
{
    int status = 0, rc = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        for (size_t i = 0; i < COUNT; i++) {
            if (farm[i].pid != pid)
                continue;
            farm[i].pid = 0;
            /* A program that has only just begun doesn't catch the signal yet. */
            bool good = WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGTERM;
            if (!stopping || !good)
                rc = piw_err_set(err, PIW_EDEAD, "%s has ended %s %d", farm[i].name,
                                 WIFSIGNALED(status) ? "by signal" : "with exit code",
                                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        }
    }
    return rc;
}

static int attend(running *farm, const sigset_t *set, piw_err *err)
{
    bool stopping = false;
    int rc = 0;
    while (farm[MASTER].pid > 0 || farm[SLAVE].pid > 0) {
        int number = sigwaitinfo(set, NULL);
        if (number < 0 && errno != EINTR)
            return piw_err_errno(err, "can't wait for signals");
        if (number == SIGCHLD) {
            int ended = reap(farm, stopping, err);
            rc = rc != 0 ? rc : ended;
        }
        if (!stopping && (number == SIGINT || number == SIGTERM || rc != 0)) {
            stopping = true;
            end_all(farm);
        }
    }
    return rc;
}

int setup_foreground(const setup *self, piw_err *err)
{
    running farm[COUNT] = {{.name = "piw-master"}, {.name = "piw-slave"}};
    static const char *const users[COUNT] = {SETUP_MASTER_USER, SETUP_SLAVE_USER};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    int rc = sigprocmask(SIG_BLOCK, &set, NULL) != 0 ? piw_err_errno(err, "signals can't be set up") : 0;
    for (size_t i = 0; i < COUNT && rc == 0; i++) {
        char *path = piw_sprintf("%s/%s", self->programs, farm[i].name);
        const char *argv[] = {path, NULL};
        if (access(path, X_OK) != 0)
            setup_say("left out", "%s isn't installed on this machine", farm[i].name);
        else if ((rc = child_start(users[i], argv, &farm[i].pid, err)) == 0)
            setup_say("started", "%s, until Ctrl+C", farm[i].name);
        free(path);
    }
    if (rc == 0)
        return attend(farm, &set, err);
    end_all(farm);
    return rc;
}
