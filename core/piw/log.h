/* log.h — the log of every program. Any thread may call; lines are written whole.
 *
 * Console: stderr, `LEVEL: text`, or `LEVEL: NAME: text` from a named thread, as -q/-v say. File (-l): at least info,
 * `TIME NAME LEVEL: text`. NAME is the task whose thread speaks ("master.greeter") or, in the file, the program. Control
 * characters are escaped here, so text from outside may be logged as it is, through %s or %.*s. Under systemd
 * (JOURNAL_STREAM) lines carry a <N> priority prefix instead of the level's name. */
#ifndef PIW_LOG_H
#define PIW_LOG_H

#include "piw/err.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { PIW_LOG_DEBUG, PIW_LOG_INFO, PIW_LOG_WARNING, PIW_LOG_ERROR } piw_log_level;

PIW_API void piw_log(piw_log_level level, const char *fmt, ...) PIW_PRINTF(2, 3);
#define piw_debug(...)                                                                                                 \
    do {                                                                                                               \
        if (piw_log_wants(PIW_LOG_DEBUG))                                                                              \
            piw_log(PIW_LOG_DEBUG, __VA_ARGS__);                                                                       \
    } while (0)
#define piw_info(...)    piw_log(PIW_LOG_INFO, __VA_ARGS__)
#define piw_warning(...) piw_log(PIW_LOG_WARNING, __VA_ARGS__)
#define piw_error(...)   piw_log(PIW_LOG_ERROR, __VA_ARGS__)

/* At most `per_minute` lines through one limiter; how many were left out is said with the next line that passes.
 * `*limiter` is zero-initialised, static or part of a structure, used by one thread or guarded by its owner. */
typedef struct piw_log_limiter {
    int64_t window_ns;
    uint32_t count;
    uint32_t dropped;
    uint32_t reserved[2]; /* zero */
} piw_log_limiter;
PIW_API void piw_log_limited(piw_log_limiter *limiter, unsigned per_minute, piw_log_level level, const char *fmt, ...)
    PIW_PRINTF(4, 5);

/* An outage is one line when it begins, one every ten minutes with how long it lasts, and one when it is over, however often is
 * tried meanwhile. Zero: there is none. Part of a structure, used by one thread. */
typedef struct piw_outage {
    int64_t since_ns, said_ns;
    int64_t minute_ns;    /* of the last first line … */
    uint32_t begun;       /* … and how many there were since */
    piw_log_level level;  /* of the last line */
    uint32_t reserved[2]; /* zero */
} piw_outage;
/* It goes on, or has begun: writes a line when one is due, the first `after_ms` from its beginning. What comes and goes is told
 * of a few times a minute. */
PIW_API void piw_outage_goes_on(piw_outage *outage, piw_log_level level, int64_t after_ms, const char *fmt, ...)
    PIW_PRINTF(4, 5);
/* It is over, if there was one: writes "…, after 12 minutes", as loud as the last line, when it had been told of. True: so it
 * was. */
PIW_API bool piw_outage_over(piw_outage *outage, const char *fmt, ...) PIW_PRINTF(2, 3);
/* What was tried is given up. */
PIW_API void piw_outage_forget(piw_outage *outage);

/* Would a line of this level be written anywhere, by this thread's task? */
PIW_API bool piw_log_wants(piw_log_level level);

/* Program side (piw-master and tools), before other threads start. `file` may be NULL. */
PIW_API int piw_log_open(const char *program, piw_log_level console, const char *file, piw_err *err);
/* Reopen the file (after rotation). */
PIW_API int piw_log_reopen(piw_err *err);
PIW_API void piw_log_close(void);
/* The last line of the terminal that stderr is may be a bar of the program's own, without an end: lines take its place. Any
 * thread. */
PIW_API void piw_log_over_bar(bool on);
/* Names the calling thread in log lines; `name` is copied. Debug lines pass for names that match a pattern given to
 * piw_log_debug_task (fnmatch; '*' allowed). */
PIW_API void piw_log_name_thread(const char *name);
PIW_API int piw_log_debug_task(const char *pattern, bool on);

#ifdef __cplusplus
}
#endif

#endif
