/* docs.c — docs/protocol.md: every message for people, with direction, data, answer and what the files say of it. */
#include "idl.h"

#include <string.h>

/* Comment lines as they stand; `indent` in front of each. */
static void doc_lines(const char *doc, const char *indent, idl_out *out)
{
    for (const char *line = doc; line != NULL;) {
        const char *end = strchr(line, '\n');
        int len = end != NULL ? (int)(end - line) : (int)strlen(line);
        idl_print(out, "%s%.*s\n", indent, len, line);
        line = end != NULL ? end + 1 : NULL;
    }
}

/* Angle brackets aren't used by the language, so a type needs no escaping inside a code span. */
static void type_span(const idl_type *type, unsigned flags, idl_out *out)
{
    if (type->named) {
        idl_print(out, "[`%s`](#%s)", type->cname, type->cname);
        return;
    }
    idl_print(out, "`");
    idl_type_text(type, flags, false, out);
    idl_print(out, "`");
}

static void fields(const idl_type *type, idl_out *out)
{
    for (size_t i = 0; i < type->fields_count; i++) {
        const idl_field *field = &type->fields[i];
        idl_out text = {0};
        idl_type_text(field->type, field->flags, false, &text);
        idl_print(out, "| `%s` | `", field->name);
        for (const char *c = text.text; *c != '\0'; c++)
            idl_print(out, *c == '|' ? "\\|" : "%c", *c);
        idl_print(out, "` | ");
        for (const char *c = field->doc != NULL ? field->doc : ""; *c != '\0'; c++)
            idl_print(out, *c == '|' ? "\\|" : *c == '\n' ? " " : "%c", *c);
        idl_print(out, " |\n");
    }
}

static const char *direction(const idl_message *m)
{
    switch (m->kind) {
    case M_IN:
        return "to the master";
    case M_OUT:
        return "from the master";
    case M_CALL:
        return "call";
    case M_CAST:
        return "cast";
    case M_EVENT:
        return "event, to whoever subscribed";
    case M_STATE:
        return "state that a task keeps over a swap";
    case M_WORK:
        return "job for the worker pool";
    case M_PEER:
        return "record kept for each peer";
    default:
        return "";
    }
}

static void handling(const idl_protocol *protocol, const idl_message *m, idl_out *out)
{
    if (m->reply >= 0) {
        const idl_message *reply = &protocol->messages[m->reply];
        idl_print(out, "- answer: ");
        if (reply->body->fields_count > 0)
            type_span(reply->body, 0, out);
        else
            idl_print(out, "without data");
        idl_print(out, "\n");
    }
    if (m->lane != NULL)
        idl_print(out, "- lane: `%s`\n", m->lane);
    if (m->deadline_ms != 0)
        idl_print(out, "- deadline: %u ms\n", m->deadline_ms);
    if ((m->flags & MF_NOREPLY) != 0)
        idl_print(out, "- is not answered\n");
    if ((m->flags & MF_MALFORMED) != 0)
        idl_print(out, "- is handed to the task also when its data do not fit\n");
    if ((m->flags & MF_AGAIN) != 0)
        idl_print(out, "- after an error the task is asked once more\n");
    if ((m->flags & MF_LATER) != 0)
        idl_print(out, "- waits until other requests that have come were handled\n");
    if (m->fallback_word != NULL && m->fallback_text != NULL && strcmp(m->fallback_text, "?") == 0)
        idl_print(out, "- an error is answered with `%s` and the error's text\n", m->fallback_word);
    else if (m->fallback_word != NULL)
        idl_print(out, "- an error is answered with `%s%s%s`\n", m->fallback_word, m->fallback_text != NULL ? " " : "",
                  m->fallback_text != NULL ? m->fallback_text : "");
}

static void message(const idl_protocol *protocol, const idl_message *m, idl_out *out)
{
    idl_print(out, "### %s %s\n\n", protocol->name, m->name);
    if (m->doc != NULL) {
        doc_lines(m->doc, "", out);
        idl_print(out, "\n");
    }
    idl_print(out, "- direction: %s\n- data: ", direction(m));
    if (m->body->fields_count == 0)
        idl_print(out, "none");
    else if ((m->flags & MF_BARE) != 0)
        type_span(m->body->fields[0].type, m->body->fields[0].flags, out);
    else
        type_span(m->body, 0, out);
    if ((m->flags & MF_BARE) != 0)
        idl_print(out, " (`%s`, the value itself)", m->body->fields[0].name);
    idl_print(out, "\n");
    handling(protocol, m, out);
    idl_print(out, "\n");
}

static void protocol_heading(const idl_protocol *protocol, idl_out *out)
{
    static const char *const kinds[Q_COUNT] = {[Q_ROUTER] = "ROUTER, towards REQ peers",
                                               [Q_FRAMES] = "ROUTER, towards DEALER peers, in plain multipart frames",
                                               [Q_PULL] = "PULL, from PUSH peers",
                                               [Q_PUB] = "PUB, to SUB peers"};
    const char *what = protocol->local ? "Events, states and jobs" : protocol->queue != Q_NONE ? "Queue" : "Service";
    idl_print(out, "## %s %s\n\n", what, protocol->name);
    if (protocol->doc != NULL) {
        doc_lines(protocol->doc, "", out);
        idl_print(out, "\n");
    }
    if (protocol->queue != Q_NONE)
        idl_print(out, "Socket: %s. A message has at most %llu bytes. Hash `%016llx`.\n\n", kinds[protocol->queue],
                  (unsigned long long)protocol->message_max, (unsigned long long)idl_hash(protocol));
    else
        idl_print(out, "Inside the master. Hash `%016llx`.\n\n", (unsigned long long)idl_hash(protocol));
}

static void protocols(idl_file *const *files, size_t count, bool queues, idl_out *out)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < files[i]->protocols_count; j++) {
            idl_protocol protocol = files[i]->protocols[j];
            if ((protocol.queue != Q_NONE) != queues)
                continue;
            /* What opens the file speaks of its queues and services when these have no comment of their own. */
            if (protocol.doc == NULL)
                protocol.doc = files[i]->doc;
            protocol_heading(&protocol, out);
            for (size_t k = 0; k < protocol.messages_count; k++)
                if (k == 0 || protocol.messages[k - 1].reply != (int)k)
                    message(&protocol, &protocol.messages[k], out);
        }
    }
}

void idl_docs(idl_file *const *files, size_t count, idl_out *out)
{
    idl_print(out,
              "# All messages\n\n"
              "Written by `make docs` from proto/*.piw; changes belong there. docs/idl.md explains the language.\n\n"
              "A message on a wire is its word alone when it has no data, else the list `[word, data]`, in CBOR or\n"
              "MessagePack; a tuple is a list of exactly its fields, but for `optional` ones at its end, which only\n"
              "MessagePack carries. `T?` may be null; `text(n)` has at most n characters, a list or map at most n\n"
              "elements; a `lossy` text has broken UTF-8 mended instead of being refused. First come the queues that\n"
              "other programs speak, then what tasks say to each other inside the master, then the types.\n\n");
    protocols(files, count, true, out);
    protocols(files, count, false, out);
    idl_print(out, "## Types\n\n");
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < files[i]->types_count; j++) {
            const idl_type *type = files[i]->types[j];
            idl_print(out, "### %s\n\n", type->cname);
            if (type->doc != NULL) {
                doc_lines(type->doc, "", out);
                idl_print(out, "\n");
            }
            idl_print(out, "| field | type | |\n| --- | --- | --- |\n");
            fields(type, out);
            idl_print(out, "\n");
        }
    }
}
