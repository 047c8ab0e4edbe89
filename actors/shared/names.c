/* names.c — package names as PyPI spells them and as the farm keys them (PEP 503, PEP 508). */
#include "shared/names.h"

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_separator(char c)
{
    return c == '-' || c == '_' || c == '.';
}

bool piw_name_canonical(piw_text spelling, char *to)
{
    to[0] = '\0';
    if (spelling.s == NULL || spelling.len == 0 || spelling.len > PIW_NAME_MAX)
        return false;
    if (!is_alnum(spelling.s[0]) || !is_alnum(spelling.s[spelling.len - 1]))
        return false;
    size_t n = 0;
    for (uint32_t i = 0; i < spelling.len; i++) {
        char c = spelling.s[i];
        if (is_alnum(c)) {
            to[n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        } else if (is_separator(c)) {
            if (to[n - 1] != '-')
                to[n++] = '-';
        } else {
            to[0] = '\0';
            return false;
        }
    }
    to[n] = '\0';
    return true;
}

bool piw_name_is_canonical(piw_text name)
{
    char canonical[PIW_NAME_MAX + 1];
    return piw_name_canonical(name, canonical) && piw_text_is(name, canonical);
}

bool piw_name_same(piw_text a, piw_text b)
{
    char left[PIW_NAME_MAX + 1], right[PIW_NAME_MAX + 1];
    return piw_name_canonical(a, left) && piw_name_canonical(b, right) && strcmp(left, right) == 0;
}

bool piw_alias_valid(piw_text alias, piw_text package)
{
    char canonical[PIW_NAME_MAX + 1];
    return piw_name_canonical(alias, canonical) && piw_text_is(package, canonical) && !piw_text_eq(alias, package);
}

/* Small letters and digits, after the first one also those of `more`; two at least. */
static bool is_debian_part(const char *s, size_t len, const char *more)
{
    for (size_t i = 0; i < len; i++) {
        bool plain = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9');
        if (!plain && (i == 0 || s[i] == '\0' || strchr(more, s[i]) == NULL))
            return false;
    }
    return len >= 2;
}

bool piw_name_is_debian(piw_text name)
{
    const char *colon = name.len > 0 ? memchr(name.s, ':', name.len) : NULL;
    size_t len = colon != NULL ? (size_t)(colon - name.s) : name.len;
    return is_debian_part(name.s, len, "+-.") && (colon == NULL || is_debian_part(colon + 1, name.len - len - 1, "-"));
}
