/* cbor.c — CBOR (RFC 8949), the stock encoding, over libcbor's stream decoder and its encoders. */
#include "type/wire.h"

#include <cbor/callbacks.h>
#include <cbor/encoding.h>
#include <cbor/streaming.h>
#include <math.h>

enum { TAG_TEXT_TIME = 0, TAG_EPOCH_TIME = 1, TAG_DURATION = 2001, TAG_NODATA = 2002, TAG_SELF = 55799 };

enum { HEAD_MAX = 9 /* bytes of the longest head */ };

/* --- Reading: one call of the stream decoder makes one callback, which fills the token --- */

typedef struct filling {
    piw__token *token;
    const char *wrong; /* what this encoding allows and ours doesn't */
} filling;

static void on_uint64(void *to, uint64_t value)
{
    filling *f = to;
    f->token->kind = PIW__INT;
    f->token->integer = (int64_t)value;
    if (value > INT64_MAX)
        f->wrong = "an integer is beyond 64 bits signed";
}

static void on_uint8(void *to, uint8_t value)
{
    on_uint64(to, value);
}

static void on_uint16(void *to, uint16_t value)
{
    on_uint64(to, value);
}

static void on_uint32(void *to, uint32_t value)
{
    on_uint64(to, value);
}

static void on_negint64(void *to, uint64_t value)
{
    on_uint64(to, value);
    filling *f = to;
    f->token->integer = -1 - f->token->integer;
}

static void on_negint8(void *to, uint8_t value)
{
    on_negint64(to, value);
}

static void on_negint16(void *to, uint16_t value)
{
    on_negint64(to, value);
}

static void on_negint32(void *to, uint32_t value)
{
    on_negint64(to, value);
}

static void string_token(void *to, piw__token_kind kind, bool open, const uint8_t *data, size_t len)
{
    piw__token *token = ((filling *)to)->token;
    token->kind = kind;
    token->open = open;
    token->data = data;
    token->len = len;
}

static void on_bytes(void *to, cbor_data data, size_t len)
{
    string_token(to, PIW__BINARY, false, data, len);
}

static void on_bytes_open(void *to)
{
    string_token(to, PIW__BINARY, true, NULL, 0);
}

static void on_string(void *to, cbor_data data, size_t len)
{
    string_token(to, PIW__STRING, false, data, len);
}

static void on_string_open(void *to)
{
    string_token(to, PIW__STRING, true, NULL, 0);
}

static void container(void *to, piw__token_kind kind, bool open, uint64_t count)
{
    piw__token *token = ((filling *)to)->token;
    token->kind = kind;
    token->open = open;
    token->count = count;
}

static void on_array(void *to, size_t count)
{
    container(to, PIW__ARRAY, false, count);
}

static void on_array_open(void *to)
{
    container(to, PIW__ARRAY, true, 0);
}

static void on_map(void *to, size_t count)
{
    container(to, PIW__DICT, false, count);
}

static void on_map_open(void *to)
{
    container(to, PIW__DICT, true, 0);
}

static void on_tag(void *to, uint64_t number)
{
    container(to, PIW__TAG, false, number);
}

static void on_double(void *to, double value)
{
    piw__token *token = ((filling *)to)->token;
    token->kind = PIW__FLOAT;
    token->number = value;
}

static void on_float(void *to, float value)
{
    on_double(to, value);
}

static void on_null(void *to)
{
    ((filling *)to)->token->kind = PIW__NULL;
}

static void on_undefined(void *to)
{
    filling *f = to;
    f->token->kind = PIW__NULL;
    f->wrong = "there is an undefined value";
}

static void on_bool(void *to, bool value)
{
    piw__token *token = ((filling *)to)->token;
    token->kind = PIW__BOOL;
    token->truth = value;
}

static void on_break(void *to)
{
    ((filling *)to)->token->kind = PIW__BREAK;
}

static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = on_uint64,
    .negint64 = on_negint64,
    .negint32 = on_negint32,
    .negint16 = on_negint16,
    .negint8 = on_negint8,
    .byte_string_start = on_bytes_open,
    .byte_string = on_bytes,
    .string = on_string,
    .string_start = on_string_open,
    .indef_array_start = on_array_open,
    .array_start = on_array,
    .indef_map_start = on_map_open,
    .map_start = on_map,
    .tag = on_tag,
    .float2 = on_float,
    .float4 = on_float,
    .float8 = on_double,
    .undefined = on_undefined,
    .null = on_null,
    .boolean = on_bool,
    .indef_break = on_break,
};

/* A text, bytes, list or map whose head declares more than the `left` bytes can hold. The library hands lengths over as
 * size_t: where that has 32 bits, it would take 2^32 + 1 for 1. */
static bool beyond(const uint8_t *at, size_t left)
{
    enum { LENGTH_OF_8 = 0x1b, BYTES = 2, MAP = 5 };
    if (left < HEAD_MAX || (*at & 0x1f) != LENGTH_OF_8 || *at >> 5 < BYTES || *at >> 5 > MAP)
        return false;
    uint64_t length = 0;
    for (size_t i = 1; i < HEAD_MAX; i++)
        length = length << 8 | at[i];
    return length > left;
}

static int next(piw__reader *reader, piw__token *token)
{
    filling f = {.token = token};
    do {
        size_t left = (size_t)(reader->end - reader->at);
        if (beyond(reader->at, left))
            return piw_err_set(reader->err, PIW_ESHAPE, "more is declared than bytes follow");
        struct cbor_decoder_result result = cbor_stream_decode(reader->at, left, &callbacks, &f);
        if (result.status == CBOR_DECODER_NEDATA || left == 0)
            return piw_err_set(reader->err, PIW_ESHAPE, "the message ends in the middle of a value");
        if (result.status != CBOR_DECODER_FINISHED || result.read == 0 || result.read > left)
            return piw_err_set(reader->err, PIW_ESHAPE, "byte 0x%02x begins no value", *reader->at);
        if (f.wrong != NULL)
            return piw_err_set(reader->err, PIW_ESHAPE, "%s", f.wrong);
        reader->at += result.read;
    } while (token->kind == PIW__TAG && token->count == TAG_SELF);
    return 0;
}

static int text_time(piw__reader *reader, piw_time *t)
{
    piw__token token;
    char text[64];
    size_t len;
    int rc = next(reader, &token);
    if (rc == 0 && token.kind != PIW__STRING)
        rc = piw_err_set(reader->err, PIW_ESHAPE, "a time with tag 0 holds no text");
    if (rc == 0)
        rc = piw__short_string(reader, &token, text, sizeof(text), &len);
    if (rc == 0 && piw_time_parse(text, len, t) != 0)
        rc = piw_err_set(reader->err, PIW_ESHAPE, "'%s' is not a time with its zone", text);
    return rc;
}

static int epoch_time(piw__reader *reader, piw_time *t)
{
    piw__token token;
    int rc = next(reader, &token);
    if (rc != 0)
        return rc;
    *t = (piw_time){0};
    if (token.kind == PIW__INT && token.integer > -1000000000000 && token.integer < 1000000000000)
        t->us = token.integer * 1000000;
    else if (token.kind == PIW__FLOAT && token.number > -1e12 && token.number < 1e12)
        t->us = llrint(token.number * 1e6);
    else
        return piw_err_set(reader->err, PIW_ESHAPE, "a time with tag 1 holds no number of seconds in range");
    if (!piw__time_valid(*t))
        return piw_err_set(reader->err, PIW_ESHAPE, "a time is outside of the years 1 to 9999");
    return 0;
}

static int read_time(piw__reader *reader, const piw__token *first, piw_time *t)
{
    if (first->kind == PIW__TAG && first->count == TAG_TEXT_TIME)
        return text_time(reader, t);
    if (first->kind == PIW__TAG && first->count == TAG_EPOCH_TIME)
        return epoch_time(reader, t);
    return piw_err_set(reader->err, PIW_ESHAPE, "a time is wanted");
}

static int read_duration(piw__reader *reader, const piw__token *first, piw_duration *d)
{
    piw__token token;
    int64_t parts[3];
    if (first->kind != PIW__TAG || first->count != TAG_DURATION)
        return piw_err_set(reader->err, PIW_ESHAPE, "a duration is wanted");
    int rc = next(reader, &token);
    if (rc != 0)
        return rc;
    if (token.kind != PIW__ARRAY)
        return piw_err_set(reader->err, PIW_ESHAPE, "a duration is not a list");
    piw__token list = token;
    uint64_t left = list.count;
    bool more;
    size_t i = 0;
    while ((rc = piw__more(reader, &list, &left, &more)) == 0 && more) {
        rc = next(reader, &token);
        if (rc != 0)
            return rc;
        if (i == PIW_COUNT(parts) || token.kind != PIW__INT)
            return piw_err_set(reader->err, PIW_ESHAPE, "a duration is not three integers");
        parts[i++] = token.integer;
    }
    if (rc != 0)
        return rc;
    if (i != PIW_COUNT(parts))
        return piw_err_set(reader->err, PIW_ESHAPE, "a duration is not three integers");
    if (!piw__duration_normal(parts[0], parts[1], parts[2], d))
        return piw_err_set(reader->err, PIW_ESHAPE, "a duration is out of range");
    return 0;
}

static bool read_nodata(piw__reader *reader, const piw__token *first)
{
    if (first->kind != PIW__TAG || first->count != TAG_NODATA)
        return false;
    const uint8_t *before = reader->at;
    piw__token token;
    piw_err *err = reader->err;
    reader->err = NULL;
    bool marked = next(reader, &token) == 0 && token.kind == PIW__NULL;
    reader->err = err;
    if (!marked)
        reader->at = before;
    return marked;
}

/* --- Writing --- */

static int put(piw_buffer *to, const unsigned char *head, size_t len)
{
    return piw_buffer_add(to, head, len);
}

static int put_int(piw_buffer *to, int64_t value)
{
    unsigned char head[HEAD_MAX];
    return put(to, head,
               value >= 0 ? cbor_encode_uint((uint64_t)value, head, sizeof(head))
                          : cbor_encode_negint((uint64_t)(-1 - value), head, sizeof(head)));
}

static int put_float(piw_buffer *to, double value)
{
    static const unsigned char nan_bytes[] = {0xf9, 0x7e, 0x00}, inf_bytes[] = {0xf9, 0x7c, 0x00},
                               minus_inf_bytes[] = {0xf9, 0xfc, 0x00};
    if (isnan(value))
        return put(to, nan_bytes, sizeof(nan_bytes));
    if (isinf(value))
        return put(to, value > 0 ? inf_bytes : minus_inf_bytes, sizeof(inf_bytes));
    unsigned char head[HEAD_MAX];
    return put(to, head, cbor_encode_double(value, head, sizeof(head)));
}

static int put_bool(piw_buffer *to, bool value)
{
    unsigned char head[HEAD_MAX];
    return put(to, head, cbor_encode_bool(value, head, sizeof(head)));
}

static int put_null(piw_buffer *to)
{
    unsigned char head[HEAD_MAX];
    return put(to, head, cbor_encode_null(head, sizeof(head)));
}

static int put_tag(piw_buffer *to, uint64_t number)
{
    unsigned char head[HEAD_MAX];
    return put(to, head, cbor_encode_tag(number, head, sizeof(head)));
}

static int put_nodata(piw_buffer *to)
{
    int r = put_tag(to, TAG_NODATA);
    return r == 0 ? put_null(to) : r;
}

static int put_string(piw_buffer *to, size_t len)
{
    unsigned char head[HEAD_MAX];
    return put(to, head, cbor_encode_string_start(len, head, sizeof(head)));
}

static int put_binary(piw_buffer *to, size_t len)
{
    unsigned char head[HEAD_MAX];
    return put(to, head, cbor_encode_bytestring_start(len, head, sizeof(head)));
}

static int put_array(piw_buffer *to, size_t count)
{
    unsigned char head[HEAD_MAX];
    return put(to, head, cbor_encode_array_start(count, head, sizeof(head)));
}

static int put_dict(piw_buffer *to, size_t count)
{
    unsigned char head[HEAD_MAX];
    return put(to, head, cbor_encode_map_start(count, head, sizeof(head)));
}

static int put_time(piw_buffer *to, piw_time value)
{
    char text[64];
    size_t len = piw_time_format(value, text, sizeof(text));
    int r = put_tag(to, TAG_TEXT_TIME);
    if (r == 0)
        r = put_string(to, len);
    return r == 0 ? piw_buffer_add(to, text, len) : r;
}

static int put_duration(piw_buffer *to, piw_duration value)
{
    int r = put_tag(to, TAG_DURATION);
    if (r == 0)
        r = put_array(to, 3);
    if (r == 0)
        r = put_int(to, value.days);
    if (r == 0)
        r = put_int(to, value.seconds);
    return r == 0 ? put_int(to, value.micros) : r;
}

const piw__wire piw__cbor = {
    .codec = PIW_CBOR,
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
