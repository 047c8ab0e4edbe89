/* needs.c — what a wheel's code needs of the machine that runs it. */
#include "shared/needs.h"

#include <stdlib.h>
#include <string.h>

/* --- Glibc --- */

static const char ANY_GLIBC[] = "GLIBC_2.0";

static bool is_glibc(const char *soname)
{
    static const char *const whole[] = {
        "libc.so.6",    "libm.so.6",      "libpthread.so.0", "libdl.so.2",   "librt.so.1",
        "libutil.so.1", "libresolv.so.2", "libanl.so.1",     "libmvec.so.1", "libc_malloc_debug.so.0"};
    static const char *const loaders[] = {"ld-linux", "ld64.so.", "ld.so.1"};
    for (size_t i = 0; i < PIW_COUNT(whole); i++)
        if (strcmp(soname, whole[i]) == 0)
            return true;
    for (size_t i = 0; i < PIW_COUNT(loaders); i++)
        if (strncmp(soname, loaders[i], strlen(loaders[i])) == 0)
            return true;
    return false;
}

bool piw_needs_is_basic(const char *soname)
{
    static const char *const compilers[] = {"libgcc_s.so.1", "libstdc++.so.6", "libatomic.so.1", "libgomp.so.1",
                                            "libgfortran.so.5"};
    for (size_t i = 0; i < PIW_COUNT(compilers); i++)
        if (strcmp(soname, compilers[i]) == 0)
            return true;
    return is_glibc(soname);
}

/* --- Versions --- */

/* How long the part of "GLIBC_2.34" before its number is, with the '_'; 0: it has no number. */
static size_t kind_length(const char *version)
{
    const char *bar = strrchr(version, '_');
    if (bar == NULL || bar == version || bar[1] < '0' || bar[1] > '9' ||
        bar[1 + strspn(bar + 1, "0123456789.")] != '\0')
        return 0;
    return (size_t)(bar - version) + 1;
}

/* The next number of "2.34", which goes on behind it. Any beyond what a version can have is as high. */
static long next_number(const char **at)
{
    long value = 0;
    for (; **at >= '0' && **at <= '9'; ++*at)
        value = value > 999999999 ? value : value * 10 + (**at - '0');
    *at += strspn(*at, ".");
    return value;
}

static bool is_higher(const char *left, const char *right)
{
    while (*left != '\0' || *right != '\0') {
        long a = next_number(&left), b = next_number(&right);
        if (a != b)
            return a > b;
    }
    return false;
}

/* --- The list --- */

static bool is_word(const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i < len; i++) {
        if (word[i] <= ' ' || word[i] >= 0x7f || strchr("\"',\\{}", word[i]) != NULL)
            return false;
    }
    return len > 0 && len <= PIW_NEED_WORD_MAX;
}

static int add(piw_needs *needs, const char *word, piw_err *err)
{
    if (needs->count == PIW_NEEDS_MAX) {
        needs->unknown = true;
        return 0;
    }
    char *copy = strdup(word);
    if (copy == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory for what the wheel's code needs");
    needs->at[needs->count++] = copy;
    return 0;
}

bool piw_needs_has_library(const piw_needs *needs, const char *soname)
{
    const char *word = is_glibc(soname) ? ANY_GLIBC : soname;
    size_t kind = is_glibc(soname) ? kind_length(ANY_GLIBC) : strlen(soname) + 1;
    for (size_t i = 0; i < needs->count; i++)
        if (strncmp(needs->at[i], word, kind) == 0)
            return true;
    return false;
}

int piw_needs_library(piw_needs *needs, const char *soname, piw_err *err)
{
    if (is_glibc(soname))
        return piw_needs_version(needs, ANY_GLIBC, err);
    if (!is_word(soname)) {
        needs->unknown = true;
        return 0;
    }
    return piw_needs_has_library(needs, soname) ? 0 : add(needs, soname, err);
}

int piw_needs_version(piw_needs *needs, const char *version, piw_err *err)
{
    /* What a linker asks for with relocations that are packed; it came with this release. */
    const char *word = strcmp(version, "GLIBC_ABI_DT_RELR") == 0 ? "GLIBC_2.36" : version;
    if (!is_word(word)) {
        needs->unknown = true;
        return 0;
    }
    size_t kind = kind_length(word), compared = kind > 0 ? kind : strlen(word) + 1;
    for (size_t i = 0; i < needs->count; i++) {
        if (strncmp(needs->at[i], word, compared) != 0 || kind_length(needs->at[i]) != kind)
            continue;
        if (kind == 0 || !is_higher(word + kind, needs->at[i] + kind))
            return 0;
        free(needs->at[i]);
        needs->at[i] = needs->at[--needs->count];
        break;
    }
    return add(needs, word, err);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void piw_needs_sort(piw_needs *needs)
{
    if (needs->count > 0)
        qsort(needs->at, needs->count, sizeof(needs->at[0]), by_text);
}

void piw_needs_fini(piw_needs *needs)
{
    for (size_t i = 0; i < needs->count; i++)
        free(needs->at[i]);
    needs->count = 0;
}
