/* near.c — what was meant by a name that isn't one. */
#include "ctl.h"

#include <stdlib.h>

enum { WORD_MAX = 64 };

/* How many characters have to be put in, taken out, changed or swapped with the next. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t a_len = strlen(a), b_len = strlen(b);
    size_t *older = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= b_len; j++)
        last[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t least = last[j - 1] + (a[i - 1] != b[j - 1]);
            least = last[j] + 1 < least ? last[j] + 1 : least;
            least = now[j - 1] + 1 < least ? now[j - 1] + 1 : least;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && older[j - 2] + 1 < least)
                least = older[j - 2] + 1;
            now[j] = least;
        }
        size_t *free_row = older;
        older = last;
        last = now;
        now = free_row;
    }
    return last[b_len];
}

const char *near_name(const char *word, const char *const *names, size_t count)
{
    size_t len = strlen(word), best = len / 3 + 1;
    const char *found = NULL;
    if (len == 0 || len > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t name_len = strlen(names[i]);
        if (name_len == 0 || name_len > WORD_MAX)
            continue;
        /* "scribe": part of one name and of no other. */
        size_t far = len > 2 && strstr(names[i], word) != NULL ? 1 : distance(word, names[i]);
        if (far < best || (far == best && found == NULL)) {
            best = far;
            found = names[i];
        }
    }
    return found;
}

void near_add(piw_err *err, const char *meant)
{
    if (meant == NULL)
        return;
    const piw_err first_err = *err;
    *err = (piw_err){0};
    piw_err_set(err, first_err.code, "%s; did you mean %.100s?", first_err.text, meant);
}
