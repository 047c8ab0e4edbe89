/* utf8.c — is it UTF-8, how many characters, and mending what isn't. */
#include "base/utf8.h"

#include "piw/codec.h"

/* Length of the well-formed sequence at s (1 to 4), or 0: overlong forms, surrogates and beyond U+10FFFF are not. */
static size_t sequence(const uint8_t *s, size_t left)
{
    uint8_t c = s[0];
    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (left < n)
        return 0;
    uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    uint8_t high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

size_t piw_utf8_valid(const char *text, size_t len)
{
    const uint8_t *s = (const uint8_t *)text;
    size_t at = 0;
    while (at < len) {
        uint64_t word;
        while (len - at >= sizeof(word)) {
            memcpy(&word, s + at, sizeof(word));
            if ((word & 0x8080808080808080u) != 0)
                break;
            at += sizeof(word);
        }
        if (at == len)
            break;
        size_t n = sequence(s + at, len - at);
        if (n == 0)
            break;
        at += n;
    }
    return at;
}

size_t piw_utf8_chars(const char *text, size_t len)
{
    const uint8_t *s = (const uint8_t *)text;
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += (s[i] & 0xc0) != 0x80;
    return count;
}

/* How many bytes one U+FFFD stands for: an encoded surrogate whole, else the longest start of a sequence. */
static size_t broken(const uint8_t *s, size_t left)
{
    uint8_t c = s[0];
    if (c == 0xed && left >= 3 && s[1] >= 0xa0 && s[1] <= 0xbf && (s[2] & 0xc0) == 0x80)
        return 3;
    if (c < 0xc2 || c > 0xf4)
        return 1;
    size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    uint8_t high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    size_t at = 1;
    if (left < 2 || s[1] < low || s[1] > high)
        return 1;
    while (++at < n && at < left && (s[at] & 0xc0) == 0x80)
        ;
    return at;
}

size_t piw__utf8_repair(const char *text, size_t len, char *to)
{
    const uint8_t *s = (const uint8_t *)text;
    size_t made = 0;
    for (size_t at = 0; at < len;) {
        size_t good = piw_utf8_valid(text + at, len - at);
        if (to != NULL && good > 0)
            memcpy(to + made, text + at, good);
        made += good;
        at += good;
        if (at == len)
            break;
        if (to != NULL)
            memcpy(to + made, "\xef\xbf\xbd", 3);
        made += 3;
        at += broken(s + at, len - at);
    }
    return made;
}
