/* frames.c — plain multipart frames (docs/wire.md#files): the word, then one frame a field; integers as decimal text,
 * bytes as they are. */
#include "port/inner.h"
#include "type/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Beyond this a buffer is handed to ZeroMQ instead of being copied. */
enum { GIVE_AWAY = 65536 };

static void owner_release(void *arg)
{
    zmq_msg_t *part = arg;
    zmq_msg_close(part);
    free(part);
}

piw_owner *piw__part_owner(zmq_msg_t *part, const void **data)
{
    zmq_msg_t *held = piw_alloc(sizeof(*held));
    zmq_msg_init(held);
    zmq_msg_move(held, part);
    *data = zmq_msg_data(held);
    return piw_owner_new(held, owner_release);
}

int piw__part_send(void *socket, const void *data, size_t len, int flags)
{
    while (zmq_send(socket, len > 0 ? data : "", len, flags | ZMQ_DONTWAIT) < 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

static void free_buffer(void *data, void *hint)
{
    (void)hint;
    free(data);
}

int piw__buffer_send(void *socket, piw_buffer *buffer, int flags)
{
    if (buffer->len < GIVE_AWAY)
        return piw__part_send(socket, buffer->data, buffer->len, flags);
    zmq_msg_t part;
    if (zmq_msg_init_data(&part, buffer->data, buffer->len, free_buffer, NULL) != 0)
        return errno;
    *buffer = (piw_buffer){0};
    while (zmq_msg_send(&part, socket, flags | ZMQ_DONTWAIT) < 0)
        if (errno != EINTR) {
            int why = errno;
            zmq_msg_close(&part);
            return why;
        }
    return 0;
}

/* Digits only, as many as an int64_t has. */
static int read_int(const char *at, size_t len, int64_t *value)
{
    uint64_t number = 0;
    if (len == 0 || len > 19)
        return PIW_ESHAPE;
    for (size_t i = 0; i < len; i++) {
        if (at[i] < '0' || at[i] > '9')
            return PIW_ESHAPE;
        number = number * 10 + (uint64_t)(at[i] - '0');
    }
    if (number > INT64_MAX)
        return PIW_ESHAPE;
    *value = (int64_t)number;
    return 0;
}

/* Large bytes stay where libzmq put them; the message keeps the frame. */
static piw_bytes take_bytes(piw_msg *msg, zmq_msg_t *part)
{
    size_t len = zmq_msg_size(part);
    if (len <= PIW_LIMIT_BLOB_COPY)
        return piw_msg_bytes(msg, zmq_msg_data(part), len);
    const void *data;
    piw_owner *owner = piw__part_owner(part, &data);
    piw__msg_own_blob(msg, piw__blob_over(data, len, owner));
    piw_owner_unref(&owner);
    return (piw_bytes){data, (uint32_t)len};
}

static int read_text(piw_msg *msg, const piw_type *type, const char *at, size_t len, piw_text *text)
{
    if (len > PIW_LIMIT_TEXT || piw_utf8_valid(at, len) != len || piw_utf8_chars(at, len) > type->max ||
        memchr(at, '\0', len) != NULL)
        return PIW_ESHAPE;
    *text = piw_msg_text(msg, at, len);
    return 0;
}

static int read_field(piw_msg *msg, const piw_field *field, zmq_msg_t *part)
{
    void *to = (uint8_t *)piw_msg_any_body(msg) + field->offset;
    const char *at = zmq_msg_data(part);
    size_t len = zmq_msg_size(part);
    switch (field->type->kind) {
    case PIW_INT:
        return read_int(at, len, to);
    case PIW_TEXT:
        return read_text(msg, field->type, at, len, to);
    case PIW_BYTES:
        if (len > field->type->max)
            return PIW_ELIMIT;
        *(piw_bytes *)to = take_bytes(msg, part);
        return 0;
    default:
        return PIW_ESHAPE; /* the other kinds have no form in frames */
    }
}

int piw__frames_decode(const piw_protocol *protocol, bool to_master, zmq_msg_t *parts, size_t count, piw_msg **msg,
                       piw_err *err)
{
    const char *word = zmq_msg_data(&parts[0]);
    size_t len = zmq_msg_size(&parts[0]);
    const piw_msg_type *type = piw_protocol_find(protocol, word, len, to_master);
    if (type == NULL)
        return piw_err_set(err, PIW_ESHAPE, "unknown word \"%.*s\"", (int)(len < 40 ? len : 40), word);
    uint32_t fields = piw__fields_count(type);
    if (count - 1 > fields || (count - 1 < fields && (type->body->fields[count - 1].flags & PIW_F_OPTIONAL) == 0))
        return piw_err_set(err, PIW_ESHAPE, "%s has %u fields, not %zu", type->name, fields, count - 1);
    piw_msg *made = piw_msg_new(type);
    for (size_t i = 1; i < count; i++) {
        const piw_field *field = &type->body->fields[i - 1];
        int rc = read_field(made, field, &parts[i]);
        if (rc != 0) {
            piw_msg_free(&made);
            return piw_err_set(err, rc, "%s: %s does not fit its type (%zu bytes)", type->name, field->name,
                               zmq_msg_size(&parts[i]));
        }
    }
    *msg = made;
    return 0;
}

static int send_field(void *socket, const void *body, const piw_field *field, int flags)
{
    const uint8_t *at = (const uint8_t *)body + field->offset;
    char digits[24];
    switch (field->type->kind) {
    case PIW_INT: {
        int64_t value;
        memcpy(&value, at, sizeof(value));
        int len = snprintf(digits, sizeof(digits), "%lld", (long long)value);
        return piw__part_send(socket, digits, (size_t)len, flags);
    }
    case PIW_TEXT: {
        const piw_text *text = (const void *)at;
        return piw__part_send(socket, text->s, text->len, flags);
    }
    case PIW_BYTES: {
        const piw_bytes *bytes = (const void *)at;
        return piw__part_send(socket, bytes->data, bytes->len, flags);
    }
    default:
        return PIW_ESHAPE;
    }
}

/* A message that can't be written as frames must not leave half of them behind: look before the first is sent. */
static bool has_form(const piw_msg_type *type)
{
    for (uint32_t i = 0; i < piw__fields_count(type); i++) {
        piw_kind kind = type->body->fields[i].type->kind;
        if (kind != PIW_INT && kind != PIW_TEXT && kind != PIW_BYTES)
            return false;
    }
    return true;
}

/* How many fields are sent: absent optional ones at the end are left out. */
static uint32_t present(const piw_msg_type *type, const void *body)
{
    uint32_t count = piw__fields_count(type);
    while (count > 0) {
        const piw_field *field = &type->body->fields[count - 1];
        if ((field->flags & PIW_F_OPTIONAL) == 0 ||
            !piw__is_null(field->type, field->flags, (const uint8_t *)body + field->offset))
            break;
        count--;
    }
    return count;
}

int piw__frames_send(void *socket, const void *routing, size_t routing_len, const piw_msg *msg)
{
    const piw_msg_type *type = piw_msg_type_of(msg);
    if (!has_form(type))
        return PIW_ESHAPE;
    const void *body = piw_msg_any_body(msg);
    uint32_t fields = present(type, body);
    int rc = routing != NULL ? piw__part_send(socket, routing, routing_len, ZMQ_SNDMORE) : 0;
    if (rc == 0)
        rc = piw__part_send(socket, type->name, strlen(type->name), fields > 0 ? ZMQ_SNDMORE : 0);
    for (uint32_t i = 0; rc == 0 && i < fields; i++)
        rc = send_field(socket, body, &type->body->fields[i], i + 1 < fields ? ZMQ_SNDMORE : 0);
    return rc;
}
