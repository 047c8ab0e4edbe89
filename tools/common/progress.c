/* progress.c — how far long work is: a bar on a terminal, elsewhere a line now and then. */
#include "common/progress.h"

#include "piw/log.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    BAR_MOST = 30,
    BAR_LEAST = 10,
    WIDTH_UNKNOWN = 80,
    WIDTH_MAX = 400,
    RATE_SURE_S = 3, /* what is left isn't guessed from less */
};
static const int64_t first_ns = 1000000000, bar_ns = 200000000, line_ns = 10000000000;

void tool_progress_begin(tool_progress *self, FILE *to)
{
    const char *term = getenv("TERM");
    bool can = term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0;
    int64_t now_ns = piw_monotonic_ns();
    *self = (tool_progress){.to = to, .terminal = to != NULL && can && isatty(fileno(to)) == 1, .begun_ns = now_ns};
    self->next_ns = now_ns + (self->terminal ? first_ns : line_ns);
}

static size_t screen_width(FILE *to)
{
    struct winsize size;
    if (ioctl(fileno(to), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return WIDTH_UNKNOWN;
    return size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
}

/* "1:05", "2:03:10". */
static void print_left(int64_t seconds, char *to, size_t size)
{
    if (seconds >= 3600)
        snprintf(to, size, "%lld:%02d:%02d left", (long long)(seconds / 3600), (int)(seconds / 60 % 60),
                 (int)(seconds % 60));
    else
        snprintf(to, size, "%d:%02d left", (int)(seconds / 60), (int)(seconds % 60));
}

/* "42 % done, 1:05 left, "; nothing when it isn't known how much there is. */
static void print_place(const tool_progress *self, int64_t done, int64_t total, char *to, size_t size)
{
    double seconds = (double)(piw_monotonic_ns() - self->begun_ns) / 1e9;
    char left[40] = "";
    to[0] = '\0';
    if (total <= 0)
        return;
    if (done > 0 && done < total && seconds >= RATE_SURE_S) {
        print_left((int64_t)(seconds / (double)done * (double)(total - done)) + 1, left, sizeof(left) - 2);
        snprintf(left + strlen(left), 3, ", ");
    }
    snprintf(to, size, "%d %% done, %s", (int)((double)done / (double)total * 100), left);
}

/* As many columns as there are: a character of several bytes is taken whole or not at all, and for one column. */
static size_t cut(const char *text, size_t columns)
{
    size_t at = 0;
    for (; text[at] != '\0' && columns > 0; columns--)
        do
            at++;
        while (((unsigned char)text[at] & 0xc0) == 0x80);
    return at;
}

size_t tool_progress_bar(double part, size_t columns, char *to, size_t size)
{
    int filled = (int)((part < 0 ? 0 : part > 1 ? 1 : part) * (double)columns);
    int len = snprintf(to, size, "[%.*s%*s] ", filled, "##############################", (int)columns - filled, "");
    return len < (int)size ? (size_t)len : size - 1;
}

static void show_bar(tool_progress *self, int64_t done, int64_t total, const char *place, const char *text)
{
    char line[WIDTH_MAX * 4 + 1];
    size_t width = screen_width(self->to) - 1, bar = width / 3;
    bar = bar > BAR_MOST ? BAR_MOST : bar;
    size_t len = 0;
    if (total > 0 && bar >= BAR_LEAST)
        len = tool_progress_bar((double)done / (double)total, bar, line, sizeof(line));
    snprintf(line + len, sizeof(line) - len, "%s%s", place, text);
    if (self->to == stderr)
        piw_log_over_bar(true);
    fprintf(self->to, "\r%.*s\033[K", (int)cut(line, width), line);
    self->shown = true;
}

int tool_progress_percent(const char *note)
{
    int percent = 0, read = 0;
    return sscanf(note, "%3d %% done%n", &percent, &read) == 1 && read > 0 && percent >= 0 ? percent : -1;
}

void tool_progress_note(tool_progress *self, int percent, const char *text)
{
    if (!self->terminal)
        return;
    show_bar(self, percent, 100, "", text);
    fflush(self->to);
}

void tool_progress_show(tool_progress *self, bool now, int64_t done, int64_t total, const char *fmt, ...)
{
    int64_t now_ns = piw_monotonic_ns();
    if (self->to == NULL || (!now && now_ns < self->next_ns))
        return;
    self->next_ns = now_ns + (self->terminal ? bar_ns : line_ns);
    char place[80], text[WIDTH_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    done = done < total ? done : total;
    print_place(self, done, total, place, sizeof(place));
    if (self->terminal)
        show_bar(self, done, total, place, text);
    else
        fprintf(self->to, "%s%s\n", place, text);
    fflush(self->to);
}

void tool_progress_clear(tool_progress *self)
{
    if (!self->shown)
        return;
    fputs("\r\033[K", self->to);
    fflush(self->to);
    if (self->to == stderr)
        piw_log_over_bar(false);
    self->shown = false;
}
