/* idl.h — inside the IDL compiler: what a .piw file says, and the steps from file to output.
 *
 * The compiler stands alone: it links nothing of ours. It reads files, stops at the first error with one line
 * `file:line: what` and exit code 1, and writes its output only when everything was good. Memory is taken for the whole
 * run and never given back: a run is one file long. */
#ifndef IDL_H
#define IDL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    IDL_FILE_MAX = 1 << 20, /* bytes of a source file: none is near it, and it bounds everything below */
    IDL_DEPTH_MAX = 16,     /* nesting of types as they are written */
    IDL_WIRE_DEPTH = 31,    /* with named types written out: the wire allows 32, the message's own array is one */
    IDL_IMPORTS_MAX = 64,   /* files reached from one */
    IDL_FIELDS_MAX = 1000,  /* of a tuple or oneof */
    IDL_MAKE_MAX = 8,       /* members up to which a message gets a constructor with arguments */
};

/* --- util.c: memory, text, errors --- */

typedef struct idl_pos {
    const char *file;
    int line;
} idl_pos;

/* Growing text. */
typedef struct idl_out {
    char *text;
    size_t len, size;
} idl_out;

void *idl_alloc(size_t size);
char *idl_copy(const char *s, size_t len);
char *idl_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Append to *list of *count elements of `size` bytes a zeroed one and return it. */
void *idl_append(void *list, size_t *count, size_t size);
_Noreturn void idl_fail(idl_pos pos, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void idl_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void idl_print(idl_out *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *idl_upper(const char *s);
/* The last part of a path. */
const char *idl_base(const char *path);
/* The whole file; NULL when it does not exist. */
char *idl_read(const char *path, size_t *len);
/* Write beside and rename: a reader sees the old or the new file. */
void idl_write(const char *path, const idl_out *out);
/* The same, but a file that holds this text already is left as it is, so that what includes it isn't built again. */
void idl_write_changed(const char *path, const idl_out *out);

/* --- lex.c --- */

typedef enum { IDL_END, IDL_WORD, IDL_NUMBER, IDL_STRING, IDL_PUNCT, IDL_ARROW } idl_token_kind;

typedef struct idl_token {
    idl_token_kind kind;
    const char *text; /* a string without its quotes; punctuation as one character */
    int line;
    bool first;        /* of its line */
    const char *doc;   /* the comment lines directly above, or NULL */
    const char *trail; /* the comment after it on its line, or NULL */
} idl_token;

typedef struct idl_tokens {
    const char *file;
    const char *doc; /* the comment that opens the file */
    idl_token *at;
    size_t count; /* the last one is IDL_END */
} idl_tokens;

idl_tokens idl_lex(const char *file, const char *text, size_t len);

/* --- parse.c: what was read --- */

/* In the order of piw_kind. */
typedef enum {
    K_INT,
    K_FLOAT,
    K_BOOL,
    K_TEXT,
    K_BYTES,
    K_BLOB,
    K_TIME,
    K_DURATION,
    K_ANY,
    K_REQUEST,
    K_LIST,
    K_MAP,
    K_TUPLE,
    K_ONEOF,
    K_COUNT
} idl_kind;

enum { F_NULL = 1, F_OPTIONAL = 2, F_LOSSY = 4, F_INLINE = 8 };

typedef struct idl_type idl_type;

typedef struct idl_field {
    idl_pos pos;
    const char *name; /* of a member; the literal of an alternative; else NULL */
    const char *doc;
    idl_type *type;
    unsigned flags;
    const struct idl_field *within; /* of what an inline member brought: that member; else NULL */
} idl_field;

struct idl_type {
    idl_pos pos;
    idl_kind kind;
    bool named;        /* declared by `type` */
    const char *cname; /* of tuples and oneofs: the C struct, and for named ones the name in the IDL */
    const char *doc;
    uint64_t max;
    idl_field *fields; /* as piw_type.fields */
    size_t fields_count;
    struct idl_file *home;
};

/* In the order of piw_msg_kind. */
typedef enum { M_CALL, M_CAST, M_REPLY, M_EVENT, M_STATE, M_WORK, M_IN, M_OUT, M_PEER, M_COUNT } idl_message_kind;

enum { MF_NOREPLY = 1, MF_MALFORMED = 2, MF_BARE = 4, MF_NODATA = 8, MF_AGAIN = 16, MF_LATER = 32 };

typedef struct idl_message {
    idl_pos pos;
    const char *name, *cname, *doc;
    idl_message_kind kind;
    unsigned flags;
    idl_type *body; /* a tuple or a oneof */
    int reply;      /* index in the protocol, or -1 */
    int fallback;
    const char *fallback_word, *fallback_text;
    const char *lane;
    uint32_t deadline_ms;
} idl_message;

/* In the order of piw_queue_kind. */
typedef enum { Q_NONE, Q_ROUTER, Q_FRAMES, Q_PULL, Q_PUB, Q_COUNT } idl_queue_kind;

typedef struct idl_protocol {
    idl_pos pos;
    const char *name, *doc;
    bool local; /* of the file's own events, states, peers and jobs: C names have no prefix */
    idl_queue_kind queue;
    unsigned queue_flags; /* bits, in the order of idl_queue_flags */
    uint64_t message_max;
    idl_message *messages;
    size_t messages_count;
} idl_protocol;

typedef struct idl_file {
    const char *path, *name, *doc;
    struct idl_file **imports;
    size_t imports_count;
    idl_type **types;
    size_t types_count;
    idl_protocol *protocols;
    size_t protocols_count;
    bool loading;
} idl_file;

typedef struct idl_context {
    const char **dirs; /* where imports are looked for, after the file's own folder */
    size_t dirs_count;
    idl_file **files;
    size_t files_count;
} idl_context;

extern const char *const idl_kind_words[K_COUNT], *const idl_message_words[M_COUNT], *const idl_queue_words[Q_COUNT];
/* In the order of the PIW_Q_ flags; ends with NULL. */
extern const char *const idl_queue_flags[];

/* Read a file and what it imports; a file is read once. */
idl_file *idl_load(idl_context *context, const char *path);
/* Read a lock: the same grammar, and blocks `local NAME { … }`. */
idl_file *idl_load_lock(idl_context *context, const char *path);

/* --- check.c: what the grammar alone doesn't forbid; names the C structs --- */
void idl_check(idl_file *file);

/* --- shape.c: a protocol as canonical IDL text with its named types written out --- */
void idl_shape(const idl_protocol *protocol, idl_out *out);
/* A type in IDL words; named ones by name unless `expand`. */
void idl_type_text(const idl_type *type, unsigned flags, bool expand, idl_out *out);
/* FNV-1a, 64 bits, over the shape. */
uint64_t idl_hash(const idl_protocol *protocol);

/* --- header.c, tables.c, docs.c, lock.c: the outputs --- */
/* The C type of a member. */
char *idl_ctype(const idl_type *type, unsigned flags);
bool idl_by_pointer(const idl_type *type, unsigned flags);
void idl_header(const idl_file *file, idl_out *out);
void idl_tables(const idl_file *file, idl_out *out);
void idl_docs(idl_file *const *files, size_t count, idl_out *out);
void idl_lock(idl_file *const *files, size_t count, idl_out *out);
/* Stops with an error when `now` breaks what `lock` holds. */
void idl_compare(const idl_file *lock, idl_file *const *now, size_t count);

#endif
