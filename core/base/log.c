/* log.c — one lock around each line; levels and names are read without it. */
#include "piw/log.h"

#include "base/escape.h"
#include "base/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    TEXT_MAX = 4096, /* bytes of a line's text as given; what is longer is cut */
    LINE_MAX_ = TEXT_MAX * 2 + 256,
    PATTERNS_MAX = 64,
};

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static const int level_priorities[] = {7, 6, 4, 3}; /* syslog's numbers */

/* Set by the main thread before others start, then read by all; `file` and the patterns change under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char program_name[64] = "";
static piw_log_level console_level = PIW_LOG_WARNING;
static bool to_journal;
/* Relaxed: a line that comes before a bar is seen to have gone clears an empty line. */
static atomic_bool over_bar;
static char *file_path;
static int file_fd = -1;
static char *patterns[PATTERNS_MAX];
static size_t patterns_count;
/* Released by piw_log_debug_task after a change of the patterns, acquired by each thread's next look at its own flag.
 * Starts at 1 so that a new thread's 0 makes it look. */
static atomic_uint patterns_generation = 1;

/* Takes the lines in the place of console and file; and does it want debug lines? Relaxed: sooner or later it is seen. */
static void (*sink)(piw_log_level level, const char *text, size_t len);
static atomic_bool sink_debugs;

static _Thread_local char thread_name[64];
static _Thread_local unsigned thread_generation;
static _Thread_local bool thread_debugs;

static const char *speaker(void)
{
    return thread_name[0] != '\0' ? thread_name : program_name;
}

/* Does the calling thread's name match a pattern of --debug? */
static bool debugs(void)
{
    unsigned now = atomic_load_explicit(&patterns_generation, memory_order_acquire);
    if (thread_generation != now) {
        pthread_mutex_lock(&lock);
        thread_debugs = false;
        for (size_t i = 0; i < patterns_count; i++)
            thread_debugs = thread_debugs || fnmatch(patterns[i], speaker(), 0) == 0;
        pthread_mutex_unlock(&lock);
        thread_generation = now;
    }
    return thread_debugs;
}

static bool console_wants(piw_log_level level)
{
    return level >= console_level || (level == PIW_LOG_DEBUG && debugs());
}

static bool file_wants(piw_log_level level)
{
    return file_path != NULL && (level >= PIW_LOG_INFO || console_wants(level));
}

bool piw_log_wants(piw_log_level level)
{
    if (sink != NULL)
        return level >= PIW_LOG_INFO || atomic_load_explicit(&sink_debugs, memory_order_relaxed);
    return console_wants(level) || file_wants(level);
}

static void write_whole(int fd, const char *line, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, line, len);
        if (n < 0 && errno != EINTR) {
            return; /* a log that can't be written must not stop the program */
        }
        if (n > 0) {
            line += n;
            len -= (size_t)n;
        }
    }
}

static size_t console_line(char *line, size_t size, piw_log_level level, const char *text)
{
    char head[96];
    if (to_journal)
        snprintf(head, sizeof(head), "<%d>", level_priorities[level]);
    else
        snprintf(head, sizeof(head), "%s: ", level_names[level]);
    bool named = thread_name[0] != '\0';
    const char *clear = atomic_load_explicit(&over_bar, memory_order_relaxed) ? "\r\033[K" : "";
    return (size_t)snprintf(line, size, "%s%s%s%s%s\n", clear, head, named ? thread_name : "", named ? ": " : "", text);
}

static size_t file_line(char *line, size_t size, piw_log_level level, const char *text)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    char when[32];
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
    return (size_t)snprintf(line, size, "%s.%03ldZ %s %s: %s\n", when, now.tv_nsec / 1000000, speaker(),
                            level_names[level], text);
}

static void write_text(piw_log_level level, const char *raw, size_t len)
{
    if (sink != NULL) {
        sink(level, raw, len);
        return;
    }
    char text[TEXT_MAX * 2], line[LINE_MAX_];
    int number = errno; /* logging is done on the way to returning an error */
    bool console = console_wants(level), file = file_wants(level);
    piw__escape(text, sizeof(text), raw, len);
    pthread_mutex_lock(&lock);
    if (console)
        write_whole(STDERR_FILENO, line, console_line(line, sizeof(line), level, text));
    if (file && file_fd >= 0)
        write_whole(file_fd, line, file_line(line, sizeof(line), level, text));
    pthread_mutex_unlock(&lock);
    errno = number;
}

PIW_PRINTF(2, 0) static void write_formatted(piw_log_level level, const char *fmt, va_list args)
{
    char raw[TEXT_MAX];
    int n = vsnprintf(raw, sizeof(raw), fmt, args);
    if (n < 0) {
        static const char bad[] = "a line of the log that can't be formatted";
        write_text(level, bad, sizeof(bad) - 1);
    } else if ((size_t)n < sizeof(raw)) {
        write_text(level, raw, (size_t)n);
    } else {
        /* A character may have been cut in half: leave its bytes out, the mark of the cut takes their place. */
        size_t len = sizeof(raw) - 4;
        while (len > 0 && ((unsigned char)raw[len] & 0xc0) == 0x80)
            len--;
        memcpy(raw + len, "\xe2\x80\xa6", 3);
        write_text(level, raw, len + 3);
    }
}

void piw_log(piw_log_level level, const char *fmt, ...)
{
    if (!piw_log_wants(level))
        return;
    va_list args;
    va_start(args, fmt);
    write_formatted(level, fmt, args);
    va_end(args);
}

void piw_log_limited(piw_log_limiter *limiter, unsigned per_minute, piw_log_level level, const char *fmt, ...)
{
    const int64_t minute_ns = INT64_C(60000000000);
    int64_t now = piw_monotonic_ns();
    if (limiter->window_ns == 0 || now - limiter->window_ns >= minute_ns) {
        limiter->window_ns = now;
        limiter->count = 0;
    }
    if (limiter->count >= per_minute) {
        limiter->dropped += limiter->dropped < UINT32_MAX;
        return;
    }
    limiter->count++;
    if (!piw_log_wants(level))
        return;
    if (limiter->dropped > 0) {
        piw_log(level, "%u lines like the next were left out", limiter->dropped);
        limiter->dropped = 0;
    }
    va_list args;
    va_start(args, fmt);
    write_formatted(level, fmt, args);
    va_end(args);
}

/* systemd names the device and inode of the stream it reads; stderr may since have been sent elsewhere. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;
    return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

static int open_file(const char *path, piw_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
    return fd >= 0 ? fd : piw_err_errno(err, "can't write the log file %s", path);
}

int piw_log_open(const char *program, piw_log_level console, const char *file, piw_err *err)
{
    int fd = -1;
    if (file != NULL) {
        fd = open_file(file, err);
        if (fd < 0)
            return fd;
    }
    piw_log_close();
    snprintf(program_name, sizeof(program_name), "%s", program);
    console_level = console;
    to_journal = stderr_is_journal();
    file_path = file != NULL ? piw_strdup(file) : NULL;
    file_fd = fd;
    return 0;
}

int piw_log_reopen(piw_err *err)
{
    if (file_path == NULL)
        return 0;
    int fd = open_file(file_path, err);
    if (fd < 0) {
        return fd; /* the old one goes on */
    }
    pthread_mutex_lock(&lock);
    int old = file_fd;
    file_fd = fd;
    pthread_mutex_unlock(&lock);
    close(old);
    return 0;
}

void piw_log_close(void)
{
    pthread_mutex_lock(&lock);
    if (file_fd >= 0)
        close(file_fd);
    file_fd = -1;
    free(file_path);
    file_path = NULL;
    for (size_t i = 0; i < patterns_count; i++)
        free(patterns[i]);
    patterns_count = 0;
    atomic_fetch_add_explicit(&patterns_generation, 1, memory_order_release);
    pthread_mutex_unlock(&lock);
}

void piw_log_over_bar(bool on)
{
    atomic_store_explicit(&over_bar, on, memory_order_relaxed);
}

void piw__log_sink(void (*fn)(piw_log_level level, const char *text, size_t len))
{
    sink = fn;
}

void piw__log_sink_debug(bool on)
{
    atomic_store_explicit(&sink_debugs, on, memory_order_relaxed);
}

void piw_log_name_thread(const char *name)
{
    snprintf(thread_name, sizeof(thread_name), "%s", name);
    thread_generation = 0;
    thread_debugs = false;
}

int piw_log_debug_task(const char *pattern, bool on)
{
    int rc = 0;
    pthread_mutex_lock(&lock);
    size_t i = 0;
    while (i < patterns_count && strcmp(patterns[i], pattern) != 0)
        i++;
    if (on && i == patterns_count) {
        if (patterns_count < PATTERNS_MAX)
            patterns[patterns_count++] = piw_strdup(pattern);
        else
            rc = PIW_ELIMIT;
    } else if (!on && i < patterns_count) {
        free(patterns[i]);
        patterns[i] = patterns[--patterns_count];
    }
    atomic_fetch_add_explicit(&patterns_generation, 1, memory_order_release);
    pthread_mutex_unlock(&lock);
    return rc;
}
