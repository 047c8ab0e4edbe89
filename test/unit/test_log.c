/* What reaches stderr and the log file, from whom, and in what form; errors' sentences; words to systemd. */
#include "unit.h"

#include "base/sdnotify.h"
#include "piw/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[UNIT_FOLDER], log_path[64];
static int old_stderr, capture;

static void setup(void)
{
    unit_folder(dir);
    snprintf(log_path, sizeof(log_path), "%s/log", dir);
    char path[64];
    snprintf(path, sizeof(path), "%s/stderr", dir);
    capture = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
    old_stderr = dup(STDERR_FILENO);
    ck_assert(capture >= 0 && old_stderr >= 0 && dup2(capture, STDERR_FILENO) >= 0);
    unlink(path);
    unsetenv("JOURNAL_STREAM");
}

static void teardown(void)
{
    piw_log_close();
    dup2(old_stderr, STDERR_FILENO);
    close(old_stderr);
    close(capture);
    unit_remove(dir);
}

/* What stderr got since the last look. */
static const char *said(void)
{
    static char text[65536];
    ssize_t n = pread(capture, text, sizeof(text) - 1, 0);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    ck_assert_int_eq(ftruncate(capture, 0), 0);
    return text;
}

static const char *in_file(void)
{
    static char text[65536];
    int fd = open(log_path, O_RDONLY);
    ck_assert_int_ge(fd, 0);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    return text;
}

static void log_all(void)
{
    piw_debug("one");
    piw_info("two");
    piw_warning("three");
    piw_error("four");
}

START_TEST(levels)
{
    piw_err err = {0};
    ck_assert_int_eq(piw_log_open("piw-unit", PIW_LOG_WARNING, NULL, &err), 0);
    log_all();
    ck_assert_str_eq(said(), "warning: three\nerror: four\n");
    ck_assert(!piw_log_wants(PIW_LOG_INFO) && piw_log_wants(PIW_LOG_WARNING));
    ck_assert_int_eq(piw_log_open("piw-unit", PIW_LOG_ERROR, NULL, &err), 0);
    log_all();
    ck_assert_str_eq(said(), "error: four\n");
    ck_assert_int_eq(piw_log_open("piw-unit", PIW_LOG_DEBUG, NULL, &err), 0);
    log_all();
    ck_assert_str_eq(said(), "debug: one\ninfo: two\nwarning: three\nerror: four\n");
}
END_TEST

START_TEST(file_has_info_names_and_times)
{
    piw_err err = {0};
    ck_assert_int_eq(piw_log_open("piw-unit", PIW_LOG_ERROR, log_path, &err), 0);
    ck_assert(piw_log_wants(PIW_LOG_INFO) && !piw_log_wants(PIW_LOG_DEBUG));
    log_all();
    ck_assert_str_eq(said(), "error: four\n");
    const char *text = in_file();
    int year, month, day, hour, minute, second, millis, used = 0;
    ck_assert_int_eq(
        sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %n", &year, &month, &day, &hour, &minute, &second, &millis, &used),
        7);
    ck_assert_int_eq(used, 25);
    ck_assert_int_eq(strncmp(text + 25, "piw-unit info: two\n", 19), 0);
    ck_assert_ptr_nonnull(strstr(text, "Z piw-unit error: four\n"));
    ck_assert_ptr_null(strstr(text, "one"));
}
END_TEST

START_TEST(file_is_reopened)
{
    piw_err err = {0};
    char rotated[80];
    snprintf(rotated, sizeof(rotated), "%s.1", log_path);
    ck_assert_int_eq(piw_log_open("piw-unit", PIW_LOG_ERROR, log_path, &err), 0);
    piw_info("before");
    ck_assert_int_eq(rename(log_path, rotated), 0);
    piw_info("between");
    ck_assert_int_eq(piw_log_reopen(&err), 0);
    piw_info("after");
    ck_assert_ptr_nonnull(strstr(in_file(), "info: after\n"));
    ck_assert_ptr_null(strstr(in_file(), "between"));
    unlink(rotated);
    ck_assert_int_eq(piw_log_open("piw-unit", PIW_LOG_ERROR, "/nowhere/at/all", &err), PIW_ESYS);
    ck_assert_str_eq(err.text, "can't write the log file /nowhere/at/all: No such file or directory");
}
END_TEST

START_TEST(hostile_text)
{
    piw_err err = {0};
    ck_assert_int_eq(piw_log_open("piw-unit", PIW_LOG_WARNING, NULL, &err), 0);
    piw_warning("%s", "a\nerror: b\r\t\x1b[31m\x7f\xc2\x9b \xc3\xa9 \xff\xc3(\xed\xa0\x80\xe2\x82\xac\xf0\x9f\x90\x8d");
    ck_assert_str_eq(said(), "warning: a\\nerror: b\\r\\t\\x1b[31m\\x7f\\u009b \xc3\xa9 \\xff\\xc3(\\xed\\xa0\\x80"
                             "\xe2\x82\xac\xf0\x9f\x90\x8d\n");
    piw_warning("%.*s", 3, "abcdef");
    ck_assert_str_eq(said(), "warning: abc\n");
}
END_TEST

START_TEST(long_text_is_cut)
{
    piw_err err = {0};
    ck_assert_int_eq(piw_log_open("piw-unit", PIW_LOG_WARNING, NULL, &err), 0);
    char *text = calloc(1, 20001);
    for (size_t i = 0; i < 20000; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    piw_warning("%s", text);
    const char *line = said();
    size_t len = strlen(line);
    ck_assert_uint_lt(len, 4200);
    ck_assert_uint_gt(len, 4000);
    ck_assert_str_eq(line + len - 6, "\xc3\xa9\xe2\x80\xa6\n");
    ck_assert_ptr_null(strchr(line, '\\'));
    memset(text, 1, 20000);
    piw_warning("%s", text);
    line = said();
    len = strlen(line);
    ck_assert_str_eq(line + len - 8, "\\x01\xe2\x80\xa6\n");
    free(text);
}
END_TEST

static void *speak(void *name)
{
    piw_log_name_thread(name);
    piw_debug("deep");
    piw_warning("loud");
    return NULL;
}

static void speak_as(const char *name)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, speak, (void *)name), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

START_TEST(named_threads_and_debug)
{
    piw_err err = {0};
    ck_assert_int_eq(piw_log_open("piw-unit", PIW_LOG_WARNING, log_path, &err), 0);
    speak_as("master.the_scribe");
    ck_assert_str_eq(said(), "warning: master.the_scribe: loud\n");
    ck_assert_int_eq(piw_log_debug_task("master.the_*", true), 0);
    ck_assert_int_eq(piw_log_debug_task("master.the_*", true), 0);
    speak_as("master.the_scribe");
    ck_assert_str_eq(said(), "debug: master.the_scribe: deep\nwarning: master.the_scribe: loud\n");
    ck_assert_ptr_nonnull(strstr(in_file(), "Z master.the_scribe debug: deep\n"));
    speak_as("master.seraph");
    ck_assert_str_eq(said(), "warning: master.seraph: loud\n");
    ck_assert_int_eq(piw_log_debug_task("master.the_*", false), 0);
    speak_as("master.the_scribe");
    ck_assert_str_eq(said(), "warning: master.the_scribe: loud\n");
}
END_TEST

/* A thread that runs when the patterns change notices. */
START_TEST(debug_while_running)
{
    piw_err err = {0};
    ck_assert_int_eq(piw_log_open("piw-unit", PIW_LOG_WARNING, NULL, &err), 0);
    piw_log_name_thread("master.a");
    ck_assert(!piw_log_wants(PIW_LOG_DEBUG));
    ck_assert_int_eq(piw_log_debug_task("*", true), 0);
    ck_assert(piw_log_wants(PIW_LOG_DEBUG));
    ck_assert_int_eq(piw_log_debug_task("*", false), 0);
    ck_assert(!piw_log_wants(PIW_LOG_DEBUG));
    char pattern[16];
    for (int i = 0; i < 64; i++) {
        snprintf(pattern, sizeof(pattern), "p%d", i);
        ck_assert_int_eq(piw_log_debug_task(pattern, true), 0);
    }
    ck_assert_int_eq(piw_log_debug_task("one more", true), PIW_ELIMIT);
    piw_log_name_thread("");
}
END_TEST

static void *chatter(void *arg)
{
    char text[600];
    memset(text, *(const char *)arg, sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (int i = 0; i < 20; i++)
        piw_warning("%s", text);
    return NULL;
}

START_TEST(lines_are_whole)
{
    piw_err err = {0};
    ck_assert_int_eq(piw_log_open("piw-unit", PIW_LOG_WARNING, NULL, &err), 0);
    pthread_t threads[4];
    char letters[] = "abcd";
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, chatter, &letters[i]), 0);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    const char *line = said();
    int count = 0;
    for (; *line != '\0'; line += strcspn(line, "\n") + 1, count++) {
        ck_assert_int_eq(strncmp(line, "warning: ", 9), 0);
        char one[2] = {line[9], '\0'};
        ck_assert_uint_eq(strspn(line + 9, one), 599);
        ck_assert_int_eq(line[9 + 599], '\n');
    }
    ck_assert_int_eq(count, 80);
}
END_TEST

START_TEST(limited)
{
    piw_err err = {0};
    piw_log_limiter limiter = {0};
    ck_assert_int_eq(piw_log_open("piw-unit", PIW_LOG_WARNING, NULL, &err), 0);
    for (int i = 0; i < 10; i++)
        piw_log_limited(&limiter, 3, PIW_LOG_WARNING, "line %d", i);
    ck_assert_str_eq(said(), "warning: line 0\nwarning: line 1\nwarning: line 2\n");
    limiter.window_ns -= INT64_C(61000000000); /* as if a minute had passed */
    piw_log_limited(&limiter, 3, PIW_LOG_WARNING, "line %d", 10);
    ck_assert_str_eq(said(), "warning: 7 lines like the next were left out\nwarning: line 10\n");
}
END_TEST

START_TEST(journal)
{
    struct stat st;
    char stream[64];
    piw_err err = {0};
    ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    ck_assert_int_eq(piw_log_open("piw-unit", PIW_LOG_DEBUG, NULL, &err), 0);
    log_all();
    ck_assert_str_eq(said(), "<7>one\n<6>two\n<4>three\n<3>four\n");
    setenv("JOURNAL_STREAM", "1:1", 1);
    ck_assert_int_eq(piw_log_open("piw-unit", PIW_LOG_WARNING, NULL, &err), 0);
    log_all();
    ck_assert_str_eq(said(), "warning: three\nerror: four\n");
    unsetenv("JOURNAL_STREAM");
}
END_TEST

START_TEST(errors_are_sentences)
{
    piw_err err = {0};
    ck_assert_int_eq(piw_err_set(&err, PIW_EINVAL, "bad %s", "thing\n"), PIW_EINVAL);
    ck_assert_str_eq(err.text, "bad thing\\n");
    ck_assert_int_eq(piw_err_set(&err, PIW_ENOENT, "later"), PIW_ENOENT);
    ck_assert_int_eq(err.code, PIW_EINVAL);
    piw_err_prefix(&err, "while doing %d", 7);
    ck_assert_str_eq(err.text, "while doing 7: bad thing\\n");
    ck_assert_int_eq(piw_err_set(NULL, PIW_EDB, "nobody listens"), PIW_EDB);
    piw_err_prefix(NULL, "nobody");
    err = (piw_err){0};
    piw_err_prefix(&err, "nothing");
    ck_assert_str_eq(err.text, "");
    ck_assert_int_lt(open("/nowhere/at/all", O_RDONLY), 0);
    ck_assert_int_eq(piw_err_errno(&err, "can't open %s", "it"), PIW_ESYS);
    ck_assert_str_eq(err.text, "can't open it: No such file or directory");
    char huge[2000];
    memset(huge, 'x', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    err = (piw_err){0};
    piw_err_set(&err, PIW_EINVAL, "%s", huge);
    ck_assert_uint_eq(strlen(err.text), PIW_ERR_TEXT - 1);
    ck_assert_str_eq(err.text + PIW_ERR_TEXT - 4, "\xe2\x80\xa6");
    ck_assert_str_eq(piw_err_name(0), "no error");
    ck_assert_str_eq(piw_err_name(PIW_EDBAWAY), "database can't be reached");
    ck_assert_str_eq(piw_err_name(-999), "unknown error");
}
END_TEST

static void notified(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    memcpy(address.sun_path, name, len);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    ck_assert_int_ge(fd, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    ck_assert_int_eq(piw__sd_notify("READY=1"), 0);
    char text[32] = "";
    ck_assert_int_eq(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), 7);
    ck_assert_str_eq(text, "READY=1");
    close(fd);
}

START_TEST(systemd_is_told)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/notify", dir);
    notified(path);
    ck_assert_int_eq(piw__sd_notify("READY=1"), PIW_ESYS); /* nobody listens there any more */
    unlink(path);
    snprintf(path, sizeof(path), "@%s/notify", dir);
    notified(path);
    setenv("NOTIFY_SOCKET", "relative", 1);
    ck_assert_int_eq(piw__sd_notify("READY=1"), PIW_EINVAL);
    char huge[200];
    memset(huge, '/', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    setenv("NOTIFY_SOCKET", huge, 1);
    ck_assert_int_eq(piw__sd_notify("READY=1"), PIW_EINVAL);
    unsetenv("NOTIFY_SOCKET");
    ck_assert_int_eq(piw__sd_notify("READY=1"), 0);
}
END_TEST

START_TEST(systemd_watchdog)
{
    char pid[32];
    unsetenv("WATCHDOG_PID");
    ck_assert_int_eq(piw__sd_watchdog_us(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    ck_assert_int_eq(piw__sd_watchdog_us(), 30000000);
    setenv("WATCHDOG_PID", "1", 1);
    ck_assert_int_eq(piw__sd_watchdog_us(), 0);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    ck_assert_int_eq(piw__sd_watchdog_us(), 30000000);
    setenv("WATCHDOG_USEC", "soon", 1);
    ck_assert_int_eq(piw__sd_watchdog_us(), 0);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *tc = tcase_create("log");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, levels);
    tcase_add_test(tc, file_has_info_names_and_times);
    tcase_add_test(tc, file_is_reopened);
    tcase_add_test(tc, hostile_text);
    tcase_add_test(tc, long_text_is_cut);
    tcase_add_test(tc, named_threads_and_debug);
    tcase_add_test(tc, debug_while_running);
    tcase_add_test(tc, lines_are_whole);
    tcase_add_test(tc, limited);
    tcase_add_test(tc, journal);
    tcase_add_test(tc, errors_are_sentences);
    tcase_add_test(tc, systemd_is_told);
    tcase_add_test(tc, systemd_watchdog);
    suite_add_tcase(suite, tc);
    return suite;
}
