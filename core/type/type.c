/* type.c — protocols of the images, made the process's own: copied once a hash, never freed. */
#include "piw/type.h"

#include "piw/log.h"

#include <pthread.h>
#include <stdlib.h>

/* The protocols interned so far; `lock` guards it. What is in it never changes, so readers of a protocol need none. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const piw_protocol **interned;
static size_t interned_count, interned_size;

/* Types of one protocol that are copied already. */
typedef struct copier {
    const piw_type **from;
    piw_type **to;
    size_t count, size;
} copier;

static char *copy_text(const char *text)
{
    return text != NULL ? piw_strdup(text) : NULL;
}

static const piw_type *copy_type(copier *c, const piw_type *type)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->from[i] == type)
            return c->to[i];
    piw_field *fields = piw_zalloc((type->fields_count + 1) * sizeof(*fields));
    for (uint32_t i = 0; i < type->fields_count; i++) {
        fields[i] = type->fields[i];
        fields[i].name = copy_text(type->fields[i].name);
        fields[i].type = copy_type(c, type->fields[i].type);
    }
    piw_type *copy = piw_alloc(sizeof(*copy));
    *copy = *type;
    copy->name = copy_text(type->name);
    copy->fields = fields;
    if (c->count == c->size) {
        c->size = c->size == 0 ? 64 : c->size * 2;
        c->from = piw_realloc(c->from, c->size * sizeof(*c->from));
        c->to = piw_realloc(c->to, c->size * sizeof(*c->to));
    }
    c->from[c->count] = type;
    c->to[c->count++] = copy;
    return copy;
}

static const piw_protocol *copy_protocol(const piw_protocol *own)
{
    copier c = {0};
    piw_protocol *copy = piw_alloc(sizeof(*copy));
    piw_msg_type *messages = piw_zalloc((own->messages_count + 1u) * sizeof(*messages));
    *copy = *own;
    copy->name = piw_strdup(own->name);
    for (uint16_t i = 0; i < own->messages_count; i++) {
        piw_msg_type *message = &messages[i];
        *message = own->messages[i];
        message->name = piw_strdup(own->messages[i].name);
        message->fallback_text = copy_text(own->messages[i].fallback_text);
        message->lane = copy_text(own->messages[i].lane);
        message->body = copy_type(&c, own->messages[i].body);
        message->protocol = copy;
        message->index = i;
    }
    copy->messages = messages;
    copy->types = (const piw_type *const *)c.to;
    copy->types_count = (uint32_t)c.count;
    free(c.from);
    return copy;
}

/* --- Equal hashes must mean equal shapes: messages will pass by pointer --- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_type(const piw_type *a, const piw_type *b)
{
    if (a->kind != b->kind || a->size != b->size || a->max != b->max || a->fields_count != b->fields_count)
        return false;
    for (uint32_t i = 0; i < a->fields_count; i++) {
        const piw_field *x = &a->fields[i], *y = &b->fields[i];
        if (x->offset != y->offset || x->flags != y->flags || !same_text(x->name, y->name) ||
            !same_type(x->type, y->type))
            return false;
    }
    return true;
}

static bool same_protocol(const piw_protocol *a, const piw_protocol *b)
{
    if (!same_text(a->name, b->name) || a->messages_count != b->messages_count || a->queue != b->queue)
        return false;
    for (uint16_t i = 0; i < a->messages_count; i++) {
        const piw_msg_type *x = &a->messages[i], *y = &b->messages[i];
        if (!same_text(x->name, y->name) || x->kind != y->kind || x->flags != y->flags || x->reply != y->reply ||
            !same_type(x->body, y->body))
            return false;
    }
    return true;
}

static const piw_protocol *intern(const piw_protocol *own)
{
    for (size_t i = 0; i < interned_count; i++) {
        if (interned[i]->hash != own->hash)
            continue;
        if (!same_protocol(interned[i], own)) {
            piw_error("protocol %s has the hash of %s but not its shape: its file was not made by piw-idl", own->name,
                      interned[i]->name);
            abort();
        }
        return interned[i];
    }
    if (interned_count == interned_size) {
        interned_size = interned_size == 0 ? 32 : interned_size * 2;
        interned = piw_realloc(interned, interned_size * sizeof(*interned));
    }
    return interned[interned_count++] = copy_protocol(own);
}

const piw_protocol *piw_protocol_use(piw_protocol_def *def)
{
    pthread_mutex_lock(&lock);
    if (def->interned == NULL)
        def->interned = intern(def->own);
    const piw_protocol *protocol = def->interned;
    pthread_mutex_unlock(&lock);
    return protocol;
}

static bool goes(const piw_msg_type *type, int to_master)
{
    if (to_master < 0)
        return true;
    bool from_master = type->kind == PIW_M_OUT || type->kind == PIW_M_REPLY;
    return to_master != 0 ? !from_master : from_master;
}

const piw_msg_type *piw_protocol_find(const piw_protocol *protocol, const char *word, size_t len, int to_master)
{
    for (uint16_t i = 0; i < protocol->messages_count; i++) {
        const piw_msg_type *type = &protocol->messages[i];
        if (strlen(type->name) == len && memcmp(type->name, word, len) == 0 && goes(type, to_master))
            return type;
    }
    return NULL;
}
