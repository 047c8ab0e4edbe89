/* given.c — the versions that the master gave out: none may come twice. */
#include "given.h"

#include "piw/err.h"

#include <stdlib.h>

enum { SIZE_FIRST = 4096 }; /* a power of two, as all sizes */

static size_t hash_of(const char *key)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (const char *c = key; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * UINT64_C(1099511628211);
    return (size_t)(hash ^ hash >> 32);
}

/* Where the key is, or would be. */
static char **place(const load_given *given, const char *key)
{
    size_t i = hash_of(key) & (given->size - 1);
    while (given->at[i] != NULL && strcmp(given->at[i], key) != 0)
        i = (i + 1) & (given->size - 1);
    return &given->at[i];
}

static void grow(load_given *given)
{
    load_given larger = {.size = given->size > 0 ? given->size * 2 : SIZE_FIRST, .count = given->count};
    larger.at = piw_zalloc(larger.size * sizeof(*larger.at));
    for (size_t i = 0; i < given->size; i++) {
        if (given->at[i] != NULL)
            *place(&larger, given->at[i]) = given->at[i];
    }
    free(given->at);
    *given = larger;
}

bool load_given_add(load_given *given, const char *package, const char *version)
{
    if (given->count * 2 >= given->size)
        grow(given);
    char *key = piw_sprintf("%s %s", package, version), **slot = place(given, key);
    if (*slot != NULL) {
        free(key);
        return false;
    }
    *slot = key;
    given->count++;
    return true;
}

void load_given_fini(load_given *given)
{
    for (size_t i = 0; i < given->size; i++)
        free(given->at[i]);
    free(given->at);
    *given = (load_given){0};
}
