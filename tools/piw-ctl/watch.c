/* What goes on until the user has seen enough: the trace of a task, and the screen of all tasks. */
#include "ctl.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { TRACE_EVERY_MS = 200, TOP_EVERY_MS = 2000 };

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* --- trace --------------------------------------------------------------------------------------------------------- */

static void print_lines(const ctl *self, const admin_LINES *lines)
{
    for (uint32_t i = 0; i < lines->lines.count; i++) {
        if (self->json)
            json_line(lines->lines.at[i].s);
        else
            printf("%s\n", lines->lines.at[i].s);
    }
    fflush(stdout);
}

int watch_trace(ctl *self, piw_err *err)
{
    const char *match = piw_config_text(self->config, "match");
    piw_text task = piw_text_of(self->operands[1]);
    int64_t next = 0;
    int ret = 0;
    catch_signals();
    while (ret == 0 && !interrupted && !ferror(stdout)) {
        piw_msg *answer = NULL;
        ret = ctl_ask(self, admin_TRACE_make(task, piw_text_of(match != NULL ? match : ""), next), admin_LINES_type(),
                      &answer, err);
        if (ret != 0)
            break;
        print_lines(self, admin_LINES_of(answer));
        next = admin_LINES_of(answer)->next;
        piw_msg_free(&answer);
        poll(NULL, 0, TRACE_EVERY_MS);
    }
    if (ret == 0) {
        piw_msg *answer = NULL;
        ret = ctl_ask(self, admin_UNTRACE_make(task), admin_DONE_type(), &answer, err);
        piw_msg_free(&answer);
    }
    return ret;
}

/* --- top ----------------------------------------------------------------------------------------------------------- */

static void size_of_screen(int *rows, int *columns)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0;
    *rows = known ? size.ws_row : 24;
    *columns = known ? size.ws_col : 80;
}

/* One line, cut to the screen, the rest of it cleared. */
static void put_line(int columns, const char *style, const char *text)
{
    int length = (int)strlen(text);
    printf("%s%.*s%s\x1b[K\n", style, length < columns ? length : columns - 1, text, *style != 0 ? "\x1b[0m" : "");
}

static void put_task(int columns, const task_row *row)
{
    char line[400], p50[32], p99[32], up[32];
    bool well = piw_text_is(row->state, "running");
    snprintf(line, sizeof line, "%-16.16s %-9.9s %7lld %9.1f %8s %8s %6lld %6lld %8s", row->task.s, row->state.s,
             (long long)row->mailbox, row->rate, show_time_us(row->p50_us, p50, sizeof p50),
             show_time_us(row->p99_us, p99, sizeof p99), (long long)(row->calls_open + row->deferred),
             (long long)row->errors, show_uptime(row->uptime_s, up, sizeof up));
    put_line(columns, well ? "" : "\x1b[1m", line);
}

static void draw(const ctl *self, const admin_TASKS *tasks)
{
    int rows, columns;
    char line[300], clock[16];
    size_of_screen(&rows, &columns);
    time_t now = time(NULL);
    struct tm local;
    strftime(clock, sizeof clock, "%H:%M:%S", localtime_r(&now, &local));
    double rate = 0;
    for (uint32_t i = 0; i < tasks->tasks.count; i++)
        rate += tasks->tasks.at[i].rate;
    printf("\x1b[H");
    snprintf(line, sizeof line, "%s  %u tasks, %.1f messages/s  %.120s  (q ends)", clock, tasks->tasks.count, rate,
             piw_config_text(self->config, "admin-queue"));
    put_line(columns, "", line);
    snprintf(line, sizeof line, "%-16s %-9s %7s %9s %8s %8s %6s %6s %8s", "TASK", "STATE", "MAILBOX", "MSG/S", "P50",
             "P99", "OPEN", "ERRORS", "UP");
    put_line(columns, "\x1b[7m", line);
    int left = rows - 3;
    for (uint32_t i = 0; i < tasks->tasks.count && left > 0; i++, left--)
        put_task(columns, &tasks->tasks.at[i]);
    for (uint32_t i = 0; i < tasks->tasks.count && left > 0; i++) {
        if (tasks->tasks.at[i].note.len == 0)
            continue;
        snprintf(line, sizeof line, "%.40s: %.250s", tasks->tasks.at[i].task.s, tasks->tasks.at[i].note.s);
        put_line(columns, "", line);
        left--;
    }
    printf("\x1b[J");
    fflush(stdout);
}

/* False: the user wants to end. */
static bool wait_key(void)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&fd, 1, TOP_EVERY_MS) <= 0)
        return !interrupted;
    char key;
    ssize_t n = read(STDIN_FILENO, &key, 1);
    return n == 1 && key != 'q' && key != 'Q' && key != 3 && key != 4;
}

int watch_top(ctl *self, piw_err *err)
{
    struct termios before, raw;
    if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0)
        return piw_err_set(err, PIW_EUSAGE, "top needs a terminal; list shows the same once");
    raw = before;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    catch_signals();
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    printf("\x1b[?1049h\x1b[?25l");
    int ret = 0;
    do {
        piw_msg *answer = NULL;
        ret = ctl_ask(self, admin_LIST_new(), admin_TASKS_type(), &answer, err);
        if (ret == 0)
            draw(self, admin_TASKS_of(answer));
        piw_msg_free(&answer);
    } while (ret == 0 && wait_key());
    printf("\x1b[?25h\x1b[?1049l");
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
    return ret;
}
