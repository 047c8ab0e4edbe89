/* params.c — parameters of one SQL statement, in PostgreSQL's text form; long arrays in its binary form. */
#include "params.h"

#include "shared/text.h"

#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a packed array: dimensions, whether any element is NULL, the elements' type, how many there are, the first one's number. */
enum { PACKED_HEAD = 5 };

static const int64_t YEAR_2000_US = INT64_C(946684800000000);

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

static void put_32(piw_buffer *to, int32_t value)
{
    uint32_t big = htobe32((uint32_t)value);
    piw_put_bytes(to, &big, sizeof(big));
}

static void put_64(piw_buffer *to, int64_t value)
{
    uint64_t big = htobe64((uint64_t)value);
    put_32(to, sizeof(big));
    piw_put_bytes(to, &big, sizeof(big));
}

/* The head, now that it is known how many elements there are. */
static void close_packed(params *p, int i)
{
    const uint32_t head[PACKED_HEAD] = {htobe32(p->elements[i] > 0), htobe32(p->null[i]),
                                        htobe32((uint32_t)p->packed[i]), htobe32((uint32_t)p->elements[i]), htobe32(1)};
    memcpy(p->bytes[i].data, head, sizeof(head));
    p->null[i] = false;
}

void params_values(params *p, params_sent *sent)
{
    for (int i = 0; i < p->count; i++) {
        bool empty = p->packed[i] != 0 && p->elements[i] == 0;
        if (p->packed[i] != 0)
            close_packed(p, i);
        else if (p->array[i])
            piw_put(&p->bytes[i], p->bytes[i].len == 0 ? "{}" : "}");
        sent->formats[i] = p->packed[i] != 0;
        /* Without elements the head ends before their number. */
        sent->lengths[i] = empty ? 3 * (int)sizeof(uint32_t) : (int)p->bytes[i].len;
        piw_put_bytes(&p->bytes[i], "", 1);
        sent->values[i] = p->null[i] ? NULL : (const char *)p->bytes[i].data;
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

int params_packed(params *p, params_type type)
{
    int at = new_param(p, true);
    p->packed[at] = type;
    const uint32_t head[PACKED_HEAD] = {0};
    piw_put_bytes(&p->bytes[at], head, sizeof(head));
    return at;
}

static piw_buffer *next_packed(params *p, int array, params_type type)
{
    assert(p->packed[array] == type);
    (void)type;
    p->elements[array]++;
    return &p->bytes[array];
}

static piw_buffer *next_element(params *p, int array)
{
    assert(array < p->count && p->array[array] && p->packed[array] == 0);
    piw_put(&p->bytes[array], p->bytes[array].len == 0 ? "{" : ",");
    return &p->bytes[array];
}

static void add_packed_text(params *p, int array, piw_text text)
{
    piw_buffer *to = next_packed(p, array, PACKED_TEXT);
    if (text.s == NULL) {
        p->null[array] = true;
        put_32(to, -1);
        return;
    }
    char small[1024];
    size_t len;
    char *clean = clean_text(text, small, sizeof(small), &len);
    put_32(to, (int32_t)len);
    piw_put_bytes(to, clean, len);
    if (clean != small)
        free(clean);
}

void params_add_text(params *p, int array, piw_text text)
{
    if (p->packed[array] != 0) {
        add_packed_text(p, array, text);
        return;
    }
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
    if (p->packed[array] != 0)
        put_64(next_packed(p, array, PACKED_BIGINT), value);
    else
        piw_putf(next_element(p, array), "%lld", (long long)value);
}

void params_add_bool(params *p, int array, bool value)
{
    piw_put(next_element(p, array), value ? "t" : "f");
}

void params_add_time(params *p, int array, piw_time time)
{
    if (p->packed[array] != 0)
        put_64(next_packed(p, array, PACKED_TIMESTAMP), time.us - YEAR_2000_US);
    else
        put_time(next_element(p, array), time);
}
