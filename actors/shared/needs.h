/* needs.h — what a wheel's code needs of the machine that runs it: libraries by their sonames, and versions of their symbols, of
 * each kind the highest ("libssl.so.3", "OPENSSL_3.0.0", "GLIBC_2.34"). Any thread; a list belongs to one.
 *
 * Glibc's own libraries are told by their versions alone: GLIBC_2.34 stands for libc.so.6, libm.so.6 and the others of that
 * release. Names come out of hostile files: what is no plain word, or one too many, makes the list `unknown`. */
#ifndef SHARED_NEEDS_H
#define SHARED_NEEDS_H

#include "piw/err.h"

enum {
    PIW_NEEDS_MAX = 200,     /* words: what needs most, Qt with its plugins, comes to some seventy */
    PIW_NEED_WORD_MAX = 100, /* bytes of one */
};

typedef struct piw_needs {
    char *at[PIW_NEEDS_MAX];
    size_t count;
    bool unknown; /* it needs more than the list says */
} piw_needs;

/* Each notes what isn't there yet. PIW_ENOMEM. */
int piw_needs_library(piw_needs *needs, const char *soname, piw_err *err);
int piw_needs_version(piw_needs *needs, const char *version, piw_err *err);
/* Has a library of this name been noted? */
bool piw_needs_has_library(const piw_needs *needs, const char *soname);
/* Is it of the C library or of GCC, whose interfaces are the same whatever size time_t has? */
bool piw_needs_is_basic(const char *soname);
void piw_needs_sort(piw_needs *needs);
void piw_needs_fini(piw_needs *needs);

#endif
