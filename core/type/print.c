/* print.c — a message as one line for people: WORD(field=value, …), bounded, nothing in it that disturbs a terminal. */
#include "type/wire.h"

#include "type/message.h"

#include <stdio.h>

enum {
    TEXT_SHOWN = 60,    /* bytes of a text; more ends in … */
    ELEMENTS_SHOWN = 3, /* of a list or map */
};

typedef struct line {
    char *to;
    size_t size, len; /* len: what there would be without the bound */
} line;

static void add(line *l, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++, l->len++)
        if (l->len + 1 < l->size)
            l->to[l->len] = text[i];
}

static void adds(line *l, const char *text)
{
    add(l, text, strlen(text));
}

static bool full(const line *l)
{
    return l->len + 1 >= l->size;
}

PIW_PRINTF(2, 3) static void addf(line *l, const char *fmt, ...)
{
    char text[128];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    adds(l, text);
}

static void quoted(line *l, const char *s, size_t len)
{
    size_t shown = len > TEXT_SHOWN ? TEXT_SHOWN : len;
    shown = piw_utf8_valid(s, shown); /* a character cut at the end isn't shown; nor is what follows a broken one */
    adds(l, "'");
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)s[i];
        bool c1 = c == 0xc2 && i + 1 < shown && (unsigned char)s[i + 1] < 0xa0;
        if (c < ' ' || c == 0x7f || c1)
            addf(l, "\\x%02x", c1 ? (unsigned char)s[++i] : c);
        else
            add(l, s + i, 1);
    }
    adds(l, shown < len ? "…'" : "'");
}

static void value(line *l, const piw_type *type, uint32_t flags, const void *at);

static void members(line *l, const piw_type *type, const uint8_t *base)
{
    adds(l, "(");
    for (uint32_t i = 0; i < type->fields_count && !full(l); i++) {
        const piw_field *field = &type->fields[i];
        addf(l, "%s%s=", i > 0 ? ", " : "", field->name);
        value(l, field->type, field->flags, base + field->offset);
    }
    adds(l, ")");
}

static void elements(line *l, const piw_type *type, const piw__list *list)
{
    bool map = type->kind == PIW_MAP;
    uint32_t size = map ? piw__entry(type) : piw__slot(&type->fields[0]);
    adds(l, map ? "{" : "[");
    for (uint32_t i = 0; i < list->count && i < ELEMENTS_SHOWN && !full(l); i++) {
        const uint8_t *at = (const uint8_t *)list->at + (size_t)i * size;
        adds(l, i > 0 ? ", " : "");
        value(l, type->fields[0].type, type->fields[0].flags, at);
        if (map) {
            adds(l, ": ");
            value(l, type->fields[1].type, type->fields[1].flags, at + type->fields[1].offset);
        }
    }
    if (list->count > ELEMENTS_SHOWN)
        addf(l, ", … %u in all", list->count);
    adds(l, map ? "}" : "]");
}

static void any(line *l, const piw_any *a)
{
    if (a->nodata)
        adds(l, "no data");
    else if (a->type != NULL && a->value != NULL)
        value(l, a->type, 0, a->value);
    else if (a->raw.len > 0)
        addf(l, "<%u bytes of %s>", a->raw.len, piw_codec_name((piw_codec)a->codec));
    else
        adds(l, "null");
}

static void blob(line *l, uint32_t flags, const piw_blob *b)
{
    char start[TEXT_SHOWN];
    size_t len = piw_blob_size(b);
    if ((flags & PIW_F_LOSSY) == 0 || len > TEXT_SHOWN)
        addf(l, "<%zu bytes>", len);
    else
        quoted(l, start, piw_blob_read(b, 0, start, sizeof(start)));
}

static void duration(line *l, piw_duration d)
{
    int64_t us = piw_duration_us(d);
    addf(l, "%s%lld.%06llds", us < 0 ? "-" : "", (long long)(us < 0 ? -(us / 1000000) : us / 1000000),
         (long long)(us < 0 ? -(us % 1000000) : us % 1000000));
}

static void value(line *l, const piw_type *type, uint32_t flags, const void *at)
{
    char text[64];
    if (full(l))
        return;
    if (piw__is_null(type, flags, at)) {
        adds(l, "null");
        return;
    }
    if (piw__by_pointer(type, flags))
        at = *(const void *const *)at;
    switch (type->kind) {
    case PIW_INT:
        addf(l, "%lld", (long long)*(const int64_t *)at);
        break;
    case PIW_FLOAT:
        addf(l, "%g", *(const double *)at);
        break;
    case PIW_BOOL:
        adds(l, *(const bool *)at ? "true" : "false");
        break;
    case PIW_TEXT:
        quoted(l, ((const piw_text *)at)->s, ((const piw_text *)at)->len);
        break;
    case PIW_BYTES:
        addf(l, "<%u bytes>", ((const piw_bytes *)at)->len);
        break;
    case PIW_BLOB:
        blob(l, flags, *(piw_blob *const *)at);
        break;
    case PIW_TIME:
        piw_time_format(*(const piw_time *)at, text, sizeof(text));
        adds(l, text[0] != '\0' ? text : "<bad time>");
        break;
    case PIW_DURATION:
        duration(l, *(const piw_duration *)at);
        break;
    case PIW_ANY:
        any(l, at);
        break;
    case PIW_REQUEST:
        addf(l, "request %llu", (unsigned long long)((const piw_token *)at)->id);
        break;
    case PIW_LIST:
    case PIW_MAP:
        elements(l, type, at);
        break;
    case PIW_TUPLE:
        members(l, type, at);
        break;
    case PIW_ONEOF:
        if (piw__check_one(type, flags, at, NULL) == 0) {
            const piw_field *alternative = &type->fields[*(const int *)at];
            adds(l, alternative->name);
            members(l, alternative->type, (const uint8_t *)at + alternative->offset);
        }
        break;
    }
}

size_t piw_msg_print(const piw_msg *msg, char *to, size_t size)
{
    line l = {to, size, 0};
    if (size == 0)
        return 0;
    adds(&l, msg->type->name);
    int code = piw__msg_rest_of(msg)->error;
    if (code != 0)
        addf(&l, "(error %s: ", piw_err_name(code)), adds(&l, piw_msg_error_text(msg)), adds(&l, ")");
    else if ((msg->type->flags & PIW_M_NODATA) == 0)
        value(&l, msg->type->body, 0, piw__msg_body(msg));
    size_t len = l.len < size ? l.len : size - 1;
    /* Not in the middle of a character. */
    while (len > 0 && l.len > len && (to[len - 1] & 0xc0) == 0x80)
        len--;
    if (len > 0 && l.len > len && ((unsigned char)to[len - 1] & 0x80) != 0)
        len--;
    to[len] = '\0';
    return len;
}
