/* codec.h — messages to bytes and back, in both encodings (docs/wire.md#codecs), driven by the type tables.
 *
 * Decoding is streamed against the declared type: every count is checked against the bytes left and the type's bound
 * before memory is taken, nesting is at most PIW_LIMIT_DEPTH, so any bytes give a message or an error in bounded
 * memory and time. Any thread. */
#ifndef PIW_CODEC_H
#define PIW_CODEC_H

#include "piw/msg.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { PIW_CBOR, PIW_MSGPACK } piw_codec;

/* Growing byte buffer; zero-initialised is empty. */
typedef struct piw_buffer {
    uint8_t *data;
    size_t len, size;
} piw_buffer;
PIW_API int piw_buffer_add(piw_buffer *buffer, const void *data, size_t len); /* PIW_ENOMEM */
PIW_API void piw_buffer_fini(piw_buffer *buffer);

/* Which encoding these bytes are, by their first byte or bytes. */
PIW_API piw_codec piw_codec_of(const void *data, size_t len);
PIW_API const char *piw_codec_name(piw_codec codec);
/* "cbor" or "msgpack" -> codec; PIW_EINVAL for others. */
PIW_API int piw_codec_parse(const char *name, piw_codec *codec);

/* Append the message's bytes. Fails when a text isn't UTF-8, a value is out of range or a list over its bound.
 * On failure the buffer is as it was. */
PIW_API int piw_encode(const piw_msg *msg, piw_codec codec, piw_buffer *to, piw_err *err);

/* Decode one whole message of `protocol` in direction to_master (1), from master (0) or any (-1).
 * On PIW_ESHAPE `*word` (if not NULL) is the message type when at least the word was good, else NULL. `owner`, when
 * not NULL, is a reference-counted holder of `data`: large blobs then point into it instead of being copied. */
typedef struct piw_owner piw_owner;
PIW_API piw_owner *piw_owner_new(void *arg, void (*release)(void *arg)); /* one reference, the caller's */
PIW_API void piw_owner_unref(piw_owner **owner);
PIW_API int piw_decode(const piw_protocol *protocol, int to_master, const void *data, size_t len, piw_owner *owner,
                       piw_msg **msg, const piw_msg_type **word, piw_err *err);

/* A value alone (tests, saved records): the C form of `type` in the arena of `msg`. */
PIW_API int piw_encode_value(const piw_type *type, uint32_t flags, const void *value, piw_codec codec, piw_buffer *to,
                             piw_err *err);
PIW_API int piw_decode_value(const piw_type *type, uint32_t flags, const void *data, size_t len, piw_codec codec,
                             piw_msg *msg, void *value, piw_err *err);

/* Read a received `any` as a type, into the arena of `msg`. */
PIW_API int piw_any_read(piw_msg *msg, const piw_any *any, const piw_type *type, void *value, piw_err *err);

/* Saved records of one message (staged build records, peer records across processes): hash of the protocol, word and
 * data in MessagePack. One that was written with another form of the protocol is read by position, as a message of a peer of
 * another version is: optional fields at the end may be missing, what doesn't fit is refused. So a type that is kept on disk
 * changes only as docs/idl.md allows. */
PIW_API int piw_record_write(const piw_msg *msg, piw_buffer *to, piw_err *err);
PIW_API int piw_record_read(const piw_protocol *protocol, const void *data, size_t len, piw_msg **msg, piw_err *err);

/* UTF-8: length of the valid prefix; and the number of characters of valid UTF-8. */
PIW_API size_t piw_utf8_valid(const char *s, size_t len);
PIW_API size_t piw_utf8_chars(const char *s, size_t len);

/* Times as text: "2024-03-01T12:34:56.789012Z" (six fraction digits or none, zone kept). 33 bytes do. */
PIW_API size_t piw_time_format(piw_time t, char *to, size_t size);
PIW_API int piw_time_parse(const char *s, size_t len, piw_time *t);

#ifdef __cplusplus
}
#endif

#endif
