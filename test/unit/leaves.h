/* leaves.h — for tests of what was saved: a value as lines, one for each part that has no parts, `WHERE NAME VALUE`. WHERE counts
 * fields and elements (`0.2.1`), NAME has the fields' names (`slaves.2.peer`), VALUE has no spaces. Include "values.h" first, the one
 * that belongs to the headers in use: earlier revisions are compiled with this file too (test/upgrade/states.c). */
#ifndef UNIT_LEAVES_H
#define UNIT_LEAVES_H

enum { LEAF_PATH = 400 };

typedef void leaf_fn(void *arg, const char *where, const char *name, const char *value);

typedef struct leaves {
    leaf_fn *say;
    void *arg;
} leaves;

static inline void leaf_hex(const leaves *to, const char *where, const char *name, const void *data, size_t len)
{
    char *hex = to_hex(data, len);
    char *value = malloc(strlen(hex) + 2);
    sprintf(value, "x%s", hex);
    to->say(to->arg, where, name, value);
    free(value);
    free(hex);
}

static inline void leaf_blob(const leaves *to, const char *where, const char *name, const piw_blob *blob)
{
    size_t len = piw_blob_size(blob);
    char *bytes = malloc(len + 1);
    piw_blob_read(blob, 0, bytes, len);
    leaf_hex(to, where, name, bytes, len);
    free(bytes);
}

static inline void leaves_of(const leaves *to, const char *where, const char *name, const piw_type *type,
                             uint32_t flags, const void *at);

static inline void leaves_below(const leaves *to, const char *where, const char *name, const piw_field *field,
                                uint32_t number, const uint8_t *base)
{
    char deeper[LEAF_PATH], called[LEAF_PATH];
    const char *dot = where[0] != '\0' ? "." : "";
    snprintf(deeper, sizeof(deeper), "%s%s%u", where, dot, number);
    if (field->name != NULL)
        snprintf(called, sizeof(called), "%s%s%s", name, dot, field->name);
    else
        snprintf(called, sizeof(called), "%s%s%u", name, dot, number);
    leaves_of(to, deeper, called, field->type, field->flags, base + field->offset);
}

static inline void leaves_elements(const leaves *to, const char *where, const char *name, const piw_type *type,
                                   const piw__list *list)
{
    char count[24];
    uint32_t size = type->kind == PIW_MAP ? piw__entry(type) : piw__slot(&type->fields[0]);
    snprintf(count, sizeof(count), "[%u]", list->count);
    to->say(to->arg, where, name, count);
    for (uint32_t i = 0; i < list->count; i++)
        for (uint32_t j = 0; j < type->fields_count; j++) {
            piw_field field = type->fields[j];
            field.name = NULL;
            leaves_below(to, where, name, &field, i * type->fields_count + j,
                         (const uint8_t *)list->at + (size_t)i * size);
        }
}

/* The value at `at`, of a field with these flags. */
static inline void leaves_of(const leaves *to, const char *where, const char *name, const piw_type *type,
                             uint32_t flags, const void *at)
{
    char value[80];
    if (piw__by_pointer(type, flags) && (at = *(const void *const *)at) == NULL) {
        to->say(to->arg, where, name, "null");
        return;
    }
    switch (type->kind) {
    case PIW_INT:
    case PIW_REQUEST:
        snprintf(value, sizeof(value), "%lld", (long long)(*(const int64_t *)at));
        break;
    case PIW_FLOAT:
        snprintf(value, sizeof(value), "%a", *(const double *)at);
        break;
    case PIW_BOOL:
        snprintf(value, sizeof(value), "%s", *(const bool *)at ? "true" : "false");
        break;
    case PIW_TIME:
        snprintf(value, sizeof(value), "%lldus%+d", (long long)(((const piw_time *)at)->us),
                 ((const piw_time *)at)->zone_min);
        break;
    case PIW_DURATION: {
        const piw_duration *d = at;
        snprintf(value, sizeof(value), "%lldd%llds%lldus", (long long)d->days, (long long)d->seconds,
                 (long long)d->micros);
        break;
    }
    case PIW_TEXT:
        if (((const piw_text *)at)->s != NULL) {
            leaf_hex(to, where, name, ((const piw_text *)at)->s, ((const piw_text *)at)->len);
            return;
        }
        strcpy(value, "null");
        break;
    case PIW_BYTES:
        leaf_hex(to, where, name, ((const piw_bytes *)at)->data, ((const piw_bytes *)at)->len);
        return;
    case PIW_BLOB:
        leaf_blob(to, where, name, *(piw_blob *const *)at);
        return;
    case PIW_LIST:
    case PIW_MAP:
        leaves_elements(to, where, name, type, at);
        return;
    case PIW_TUPLE:
        for (uint32_t i = 0; i < type->fields_count; i++)
            leaves_below(to, where, name, &type->fields[i], i, at);
        return;
    case PIW_ONEOF:
        snprintf(value, sizeof(value), "=%s", type->fields[*(const int *)at].name);
        to->say(to->arg, where, name, value);
        leaves_below(to, where, name, &type->fields[*(const int *)at], (uint32_t) * (const int *)at, at);
        return;
    case PIW_ANY:
        strcpy(value, "any");
        break;
    }
    to->say(to->arg, where, name, value);
}

#endif
