/* encode.c — C structs to bytes, driven by the type tables; what it writes is checked on the way. */
#include "type/wire.h"

#include "type/message.h"

#include <stdlib.h>

/* What one call of piw_encode goes through with. */
typedef struct writer {
    const piw__wire *wire;
    piw_buffer *to;
    piw_err *err;
} writer;

static int encode(writer *w, const piw_type *type, uint32_t flags, const void *value);

static int memory(writer *w, int r)
{
    return r == 0 ? 0 : piw_err_set(w->err, r, "there is no memory for a message of more than %zu bytes", w->to->len);
}

static int encode_string(writer *w, const char *s, size_t len)
{
    int r = w->wire->put_string(w->to, len);
    return memory(w, r == 0 ? piw_buffer_add(w->to, s, len) : r);
}

static int encode_mended(writer *w, const char *s, size_t len)
{
    size_t need = piw__utf8_repair(s, len, NULL);
    char *bytes = malloc(need + 1);
    if (bytes == NULL)
        return memory(w, PIW_ENOMEM);
    piw__utf8_repair(s, len, bytes);
    int rc = encode_string(w, bytes, need);
    free(bytes);
    return rc;
}

static int encode_text(writer *w, uint32_t flags, const piw_text *text)
{
    if ((flags & PIW_F_LOSSY) != 0 && piw_utf8_valid(text->s, text->len) != text->len)
        return encode_mended(w, text->s, text->len);
    return encode_string(w, text->s, text->len);
}

static int encode_bytes(writer *w, const void *data, size_t len)
{
    int r = w->wire->put_binary(w->to, len);
    return memory(w, r == 0 ? piw_buffer_add(w->to, data, len) : r);
}

/* Lossy blobs are long texts on the wire, others byte strings. */
static int encode_blob(writer *w, uint32_t flags, const piw_blob *blob)
{
    bool text = (flags & PIW_F_LOSSY) != 0;
    size_t len = piw_blob_size(blob), before = w->to->len;
    int rc = text ? w->wire->put_string(w->to, len) : w->wire->put_binary(w->to, len);
    size_t start = w->to->len;
    if (rc == 0)
        rc = piw_buffer_add(w->to, NULL, len); /* room, filled below */
    if (rc != 0)
        return memory(w, rc);
    piw_blob_read(blob, 0, w->to->data + start, len);
    if (!text || piw_utf8_valid((const char *)w->to->data + start, len) == len)
        return 0;
    char *copy = malloc(len);
    if (copy == NULL)
        return memory(w, PIW_ENOMEM);
    piw_blob_read(blob, 0, copy, len);
    w->to->len = before;
    rc = encode_mended(w, copy, len);
    free(copy);
    return rc;
}

static int encode_any(writer *w, const piw_any *any)
{
    if (any->nodata)
        return memory(w, w->wire->put_nodata(w->to));
    if (any->type != NULL && any->value != NULL)
        return encode(w, any->type, 0, any->value);
    if (any->raw.len == 0)
        return memory(w, w->wire->put_null(w->to));
    if (any->codec != w->wire->codec)
        return piw_err_set(w->err, PIW_EINVAL, "a raw value in %s can't go into a message in %s",
                           piw_codec_name((piw_codec)any->codec), piw_codec_name(w->wire->codec));
    return memory(w, piw_buffer_add(w->to, any->raw.data, any->raw.len));
}

static int encode_list(writer *w, const piw_type *type, const piw__list *list)
{
    const piw_field *element = &type->fields[0];
    uint32_t size = piw__slot(element);
    int rc = memory(w, w->wire->put_array(w->to, list->count));
    for (uint32_t i = 0; i < list->count && rc == 0; i++) {
        rc = encode(w, element->type, element->flags, (const uint8_t *)list->at + (size_t)i * size);
        if (rc != 0)
            piw_err_prefix(w->err, "element %u", i);
    }
    return rc;
}

static int encode_map(writer *w, const piw_type *type, const piw__list *map)
{
    uint32_t size = piw__entry(type);
    int rc = memory(w, w->wire->put_dict(w->to, map->count));
    for (uint32_t i = 0; i < map->count && rc == 0; i++) {
        const uint8_t *entry = (const uint8_t *)map->at + (size_t)i * size;
        for (uint32_t j = 0; j < 2 && rc == 0; j++)
            rc = encode(w, type->fields[j].type, type->fields[j].flags, entry + type->fields[j].offset);
        if (rc != 0)
            piw_err_prefix(w->err, "entry %u", i);
    }
    return rc;
}

/* How many fields are written: absent optional ones at the end are left out, and in CBOR, which stock peers read, all
 * optional ones. */
static uint32_t present(const writer *w, const piw_type *type, const uint8_t *base)
{
    uint32_t count = type->fields_count;
    while (count > 0) {
        const piw_field *field = &type->fields[count - 1];
        bool there = w->wire->codec == PIW_MSGPACK && !piw__is_null(field->type, field->flags, base + field->offset);
        if ((field->flags & PIW_F_OPTIONAL) == 0 || there)
            break;
        count--;
    }
    return count;
}

static int encode_members(writer *w, const piw_type *type, const uint8_t *base, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const piw_field *field = &type->fields[i];
        int rc = encode(w, field->type, field->flags, base + field->offset);
        if (rc != 0) {
            piw_err_prefix(w->err, "%s", field->name);
            return rc;
        }
    }
    return 0;
}

static int encode_tuple(writer *w, const piw_type *type, const void *value)
{
    uint32_t count = present(w, type, value);
    int r = memory(w, w->wire->put_array(w->to, count));
    return r == 0 ? encode_members(w, type, value, count) : r;
}

static int encode_oneof(writer *w, const piw_type *type, const void *value)
{
    const piw_field *alternative = &type->fields[*(const int *)value];
    const uint8_t *base = (const uint8_t *)value + alternative->offset;
    uint32_t count = present(w, alternative->type, base);
    int r = memory(w, w->wire->put_array(w->to, (size_t)count + 1));
    if (r == 0)
        r = encode_string(w, alternative->name, strlen(alternative->name));
    return r == 0 ? encode_members(w, alternative->type, base, count) : r;
}

static int encode_value(writer *w, const piw_type *type, uint32_t flags, const void *value)
{
    switch (type->kind) {
    case PIW_INT:
        return memory(w, w->wire->put_int(w->to, *(const int64_t *)value));
    case PIW_REQUEST:
        return memory(w, w->wire->put_int(w->to, (int64_t)((const piw_token *)value)->id));
    case PIW_FLOAT:
        return memory(w, w->wire->put_float(w->to, *(const double *)value));
    case PIW_BOOL:
        return memory(w, w->wire->put_bool(w->to, *(const bool *)value));
    case PIW_TEXT:
        return encode_text(w, flags, value);
    case PIW_BYTES:
        return encode_bytes(w, ((const piw_bytes *)value)->data, ((const piw_bytes *)value)->len);
    case PIW_BLOB:
        return encode_blob(w, flags, *(piw_blob *const *)value);
    case PIW_TIME:
        return memory(w, w->wire->put_time(w->to, *(const piw_time *)value));
    case PIW_DURATION:
        return memory(w, w->wire->put_duration(w->to, *(const piw_duration *)value));
    case PIW_ANY:
        return encode_any(w, value);
    case PIW_LIST:
        return encode_list(w, type, value);
    case PIW_MAP:
        return encode_map(w, type, value);
    case PIW_TUPLE:
        return encode_tuple(w, type, value);
    case PIW_ONEOF:
        return encode_oneof(w, type, value);
    }
    return piw_err_set(w->err, PIW_EINVAL, "type kind %d is unknown", (int)type->kind);
}

static int encode(writer *w, const piw_type *type, uint32_t flags, const void *value)
{
    if (piw__is_null(type, flags, value)) {
        if ((flags & (PIW_F_NULL | PIW_F_OPTIONAL)) != 0)
            return memory(w, w->wire->put_null(w->to));
        if (type->kind == PIW_TEXT)
            return piw_err_set(w->err, PIW_ESHAPE, "it is not set");
    }
    if (piw__by_pointer(type, flags))
        value = *(const void *const *)value;
    int r = piw__check_one(type, flags, value, w->err);
    return r == 0 ? encode_value(w, type, flags, value) : r;
}

int piw_encode_value(const piw_type *type, uint32_t flags, const void *value, piw_codec codec, piw_buffer *to,
                     piw_err *err)
{
    writer w = {piw__wire_of(codec), to, err};
    size_t before = to->len;
    int rc = encode(&w, type, flags, value);
    if (rc != 0)
        to->len = before;
    return rc;
}

static int encode_message(writer *w, const piw_msg *msg)
{
    const piw_msg_type *type = msg->type;
    size_t len = strlen(type->name);
    if ((type->flags & PIW_M_NODATA) != 0)
        return encode_string(w, type->name, len);
    int rc = memory(w, w->wire->put_array(w->to, 2));
    if (rc == 0)
        rc = encode_string(w, type->name, len);
    if (rc != 0)
        return rc;
    if ((type->flags & PIW_M_BARE) == 0)
        return encode(w, type->body, 0, piw__msg_body(msg));
    const piw_field *field = &type->body->fields[0];
    rc = encode(w, field->type, field->flags, (const uint8_t *)piw__msg_body(msg) + field->offset);
    if (rc != 0)
        piw_err_prefix(w->err, "%s", field->name);
    return rc;
}

int piw_encode(const piw_msg *msg, piw_codec codec, piw_buffer *to, piw_err *err)
{
    writer w = {piw__wire_of(codec), to, err};
    size_t before = to->len;
    int rc = encode_message(&w, msg);
    if (rc != 0) {
        to->len = before;
        piw_err_prefix(err, "%s", msg->type->name);
    }
    return rc;
}
