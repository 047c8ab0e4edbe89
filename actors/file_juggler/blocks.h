/* blocks.h — which parts of a file have been asked for, and which have come.
 *
 * A file is divided into blocks of one size (the last may be shorter). It is asked for in pieces, each a run of blocks,
 * some under way at a time: asked for, then here until it is stored. Only what is exactly a piece that was asked for and hasn't come
 * is taken, so nothing counts twice. One thread. */
#ifndef FILE_JUGGLER_BLOCKS_H
#define FILE_JUGGLER_BLOCKS_H

#include "piw/base.h"

enum {
    BLOCK_SIZE = 64 << 10, /* bytes of a block */
    /* A slave holds in memory what it is asked for: so many pieces of so many bytes at most (docs/wire.md#files). */
    PIECES_MAX = 10,
    PIECE_MAX = 1 << 20,
};

typedef struct block_run {
    uint32_t first, count;
    bool here; /* it has come, and isn't stored yet */
} block_run;

typedef struct blocks {
    int64_t size;                 /* bytes of the file, > 0 */
    uint32_t block;               /* bytes of a block */
    uint32_t count;               /* blocks */
    uint32_t missing;             /* that haven't been stored */
    uint32_t next;                /* no block before this one needs to be asked for */
    uint32_t whole;               /* all blocks before this one are stored */
    uint8_t *got;                 /* one bit a block */
    uint32_t pieces_count;        /* asked for, and not stored */
    int64_t in_flight, here;      /* bytes of those that haven't come, and of those that have */
    block_run pieces[PIECES_MAX]; /* in the order in which they were asked for */
} blocks;

/* False when there is no memory. */
bool blocks_init(blocks *map, int64_t size, uint32_t block);
void blocks_fini(blocks *map);
/* The next piece to ask for, of at most `most` bytes but at least one block, when fewer than PIECES_MAX are under way and
 * something is left; it counts as asked for. */
bool blocks_next(blocks *map, int64_t most, int64_t *offset, int64_t *length);
/* Is this a piece that was asked for and hasn't come? */
bool blocks_wants(const blocks *map, int64_t offset, size_t length);
/* It has come. */
void blocks_came(blocks *map, int64_t offset);
/* It is stored. What isn't waited for there, or not any more, is nothing. */
void blocks_take(blocks *map, int64_t offset);
/* None of what is here could be stored: it counts as not come. */
void blocks_lose_all(blocks *map);
/* Forget what has come and what was asked for. */
void blocks_clear(blocks *map);
/* Bytes from the first on that are stored without a gap. */
int64_t blocks_whole(const blocks *map);
/* Bytes of the bit map. */
size_t blocks_bytes(const blocks *map);
/* Take over a saved bit map, of blocks_bytes() bytes. False when it isn't of that size. */
bool blocks_load(blocks *map, piw_bytes got);
/* Take over a piece that was asked for. False when it can't have been. */
bool blocks_load_piece(blocks *map, int64_t offset, int64_t length);
/* Where piece number `index` of those under way lies; the one that was asked for first is 0. False: it is here. */
bool blocks_piece(const blocks *map, uint32_t index, int64_t *offset, int64_t *length);

#endif
