/* msg.h — a message: a typed C struct and everything it owns, in one arena (docs/bus.md#message).
 *
 * Owner: whoever holds the pointer; sending moves it (the pointer is set to NULL). After sending it is immutable.
 * Thread: one at a time, the owner's. One allocation to make (recycled), one call to free. */
#ifndef PIW_MSG_H
#define PIW_MSG_H

#include "piw/err.h"
#include "piw/type.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct piw_msg piw_msg;
typedef struct piw_blob piw_blob;

/* A value of a type known only at run time (IDL `any`): either a typed value (type and value set: what we send), or
 * bytes as received (raw, well-formed, in `codec`), to be read with piw_any_read. */
typedef struct piw_any {
    const piw_type *type; /* interned, or NULL: raw */
    const void *value;    /* the C form of type; NULL with type NULL and no raw bytes: the value null */
    piw_bytes raw;
    uint8_t codec; /* piw_codec of raw */
    bool nodata;   /* the "no data" mark */
} piw_any;

/* A new message of a type with a zeroed body. Never NULL. */
PIW_API piw_msg *piw_msg_new(const piw_msg_type *type) __attribute__((returns_nonnull));
PIW_API void piw_msg_free(piw_msg **msg);
/* A deep copy with a header of its own (same trace id); blobs are shared. */
PIW_API piw_msg *piw_msg_copy(const piw_msg *msg) __attribute__((returns_nonnull));

PIW_API const piw_msg_type *piw_msg_type_of(const piw_msg *msg);
PIW_API uint64_t piw_msg_trace(const piw_msg *msg);
/* The body, checked to be of that type (a mismatch is a bug: abort). Generated accessors wrap this. */
PIW_API void *piw_msg_body(const piw_msg *msg, const piw_msg_type *type);
/* The body whatever its type. */
PIW_API void *piw_msg_any_body(const piw_msg *msg);

/* An answer that is an error: its code (0: it is no error) and text ("" if none). Continuations look here first. */
PIW_API int piw_msg_error(const piw_msg *msg);
PIW_API const char *piw_msg_error_text(const piw_msg *msg);

/* Arena: memory that lives as long as the message. Zeroed, aligned to 16. Never NULL. Total per message bounded by
 * PIW_LIMIT_ARENA (abort beyond: sizes from outside are checked by the decoders before they come here). */
PIW_API void *piw_msg_alloc(piw_msg *msg, size_t size) __attribute__((returns_nonnull));
PIW_API piw_text piw_msg_text(piw_msg *msg, const char *s, size_t len); /* copies, adds the NUL */
PIW_API piw_text piw_msg_textz(piw_msg *msg, const char *s);            /* s may be NULL: null text */
PIW_API piw_text piw_msg_printf(piw_msg *msg, const char *fmt, ...) PIW_PRINTF(2, 3);
PIW_API piw_bytes piw_msg_bytes(piw_msg *msg, const void *data, size_t len);
/* Deep copy of a value of `type` into the arena of `msg`. `to` has type->size bytes. */
PIW_API void piw_value_copy(piw_msg *msg, const piw_type *type, const void *from, void *to);
/* Room for `count` elements of `size` bytes, zeroed: for the `at` of lists and maps. */
#define piw_msg_list(msg, list, n)                                                                                     \
    ((list)->count = (uint32_t)(n), (list)->at = piw_msg_alloc((msg), sizeof(*(list)->at) * (size_t)(n)))

/* The data of `from` as the value of an `any` of `to`, copied into its arena: what a bare message carries is that value
 * itself, one without data carries the mark for it. */
PIW_API piw_any piw_any_of(piw_msg *to, const piw_msg *from);

/* Blobs: counted pieces of bytes beside the arena (build logs). Immutable once made; any thread. */
PIW_API piw_blob *piw_blob_new(const void *data, size_t len); /* copies; NULL when there is no memory */
PIW_API piw_blob *piw_blob_ref(piw_blob *blob);
PIW_API void piw_blob_unref(piw_blob **blob);
/* For a field of the body: `body->output = piw_msg_blob(msg, blob)`. The message takes a reference of its own and gives
 * it back when it is freed; a blob that is only assigned would leak or dangle. Returns `blob`, which may be NULL. */
PIW_API piw_blob *piw_msg_blob(piw_msg *msg, piw_blob *blob);
/* The blob in this field of the body isn't the message's any more: its memory is free when nobody else has it. The field
 * becomes NULL. */
PIW_API void piw_msg_blob_drop(piw_msg *msg, piw_blob **field);
PIW_API size_t piw_blob_size(const piw_blob *blob); /* NULL: 0 */
/* These bytes of the message as a blob, the caller's: the memory that they were received in, which stays as long as the blob, or a
 * copy of few bytes. NULL when there is no memory. */
PIW_API piw_blob *piw_msg_blob_of(const piw_msg *msg, piw_bytes bytes);
/* All of a blob's bytes. */
PIW_API const void *piw_blob_data(const piw_blob *blob);
/* Copies at most n bytes from offset; returns how many. */
PIW_API size_t piw_blob_read(const piw_blob *blob, size_t offset, void *to, size_t n);

/* Check a body against its type's bounds and ranges (before sending what was made by hand). */
PIW_API int piw_msg_check(const piw_msg *msg, piw_err *err);
/* The message as one line, `WORD(field=value, …)`, long texts cut; never more than `size` bytes, NUL-terminated. */
PIW_API size_t piw_msg_print(const piw_msg *msg, char *to, size_t size);

#ifdef __cplusplus
}
#endif

#endif
