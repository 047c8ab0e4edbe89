/* value.c — values in memory: copying them, and checking them against their types. */
#include "type/wire.h"

#include "type/message.h"

bool piw__is_null(const piw_type *type, uint32_t flags, const void *value)
{
    if (piw__by_pointer(type, flags))
        return *(void *const *)value == NULL;
    switch (type->kind) {
    case PIW_TEXT:
        return ((const piw_text *)value)->s == NULL;
    case PIW_BYTES:
        return ((const piw_bytes *)value)->data == NULL;
    case PIW_BLOB:
        return *(piw_blob *const *)value == NULL;
    default:
        return false;
    }
}

/* --- Copying --- */

static void copy_member(piw_msg *msg, const piw_type *type, uint32_t flags, const void *from, void *to)
{
    if (!piw__by_pointer(type, flags)) {
        piw_value_copy(msg, type, from, to);
        return;
    }
    const void *value = *(const void *const *)from;
    void *copy = NULL;
    if (value != NULL) {
        copy = piw_msg_alloc(msg, type->size);
        piw_value_copy(msg, type, value, copy);
    }
    *(void **)to = copy;
}

static void copy_elements(piw_msg *msg, const piw_type *type, const piw__list *from, piw__list *to)
{
    const piw_field *first = &type->fields[0], *second = first + 1; /* of a map only */
    bool map = type->kind == PIW_MAP;
    uint32_t size = map ? piw__entry(type) : piw__slot(first);
    to->count = from->count;
    to->at = from->count > 0 ? piw_msg_alloc(msg, (size_t)from->count * size) : NULL;
    for (uint32_t i = 0; i < from->count; i++) {
        const uint8_t *source = (const uint8_t *)from->at + (size_t)i * size;
        uint8_t *target = (uint8_t *)to->at + (size_t)i * size;
        copy_member(msg, first->type, first->flags, source, target);
        if (map)
            copy_member(msg, second->type, second->flags, source + second->offset, target + second->offset);
    }
}

static void copy_members(piw_msg *msg, const piw_type *type, const uint8_t *from, uint8_t *to)
{
    for (uint32_t i = 0; i < type->fields_count; i++) {
        const piw_field *field = &type->fields[i];
        copy_member(msg, field->type, field->flags, from + field->offset, to + field->offset);
    }
}

static void copy_oneof(piw_msg *msg, const piw_type *type, const uint8_t *from, uint8_t *to)
{
    int which = *(const int *)(const void *)from;
    *(int *)(void *)to = which;
    if (which >= 0 && (uint32_t)which < type->fields_count) {
        uint32_t offset = type->fields[which].offset;
        copy_members(msg, type->fields[which].type, from + offset, to + offset);
    }
}

static void copy_any(piw_msg *msg, const piw_any *from, piw_any *to)
{
    *to = *from;
    if (from->type != NULL && from->value != NULL) {
        void *copy = piw_msg_alloc(msg, from->type->size);
        piw_value_copy(msg, from->type, from->value, copy);
        to->value = copy;
    }
    if (from->raw.len > 0)
        to->raw = piw_msg_bytes(msg, from->raw.data, from->raw.len);
}

void piw_value_copy(piw_msg *msg, const piw_type *type, const void *from, void *to)
{
    const piw_text *text = from;
    const piw_bytes *bytes = from;
    switch (type->kind) {
    case PIW_TEXT:
        *(piw_text *)to = text->s != NULL ? piw_msg_text(msg, text->s, text->len) : (piw_text){0};
        break;
    case PIW_BYTES:
        *(piw_bytes *)to = bytes->data != NULL ? piw_msg_bytes(msg, bytes->data, bytes->len) : (piw_bytes){0};
        break;
    case PIW_BLOB:
        *(piw_blob **)to = piw_msg_blob(msg, *(piw_blob *const *)from);
        break;
    case PIW_ANY:
        copy_any(msg, from, to);
        break;
    case PIW_LIST:
    case PIW_MAP:
        copy_elements(msg, type, from, to);
        break;
    case PIW_TUPLE:
        copy_members(msg, type, from, to);
        break;
    case PIW_ONEOF:
        copy_oneof(msg, type, from, to);
        break;
    default:
        memcpy(to, from, type->size);
    }
}

piw_msg *piw_msg_copy(const piw_msg *msg)
{
    piw_msg *copy = piw_msg_new(msg->type);
    copy->trace = msg->trace;
    copy->flags = msg->flags & PIW__MALFORMED;
    int code = piw__msg_rest_of(msg)->error;
    if (code != 0)
        piw__msg_fail(copy, code, piw_msg_textz(copy, piw_msg_error_text(msg)).s);
    if (msg->type->body != NULL && msg->type->body->size > 0)
        piw_value_copy(copy, msg->type->body, piw__msg_body(msg), piw__msg_body(copy));
    return copy;
}

piw_blob *piw_msg_blob(piw_msg *msg, piw_blob *blob)
{
    piw__msg_own_blob(msg, piw_blob_ref(blob));
    return blob;
}

/* --- Checking --- */

static int check_text(const piw_type *type, uint32_t flags, const piw_text *text, piw_err *err)
{
    if (text->len > PIW_LIMIT_TEXT)
        return piw_err_set(err, PIW_ESHAPE, "a text of %u bytes is longer than %d", text->len, PIW_LIMIT_TEXT);
    if ((flags & PIW_F_LOSSY) == 0 && piw_utf8_valid(text->s, text->len) != text->len)
        return piw_err_set(err, PIW_ESHAPE, "a text is not UTF-8");
    if (text->len > type->max && piw_utf8_chars(text->s, text->len) > type->max)
        return piw_err_set(err, PIW_ESHAPE, "a text is longer than %u characters", type->max);
    return 0;
}

int piw__check_one(const piw_type *type, uint32_t flags, const void *value, piw_err *err)
{
    size_t len;
    switch (type->kind) {
    case PIW_TEXT:
        return check_text(type, flags, value, err);
    case PIW_BYTES:
        len = ((const piw_bytes *)value)->len;
        return len > type->max ? piw_err_set(err, PIW_ESHAPE, "%zu bytes are more than %u", len, type->max) : 0;
    case PIW_BLOB:
        len = piw_blob_size(*(piw_blob *const *)value);
        return len > type->max ? piw_err_set(err, PIW_ESHAPE, "%zu bytes are more than %u", len, type->max) : 0;
    case PIW_TIME:
        return piw__time_valid(*(const piw_time *)value)
                   ? 0
                   : piw_err_set(err, PIW_ESHAPE, "a time is outside of the years 1 to 9999");
    case PIW_DURATION:
        return piw__duration_valid(*(const piw_duration *)value)
                   ? 0
                   : piw_err_set(err, PIW_ESHAPE, "a duration is out of range");
    case PIW_LIST:
    case PIW_MAP:
        len = ((const piw__list *)value)->count;
        return len > type->max ? piw_err_set(err, PIW_ESHAPE, "%zu elements are more than %u", len, type->max) : 0;
    case PIW_ONEOF: {
        int which = *(const int *)value;
        return which < 0 || (uint32_t)which >= type->fields_count
                   ? piw_err_set(err, PIW_ESHAPE, "%d is none of the %u alternatives", which, type->fields_count)
                   : 0;
    }
    default:
        return 0;
    }
}

static int check_value(const piw_type *type, uint32_t flags, const void *value, piw_err *err);

static int check_member(const piw_field *field, const uint8_t *base, piw_err *err)
{
    int rc = check_value(field->type, field->flags, base + field->offset, err);
    if (rc != 0 && field->name != NULL)
        piw_err_prefix(err, "%s", field->name);
    return rc;
}

static int check_elements(const piw_type *type, const piw__list *list, piw_err *err)
{
    uint32_t size = type->kind == PIW_MAP ? piw__entry(type) : piw__slot(&type->fields[0]);
    for (uint32_t i = 0; i < list->count; i++) {
        for (uint32_t j = 0; j < type->fields_count; j++) {
            int rc = check_member(&type->fields[j], (const uint8_t *)list->at + (size_t)i * size, err);
            if (rc != 0) {
                piw_err_prefix(err, "element %u", i);
                return rc;
            }
        }
    }
    return 0;
}

static int check_members(const piw_type *type, const uint8_t *base, piw_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < type->fields_count && rc == 0; i++)
        rc = check_member(&type->fields[i], base, err);
    return rc;
}

static int check_value(const piw_type *type, uint32_t flags, const void *value, piw_err *err)
{
    if (piw__is_null(type, flags, value)) {
        /* An empty blob may be NULL: no other value stands for one without bytes. */
        bool allowed =
            (flags & (PIW_F_NULL | PIW_F_OPTIONAL)) != 0 || type->kind == PIW_BLOB || type->kind == PIW_BYTES;
        return allowed ? 0 : piw_err_set(err, PIW_ESHAPE, "it is not set");
    }
    if (piw__by_pointer(type, flags))
        value = *(const void *const *)value;
    int rc = piw__check_one(type, flags, value, err);
    if (rc != 0)
        return rc;
    if (type->kind == PIW_LIST || type->kind == PIW_MAP)
        return check_elements(type, value, err);
    if (type->kind == PIW_TUPLE)
        return check_members(type, value, err);
    if (type->kind == PIW_ONEOF) {
        const piw_field *alternative = &type->fields[*(const int *)value];
        return check_members(alternative->type, (const uint8_t *)value + alternative->offset, err);
    }
    return 0;
}

int piw_msg_check(const piw_msg *msg, piw_err *err)
{
    if ((msg->type->flags & PIW_M_NODATA) != 0)
        return 0;
    int rc = check_value(msg->type->body, 0, piw__msg_body(msg), err);
    if (rc != 0)
        piw_err_prefix(err, "%s", msg->type->name);
    return rc;
}
