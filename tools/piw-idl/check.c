/* check.c — what the grammar alone doesn't forbid, and the names of the C structs. */
#include "common/c_words.h"
#include "idl.h"

#include <string.h>

static const char *const c_words[] = {C_WORDS};

static void check_name(idl_pos pos, const char *name)
{
    for (size_t i = 0; i < sizeof(c_words) / sizeof(c_words[0]); i++)
        if (strcmp(c_words[i], name) == 0)
            idl_fail(pos, "%s is a word of C and can't be a name", name);
    if (name[0] == '_' || strstr(name, "__") != NULL || strncmp(name, "piw_", 4) == 0)
        idl_fail(pos, "name %s is reserved (no leading or double underscore, no piw_)", name);
    if (strlen(name) > 100)
        idl_fail(pos, "a name is longer than 100 characters");
}

static bool textual(idl_kind kind)
{
    return kind == K_TEXT || kind == K_BLOB;
}

static void check_member(const idl_field *field)
{
    if ((field->flags & F_INLINE) != 0)
        idl_fail(field->pos, "only a member of a tuple can be inline");
    if ((field->flags & F_LOSSY) != 0 && !textual(field->type->kind))
        idl_fail(field->pos, "only text and blob can be lossy");
    if (field->type->kind == K_ANY && (field->flags & (F_NULL | F_OPTIONAL)) != 0)
        idl_fail(field->pos, "any may be null as it is");
    if (field->type->kind == K_TEXT && field->type->max > 65535)
        idl_fail(field->pos, "a text has at most 65535 characters; longer ones are blobs");
}

static void name_type(idl_type *type, const char *cname);

/* In C an inline member is one, beside the others; and nothing of it is left out. */
static void check_within(const idl_type *type, const idl_field *within)
{
    size_t brought = 0;
    check_name(within->pos, within->name);
    for (size_t i = 0; i < type->fields_count; i++) {
        const idl_field *other = type->fields[i].within != NULL ? type->fields[i].within : &type->fields[i];
        brought += other == within;
        if (other != within && strcmp(other->name, within->name) == 0)
            idl_fail(within->pos, "field %s is there twice", within->name);
    }
    if (brought < within->type->fields_count)
        idl_fail(within->pos, "the member %s brings only %zu of the %zu fields of %s", within->name, brought,
                 within->type->fields_count, within->type->cname);
}

static void check_tuple(idl_type *type, const char *cname)
{
    bool optional = false;
    for (size_t i = 0; i < type->fields_count; i++) {
        idl_field *field = &type->fields[i];
        check_name(field->pos, field->name);
        for (size_t j = 0; j < i; j++)
            if (strcmp(type->fields[j].name, field->name) == 0)
                idl_fail(field->pos, "field %s is there twice", field->name);
        if (field->within != NULL)
            check_within(type, field->within);
        if (optional && (field->flags & F_OPTIONAL) == 0)
            idl_fail(field->pos, "field %s follows an optional one and so must be optional", field->name);
        optional = optional || (field->flags & F_OPTIONAL) != 0;
        check_member(field);
        if (field->within == NULL) /* else it was named where its type is declared */
            name_type(field->type, idl_format("%s_%s", cname, field->name));
    }
}

static void check_alternatives(idl_type *type, const char *cname)
{
    for (size_t i = 0; i < type->fields_count; i++) {
        idl_field *field = &type->fields[i];
        if (field->name[0] == '\0' ||
            strspn(field->name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != strlen(field->name))
            idl_fail(field->pos, "the literal of an alternative is made of capitals, digits and _");
        for (size_t j = 0; j < i; j++)
            if (strcmp(type->fields[j].name, field->name) == 0)
                idl_fail(field->pos, "alternative \"%s\" is there twice", field->name);
        name_type(field->type, idl_format("%s_%s", cname, field->name));
    }
}

/* Give the struct of a type its name and check what is inside. A type without struct hands the name on inwards. */
static void name_type(idl_type *type, const char *cname)
{
    if (type->cname != NULL && type->named)
        return; /* checked where it is declared */
    switch (type->kind) {
    case K_TUPLE:
        type->cname = cname;
        check_tuple(type, cname);
        break;
    case K_ONEOF:
        type->cname = cname;
        check_alternatives(type, cname);
        break;
    case K_LIST:
    case K_MAP:
        for (size_t i = 0; i < type->fields_count; i++) {
            if ((type->fields[i].flags & F_OPTIONAL) != 0)
                idl_fail(type->fields[i].pos, "only the last fields of a tuple can be optional");
            check_member(&type->fields[i]);
            name_type(type->fields[i].type, cname);
        }
        if (type->kind == K_MAP && ((type->fields[0].type->kind != K_INT && type->fields[0].type->kind != K_TEXT) ||
                                    type->fields[0].flags != 0))
            idl_fail(type->pos, "the keys of a map are int or text, never null or lossy");
        break;
    default:
        break;
    }
}

static void check_fallback(const idl_protocol *protocol, idl_message *message)
{
    if (message->fallback_word == NULL)
        return;
    for (size_t i = 0; i < protocol->messages_count; i++)
        if (protocol->messages[i].kind == M_OUT && strcmp(protocol->messages[i].name, message->fallback_word) == 0)
            message->fallback = (int)i;
    if (message->fallback < 0)
        idl_fail(message->pos, "fallback %s isn't an out message of queue %s", message->fallback_word, protocol->name);
    const idl_message *to = &protocol->messages[message->fallback];
    const char *literal = message->fallback_text;
    if ((literal == NULL) != ((to->flags & MF_NODATA) != 0))
        idl_fail(message->pos, "fallback %s %s", to->name, literal != NULL ? "takes no data" : "needs its data");
    if (literal == NULL)
        return;
    if (to->body->kind != K_TUPLE || to->body->fields_count != 1)
        idl_fail(message->pos, "fallback %s must have a single field", to->name);
    idl_kind kind = to->body->fields[0].type->kind;
    bool truth = strcmp(literal, "true") == 0 || strcmp(literal, "false") == 0;
    bool digits = literal[0] != '\0' && strspn(literal, "0123456789") == strlen(literal);
    if (!(kind == K_TEXT || (kind == K_BOOL && truth) || (kind == K_INT && digits && strlen(literal) < 19)))
        idl_fail(message->pos, "%s doesn't fit the %s of fallback %s", literal, idl_kind_words[kind], to->name);
}

static int depth_of(const idl_type *type)
{
    int deepest = 0;
    for (size_t i = 0; i < type->fields_count; i++) {
        int depth = depth_of(type->fields[i].type);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + (type->kind >= K_LIST ? 1 : 0);
}

static void check_message(const idl_protocol *protocol, idl_message *m)
{
    bool in = m->kind == M_IN;
    if ((m->flags & (MF_NOREPLY | MF_MALFORMED | MF_AGAIN)) != 0 && !in)
        idl_fail(m->pos, "noreply, malformed and again are for in messages");
    if ((m->flags & MF_LATER) != 0 && (!in || protocol->queue != Q_ROUTER || m->fallback_word == NULL))
        idl_fail(m->pos, "later is for in messages of router queues that have a fallback");
    if (m->fallback_word != NULL && (!in || protocol->queue != Q_ROUTER))
        idl_fail(m->pos, "fallback is for in messages of router queues");
    if (m->fallback_word != NULL && (m->flags & MF_NOREPLY) != 0)
        idl_fail(m->pos, "a noreply message has no fallback");
    if (in && protocol->queue != Q_ROUTER && (m->flags & MF_NOREPLY) == 0)
        idl_fail(m->pos, "in messages of a %s queue are noreply", idl_queue_words[protocol->queue]);
    if ((m->flags & MF_BARE) != 0 && (m->body->kind != K_TUPLE || m->body->fields_count != 1))
        idl_fail(m->pos, "a bare message has exactly one field");
    if (m->lane != NULL && m->kind != M_CALL && m->kind != M_CAST)
        idl_fail(m->pos, "lanes are for calls and casts");
    if (m->deadline_ms != 0 && m->kind != M_CALL)
        idl_fail(m->pos, "deadlines are for calls");
    if ((m->kind == M_IN && protocol->queue == Q_PUB) || (m->kind == M_OUT && protocol->queue == Q_PULL))
        idl_fail(m->pos, "a %s queue has no %s messages", idl_queue_words[protocol->queue], idl_message_words[m->kind]);
    if (depth_of(m->body) > IDL_WIRE_DEPTH)
        idl_fail(m->pos, "%s nests more than %d deep", m->name, (int)IDL_WIRE_DEPTH);
    check_fallback(protocol, m);
}

static void check_protocol(idl_protocol *protocol)
{
    if (protocol->messages_count == 0)
        idl_fail(protocol->pos, "%s has no messages", protocol->name);
    if (protocol->messages_count > 1000)
        idl_fail(protocol->pos, "%s has more than 1000 messages", protocol->name);
    check_name(protocol->pos, protocol->name);
    for (size_t i = 0; i < protocol->messages_count; i++) {
        idl_message *m = &protocol->messages[i];
        check_name(m->pos, m->name);
        for (size_t j = 0; j < i; j++)
            if (strcmp(protocol->messages[j].name, m->name) == 0)
                idl_fail(m->pos, "message %s is there twice", m->name);
        m->cname = protocol->local ? m->name : idl_format("%s_%s", protocol->name, m->name);
        name_type(m->body, m->cname);
        check_message(protocol, m);
    }
}

static bool names_in(const idl_file *file, const char *name)
{
    for (size_t i = 0; i < file->types_count; i++)
        if (strcmp(file->types[i]->cname, name) == 0)
            return true;
    for (size_t i = 0; i < file->imports_count; i++)
        if (names_in(file->imports[i], name))
            return true;
    return false;
}

void idl_check(idl_file *file)
{
    for (size_t i = 0; i < file->types_count; i++) {
        idl_type *type = file->types[i];
        check_name(type->pos, type->cname);
        check_tuple(type, type->cname);
    }
    for (size_t i = 0; i < file->protocols_count; i++) {
        idl_protocol *protocol = &file->protocols[i];
        check_protocol(protocol);
        for (size_t j = 0; j < i; j++)
            if (strcmp(file->protocols[j].name, protocol->name) == 0)
                idl_fail(protocol->pos, "%s is declared twice", protocol->name);
        for (size_t j = 0; j < protocol->messages_count; j++)
            if (names_in(file, protocol->messages[j].cname))
                idl_fail(protocol->messages[j].pos, "%s is the name of a type already", protocol->messages[j].cname);
    }
}
