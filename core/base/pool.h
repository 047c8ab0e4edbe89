/* pool.h — inside the core: recycled blocks for messages.
 *
 * Any thread. Each thread keeps two magazines of up to 64 blocks a size class; full magazines change hands through a
 * global depot, so that a pair of threads of which one makes and the other frees messages meets a lock once in 64
 * messages. Under AddressSanitizer every block comes from malloc and goes back to free, so that a use after free is
 * seen. */
#ifndef PIW__POOL_H
#define PIW__POOL_H

#include "piw/base.h"

enum {
    PIW__POOL_CLASSES = 3,  /* of recycled sizes */
    PIW__POOL_PLAIN = 0xff, /* the class of a block that isn't recycled */
    PIW__POOL_MAGAZINE = 64,
    /* Of every block, and of what an arena hands out. malloc's own is 8 on 32-bit machines. */
    PIW__POOL_ALIGNMENT = 16,
};

#if defined(__SANITIZE_ADDRESS__)
#define PIW__POOL_RECYCLES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PIW__POOL_RECYCLES 0
#endif
#endif
#ifndef PIW__POOL_RECYCLES
#define PIW__POOL_RECYCLES 1
#endif

/* A message header and a small body fit the first; most bodies the second; small lists the third. Larger ones go on in
 * chunks. */
static const uint32_t piw__pool_class_size[PIW__POOL_CLASSES] = {256, 1024, 4096};

/* The class of blocks of at least `size` bytes. */
static inline uint8_t piw__pool_class(size_t size)
{
    uint8_t size_class = 0;
    while (size_class < PIW__POOL_CLASSES && size > piw__pool_class_size[size_class])
        size_class++;
    return PIW__POOL_RECYCLES && size_class < PIW__POOL_CLASSES ? size_class : (uint8_t)PIW__POOL_PLAIN;
}

/* The bytes of a block of that class that was taken with that size. */
static inline uint32_t piw__pool_size(uint8_t size_class, uint32_t size)
{
    return size_class < PIW__POOL_CLASSES ? piw__pool_class_size[size_class] : size;
}

/* A block for `size` bytes of the class for so many, not cleared, aligned to PIW__POOL_ALIGNMENT. Never NULL. */
void *piw__pool_take(size_t size, uint8_t size_class);
/* Give a block back, with the same; `size` counts in PIW__POOL_PLAIN alone. */
void piw__pool_give(void *block, uint32_t size, uint8_t size_class);

/* Count bytes that live beside the blocks (chunks, blobs): positive when taken, negative when freed. */
void piw__pool_count(int64_t bytes);
/* Bytes taken and not given back, of the whole process. */
uint64_t piw__pool_live(void);

#endif
