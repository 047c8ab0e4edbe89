/* requires_python.c — which releases of Python 3 a Requires-Python takes. */
#include "shared/requires_python.h"

#include "shared/requirement.h"
#include "shared/text.h"
#include "shared/version.h"

#include <stdio.h>

enum {
    PATCH = 99, /* a release's latest is none higher */
    RELEASE_MAX = 8,
    NUMBER_MAX = 1000000,
};

typedef struct release {
    long numbers[RELEASE_MAX];
    int count;
} release;

typedef struct specifier {
    char op[4];
    piw_text version;
    bool prefix; /* "3.9.*": the version is without the star */
} specifier;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const uint64_t all = (UINT64_C(1) << PIW_PYTHON_MINORS) - 1;

/* The numbers of a version's release, as far as they matter; false: it is of another epoch than Python's. */
static bool release_of(piw_text version, release *to)
{
    const char *at = version.s, *end = at + version.len, *epoch = memchr(at, '!', version.len);
    at += at < end && (*at == 'v' || *at == 'V');
    for (; epoch != NULL && at < epoch; at++)
        if (*at != '0')
            return false;
    at += epoch != NULL;
    *to = (release){0};
    while (at < end && is_digit(*at) && to->count < RELEASE_MAX) {
        long number = 0;
        for (; at < end && is_digit(*at); at++)
            number = number < NUMBER_MAX ? number * 10 + (*at - '0') : NUMBER_MAX;
        to->numbers[to->count++] = number;
        at += end - at > 1 && *at == '.' && is_digit(at[1]);
    }
    return true;
}

/* Does 3.MINOR.PATCH begin with the version's release, without the last `less` of its numbers? */
static bool begins(piw_text version, int less, int minor)
{
    const long own[RELEASE_MAX] = {3, minor, PATCH};
    release wanted;
    if (!release_of(version, &wanted))
        return false;
    for (int i = 0; i < wanted.count - less; i++)
        if (wanted.numbers[i] != own[i])
            return false;
    return true;
}

static bool takes(const specifier *self, int minor)
{
    char text[32];
    snprintf(text, sizeof(text), "3.%d.%d", minor, PATCH);
    int order = piw_version_compare_text(piw_text_of(text), self->version);
    if (strcmp(self->op, "==") == 0)
        return self->prefix ? begins(self->version, 0, minor) : order == 0;
    if (strcmp(self->op, "!=") == 0)
        return self->prefix ? !begins(self->version, 0, minor) : order != 0;
    if (strcmp(self->op, "~=") == 0)
        return order >= 0 && begins(self->version, 1, minor); /* of the same 3.8, with "~=3.8.1" */
    if (strcmp(self->op, "===") == 0)
        return piw_text_is(self->version, text);
    return strcmp(self->op, "<=") == 0   ? order <= 0
           : strcmp(self->op, ">=") == 0 ? order >= 0
           : strcmp(self->op, "<") == 0  ? order < 0
                                         : order > 0;
}

/* One that is valid (requirement.h), without blanks at its ends. */
static specifier read_one(piw_text text)
{
    specifier made = {0};
    uint32_t at = 0;
    while (at < text.len && at < sizeof(made.op) - 1 && memchr("=!~<>", text.s[at], 5) != NULL) {
        made.op[at] = text.s[at];
        at++;
    }
    while (at < text.len && (text.s[at] == ' ' || text.s[at] == '\t'))
        at++;
    made.version = (piw_text){text.s + at, text.len - at};
    made.prefix = made.version.len > 2 && memcmp(made.version.s + made.version.len - 2, ".*", 2) == 0;
    made.version.len -= made.prefix ? 2 : 0;
    return made;
}

uint64_t piw_requires_python(piw_text text)
{
    uint64_t taken = all;
    if (text.len == 0 || !piw_specifiers_valid(text))
        return all;
    for (uint32_t at = 0; at < text.len;) {
        const char *comma = memchr(text.s + at, ',', text.len - at);
        uint32_t from = at, end = comma != NULL ? (uint32_t)(comma - text.s) : text.len;
        at = end + 1;
        while (from < end && (text.s[from] == ' ' || text.s[from] == '\t'))
            from++;
        while (end > from && (text.s[end - 1] == ' ' || text.s[end - 1] == '\t'))
            end--;
        if (from == end)
            continue;
        specifier one = read_one((piw_text){text.s + from, end - from});
        for (int minor = 0; minor < PIW_PYTHON_MINORS; minor++)
            if (!takes(&one, minor))
                taken &= ~(UINT64_C(1) << minor);
    }
    return taken;
}
