/* tables.c — the generated tables: types, messages and protocols as core/piw/type.h describes them. */
#include "idl.h"

#include <string.h>

typedef struct entry {
    const idl_type *type;
    const char *name; /* of its table */
} entry;

typedef struct writer {
    idl_out *out;
    entry *done; /* tables that stand above, or in another file */
    size_t done_count;
    size_t unnamed;
    bool none; /* the table of "no data" stands above */
} writer;

static const char *const kind_names[K_COUNT] = {"PIW_INT",  "PIW_FLOAT", "PIW_BOOL",     "PIW_TEXT", "PIW_BYTES",
                                                "PIW_BLOB", "PIW_TIME",  "PIW_DURATION", "PIW_ANY",  "PIW_REQUEST",
                                                "PIW_LIST", "PIW_MAP",   "PIW_TUPLE",    "PIW_ONEOF"};
static const char *const message_names[M_COUNT] = {"PIW_M_CALL",  "PIW_M_CAST",  "PIW_M_REPLY",
                                                   "PIW_M_EVENT", "PIW_M_STATE", "PIW_M_WORK",
                                                   "PIW_M_IN",    "PIW_M_OUT",   "PIW_M_PEER"};
static const char *const queue_names[Q_COUNT] = {"PIW_Q_NONE", "PIW_Q_ROUTER", "PIW_Q_FRAMES", "PIW_Q_PULL",
                                                 "PIW_Q_PUB"};

static const char *flag_names(unsigned flags)
{
    static const char *const names[] = {"0",
                                        "PIW_F_NULL",
                                        "PIW_F_OPTIONAL",
                                        "PIW_F_NULL | PIW_F_OPTIONAL",
                                        "PIW_F_LOSSY",
                                        "PIW_F_NULL | PIW_F_LOSSY",
                                        "PIW_F_OPTIONAL | PIW_F_LOSSY",
                                        "PIW_F_NULL | PIW_F_OPTIONAL | PIW_F_LOSSY"};
    return names[flags];
}

static bool scalar(const idl_type *type)
{
    return type->kind < K_LIST;
}

/* Scalars of one kind and bound share a table. */
static const entry *find(const writer *w, const idl_type *type)
{
    for (size_t i = 0; i < w->done_count; i++) {
        const idl_type *other = w->done[i].type;
        if (other == type || (scalar(type) && other->kind == type->kind && other->max == type->max))
            return &w->done[i];
    }
    return NULL;
}

static void remember(writer *w, const idl_type *type, const char *name)
{
    entry *e = idl_append(&w->done, &w->done_count, sizeof(*e));
    *e = (entry){type, name};
}

static const char *table(writer *w, const idl_type *type, const idl_file *file);

static void field_row(idl_out *out, const idl_field *field, const char *name, const char *offset,
                      const char *table_name)
{
    idl_print(out, "    {.name = %s%s%s, .type = &%s, .offset = %s, .flags = %s},\n", name != NULL ? "\"" : "",
              name != NULL ? name : "NULL", name != NULL ? "\"" : "", table_name, offset, flag_names(field->flags));
}

static void scalar_table(writer *w, const idl_type *type)
{
    static const char *const sizes[] = {"int64_t",    "double",   "bool",         "piw_text", "piw_bytes",
                                        "piw_blob *", "piw_time", "piw_duration", "piw_any",  "piw_token"};
    const char *name = type->max != 0
                           ? idl_format("type_%s_%llu", idl_kind_words[type->kind], (unsigned long long)type->max)
                           : idl_format("type_%s", idl_kind_words[type->kind]);
    idl_print(w->out, "static const piw_type %s = {.kind = %s, .size = sizeof(%s)", name, kind_names[type->kind],
              sizes[type->kind]);
    if (type->max != 0)
        idl_print(w->out, ", .max = %llu", (unsigned long long)type->max);
    idl_print(w->out, "};\n");
    remember(w, type, name);
}

static void compound_table(writer *w, const idl_type *type, const idl_file *file)
{
    idl_out rows = {0};
    const char *name = type->named                                      ? idl_format("%s_table", type->cname)
                       : type->kind == K_TUPLE || type->kind == K_ONEOF ? idl_format("type_%s", type->cname)
                       : type->kind == K_LIST                           ? idl_format("list_%zu", w->unnamed++)
                                                                        : idl_format("map_%zu", w->unnamed++);
    const char *tables[2] = {0};
    for (size_t i = 0; i < type->fields_count; i++) {
        const idl_field *field = &type->fields[i];
        const char *inner = table(w, field->type, file);
        if (i < 2)
            tables[i] = inner;
        const char *within = field->within != NULL ? idl_format("%s.", field->within->name) : "";
        if (type->kind == K_TUPLE)
            field_row(&rows, field, field->name, idl_format("offsetof(%s, %s%s)", type->cname, within, field->name),
                      inner);
        else if (type->kind == K_ONEOF)
            field_row(&rows, field, field->name,
                      field->type->fields_count > 0 ? idl_format("offsetof(%s, %s)", type->cname, field->name) : "0",
                      inner);
    }
    if (type->kind == K_LIST) {
        field_row(&rows, &type->fields[0], NULL, "0", tables[0]);
    } else if (type->kind == K_MAP) {
        idl_print(w->out, "typedef struct entry_%s { _Alignas(8) %s key; %s value; } entry_%s;\n", name,
                  idl_ctype(type->fields[0].type, type->fields[0].flags),
                  idl_ctype(type->fields[1].type, type->fields[1].flags), name);
        field_row(&rows, &type->fields[0], "key", "0", tables[0]);
        field_row(&rows, &type->fields[1], "value", idl_format("offsetof(entry_%s, value)", name), tables[1]);
    }
    const char *own = type->named ? idl_format("\"%s\"", type->cname) : "NULL";
    const char *size =
        type->kind == K_LIST || type->kind == K_MAP ? "struct { uint32_t count; void *at; }" : type->cname;
    idl_print(w->out, "static const piw_field fields_%s[] = {\n%s};\n", name, rows.text);
    idl_print(w->out,
              "%sconst piw_type %s = {.name = %s, .kind = %s, .size = sizeof(%s), .max = %llu,\n"
              "    .fields_count = %zu, .fields = fields_%s};\n",
              type->named ? "" : "static ", name, own, kind_names[type->kind], size, (unsigned long long)type->max,
              type->fields_count, name);
    remember(w, type, name);
}

/* The name of a type's table, which is written first when it isn't there yet. */
static const char *table(writer *w, const idl_type *type, const idl_file *file)
{
    const entry *known = find(w, type);
    if (known != NULL)
        return known->name;
    if (type->kind == K_TUPLE && type->fields_count == 0) {
        if (!w->none)
            idl_print(w->out, "static const piw_type type_none = {.kind = PIW_TUPLE};\n");
        w->none = true;
        remember(w, type, "type_none");
    } else if (scalar(type)) {
        scalar_table(w, type);
    } else if (type->named && type->home != file) {
        remember(w, type, idl_format("%s_table", type->cname));
    } else {
        compound_table(w, type, file);
    }
    return w->done[w->done_count - 1].name;
}

/* Every type that a protocol reaches, each once, inner ones first. */
static void reach(writer *w, const idl_type *type, const idl_file *file, const char ***names, size_t *count)
{
    for (size_t i = 0; i < type->fields_count; i++)
        reach(w, type->fields[i].type, file, names, count);
    /* Types of other files reach tables that this file can't name; the copier follows the fields to them. */
    if (type->home != file && !type->named && find(w, type) == NULL)
        return;
    const char *name = table(w, type, file);
    for (size_t i = 0; i < *count; i++)
        if (strcmp((*names)[i], name) == 0)
            return;
    *(const char **)idl_append(names, count, sizeof(name)) = name;
}

static const char *message_flags(unsigned flags)
{
    static const char *const names[] = {"PIW_M_NOREPLY", "PIW_M_MALFORMED", "PIW_M_BARE",
                                        "PIW_M_NODATA",  "PIW_M_AGAIN",     "PIW_M_LATER"};
    idl_out out = {0};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if ((flags & 1u << i) != 0)
            idl_print(&out, "%s%s", out.len > 0 ? " | " : "", names[i]);
    return out.len > 0 ? out.text : "0";
}

static const char *quoted(const char *text)
{
    return text != NULL ? idl_format("\"%s\"", text) : "NULL";
}

static void protocol_tables(writer *w, const idl_protocol *protocol, const idl_file *file)
{
    const char *p = protocol->name;
    const char **names = NULL;
    size_t count = 0;
    for (size_t i = 0; i < protocol->messages_count; i++)
        table(w, protocol->messages[i].body, file);
    for (size_t i = 0; i < protocol->messages_count; i++)
        reach(w, protocol->messages[i].body, file, &names, &count);
    idl_out *out = w->out;
    idl_print(out, "\nstatic const piw_msg_type %s_messages[] = {\n", p);
    for (size_t i = 0; i < protocol->messages_count; i++) {
        const idl_message *m = &protocol->messages[i];
        idl_print(out, "    {.name = \"%s\", .body = &%s, .kind = %s, .flags = %s, .reply = %d, .fallback = %d,\n",
                  m->name, find(w, m->body)->name, message_names[m->kind], message_flags(m->flags), m->reply,
                  m->fallback);
        idl_print(out, "     .fallback_text = %s, .lane = %s, .deadline_ms = %u, .index = %zu},\n",
                  quoted(m->fallback_text), quoted(m->lane), m->deadline_ms, i);
    }
    idl_print(out, "};\n\nstatic const piw_type *const %s_types[] = {\n", p);
    for (size_t i = 0; i < count; i++)
        idl_print(out, "    &%s,\n", names[i]);
    idl_print(out, "};\n\nstatic const piw_protocol %s_protocol = {\n    .name = \"%s\", .hash = 0x%016llx,\n", p, p,
              (unsigned long long)idl_hash(protocol));
    idl_print(out,
              "    .messages = %s_messages, .messages_count = %zu, .queue = %s, .queue_flags = %u,\n    .message_max = "
              "%llu,\n",
              p, protocol->messages_count, queue_names[protocol->queue], protocol->queue_flags,
              (unsigned long long)protocol->message_max);
    idl_print(
        out,
        "    .types = %s_types, .types_count = %zu,\n};\npiw_protocol_def %s_protocol_def = {.own = &%s_protocol};\n",
        p, count, p, p);
}

void idl_tables(const idl_file *file, idl_out *out)
{
    const char *base = idl_base(file->path);
    writer w = {.out = out};
    idl_print(out, "/* %s.c — generated by piw-idl from %s; changes belong there. */\n#include \"%s.h\"\n\n", base,
              base, base);
    for (size_t i = 0; i < file->types_count; i++)
        table(&w, file->types[i], file);
    for (size_t i = 0; i < file->protocols_count; i++)
        protocol_tables(&w, &file->protocols[i], file);
}
