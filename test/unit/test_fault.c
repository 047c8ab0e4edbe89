/* Fault points are read when a program begins, so each test runs this program again with PIW_FAULTS set. */
#include "unit.h"

#include "piw/fault.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The program started again: passes point `a` four times and `b` once; its exit code says which ones acted. libpiw's
 * own constructors have run before this one. */
__attribute__((constructor)) static void child(void)
{
    if (getenv("PIW_UNIT_CHILD") == NULL)
        return;
    int code = 0;
    for (int i = 0; i < 4; i++)
        code |= (int)PIW_FAULT("a") << i;
    code |= (int)PIW_FAULT("b") << 4;
    _exit(code);
}

static pid_t start(const char *faults, const char *log)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        setenv("PIW_UNIT_CHILD", "1", 1);
        setenv("PIW_FAULTS", faults, 1);
        if (log != NULL)
            setenv("PIW_FAULT_LOG", log, 1);
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDERR_FILENO);
        char self[] = "/proc/self/exe", *argv[] = {self, NULL};
        execv(self, argv);
        _exit(99);
    }
    return pid;
}

static int run(const char *faults)
{
    int status;
    pid_t pid = start(faults, NULL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

typedef struct fault_case {
    const char *faults;
    int code;
} fault_case;

static const fault_case cases[] = {
    {"", 0},
    {"c=error", 0},
    {"a=error", 1},
    {"a=error:3", 4},
    {"a=error:2,a=error:4", 10},
    {"a=error:5", 0},
    {"a=error/2", 10},
    {"a=error/1,b=error/2", 15},
    {"a=error/", 2},
    {"a=error/0", 2},
    {"a=error/2/2", 2},
    {"a=error,b=error", 17},
    {",a=error,,b=error,", 17},
    {"a=kill:4", 100 + SIGKILL},
    {"a", 2},
    {"=error", 2},
    {"a=", 2},
    {"a=explode", 2},
    {"a=error:", 2},
    {"a=error:0", 2},
    {"a=error:x", 2},
    {"a=error:-1", 2},
    {"a=error:1x", 2},
    {"a234567890123456789012345678901234567890123456789012345678901234567890=error", 2},
};

START_TEST(actions)
{
    ck_assert_int_eq(run(cases[_i].faults), cases[_i].code);
}
END_TEST

START_TEST(pause_says_so_and_goes_on)
{
    char log[] = "/tmp/piw-fault-XXXXXX", text[32] = "";
    int fd = mkstemp(log), status;
    ck_assert_int_ge(fd, 0);
    pid_t pid = start("a=pause:2,b=error", log);
    ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
    ck_assert(WIFSTOPPED(status));
    ck_assert_int_eq(read(fd, text, sizeof(text) - 1), 2);
    ck_assert_str_eq(text, "a\n");
    ck_assert_int_eq(kill(pid, SIGCONT), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 16);
    ck_assert_int_eq(read(fd, text, sizeof(text) - 1), 2);
    close(fd);
    unlink(log);
}
END_TEST

START_TEST(off_by_default)
{
    ck_assert(!piw_faults_armed);
    ck_assert(!PIW_FAULT("a"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("fault");
    TCase *tc = tcase_create("points");
    tcase_add_loop_test(tc, actions, 0, (int)PIW_COUNT(cases));
    tcase_add_test(tc, pause_says_so_and_goes_on);
    tcase_add_test(tc, off_by_default);
    suite_add_tcase(suite, tc);
    return suite;
}
