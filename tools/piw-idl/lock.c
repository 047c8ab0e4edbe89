/* lock.c — proto/lock: the shape of each protocol as it was, and what may change in it.
 *
 * Peers of other versions hold on to the shapes. Allowed are new protocols, new messages, new optional fields at the
 * end of a tuple, new alternatives at the end of a oneof, larger bounds, other names of fields, and how messages are
 * handled (lane, deadline, fallback). Whoever means to break a shape takes its block out of the lock by hand. */
#include "idl.h"

#include <string.h>

void idl_lock(idl_file *const *files, size_t count, idl_out *out)
{
    idl_print(out,
              "# The shape of every protocol, and its hash; written by `make docs`, checked by `make all`.\n"
              "# A change that would break peers of other versions is refused; docs/idl.md says which are allowed.\n");
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < files[i]->protocols_count; j++) {
            const idl_protocol *protocol = &files[i]->protocols[j];
            idl_print(out, "\n# %s %016llx\n", protocol->name, (unsigned long long)idl_hash(protocol));
            idl_shape(protocol, out);
        }
    }
}

/* Where the comparison stands: what to name in the error. */
typedef struct place {
    const idl_protocol *protocol;
    const idl_message *message;
    idl_pos pos;
} place;

static _Noreturn void broken(const place *at, const char *path, const char *what)
{
    idl_fail(at->pos, "%s.%s%s: %s: that breaks peers of other versions; if it is meant, take %s out of proto/lock",
             at->protocol->name, at->message->name, path, what, at->protocol->name);
}

static void compare_types(const place *at, const char *path, const idl_field *was, const idl_field *now);

static void compare_tuples(const place *at, const char *path, const idl_type *was, const idl_type *now)
{
    if (now->fields_count < was->fields_count)
        broken(at, idl_format("%s.%s", path, was->fields[now->fields_count].name), "the field is gone");
    for (size_t i = 0; i < now->fields_count; i++) {
        const char *inner = idl_format("%s.%s", path, now->fields[i].name);
        if (i < was->fields_count)
            compare_types(at, inner, &was->fields[i], &now->fields[i]);
        else if ((now->fields[i].flags & F_OPTIONAL) == 0)
            broken(at, inner, "a new field is not optional");
    }
}

static void compare_alternatives(const place *at, const char *path, const idl_type *was, const idl_type *now)
{
    for (size_t i = 0; i < was->fields_count; i++) {
        const char *inner = idl_format("%s.%s", path, was->fields[i].name);
        if (i >= now->fields_count || strcmp(was->fields[i].name, now->fields[i].name) != 0)
            broken(at, inner, "the alternative is gone or has another place");
        compare_tuples(at, inner, was->fields[i].type, now->fields[i].type);
    }
}

static void compare_types(const place *at, const char *path, const idl_field *was, const idl_field *now)
{
    if (was->type->kind != now->type->kind)
        broken(at, path,
               idl_format("it was %s and is %s", idl_kind_words[was->type->kind], idl_kind_words[now->type->kind]));
    if (was->flags != now->flags)
        broken(at, path, "?, lossy or optional has come or gone");
    if (now->type->max < was->type->max)
        broken(at, path, "its bound is smaller");
    switch (was->type->kind) {
    case K_TUPLE:
        compare_tuples(at, path, was->type, now->type);
        break;
    case K_ONEOF:
        compare_alternatives(at, path, was->type, now->type);
        break;
    case K_LIST:
    case K_MAP:
        for (size_t i = 0; i < was->type->fields_count; i++)
            compare_types(at, idl_format("%s[]", path), &was->type->fields[i], &now->type->fields[i]);
        break;
    default:
        break;
    }
}

static const idl_message *message_of(const idl_protocol *protocol, const char *name)
{
    for (size_t i = 0; i < protocol->messages_count; i++)
        if (strcmp(protocol->messages[i].name, name) == 0)
            return &protocol->messages[i];
    return NULL;
}

static void compare_protocols(const idl_protocol *was, const idl_protocol *now)
{
    const unsigned shape = MF_BARE | MF_NODATA | MF_NOREPLY;
    place at = {.protocol = now, .pos = now->pos};
    if (was->queue != now->queue || was->message_max > now->message_max)
        idl_fail(now->pos,
                 "%s: the kind of the queue has changed, or its bound is smaller: that breaks peers of other versions; "
                 "if it is meant, take it out of proto/lock",
                 now->name);
    for (size_t i = 0; i < was->messages_count; i++) {
        const idl_message *m = message_of(now, was->messages[i].name);
        at.message = &was->messages[i];
        if (m == NULL)
            broken(&at, "", "the message is gone");
        at.message = m;
        at.pos = m->pos;
        if (m->kind != was->messages[i].kind)
            broken(&at, "", "it is another kind of message");
        if ((m->flags & shape) != (was->messages[i].flags & shape))
            broken(&at, "", "bare, noreply or having data has changed");
        idl_field a = {.type = was->messages[i].body}, b = {.type = m->body};
        compare_types(&at, "", &a, &b);
        at.pos = now->pos;
    }
}

void idl_compare(const idl_file *lock, idl_file *const *now, size_t count)
{
    for (size_t i = 0; i < lock->protocols_count; i++) {
        const idl_protocol *was = &lock->protocols[i], *is = NULL;
        for (size_t j = 0; j < count && is == NULL; j++)
            for (size_t k = 0; k < now[j]->protocols_count; k++)
                if (strcmp(now[j]->protocols[k].name, was->name) == 0)
                    is = &now[j]->protocols[k];
        if (is == NULL)
            idl_fail(was->pos,
                     "protocol %s is gone: that breaks peers of other versions; if it is meant, take it out here",
                     was->name);
        compare_protocols(was, is);
    }
}
