/* abi.c — ABI tags: their order and their form. */
#include "shared/abi.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t n = a_len < b_len ? a_len : b_len;
    int order = n == 0 ? 0 : memcmp(a, b, n);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

/* Where the letters end, and where the digits after them do. */
static void split(piw_text tag, size_t *letters, size_t *digits)
{
    size_t at = 0;
    while (at < tag.len && !is_digit(tag.s[at]))
        at++;
    *letters = at;
    while (at < tag.len && is_digit(tag.s[at]))
        at++;
    *digits = at;
}

int piw_abi_compare(piw_text a, piw_text b)
{
    size_t a_letters, a_digits, b_letters, b_digits;
    split(a, &a_letters, &a_digits);
    split(b, &b_letters, &b_digits);
    int order = compare_bytes(a.s, a_letters, b.s, b_letters);
    if (order != 0)
        return order;
    bool a_has = a_digits > a_letters, b_has = b_digits > b_letters;
    if (a_has != b_has)
        return a_has ? 1 : -1;
    if (a_has) {
        if (a.s[a_letters] != b.s[b_letters])
            return a.s[a_letters] - b.s[b_letters];
        size_t a_minor = a_digits - a_letters - 1, b_minor = b_digits - b_letters - 1;
        if (a_minor != b_minor)
            return a_minor > b_minor ? 1 : -1;
        order = compare_bytes(a.s + a_letters + 1, a_minor, b.s + b_letters + 1, b_minor);
        if (order != 0)
            return order;
    }
    return compare_bytes(a.s + a_digits, a.len - a_digits, b.s + b_digits, b.len - b_digits);
}

bool piw_abi_acceptable(piw_text tag)
{
    if (tag.s == NULL || tag.len == 0 || tag.len > PIW_ABI_TAG_MAX)
        return false;
    if (piw_text_is(tag, "none") || piw_text_is(tag, "abi3") || piw_text_is(tag, "abi3t"))
        return false;
    for (uint32_t i = 0; i < tag.len; i++) {
        char c = tag.s[i];
        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '_')
            return false;
    }
    return true;
}

bool piw_abi_typed(piw_text tag)
{
    if (!piw_abi_acceptable(tag))
        return false;
    size_t letters, digits;
    split(tag, &letters, &digits);
    /* Of no interpreter's own: pure Python's "py3", and stable ABIs to come. */
    piw_text prefix = {tag.s, (uint32_t)letters};
    if (piw_text_is(prefix, "py") || piw_text_is(prefix, "abi"))
        return false;
    for (size_t i = 0; i < tag.len; i++)
        if (tag.s[i] == '_' ? i < letters : tag.s[i] >= 'A' && tag.s[i] <= 'Z')
            return false;
    return letters > 0 && digits > letters;
}

/* --- pure wheels ----------------------------------------------------------------------------------------------------- */

/* An interpreter by its ABI's tag, cp311, pypy310_pp73; or by a wheel's, py3, cp311. */
typedef struct interpreter {
    char letters[3];
    char major;
    int minor; /* -1: none is said */
} interpreter;

/* Three digits at most, and a zero that leads stands alone. */
static int read_minor(const char *s, size_t len)
{
    if (len == 0 || len > 3 || (len > 1 && s[0] == '0'))
        return -1;
    int minor = 0;
    for (size_t i = 0; i < len; i++)
        minor = minor * 10 + (s[i] - '0');
    return minor;
}

static bool read_interpreter(piw_text tag, interpreter *to)
{
    size_t letters, digits;
    split(tag, &letters, &digits);
    if (letters != 2 || digits == letters || digits != tag.len)
        return false;
    *to = (interpreter){.major = tag.s[2], .minor = digits > 3 ? read_minor(tag.s + 3, digits - 3) : -1};
    memcpy(to->letters, tag.s, 2);
    return digits == 3 || to->minor >= 0;
}

/* Whose ABI it is; false: nothing is known of it but that it is a Python 3. */
static bool of_abi(piw_text abi, interpreter *to)
{
    bool pypy = abi.len > 4 && memcmp(abi.s, "pypy", 4) == 0;
    piw_text tag = pypy ? (piw_text){abi.s + 2, abi.len - 2} : abi;
    size_t letters, digits;
    split(tag, &letters, &digits);
    if (pypy ? digits == tag.len || tag.s[digits] != '_' : abi.len < 2 || memcmp(abi.s, "cp", 2) != 0)
        return false;
    for (size_t i = digits; i < tag.len && !pypy; i++)
        if (tag.s[i] < 'a' || tag.s[i] > 'z')
            return false;
    if (!read_interpreter((piw_text){tag.s, (uint32_t)digits}, to) || to->minor < 0)
        return false;
    memcpy(to->letters, pypy ? "pp" : "cp", 2);
    return true;
}

static bool takes(const interpreter *own, const interpreter *wheel)
{
    if (wheel->major != own->major)
        return false;
    if (strcmp(wheel->letters, "py") == 0)
        return wheel->minor <= own->minor;
    bool any_minor = strcmp(own->letters, "pp") == 0 && wheel->minor < 0;
    return strcmp(wheel->letters, own->letters) == 0 && (any_minor || wheel->minor == own->minor);
}

bool piw_abi_takes_pure(piw_text abi, piw_text interpreters)
{
    interpreter own;
    bool known = abi.len > 0 && of_abi(abi, &own);
    for (const char *s = interpreters.s, *end = s + interpreters.len; s < end;) {
        const char *dot = memchr(s, '.', (size_t)(end - s));
        piw_text tag = {s, (uint32_t)((dot != NULL ? dot : end) - s)};
        interpreter wheel;
        if (known ? read_interpreter(tag, &wheel) && takes(&own, &wheel) : piw_text_is(tag, "py3"))
            return true;
        s += tag.len + 1;
    }
    return false;
}
