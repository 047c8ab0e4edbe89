/* values.h — for tests of the codecs: plausible random values of any type, and whether two values are equal. */
#ifndef UNIT_VALUES_H
#define UNIT_VALUES_H

#include "piw/codec.h"
#include "protocols.h"
#include "type/wire.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct dice {
    uint64_t state;
    bool optional; /* make optional fields, which only MessagePack carries */
} dice;

/* splitmix64: small, and the same on every machine. */
static inline uint64_t roll(dice *d)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline uint64_t below(dice *d, uint64_t n)
{
    return n > 0 ? roll(d) % n : 0;
}

/* The seed of a test: PIW_SEED, or 1. Printed, so that a failure can be repeated. */
static inline dice seeded(const char *test)
{
    const char *seed = getenv("PIW_SEED");
    uint64_t value = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    printf("# %s: PIW_SEED=%llu\n", test, (unsigned long long)value);
    return (dice){.state = value};
}

static inline const piw_protocol *use_all(const piw_protocol *protocols[], size_t *count, size_t max)
{
    *count = 0;
#define USE(def)                                                                                                       \
    if (*count < max)                                                                                                  \
        protocols[(*count)++] = piw_protocol_use(&def);
    PIW_PROTOCOLS(USE)
#undef USE
    return protocols[0];
}

static inline const piw_protocol *protocol_named(const char *name)
{
    const piw_protocol *protocols[256];
    size_t count;
    use_all(protocols, &count, 256);
    for (size_t i = 0; i < count; i++)
        if (strcmp(protocols[i]->name, name) == 0)
            return protocols[i];
    return NULL;
}

/* --- Making --- */

static inline size_t random_text(dice *d, char *to, size_t chars)
{
    static const char *const letters[] = {"a", "Z", "7", "-", "é", "水", "🐍", "\n", "\x7f", "\x01"};
    size_t len = 0, count = below(d, chars + 1);
    for (size_t i = 0; i < count; i++) {
        const char *letter = letters[below(d, PIW_COUNT(letters))];
        memcpy(to + len, letter, strlen(letter));
        len += strlen(letter);
    }
    return len;
}

static inline int64_t random_int(dice *d)
{
    static const int64_t edges[] = {0,         1,         23,        24,         127,       128,    255,
                                    256,       -1,        -24,       -25,        -32,       -33,    -128,
                                    -129,      -256,      -257,      65535,      65536,     -65536, INT32_MAX,
                                    INT32_MIN, INT64_MAX, INT64_MIN, 4294967295, 4294967296};
    switch (below(d, 3)) {
    case 0:
        return edges[below(d, PIW_COUNT(edges))];
    case 1:
        return (int64_t)roll(d);
    default:
        return (int64_t)below(d, 100000);
    }
}

static inline double random_float(dice *d)
{
    static const double edges[] = {0.0, -0.0, 1.5, 0.1, 1e300, -1e-300, INFINITY, -INFINITY, NAN, 48.85, 65504.0};
    return below(d, 2) == 0 ? edges[below(d, PIW_COUNT(edges))] : (double)random_int(d) / 1000.0;
}

static inline piw_time random_time(dice *d)
{
    piw_time t = {.us = (int64_t)below(d, 2000000000) * 1000000};
    if (below(d, 2) == 0)
        t.us += (int64_t)below(d, 1000000);
    if (below(d, 4) == 0)
        t.zone_min = (int16_t)((int)below(d, 2879) - 1439);
    if (below(d, 10) == 0)
        t.us = (int64_t)below(d, 315537897600) * 1000000 - 62135596800000000;
    if (!piw_time_format(t, (char[64]){0}, 64))
        t.zone_min = 0;
    return t;
}

static inline piw_duration random_duration(dice *d)
{
    return (piw_duration){(int32_t)below(d, 2000000000) - 1000000000 + 1, (int32_t)below(d, 86400),
                          (int32_t)below(d, 1000000)};
}

static inline void random_member(dice *d, piw_msg *msg, const piw_field *field, uint8_t *base);

static inline void random_elements(dice *d, piw_msg *msg, const piw_type *type, piw__list *to)
{
    uint32_t most = type->max < 4 ? type->max : 4;
    bool map = type->kind == PIW_MAP;
    uint32_t size = map ? piw__entry(type) : piw__slot(&type->fields[0]);
    to->count = (uint32_t)below(d, most + 1);
    to->at = piw_msg_alloc(msg, (size_t)size * to->count + 1);
    for (uint32_t i = 0; i < to->count; i++) {
        uint8_t *at = (uint8_t *)to->at + (size_t)size * i;
        for (uint32_t j = 0; j < type->fields_count; j++)
            random_member(d, msg, &type->fields[j], at);
        if (map && type->fields[0].type->kind == PIW_TEXT) /* no key twice */
            *(piw_text *)(void *)at = piw_msg_printf(msg, "key%u", i);
        else if (map)
            *(int64_t *)(void *)at = i;
    }
}

static inline void random_blob(dice *d, piw_msg *msg, const piw_type *type, piw_blob **to)
{
    char *text = malloc(40000);
    size_t len = below(d, 8) == 0 ? random_text(d, text, 9000) : random_text(d, text, 30);
    if (len > type->max)
        len = 0;
    piw_blob *blob = piw_blob_new(text, len);
    *to = piw_msg_blob(msg, blob);
    piw_blob_unref(&blob);
    free(text);
}

static inline void random_value(dice *d, piw_msg *msg, const piw_type *type, void *to)
{
    char text[200];
    switch (type->kind) {
    case PIW_INT:
    case PIW_REQUEST:
        *(int64_t *)to = random_int(d);
        break;
    case PIW_FLOAT:
        *(double *)to = random_float(d);
        break;
    case PIW_BOOL:
        *(bool *)to = below(d, 2) == 0;
        break;
    case PIW_TEXT:
        *(piw_text *)to = piw_msg_text(msg, text, random_text(d, text, type->max < 40 ? type->max : 40));
        break;
    case PIW_BYTES:
        *(piw_bytes *)to = piw_msg_bytes(msg, text, random_text(d, text, type->max < 160 ? type->max / 4 : 40));
        break;
    case PIW_BLOB:
        random_blob(d, msg, type, to);
        break;
    case PIW_TIME:
        *(piw_time *)to = random_time(d);
        break;
    case PIW_DURATION:
        *(piw_duration *)to = random_duration(d);
        break;
    case PIW_ANY: {
        static const piw_type number = {.kind = PIW_FLOAT, .size = sizeof(double)};
        piw_any *any = to;
        any->nodata = below(d, 3) == 0;
        if (!any->nodata && below(d, 2) == 0) {
            any->type = &number;
            any->value = piw_msg_alloc(msg, sizeof(double));
        }
        break;
    }
    case PIW_LIST:
    case PIW_MAP:
        random_elements(d, msg, type, to);
        break;
    case PIW_TUPLE:
        for (uint32_t i = 0; i < type->fields_count; i++)
            random_member(d, msg, &type->fields[i], to);
        break;
    case PIW_ONEOF: {
        uint32_t which = (uint32_t)below(d, type->fields_count);
        *(int *)to = (int)which;
        random_value(d, msg, type->fields[which].type, (uint8_t *)to + type->fields[which].offset);
        break;
    }
    }
}

static inline void random_member(dice *d, piw_msg *msg, const piw_field *field, uint8_t *base)
{
    void *to = base + field->offset;
    if ((field->flags & PIW_F_OPTIONAL) != 0 && !d->optional)
        return;
    if ((field->flags & (PIW_F_NULL | PIW_F_OPTIONAL)) != 0 && below(d, 3) == 0)
        return;
    if (piw__by_pointer(field->type, field->flags)) {
        void *value = piw_msg_alloc(msg, field->type->size);
        *(void **)to = value;
        to = value;
    }
    random_value(d, msg, field->type, to);
}

/* --- Comparing --- */

static inline bool equal(const piw_type *type, uint32_t flags, const void *a, const void *b);

static inline bool equal_members(const piw_type *type, const uint8_t *a, const uint8_t *b)
{
    for (uint32_t i = 0; i < type->fields_count; i++) {
        const piw_field *f = &type->fields[i];
        if (!equal(f->type, f->flags, a + f->offset, b + f->offset))
            return false;
    }
    return true;
}

static inline bool equal_elements(const piw_type *type, const piw__list *a, const piw__list *b)
{
    uint32_t size = type->kind == PIW_MAP ? piw__entry(type) : piw__slot(&type->fields[0]);
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!equal_members(type, (const uint8_t *)a->at + (size_t)i * size, (const uint8_t *)b->at + (size_t)i * size))
            return false;
    return true;
}

static inline bool equal_blobs(const piw_blob *a, const piw_blob *b)
{
    size_t len = piw_blob_size(a);
    if (len != piw_blob_size(b))
        return false;
    uint8_t *x = malloc(2 * len + 1);
    piw_blob_read(a, 0, x, len);
    piw_blob_read(b, 0, x + len, len);
    bool same = memcmp(x, x + len, len) == 0;
    free(x);
    return same;
}

/* One of them may be raw. */
static inline bool equal_anys(const piw_any *a, const piw_any *b)
{
    const piw_any *typed = a->type != NULL ? a : b, *other = typed == a ? b : a;
    if (a->nodata != b->nodata)
        return false;
    if (typed->type == NULL)
        return a->raw.len == b->raw.len && (a->raw.len == 0 || memcmp(a->raw.data, b->raw.data, a->raw.len) == 0);
    piw_buffer x = {0}, y = {0};
    piw_codec codec = other->type == NULL ? (piw_codec)other->codec : PIW_CBOR;
    bool same = piw_encode_value(typed->type, 0, typed->value, codec, &x, NULL) == 0;
    if (other->type == NULL)
        same = same && piw_buffer_add(&y, other->raw.data, other->raw.len) == 0;
    else
        same = same && piw_encode_value(other->type, 0, other->value, codec, &y, NULL) == 0;
    same = same && x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
    piw_buffer_fini(&x);
    piw_buffer_fini(&y);
    return same;
}

static inline bool equal(const piw_type *type, uint32_t flags, const void *a, const void *b)
{
    if (piw__by_pointer(type, flags)) {
        a = *(const void *const *)a;
        b = *(const void *const *)b;
        if (a == NULL || b == NULL)
            return a == b;
    }
    const piw_text *s = a, *t = b;
    const double *x = a, *y = b;
    switch (type->kind) {
    case PIW_FLOAT:
        return (isnan(*x) && isnan(*y)) || memcmp(x, y, sizeof(*x)) == 0;
    case PIW_TEXT:
        return piw_text_eq(*s, *t) && (t->s == NULL || t->s[t->len] == '\0');
    case PIW_BYTES: {
        const piw_bytes *p = a, *q = b;
        return p->len == q->len && (p->len == 0 || memcmp(p->data, q->data, p->len) == 0);
    }
    case PIW_BLOB:
        return equal_blobs(*(piw_blob *const *)a, *(piw_blob *const *)b);
    case PIW_TIME: {
        const piw_time *p = a, *q = b;
        return p->us == q->us && p->zone_min == q->zone_min;
    }
    case PIW_ANY:
        return equal_anys(a, b);
    case PIW_LIST:
    case PIW_MAP:
        return equal_elements(type, a, b);
    case PIW_TUPLE:
        return equal_members(type, a, b);
    case PIW_ONEOF: {
        int which = *(const int *)a;
        if (which != *(const int *)b)
            return false;
        uint32_t offset = type->fields[which].offset;
        return equal_members(type->fields[which].type, (const uint8_t *)a + offset, (const uint8_t *)b + offset);
    }
    default:
        return memcmp(a, b, type->size) == 0;
    }
}

/* --- Bytes as text --- */

static inline char *to_hex(const uint8_t *data, size_t len)
{
    char *hex = malloc(2 * len + 1);
    for (size_t i = 0; i < len; i++)
        sprintf(hex + 2 * i, "%02x", data[i]);
    hex[2 * len] = '\0';
    return hex;
}

#endif
