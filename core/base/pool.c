/* pool.c — recycled blocks: magazines of each thread and the depot between them. */
#include "base/pool.h"

#include "piw/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Magazines that the depot keeps of each class: 16 MiB; beyond that blocks go back to malloc. */
enum { DEPOT_BYTES = 16 << 20, LINE = 64, AHEAD = 4 };

/* Free blocks of one size. An array, so that what will be taken soon is known without touching it. */
struct magazine {
    struct magazine *next; /* in the depot */
    unsigned count;
    void *blocks[PIW__POOL_MAGAZINE];
};

struct cache {
    struct magazine *loaded[PIW__POOL_CLASSES];
    struct magazine *spare[PIW__POOL_CLASSES]; /* full or empty */
    /* Written by this thread only; read by whoever asks for the sum. Relaxed on both sides: a figure, no message
     * depends on it. May be negative: a block may be taken by one thread and given back by another. */
    _Atomic int64_t live;
    struct cache *next, **link; /* in all_caches, under the lock */
};

static struct {
    pthread_mutex_t lock;
    struct magazine *full[PIW__POOL_CLASSES];
    unsigned full_count[PIW__POOL_CLASSES];
    struct magazine *empty; /* of any class */
    struct cache *all_caches;
    int64_t live_of_gone; /* what threads that have ended left */
} depot = {.lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

/* The library is loaded with the program, never later: the cheap thread-local access is allowed. */
static __thread struct cache *my_cache __attribute__((tls_model("initial-exec")));

static void free_blocks(struct magazine *magazine)
{
    while (magazine->count > 0)
        free(magazine->blocks[--magazine->count]);
}

/* A thread ends: its blocks are freed, and its count is added to that of ended threads. */
static void cache_end(void *arg)
{
    struct cache *cache = arg;
    for (unsigned i = 0; i < PIW__POOL_CLASSES && cache->loaded[i] != NULL; i++) {
        free_blocks(cache->loaded[i]);
        free_blocks(cache->spare[i]);
        free(cache->loaded[i]);
        free(cache->spare[i]);
    }
    pthread_mutex_lock(&depot.lock);
    depot.live_of_gone += atomic_load_explicit(&cache->live, memory_order_relaxed);
    *cache->link = cache->next;
    if (cache->next != NULL)
        cache->next->link = cache->link;
    pthread_mutex_unlock(&depot.lock);
    my_cache = NULL;
    free(cache);
}

static void key_make(void)
{
    /* Without a key the caches of ended threads would only be lost, not wrong; but it does not fail so early. */
    if (pthread_key_create(&key, cache_end) != 0)
        abort();
}

static __attribute__((noinline)) struct cache *cache_make(void)
{
    pthread_once(&key_once, key_make);
    struct cache *cache = piw_alloc_aligned(LINE, sizeof(*cache));
    memset(cache, 0, sizeof(*cache));
    for (unsigned i = 0; i < PIW__POOL_CLASSES && PIW__POOL_RECYCLES; i++) {
        cache->loaded[i] = piw_zalloc(sizeof(struct magazine));
        cache->spare[i] = piw_zalloc(sizeof(struct magazine));
    }
    pthread_mutex_lock(&depot.lock);
    cache->next = depot.all_caches;
    cache->link = &depot.all_caches;
    if (cache->next != NULL)
        cache->next->link = &cache->next;
    depot.all_caches = cache;
    pthread_mutex_unlock(&depot.lock);
    pthread_setspecific(key, cache);
    my_cache = cache;
    return cache;
}

static inline struct cache *cache_get(void)
{
    struct cache *cache = my_cache;
    return __builtin_expect(cache != NULL, 1) ? cache : cache_make();
}

static inline void count(struct cache *cache, int64_t bytes)
{
    /* One writer, so that a plain sum is enough. */
    atomic_store_explicit(&cache->live, atomic_load_explicit(&cache->live, memory_order_relaxed) + bytes,
                          memory_order_relaxed);
}

/* Fetch a line in order to write to it. Without the right -m option gcc makes __builtin_prefetch a fetch for reading, and the
 * first store then has to wait after all. The instruction is a no-op where it is unknown. */
static inline void fetch_to_write(const void *line)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)line));
#else
    __builtin_prefetch(line, 1);
#endif
}

/* The blocks that are taken next were freed on another processor, most likely: as many of their lines as this one needs
 * come while it is filled. But for a message's second line, which is seldom used. */
static inline void prefetch(const struct magazine *magazine, size_t size)
{
    if (magazine->count < AHEAD)
        return;
    uintptr_t block = (uintptr_t)magazine->blocks[magazine->count - AHEAD];
    fetch_to_write((const void *)block);
    for (size_t at = 2 * LINE; at < size && at < 4 * LINE; at += LINE)
        fetch_to_write((const void *)(block + at));
}

#if PIW__POOL_RECYCLES
static void swap(struct cache *cache, unsigned c)
{
    struct magazine *loaded = cache->loaded[c];
    cache->loaded[c] = cache->spare[c];
    cache->spare[c] = loaded;
}

/* The loaded magazine is empty: the spare one, a full one from the depot, or nothing. */
static __attribute__((noinline)) void refill(struct cache *cache, unsigned c)
{
    if (cache->spare[c]->count > 0) {
        swap(cache, c);
        return;
    }
    pthread_mutex_lock(&depot.lock);
    struct magazine *full = depot.full[c];
    if (full != NULL) {
        depot.full[c] = full->next;
        depot.full_count[c]--;
        cache->loaded[c]->next = depot.empty;
        depot.empty = cache->loaded[c];
        cache->loaded[c] = full;
    }
    pthread_mutex_unlock(&depot.lock);
}

/* The loaded magazine is full: it becomes the spare one, and a full spare one goes to the depot. */
static __attribute__((noinline)) void unload(struct cache *cache, unsigned c)
{
    swap(cache, c);
    struct magazine *surplus = cache->loaded[c];
    if (surplus->count == 0)
        return;
    pthread_mutex_lock(&depot.lock);
    bool keep = (size_t)depot.full_count[c] * PIW__POOL_MAGAZINE * piw__pool_class_size[c] < DEPOT_BYTES;
    if (keep) {
        surplus->next = depot.full[c];
        depot.full[c] = surplus;
        depot.full_count[c]++;
        cache->loaded[c] = depot.empty;
        if (depot.empty != NULL)
            depot.empty = depot.empty->next;
    }
    pthread_mutex_unlock(&depot.lock);
    if (!keep)
        free_blocks(surplus);
    else if (cache->loaded[c] == NULL)
        cache->loaded[c] = piw_zalloc(sizeof(struct magazine));
}
#endif

/* No block lies ready in this thread. */
static __attribute__((noinline)) void *take_new(size_t size, uint8_t size_class)
{
    struct cache *cache = cache_get();
    count(cache, piw__pool_size(size_class, (uint32_t)size));
#if PIW__POOL_RECYCLES
    if (size_class < PIW__POOL_CLASSES) {
        refill(cache, size_class);
        struct magazine *magazine = cache->loaded[size_class];
        if (magazine->count > 0)
            return magazine->blocks[--magazine->count];
        return piw_alloc_aligned(LINE, piw__pool_class_size[size_class]); /* neighbours are in use by other threads */
    }
#endif
    return piw_alloc_aligned(PIW__POOL_ALIGNMENT, size);
}

/* There is no room for one more in this thread, or it is no recycled one. */
static __attribute__((noinline)) void give_back(void *memory, uint32_t size, uint8_t size_class)
{
    struct cache *cache = cache_get();
    count(cache, -(int64_t)piw__pool_size(size_class, size));
#if PIW__POOL_RECYCLES
    if (size_class < PIW__POOL_CLASSES) {
        if (cache->loaded[size_class]->count == PIW__POOL_MAGAZINE)
            unload(cache, size_class);
        struct magazine *magazine = cache->loaded[size_class];
        magazine->blocks[magazine->count++] = memory;
        return;
    }
#endif
    free(memory);
}

/* Most calls find a loaded magazine, and call nothing themselves. */
static inline struct magazine *loaded(uint8_t size_class)
{
    const struct cache *cache = my_cache;
    return __builtin_expect(size_class < PIW__POOL_CLASSES && cache != NULL, 1) ? cache->loaded[size_class] : NULL;
}

void *piw__pool_take(size_t size, uint8_t size_class)
{
    struct magazine *magazine = loaded(size_class);
    if (__builtin_expect(magazine == NULL || magazine->count == 0, 0))
        return take_new(size, size_class);
    count(my_cache, piw__pool_class_size[size_class]);
    prefetch(magazine, size);
    return magazine->blocks[--magazine->count];
}

void piw__pool_give(void *memory, uint32_t size, uint8_t size_class)
{
    struct magazine *magazine = loaded(size_class);
    if (__builtin_expect(magazine == NULL || magazine->count == PIW__POOL_MAGAZINE, 0)) {
        give_back(memory, size, size_class);
        return;
    }
    count(my_cache, -(int64_t)piw__pool_class_size[size_class]);
    magazine->blocks[magazine->count++] = memory;
}

void piw__pool_count(int64_t bytes)
{
    count(cache_get(), bytes);
}

uint64_t piw__pool_live(void)
{
    pthread_mutex_lock(&depot.lock);
    int64_t sum = depot.live_of_gone;
    for (const struct cache *cache = depot.all_caches; cache != NULL; cache = cache->next)
        sum += atomic_load_explicit(&cache->live, memory_order_relaxed);
    pthread_mutex_unlock(&depot.lock);
    /* Threads are read one after the other while blocks move between them: the sum may be off by what moved. */
    return sum > 0 ? (uint64_t)sum : 0;
}
