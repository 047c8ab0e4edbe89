/* requires_python.c — which releases of Python 3 a Requires-Python takes. */
#include "shared/requires_python.h"

#include "shared/requirement.h"
#include "shared/text.h"
#include "shared/version.h"

#include <stdio.h>

enum { PATCH = 99 /* a release's latest is none higher */ };

typedef struct specifier {
    char op[4];
    piw_text version;
    bool prefix; /* "3.9.*": the version is without the star */
} specifier;

static const uint64_t all = (UINT64_C(1) << PIW_PYTHON_MINORS) - 1;

/* Of "3.9" or "3.9.1" the numbers; how many there are, 0: it is spelt in another way. */
static int numbers_of(piw_text version, long numbers[3])
{
    int count = 0;
    uint32_t at = 0;
    while (at < version.len && count < 3) {
        long number = 0;
        uint32_t from = at;
        for (; at < version.len && at - from < 6 && version.s[at] >= '0' && version.s[at] <= '9'; at++)
            number = number * 10 + (version.s[at] - '0');
        if (at == from)
            return 0;
        numbers[count++] = number;
        if (at < version.len && version.s[at++] != '.')
            return 0;
    }
    return count;
}

/* Does 3.MINOR.PATCH begin with it? */
static bool begins(piw_text prefix, int minor)
{
    long numbers[3];
    const long own[3] = {3, minor, PATCH};
    int count = numbers_of(prefix, numbers);
    for (int i = 0; i < count; i++)
        if (numbers[i] != own[i])
            return false;
    return count > 0;
}

/* "~=3.8.1": at least that, and of the same 3.8. */
static bool compatible(piw_text version, int order, int minor)
{
    long numbers[3];
    int count = numbers_of(version, numbers);
    return order >= 0 && (count < 2 || numbers[0] == 3) && (count < 3 || numbers[1] == minor);
}

static bool takes(const specifier *self, int minor)
{
    char text[32];
    snprintf(text, sizeof(text), "3.%d.%d", minor, PATCH);
    int order = piw_version_compare_text(piw_text_of(text), self->version);
    if (strcmp(self->op, "==") == 0)
        return self->prefix ? begins(self->version, minor) : order == 0;
    if (strcmp(self->op, "!=") == 0)
        return self->prefix ? !begins(self->version, minor) : order != 0;
    if (strcmp(self->op, "~=") == 0)
        return compatible(self->version, order, minor);
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
