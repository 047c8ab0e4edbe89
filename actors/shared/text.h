/* text.h — text from outside made fit for storing, pages and JSON; and the making of pages in a piw_buffer.
 *
 * The put functions append to a buffer that aborts when memory runs out (pages are bounded by the database). Any
 * thread; a buffer belongs to one. */
#ifndef SHARED_TEXT_H
#define SHARED_TEXT_H

#include "piw/codec.h"

/* A copy in the arena of `msg`. Of a null text it is an empty one: for fields that can't be null. */
piw_text piw_text_copy(piw_msg *msg, piw_text text);
/* The same, but an empty or null text is a null one: for optional fields. */
piw_text piw_text_copy_some(piw_msg *msg, piw_text text);
/* The same of `count` texts; `to` has room for them. */
void piw_texts_copy(piw_msg *msg, const piw_text *from, uint32_t count, piw_text *to);
/* For storing: U+0000-0008, 000B, 000E-001F and 007F become U+FFFD. The copy lies in the arena of `msg`; a
 * text that needs no change is returned as it is. */
piw_text piw_text_clean(piw_msg *msg, piw_text text);
/* The same over raw bytes, piece by piece: `to` has room for 3 × len bytes; returns how many were written. */
size_t piw_bytes_clean(const void *from, size_t len, void *to);
/* At most `chars` characters; what is longer loses its end to an ellipsis (U+2026, one character). Valid UTF-8. */
piw_text piw_text_cut(piw_msg *msg, piw_text text, uint32_t chars);
/* Does the text hold a control character (U+0000-001F, 007F)? */
bool piw_text_has_control(piw_text text);
/* Is it a port's number, 0 to 65535? The C library takes larger ones, of which it keeps 16 bits. */
bool piw_is_port(const char *text);

void piw_put(piw_buffer *to, const char *text);
void piw_put_bytes(piw_buffer *to, const void *data, size_t len);
void piw_put_text(piw_buffer *to, piw_text text);
void piw_putf(piw_buffer *to, const char *fmt, ...) PIW_PRINTF(2, 3);
/* Escaped for HTML text and quoted attributes alike: & < > " ' and control characters; what turns the direction of text, or breaks
 * lines unseen, is named instead: [U+202E]. */
void piw_put_html(piw_buffer *to, piw_text text);
/* A JSON string with its quotes, in ASCII (\uXXXX for the rest; bad UTF-8 becomes \ufffd). A null text gives null. */
void piw_put_json(piw_buffer *to, piw_text text);
/* Percent-encoded for one path component of a URL. */
void piw_put_url(piw_buffer *to, piw_text text);

/* "1h 2m 3s", "4.2s": for people. Returns `to`. */
const char *piw_duration_print(piw_duration d, char *to, size_t size);
/* "26 KB", "1.2 MB": decimal units, for people. Returns `to`. */
const char *piw_size_print(int64_t bytes, char *to, size_t size);
/* "2026-11-21 06:14:03" in UTC, 20 bytes do. Returns `to`. */
const char *piw_time_print(piw_time t, char *to, size_t size);

#endif
