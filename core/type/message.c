/* message.c — messages: one block for header, body and arena; chunks behind it when it grows; blobs beside it. */
#include "type/message.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct piw__chunk {
    piw__chunk *next;
    uint32_t used, room;
    _Alignas(PIW__POOL_ALIGNMENT) uint8_t bytes[];
};

struct piw_owner {
    /* Decremented with release, and acquired by whoever takes it to 0: what other holders did before they let go
     * happens before the release function runs. Incrementing needs no order: the caller has a reference. */
    _Atomic uint32_t refs;
    void *arg;
    void (*release)(void *arg);
};

struct piw_blob {
    _Atomic uint32_t refs; /* as in piw_owner */
    piw_owner *owner;      /* of foreign memory, or NULL */
    const uint8_t *data;
    size_t len;
    uint8_t bytes[];
};

/* Further blobs of a message, in its arena. */
struct more_blobs {
    struct more_blobs *next;
    unsigned count;
    piw_blob *blobs[14];
};

enum {
    FEW_LINES = 4,         /* of a body that are cleared without a call */
    CHUNK_MIN = 512,       /* messages that are kept by the thousand have little beside their body */
    CHUNK_MAX = 256 << 10, /* chunks double up to this; larger pieces get one of their own */
};

static inline size_t round_up(size_t n)
{
    return (n + PIW__POOL_ALIGNMENT - 1) & ~(size_t)(PIW__POOL_ALIGNMENT - 1);
}

/* --- Message ---------------------------------------------------------------------------------------------- */

const piw__msg_rest piw__msg_no_rest;

/* Most bodies have a line or two: a call would take as long as this. A recycled block has whole lines. */
static inline void clear_body(uint8_t *body, size_t size, uint8_t size_class)
{
    if (size > FEW_LINES * PIW__MSG_LINE || size_class == PIW__POOL_PLAIN)
        memset(body, 0, size);
    else
        for (size_t at = 0; at < size; at += PIW__MSG_LINE)
            memset(body + at, 0, PIW__MSG_LINE);
}

piw_msg *piw_msg_new(const piw_msg_type *type)
{
    size_t body = type->body != NULL ? round_up(type->body->size) : 0;
    uint8_t size_class = piw__pool_class(PIW__MSG_HEADER + body);
    piw_msg *msg = piw__pool_take(PIW__MSG_HEADER + body, size_class);
    memset(msg, 0, offsetof(piw_msg, rest));
    clear_body(piw__msg_body(msg), body, size_class);
    msg->type = type;
    msg->size_class = size_class;
    msg->used = (uint32_t)(PIW__MSG_HEADER + body);
    return msg;
}

static void release_blobs(piw__msg_rest *rest)
{
    piw_blob_unref(&rest->blob);
    for (struct more_blobs *more = rest->more_blobs; more != NULL; more = more->next)
        for (unsigned i = 0; i < more->count; i++)
            piw_blob_unref(&more->blobs[i]);
}

static void release_chunks(piw__msg_rest *rest)
{
    for (piw__chunk *chunk = rest->chunks; chunk != NULL;) {
        piw__chunk *next = chunk->next;
        piw__pool_count(-(int64_t)chunk->room);
        free(chunk);
        chunk = next;
    }
}

void piw_msg_free(piw_msg **msg_)
{
    piw_msg *msg = *msg_;
    *msg_ = NULL;
    if (msg == NULL)
        return;
    if (__builtin_expect((msg->flags & PIW__REST) != 0, 0)) {
        release_blobs(&msg->rest);
        release_chunks(&msg->rest);
    }
    piw__pool_give(msg, msg->used, msg->size_class);
}

const piw_msg_type *piw_msg_type_of(const piw_msg *msg)
{
    return msg->type;
}

uint64_t piw_msg_trace(const piw_msg *msg)
{
    return msg->trace;
}

void *piw_msg_body(const piw_msg *msg, const piw_msg_type *type)
{
    if (__builtin_expect(msg->type != type, 0)) {
        piw_error("a message %s.%s was read as %s.%s: this is a bug in the task that reads it",
                  msg->type->protocol != NULL ? msg->type->protocol->name : "?", msg->type->name,
                  type->protocol != NULL ? type->protocol->name : "?", type->name);
        abort();
    }
    return piw__msg_body(msg);
}

void *piw_msg_any_body(const piw_msg *msg)
{
    return piw__msg_body(msg);
}

int piw_msg_error(const piw_msg *msg)
{
    return (msg->flags & PIW__MALFORMED) != 0 ? 0 : piw__msg_rest_of(msg)->error;
}

const char *piw_msg_error_text(const piw_msg *msg)
{
    const char *text = piw__msg_rest_of(msg)->error_text;
    return text != NULL ? text : "";
}

const char *piw_malformed(const piw_msg *msg)
{
    return (msg->flags & PIW__MALFORMED) != 0 ? piw_msg_error_text(msg) : NULL;
}

bool piw_again(const piw_msg *msg)
{
    return (msg->flags & PIW__AGAIN) != 0;
}

piw_peer piw_msg_peer(const piw_msg *msg)
{
    return piw__msg_rest_of(msg)->peer;
}

piw_msg *piw__msg_error_answer(const piw_msg *request, int code, const char *text)
{
    const piw_msg_type *type = request->type;
    if (type->reply >= 0)
        type = &type->protocol->messages[type->reply];
    piw_msg *answer = piw_msg_new(type);
    answer->trace = request->trace;
    text = piw_msg_textz(answer, text != NULL ? text : piw_err_name(code)).s;
    piw__msg_fail(answer, code != 0 ? code : PIW_EHANDLER, text);
    return answer;
}

uint64_t piw__bus_bytes(void)
{
    return piw__pool_live();
}

/* --- Arena ------------------------------------------------------------------------------------------------ */

static void *alloc_chunk(piw_msg *msg, size_t size)
{
    piw__msg_rest *rest = piw__msg_rest_new(msg);
    size_t room = rest->chunks != NULL ? (size_t)rest->chunks->room * 2 : CHUNK_MIN;
    if (room > CHUNK_MAX)
        room = CHUNK_MAX;
    bool own = size > room / 2;
    if (own)
        room = size;
    if (size > PIW_LIMIT_ARENA || piw__msg_bytes(msg) + room > PIW_LIMIT_ARENA) {
        piw_error("a message %s would grow beyond %d bytes: its task must send less at once", msg->type->name,
                  PIW_LIMIT_ARENA);
        abort();
    }
    piw__chunk *chunk = piw_alloc_aligned(PIW__POOL_ALIGNMENT, sizeof(*chunk) + room);
    chunk->room = (uint32_t)room;
    chunk->used = (uint32_t)size;
    rest->chunk_bytes += (uint32_t)room;
    piw__pool_count((int64_t)room);
    if (own && rest->chunks != NULL) {
        /* The chunk in front still has room for small pieces. */
        chunk->next = rest->chunks->next;
        rest->chunks->next = chunk;
    } else {
        chunk->next = rest->chunks;
        rest->chunks = chunk;
    }
    return memset(chunk->bytes, 0, size);
}

void *piw_msg_alloc(piw_msg *msg, size_t size)
{
    size = size < PIW_LIMIT_ARENA ? round_up(size) : size;
    if (size <= piw__pool_size(msg->size_class, msg->used) - msg->used) {
        void *at = (uint8_t *)msg + msg->used;
        msg->used += (uint32_t)size;
        return memset(at, 0, size);
    }
    piw__chunk *chunk = piw__msg_rest_of(msg)->chunks;
    if (chunk != NULL && size <= chunk->room - chunk->used) {
        void *at = chunk->bytes + chunk->used;
        chunk->used += (uint32_t)size;
        return memset(at, 0, size);
    }
    return alloc_chunk(msg, size);
}

piw_text piw_msg_text(piw_msg *msg, const char *s, size_t len)
{
    char *to = piw_msg_alloc(msg, len + 1);
    if (len > 0)
        memcpy(to, s, len);
    return (piw_text){to, (uint32_t)len};
}

piw_text piw_msg_textz(piw_msg *msg, const char *s)
{
    return s != NULL ? piw_msg_text(msg, s, strlen(s)) : (piw_text){0};
}

piw_text piw_msg_printf(piw_msg *msg, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0)
        return piw_msg_text(msg, "", 0);
    char *to = piw_msg_alloc(msg, (size_t)len + 1);
    va_start(args, fmt);
    vsnprintf(to, (size_t)len + 1, fmt, args);
    va_end(args);
    return (piw_text){to, (uint32_t)len};
}

piw_bytes piw_msg_bytes(piw_msg *msg, const void *data, size_t len)
{
    uint8_t *to = piw_msg_alloc(msg, len > 0 ? len : 1);
    if (len > 0)
        memcpy(to, data, len);
    return (piw_bytes){to, (uint32_t)len};
}

/* --- Owners and blobs --------------------------------------------------------------------------------------- */

piw_owner *piw_owner_new(void *arg, void (*release)(void *arg))
{
    piw_owner *owner = piw_alloc(sizeof(*owner));
    atomic_init(&owner->refs, 1);
    owner->arg = arg;
    owner->release = release;
    return owner;
}

piw_owner *piw__owner_ref(piw_owner *owner)
{
    atomic_fetch_add_explicit(&owner->refs, 1, memory_order_relaxed);
    return owner;
}

void piw_owner_unref(piw_owner **owner_)
{
    piw_owner *owner = *owner_;
    *owner_ = NULL;
    if (owner == NULL || atomic_fetch_sub_explicit(&owner->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (owner->release != NULL)
        owner->release(owner->arg);
    free(owner);
}

piw_blob *piw_blob_new(const void *data, size_t len)
{
    piw_blob *blob = len <= PIW_LIMIT_ARENA ? malloc(sizeof(*blob) + len) : NULL;
    if (blob == NULL)
        return NULL;
    atomic_init(&blob->refs, 1);
    blob->owner = NULL;
    blob->data = blob->bytes;
    blob->len = len;
    if (len > 0)
        memcpy(blob->bytes, data, len);
    piw__pool_count((int64_t)len);
    return blob;
}

piw_blob *piw__blob_over(const void *data, size_t len, piw_owner *owner)
{
    piw_blob *blob = piw_alloc(sizeof(*blob));
    atomic_init(&blob->refs, 1);
    blob->owner = piw__owner_ref(owner);
    blob->data = data;
    blob->len = len;
    piw__pool_count((int64_t)len);
    return blob;
}

piw_blob *piw_blob_ref(piw_blob *blob)
{
    if (blob != NULL)
        atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);
    return blob;
}

void piw_blob_unref(piw_blob **blob_)
{
    piw_blob *blob = *blob_;
    *blob_ = NULL;
    if (blob == NULL || atomic_fetch_sub_explicit(&blob->refs, 1, memory_order_acq_rel) != 1)
        return;
    piw__pool_count(-(int64_t)blob->len);
    piw_owner_unref(&blob->owner);
    free(blob);
}

static piw_blob *blob_at(const piw_msg *msg, piw_bytes bytes)
{
    const piw__msg_rest *rest = piw__msg_rest_of(msg);
    if (rest->blob != NULL && rest->blob->data == bytes.data && rest->blob->len == bytes.len)
        return rest->blob;
    for (const struct more_blobs *more = rest->more_blobs; more != NULL; more = more->next)
        for (unsigned i = 0; i < more->count; i++)
            if (more->blobs[i]->data == bytes.data && more->blobs[i]->len == bytes.len)
                return more->blobs[i];
    return NULL;
}

piw_blob *piw_msg_blob_of(const piw_msg *msg, piw_bytes bytes)
{
    piw_blob *blob = blob_at(msg, bytes);
    return blob != NULL ? piw_blob_ref(blob) : piw_blob_new(bytes.data, bytes.len);
}

const void *piw_blob_data(const piw_blob *blob)
{
    return blob->data;
}

size_t piw_blob_size(const piw_blob *blob)
{
    return blob != NULL ? blob->len : 0;
}

size_t piw_blob_read(const piw_blob *blob, size_t offset, void *to, size_t n)
{
    if (blob == NULL || offset >= blob->len)
        return 0;
    if (n > blob->len - offset)
        n = blob->len - offset;
    memcpy(to, blob->data + offset, n);
    return n;
}

void piw__msg_own_blob(piw_msg *msg, piw_blob *blob)
{
    if (blob == NULL)
        return;
    piw__msg_rest *rest = piw__msg_rest_new(msg);
    if (rest->blob == NULL) {
        rest->blob = blob;
        return;
    }
    struct more_blobs *more = rest->more_blobs;
    if (more == NULL || more->count == PIW_COUNT(more->blobs)) {
        more = piw_msg_alloc(msg, sizeof(*more));
        more->next = rest->more_blobs;
        rest->more_blobs = more;
    }
    more->blobs[more->count++] = blob;
}

void piw_msg_blob_drop(piw_msg *msg, piw_blob **field)
{
    piw_blob *blob = *field;
    *field = NULL;
    if (blob == NULL)
        return;
    piw__msg_rest *rest = piw__msg_rest_new(msg);
    piw_blob **at = rest->blob == blob ? &rest->blob : NULL;
    for (struct more_blobs *more = rest->more_blobs; more != NULL && at == NULL; more = more->next)
        for (unsigned i = 0; i < more->count && at == NULL; i++)
            at = more->blobs[i] == blob ? &more->blobs[i] : NULL;
    if (at != NULL)
        piw_blob_unref(at);
}
