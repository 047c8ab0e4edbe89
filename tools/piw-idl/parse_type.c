/* parse_type.c — types, members and tuples. */
#include "parse.h"

#include <string.h>

idl_type *idl_new_type(idl_parser *p, idl_kind kind)
{
    idl_type *type = idl_alloc(sizeof(*type));
    type->pos = idl_here(p);
    type->kind = kind;
    type->home = p->file;
    return type;
}

static idl_type *one_of(idl_parser *p, int depth);
static void member_type(idl_parser *p, idl_field *field, int depth);

idl_type *idl_named_type(const idl_file *file, const char *name)
{
    for (size_t i = 0; i < file->types_count; i++)
        if (strcmp(file->types[i]->cname, name) == 0)
            return file->types[i];
    for (size_t i = 0; i < file->imports_count; i++) {
        idl_type *type = idl_named_type(file->imports[i], name);
        if (type != NULL)
            return type;
    }
    return NULL;
}

static idl_type *list(idl_parser *p, int depth)
{
    idl_type *type = idl_new_type(p, K_LIST);
    idl_expect(p, "[");
    idl_field *element = idl_append(&type->fields, &type->fields_count, sizeof(*element));
    element->pos = idl_here(p);
    member_type(p, element, depth + 1);
    idl_expect(p, "]");
    type->max = idl_bound(p, "[T]");
    return type;
}

static idl_type *map(idl_parser *p, int depth)
{
    idl_type *type = idl_new_type(p, K_MAP);
    idl_expect(p, "{");
    idl_append(&type->fields, &type->fields_count, sizeof(idl_field));
    idl_append(&type->fields, &type->fields_count, sizeof(idl_field));
    for (size_t i = 0; i < 2; i++) {
        if (i > 0)
            idl_expect(p, ":");
        type->fields[i].pos = idl_here(p);
        member_type(p, &type->fields[i], depth + 1);
    }
    idl_expect(p, "}");
    type->max = idl_bound(p, "{K: V}");
    return type;
}

/* A type of the language without parts, or one that is declared. */
static idl_type *by_name(idl_parser *p)
{
    idl_pos pos = idl_here(p);
    const char *name = idl_word(p, "a type");
    int kind = 0;
    while (kind < K_LIST && strcmp(idl_kind_words[kind], name) != 0)
        kind++;
    idl_type *type;
    if (kind == K_LIST) {
        type = idl_named_type(p->file, name);
        if (type == NULL)
            idl_fail(pos, "type %s isn't known (a type is declared or imported before it is used)", name);
        return type;
    }
    type = idl_new_type(p, (idl_kind)kind);
    type->pos = pos;
    if (kind == K_TEXT || kind == K_BYTES || kind == K_BLOB)
        type->max = idl_bound(p, name);
    return type;
}

static idl_type *plain_type(idl_parser *p, int depth)
{
    if (idl_is(p, "["))
        return list(p, depth);
    if (idl_is(p, "{"))
        return map(p, depth);
    if (idl_is(p, "oneof"))
        return one_of(p, depth);
    if (!idl_is(p, "("))
        return by_name(p);
    idl_type *type = idl_new_type(p, K_TUPLE);
    idl_tuple_fields(p, type, depth);
    if (type->fields_count == 0)
        idl_fail(type->pos, "a tuple inside a type has at least one field");
    return type;
}

/* Type, then `?`, `lossy`, `optional` and `inline`, into a field. */
static void member_type(idl_parser *p, idl_field *field, int depth)
{
    if (depth > (p->lock ? IDL_WIRE_DEPTH : IDL_DEPTH_MAX))
        idl_fail(idl_here(p), "types nest more than %d deep", (int)IDL_DEPTH_MAX);
    field->type = plain_type(p, depth);
    if (idl_eat(p, "?"))
        field->flags |= F_NULL;
    for (;;) {
        idl_token *token = idl_peek(p);
        bool name_follows = token->kind != IDL_END && p->tokens.at[p->at + 1].kind == IDL_PUNCT &&
                            p->tokens.at[p->at + 1].text[0] == ':';
        if (name_follows && token->first)
            return;
        if (idl_eat(p, "lossy"))
            field->flags |= F_LOSSY;
        else if (idl_eat(p, "optional"))
            field->flags |= F_OPTIONAL;
        else if (idl_eat(p, "inline"))
            field->flags |= F_INLINE;
        else
            return;
    }
}

static void bring(idl_type *tuple, const idl_field *member, const idl_field *field)
{
    if (field->within != NULL)
        idl_fail(member->pos, "%s has an inline member itself and can't be one", member->type->cname);
    if (tuple->fields_count > IDL_FIELDS_MAX)
        idl_fail(member->pos, "a tuple has at most %d fields", (int)IDL_FIELDS_MAX);
    idl_field *brought = idl_append(&tuple->fields, &tuple->fields_count, sizeof(*brought));
    *brought = *field;
    brought->pos = member->pos;
    brought->within = member;
}

static const idl_field *field_named(const idl_type *type, const char *name)
{
    for (size_t i = 0; i < type->fields_count; i++)
        if (strcmp(type->fields[i].name, name) == 0)
            return &type->fields[i];
    return NULL;
}

/* The same member, when it stands in the tuple already. */
static const idl_field *same_member(const idl_type *tuple, const idl_field *member)
{
    for (size_t i = 0; i < tuple->fields_count; i++) {
        const idl_field *within = tuple->fields[i].within;
        if (within != NULL && within->type == member->type && strcmp(within->name, member->name) == 0)
            return within;
    }
    return member;
}

/* The last field is inline: the fields of its type take its place, or those that are named behind it. */
static void spread(idl_parser *p, idl_type *tuple)
{
    idl_field *last = idl_alloc(sizeof(*last));
    *last = tuple->fields[--tuple->fields_count];
    const idl_type *from = last->type;
    if (!from->named || from->kind != K_TUPLE || last->flags != F_INLINE)
        idl_fail(last->pos, "only a member of a type that has a name and fields can be inline, without ? and optional");
    const idl_field *member = same_member(tuple, last);
    if (!idl_eat(p, "(")) {
        for (size_t i = 0; i < from->fields_count; i++)
            bring(tuple, member, &from->fields[i]);
        return;
    }
    do {
        idl_pos pos = idl_here(p);
        const char *name = idl_word(p, "the name of a field");
        const idl_field *field = field_named(from, name);
        if (field == NULL)
            idl_fail(pos, "%s has no field %s", from->cname, name);
        bring(tuple, member, field);
    } while (idl_eat(p, ","));
    idl_expect(p, ")");
}

void idl_tuple_fields(idl_parser *p, idl_type *tuple, int depth)
{
    idl_expect(p, "(");
    while (!idl_is(p, ")")) {
        idl_field *field = idl_append(&tuple->fields, &tuple->fields_count, sizeof(*field));
        const char *doc = idl_peek(p)->doc;
        field->pos = idl_here(p);
        field->name = idl_word(p, "the name of a field");
        if (tuple->fields_count > IDL_FIELDS_MAX)
            idl_fail(field->pos, "a tuple has at most %d fields", (int)IDL_FIELDS_MAX);
        idl_expect(p, ":");
        member_type(p, field, depth + 1);
        field->doc = doc;
        bool is_inline = (field->flags & F_INLINE) != 0;
        if (is_inline)
            spread(p, tuple);
        bool comma = idl_eat(p, ",");
        if (!idl_is(p, ")") && !comma && !idl_peek(p)->first)
            idl_fail(idl_here(p), "a comma or a new line is wanted between fields, not %s", idl_shown(idl_peek(p)));
        if (!is_inline)
            field->doc = idl_joined(doc, idl_trail(p));
    }
    idl_expect(p, ")");
}

static idl_type *one_of(idl_parser *p, int depth)
{
    idl_type *type = idl_new_type(p, K_ONEOF);
    idl_expect(p, "oneof");
    idl_expect(p, "{");
    do {
        idl_token *literal = idl_peek(p);
        if (literal->kind != IDL_STRING)
            idl_fail(idl_here(p), "a literal in quotes is wanted, not %s", idl_shown(literal));
        idl_field *alternative = idl_append(&type->fields, &type->fields_count, sizeof(*alternative));
        alternative->pos = idl_here(p);
        alternative->name = literal->text;
        if (type->fields_count > IDL_FIELDS_MAX)
            idl_fail(alternative->pos, "a oneof has at most %d alternatives", (int)IDL_FIELDS_MAX);
        alternative->type = idl_new_type(p, K_TUPLE);
        idl_next(p);
        if (idl_is(p, "("))
            idl_tuple_fields(p, alternative->type, depth + 1);
        alternative->doc = idl_trail(p);
    } while (idl_eat(p, "|"));
    idl_expect(p, "}");
    return type;
}

/* What a message carries: nothing, a tuple, a oneof, or a named type. */
idl_type *idl_body(idl_parser *p)
{
    idl_field field = {0};
    if (idl_is(p, "(")) {
        field.type = idl_new_type(p, K_TUPLE);
        idl_tuple_fields(p, field.type, 1);
    } else if (idl_is(p, "oneof")) {
        field.type = one_of(p, 1);
    } else {
        idl_pos pos = idl_here(p);
        const char *name = idl_word(p, "the data of the message");
        field.type = idl_named_type(p->file, name);
        if (field.type == NULL)
            idl_fail(pos, "type %s isn't known (a type is declared or imported before it is used)", name);
    }
    return field.type;
}
