/* wire.h — inside the core: what the two encodings are to the engine: a stream of tokens to read, a few puts to write.
 *
 * A reader is one thread's, for one message. Nothing here takes memory but through the message's arena and the buffer.
 */
#ifndef PIW__WIRE_H
#define PIW__WIRE_H

#include "base/utf8.h"
#include "piw/codec.h"
#include "piw/limits.h"

enum { PIW__DAYS_MAX = 999999999 }; /* of a duration, either way */

/* --- datetime.c --- */
bool piw__time_valid(piw_time t);
bool piw__duration_valid(piw_duration d);
/* Bring any days, seconds and microseconds into normal form; false when out of range. */
bool piw__duration_normal(int64_t days, int64_t seconds, int64_t micros, piw_duration *d);

/* --- Reading --- */
typedef enum {
    PIW__INT,
    PIW__FLOAT,
    PIW__BOOL,
    PIW__NULL,
    PIW__STRING,
    PIW__BINARY,
    PIW__ARRAY,
    PIW__DICT,
    PIW__TAG,       /* CBOR: number in `count`; the tagged value follows */
    PIW__EXTENSION, /* MessagePack: type in `integer`, its bytes */
    PIW__BREAK,     /* CBOR: the end of what has no declared length */
} piw__token_kind;

typedef struct piw__token {
    piw__token_kind kind;
    bool open; /* STRING, BINARY: chunks follow until BREAK; ARRAY, DICT: elements follow until BREAK */
    bool truth;
    const uint8_t *data; /* STRING, BINARY, EXTENSION: into the input */
    size_t len;
    uint64_t count; /* ARRAY: elements; DICT: pairs; TAG: its number */
    union {
        int64_t integer;
        double number;
    };
} piw__token;

typedef struct piw__wire piw__wire;

typedef struct piw__reader {
    const piw__wire *wire;
    const uint8_t *at, *end;
    unsigned depth;   /* of the containers around `at` */
    piw_msg *msg;     /* whose arena holds what is read */
    piw_owner *owner; /* of the input, or NULL */
    piw_err *err;
} piw__reader;

struct piw__wire {
    piw_codec codec;
    /* The next token: never one whose bytes are not all there. */
    int (*next)(piw__reader *reader, piw__token *token);
    /* The value that `first` (a tag or extension) begins. */
    int (*time)(piw__reader *reader, const piw__token *first, piw_time *t);
    int (*duration)(piw__reader *reader, const piw__token *first, piw_duration *d);
    /* Is it the "no data" mark? Then it is read to its end. */
    bool (*nodata)(piw__reader *reader, const piw__token *first);

    int (*put_int)(piw_buffer *to, int64_t value);
    int (*put_float)(piw_buffer *to, double value);
    int (*put_bool)(piw_buffer *to, bool value);
    int (*put_null)(piw_buffer *to);
    int (*put_nodata)(piw_buffer *to);
    int (*put_time)(piw_buffer *to, piw_time value);
    int (*put_duration)(piw_buffer *to, piw_duration value);
    /* The head alone; `len` bytes or `count` elements or pairs are to follow. */
    int (*put_string)(piw_buffer *to, size_t len);
    int (*put_binary)(piw_buffer *to, size_t len);
    int (*put_array)(piw_buffer *to, size_t count);
    int (*put_dict)(piw_buffer *to, size_t count);
};

extern const piw__wire piw__cbor, piw__msgpack;

static inline const piw__wire *piw__wire_of(piw_codec codec)
{
    return codec == PIW_CBOR ? &piw__cbor : &piw__msgpack;
}

/* Something else came than the type says. */
static inline int piw__wanted(piw__reader *reader, const char *what)
{
    return piw_err_set(reader->err, PIW_ESHAPE, "%s is wanted", what);
}

/* One level deeper; the caller decrements reader->depth. */
static inline int piw__enter(piw__reader *reader)
{
    if (++reader->depth > PIW_LIMIT_DEPTH)
        return piw_err_set(reader->err, PIW_ESHAPE, "values nest more than %d deep", PIW_LIMIT_DEPTH);
    return 0;
}

/* Is there another element? For declared counts *left goes down; an open container ends with BREAK. */
static inline int piw__more(piw__reader *reader, const piw__token *container, uint64_t *left, bool *more)
{
    *more = false;
    if (!container->open) {
        if (*left > 0) {
            --*left;
            *more = true;
        }
        return 0;
    }
    if (reader->at == reader->end)
        return piw_err_set(reader->err, PIW_ESHAPE, "the message ends in the middle of a value");
    if (*reader->at == 0xff) /* only CBOR has open containers, and this is its BREAK */
        reader->at++;
    else
        *more = true;
    return 0;
}

/* --- reader.c --- */
/* Zeroed memory in the message's arena; NULL, with the error set, when that would outgrow its limit. */
void *piw__take(piw__reader *reader, uint64_t size);

/* --- decode_string.c --- */
int piw__decode_text(piw__reader *reader, const piw_type *type, uint32_t flags, const piw__token *first, piw_text *to);
int piw__decode_bytes(piw__reader *reader, const piw_type *type, const piw__token *first, piw_bytes *to);
int piw__decode_blob(piw__reader *reader, const piw_type *type, uint32_t flags, const piw__token *first, piw_blob **to);
/* A short string, whole or in chunks, into `to` (NUL-terminated); longer ones than size - 1 are refused. */
int piw__short_string(piw__reader *reader, const piw__token *first, char *to, size_t size, size_t *len);

/* --- decode_any.c --- */
/* The value that `first` begins at `start`, checked to be well-formed and kept as it came. */
int piw__decode_any(piw__reader *reader, const piw__token *first, const uint8_t *start, piw_any *any);

/* --- decode.c --- */
int piw__decode_value(piw__reader *reader, const piw_type *type, uint32_t flags, void *to);

/* --- value.c --- */
/* Does the member hold a pointer to its value (a null or optional one that isn't text, bytes or blob)? */
static inline bool piw__by_pointer(const piw_type *type, uint32_t flags)
{
    return (flags & (PIW_F_NULL | PIW_F_OPTIONAL)) != 0 && type->kind != PIW_TEXT && type->kind != PIW_BYTES &&
           type->kind != PIW_BLOB;
}

/* Bytes that the member takes in its struct. */
static inline uint32_t piw__slot(const piw_field *field)
{
    return piw__by_pointer(field->type, field->flags) ? (uint32_t)sizeof(void *) : field->type->size;
}

/* The C form that every list and map has in front. */
typedef struct piw__list {
    uint32_t count;
    void *at;
} piw__list;

/* Bytes from one entry of a map to the next: the IDL compiler aligns their keys to 8. */
static inline uint32_t piw__entry(const piw_type *map)
{
    return (map->fields[1].offset + piw__slot(&map->fields[1]) + 7) & ~7u;
}

/* Is the member null or absent? */
bool piw__is_null(const piw_type *type, uint32_t flags, const void *value);
/* Checks a value without its elements and members: bounds, ranges, UTF-8. */
int piw__check_one(const piw_type *type, uint32_t flags, const void *value, piw_err *err);

#endif
