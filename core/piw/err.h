/* err.h — errors as values: one list of codes, and a sentence for the operator.
 *
 * Functions return 0 or a negative code from the list. Those that can say more take a piw_err from the caller; the
 * first error put into it wins, so that the cause is not covered by its consequences. A NULL piw_err is allowed. */
#ifndef PIW_ERR_H
#define PIW_ERR_H

#include "piw/base.h"

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PIW_ERRORS(X)                                                                                                  \
    X(PIW_EINVAL, -1, "invalid value")                                                                                 \
    X(PIW_ENOMEM, -2, "out of memory")                                                                                 \
    X(PIW_ESYS, -3, "system call failed")                                                                              \
    X(PIW_ENOENT, -4, "not found")                                                                                     \
    X(PIW_EEXIST, -5, "exists already")                                                                                \
    X(PIW_ESHAPE, -6, "data does not fit its declared type")                                                           \
    X(PIW_ELIMIT, -7, "too large or too many")                                                                         \
    X(PIW_EAGAIN, -8, "not now, try again")                                                                            \
    X(PIW_EREFUSED, -9, "refused")                                                                                     \
    X(PIW_EDEADLINE, -10, "no answer within the time allowed")                                                         \
    X(PIW_EABSENT, -11, "service is absent: its task is disabled or down")                                             \
    X(PIW_EDEAD, -12, "receiver has gone")                                                                             \
    X(PIW_EHANDLER, -13, "handler failed")                                                                             \
    X(PIW_EUNANSWERED, -14, "handler left the request without an answer")                                              \
    X(PIW_EPLUGIN, -15, "plugin refused")                                                                              \
    X(PIW_ECONFIG, -16, "configuration error")                                                                         \
    X(PIW_EDB, -17, "database refused the data")                                                                       \
    X(PIW_EDBAWAY, -18, "database can't be reached")                                                                   \
    X(PIW_ENET, -19, "network error")                                                                                  \
    X(PIW_EUSAGE, -20, "bad usage")                                                                                    \
    X(PIW_ESTOPPED, -21, "stopping")                                                                                   \
    X(PIW_EIO, -22, "a file or device can't be read or written")

enum {
#define PIW_ERROR_ENUM(name, code, text) name = code,
    PIW_ERRORS(PIW_ERROR_ENUM)
#undef PIW_ERROR_ENUM
};

enum { PIW_ERR_TEXT = 512 };

typedef struct piw_err {
    int code;                /* 0: no error yet */
    char text[PIW_ERR_TEXT]; /* one sentence, no newline: what, which, why, what to do */
} piw_err;

/* Record an error if `err` holds none yet. Control characters in the result are escaped. Returns `code`. */
PIW_API int piw_err_set(piw_err *err, int code, const char *fmt, ...) PIW_PRINTF(3, 4);
/* The same, with ": " and the text of errno at the end. */
PIW_API int piw_err_errno(piw_err *err, const char *fmt, ...) PIW_PRINTF(2, 3);
/* Put "CONTEXT: " before the text that is there. */
PIW_API void piw_err_prefix(piw_err *err, const char *fmt, ...) PIW_PRINTF(2, 3);
/* The list's own words for a code. Never NULL. */
PIW_API const char *piw_err_name(int code);

/* Memory from the core's one place that gives up: a line on stderr and abort() when there is none.
 * For sizes that come from outside use malloc() and check. */
PIW_API void *piw_alloc(size_t size) __attribute__((malloc, returns_nonnull));
PIW_API void *piw_zalloc(size_t size) __attribute__((malloc, returns_nonnull));
/* `alignment` is a power of two, and 8 at least. */
PIW_API void *piw_alloc_aligned(size_t alignment, size_t size) __attribute__((malloc, returns_nonnull));
PIW_API void *piw_realloc(void *old, size_t size) __attribute__((returns_nonnull));
PIW_API char *piw_strdup(const char *s) __attribute__((malloc, returns_nonnull));
PIW_API char *piw_strndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
PIW_API char *piw_sprintf(const char *fmt, ...) PIW_PRINTF(1, 2) __attribute__((malloc, returns_nonnull));

#ifdef __cplusplus
}
#endif

#endif
