/* header.c — the generated header: plain structs, enums, and small constructors and accessors over the tables. */
#include "idl.h"

#include <string.h>

static const char *const scalar_types[] = {"int64_t",    "double",   "bool",         "piw_text", "piw_bytes",
                                           "piw_blob *", "piw_time", "piw_duration", "piw_any",  "piw_token"};

bool idl_by_pointer(const idl_type *type, unsigned flags)
{
    return (flags & (F_NULL | F_OPTIONAL)) != 0 && type->kind != K_TEXT && type->kind != K_BYTES &&
           type->kind != K_BLOB;
}

static char *plain_ctype(const idl_type *type)
{
    const idl_field *f = type->fields;
    switch (type->kind) {
    case K_LIST:
        return idl_format("struct { uint32_t count; %s *at; }", idl_ctype(f[0].type, f[0].flags));
    case K_MAP:
        /* The runtime steps from entry to entry in multiples of 8, which is what this makes of them on 32-bit machines. */
        return idl_format("struct { uint32_t count; struct { __attribute__((aligned(8))) %s key; %s value; } *at; }",
                          idl_ctype(f[0].type, f[0].flags), idl_ctype(f[1].type, f[1].flags));
    case K_TUPLE:
    case K_ONEOF:
        return idl_format("%s", type->cname);
    default:
        return idl_format("%s", scalar_types[type->kind]);
    }
}

char *idl_ctype(const idl_type *type, unsigned flags)
{
    char *plain = plain_ctype(type);
    return idl_by_pointer(type, flags) ? idl_format("const %s *", plain) : plain;
}

static void comment(const char *doc, const char *indent, idl_out *out)
{
    if (doc == NULL)
        return;
    idl_print(out, "%s/* ", indent);
    for (const char *line = doc; line != NULL;) {
        const char *end = strchr(line, '\n');
        int len = end != NULL ? (int)(end - line) : (int)strlen(line);
        idl_print(out, "%.*s", len, line);
        if (end != NULL)
            idl_print(out, "\n%s *%s", indent, end[1] != '\n' && end[1] != '\0' ? " " : "");
        line = end != NULL ? end + 1 : NULL;
    }
    idl_print(out, " */\n");
}

static const char *star(const char *ctype)
{
    return ctype[strlen(ctype) - 1] == '*' ? "" : " ";
}

static void structure(const idl_type *type, idl_out *out);

/* Structs that lie inside, first. */
static void inner(const idl_type *type, idl_out *out)
{
    for (size_t i = 0; i < type->fields_count; i++) {
        const idl_type *t = type->fields[i].type;
        if (type->fields[i].within != NULL)
            continue;
        if (t->kind == K_LIST || t->kind == K_MAP)
            inner(t, out);
        else if ((t->kind == K_TUPLE || t->kind == K_ONEOF) && !t->named && t->fields_count > 0)
            structure(t, out);
    }
}

/* Is this field the first that its inline member brings? */
static bool stands_first(const idl_type *type, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (type->fields[i].within == type->fields[at].within)
            return false;
    return true;
}

static void tuple_struct(const idl_type *type, idl_out *out)
{
    idl_print(out, "typedef struct %s {\n", type->cname);
    for (size_t i = 0; i < type->fields_count; i++) {
        const idl_field *field = &type->fields[i];
        if (field->within != NULL) {
            if (!stands_first(type, i))
                continue;
            field = field->within;
        }
        const char *ctype = idl_ctype(field->type, field->flags);
        idl_out text = {0};
        idl_type_text(field->type, field->flags, false, &text);
        bool plain = strcmp(text.text, idl_kind_words[field->type->kind]) == 0;
        bool note = !plain && field->type->kind != K_TUPLE && field->type->kind != K_ONEOF;
        comment(field->doc, "    ", out);
        idl_print(out, "    %s%s%s;", ctype, star(ctype), field->name);
        idl_print(out, note ? " /* %s */\n" : "\n", text.text);
    }
    idl_print(out, "} %s;\n", type->cname);
}

static void oneof_struct(const idl_type *type, idl_out *out)
{
    const char *upper = idl_upper(type->cname);
    bool any = false;
    idl_print(out, "enum {\n");
    for (size_t i = 0; i < type->fields_count; i++)
        idl_print(out, "    %s_%s,\n", upper, type->fields[i].name);
    idl_print(out, "};\ntypedef struct %s {\n    int which; /* %s_… */\n", type->cname, upper);
    for (size_t i = 0; i < type->fields_count; i++) {
        const idl_type *alternative = type->fields[i].type;
        if (alternative->fields_count == 0)
            continue;
        idl_print(out, "%s        %s %s;\n", any ? "" : "    union {\n", alternative->cname, type->fields[i].name);
        any = true;
    }
    idl_print(out, "%s} %s;\n", any ? "    };\n" : "", type->cname);
}

static void structure(const idl_type *type, idl_out *out)
{
    inner(type, out);
    comment(type->doc, "", out);
    if (type->kind == K_ONEOF)
        oneof_struct(type, out);
    else
        tuple_struct(type, out);
    idl_print(out, "\n");
}

static bool simple(const idl_type *type)
{
    switch (type->kind) {
    case K_INT:
    case K_FLOAT:
    case K_BOOL:
    case K_TEXT:
    case K_TIME:
    case K_DURATION:
    case K_REQUEST:
        return true;
    default:
        return false;
    }
}

/* Does the message get a constructor that takes its members? */
static bool has_make(const idl_message *m)
{
    if (m->body->kind != K_TUPLE || m->body->fields_count == 0 || m->body->fields_count > IDL_MAKE_MAX)
        return false;
    for (size_t i = 0; i < m->body->fields_count; i++)
        if (!simple(m->body->fields[i].type) || m->body->fields[i].within != NULL)
            return false;
    return true;
}

static void make(const idl_message *m, idl_out *out)
{
    const idl_type *body = m->body;
    idl_print(out, "static inline piw_msg *%s_make(", m->cname);
    for (size_t i = 0; i < body->fields_count; i++) {
        const char *ctype = idl_ctype(body->fields[i].type, body->fields[i].flags);
        idl_print(out, "%s%s%s%s", i > 0 ? ", " : "", ctype, star(ctype), body->fields[i].name);
    }
    idl_print(out, ")\n{\n    piw_msg *msg_ = piw_msg_new(%s_type());\n    %s *body_ = (%s *)piw_msg_any_body(msg_);\n",
              m->cname, body->cname, body->cname);
    for (size_t i = 0; i < body->fields_count; i++) {
        const idl_field *field = &body->fields[i];
        const char *name = field->name;
        if (field->type->kind == K_TEXT) {
            idl_print(out, "    if (%s.s != NULL)\n        body_->%s = piw_msg_text(msg_, %s.s, %s.len);\n", name, name,
                      name, name);
        } else if (idl_by_pointer(field->type, field->flags)) {
            idl_print(out,
                      "    if (%s != NULL)\n        body_->%s = (%s)memcpy(piw_msg_alloc(msg_, sizeof *%s), %s, sizeof "
                      "*%s);\n",
                      name, name, idl_ctype(field->type, field->flags), name, name, name);
        } else {
            idl_print(out, "    body_->%s = %s;\n", name, name);
        }
    }
    idl_print(out, "    return msg_;\n}\n");
}

static void message(const idl_protocol *protocol, const idl_message *m, idl_out *out)
{
    const char *upper = idl_upper(m->cname), *c = m->cname;
    idl_out text = {0};
    idl_type_text(m->body, 0, false, &text);
    if (m->doc != NULL)
        comment(m->doc, "", out);
    else if (m->body->named)
        idl_print(out, "/* %s: %s */\n", m->name, text.text);
    if (m->body->fields_count > 0 && !m->body->named)
        structure(m->body, out);
    idl_print(out,
              "static inline const piw_msg_type *%s_type(void)\n{\n"
              "    return &%s_protocol_def.interned->messages[%s];\n}\n",
              c, protocol->name, upper);
    if (m->body->fields_count == 0) {
        idl_print(out, "static inline piw_msg *%s_new(void)\n{\n    return piw_msg_new(%s_type());\n}\n\n", c, c);
        return;
    }
    const char *body = m->body->cname;
    idl_print(out,
              "static inline piw_msg *%s_new(%s **body)\n{\n    piw_msg *msg = piw_msg_new(%s_type());\n"
              "    *body = (%s *)piw_msg_any_body(msg);\n    return msg;\n}\n",
              c, body, c, body);
    idl_print(out,
              "static inline const %s *%s_of(const piw_msg *msg)\n{\n    return (const %s *)piw_msg_body(msg, "
              "%s_type());\n}\n",
              body, c, body, c);
    if (has_make(m))
        make(m, out);
    idl_print(out, "\n");
}

static void protocol_header(const idl_protocol *protocol, idl_out *out)
{
    static const char *const what[] = {"Service", "Queue", "Queue", "Queue", "Queue"};
    const char *kind = protocol->local ? "Events, states, peers and jobs of" : what[protocol->queue];
    idl_print(out, "/* --- %s %s --- */\n\n", kind, protocol->name);
    if (!protocol->local)
        comment(protocol->doc, "", out);
    idl_print(out, "extern __attribute__((visibility(\"hidden\"))) piw_protocol_def %s_protocol_def;\n\nenum {\n",
              protocol->name);
    for (size_t i = 0; i < protocol->messages_count; i++)
        idl_print(out, "    %s,\n", idl_upper(protocol->messages[i].cname));
    idl_print(out, "};\n\n");
    for (size_t i = 0; i < protocol->messages_count; i++)
        message(protocol, &protocol->messages[i], out);
}

void idl_header(const idl_file *file, idl_out *out)
{
    const char *base = idl_base(file->path);
    const char *guard = idl_upper(file->name);
    idl_print(out, "/* %s.h — generated by piw-idl from %s; changes belong there. */\n", base, base);
    idl_print(out, "#ifndef PIW_GEN_%s_H\n#define PIW_GEN_%s_H\n\n#include \"piw/msg.h\"\n", guard, guard);
    for (size_t i = 0; i < file->imports_count; i++)
        idl_print(out, "#include \"%s.piw.h\"\n", file->imports[i]->name);
    idl_print(out, "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    if (file->doc != NULL) {
        comment(file->doc, "", out);
        idl_print(out, "\n");
    }
    for (size_t i = 0; i < file->types_count; i++) {
        const idl_type *type = file->types[i];
        structure(type, out);
        idl_print(out, "extern __attribute__((visibility(\"hidden\"))) const piw_type %s_table;\n", type->cname);
        idl_print(out, "static inline const piw_type *%s_type(void)\n{\n    return &%s_table;\n}\n\n", type->cname,
                  type->cname);
    }
    for (size_t i = 0; i < file->protocols_count; i++)
        protocol_header(&file->protocols[i], out);
    idl_print(out, "#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}
