/* type.h — the tables that the IDL compiler emits: what a message looks like in memory and on the wire.
 *
 * One engine in the core encodes, decodes, checks, prints and copies values from these tables; no code is generated
 * for that. The tables are constant data of the image that was compiled from them. When a plugin is loaded the host
 * copies its protocols, interned by hash and never freed, so that equal protocols of two images are one object and
 * messages pass by pointer. Code reaches the interned copy through piw_protocol_def.interned.
 *
 * How an IDL type lies in a C struct:
 *   int int64_t · float double · bool bool · text piw_text · bytes piw_bytes · blob piw_blob * (piw_msg_blob) · time piw_time ·
 *   duration piw_duration · request piw_token · any piw_any
 *   (a: T, …)   a nested struct · [T] { uint32_t count; T *at; } · {K:V} { uint32_t count; struct { _Alignas(8) K key; V value; } *at; }
 *   T?          text, bytes and blob: s/data/pointer NULL is null; any other T: const T *, NULL is null
 *   optional    a trailing field that older peers leave out: lies as T? does; absent and null are both NULL
 *   oneof       { int which; union { … } }: `which` numbers the alternatives from 0, in the IDL's order */
#ifndef PIW_TYPE_H
#define PIW_TYPE_H

#include "piw/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    PIW_INT,
    PIW_FLOAT,
    PIW_BOOL,
    PIW_TEXT,
    PIW_BYTES,
    PIW_BLOB,
    PIW_TIME,
    PIW_DURATION,
    PIW_ANY,
    PIW_REQUEST,
    PIW_LIST,
    PIW_MAP,
    PIW_TUPLE,
    PIW_ONEOF,
} piw_kind;

enum {
    PIW_F_NULL = 1u << 0,     /* T?: may be null */
    PIW_F_OPTIONAL = 1u << 1, /* trailing, may be absent; travels in MessagePack only */
    PIW_F_LOSSY = 1u << 2,    /* text, blob: bad UTF-8 becomes U+FFFD instead of an error */
};

typedef struct piw_type piw_type;

/* One member: of a tuple or alternative (name, offset), or the element of a list (name NULL, offset 0), or a map's
 * key (offset 0) and value. */
typedef struct piw_field {
    const char *name;
    const piw_type *type;
    uint32_t offset;
    uint32_t flags; /* PIW_F_* */
} piw_field;

struct piw_type {
    const char *name; /* "door_HELLO", or NULL for an unnamed one */
    piw_kind kind;
    uint32_t size;           /* sizeof the C form */
    uint32_t max;            /* text: characters · bytes, blob: bytes · list, map: elements */
    uint32_t fields_count;   /* tuple: fields · list: 1 · map: 2 · oneof: alternatives */
    const piw_field *fields; /* oneof: one per alternative; name is the literal, type its tuple (without the literal) */
    const void *reserved;    /* NULL */
};

/* What kind of message: who may send it and how it is answered. */
typedef enum {
    PIW_M_CALL,  /* service: answered exactly once */
    PIW_M_CAST,  /* service: not answered */
    PIW_M_REPLY, /* the answer's type to a call */
    PIW_M_EVENT, /* to any number of subscribers */
    PIW_M_STATE, /* a soul's saved state */
    PIW_M_WORK,  /* job for the worker pool, and its result */
    PIW_M_IN,    /* outer queue: to the master */
    PIW_M_OUT,   /* outer queue: from the master */
    PIW_M_PEER,  /* a record kept per peer (piw_peer_set) */
} piw_msg_kind;

enum {
    PIW_M_NOREPLY = 1u << 0,   /* IN: ends without an answer (BYE; everything on push/pull and frame queues) */
    PIW_M_MALFORMED = 1u << 1, /* IN: handed to the soul also when its data does not fit (piw_malformed) */
    PIW_M_BARE = 1u << 2,      /* the data is the first field itself, not a tuple around it */
    PIW_M_NODATA = 1u << 3,    /* no data at all: the bare text on the wire */
    PIW_M_AGAIN = 1u << 4,     /* IN: after an error the soul is asked once more before the fallback is sent */
    PIW_M_LATER = 1u << 5,     /* IN: other requests that have come go first; at a stop the fallback answers it */
};

typedef struct piw_msg_type {
    const char *name;                    /* "HELLO" */
    const piw_type *body;                /* a tuple; size 0 when NODATA */
    uint8_t kind;                        /* piw_msg_kind */
    uint8_t flags;                       /* PIW_M_* flags */
    int16_t reply;                       /* CALL, WORK: index of the answer's type in the protocol; else -1 */
    int16_t fallback;                    /* IN: index of the OUT message that an error becomes; else -1 */
    const char *fallback_text;           /* its data as IDL literal: "false", or NULL; "?" = the error's text */
    const char *lane;                    /* CALL, CAST: "write", "read", …, or NULL */
    uint32_t deadline_ms;                /* CALL: default deadline; 0: none */
    const struct piw_protocol *protocol; /* set by interning */
    uint16_t index;                      /* in protocol->messages */
    const void *reserved[2];             /* NULL */
} piw_msg_type;

/* What the port of an outer queue is. */
typedef enum {
    PIW_Q_NONE,   /* not an outer queue */
    PIW_Q_ROUTER, /* REQ peers, one request each */
    PIW_Q_FRAMES, /* ROUTER towards DEALER peers; multipart text frames, no codec */
    PIW_Q_PULL,
    PIW_Q_PUB,
} piw_queue_kind;

/* How the port of an outer queue is set up. */
enum {
    PIW_Q_ADMITTED =
        1u << 0, /* over TCP: each connection is checked before it is let in; without this it is bound to ipc:// only */
    PIW_Q_THREAD = 1u << 1,  /* has an I/O thread of its own, where there are enough */
    PIW_Q_GROUP = 1u << 2,   /* ipc: its socket file gets group write permission */
    PIW_Q_PRIVATE = 1u << 3, /* ipc only: mode 0600, and only the process's own user and root are let in */
};

typedef struct piw_protocol {
    const char *name; /* "echo": also the service's or queue's default name */
    uint64_t hash;    /* of the closure of its types and messages, not of comments or bounds' names */
    const piw_msg_type *messages;
    uint16_t messages_count;
    uint8_t queue;                /* piw_queue_kind */
    uint8_t queue_flags;          /* PIW_Q_* flags */
    uint32_t message_max;         /* bytes a message on the wire may have */
    const piw_type *const *types; /* every type reachable, for copying */
    uint32_t types_count;
    const void *reserved[2]; /* NULL */
} piw_protocol;

/* One per image and protocol, writable: the loader (or piw_protocol_use) puts the interned copy here. */
typedef struct piw_protocol_def {
    const piw_protocol *own;
    const piw_protocol *interned;
    const void *reserved[2]; /* NULL */
} piw_protocol_def;

/* Intern a protocol (any thread; a lock inside). Programs and tests call this before using generated constructors;
 * for plugins the loader does. Aborts when a different protocol object with the same hash is malformed. */
PIW_API const piw_protocol *piw_protocol_use(piw_protocol_def *def);

/* A message type of a protocol by its word, or NULL. `to_master` chooses among IN (true) and OUT (false) messages of
 * a queue, whose words may coincide (HELLO); -1 any. */
PIW_API const piw_msg_type *piw_protocol_find(const piw_protocol *protocol, const char *word, size_t len,
                                              int to_master);

#ifdef __cplusplus
}
#endif

#endif
