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

/* A block of at least `size` bytes, not cleared, aligned to PIW__POOL_ALIGNMENT; its true size and class are stored. Never NULL. */
void *piw__pool_take(size_t size, uint32_t *true_size, uint8_t *size_class);
/* Give a block back; `size_class` as it was told. */
void piw__pool_give(void *block, uint32_t true_size, uint8_t size_class);

/* Count bytes that live beside the blocks (chunks, blobs): positive when taken, negative when freed. */
void piw__pool_count(int64_t bytes);
/* Bytes taken and not given back, of the whole process. */
uint64_t piw__pool_live(void);

#endif
