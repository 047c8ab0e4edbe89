/* depends_parse.c — takes apart what ldd and dpkg print. */
#include "depends_parse.h"

#include <stdio.h>

static piw_text part(const char *begin, const char *end)
{
    return (piw_text){begin, (uint32_t)(end - begin)};
}

static const char *find(piw_text line, const char *what)
{
    return memmem(line.s, line.len, what, strlen(what));
}

slave_ldd_kind slave_ldd_line(piw_text line, piw_text *text)
{
    const char *at = line.s, *end = line.s + line.len;
    if (line.len == 0 || *at != '\t')
        return SLAVE_LDD_NOTHING; /* with several files, "FILE:" stands before each list */
    at++;
    const char *arrow = find(line, " => "), *address = find(line, " (0x");
    if (arrow != NULL && piw_text_is(part(arrow, end), " => not found")) {
        *text = part(at, arrow);
        return SLAVE_LDD_MISSING;
    }
    if (arrow != NULL)
        at = arrow + 4;
    if (address == NULL || address <= at || *at != '/')
        return SLAVE_LDD_NOTHING;
    *text = part(at, address);
    return SLAVE_LDD_PATH;
}

bool slave_dpkg_line(piw_text line, piw_text *package, piw_text *path)
{
    const char *end = line.s + line.len, *colon = find(line, ": /");
    if (colon == NULL || (line.len > 13 && memcmp(line.s, "diversion by ", 13) == 0))
        return false;
    const char *stop = line.s;
    while (stop < colon && *stop != ':' && *stop != ',' && *stop != ' ')
        stop++;
    *package = part(line.s, stop);
    *path = part(colon + 2, end);
    return package->len > 0;
}

bool slave_other_spelling(const char *path, char *to, size_t size)
{
    static const char *const tops[] = {"/lib", "/lib32", "/lib64", "/libx32"};
    to[0] = '\0';
    bool merged = strncmp(path, "/usr/", 5) == 0;
    const char *bare = merged ? path + 4 : path;
    for (size_t i = 0; i < PIW_COUNT(tops); i++) {
        size_t n = strlen(tops[i]);
        if (strncmp(bare, tops[i], n) != 0 || bare[n] != '/')
            continue;
        int len = snprintf(to, size, "%s%s", merged ? "" : "/usr", bare);
        if (len > 0 && (size_t)len < size)
            return true;
    }
    to[0] = '\0';
    return false;
}
