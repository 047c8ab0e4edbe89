/* saved.c — one message as saved bytes: the hash of its protocol, 8 bytes big-endian, then the message in MessagePack. */
#include "piw/codec.h"

#include "type/message.h"

enum { HASH_BYTES = 8 };

int piw_record_write(const piw_msg *msg, piw_buffer *to, piw_err *err)
{
    uint8_t hash[HASH_BYTES];
    uint64_t value = msg->type->protocol->hash;
    for (int i = HASH_BYTES; i-- > 0; value >>= 8)
        hash[i] = (uint8_t)value;
    size_t before = to->len;
    int rc = piw_buffer_add(to, hash, sizeof(hash));
    if (rc != 0)
        return piw_err_set(err, rc, "there is no memory for a record of %s", msg->type->name);
    rc = piw_encode(msg, PIW_MSGPACK, to, err);
    if (rc != 0)
        to->len = before;
    return rc;
}

int piw_record_read(const piw_protocol *protocol, const void *data, size_t len, piw_msg **msg, piw_err *err)
{
    const uint8_t *bytes = data;
    uint64_t hash = 0;
    *msg = NULL;
    if (len <= HASH_BYTES)
        return piw_err_set(err, PIW_ESHAPE, "a record of %zu bytes is cut off", len);
    for (int i = 0; i < HASH_BYTES; i++)
        hash = hash << 8 | bytes[i];
    int rc = piw_decode(protocol, -1, bytes + HASH_BYTES, len - HASH_BYTES, NULL, msg, NULL, err);
    /* Written by another version: what a protocol may grow by (docs/idl.md) is read by position like any peer's message, and the
     * same checks refuse the rest. */
    if (rc != 0 && hash != protocol->hash)
        piw_err_prefix(err, "the record was written with another form of %s (%016llx, now %016llx)", protocol->name,
                       (unsigned long long)hash, (unsigned long long)protocol->hash);
    return rc;
}
