/* msgpack.c — MessagePack, for our own programs: a streaming reader of our own, msgpack-c's packer to write. */
#include "type/wire.h"

#include <msgpack/pack.h>

enum { EXT_TIME = 1, EXT_DURATION = 2, EXT_NODATA = 3, TIME_BYTES = 10, DURATION_BYTES = 12 };

static uint64_t big_endian(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

/* --- Reading --- */

static int short_input(piw__reader *reader)
{
    return piw_err_set(reader->err, PIW_ESHAPE, "the message ends in the middle of a value");
}

/* The number of `bytes` bytes behind the head; the reader then stands behind it. */
static int operand(piw__reader *reader, size_t bytes, uint64_t *value)
{
    if ((size_t)(reader->end - reader->at) < bytes)
        return short_input(reader);
    *value = big_endian(reader->at, bytes);
    reader->at += bytes;
    return 0;
}

static int payload(piw__reader *reader, piw__token *token, piw__token_kind kind, uint64_t len)
{
    if ((uint64_t)(reader->end - reader->at) < len)
        return short_input(reader);
    token->kind = kind;
    token->data = reader->at;
    token->len = (size_t)len;
    reader->at += len;
    return 0;
}

static int sized_payload(piw__reader *reader, piw__token *token, piw__token_kind kind, size_t bytes)
{
    uint64_t len = 0;
    int r = operand(reader, bytes, &len);
    return r == 0 ? payload(reader, token, kind, len) : r;
}

static int extension(piw__reader *reader, piw__token *token, uint64_t len)
{
    if (reader->at == reader->end)
        return short_input(reader);
    token->integer = (int8_t)*reader->at++;
    return payload(reader, token, PIW__EXTENSION, len);
}

static int sized_extension(piw__reader *reader, piw__token *token, size_t bytes)
{
    uint64_t len = 0;
    int r = operand(reader, bytes, &len);
    return r == 0 ? extension(reader, token, len) : r;
}

static int container(piw__reader *reader, piw__token *token, piw__token_kind kind, size_t bytes)
{
    token->kind = kind;
    return operand(reader, bytes, &token->count);
}

static int number(piw__reader *reader, piw__token *token, size_t bytes, bool is_signed)
{
    uint64_t value = 0;
    int rc = operand(reader, bytes, &value);
    if (rc != 0)
        return rc;
    token->kind = PIW__INT;
    if (is_signed && bytes < 8 && (value >> (bytes * 8 - 1)) != 0)
        value |= UINT64_MAX << (bytes * 8);
    if (!is_signed && value > INT64_MAX)
        return piw_err_set(reader->err, PIW_ESHAPE, "an integer is beyond 64 bits signed");
    token->integer = (int64_t)value;
    return 0;
}

static int real(piw__reader *reader, piw__token *token, size_t bytes)
{
    uint64_t bits = 0;
    int rc = operand(reader, bytes, &bits);
    if (rc != 0)
        return rc;
    token->kind = PIW__FLOAT;
    if (bytes == sizeof(float)) {
        uint32_t bits32 = (uint32_t)bits;
        float value;
        memcpy(&value, &bits32, sizeof(value));
        token->number = (double)value;
    } else {
        memcpy(&token->number, &bits, sizeof(token->number));
    }
    return 0;
}

static int next(piw__reader *reader, piw__token *token)
{
    if (reader->at == reader->end)
        return short_input(reader);
    uint8_t head = *reader->at++;
    token->open = false;
    if (head < 0x80 || head >= 0xe0) {
        token->kind = PIW__INT;
        token->integer = (int8_t)head;
        return 0;
    }
    if (head < 0xa0) {
        token->kind = head < 0x90 ? PIW__DICT : PIW__ARRAY;
        token->count = head & 0x0f;
        return 0;
    }
    if (head < 0xc0)
        return payload(reader, token, PIW__STRING, head & 0x1f);
    switch (head) {
    case 0xc0:
        token->kind = PIW__NULL;
        return 0;
    case 0xc2:
    case 0xc3:
        token->kind = PIW__BOOL;
        token->truth = head == 0xc3;
        return 0;
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return sized_payload(reader, token, PIW__BINARY, (size_t)1 << (head - 0xc4));
    case 0xc7:
    case 0xc8:
    case 0xc9:
        return sized_extension(reader, token, (size_t)1 << (head - 0xc7));
    case 0xca:
    case 0xcb:
        return real(reader, token, (size_t)4 << (head - 0xca));
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return number(reader, token, (size_t)1 << (head - 0xcc), false);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return number(reader, token, (size_t)1 << (head - 0xd0), true);
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        return extension(reader, token, (uint64_t)1 << (head - 0xd4));
    case 0xd9:
    case 0xda:
    case 0xdb:
        return sized_payload(reader, token, PIW__STRING, (size_t)1 << (head - 0xd9));
    case 0xdc:
    case 0xdd:
        return container(reader, token, PIW__ARRAY, (size_t)2 << (head - 0xdc));
    case 0xde:
    case 0xdf:
        return container(reader, token, PIW__DICT, (size_t)2 << (head - 0xde));
    default:
        return piw_err_set(reader->err, PIW_ESHAPE, "byte 0x%02x begins no value", head);
    }
}

static int read_time(piw__reader *reader, const piw__token *first, piw_time *t)
{
    if (first->kind != PIW__EXTENSION || first->integer != EXT_TIME || first->len != TIME_BYTES)
        return piw_err_set(reader->err, PIW_ESHAPE, "a time is wanted");
    t->us = (int64_t)big_endian(first->data, 8);
    t->zone_min = (int16_t)big_endian(first->data + 8, 2);
    if (!piw__time_valid(*t))
        return piw_err_set(reader->err, PIW_ESHAPE, "a time is outside of the years 1 to 9999");
    return 0;
}

static int read_duration(piw__reader *reader, const piw__token *first, piw_duration *d)
{
    if (first->kind != PIW__EXTENSION || first->integer != EXT_DURATION || first->len != DURATION_BYTES)
        return piw_err_set(reader->err, PIW_ESHAPE, "a duration is wanted");
    if (!piw__duration_normal((int32_t)big_endian(first->data, 4), (int32_t)big_endian(first->data + 4, 4),
                              (int32_t)big_endian(first->data + 8, 4), d))
        return piw_err_set(reader->err, PIW_ESHAPE, "a duration is out of range");
    return 0;
}

static bool read_nodata(piw__reader *reader, const piw__token *first)
{
    (void)reader; /* the token is the whole mark */
    return first->kind == PIW__EXTENSION && first->integer == EXT_NODATA && first->len == 0;
}

/* --- Writing --- */

static int add(void *to, const char *data, size_t len)
{
    return piw_buffer_add(to, data, len) == 0 ? 0 : -1;
}

static msgpack_packer packer(piw_buffer *to)
{
    msgpack_packer made;
    msgpack_packer_init(&made, to, add);
    return made;
}

static int done(int r)
{
    return r == 0 ? 0 : PIW_ENOMEM;
}

static int put_int(piw_buffer *to, int64_t value)
{
    msgpack_packer pk = packer(to);
    return done(value >= 0 ? msgpack_pack_uint64(&pk, (uint64_t)value) : msgpack_pack_int64(&pk, value));
}

static int put_float(piw_buffer *to, double value)
{
    msgpack_packer pk = packer(to);
    return done(msgpack_pack_double(&pk, value));
}

static int put_bool(piw_buffer *to, bool value)
{
    msgpack_packer pk = packer(to);
    return done(value ? msgpack_pack_true(&pk) : msgpack_pack_false(&pk));
}

static int put_null(piw_buffer *to)
{
    msgpack_packer pk = packer(to);
    return done(msgpack_pack_nil(&pk));
}

static int put_extension(piw_buffer *to, int8_t type, const uint8_t *data, size_t len)
{
    msgpack_packer pk = packer(to);
    int r = done(msgpack_pack_ext(&pk, len, type));
    return r == 0 && len > 0 ? piw_buffer_add(to, data, len) : r;
}

static void store(uint8_t *at, uint64_t value, size_t bytes)
{
    for (size_t i = bytes; i-- > 0; value >>= 8)
        at[i] = (uint8_t)value;
}

static int put_time(piw_buffer *to, piw_time value)
{
    uint8_t bytes[TIME_BYTES];
    store(bytes, (uint64_t)value.us, 8);
    store(bytes + 8, (uint16_t)value.zone_min, 2);
    return put_extension(to, EXT_TIME, bytes, sizeof(bytes));
}

static int put_duration(piw_buffer *to, piw_duration value)
{
    uint8_t bytes[DURATION_BYTES];
    store(bytes, (uint32_t)value.days, 4);
    store(bytes + 4, (uint32_t)value.seconds, 4);
    store(bytes + 8, (uint32_t)value.micros, 4);
    return put_extension(to, EXT_DURATION, bytes, sizeof(bytes));
}

static int put_nodata(piw_buffer *to)
{
    return put_extension(to, EXT_NODATA, NULL, 0);
}

static int put_string(piw_buffer *to, size_t len)
{
    msgpack_packer pk = packer(to);
    return done(msgpack_pack_str(&pk, len));
}

static int put_binary(piw_buffer *to, size_t len)
{
    msgpack_packer pk = packer(to);
    return done(msgpack_pack_bin(&pk, len));
}

static int put_array(piw_buffer *to, size_t count)
{
    msgpack_packer pk = packer(to);
    return done(msgpack_pack_array(&pk, count));
}

static int put_dict(piw_buffer *to, size_t count)
{
    msgpack_packer pk = packer(to);
    return done(msgpack_pack_map(&pk, count));
}

const piw__wire piw__msgpack = {
    .codec = PIW_MSGPACK,
    .next = next,
    .time = read_time,
    .duration = read_duration,
    .nodata = read_nodata,
    .put_int = put_int,
    .put_float = put_float,
    .put_bool = put_bool,
    .put_null = put_null,
    .put_nodata = put_nodata,
    .put_time = put_time,
    .put_duration = put_duration,
    .put_string = put_string,
    .put_binary = put_binary,
    .put_array = put_array,
    .put_dict = put_dict,
};
