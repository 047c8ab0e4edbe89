/* parse.c — tokens to what a file says. The grammar is docs/idl.md. */
#include "parse.h"

#include <stdlib.h>
#include <string.h>

static void fallback(idl_parser *p, idl_message *message)
{
    message->fallback_word = idl_word(p, "the message that an error becomes");
    idl_token *token = idl_peek(p);
    if (token->first)
        return;
    if (idl_is(p, "?") || idl_is(p, "true") || idl_is(p, "false") || token->kind == IDL_NUMBER ||
        token->kind == IDL_STRING)
        message->fallback_text = idl_next(p)->text;
}

static bool flag(idl_parser *p, idl_message *message)
{
    if (idl_eat(p, "noreply"))
        message->flags |= MF_NOREPLY;
    else if (idl_eat(p, "malformed"))
        message->flags |= MF_MALFORMED;
    else if (idl_eat(p, "bare"))
        message->flags |= MF_BARE;
    else if (idl_eat(p, "again"))
        message->flags |= MF_AGAIN;
    else if (idl_eat(p, "later"))
        message->flags |= MF_LATER;
    else if (idl_eat(p, "fallback"))
        fallback(p, message);
    else if (idl_eat(p, "lane"))
        message->lane = idl_word(p, "the name of a lane");
    else if (idl_eat(p, "deadline"))
        message->deadline_ms = (uint32_t)idl_span(p);
    else
        return false;
    return true;
}

/* Does the data of a message stand here, rather than its flags or what follows it? */
static bool body_follows(idl_parser *p)
{
    static const char *const others[] = {"noreply", "malformed", "bare", "again", "later", "fallback",
                                         "lane",    "deadline",  "in",   "out",   "call",  "cast"};
    if (idl_is(p, "(") || idl_is(p, "oneof"))
        return true;
    bool word = idl_peek(p)->kind == IDL_WORD && !idl_peek(p)->first;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]) && word; i++)
        word = !idl_is(p, others[i]);
    return word;
}

static void add_reply(idl_protocol *protocol, size_t index, idl_type *answer)
{
    idl_message *reply = idl_append(&protocol->messages, &protocol->messages_count, sizeof(*reply));
    idl_message *asked = &protocol->messages[index];
    *reply = (idl_message){.pos = asked->pos,
                           .name = idl_format("%s_reply", asked->name),
                           .kind = asked->kind == M_CALL ? M_REPLY : M_WORK,
                           .flags = answer->kind == K_TUPLE && answer->fields_count == 0 ? MF_NODATA : 0,
                           .body = answer,
                           .reply = -1,
                           .fallback = -1};
    asked->reply = (int)index + 1;
}

/* The message after its kind's word; for calls and jobs also the answer's type. */
static void message(idl_parser *p, idl_protocol *protocol, idl_message_kind kind, const char *doc)
{
    idl_message *m = idl_append(&protocol->messages, &protocol->messages_count, sizeof(*m));
    size_t index = protocol->messages_count - 1;
    *m = (idl_message){.pos = idl_here(p), .kind = kind, .reply = -1, .fallback = -1};
    m->name = idl_word(p, "the name of the message");
    m->body = body_follows(p) ? idl_body(p) : idl_new_type(p, K_TUPLE);
    if (m->body->kind == K_TUPLE && m->body->fields_count == 0)
        m->flags |= MF_NODATA;
    idl_type *answer = NULL;
    if (kind == M_CALL || kind == M_WORK) {
        if (idl_peek(p)->kind != IDL_ARROW)
            idl_fail(idl_here(p), "'->' and the answer are wanted, not %s", idl_shown(idl_peek(p)));
        idl_next(p);
        answer = idl_body(p);
    }
    while (flag(p, m))
        ;
    m->doc = idl_joined(doc, idl_trail(p));
    if (answer != NULL)
        add_reply(protocol, index, answer);
}

static void block(idl_parser *p, idl_protocol *protocol, const idl_message_kind *kinds, size_t count, const char *what)
{
    idl_expect(p, "{");
    while (!idl_is(p, "}")) {
        const char *doc = idl_peek(p)->doc;
        size_t i = 0;
        while (i < count && !idl_is(p, idl_message_words[kinds[i]]))
            i++;
        if (i == count)
            idl_fail(idl_here(p), "%s or '}' is wanted, not %s", what, idl_shown(idl_peek(p)));
        idl_next(p);
        message(p, protocol, kinds[i], doc);
    }
    idl_expect(p, "}");
}

static idl_protocol *new_protocol(idl_parser *p, const char *doc)
{
    idl_protocol *protocol = idl_append(&p->file->protocols, &p->file->protocols_count, sizeof(*protocol));
    protocol->pos = idl_here(p);
    protocol->doc = doc;
    return protocol;
}

static void queue(idl_parser *p, const char *doc)
{
    idl_protocol *protocol = new_protocol(p, doc);
    protocol->name = idl_word(p, "the name of the queue");
    for (int kind = Q_ROUTER; kind < Q_COUNT; kind++)
        if (idl_is(p, idl_queue_words[kind]))
            protocol->queue = (idl_queue_kind)kind;
    if (protocol->queue == Q_NONE)
        idl_fail(idl_here(p), "router, frames, pull or pub is wanted, not %s", idl_shown(idl_peek(p)));
    idl_next(p);
    protocol->message_max = idl_size(p);
    for (unsigned i = 0; idl_queue_flags[i] != NULL; i++)
        if (idl_eat(p, idl_queue_flags[i]))
            protocol->queue_flags |= 1u << i;
    block(p, protocol, (idl_message_kind[]){M_IN, M_OUT}, 2, "in, out");
}

static void service(idl_parser *p, const char *doc)
{
    idl_protocol *protocol = new_protocol(p, doc);
    protocol->name = idl_word(p, "the name of the service");
    block(p, protocol, (idl_message_kind[]){M_CALL, M_CAST}, 2, "call, cast");
}

static void type_declaration(idl_parser *p, const char *doc)
{
    idl_type *type = idl_new_type(p, K_TUPLE);
    const char *name = idl_word(p, "the name of the type");
    for (int kind = 0; kind < K_COUNT; kind++)
        if (strcmp(idl_kind_words[kind], name) == 0)
            idl_fail(type->pos, "%s is a type of the language", name);
    idl_type *other = idl_named_type(p->file, name);
    if (other != NULL)
        idl_fail(type->pos, "type %s is declared already, in %s:%d", name, other->pos.file, other->pos.line);
    idl_tuple_fields(p, type, 1);
    if (type->fields_count == 0)
        idl_fail(type->pos, "type %s has no fields", name);
    type->named = true;
    type->cname = name;
    type->doc = idl_joined(doc, idl_trail(p));
    *(idl_type **)idl_append(&p->file->types, &p->file->types_count, sizeof(type)) = type;
}

static void import(idl_parser *p)
{
    idl_pos pos = idl_here(p);
    const char *name = idl_word(p, "the name of a file");
    const char *slash = strrchr(p->file->path, '/');
    idl_context *context = p->context;
    char *path = slash != NULL ? idl_format("%.*s/%s.piw", (int)(slash - p->file->path), p->file->path, name)
                               : idl_format("%s.piw", name);
    for (size_t i = 0; i <= context->dirs_count; i++) {
        FILE *there = fopen(path, "rb");
        if (there != NULL) {
            fclose(there);
            break;
        }
        if (i == context->dirs_count)
            idl_fail(pos, "%s.piw isn't found in the folder of this file or an --import folder", name);
        path = idl_format("%s/%s.piw", context->dirs[i], name);
    }
    for (size_t i = 0; i < context->files_count; i++)
        if (strcmp(context->files[i]->name, name) == 0 && context->files[i]->loading)
            idl_fail(pos, "%s imports itself, by way of other files or at once", name);
    idl_file *file = idl_load(context, path);
    *(idl_file **)idl_append(&p->file->imports, &p->file->imports_count, sizeof(file)) = file;
}

/* The protocol of what stands in the file outside of queues and services. */
static idl_protocol *local(idl_parser *p)
{
    idl_file *file = p->file;
    for (size_t i = 0; i < file->protocols_count; i++)
        if (file->protocols[i].local)
            return &file->protocols[i];
    idl_protocol *protocol = new_protocol(p, file->doc);
    protocol->local = true;
    return protocol;
}

static void lock_local(idl_parser *p)
{
    idl_protocol *protocol = new_protocol(p, NULL);
    protocol->local = true;
    protocol->name = idl_word(p, "the name of a protocol");
    block(p, protocol, (idl_message_kind[]){M_EVENT, M_STATE, M_WORK, M_PEER}, 4, "event, state, work, peer");
}

static void declaration(idl_parser *p)
{
    static const idl_message_kind kinds[] = {M_EVENT, M_STATE, M_WORK, M_PEER};
    const char *doc = idl_peek(p)->doc;
    if (idl_eat(p, "import"))
        return import(p);
    if (idl_eat(p, "type"))
        return type_declaration(p, doc);
    if (idl_eat(p, "queue"))
        return queue(p, doc);
    if (idl_eat(p, "service"))
        return service(p, doc);
    if (p->lock && idl_eat(p, "local"))
        return lock_local(p);
    for (size_t i = 0; !p->lock && i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (idl_eat(p, idl_message_words[kinds[i]]))
            return message(p, local(p), kinds[i], doc);
    idl_fail(idl_here(p), "import, type, queue, service, event, state, work or peer is wanted, not %s",
             idl_shown(idl_peek(p)));
}

/* "proto/the-db.piw" -> "the_db". */
static char *base_name(const char *path)
{
    const char *base = idl_base(path);
    char *name = idl_copy(base, strlen(base));
    name[strcspn(name, ".")] = '\0';
    for (char *c = name; *c != '\0'; c++)
        if (*c == '-')
            *c = '_';
    return name;
}

static void name_local(idl_file *file)
{
    const char *name = file->name;
    for (size_t i = 0; i < file->protocols_count; i++)
        if (!file->protocols[i].local && strcmp(file->protocols[i].name, file->name) == 0)
            name = idl_format("%s_local", file->name);
    for (size_t i = 0; i < file->protocols_count; i++)
        if (file->protocols[i].local && file->protocols[i].name == NULL)
            file->protocols[i].name = name;
}

static idl_file *load(idl_context *context, const char *path, bool lock)
{
    const char *name = base_name(path);
    for (size_t i = 0; i < context->files_count; i++)
        if (strcmp(context->files[i]->name, name) == 0)
            return context->files[i];
    idl_pos start = {path, 1};
    if (context->files_count >= IDL_IMPORTS_MAX)
        idl_fail(start, "more than %d files are read", (int)IDL_IMPORTS_MAX);
    size_t len;
    char *text = idl_read(path, &len);
    if (text == NULL)
        idl_die("%s does not exist", path);
    idl_file *file = idl_alloc(sizeof(*file));
    if (!lock)
        *(idl_file **)idl_append(&context->files, &context->files_count, sizeof(file)) = file;
    file->path = path;
    file->name = name;
    file->loading = true;
    idl_parser p = {.context = context, .file = file, .tokens = idl_lex(path, text, len), .lock = lock};
    file->doc = p.tokens.doc;
    while (idl_peek(&p)->kind != IDL_END)
        declaration(&p);
    file->loading = false;
    name_local(file);
    idl_check(file);
    return file;
}

idl_file *idl_load(idl_context *context, const char *path)
{
    return load(context, path, false);
}

idl_file *idl_load_lock(idl_context *context, const char *path)
{
    return load(context, path, true);
}
