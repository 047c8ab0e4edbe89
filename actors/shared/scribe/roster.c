/* roster.c — the names of all packages, in order. */
#include "roster.h"

#include <stdlib.h>

/* Where the name stands or would have to stand. */
static size_t place_of(const roster *names, piw_text name, bool *there)
{
    size_t low = 0, high = names->count;
    *there = false;
    /* The common case while the list is read: behind all others. */
    if (high > 0 && strcmp(names->names[high - 1], name.s) < 0)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name.s, names->names[middle]);
        if (order == 0) {
            *there = true;
            return middle;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool roster_add(roster *names, piw_text name)
{
    bool there;
    size_t at = place_of(names, name, &there);
    if (there)
        return false;
    if (names->count == names->room) {
        names->room = names->room == 0 ? 1024 : 2 * names->room;
        names->names = piw_realloc(names->names, names->room * sizeof(*names->names));
    }
    memmove(names->names + at + 1, names->names + at, (names->count - at) * sizeof(*names->names));
    names->names[at] = piw_strndup(name.s, name.len);
    names->count++;
    names->bytes += name.len + 1;
    return true;
}

bool roster_remove(roster *names, piw_text name)
{
    bool there;
    size_t at = place_of(names, name, &there);
    if (!there)
        return false;
    free(names->names[at]);
    names->count--;
    names->bytes -= name.len + 1;
    memmove(names->names + at, names->names + at + 1, (names->count - at) * sizeof(*names->names));
    return true;
}

const char *roster_behind(const roster *names, const char *name, size_t *place)
{
    bool there;
    size_t at = place_of(names, piw_text_of(name), &there);
    *place = there ? at + 1 : at;
    return *place < names->count ? names->names[*place] : NULL;
}

piw_blob *roster_blob(const roster *names)
{
    char *all = malloc(names->bytes + 1);
    if (all == NULL)
        return NULL;
    size_t at = 0;
    for (size_t i = 0; i < names->count; i++) {
        size_t n = strlen(names->names[i]) + 1;
        memcpy(all + at, names->names[i], n);
        at += n;
    }
    piw_blob *blob = piw_blob_new(all, at);
    free(all);
    return blob;
}

void roster_fini(roster *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    *names = (roster){0};
}
