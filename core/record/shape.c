/* shape.c — protocols as messages and back (docs/recording.md#shapes). */
#include "record/shape.h"

#include "recording.piw.h"
#include "type/wire.h"

#include <stdlib.h>

enum {
    TYPES_MAX = 10000, /* as proto/recording.piw says */
    DEPTH_MAX = 64,    /* of types in each other: no protocol of ours comes near */
    WEIGHT_MAX =
        1 << 17, /* members of a type, those of its members counted in: what recursion may have to go through */
    SIZE_MAX_BYTES = 1 << 20,
};

/* --- Writing ------------------------------------------------------------------------------------------------------- */

typedef struct shaper {
    piw_msg *msg;
    recording_type *types;
    const piw_type *seen[TYPES_MAX];
    uint32_t count;
} shaper;

/* The number of a type; those of its members stand before it. */
static int64_t add_type(shaper *self, const piw_type *type)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->seen[i] == type)
            return i;
    recording_member *members = piw_msg_alloc(self->msg, (type->fields_count + 1) * sizeof(*members));
    for (uint32_t i = 0; i < type->fields_count; i++) {
        const piw_field *field = &type->fields[i];
        members[i] = (recording_member){.name = piw_msg_textz(self->msg, field->name != NULL ? field->name : ""),
                                        .type = add_type(self, field->type),
                                        .flags = field->flags};
    }
    if (self->count == TYPES_MAX)
        return 0; /* piw-idl makes no protocol that is so large */
    recording_type *to = &self->types[self->count];
    to->name = piw_msg_textz(self->msg, type->name != NULL ? type->name : "");
    to->kind = type->kind;
    to->max = type->max;
    to->members.count = type->fields_count;
    to->members.at = members;
    self->seen[self->count] = type;
    return self->count++;
}

piw_msg *piw__shape_write(const piw_protocol *protocol, int64_t number)
{
    recording_shape *body;
    shaper *self = piw_zalloc(sizeof(*self));
    self->msg = recording_shape_new(&body);
    piw_msg *msg = self->msg;
    piw_msg_list(msg, &body->types, protocol->types_count + protocol->messages_count);
    piw_msg_list(msg, &body->words, protocol->messages_count);
    self->types = body->types.at;
    body->number = number;
    body->name = piw_msg_textz(msg, protocol->name);
    for (uint16_t i = 0; i < protocol->messages_count; i++) {
        const piw_msg_type *from = &protocol->messages[i];
        recording_word *to = &body->words.at[i];
        to->name = piw_msg_textz(msg, from->name);
        to->body = add_type(self, from->body);
        to->kind = from->kind;
        to->flags = from->flags;
        to->reply = from->reply;
    }
    body->types.count = self->count;
    free(self);
    return msg;
}

/* --- Reading ------------------------------------------------------------------------------------------------------- */

typedef struct made_type {
    uint32_t depth, weight;
} made_type;

static uint64_t round_up(uint64_t size)
{
    return (size + 7) & ~UINT64_C(7);
}

static uint64_t size_of(piw_kind kind)
{
    static const uint32_t sizes[] = {
        [PIW_INT] = sizeof(int64_t),       [PIW_FLOAT] = sizeof(double),          [PIW_BOOL] = sizeof(bool),
        [PIW_TEXT] = sizeof(piw_text),     [PIW_BYTES] = sizeof(piw_bytes),       [PIW_BLOB] = sizeof(piw_blob *),
        [PIW_TIME] = sizeof(piw_time),     [PIW_DURATION] = sizeof(piw_duration), [PIW_ANY] = sizeof(piw_any),
        [PIW_REQUEST] = sizeof(piw_token), [PIW_LIST] = sizeof(piw__list),        [PIW_MAP] = sizeof(piw__list),
    };
    return (size_t)kind < PIW_COUNT(sizes) ? sizes[kind] : 0;
}

static int malformed(piw_err *err, const char *what)
{
    return piw_err_set(err, PIW_ESHAPE, "the shapes of a protocol are malformed: %s", what);
}

/* How many members a type of a kind has: the least, the most. */
static bool counts(piw_kind kind, uint32_t count)
{
    switch (kind) {
    case PIW_LIST:
        return count == 1;
    case PIW_MAP:
        return count == 2;
    case PIW_TUPLE:
        return true;
    case PIW_ONEOF:
        return count > 0;
    default:
        return count == 0;
    }
}

static bool fits(piw_kind kind, uint32_t i, const piw_field *field)
{
    piw_kind inner = field->type->kind;
    if (kind == PIW_ONEOF)
        return inner == PIW_TUPLE && field->flags == 0;
    if (kind == PIW_MAP && i == 0)
        return (inner == PIW_TEXT || inner == PIW_INT) && field->flags == 0;
    return (field->flags & ~(uint32_t)(PIW_F_NULL | PIW_F_OPTIONAL | PIW_F_LOSSY)) == 0;
}

/* The places of a type's members, and its size. */
static int lay_out(piw_type *type, piw_field *fields, piw_err *err)
{
    uint64_t at = type->kind == PIW_ONEOF ? 8 : 0, most = 0;
    for (uint32_t i = 0; i < type->fields_count; i++) {
        uint64_t slot = round_up(piw__slot(&fields[i]));
        fields[i].offset = (uint32_t)at;
        most = slot > most ? slot : most;
        if (type->kind != PIW_ONEOF)
            at += slot;
    }
    uint64_t size = type->kind == PIW_TUPLE ? at : type->kind == PIW_ONEOF ? 8 + most : size_of(type->kind);
    if (at > SIZE_MAX_BYTES || size > SIZE_MAX_BYTES)
        return malformed(err, "a type is too large");
    if (type->kind == PIW_LIST)
        fields[0].offset = 0;
    type->size = (uint32_t)size;
    return 0;
}

/* Members are found by their names. A list of a thousand of them, the most that a shape has, is soon gone through. */
static bool is_named(const recording_member *members, uint32_t before, piw_text name)
{
    for (uint32_t i = 0; i < before; i++)
        if (piw_text_eq(members[i].name, name))
            return true;
    return false;
}

static int read_type(piw_type *types, made_type *made, uint32_t n, const recording_type *from, piw_err *err)
{
    piw_type *type = &types[n];
    if (from->kind < 0 || from->kind > PIW_ONEOF || from->max < 0 || from->max > UINT32_MAX ||
        !counts((piw_kind)from->kind, from->members.count))
        return malformed(err, "a type is none");
    piw_field *fields = piw_zalloc((from->members.count + 1) * sizeof(*fields));
    *type = (piw_type){.name = from->name.len > 0 ? piw_strdup(from->name.s) : NULL,
                       .kind = (piw_kind)from->kind,
                       .max = (uint32_t)from->max,
                       .fields = fields};
    made[n] = (made_type){.depth = 1, .weight = 1};
    bool named = type->kind == PIW_TUPLE || type->kind == PIW_ONEOF;
    for (uint32_t i = 0; i < from->members.count; i++) {
        const recording_member *member = &from->members.at[i];
        if (member->type < 0 || member->type >= n || (named && member->name.len == 0))
            return malformed(err, "a member has no name or no type");
        if (named && is_named(from->members.at, i, member->name))
            return malformed(err, "two members have one name");
        const made_type *inner = &made[member->type];
        fields[i] = (piw_field){.name = named ? piw_strdup(member->name.s) : NULL,
                                .type = &types[member->type],
                                .flags = (uint32_t)member->flags};
        type->fields_count = i + 1;
        made[n].depth = inner->depth + 1 > made[n].depth ? inner->depth + 1 : made[n].depth;
        made[n].weight += inner->weight;
        if (made[n].depth > DEPTH_MAX || made[n].weight > WEIGHT_MAX || !fits(type->kind, i, &fields[i]))
            return malformed(err, "a member doesn't fit its type");
    }
    return lay_out(type, fields, err);
}

static int read_words(piw_protocol *protocol, const recording_shape *from, piw_err *err)
{
    piw_msg_type *words = piw_zalloc((from->words.count + 1) * sizeof(*words));
    protocol->messages = words;
    for (uint32_t i = 0; i < from->words.count; i++) {
        const recording_word *word = &from->words.at[i];
        const piw_type *body =
            word->body >= 0 && word->body < protocol->types_count ? protocol->types[word->body] : NULL;
        if (body == NULL || (body->kind != PIW_TUPLE && body->kind != PIW_ONEOF) || word->name.len == 0 ||
            word->kind < 0 || word->kind > PIW_M_PEER || word->flags < 0 || word->flags > UINT8_MAX ||
            word->reply < -1 || word->reply >= from->words.count)
            return malformed(err, "a word is none");
        words[i] = (piw_msg_type){.name = piw_strdup(word->name.s),
                                  .body = body,
                                  .kind = (uint8_t)word->kind,
                                  .flags = (uint8_t)word->flags,
                                  .reply = (int16_t)word->reply,
                                  .fallback = -1,
                                  .protocol = protocol,
                                  .index = (uint16_t)i};
        protocol->messages_count = (uint16_t)(i + 1);
    }
    return 0;
}

int piw__shape_read(const piw_msg *shape, piw_protocol **made, piw_err *err)
{
    const recording_shape *from = recording_shape_of(shape);
    uint32_t count = from->types.count;
    piw_protocol *protocol = piw_zalloc(sizeof(*protocol));
    piw_type *types = piw_zalloc((count + 1) * sizeof(*types));
    const piw_type **list = piw_zalloc((count + 1) * sizeof(*list));
    made_type *known = piw_zalloc((count + 1) * sizeof(*known));
    *protocol = (piw_protocol){.name = piw_strdup(from->name.s), .types = list, .types_count = count};
    for (uint32_t i = 0; i <= count; i++)
        list[i] = &types[i];
    int rc = 0;
    for (uint32_t i = 0; i < count && rc == 0; i++)
        rc = read_type(types, known, i, &from->types.at[i], err);
    if (rc == 0)
        rc = read_words(protocol, from, err);
    free(known);
    if (rc != 0)
        piw__shape_free(&protocol);
    *made = protocol;
    return rc;
}

void piw__shape_free(piw_protocol **made)
{
    piw_protocol *protocol = *made;
    *made = NULL;
    if (protocol == NULL)
        return;
    for (uint16_t i = 0; i < protocol->messages_count; i++)
        free((char *)(uintptr_t)protocol->messages[i].name);
    for (uint32_t i = 0; i < protocol->types_count; i++) {
        const piw_type *type = protocol->types[i];
        for (uint32_t j = 0; j < type->fields_count; j++)
            free((char *)(uintptr_t)type->fields[j].name);
        free((void *)(uintptr_t)type->fields);
        free((char *)(uintptr_t)type->name);
    }
    free((void *)(uintptr_t)protocol->messages);
    free((void *)(uintptr_t)protocol->types[0]);
    free((void *)(uintptr_t)protocol->types);
    free((char *)(uintptr_t)protocol->name);
    free(protocol);
}
