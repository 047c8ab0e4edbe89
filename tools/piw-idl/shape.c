/* shape.c — a protocol as canonical IDL text: what is hashed, and what the lock keeps. */
#include "idl.h"

#include <string.h>

static void fields_text(const idl_type *type, bool expand, idl_out *out)
{
    idl_print(out, "(");
    for (size_t i = 0; i < type->fields_count; i++) {
        const idl_field *field = &type->fields[i];
        idl_print(out, "%s%s: ", i > 0 ? ", " : "", field->name);
        idl_type_text(field->type, field->flags, expand, out);
    }
    idl_print(out, ")");
}

void idl_type_text(const idl_type *type, unsigned flags, bool expand, idl_out *out)
{
    if (type->named && !expand) {
        idl_print(out, "%s", type->cname);
    } else if (type->kind == K_TUPLE) {
        fields_text(type, expand, out);
    } else if (type->kind == K_LIST) {
        idl_print(out, "[");
        idl_type_text(type->fields[0].type, type->fields[0].flags, expand, out);
        idl_print(out, "](%llu)", (unsigned long long)type->max);
    } else if (type->kind == K_MAP) {
        idl_print(out, "{");
        idl_type_text(type->fields[0].type, type->fields[0].flags, expand, out);
        idl_print(out, ": ");
        idl_type_text(type->fields[1].type, type->fields[1].flags, expand, out);
        idl_print(out, "}(%llu)", (unsigned long long)type->max);
    } else if (type->kind == K_ONEOF) {
        idl_print(out, "oneof { ");
        for (size_t i = 0; i < type->fields_count; i++) {
            idl_print(out, "%s\"%s\"", i > 0 ? " | " : "", type->fields[i].name);
            if (type->fields[i].type->fields_count > 0) {
                idl_print(out, " ");
                fields_text(type->fields[i].type, expand, out);
            }
        }
        idl_print(out, " }");
    } else if (type->max != 0) {
        idl_print(out, "%s(%llu)", idl_kind_words[type->kind], (unsigned long long)type->max);
    } else {
        idl_print(out, "%s", idl_kind_words[type->kind]);
    }
    idl_print(out, "%s%s%s", (flags & F_NULL) != 0 ? "?" : "", (flags & F_LOSSY) != 0 ? " lossy" : "",
              (flags & F_OPTIONAL) != 0 ? " optional" : "");
}

static void message_text(const idl_protocol *protocol, const idl_message *m, idl_out *out)
{
    idl_print(out, "    %s %s ", idl_message_words[m->kind], m->name);
    idl_type_text(m->body, 0, true, out);
    if (m->reply >= 0) {
        idl_print(out, " -> ");
        idl_type_text(protocol->messages[m->reply].body, 0, true, out);
    }
    static const struct {
        unsigned flag;
        const char *word;
    } flags[] = {{MF_BARE, "bare"},
                 {MF_NOREPLY, "noreply"},
                 {MF_MALFORMED, "malformed"},
                 {MF_AGAIN, "again"},
                 {MF_LATER, "later"}};
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if ((m->flags & flags[i].flag) != 0)
            idl_print(out, " %s", flags[i].word);
    if (m->fallback_word != NULL)
        idl_print(out, " fallback %s", m->fallback_word);
    if (m->fallback_text != NULL) {
        bool plain = strcmp(m->fallback_text, "?") == 0 || strcmp(m->fallback_text, "true") == 0 ||
                     strcmp(m->fallback_text, "false") == 0;
        idl_print(out, plain ? " %s" : " \"%s\"", m->fallback_text);
    }
    if (m->lane != NULL)
        idl_print(out, " lane %s", m->lane);
    if (m->deadline_ms != 0)
        idl_print(out, " deadline %ums", m->deadline_ms);
    idl_print(out, "\n");
}

void idl_shape(const idl_protocol *protocol, idl_out *out)
{
    if (protocol->queue != Q_NONE)
        idl_print(out, "queue %s %s %llu {\n", protocol->name, idl_queue_words[protocol->queue],
                  (unsigned long long)protocol->message_max);
    else
        idl_print(out, "%s %s {\n", protocol->local ? "local" : "service", protocol->name);
    for (size_t i = 0; i < protocol->messages_count; i++) {
        bool answer = i > 0 && protocol->messages[i - 1].reply == (int)i;
        if (!answer)
            message_text(protocol, &protocol->messages[i], out);
    }
    idl_print(out, "}\n");
}

uint64_t idl_hash(const idl_protocol *protocol)
{
    idl_out out = {0};
    idl_shape(protocol, &out);
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < out.len; i++)
        hash = (hash ^ (unsigned char)out.text[i]) * 0x100000001b3u;
    return hash;
}
