/* decode.c — bytes to C structs: one pass over the tokens, against the type tables, into the message's arena. */
#include "type/wire.h"

#include "type/message.h"

#include <stdlib.h>

enum {
    WORD_MAX = 100, /* the IDL compiler lets no name be longer */
    SMALL = 64,     /* elements that are taken on trust, without looking at the least they need */
};

/* --- Containers --- */

/* The least bytes that a member takes on the wire: what a declared count is measured against. */
static size_t least(const piw_field *field)
{
    const piw_type *type = field->type;
    if ((field->flags & (PIW_F_NULL | PIW_F_OPTIONAL)) != 0)
        return (field->flags & PIW_F_OPTIONAL) != 0 ? 0 : 1;
    if (type->kind == PIW_ONEOF)
        return 2;
    if (type->kind != PIW_TUPLE)
        return 1;
    size_t sum = 1;
    for (uint32_t i = 0; i < type->fields_count; i++)
        sum += least(&type->fields[i]);
    return sum;
}

/* Room for the elements of a list or map: all that are declared, or for open ones as many again as there are. */
static int grow(piw__reader *reader, const piw_type *type, const piw__token *container, uint32_t size, piw__list *to,
                uint32_t *room)
{
    uint64_t count = container->count;
    if (container->open) {
        count = *room == 0 ? 8 : (uint64_t)*room * 2;
    } else {
        size_t left = (size_t)(reader->end - reader->at), each = 1;
        if (count > SMALL) {
            each = least(&type->fields[0]) + (type->kind == PIW_MAP ? least(&type->fields[1]) : 0);
            each = each > 0 ? each : 1;
        }
        if (count > left / each)
            return piw_err_set(reader->err, PIW_ESHAPE, "more elements are declared than bytes follow");
    }
    if (count > type->max)
        count = type->max;
    void *at = piw__take(reader, count * size);
    if (at == NULL)
        return PIW_ELIMIT;
    if (to->count > 0)
        memcpy(at, to->at, (size_t)to->count * size);
    to->at = at;
    *room = (uint32_t)count;
    return 0;
}

/* One more element's place, or an error. */
static int place(piw__reader *reader, const piw_type *type, const piw__token *container, uint32_t size, piw__list *to,
                 uint32_t *room, uint8_t **at)
{
    if (to->count == type->max)
        return piw_err_set(reader->err, PIW_ESHAPE, "more than %u elements", type->max);
    if (to->count == *room) {
        int rc = grow(reader, type, container, size, to, room);
        if (rc != 0)
            return rc;
    }
    *at = (uint8_t *)to->at + (size_t)to->count * size;
    return 0;
}

static int decode_list(piw__reader *reader, const piw_type *type, const piw__token *first, piw__list *to)
{
    const piw_field *element = &type->fields[0];
    if (first->kind != PIW__ARRAY)
        return piw__wanted(reader, "a list");
    if (!first->open && first->count > type->max)
        return piw_err_set(reader->err, PIW_ESHAPE, "more than %u elements", type->max);
    uint64_t left = first->count;
    uint32_t room = 0, size = piw__slot(element);
    uint8_t *at = NULL;
    bool more;
    int rc;
    while ((rc = piw__more(reader, first, &left, &more)) == 0 && more) {
        rc = place(reader, type, first, size, to, &room, &at);
        if (rc == 0)
            rc = piw__decode_value(reader, element->type, element->flags, at);
        if (rc != 0) {
            piw_err_prefix(reader->err, "element %u", to->count);
            return rc;
        }
        to->count++;
    }
    return rc;
}

static int compare_keys(const void *a, const void *b, void *type)
{
    if (((const piw_type *)type)->kind == PIW_INT) {
        int64_t x = **(const int64_t *const *)a, y = **(const int64_t *const *)b;
        return x < y ? -1 : x > y;
    }
    const piw_text *x = *(const piw_text *const *)a, *y = *(const piw_text *const *)b;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return memcmp(x->s, y->s, x->len);
}

static int refuse_doubles(piw__reader *reader, const piw_type *type, const piw__list *map)
{
    if (map->count < 2)
        return 0;
    const void **keys = malloc(map->count * sizeof(*keys));
    if (keys == NULL)
        return piw_err_set(reader->err, PIW_ENOMEM, "there is no memory to compare %u keys", map->count);
    void *key_type = (void *)(uintptr_t)type->fields[0].type;
    for (uint32_t i = 0; i < map->count; i++)
        keys[i] = (const uint8_t *)map->at + (size_t)i * piw__entry(type);
    qsort_r(keys, map->count, sizeof(*keys), compare_keys, key_type);
    bool twice = false;
    for (uint32_t i = 1; i < map->count && !twice; i++)
        twice = compare_keys(&keys[i - 1], &keys[i], key_type) == 0;
    free(keys);
    return twice ? piw_err_set(reader->err, PIW_ESHAPE, "a key is there twice") : 0;
}

static int decode_map(piw__reader *reader, const piw_type *type, const piw__token *first, piw__list *to)
{
    const piw_field *key = &type->fields[0], *value = &type->fields[1];
    if (first->kind != PIW__DICT)
        return piw__wanted(reader, "a map");
    if (!first->open && first->count > type->max)
        return piw_err_set(reader->err, PIW_ESHAPE, "more than %u entries", type->max);
    uint64_t left = first->count;
    uint32_t room = 0, size = piw__entry(type);
    uint8_t *at = NULL;
    bool more;
    int rc;
    while ((rc = piw__more(reader, first, &left, &more)) == 0 && more) {
        rc = place(reader, type, first, size, to, &room, &at);
        if (rc == 0)
            rc = piw__decode_value(reader, key->type, key->flags, at);
        if (rc == 0)
            rc = piw__decode_value(reader, value->type, value->flags, at + value->offset);
        if (rc != 0) {
            piw_err_prefix(reader->err, "entry %u", to->count);
            return rc;
        }
        to->count++;
    }
    return rc == 0 ? refuse_doubles(reader, type, to) : rc;
}

/* The members of a tuple whose array has begun. */
static int decode_members(piw__reader *reader, const piw_type *type, const piw__token *array, uint64_t left,
                          uint8_t *to)
{
    bool more = true;
    int rc;
    for (uint32_t i = 0; i < type->fields_count; i++) {
        const piw_field *field = &type->fields[i];
        /* Stock peers, and so CBOR, know the shapes without our trailing fields, and to the field. */
        if ((field->flags & PIW_F_OPTIONAL) != 0 && reader->wire->codec == PIW_CBOR)
            break;
        rc = piw__more(reader, array, &left, &more);
        if (rc != 0)
            return rc;
        if (!more && (field->flags & PIW_F_OPTIONAL) == 0)
            return piw_err_set(reader->err, PIW_ESHAPE, "%s is missing", field->name);
        if (!more)
            return 0;
        rc = piw__decode_value(reader, field->type, field->flags, to + field->offset);
        if (rc != 0) {
            piw_err_prefix(reader->err, "%s", field->name);
            return rc;
        }
    }
    rc = piw__more(reader, array, &left, &more);
    if (rc == 0 && more)
        rc = piw_err_set(reader->err, PIW_ESHAPE, "there are more fields than %s has",
                         type->name != NULL ? type->name : "it");
    return rc;
}

static int decode_tuple(piw__reader *reader, const piw_type *type, const piw__token *first, void *to)
{
    if (first->kind != PIW__ARRAY)
        return piw__wanted(reader, "a tuple");
    return decode_members(reader, type, first, first->count, to);
}

static int decode_oneof(piw__reader *reader, const piw_type *type, const piw__token *first, uint8_t *to)
{
    char literal[WORD_MAX + 1];
    size_t len;
    uint64_t left = first->count;
    bool more = false;
    piw__token token;
    if (first->kind != PIW__ARRAY)
        return piw__wanted(reader, "a tuple");
    int rc = piw__more(reader, first, &left, &more);
    if (rc == 0 && !more)
        rc = piw__wanted(reader, "a literal");
    if (rc == 0)
        rc = reader->wire->next(reader, &token);
    if (rc == 0 && token.kind != PIW__STRING)
        rc = piw__wanted(reader, "a literal");
    if (rc == 0)
        rc = piw__short_string(reader, &token, literal, sizeof(literal), &len);
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; i < type->fields_count; i++) {
        if (strlen(type->fields[i].name) == len && memcmp(type->fields[i].name, literal, len) == 0) {
            *(int *)(void *)to = (int)i;
            rc = decode_members(reader, type->fields[i].type, first, left, to + type->fields[i].offset);
            if (rc != 0)
                piw_err_prefix(reader->err, "%s", literal);
            return rc;
        }
    }
    return piw_err_set(reader->err, PIW_ESHAPE, "\"%s\" is none of its alternatives", literal);
}

static int decode_container(piw__reader *reader, const piw_type *type, const piw__token *first, void *to)
{
    int rc = piw__enter(reader);
    if (rc == 0)
        rc = type->kind == PIW_LIST    ? decode_list(reader, type, first, to)
             : type->kind == PIW_MAP   ? decode_map(reader, type, first, to)
             : type->kind == PIW_TUPLE ? decode_tuple(reader, type, first, to)
                                       : decode_oneof(reader, type, first, to);
    reader->depth--;
    return rc;
}

/* --- Values --- */

static int decode_int(piw__reader *reader, const piw__token *token, int64_t *to)
{
    if (token->kind != PIW__INT)
        return piw__wanted(reader, "an integer");
    *to = token->integer;
    return 0;
}

static int decode_float(piw__reader *reader, const piw__token *token, double *to)
{
    if (token->kind != PIW__FLOAT && token->kind != PIW__INT)
        return piw__wanted(reader, "a number");
    *to = token->kind == PIW__FLOAT ? token->number : (double)token->integer;
    return 0;
}

int piw__decode_value(piw__reader *reader, const piw_type *type, uint32_t flags, void *to)
{
    const uint8_t *start = reader->at;
    piw__token token;
    int rc = reader->wire->next(reader, &token);
    if (rc != 0)
        return rc;
    if (token.kind == PIW__NULL && (flags & (PIW_F_NULL | PIW_F_OPTIONAL)) != 0)
        return 0;
    if (piw__by_pointer(type, flags)) {
        void *value = piw__take(reader, type->size);
        if (value == NULL)
            return PIW_ELIMIT;
        *(void **)to = value;
        to = value;
    }
    switch (type->kind) {
    case PIW_INT:
        return decode_int(reader, &token, to);
    case PIW_REQUEST:
        return decode_int(reader, &token, (int64_t *)&((piw_token *)to)->id);
    case PIW_FLOAT:
        return decode_float(reader, &token, to);
    case PIW_BOOL:
        if (token.kind != PIW__BOOL)
            return piw__wanted(reader, "true or false");
        *(bool *)to = token.truth;
        return 0;
    case PIW_TEXT:
        return piw__decode_text(reader, type, flags, &token, to);
    case PIW_BYTES:
        return piw__decode_bytes(reader, type, &token, to);
    case PIW_BLOB:
        return piw__decode_blob(reader, type, flags, &token, to);
    case PIW_TIME:
        return reader->wire->time(reader, &token, to);
    case PIW_DURATION:
        return reader->wire->duration(reader, &token, to);
    case PIW_ANY:
        return piw__decode_any(reader, &token, start, to);
    default:
        return decode_container(reader, type, &token, to);
    }
}

int piw_decode_value(const piw_type *type, uint32_t flags, const void *data, size_t len, piw_codec codec, piw_msg *msg,
                     void *value, piw_err *err)
{
    const uint8_t *bytes = data;
    piw__reader reader = {.wire = piw__wire_of(codec), .at = bytes, .end = bytes + len, .msg = msg, .err = err};
    memset(value, 0, piw__by_pointer(type, flags) ? sizeof(void *) : type->size);
    int rc = piw__decode_value(&reader, type, flags, value);
    if (rc == 0 && reader.at != reader.end)
        rc = piw_err_set(err, PIW_ESHAPE, "%zu bytes follow the value", (size_t)(reader.end - reader.at));
    return rc;
}

/* --- Messages --- */

/* The word of the message and whether data follow. */
static int decode_word(piw__reader *reader, piw__token *outer, uint64_t *left, char *word, size_t *len)
{
    piw__token token;
    bool more = true;
    int rc = reader->wire->next(reader, outer);
    if (rc != 0)
        return rc;
    if (outer->kind == PIW__STRING)
        return piw__short_string(reader, outer, word, WORD_MAX + 1, len);
    if (outer->kind != PIW__ARRAY || (!outer->open && outer->count != 2))
        return piw_err_set(reader->err, PIW_ESHAPE, "a message is a word, or a word and its data");
    *left = outer->count;
    rc = piw__enter(reader);
    if (rc == 0)
        rc = piw__more(reader, outer, left, &more);
    if (rc == 0 && more)
        rc = reader->wire->next(reader, &token);
    if (rc == 0 && (!more || token.kind != PIW__STRING))
        rc = piw_err_set(reader->err, PIW_ESHAPE, "the word of a message is a text");
    return rc == 0 ? piw__short_string(reader, &token, word, WORD_MAX + 1, len) : rc;
}

static int decode_body(piw__reader *reader, const piw_msg_type *type, void *body)
{
    if ((type->flags & PIW_M_BARE) == 0)
        return piw__decode_value(reader, type->body, 0, body);
    const piw_field *field = &type->body->fields[0];
    int rc = piw__decode_value(reader, field->type, field->flags, (uint8_t *)body + field->offset);
    if (rc != 0)
        piw_err_prefix(reader->err, "%s", field->name);
    return rc;
}

/* The data of a message whose word was read, up to the end of the message's own array. */
static int decode_data(piw__reader *reader, const piw__token *outer, uint64_t left, const piw_msg_type *type)
{
    bool more = false;
    if (outer->kind == PIW__STRING)
        return (type->flags & PIW_M_NODATA) != 0 ? 0 : piw_err_set(reader->err, PIW_ESHAPE, "its data are missing");
    int rc = piw__more(reader, outer, &left, &more);
    if (rc == 0 && !more)
        rc = piw_err_set(reader->err, PIW_ESHAPE, "its data are missing");
    if (rc == 0 && (type->flags & PIW_M_NODATA) != 0)
        rc = piw_err_set(reader->err, PIW_ESHAPE, "it takes no data");
    if (rc == 0)
        rc = decode_body(reader, type, piw__msg_body(reader->msg));
    if (rc == 0)
        rc = piw__more(reader, outer, &left, &more);
    if (rc == 0 && more)
        rc = piw_err_set(reader->err, PIW_ESHAPE, "a message is a word, or a word and its data");
    return rc;
}

int piw_decode(const piw_protocol *protocol, int to_master, const void *data, size_t len, piw_owner *owner,
               piw_msg **msg, const piw_msg_type **word, piw_err *err)
{
    const uint8_t *bytes = data;
    piw_codec codec = piw_codec_of(data, len);
    piw__reader reader = {.wire = piw__wire_of(codec), .at = bytes, .end = bytes + len, .owner = owner, .err = err};
    piw__token outer;
    char name[WORD_MAX + 1];
    size_t name_len = 0;
    uint64_t left = 0;
    *msg = NULL;
    if (word != NULL)
        *word = NULL;
    int rc = decode_word(&reader, &outer, &left, name, &name_len);
    if (rc != 0)
        return rc;
    const piw_msg_type *type = piw_protocol_find(protocol, name, name_len, to_master);
    if (type == NULL)
        return piw_err_set(err, PIW_ESHAPE, "%s is no message of %s", name, protocol->name);
    if (word != NULL)
        *word = type;
    reader.msg = piw_msg_new(type);
    reader.msg->codec = (uint8_t)codec;
    rc = decode_data(&reader, &outer, left, type);
    if (rc == 0 && reader.at != reader.end)
        rc = piw_err_set(err, PIW_ESHAPE, "%zu bytes follow the message", (size_t)(reader.end - reader.at));
    if (rc != 0) {
        piw_err_prefix(err, "%s", type->name);
        piw_msg_free(&reader.msg);
        return rc;
    }
    *msg = reader.msg;
    return 0;
}
