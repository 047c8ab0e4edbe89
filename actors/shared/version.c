/* version.c — versions in the order of PEP 440. */
#include "shared/version.h"

#include "piw/codec.h"
#include "shared/site_path.h"

/* The bytes of a key, in the order that PEP 440 wants. A number is NUMBER + count of its digits, then the digits
 * without leading zeros, so that longer numbers are greater; END is less than every other lead byte, so that a shorter
 * sequence comes before a longer one that begins with it. */
enum {
    LEGACY = 0x01,
    VALID = 0x02,
    END = 0x01,
    PRE_DEV_ONLY = 0x02, /* no pre and no post release but a dev one: before all pre-releases */
    PRE_ALPHA = 0x03,
    PRE_BETA = 0x04,
    PRE_RC = 0x05,
    PRE_NONE = 0x06,
    POST_NONE = 0x02,
    POST = 0x03,
    DEV = 0x02,
    DEV_NONE = 0x03,
    LOCAL_NONE = 0x02,
    LOCAL = 0x03,
    LOCAL_TEXT = 0x04,
    LOCAL_NUMBER = 0x05,
    NUMBER = 0x10,
};

/* A run of digits in the text. */
typedef struct digits {
    const char *s;
    size_t len;
} digits;

typedef struct reader {
    const char *at, *end;
} reader;

typedef struct parts {
    digits epoch;
    digits release[PIW_VERSION_MAX];
    size_t release_count;
    int pre; /* PRE_ALPHA, PRE_BETA, PRE_RC or 0 */
    digits pre_number;
    bool post, dev;
    digits post_number, dev_number;
    const char *local, *local_end;
} parts;

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

static bool is_separator(char c)
{
    return c == '-' || c == '_' || c == '.';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool take_digits(reader *r, digits *number)
{
    const char *start = r->at;
    while (r->at < r->end && is_digit(*r->at))
        r->at++;
    *number = (digits){start, (size_t)(r->at - start)};
    return number->len > 0;
}

static bool take_word(reader *r, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(r->end - r->at) < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (lower(r->at[i]) != word[i])
            return false;
    }
    r->at += n;
    return true;
}

static void skip_separator(reader *r)
{
    if (r->at < r->end && is_separator(*r->at))
        r->at++;
}

/* "[-_.]? WORD [-_.]? N?" (the second separator may stand without a number): on success the reader stands behind it,
 * otherwise it hasn't moved. */
static bool take_segment(reader *r, const char *const *words, size_t count, size_t *which, digits *number)
{
    reader try = *r;
    skip_separator(&try);
    for (size_t i = 0; i < count; i++) {
        if (!take_word(&try, words[i]))
            continue;
        skip_separator(&try);
        if (!take_digits(&try, number))
            *number = (digits){"", 0};
        *which = i;
        *r = try;
        return true;
    }
    return false;
}

static void take_pre(reader *r, parts *p)
{
    /* Longer words stand before their beginnings. */
    static const char *const words[] = {"alpha", "a", "beta", "b", "preview", "pre", "c", "rc"};
    static const int kinds[] = {PRE_ALPHA, PRE_ALPHA, PRE_BETA, PRE_BETA, PRE_RC, PRE_RC, PRE_RC, PRE_RC};
    size_t which;
    if (take_segment(r, words, PIW_COUNT(words), &which, &p->pre_number))
        p->pre = kinds[which];
}

static void take_post(reader *r, parts *p)
{
    static const char *const words[] = {"post", "rev", "r"};
    size_t which;
    reader try = *r;
    if (try.at < try.end && *try.at == '-') {
        try.at++;
        if (take_digits(&try, &p->post_number)) {
            p->post = true;
            *r = try;
            return;
        }
    }
    p->post = take_segment(r, words, PIW_COUNT(words), &which, &p->post_number);
}

static bool take_local(reader *r, parts *p)
{
    if (r->at == r->end || *r->at != '+')
        return true;
    p->local = ++r->at;
    bool expect = true;
    for (; r->at < r->end; r->at++) {
        if (is_alnum(*r->at))
            expect = false;
        else if (is_separator(*r->at) && !expect)
            expect = true;
        else
            break;
    }
    p->local_end = r->at;
    return !expect;
}

static bool take_release(reader *r, parts *p)
{
    digits number;
    if (!take_digits(r, &number))
        return false;
    if (r->at < r->end && *r->at == '!') {
        p->epoch = number;
        r->at++;
        if (!take_digits(r, &number))
            return false;
    }
    p->release[p->release_count++] = number;
    while (r->end - r->at >= 2 && r->at[0] == '.' && is_digit(r->at[1])) {
        r->at++;
        take_digits(r, &p->release[p->release_count++]);
    }
    return true;
}

static bool parse(piw_text text, parts *p)
{
    reader r = {text.s, text.s + text.len};
    while (r.at < r.end && is_space(*r.at))
        r.at++;
    while (r.end > r.at && is_space(r.end[-1]))
        r.end--;
    if (r.at < r.end && lower(*r.at) == 'v')
        r.at++;
    if (!take_release(&r, p))
        return false;
    static const char *const dev[] = {"dev"};
    size_t which;
    take_pre(&r, p);
    take_post(&r, p);
    p->dev = take_segment(&r, dev, 1, &which, &p->dev_number);
    return take_local(&r, p) && r.at == r.end;
}

static void put(piw_version *v, int byte)
{
    v->key[v->len++] = (uint8_t)byte;
}

static bool is_zero(digits number)
{
    for (size_t i = 0; i < number.len; i++) {
        if (number.s[i] != '0')
            return false;
    }
    return true;
}

static void put_number(piw_version *v, digits number)
{
    while (number.len > 0 && *number.s == '0') {
        number.s++;
        number.len--;
    }
    put(v, NUMBER + (int)number.len);
    memcpy(v->key + v->len, number.s, number.len);
    v->len = (uint16_t)(v->len + number.len);
}

static void put_local(piw_version *v, const parts *p)
{
    put(v, LOCAL);
    const char *at = p->local;
    while (at < p->local_end) {
        const char *start = at;
        bool number = true;
        for (; at < p->local_end && is_alnum(*at); at++)
            number = number && is_digit(*at);
        put(v, number ? LOCAL_NUMBER : LOCAL_TEXT);
        if (number) {
            put_number(v, (digits){start, (size_t)(at - start)});
        } else {
            for (const char *c = start; c < at; c++)
                put(v, lower(*c));
            put(v, END);
        }
        at++;
    }
    put(v, END);
}

static void make_key(const parts *p, piw_version *v)
{
    put(v, VALID);
    put_number(v, p->epoch);
    size_t count = p->release_count;
    while (count > 0 && is_zero(p->release[count - 1]))
        count--;
    for (size_t i = 0; i < count; i++)
        put_number(v, p->release[i]);
    put(v, END);
    if (p->pre != 0) {
        put(v, p->pre);
        put_number(v, p->pre_number);
    } else {
        put(v, !p->post && p->dev ? PRE_DEV_ONLY : PRE_NONE);
    }
    put(v, p->post ? POST : POST_NONE);
    if (p->post)
        put_number(v, p->post_number);
    put(v, p->dev ? DEV : DEV_NONE);
    if (p->dev)
        put_number(v, p->dev_number);
    if (p->local != NULL)
        put_local(v, p);
    else
        put(v, LOCAL_NONE);
}

void piw_version_parse(piw_text text, piw_version *version)
{
    *version = (piw_version){0};
    parts p = {.epoch = {"", 0}};
    if (text.s != NULL && text.len <= PIW_VERSION_MAX && parse(text, &p)) {
        version->valid = true;
        version->prerelease = p.pre != 0 || p.dev;
        make_key(&p, version);
        return;
    }
    put(version, LEGACY);
    size_t n = text.s == NULL ? 0 : text.len < PIW_VERSION_MAX ? text.len : PIW_VERSION_MAX;
    memcpy(version->key + version->len, text.s == NULL ? "" : text.s, n);
    version->len = (uint16_t)(version->len + n);
}

int piw_version_compare(const piw_version *a, const piw_version *b)
{
    size_t n = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->key, b->key, n);
    return order != 0 ? order : (int)a->len - (int)b->len;
}

int piw_version_compare_text(piw_text a, piw_text b)
{
    piw_version left, right;
    piw_version_parse(a, &left);
    piw_version_parse(b, &right);
    return piw_version_compare(&left, &right);
}

bool piw_version_prerelease(piw_text text)
{
    piw_version version;
    piw_version_parse(text, &version);
    return version.prerelease;
}

bool piw_version_valid(piw_text text)
{
    piw_version version;
    piw_version_parse(text, &version);
    return version.valid;
}

bool piw_version_matches_tag(piw_text version, piw_text tag)
{
    char plain[PIW_VERSION_MAX + 1];
    if (version.s == NULL || tag.s == NULL || version.len > PIW_VERSION_MAX || tag.len > PIW_VERSION_MAX)
        return false;
    for (uint32_t i = 0; i < tag.len; i++)
        plain[i] = tag.s[i] == '_' ? '-' : tag.s[i];
    plain[tag.len] = '\0';
    piw_version left, right;
    piw_version_parse(version, &left);
    piw_version_parse((piw_text){plain, tag.len}, &right);
    if (left.valid && right.valid)
        return piw_version_compare(&left, &right) == 0;
    char other[PIW_VERSION_MAX + 1];
    for (uint32_t i = 0; i < version.len; i++)
        other[i] = version.s[i] == '_' ? '-' : version.s[i];
    return version.len == tag.len && memcmp(plain, other, tag.len) == 0;
}

bool piw_version_acceptable(piw_text text)
{
    if (text.s == NULL || text.len == 0 || text.len > 4 * PIW_VERSION_MAX)
        return false;
    if (piw_utf8_valid(text.s, text.len) != text.len || piw_utf8_chars(text.s, text.len) > PIW_VERSION_MAX)
        return false;
    return piw_path_component(text);
}
