/* escape.c — text from outside made safe for a terminal and a log of lines. */
#include "base/escape.h"

#include <stdio.h>

/* Bytes of the valid UTF-8 sequence that begins here, 0 when there is none. */
static size_t sequence(const unsigned char *s, size_t left)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    if (n == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))) {
        return 0; /* overlong, or half of a surrogate pair */
    }
    if (n == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))) {
        return 0; /* overlong, or beyond U+10FFFF */
    }
    return n;
}

size_t piw__escape(char *to, size_t size, const char *from, size_t len)
{
    static const char cut[] = "\xe2\x80\xa6";
    const unsigned char *s = (const unsigned char *)from;
    if (size == 0)
        return 0;
    size_t used = 0, keep = 0; /* keep: how much of the output may stay when the cut mark must follow */
    for (size_t i = 0; i < len;) {
        char piece[8];
        size_t n = sequence(s + i, len - i), piece_len = n;
        if (n == 0) {
            piece_len = (size_t)snprintf(piece, sizeof(piece), "\\x%02x", s[i]);
            n = 1;
        } else if (s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
            piece_len = (size_t)snprintf(piece, sizeof(piece), "\\%c", s[i] == '\n' ? 'n' : s[i] == '\t' ? 't' : 'r');
        } else if (s[i] < 0x20 || s[i] == 0x7f) {
            piece_len = (size_t)snprintf(piece, sizeof(piece), "\\x%02x", s[i]);
        } else if (n == 2 && s[i] == 0xc2 && s[i + 1] < 0xa0) {
            piece_len = (size_t)snprintf(piece, sizeof(piece), "\\u%04x", s[i + 1]);
        } else {
            memcpy(piece, s + i, n);
        }
        if (used + piece_len >= size) {
            used = keep;
            if (keep + sizeof(cut) <= size) {
                memcpy(to + keep, cut, sizeof(cut) - 1);
                used += sizeof(cut) - 1;
            }
            break;
        }
        memcpy(to + used, piece, piece_len);
        used += piece_len;
        i += n;
        if (used + sizeof(cut) <= size)
            keep = used;
    }
    to[used] = '\0';
    return used;
}
