/* child.c — other programs, run as the user whose work they do. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAID_MAX = 64 * 1024, CANT_START = 127 };

bool child_user_exists(const char *user)
{
    return getpwnam(user) != NULL;
}

/* --- In the child ---------------------------------------------------------------------------------------------------- */

static void give_up(const char *program)
{
    dprintf(STDERR_FILENO, "%s: %s\n", program, strerror(errno));
    _exit(CANT_START);
}

/* Nothing of root's environment reaches it: variables such as PGHOST would lead it elsewhere. */
static void become(const struct passwd *user, const char *const argv[])
{
    sigset_t none;
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) != 0 || clearenv() != 0 ||
        setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1) != 0 ||
        setenv("LC_ALL", "C.UTF-8", 1) != 0 || setenv("HOME", user->pw_dir, 1) != 0 ||
        setenv("USER", user->pw_name, 1) != 0 || chdir("/") != 0)
        give_up(argv[0]);
    if (user->pw_uid != 0 && (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
                              setuid(user->pw_uid) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0))
        give_up(argv[0]);
}

static void run(const struct passwd *user, const char *const argv[])
{
    become(user, argv);
    execvp(argv[0], (char *const *)argv);
    give_up(argv[0]);
}

/* --- In the parent ---------------------------------------------------------------------------------------------------- */

static const struct passwd *find_user(const char *user, piw_err *err)
{
    const struct passwd *found = user != NULL ? getpwnam(user) : getpwuid(0);
    if (found == NULL)
        piw_err_set(err, PIW_ENOENT, "there is no user %s", user != NULL ? user : "root");
    return found;
}

typedef struct gathered {
    int fd;
    size_t len;
    char text[SAID_MAX + 1];
} gathered;

/* What goes beyond the bound is read away, so that the program can go on. */
static bool gather(gathered *self)
{
    char rest[4096];
    size_t room = SAID_MAX - self->len;
    ssize_t got = room > 0 ? read(self->fd, self->text + self->len, room) : read(self->fd, rest, sizeof(rest));
    if (got < 0 && errno == EINTR)
        return true;
    if (got > 0 && room > 0)
        self->len += (size_t)got;
    self->text[self->len] = '\0';
    return got > 0;
}

static void gather_both(gathered *out, gathered *complaint)
{
    struct pollfd ends[] = {{.fd = out->fd, .events = POLLIN}, {.fd = complaint->fd, .events = POLLIN}};
    while (ends[0].fd >= 0 || ends[1].fd >= 0) {
        if (poll(ends, PIW_COUNT(ends), -1) < 0 && errno != EINTR)
            return;
        if (ends[0].revents != 0 && !gather(out))
            ends[0].fd = -1;
        if (ends[1].revents != 0 && !gather(complaint))
            ends[1].fd = -1;
        for (size_t i = 0; i < PIW_COUNT(ends); i++)
            ends[i].revents = 0;
    }
}

static const char *last_line(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
    const char *end = strrchr(text, '\n');
    return end != NULL ? end + 1 : text;
}

static int await(pid_t pid, const char *program, gathered *complaint, piw_err *err)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return piw_err_errno(err, "can't wait for %s", program);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    const char *words = last_line(complaint->text);
    if (WIFSIGNALED(status))
        return piw_err_set(err, PIW_EREFUSED, "%s was ended by signal %d", program, WTERMSIG(status));
    return *words != '\0' ? piw_err_set(err, PIW_EREFUSED, "%s", words)
                          : piw_err_set(err, PIW_EREFUSED, "%s ended with exit code %d", program, WEXITSTATUS(status));
}

int child_run(const char *user, const char *const argv[], char **said, piw_err *err)
{
    int out_ends[2], complaint_ends[2];
    const struct passwd *who = find_user(user, err);
    if (who == NULL)
        return PIW_ENOENT;
    if (pipe2(out_ends, O_CLOEXEC) != 0)
        return piw_err_errno(err, "can't make a pipe");
    if (pipe2(complaint_ends, O_CLOEXEC) != 0) {
        close(out_ends[0]);
        close(out_ends[1]);
        return piw_err_errno(err, "can't make a pipe");
    }
    pid_t pid = fork();
    if (pid == 0) {
        int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(out_ends[1], STDOUT_FILENO) < 0 ||
            dup2(complaint_ends[1], STDERR_FILENO) < 0)
            give_up(argv[0]);
        run(who, argv);
    }
    close(out_ends[1]);
    close(complaint_ends[1]);
    gathered *out = piw_zalloc(sizeof(*out)), *complaint = piw_zalloc(sizeof(*complaint));
    out->fd = out_ends[0];
    complaint->fd = complaint_ends[0];
    int rc = 0;
    if (pid < 0) {
        rc = piw_err_errno(err, "can't start %s", argv[0]);
    } else {
        gather_both(out, complaint);
        rc = await(pid, argv[0], complaint, err);
    }
    if (rc == 0 && said != NULL)
        *said = piw_strdup(out->text);
    close(out->fd);
    close(complaint->fd);
    free(out);
    free(complaint);
    return rc;
}

int child_start(const char *user, const char *const argv[], pid_t *pid, piw_err *err)
{
    const struct passwd *who = find_user(user, err);
    if (who == NULL)
        return PIW_ENOENT;
    pid_t parent = getpid();
    *pid = fork();
    if (*pid == 0) {
        become(who, argv);
        /* Asked for after the change of users, which forgets it; the parent may have ended before. */
        if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) != 0 || getppid() != parent)
            _exit(CANT_START);
        execvp(argv[0], (char *const *)argv);
        give_up(argv[0]);
    }
    return *pid < 0 ? piw_err_errno(err, "can't start %s", argv[0]) : 0;
}
