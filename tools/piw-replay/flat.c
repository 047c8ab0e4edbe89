/* flat.c — a message as a list of fields by name, so that messages of two versions of a type can be compared. */
#include "replay.h"

#include "piw/codec.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct flattener {
    flat *to;
    const char *word;
    const char *const *ignored;
    size_t ignored_count;
} flattener;

static void walk(flattener *self, const char *path, const piw_type *type, uint32_t flags, const void *value);

static bool is_ignored(const flattener *self, const char *path)
{
    bool found = false;
    char *whole = piw_sprintf("%s.%s", self->word, path);
    for (size_t i = 0; i < self->ignored_count && !found; i++)
        found = fnmatch(self->ignored[i], whole, 0) == 0 || fnmatch(self->ignored[i], path, 0) == 0;
    free(whole);
    return found;
}

/* Takes the value. */
static void put(flattener *self, const char *path, char *value)
{
    flat *to = self->to;
    if (is_ignored(self, path)) {
        free(value);
        return;
    }
    if (to->count == to->room) {
        to->room = to->room > 0 ? to->room * 2 : 32;
        to->at = piw_realloc(to->at, to->room * sizeof(*to->at));
    }
    to->at[to->count++] = (flat_field){piw_strdup(path), value};
}

static bool by_pointer(const piw_type *type, uint32_t flags)
{
    return (flags & (PIW_F_NULL | PIW_F_OPTIONAL)) != 0 && type->kind != PIW_TEXT && type->kind != PIW_BYTES &&
           type->kind != PIW_BLOB;
}

/* What other characters than printable ones become; a text of the message, as one line. */
static char *quoted(const uint8_t *bytes, size_t len)
{
    char *text = piw_alloc(len * 4 + 3), *at = text;
    *at++ = '"';
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] >= ' ' && bytes[i] != 0x7f && bytes[i] != '"' && bytes[i] != '\\')
            *at++ = (char)bytes[i];
        else
            at += sprintf(at, bytes[i] == '"' || bytes[i] == '\\' ? "\\%c" : "\\x%02x", bytes[i]);
    }
    *at++ = '"';
    *at = 0;
    return text;
}

static char *quoted_blob(const piw_blob *blob)
{
    size_t len = piw_blob_size(blob);
    uint8_t *bytes = piw_alloc(len + 1);
    piw_blob_read(blob, 0, bytes, len);
    char *text = quoted(bytes, len);
    free(bytes);
    return text;
}

static char *scalar(const piw_type *type, const void *value)
{
    const piw_time *time = value;
    switch (type->kind) {
    case PIW_INT:
        return piw_sprintf("%lld", (long long)*(const int64_t *)value);
    case PIW_FLOAT:
        return piw_sprintf("%.17g", *(const double *)value);
    case PIW_BOOL:
        return piw_strdup(*(const bool *)value ? "true" : "false");
    case PIW_TEXT:
        return quoted((const uint8_t *)((const piw_text *)value)->s, ((const piw_text *)value)->len);
    case PIW_BYTES:
        return quoted(((const piw_bytes *)value)->data, ((const piw_bytes *)value)->len);
    case PIW_BLOB:
        return quoted_blob(*(piw_blob *const *)value);
    case PIW_TIME:
        return piw_sprintf("%lld µs%+d min", (long long)time->us, time->zone_min);
    case PIW_DURATION:
        return piw_sprintf("%lld µs", (long long)piw_duration_us(*(const piw_duration *)value));
    case PIW_REQUEST:
        return piw_sprintf("request %llu", (unsigned long long)((const piw_token *)value)->id);
    default:
        return piw_strdup("?");
    }
}

/* As it travels: two encodings of one value are told apart only where their senders differ. */
static char *any_text(const piw_any *any)
{
    piw_buffer bytes = {0};
    piw_err err = {0};
    static const piw_type type = {.kind = PIW_ANY, .size = sizeof(piw_any)};
    int rc = piw_encode_value(&type, 0, any, PIW_MSGPACK, &bytes, &err);
    char *text = rc == 0 ? quoted(bytes.data, bytes.len) : piw_strdup("?");
    piw_buffer_fini(&bytes);
    return text;
}

static bool is_null(const piw_type *type, uint32_t flags, const void *value)
{
    if (by_pointer(type, flags))
        return *(void *const *)value == NULL;
    return (type->kind == PIW_TEXT && ((const piw_text *)value)->s == NULL) ||
           (type->kind == PIW_BYTES && ((const piw_bytes *)value)->data == NULL) ||
           (type->kind == PIW_BLOB && *(piw_blob *const *)value == NULL);
}

/* Bytes from one member of a list to the next; of a map from one entry to the next. */
static size_t stride(const piw_type *type, const piw_field *member)
{
    size_t slot = by_pointer(member->type, member->flags) ? sizeof(void *) : member->type->size;
    return type->kind == PIW_MAP ? (member->offset + slot + 7) & ~(size_t)7 : slot;
}

static void walk_list(flattener *self, const char *path, const piw_type *type, const void *value)
{
    const struct list {
        uint32_t count;
        const uint8_t *at;
    } *list = value;
    const piw_field *member = &type->fields[type->kind == PIW_MAP ? 1 : 0];
    size_t size = stride(type, member);
    char *length = piw_sprintf("%s.length", path);
    put(self, length, piw_sprintf("%u", list->count));
    free(length);
    for (uint32_t i = 0; i < list->count; i++) {
        const uint8_t *at = list->at + i * size;
        char *key = type->kind == PIW_MAP ? scalar(type->fields[0].type, at) : piw_sprintf("%u", i);
        char *inner = piw_sprintf("%s[%s]", path, key);
        walk(self, inner, member->type, member->flags, at + member->offset);
        free(inner);
        free(key);
    }
}

static void walk_members(flattener *self, const char *path, const piw_type *type, const uint8_t *value)
{
    for (uint32_t i = 0; i < type->fields_count; i++) {
        const piw_field *field = &type->fields[i];
        char *inner = path[0] != 0 ? piw_sprintf("%s.%s", path, field->name) : piw_strdup(field->name);
        walk(self, inner, field->type, field->flags, value + field->offset);
        free(inner);
    }
}

static void walk(flattener *self, const char *path, const piw_type *type, uint32_t flags, const void *value)
{
    if (is_null(type, flags, value))
        return;
    if (by_pointer(type, flags))
        value = *(const void *const *)value;
    if (type->kind == PIW_LIST || type->kind == PIW_MAP) {
        walk_list(self, path, type, value);
    } else if (type->kind == PIW_TUPLE) {
        walk_members(self, path, type, value);
    } else if (type->kind == PIW_ONEOF) {
        const piw_field *field = &type->fields[*(const int *)value];
        put(self, path, piw_strdup(field->name));
        walk_members(self, path, field->type, (const uint8_t *)value + field->offset);
    } else {
        put(self, path, type->kind == PIW_ANY ? any_text(value) : scalar(type, value));
    }
}

void flat_make(flat *to, const piw_msg *msg, const char *const *ignored, size_t ignored_count)
{
    const piw_msg_type *type = piw_msg_type_of(msg);
    flattener self = {to, type->name, ignored, ignored_count};
    *to = (flat){0};
    if (type->body->kind == PIW_ONEOF)
        walk(&self, "which", type->body, 0, piw_msg_any_body(msg));
    else if (type->body->fields_count > 0)
        walk_members(&self, "", type->body, piw_msg_any_body(msg));
}

void flat_fini(flat *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->at[i].path);
        free(list->at[i].value);
    }
    free(list->at);
    *list = (flat){0};
}

static uint64_t hash(uint64_t so_far, const char *text)
{
    do
        so_far = (so_far ^ (uint8_t)*text) * 0x100000001b3u;
    while (*text++ != 0);
    return so_far;
}

uint64_t flat_hash(const flat *list)
{
    uint64_t sum = 0; /* whatever the order of the fields: by name they are the same */
    for (size_t i = 0; i < list->count; i++)
        sum += hash(hash(0xcbf29ce484222325u, list->at[i].path), list->at[i].value);
    return sum;
}
