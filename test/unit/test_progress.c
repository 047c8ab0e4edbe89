/* test_progress — how far long work is: a bar that fits the screen, lines in a file, nothing when nobody wants to know. */
#include "common/progress.h"
#include "unit.h"

#include <pty.h>
#include <stdlib.h>
#include <unistd.h>

static FILE *terminal;
static int screen = -1;

static void open_screen(unsigned short columns)
{
    struct winsize size = {.ws_row = 24, .ws_col = columns};
    int fd;
    ck_assert_int_eq(openpty(&screen, &fd, NULL, NULL, &size), 0);
    terminal = fdopen(fd, "w");
    ck_assert_ptr_nonnull(terminal);
    ck_assert_int_eq(setenv("TERM", "xterm", 1), 0);
}

static void close_screen(void)
{
    fclose(terminal);
    close(screen);
}

/* What has been written since, at least a byte. */
static const char *written(void)
{
    static char text[4000];
    ssize_t n = read(screen, text, sizeof(text) - 1);
    ck_assert_int_gt(n, 0);
    text[n] = '\0';
    return text;
}

static size_t columns(const char *text)
{
    size_t n = 0;
    for (; *text != '\0' && *text != '\033'; text++)
        n += *text != '\r' && ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

START_TEST(a_bar_fits_the_screen)
{
    static const unsigned short widths[] = {20, 40, 80, 132};
    for (size_t i = 0; i < PIW_COUNT(widths); i++) {
        tool_progress bar;
        open_screen(widths[i]);
        tool_progress_begin(&bar, terminal);
        tool_progress_show(
            &bar, true, 42, 100, "%s",
            "wheels öäü of a name that is longer than any screen has columns, so that it is cut, wherever "
            "that may be");
        const char *text = written();
        ck_assert_ptr_nonnull(strstr(text, "42 % done, "));
        ck_assert_uint_eq(columns(text), widths[i] - 1);
        ck_assert_int_eq(strchr(text, '[') != NULL && strstr(text, "[#") != NULL, widths[i] >= 40);
        ck_assert_ptr_null(strchr(text, '\n'));
        ck_assert_ptr_null(strstr(text, "\033[3"));
        tool_progress_clear(&bar);
        ck_assert_str_eq(written(), "\r\033[K");
        close_screen();
    }
}
END_TEST

START_TEST(what_is_left_is_told_when_it_is_known)
{
    tool_progress bar;
    open_screen(80);
    tool_progress_begin(&bar, terminal);
    bar.begun_ns -= INT64_C(100000000000);
    tool_progress_show(&bar, true, 25, 100, "wheels");
    ck_assert_ptr_nonnull(strstr(written(), "25 % done, 5:01 left, wheels"));
    bar.begun_ns -= INT64_C(10000000000000);
    tool_progress_show(&bar, true, 25, 100, "wheels");
    ck_assert_ptr_nonnull(strstr(written(), "25 % done, 8:25:01 left, wheels"));
    tool_progress_show(&bar, true, 25, 0, "wheels");
    ck_assert_str_eq(written(), "\rwheels\033[K");
    tool_progress_show(&bar, true, 101, 100, "wheels");
    ck_assert_ptr_nonnull(strstr(written(), "100 % done, wheels"));
    close_screen();
}
END_TEST

START_TEST(it_is_shown_now_and_then)
{
    tool_progress bar;
    open_screen(80);
    tool_progress_begin(&bar, terminal);
    for (int i = 0; i < 1000; i++)
        tool_progress_show(&bar, false, i, 1000, "wheels"); /* within the first second */
    tool_progress_show(&bar, true, 500, 1000, "now");
    ck_assert_ptr_nonnull(strstr(written(), "50 % done, now"));
    tool_progress_show(&bar, false, 501, 1000, "too soon");
    bar.next_ns = 0;
    tool_progress_show(&bar, false, 502, 1000, "in time");
    const char *text = written();
    ck_assert(strstr(text, "too soon") == NULL && strstr(text, "in time") != NULL);
    close_screen();
}
END_TEST

START_TEST(a_dumb_terminal_and_a_file_get_lines)
{
    char *text = NULL;
    size_t size = 0;
    tool_progress bar;
    open_screen(80);
    ck_assert_int_eq(setenv("TERM", "dumb", 1), 0);
    tool_progress_begin(&bar, terminal);
    tool_progress_show(&bar, true, 1, 2, "wheels");
    ck_assert_str_eq(written(), "50 % done, wheels\r\n"); /* the terminal's own \r */
    close_screen();
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    tool_progress_begin(&bar, file);
    for (int i = 0; i < 1000; i++)
        tool_progress_show(&bar, false, i, 1000, "too soon");
    tool_progress_show(&bar, true, 1, 2, "wheels");
    tool_progress_clear(&bar);
    rewind(file);
    ck_assert_int_eq(getline(&text, &size, file), (int)strlen("50 % done, wheels\n"));
    ck_assert_str_eq(text, "50 % done, wheels\n");
    ck_assert_int_eq(getline(&text, &size, file), -1);
    free(text);
    fclose(file);
}
END_TEST

START_TEST(a_bar_of_its_own)
{
    char bar[40];
    ck_assert_uint_eq(tool_progress_bar(0.5, 10, bar, sizeof(bar)), 13);
    ck_assert_str_eq(bar, "[#####     ] ");
    tool_progress_bar(1.5, 10, bar, sizeof(bar));
    ck_assert_str_eq(bar, "[##########] ");
    tool_progress_bar(-1, 10, bar, sizeof(bar));
    ck_assert_str_eq(bar, "[          ] ");
}
END_TEST

START_TEST(nothing_is_shown_to_nobody)
{
    tool_progress bar;
    tool_progress_begin(&bar, NULL);
    tool_progress_show(&bar, true, 1, 2, "wheels");
    tool_progress_clear(&bar);
    ck_assert(!bar.shown);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("progress");
    TCase *tc = tcase_create("progress");
    tcase_add_test(tc, a_bar_fits_the_screen);
    tcase_add_test(tc, what_is_left_is_told_when_it_is_known);
    tcase_add_test(tc, it_is_shown_now_and_then);
    tcase_add_test(tc, a_dumb_terminal_and_a_file_get_lines);
    tcase_add_test(tc, a_bar_of_its_own);
    tcase_add_test(tc, nothing_is_shown_to_nobody);
    suite_add_tcase(suite, tc);
    return suite;
}
