/* text.c — text from outside made fit for storing, pages and JSON. */
#include "shared/text.h"

#include "piw/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char REPLACEMENT[] = "\xef\xbf\xbd"; /* U+FFFD */
static const char ELLIPSIS[] = "\xe2\x80\xa6";    /* U+2026 */

piw_text piw_text_copy(piw_msg *msg, piw_text text)
{
    return piw_msg_text(msg, text.s, text.len);
}

piw_text piw_text_copy_some(piw_msg *msg, piw_text text)
{
    return text.len > 0 ? piw_text_copy(msg, text) : (piw_text){0};
}

void piw_texts_copy(piw_msg *msg, const piw_text *from, uint32_t count, piw_text *to)
{
    for (uint32_t i = 0; i < count; i++)
        to[i] = piw_text_copy(msg, from[i]);
}

/* Control characters that aren't stored; TAB, LF, FF and CR are. */
static bool is_unstorable(unsigned char c)
{
    return (c < 0x20 && c != '\t' && c != '\n' && c != '\f' && c != '\r') || c == 0x7f;
}

size_t piw_bytes_clean(const void *from, size_t len, void *to)
{
    const unsigned char *in = from;
    unsigned char *out = to;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (is_unstorable(in[i])) {
            memcpy(out + n, REPLACEMENT, 3);
            n += 3;
        } else {
            out[n++] = in[i];
        }
    }
    return n;
}

piw_text piw_text_clean(piw_msg *msg, piw_text text)
{
    size_t bad = 0;
    for (uint32_t i = 0; i < text.len; i++)
        bad += is_unstorable((unsigned char)text.s[i]);
    if (bad == 0)
        return text;
    char *copy = piw_msg_alloc(msg, text.len + 2 * bad + 1);
    size_t n = piw_bytes_clean(text.s, text.len, copy);
    copy[n] = '\0';
    return (piw_text){copy, (uint32_t)n};
}

/* The byte where character number `chars` begins, or the length when there are fewer. */
static size_t offset_of(piw_text text, uint32_t chars)
{
    size_t at = 0;
    for (uint32_t i = 0; i < chars && at < text.len; i++) {
        at++;
        while (at < text.len && ((unsigned char)text.s[at] & 0xc0) == 0x80)
            at++;
    }
    return at;
}

piw_text piw_text_cut(piw_msg *msg, piw_text text, uint32_t chars)
{
    if (text.s == NULL || chars == 0 || offset_of(text, chars) == text.len)
        return text;
    size_t keep = offset_of(text, chars - 1);
    char *copy = piw_msg_alloc(msg, keep + sizeof(ELLIPSIS));
    memcpy(copy, text.s, keep);
    memcpy(copy + keep, ELLIPSIS, sizeof(ELLIPSIS));
    return (piw_text){copy, (uint32_t)(keep + sizeof(ELLIPSIS) - 1)};
}

bool piw_text_has_control(piw_text text)
{
    for (uint32_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.s[i];
        if (c < 0x20 || c == 0x7f)
            return true;
    }
    return false;
}

bool piw_is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 5 && text[digits] == '\0' && strtoul(text, NULL, 10) <= UINT16_MAX;
}

void piw_put_bytes(piw_buffer *to, const void *data, size_t len)
{
    if (len > 0 && piw_buffer_add(to, data, len) != 0) {
        piw_error("out of memory for a page of %zu bytes", to->len + len);
        abort();
    }
}

void piw_put(piw_buffer *to, const char *text)
{
    piw_put_bytes(to, text, strlen(text));
}

void piw_put_text(piw_buffer *to, piw_text text)
{
    piw_put_bytes(to, text.s, text.len);
}

void piw_putf(piw_buffer *to, const char *fmt, ...)
{
    char small[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    if (n < 0)
        return;
    if ((size_t)n < sizeof(small)) {
        piw_put_bytes(to, small, (size_t)n);
        return;
    }
    char *large = piw_alloc((size_t)n + 1);
    va_start(args, fmt);
    vsnprintf(large, (size_t)n + 1, fmt, args);
    va_end(args);
    piw_put_bytes(to, large, (size_t)n);
    free(large);
}

/* The code of a character that turns the direction of what follows (U+202A-202E, U+2066-2069) or ends a line where none is
 * seen to end (U+2028, U+2029): on a page, text could look like another. 0: it is none of these. */
static unsigned turning(const unsigned char *s, size_t len)
{
    if (len < 3 || s[0] != 0xe2 || (s[1] != 0x80 && s[1] != 0x81))
        return 0;
    bool is = s[1] == 0x80 ? s[2] >= 0xa8 && s[2] <= 0xae : s[2] >= 0xa6 && s[2] <= 0xa9;
    return is ? 0x2000u + (s[1] & 0x3fu) * 0x40u + (s[2] & 0x3fu) : 0;
}

void piw_put_html(piw_buffer *to, piw_text text)
{
    uint32_t from = 0;
    for (uint32_t i = 0; i < text.len; i++) {
        unsigned turn = turning((const unsigned char *)text.s + i, text.len - i);
        if (turn != 0) {
            piw_put_bytes(to, text.s + from, i - from);
            piw_putf(to, "[U+%04X]", turn);
            i += 2;
            from = i + 1;
            continue;
        }
        unsigned char c = (unsigned char)text.s[i];
        const char *escape = c == '&'           ? "&amp;"
                             : c == '<'         ? "&lt;"
                             : c == '>'         ? "&gt;"
                             : c == '"'         ? "&quot;"
                             : c == '\''        ? "&#39;"
                             : is_unstorable(c) ? REPLACEMENT
                                                : NULL;
        if (escape == NULL)
            continue;
        piw_put_bytes(to, text.s + from, i - from);
        piw_put(to, escape);
        from = i + 1;
    }
    piw_put_bytes(to, text.s + from, text.len - from);
}

/* The code point at `s` of valid UTF-8, and its length in bytes. */
static uint32_t code_point(const unsigned char *s, size_t *len)
{
    if (s[0] < 0x80) {
        *len = 1;
        return s[0];
    }
    *len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    uint32_t c = s[0] & (0xffu >> (*len + 1));
    for (size_t i = 1; i < *len; i++)
        c = c << 6 | (s[i] & 0x3fu);
    return c;
}

static void put_json_char(piw_buffer *to, uint32_t c)
{
    if (c == '"' || c == '\\')
        piw_putf(to, "\\%c", (int)c);
    else if (c == '\n')
        piw_put(to, "\\n");
    else if (c == '\t')
        piw_put(to, "\\t");
    else if (c >= 0x10000)
        piw_putf(to, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
    else
        piw_putf(to, "\\u%04x", c);
}

void piw_put_json(piw_buffer *to, piw_text text)
{
    if (text.s == NULL) {
        piw_put(to, "null");
        return;
    }
    piw_put(to, "\"");
    const unsigned char *s = (const unsigned char *)text.s;
    size_t at = 0, from = 0, valid = piw_utf8_valid(text.s, text.len);
    while (at < text.len) {
        if (s[at] >= 0x20 && s[at] < 0x7f && s[at] != '"' && s[at] != '\\') {
            at++;
            continue;
        }
        piw_put_bytes(to, s + from, at - from);
        size_t len = 1;
        if (at < valid) {
            put_json_char(to, code_point(s + at, &len));
        } else {
            piw_put(to, "\\ufffd");
            valid = at + 1 + piw_utf8_valid(text.s + at + 1, text.len - at - 1);
        }
        at += len;
        from = at;
    }
    piw_put_bytes(to, s + from, at - from);
    piw_put(to, "\"");
}

void piw_put_url(piw_buffer *to, piw_text text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (uint32_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.s[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c != 0 && strchr("-._~!+", c) != NULL);
        if (plain) {
            piw_put_bytes(to, &c, 1);
        } else {
            char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
            piw_put_bytes(to, escaped, sizeof(escaped));
        }
    }
}

const char *piw_duration_print(piw_duration d, char *to, size_t size)
{
    int64_t us = piw_duration_us(d);
    if (us < 0)
        us = 0;
    int64_t seconds = us / 1000000;
    if (seconds < 60)
        snprintf(to, size, "%lld.%ds", (long long)seconds, (int)(us % 1000000 / 100000));
    else if (seconds < 3600)
        snprintf(to, size, "%lldm %llds", (long long)(seconds / 60), (long long)(seconds % 60));
    else
        snprintf(to, size, "%lldh %lldm %llds", (long long)(seconds / 3600), (long long)(seconds / 60 % 60),
                 (long long)(seconds % 60));
    return to;
}

const char *piw_size_print(int64_t bytes, char *to, size_t size)
{
    static const char *const units[] = {"KB", "MB", "GB", "TB"};
    if (bytes < 1000) {
        snprintf(to, size, "%lld bytes", (long long)(bytes < 0 ? 0 : bytes));
        return to;
    }
    double value = (double)bytes / 1000;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < PIW_COUNT(units)) {
        value /= 1000;
        unit++;
    }
    snprintf(to, size, value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return to;
}

const char *piw_time_print(piw_time t, char *to, size_t size)
{
    /* Rounded down also before 1970. */
    int64_t seconds = t.us / 1000000 - (t.us % 1000000 < 0);
    time_t moment = (time_t)seconds;
    struct tm utc;
    if (gmtime_r(&moment, &utc) == NULL || strftime(to, size, "%Y-%m-%d %H:%M:%S", &utc) == 0)
        snprintf(to, size, "%s", "");
    return to;
}
