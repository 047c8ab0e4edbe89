/* requirement.c — what installers can read in Requires-Python and Requires-Dist. */
#include "shared/requirement.h"

#include "shared/version.h"

enum { DEPTH_MAX = 50 /* parentheses in a marker: written by hand they come to three */ };

typedef struct reader {
    const char *at, *end;
    bool extra; /* the variable has been seen */
    int depth;
} reader;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_word(char c)
{
    return is_alnum(c) || c == '_' || c == '.';
}

static void skip_blanks(reader *r)
{
    while (r->at < r->end && is_blank(*r->at))
        r->at++;
}

static bool take(reader *r, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, text, n) != 0)
        return false;
    r->at += n;
    return true;
}

/* The first of these that stands here, or NULL; longer ones stand before their beginnings. */
static const char *take_one(reader *r, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (take(r, texts[i]))
            return texts[i];
    }
    return NULL;
}

static const char *take_comparison(reader *r)
{
    static const char *const comparisons[] = {"===", "~=", "==", "!=", "<=", ">=", "<", ">"};
    return take_one(r, comparisons, PIW_COUNT(comparisons));
}

/* --- Specifiers --- */

static bool has(piw_text text, char c)
{
    return text.len > 0 && memchr(text.s, c, text.len) != NULL;
}

/* A release of two numbers at least: of "~=1" nobody knows what it would leave open. */
static bool has_two_numbers(piw_text version)
{
    const char *at = version.s, *end = at + version.len, *epoch = memchr(at, '!', version.len);
    at = epoch != NULL ? epoch + 1 : at + (*at == 'v' || *at == 'V');
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return end - at >= 2 && at[0] == '.' && at[1] >= '0' && at[1] <= '9';
}

/* "1.2.*": a release alone before the star. */
static bool is_prefix(piw_text version)
{
    if (version.len < 3 || memcmp(version.s + version.len - 2, ".*", 2) != 0)
        return false;
    version.len -= 2;
    for (uint32_t i = 0; i < version.len; i++) {
        char c = version.s[i];
        bool plain = (c >= '0' && c <= '9') || c == '.' || c == '!' || (i == 0 && (c == 'v' || c == 'V'));
        if (!plain)
            return false;
    }
    return piw_version_valid(version);
}

static bool specifier_valid(piw_text text)
{
    reader r = {.at = text.s, .end = text.s + text.len};
    const char *op = take_comparison(&r);
    skip_blanks(&r);
    piw_text version = {r.at, (uint32_t)(r.end - r.at)};
    if (op == NULL || version.len == 0 || has(version, ' ') || has(version, '\t'))
        return false;
    if (strcmp(op, "===") == 0)
        return !has(version, ';') && !has(version, ')');
    bool equality = op[1] == '=' && (op[0] == '=' || op[0] == '!');
    if (equality && is_prefix(version))
        return true;
    if (!piw_version_valid(version) || (!equality && has(version, '+')))
        return false;
    return op[0] != '~' || has_two_numbers(version);
}

bool piw_specifiers_valid(piw_text text)
{
    const char *at = text.s, *end = at + text.len;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at)), *next = comma == NULL ? end : comma;
        const char *from = at, *to = next;
        while (from < to && is_blank(*from))
            from++;
        while (to > from && is_blank(to[-1]))
            to--;
        if (to > from && !specifier_valid((piw_text){from, (uint32_t)(to - from)}))
            return false;
        at = next + (comma != NULL);
    }
    return true;
}

/* --- Markers --- */

static bool take_variable(reader *r)
{
    /* With dots as setuptools once wrote them. */
    static const char *const variables[] = {
        "python_full_version",
        "python_version",
        "python_implementation",
        "os_name",
        "os.name",
        "sys_platform",
        "sys.platform",
        "platform_release",
        "platform_system",
        "platform_version",
        "platform.version",
        "platform_machine",
        "platform.machine",
        "platform_python_implementation",
        "platform.python_implementation",
        "implementation_name",
        "implementation_version",
        "extra",
    };
    const char *from = r->at;
    while (r->at < r->end && is_word(*r->at))
        r->at++;
    piw_text word = {from, (uint32_t)(r->at - from)};
    for (size_t i = 0; i < PIW_COUNT(variables); i++) {
        if (!piw_text_is(word, variables[i]))
            continue;
        r->extra = r->extra || strcmp(variables[i], "extra") == 0;
        return true;
    }
    return false;
}

static bool take_value(reader *r)
{
    skip_blanks(r);
    if (r->at == r->end || (*r->at != '"' && *r->at != '\''))
        return take_variable(r);
    const char *close = memchr(r->at + 1, *r->at, (size_t)(r->end - r->at - 1));
    if (close != NULL)
        r->at = close + 1;
    return close != NULL;
}

/* A word that ends here, so that "order" isn't "or". */
static bool take_word(reader *r, const char *word)
{
    reader try = *r;
    if (!take(&try, word) || (try.at < try.end && is_word(*try.at)))
        return false;
    *r = try;
    return true;
}

static bool take_operator(reader *r)
{
    skip_blanks(r);
    if (take_comparison(r) != NULL || take_word(r, "in"))
        return true;
    if (!take_word(r, "not"))
        return false;
    skip_blanks(r);
    return take_word(r, "in");
}

/* Comparisons joined by "and" and "or", some in parentheses; which of both binds tighter is no matter here. */
// NOLINTNEXTLINE(misc-no-recursion): as deep as DEPTH_MAX says
static bool take_marker(reader *r)
{
    if (++r->depth > DEPTH_MAX)
        return false;
    do {
        skip_blanks(r);
        if (take(r, "(")) {
            if (!take_marker(r) || !take(r, ")"))
                return false;
        } else if (!take_value(r) || !take_operator(r) || !take_value(r)) {
            return false;
        }
        skip_blanks(r);
    } while (take_word(r, "and") || take_word(r, "or"));
    r->depth--;
    return true;
}

/* --- Requirements --- */

static bool take_name(reader *r, piw_text *name)
{
    const char *from = r->at;
    while (r->at < r->end && (is_word(*r->at) || *r->at == '-'))
        r->at++;
    *name = (piw_text){from, (uint32_t)(r->at - from)};
    return r->at > from && is_alnum(*from) && is_alnum(r->at[-1]);
}

static bool take_extras(reader *r)
{
    piw_text name;
    if (!take(r, "["))
        return true;
    skip_blanks(r);
    if (take(r, "]"))
        return true;
    do {
        skip_blanks(r);
        if (!take_name(r, &name))
            return false;
        skip_blanks(r);
    } while (take(r, ","));
    return take(r, "]");
}

/* SCHEME:…, to the next blank: only behind one a ';' begins the marker. */
static bool take_url(reader *r)
{
    skip_blanks(r);
    const char *from = r->at;
    while (r->at < r->end && !is_blank(*r->at))
        r->at++;
    const char *colon = memchr(from, ':', (size_t)(r->at - from));
    if (colon == NULL || colon == from || colon + 1 == r->at)
        return false;
    for (const char *c = from; c < colon; c++) {
        if (!is_alnum(*c) && (c == from || strchr("+-.", *c) == NULL))
            return false;
    }
    return true;
}

/* Specifiers of a requirement are not left out between commas, as those of Requires-Python may be; behind the last comma
 * there may be none. */
static bool left_out(piw_text specifiers)
{
    bool awaited = true;
    for (uint32_t i = 0; i < specifiers.len; i++) {
        bool comma = specifiers.s[i] == ',';
        if (comma && awaited)
            return true;
        awaited = comma || (awaited && is_blank(specifiers.s[i]));
    }
    return false;
}

/* Behind "===" anything may stand, and installers read to the next blank, over commas: of "===1.0, !=2.0" they miss the comma
 * then, and stop. */
static bool hides_comma(piw_text specifiers)
{
    reader r = {.at = specifiers.s, .end = specifiers.s + specifiers.len};
    while (r.at < r.end) {
        if (!take(&r, "===")) {
            r.at++;
            continue;
        }
        skip_blanks(&r);
        while (r.at < r.end && !is_blank(*r.at))
            r.at++;
        skip_blanks(&r);
        if (r.at < r.end && *r.at != ',')
            return true;
    }
    return false;
}

/* No specifier holds a ';' or ')', so the text goes to the first of them. */
static bool take_specifiers(reader *r)
{
    bool closed = take(r, "(");
    const char *from = r->at;
    while (r->at < r->end && *r->at != ';' && *r->at != ')')
        r->at++;
    piw_text specifiers = {from, (uint32_t)(r->at - from)};
    if (left_out(specifiers) || hides_comma(specifiers) || !piw_specifiers_valid(specifiers))
        return false;
    return !closed || take(r, ")");
}

bool piw_requirement_parse(piw_text text, piw_requirement *requirement)
{
    reader r = {.at = text.s, .end = text.s + text.len};
    *requirement = (piw_requirement){0};
    skip_blanks(&r);
    if (!take_name(&r, &requirement->name))
        return false;
    skip_blanks(&r);
    if (!take_extras(&r))
        return false;
    skip_blanks(&r);
    if (!(take(&r, "@") ? take_url(&r) : take_specifiers(&r)))
        return false;
    skip_blanks(&r);
    if (take(&r, ";") && !take_marker(&r))
        return false;
    requirement->names_extra = r.extra;
    return r.at == r.end;
}
