/* any.c — values of a type that isn't known to the protocol: made of a message, and read by whoever knows it. */
#include "type/wire.h"

#include "type/message.h"

piw_any piw_any_of(piw_msg *to, const piw_msg *from)
{
    const piw_msg_type *type = from->type;
    if ((type->flags & PIW_M_NODATA) != 0)
        return (piw_any){.nodata = true};
    const piw_type *data = type->body;
    const void *value = piw__msg_body(from);
    if ((type->flags & PIW_M_BARE) != 0) {
        const piw_field *field = &data->fields[0];
        value = (const uint8_t *)value + field->offset;
        data = field->type;
        if (piw__is_null(data, field->flags, value))
            return (piw_any){0};
        if (piw__by_pointer(data, field->flags))
            value = *(const void *const *)value;
    }
    void *copy = piw_msg_alloc(to, data->size);
    piw_value_copy(to, data, value, copy);
    return (piw_any){.type = data, .value = copy};
}

int piw_any_read(piw_msg *msg, const piw_any *any, const piw_type *type, void *value, piw_err *err)
{
    if (any->type == NULL && any->raw.len == 0)
        return piw_err_set(err, PIW_ESHAPE, "a value is wanted, not %s", any->nodata ? "the mark for no data" : "null");
    if (any->type == NULL)
        return piw_decode_value(type, 0, any->raw.data, any->raw.len, (piw_codec)any->codec, msg, value, err);
    if (any->type == type) {
        memset(value, 0, type->size);
        piw_value_copy(msg, type, any->value, value);
        return 0;
    }
    /* Typed by another table, maybe of another image: what counts is the shape on the wire. */
    piw_buffer buffer = {0};
    int rc = piw_encode_value(any->type, 0, any->value, PIW_MSGPACK, &buffer, err);
    if (rc == 0)
        rc = piw_decode_value(type, 0, buffer.data, buffer.len, PIW_MSGPACK, msg, value, err);
    piw_buffer_fini(&buffer);
    return rc;
}
