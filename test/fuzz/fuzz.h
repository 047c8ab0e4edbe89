/* fuzz.h — what the fuzz targets share. Each is a file fuzz_NAME.c with LLVMFuzzerTestOneInput (libFuzzer, docs/testing.md): it
 * gives bytes to one reader of what comes from outside, and stops the program (FUZZ_HOLDS) when that breaks a promise of its
 * header; the sanitizers stop it when memory is misused. One thread. */
#ifndef FUZZ_H
#define FUZZ_H

#include "piw/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define FUZZ_HOLDS(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* An error has its code and a sentence in one line; a success has none. */
static inline void fuzz_said(int code, const piw_err *err)
{
    FUZZ_HOLDS((code == 0) == (err->code == 0));
    FUZZ_HOLDS(code == 0 || (err->text[0] != '\0' && strchr(err->text, '\n') == NULL));
}

/* A part of the input up to the next line's end, which is taken from it too. */
static inline piw_text fuzz_line(const uint8_t **data, size_t *len)
{
    const uint8_t *end = *len > 0 ? memchr(*data, '\n', *len) : NULL;
    size_t size = end != NULL ? (size_t)(end - *data) : *len;
    piw_text line = {(const char *)*data, (uint32_t)size};
    size_t taken = end != NULL ? size + 1 : size;
    *data += taken;
    *len -= taken;
    return line;
}

#endif
