/* params.c — parameters of one SQL statement, in PostgreSQL's text form. */
#include "params.h"

#include "shared/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

void params_fini(params *p)
{
    for (int i = 0; i < p->count; i++)
        piw_buffer_fini(&p->bytes[i]);
    *p = (params){0};
}

static int new_param(params *p, bool array)
{
    assert(p->count < PARAMS_MAX);
    p->array[p->count] = array;
    return p->count++;
}

void params_values(params *p, const char *values[PARAMS_MAX])
{
    for (int i = 0; i < p->count; i++) {
        if (p->array[i])
            piw_put(&p->bytes[i], p->bytes[i].len == 0 ? "{}" : "}");
        piw_put_bytes(&p->bytes[i], "", 1);
        values[i] = p->null[i] ? NULL : (const char *)p->bytes[i].data;
    }
}

/* The text made storable: in `small` when it fits there, else in memory to be freed by the caller. */
static char *clean_text(piw_text text, char *small, size_t room, size_t *len)
{
    char *clean = (size_t)text.len * 3 <= room ? small : piw_alloc((size_t)text.len * 3);
    *len = piw_bytes_clean(text.s, text.len, clean);
    return clean;
}

static void put_clean(piw_buffer *to, piw_text text)
{
    char small[1024];
    size_t len;
    char *clean = clean_text(text, small, sizeof(small), &len);
    piw_put_bytes(to, clean, len);
    if (clean != small)
        free(clean);
}

void params_text(params *p, piw_text text)
{
    int at = new_param(p, false);
    p->null[at] = text.s == NULL;
    if (text.s != NULL)
        put_clean(&p->bytes[at], text);
}

void params_blob_end(params *p, const piw_blob *blob, size_t max)
{
    size_t size = piw_blob_size(blob), from = size > max ? size - max : 0;
    char *bytes = piw_alloc(size - from + 1);
    size_t len = piw_blob_read(blob, from, bytes, size - from), skip = 0;
    while (from > 0 && skip < len && ((unsigned char)bytes[skip] & 0xc0) == 0x80)
        skip++;
    params_text(p, (piw_text){bytes + skip, (uint32_t)(len - skip)});
    free(bytes);
}

void params_int(params *p, int64_t value)
{
    piw_putf(&p->bytes[new_param(p, false)], "%lld", (long long)value);
}

void params_bool(params *p, bool value)
{
    piw_put(&p->bytes[new_param(p, false)], value ? "t" : "f");
}

static void put_time(piw_buffer *to, piw_time value)
{
    char text[64];
    piw_put_bytes(to, text, piw_time_format((piw_time){.us = value.us}, text, sizeof(text)));
}

void params_time(params *p, piw_time value)
{
    put_time(&p->bytes[new_param(p, false)], value);
}

int params_array(params *p)
{
    return new_param(p, true);
}

static piw_buffer *next_element(params *p, int array)
{
    assert(array < p->count && p->array[array]);
    piw_put(&p->bytes[array], p->bytes[array].len == 0 ? "{" : ",");
    return &p->bytes[array];
}

void params_add_text(params *p, int array, piw_text text)
{
    piw_buffer *to = next_element(p, array);
    if (text.s == NULL) {
        piw_put(to, "NULL");
        return;
    }
    char small[1024];
    size_t len, begin = 0;
    char *clean = clean_text(text, small, sizeof(small), &len);
    piw_put(to, "\"");
    for (size_t i = 0; i < len; i++) {
        if (clean[i] != '"' && clean[i] != '\\')
            continue;
        piw_put_bytes(to, clean + begin, i - begin);
        piw_put(to, "\\");
        begin = i;
    }
    piw_put_bytes(to, clean + begin, len - begin);
    piw_put(to, "\"");
    if (clean != small)
        free(clean);
}

void params_add_int(params *p, int array, int64_t value)
{
    piw_putf(next_element(p, array), "%lld", (long long)value);
}

void params_add_bool(params *p, int array, bool value)
{
    piw_put(next_element(p, array), value ? "t" : "f");
}

void params_add_time(params *p, int array, piw_time time)
{
    put_time(next_element(p, array), time);
}
