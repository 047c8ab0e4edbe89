/* carry.c — a message of one version of a type, read by name as another version's. */
#include "type/carry.h"

#include "type/wire.h"

#include <stdlib.h>

/* How values of one type are read as another's, worked out once for all values of a message. */
typedef struct reading reading;
typedef struct member {
    int32_t at; /* the field (or alternative) of the same name on the other side; -1: there is none */
    reading *as;
} member;
struct reading {
    const piw_type *from, *to;
    bool same;       /* laid out alike, and whatever fits the one fits the other */
    member *members; /* for each field of `to`; of a oneof for each alternative of `from` */
    uint32_t *left;  /* fields of `from` that `to` hasn't got */
    uint32_t left_count;
};

typedef struct carrier {
    piw_msg *msg; /* whose arena holds what is made */
    uint64_t left;
    piw_err *err;
} carrier;

static const char *const kinds[] = {"int",      "float", "bool",    "text", "bytes", "blob",  "time",
                                    "duration", "any",   "request", "list", "map",   "tuple", "oneof"};

static bool nullable(uint32_t flags)
{
    return (flags & (PIW_F_NULL | PIW_F_OPTIONAL)) != 0;
}

static int32_t find(const piw_type *type, const char *name)
{
    for (uint32_t i = 0; i < type->fields_count; i++)
        if (strcmp(type->fields[i].name, name) == 0)
            return (int32_t)i;
    return -1;
}

/* --- Working it out ------------------------------------------------------------------------------------------------ */

static void reading_free(reading *self)
{
    if (self == NULL)
        return;
    uint32_t count = self->from->kind == PIW_ONEOF ? self->from->fields_count : self->to->fields_count;
    for (uint32_t i = 0; i < count; i++)
        reading_free(self->members[i].as);
    free(self->members);
    free(self->left);
    free(self);
}

static reading *reading_new(const piw_type *from, const piw_type *to, piw_err *err);

/* The member on the other side that this one is read from (or, of a oneof, as), if there is one. */
static int pair(reading *self, uint32_t i, int32_t at, const piw_field *from, const piw_field *to, piw_err *err)
{
    self->members[i].at = at;
    if (at < 0) {
        self->same = false;
        return 0;
    }
    self->members[i].as = reading_new(from->type, to->type, err);
    if (self->members[i].as == NULL) {
        if (from->name != NULL)
            piw_err_prefix(err, "%s", from->name);
        return err->code;
    }
    if (!self->members[i].as->same || at != (int32_t)i || from->offset != to->offset ||
        piw__by_pointer(from->type, from->flags) != piw__by_pointer(to->type, to->flags) ||
        (nullable(from->flags) && !nullable(to->flags)) || ((from->flags ^ to->flags) & PIW_F_LOSSY) != 0)
        self->same = false;
    return 0;
}

static int pair_members(reading *self, piw_err *err)
{
    const piw_type *from = self->from, *to = self->to;
    bool named = from->kind == PIW_TUPLE || from->kind == PIW_ONEOF, oneof = from->kind == PIW_ONEOF;
    uint32_t count = oneof ? from->fields_count : to->fields_count;
    int rc = 0;
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        int32_t at = !named ? (int32_t)i : oneof ? find(to, from->fields[i].name) : find(from, to->fields[i].name);
        const piw_field *other = at < 0 ? NULL : oneof ? &to->fields[at] : &from->fields[at];
        rc = pair(self, i, at, oneof ? &from->fields[i] : other, oneof ? other : &to->fields[i], err);
    }
    for (uint32_t i = 0; from->kind == PIW_TUPLE && i < from->fields_count; i++)
        if (find(to, from->fields[i].name) < 0) {
            self->same = false;
            self->left[self->left_count++] = i;
        }
    return rc;
}

/* NULL: it can't be done, and err says why. */
static reading *reading_new(const piw_type *from, const piw_type *to, piw_err *err)
{
    if (from->kind != to->kind) {
        piw_err_set(err, PIW_ESHAPE, "it is %s %s there and %s %s here",
                    strchr("aio", kinds[from->kind][0]) ? "an" : "a", kinds[from->kind],
                    strchr("aio", kinds[to->kind][0]) ? "an" : "a", kinds[to->kind]);
        return NULL;
    }
    reading *self = piw_zalloc(sizeof(*self));
    *self = (reading){.from = from, .to = to, .same = from->size == to->size && to->max >= from->max};
    uint32_t most = from->fields_count > to->fields_count ? from->fields_count : to->fields_count;
    self->members = piw_zalloc((most + 1) * sizeof(*self->members));
    self->left = piw_zalloc((most + 1) * sizeof(*self->left));
    if (pair_members(self, err) != 0) {
        reading_free(self);
        return NULL;
    }
    return self;
}

int piw__carry_check(const piw_msg_type *from, const piw_msg_type *to, piw_err *err)
{
    reading *self = reading_new(from->body, to->body, err);
    if (self == NULL)
        return err->code;
    reading_free(self);
    return 0;
}

/* --- Values -------------------------------------------------------------------------------------------------------- */

/* What a member is that nobody has said anything about; its slot is zero. */
static void empty(carrier *self, const piw_type *type, uint32_t flags, void *slot)
{
    if (nullable(flags))
        return;
    if (type->kind == PIW_TEXT) {
        *(piw_text *)slot = piw_msg_text(self->msg, "", 0);
    } else if (type->kind == PIW_TUPLE) {
        for (uint32_t i = 0; i < type->fields_count; i++)
            empty(self, type->fields[i].type, type->fields[i].flags, (uint8_t *)slot + type->fields[i].offset);
    } else if (type->kind == PIW_ONEOF && type->fields_count > 0) {
        empty(self, type->fields[0].type, 0, (uint8_t *)slot + type->fields[0].offset);
    }
}

static int carry_value(carrier *self, const reading *how, const void *from, void *to);

static int carry_member(carrier *self, const reading *how, const piw_field *from, const void *from_slot,
                        const piw_field *to, void *to_slot)
{
    if (piw__is_null(from->type, from->flags, from_slot)) {
        empty(self, to->type, to->flags, to_slot);
        return 0;
    }
    const void *value = piw__by_pointer(from->type, from->flags) ? *(const void *const *)from_slot : from_slot;
    if (piw__by_pointer(to->type, to->flags)) {
        void *made = piw_msg_alloc(self->msg, to->type->size);
        *(void **)to_slot = made;
        to_slot = made;
    }
    int rc = carry_value(self, how, value, to_slot);
    if (rc == 0)
        rc = piw__check_one(to->type, to->flags, to_slot, self->err);
    if (rc != 0 && to->name != NULL)
        piw_err_prefix(self->err, "%s", to->name);
    return rc;
}

static int carry_fields(carrier *self, const reading *how, const uint8_t *from, uint8_t *to)
{
    int rc = 0;
    for (uint32_t i = 0; i < how->to->fields_count && rc == 0; i++) {
        const piw_field *field = &how->to->fields[i];
        int32_t at = how->members[i].at;
        if (at < 0) {
            empty(self, field->type, field->flags, to + field->offset);
            continue;
        }
        const piw_field *source = &how->from->fields[at];
        rc = carry_member(self, how->members[i].as, source, from + source->offset, field, to + field->offset);
    }
    for (uint32_t i = 0; i < how->left_count; i++) {
        const piw_field *field = &how->from->fields[how->left[i]];
        self->left += !piw__is_null(field->type, field->flags, from + field->offset);
    }
    return rc;
}

static int carry_elements(carrier *self, const reading *how, const piw__list *from, piw__list *to)
{
    const piw_type *old = how->from, *new = how->to;
    bool map = old->kind == PIW_MAP;
    uint32_t from_size = map ? piw__entry(old) : piw__slot(&old->fields[0]);
    uint32_t to_size = map ? piw__entry(new) : piw__slot(&new->fields[0]);
    if (from->count > new->max)
        return piw_err_set(self->err, PIW_ESHAPE, "%u elements are more than %u", from->count, new->max);
    to->count = from->count;
    to->at = from->count > 0 ? piw_msg_alloc(self->msg, (size_t)from->count * to_size) : NULL;
    for (uint32_t i = 0; i < from->count; i++)
        for (uint32_t j = 0; j < new->fields_count; j++) {
            const uint8_t *source = (const uint8_t *)from->at + (size_t)i * from_size + old->fields[j].offset;
            uint8_t *target = (uint8_t *)to->at + (size_t)i * to_size + new->fields[j].offset;
            int rc = carry_member(self, how->members[j].as, &old->fields[j], source, &new->fields[j], target);
            if (rc != 0) {
                piw_err_prefix(self->err, "element %u", i);
                return rc;
            }
        }
    return 0;
}

static int carry_alternative(carrier *self, const reading *how, const uint8_t *from, uint8_t *to)
{
    int which = *(const int *)(const void *)from;
    if (which < 0 || (uint32_t)which >= how->from->fields_count)
        return piw_err_set(self->err, PIW_ESHAPE, "%d is none of its alternatives", which);
    const piw_field *source = &how->from->fields[which];
    int32_t at = how->members[which].at;
    if (at < 0)
        return piw_err_set(self->err, PIW_ESHAPE, "the alternative %s is not known here", source->name);
    *(int *)(void *)to = at;
    return carry_value(self, how->members[which].as, from + source->offset, to + how->to->fields[at].offset);
}

static int carry_value(carrier *self, const reading *how, const void *from, void *to)
{
    if (how->same) {
        piw_value_copy(self->msg, how->to, from, to);
        return 0;
    }
    switch (how->to->kind) {
    case PIW_LIST:
    case PIW_MAP:
        return carry_elements(self, how, from, to);
    case PIW_TUPLE:
        return carry_fields(self, how, from, to);
    case PIW_ONEOF:
        return carry_alternative(self, how, from, to);
    default:
        piw_value_copy(self->msg, how->to, from, to);
        return 0;
    }
}

int piw__carry(const piw_msg *msg, const piw_msg_type *to, piw_msg **carried, uint64_t *left, piw_err *err)
{
    reading *how = reading_new(msg->type->body, to->body, err);
    if (how == NULL)
        return err->code;
    carrier self = {.msg = piw_msg_new(to), .err = err};
    self.msg->trace = msg->trace;
    self.msg->deadline_ns = msg->deadline_ns;
    self.msg->call_id = msg->call_id;
    self.msg->flags = (uint16_t)(msg->flags & ~PIW__REST);
    int code = piw__msg_rest_of(msg)->error;
    if (code != 0)
        piw__msg_fail(self.msg, code, piw_msg_textz(self.msg, piw_msg_error_text(msg)).s);
    int rc = code != 0 ? 0 : carry_value(&self, how, piw__msg_body(msg), piw__msg_body(self.msg));
    reading_free(how);
    if (rc != 0) {
        piw_err_prefix(err, "%s", msg->type->name);
        piw_msg_free(&self.msg);
        return rc;
    }
    *left += self.left;
    *carried = self.msg;
    return 0;
}
