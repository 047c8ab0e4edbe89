/* err.c — errors as values, and the one place that gives up when there is no memory. */
#include "piw/err.h"

#include "base/escape.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void set_text(piw_err *err, int code, const char *text)
{
    err->code = code;
    piw__escape(err->text, sizeof(err->text), text, strlen(text));
}

int piw_err_set(piw_err *err, int code, const char *fmt, ...)
{
    if (err == NULL || err->code != 0)
        return code;
    char text[PIW_ERR_TEXT * 2];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    set_text(err, code, text);
    return code;
}

int piw_err_errno(piw_err *err, const char *fmt, ...)
{
    int number = errno; /* read first: the calls below may change errno */
    if (err == NULL || err->code != 0)
        return PIW_ESYS;
    char text[PIW_ERR_TEXT * 2], reason[128];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text) - sizeof(reason) - 2, fmt, args);
    va_end(args);
    size_t used = n < 0 ? 0 : strlen(text);
    snprintf(text + used, sizeof(text) - used, ": %s", strerror_r(number, reason, sizeof(reason)));
    set_text(err, PIW_ESYS, text);
    errno = number;
    return PIW_ESYS;
}

void piw_err_prefix(piw_err *err, const char *fmt, ...)
{
    if (err == NULL || err->code == 0)
        return;
    char context[PIW_ERR_TEXT], text[PIW_ERR_TEXT * 2 + 2], old[PIW_ERR_TEXT];
    va_list args;
    va_start(args, fmt);
    vsnprintf(context, sizeof(context), fmt, args);
    va_end(args);
    memcpy(old, err->text, sizeof(old));
    snprintf(text, sizeof(text), "%s: %s", context, old);
    set_text(err, err->code, text);
}

const char *piw_err_name(int code)
{
    switch (code) {
    case 0:
        return "no error";
#define PIW_ERROR_CASE(name, number, text)                                                                             \
    case number:                                                                                                       \
        return text;
        PIW_ERRORS(PIW_ERROR_CASE)
#undef PIW_ERROR_CASE
    default:
        return "unknown error";
    }
}

/* Written with write(2): stdio may want memory itself. */
__attribute__((noreturn)) static void no_memory(void)
{
    static const char line[] = "error: out of memory\n";
    ssize_t n = write(STDERR_FILENO, line, sizeof(line) - 1);
    (void)n; /* nothing can be done about it here */
    abort();
}

void *piw_alloc(size_t size)
{
    void *p = malloc(size != 0 ? size : 1);
    if (p == NULL)
        no_memory();
    return p;
}

void *piw_alloc_aligned(size_t alignment, size_t size)
{
    void *p = NULL;
    if (posix_memalign(&p, alignment, size != 0 ? size : 1) != 0)
        no_memory();
    return p;
}

void *piw_zalloc(size_t size)
{
    void *p = calloc(1, size != 0 ? size : 1);
    if (p == NULL)
        no_memory();
    return p;
}

void *piw_realloc(void *old, size_t size)
{
    void *p = realloc(old, size != 0 ? size : 1);
    if (p == NULL)
        no_memory();
    return p;
}

char *piw_strndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = piw_alloc(len + 1);
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *piw_strdup(const char *s)
{
    return piw_strndup(s, strlen(s));
}

char *piw_sprintf(const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n < 0)
        no_memory();
    return text;
}
