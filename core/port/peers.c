/* peers.c — the peers that one port remembers. */
#include "port/peers.h"

#include "port/networks.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

/* Numbers of peers: serial × PIW_LIMIT_PEERS + slot, so that a number finds its slot and is never used twice. The
 * serial is shared by all ports; only its uniqueness matters, so relaxed order is enough. */
static _Atomic uint64_t last_serial;

static uint32_t hash_bytes(uint64_t seed, const void *data, size_t len)
{
    const uint8_t *at = data;
    uint64_t hash = seed ^ (len * 0x9e3779b97f4a7c15u);
    while (len > 0) {
        uint64_t word = 0;
        size_t n = len < 8 ? len : 8;
        memcpy(&word, at, n);
        hash = (hash ^ word) * 0xd6e8feb86659fd93u;
        hash ^= hash >> 32;
        at += n;
        len -= n;
    }
    hash *= 0xd6e8feb86659fd93u;
    return (uint32_t)(hash >> 32);
}

static uint32_t slot_of(piw_peer id)
{
    return (uint32_t)(id % PIW_LIMIT_PEERS);
}

void piw__peers_init(piw__peers *peers, uint32_t limit)
{
    *peers = (piw__peers){.limit = limit < PIW_LIMIT_PEERS ? limit : PIW_LIMIT_PEERS};
    /* Peers choose their routing ids. With a random seed they can't choose ids that all fall into one bucket. */
    if (getrandom(&peers->seed, sizeof(peers->seed), GRND_NONBLOCK) != (ssize_t)sizeof(peers->seed))
        peers->seed = (uint64_t)piw_monotonic_ns();
}

static void list_remove(piw__peers *peers, piw__peer_entry *entry)
{
    if (!entry->listed)
        return;
    *(entry->older != NULL ? &entry->older->newer : &peers->oldest) = entry->newer;
    *(entry->newer != NULL ? &entry->newer->older : &peers->newest) = entry->older;
    entry->older = entry->newer = NULL;
    entry->listed = false;
}

/* Put it last among those that may be forgotten, if it may. */
static void list_again(piw__peers *peers, piw__peer_entry *entry)
{
    list_remove(peers, entry);
    if (entry->open != NULL || entry->record != NULL)
        return;
    entry->older = peers->newest;
    *(peers->newest != NULL ? &peers->newest->newer : &peers->oldest) = entry;
    peers->newest = entry;
    entry->listed = true;
}

static void address_release(piw__peers *peers, piw__address *address)
{
    if (--address->peers > 0)
        return;
    piw__address **link = &peers->addresses[address->hash & peers->mask];
    while (*link != address)
        link = &(*link)->chain;
    *link = address->chain;
    free(address->raw);
    free(address->key);
    free(address->text);
    free(address);
}

static char *address_text(const piw__peer_from *from, bool v4)
{
    if (from->key[0] != '\0')
        return piw_sprintf("key %s", from->name);
    if (from->socket_file)
        return piw_strdup("local");
    if (from->raw[0] == '\0')
        return piw_strdup("unknown");
    return piw_strdup(v4 && strncmp(from->raw, "::ffff:", 7) == 0 ? from->raw + 7 : from->raw);
}

static piw__address *address_take(piw__peers *peers, const piw__peer_from *from)
{
    uint32_t hash = hash_bytes(peers->seed, from->raw, strlen(from->raw));
    piw__address **bucket = &peers->addresses[hash & peers->mask];
    for (piw__address *address = *bucket; address != NULL; address = address->chain)
        if (strcmp(address->raw, from->raw) == 0 && strcmp(address->key, from->key) == 0) {
            address->peers++;
            return address;
        }
    piw__ip ip;
    bool known = !from->socket_file && piw__ip_parse(from->raw, &ip);
    piw__address *address = piw_zalloc(sizeof(*address));
    *address = (piw__address){.chain = *bucket,
                              .peers = 1,
                              .local = from->socket_file || (known && piw__ip_loopback(&ip)),
                              .hash = hash,
                              .raw = piw_strdup(from->raw),
                              .key = piw_strdup(from->key),
                              .text = address_text(from, known && piw__ip_v4(&ip))};
    *bucket = address;
    return address;
}

void piw__peers_forget(piw__peers *peers, piw__peer_entry *entry)
{
    piw__peer_entry **link = &peers->buckets[hash_bytes(peers->seed, entry->routing, entry->routing_len) & peers->mask];
    while (*link != entry)
        link = &(*link)->chain;
    *link = entry->chain;
    list_remove(peers, entry);
    uint32_t slot = slot_of(entry->id);
    peers->slots[slot] = NULL;
    peers->free_slots[peers->free_count++] = slot;
    address_release(peers, entry->address);
    piw_msg_free(&entry->record);
    free(entry);
}

void piw__peers_fini(piw__peers *peers)
{
    for (uint32_t i = 0; i < peers->slots_count; i++)
        if (peers->slots[i] != NULL)
            piw__peers_forget(peers, peers->slots[i]);
    free(peers->slots);
    free(peers->free_slots);
    free(peers->buckets);
    free(peers->addresses);
    *peers = (piw__peers){0};
}

uint32_t piw__peers_count(const piw__peers *peers)
{
    return peers->slots_count - peers->free_count;
}

/* Twice as many slots and buckets; everything is hung up anew. */
static void grow(piw__peers *peers)
{
    uint32_t old_buckets = peers->mask == 0 ? 0 : peers->mask + 1;
    uint32_t buckets = old_buckets == 0 ? 64 : old_buckets * 2;
    uint32_t slots = buckets < peers->limit ? buckets : peers->limit;
    peers->slots = piw_realloc(peers->slots, slots * sizeof(*peers->slots));
    peers->free_slots = piw_realloc(peers->free_slots, slots * sizeof(*peers->free_slots));
    for (uint32_t i = slots; i > peers->slots_count; i--) {
        peers->slots[i - 1] = NULL;
        peers->free_slots[peers->free_count++] = i - 1;
    }
    peers->slots_count = slots;

    piw__address **old_addresses = peers->addresses;
    free(peers->buckets);
    peers->buckets = piw_zalloc(buckets * sizeof(*peers->buckets));
    peers->addresses = piw_zalloc(buckets * sizeof(*peers->addresses));
    peers->mask = buckets - 1;
    for (uint32_t i = 0; i < slots; i++) {
        piw__peer_entry *entry = peers->slots[i];
        if (entry == NULL)
            continue;
        piw__peer_entry **bucket =
            &peers->buckets[hash_bytes(peers->seed, entry->routing, entry->routing_len) & peers->mask];
        entry->chain = *bucket;
        *bucket = entry;
    }
    for (uint32_t i = 0; i < old_buckets; i++)
        for (piw__address *address = old_addresses[i], *next; address != NULL; address = next) {
            next = address->chain;
            address->chain = peers->addresses[address->hash & peers->mask];
            peers->addresses[address->hash & peers->mask] = address;
        }
    free(old_addresses);
}

piw__peer_entry *piw__peers_find(const piw__peers *peers, const void *routing, size_t len)
{
    if (peers->mask == 0)
        return NULL;
    piw__peer_entry *entry = peers->buckets[hash_bytes(peers->seed, routing, len) & peers->mask];
    while (entry != NULL && (entry->routing_len != len || memcmp(entry->routing, routing, len) != 0))
        entry = entry->chain;
    return entry;
}

piw__peer_entry *piw__peers_by_id(const piw__peers *peers, piw_peer id)
{
    uint32_t slot = slot_of(id);
    piw__peer_entry *entry = slot < peers->slots_count ? peers->slots[slot] : NULL;
    return entry != NULL && entry->id == id ? entry : NULL;
}

piw__peer_entry *piw__peers_add(piw__peers *peers, const void *routing, size_t len, const piw__peer_from *from)
{
    if (peers->free_count == 0 && peers->slots_count < peers->limit)
        grow(peers);
    if (peers->free_count == 0) {
        if (peers->oldest == NULL)
            return NULL;
        piw__peers_forget(peers, peers->oldest);
    }
    uint32_t slot = peers->free_slots[--peers->free_count];
    uint64_t serial = atomic_fetch_add_explicit(&last_serial, 1, memory_order_relaxed) + 1;
    piw__peer_entry *entry = piw_zalloc(sizeof(*entry) + len);
    entry->id = serial * PIW_LIMIT_PEERS + slot;
    entry->fd = -1;
    entry->routing_len = (uint8_t)len;
    memcpy(entry->routing, routing, len);
    entry->address = address_take(peers, from);
    piw__peer_entry **bucket = &peers->buckets[hash_bytes(peers->seed, routing, len) & peers->mask];
    entry->chain = *bucket;
    *bucket = entry;
    peers->slots[slot] = entry;
    list_again(peers, entry);
    return entry;
}

bool piw__peers_spoke(piw__peers *peers, piw__peer_entry *entry, int64_t now_ns)
{
    list_again(peers, entry);
    piw__address *address = entry->address;
    if (address->local)
        return true;
    if (now_ns - address->window_ns >= 1000000000) {
        address->window_ns = now_ns;
        address->in_window = 0;
    }
    if (address->in_window >= PIW_LIMIT_REQUESTS_PER_S)
        return false;
    address->in_window++;
    return true;
}

void piw__peers_open(piw__peers *peers, piw__peer_entry *entry, const piw_msg_type *request)
{
    entry->open = request;
    list_again(peers, entry);
}

void piw__peers_record(piw__peers *peers, piw__peer_entry *entry, piw_msg *record)
{
    piw_msg_free(&entry->record);
    entry->record = record;
    list_again(peers, entry);
}

piw__peer_entry *piw__peers_next(const piw__peers *peers, piw_peer id)
{
    for (uint32_t slot = id == 0 ? 0 : slot_of(id) + 1; slot < peers->slots_count; slot++)
        if (peers->slots[slot] != NULL && peers->slots[slot]->record != NULL)
            return peers->slots[slot];
    return NULL;
}
