/* peers.h — inside the core: the peers that one port remembers.
 *
 * A peer is a routing id of a ROUTER socket. Its number is never used again in the process. At most PIW_LIMIT_PEERS
 * are remembered: then the one that has been silent longest, has no open request and no record is forgotten for the
 * next. Entries are owned by the table; a pointer is good until the next add or forget. One thread, the port's. */
#ifndef PIW__PEERS_H
#define PIW__PEERS_H

#include "type/message.h"

/* Where peers come from, shared by them: a network address, or a key at one. Requests a second are bounded here. */
typedef struct piw__address {
    struct piw__address *chain;
    unsigned peers;
    bool local; /* a socket file or the loopback: not bounded */
    int64_t window_ns;
    uint32_t in_window;
    uint32_t hash;
    char *raw;  /* as libzmq tells it; a peer's further messages must come with the same */
    char *key;  /* in hexadecimal, of who is encrypted; else "" */
    char *text; /* as people read it: "192.0.2.7", "local", "key NAME" wherever that is */
    bool revoked;
    unsigned keys_generation; /* of the keys, when `revoked` was found out */
} piw__address;

typedef struct piw__peer_entry {
    piw_peer id;
    struct piw__peer_entry *chain;         /* of its hash bucket */
    struct piw__peer_entry *older, *newer; /* among those that may be forgotten */
    piw__address *address;
    piw_msg *record;
    const piw_msg_type *open; /* the request that waits for its answer; NULL: none */
    bool listed;              /* is among those that may be forgotten */
    bool ended;      /* its connection is over for sure; else, with gone_ns, another has spoken by the same one */
    int fd;          /* of the connection it last spoke by; -1: not known, or over */
    int64_t gone_ns; /* since when that connection is not its own; 0: it is */
    uint8_t codec;   /* piw_codec of its last message */
    uint8_t routing_len;
    uint8_t routing[];
} piw__peer_entry;

typedef struct piw__peers {
    piw__peer_entry **slots;
    uint32_t *free_slots;
    uint32_t slots_count, free_count, limit;
    piw__peer_entry **buckets;
    piw__address **addresses;
    uint32_t mask; /* of both hash tables; 0: not made yet */
    uint64_t seed;
    piw__peer_entry *oldest, *newest;
} piw__peers;

/* `limit` is PIW_LIMIT_PEERS but in tests; at most that. */
void piw__peers_init(piw__peers *peers, uint32_t limit);
void piw__peers_fini(piw__peers *peers);
uint32_t piw__peers_count(const piw__peers *peers);

piw__peer_entry *piw__peers_find(const piw__peers *peers, const void *routing, size_t len);
piw__peer_entry *piw__peers_by_id(const piw__peers *peers, piw_peer id);
/* A new peer; NULL when the table is full of peers that can't be forgotten. `len` is 1 to 255. */
typedef struct piw__peer_from {
    const char *raw;  /* as libzmq tells the address */
    const char *key;  /* "": it has none */
    const char *name; /* of the key */
    bool socket_file;
} piw__peer_from;
piw__peer_entry *piw__peers_add(piw__peers *peers, const void *routing, size_t len, const piw__peer_from *from);
void piw__peers_forget(piw__peers *peers, piw__peer_entry *entry);
/* It has spoken: it is now the last to be forgotten. False when its address has sent too much in this second. */
bool piw__peers_spoke(piw__peers *peers, piw__peer_entry *entry, int64_t now_ns);
/* A request of this type waits for its answer; NULL: none does. */
void piw__peers_open(piw__peers *peers, piw__peer_entry *entry, const piw_msg_type *request);
/* Takes the record; the old one is freed. */
void piw__peers_record(piw__peers *peers, piw__peer_entry *entry, piw_msg *record);
/* The next entry with a record, in the order of slots; id 0 begins. The entry of `id` may be gone meanwhile. */
piw__peer_entry *piw__peers_next(const piw__peers *peers, piw_peer id);

#endif
