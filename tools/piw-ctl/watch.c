/* watch.c — the commands that go on until the user ends them: the trace of a task, and the screen of all tasks. */
#include "ctl.h"

#include "common/age.h"
#include "common/progress.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { TRACE_EVERY_MS = 200, TRACE_FULL = 1000 /* lines: there may be more */, TOP_EVERY_MS = 2000, NOTE_BAR = 20 };

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

void watch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool watch_interrupted(void)
{
    return interrupted != 0;
}

/* --- trace --------------------------------------------------------------------------------------------------------- */

static void print_lines(const ctl *self, const admin_LINES *lines)
{
    for (uint32_t i = 0; i < lines->lines.count; i++) {
        if (self->json)
            json_line(lines->lines.at[i].s);
        else
            show_line(lines->lines.at[i].s);
    }
    fflush(stdout);
}

int watch_trace(ctl *self, piw_err *err)
{
    const char *match = piw_config_text(self->config, "match");
    piw_text task = piw_text_of(self->operands[1]);
    int64_t next = 0;
    int rc = 0;
    watch_signals();
    while (rc == 0 && !interrupted && !ferror(stdout)) {
        piw_msg *answer = NULL;
        rc = ctl_ask(self, admin_TRACE_make(task, piw_text_of(match != NULL ? match : ""), next), admin_LINES_type(),
                     &answer, err);
        if (rc != 0)
            break;
        print_lines(self, admin_LINES_of(answer));
        next = admin_LINES_of(answer)->next;
        bool more = admin_LINES_of(answer)->lines.count >= TRACE_FULL;
        piw_msg_free(&answer);
        if (!more)
            poll(NULL, 0, TRACE_EVERY_MS);
    }
    if (rc == 0) {
        piw_msg *answer = NULL;
        rc = ctl_ask(self, admin_UNTRACE_make(task), admin_DONE_type(), &answer, err);
        piw_msg_free(&answer);
    }
    return rc;
}

/* --- top ---------------------------------------------------------------------------------------------------------- */

static void size_of_screen(int *rows, int *columns)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0;
    *rows = known ? size.ws_row : 24;
    *columns = known ? size.ws_col : 80;
}

/* Prints a line, cut after the last character that fits the screen, and clears what follows it. */
static void put_line(int columns, const char *style, const char *text)
{
    const char *end = text;
    for (int left = columns; *end != 0; end++)
        if (((unsigned char)*end & 0xc0) != 0x80 && --left == 0)
            break;
    printf("%s%.*s%s\x1b[K\n", style, (int)(end - text), text, *style != 0 ? "\x1b[0m" : "");
}

/* Makes a line of the table. Columns that don't fit the screen are left out, the last ones first. */
static void put_row(int columns, const char *style, const char *const *cells)
{
    static const int widths[] = {-14, -8, 7, 8, 7, 7, 5, 6, 7, 8, -8, -20}; /* negative: from the left */
    char line[400] = "";
    int len = 0;
    for (size_t i = 0; i < PIW_COUNT(widths); i++) {
        int wide = widths[i] < 0 ? -widths[i] : widths[i];
        if (len + 1 + wide >= columns)
            break;
        len += snprintf(line + len, sizeof(line) - (size_t)len, "%s%*.*s", i > 0 ? " " : "", widths[i], wide, cells[i]);
    }
    put_line(columns, style, line);
}

static void put_task(int columns, const task_row *row)
{
    char mailbox[24], rate[24], p50[32], p99[32], open[24], errors[24], up[32], restarts[24];
    snprintf(mailbox, sizeof(mailbox), "%lld", (long long)row->mailbox);
    snprintf(rate, sizeof(rate), "%.1f", row->rate);
    snprintf(open, sizeof(open), "%lld", (long long)row->calls_open + row->deferred);
    snprintf(errors, sizeof(errors), "%lld", (long long)row->errors);
    snprintf(restarts, sizeof(restarts), "%lld", (long long)row->restarts);
    const char *const cells[] = {row->task.s,
                                 row->state.s,
                                 mailbox,
                                 rate,
                                 show_time_us(row->p50_us, p50, sizeof(p50)),
                                 show_time_us(row->p99_us, p99, sizeof(p99)),
                                 open,
                                 errors,
                                 tool_age(row->uptime_s, up, sizeof(up)),
                                 restarts,
                                 row->version.s,
                                 row->file.len > 0 ? row->file.s : "(built in)"};
    put_row(columns, piw_text_is(row->state, "running") ? "" : "\x1b[1m", cells);
}

static void draw(const ctl *self, const admin_TASKS *tasks)
{
    static const char *const heads[] = {"TASK", "STATE",  "MAILBOX", "MSG/S",    "P50",     "P99",
                                        "OPEN", "ERRORS", "UP",      "RESTARTS", "VERSION", "FILE"};
    int rows, columns;
    char line[400], clock[16];
    size_of_screen(&rows, &columns);
    time_t now = time(NULL);
    struct tm local;
    strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &local));
    double rate = 0;
    for (uint32_t i = 0; i < tasks->tasks.count; i++)
        rate += tasks->tasks.at[i].rate;
    printf("\x1b[H");
    snprintf(line, sizeof(line), "%s  %u tasks, %.1f messages/s (q ends)  %.120s", clock, tasks->tasks.count, rate,
             piw_config_text(self->config, "admin-queue"));
    put_line(columns, "", line);
    put_row(columns, "\x1b[7m", heads);
    int left = rows - 3;
    for (uint32_t i = 0; i < tasks->tasks.count && left > 0; i++, left--)
        put_task(columns, &tasks->tasks.at[i]);
    for (uint32_t i = 0; i < tasks->tasks.count && left > 0; i++) {
        if (tasks->tasks.at[i].note.len == 0)
            continue;
        snprintf(line, sizeof(line), "%.40s: ", tasks->tasks.at[i].task.s);
        size_t len = strlen(line);
        int percent = tool_progress_percent(tasks->tasks.at[i].note.s);
        if (percent >= 0)
            len += tool_progress_bar(percent / 100.0, NOTE_BAR, line + len, sizeof(line) - len);
        show_clean(tasks->tasks.at[i].note.s, line + len, sizeof(line) - len);
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

/* For scripts: a document every while. */
static int list_on(ctl *self, piw_err *err)
{
    int rc = 0;
    watch_signals();
    while (rc == 0 && !interrupted && !ferror(stdout)) {
        piw_msg *answer = NULL;
        rc = ctl_ask(self, admin_LIST_new(), admin_TASKS_type(), &answer, err);
        if (rc == 0)
            json_tasks(admin_TASKS_of(answer));
        piw_msg_free(&answer);
        fflush(stdout);
        if (rc == 0)
            poll(NULL, 0, TOP_EVERY_MS);
    }
    return rc;
}

int watch_top(ctl *self, piw_err *err)
{
    struct termios before, raw;
    if (self->json)
        return list_on(self, err);
    if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0)
        return piw_err_set(err, PIW_EUSAGE, "top needs a terminal; list shows the same once");
    raw = before;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    watch_signals();
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    printf("\x1b[?1049h\x1b[?25l");
    int rc = 0;
    do {
        piw_msg *answer = NULL;
        rc = ctl_ask(self, admin_LIST_new(), admin_TASKS_type(), &answer, err);
        if (rc == 0)
            draw(self, admin_TASKS_of(answer));
        piw_msg_free(&answer);
    } while (rc == 0 && wait_key());
    printf("\x1b[?25h\x1b[?1049l");
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
    return rc;
}
