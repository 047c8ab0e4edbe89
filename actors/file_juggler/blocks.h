/* blocks.h — which blocks of a file have been asked for, and which have come.
 *
 * A file is asked for in blocks of one size (the last may be shorter), some in flight at a time. Only a piece that is
 * exactly a block that was asked for and hasn't come is taken, so nothing counts twice. One thread. */
#ifndef FILE_JUGGLER_BLOCKS_H
#define FILE_JUGGLER_BLOCKS_H

#include "piw/base.h"

enum {
    /* Bytes of a block. A slave holds BLOCKS_IN_FLIGHT of them in memory; larger ones gain nothing over a network. */
    BLOCK_SIZE = 256 << 10,
    /* Slaves hold what is asked for in memory: 10 at most (docs/wire.md#files). */
    BLOCKS_IN_FLIGHT = 10,
};

typedef struct blocks {
    int64_t size;         /* bytes of the file, > 0 */
    uint32_t block;       /* bytes of a block */
    uint32_t count;       /* blocks */
    uint32_t missing;     /* that haven't come */
    uint32_t in_flight;   /* asked for since the last blocks_again, and not come */
    uint32_t next;        /* no block before this one needs to be asked for */
    uint8_t *asked, *got; /* one bit a block */
} blocks;

/* False when there is no memory. */
bool blocks_init(blocks *map, int64_t size, uint32_t block);
void blocks_fini(blocks *map);
/* The next piece to ask for, when fewer than BLOCKS_IN_FLIGHT are under way and one is left; it counts as asked for. */
bool blocks_next(blocks *map, int64_t *offset, int64_t *length);
/* Is this piece one that was asked for and hasn't come? */
bool blocks_wants(const blocks *map, int64_t offset, size_t length);
/* It has come and is stored. */
void blocks_take(blocks *map, int64_t offset);
/* Forget what was asked for: what is missing is asked for again. */
void blocks_again(blocks *map);
/* Bytes of the bit maps. */
size_t blocks_bytes(const blocks *map);
/* Take over saved bit maps, of blocks_bytes() each. False when they aren't of that size. */
bool blocks_load(blocks *map, piw_bytes asked, piw_bytes got);

#endif
