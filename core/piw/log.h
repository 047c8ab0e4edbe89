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

/* Would a line of this level be written anywhere, by this thread's task? */
PIW_API bool piw_log_wants(piw_log_level level);

/* Program side (piw-master and tools), before other threads start. `file` may be NULL. */
PIW_API int piw_log_open(const char *program, piw_log_level console, const char *file, piw_err *err);
/* Reopen the file (after rotation). */
PIW_API int piw_log_reopen(piw_err *err);
PIW_API void piw_log_close(void);
/* Names the calling thread in log lines; `name` is copied. Debug lines pass for names that match a pattern given to
 * piw_log_debug_task (fnmatch; '*' allowed). */
PIW_API void piw_log_name_thread(const char *name);
PIW_API int piw_log_debug_task(const char *pattern, bool on);

#ifdef __cplusplus
}
#endif

#endif
