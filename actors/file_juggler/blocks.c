/* blocks.c — which blocks of a file have been asked for, and which have come. */
#include "blocks.h"

#include <stdlib.h>

static bool is_set(const uint8_t *bits, uint32_t index)
{
    return (bits[index / 8] >> (index % 8) & 1) != 0;
}

static void set(uint8_t *bits, uint32_t index)
{
    bits[index / 8] = (uint8_t)(bits[index / 8] | 1u << (index % 8));
}

size_t blocks_bytes(const blocks *map)
{
    return (map->count + 7) / 8;
}

bool blocks_init(blocks *map, int64_t size, uint32_t block)
{
    *map = (blocks){.size = size, .block = block, .count = (uint32_t)((size + block - 1) / block)};
    map->missing = map->count;
    map->asked = calloc(2, blocks_bytes(map));
    map->got = map->asked == NULL ? NULL : map->asked + blocks_bytes(map);
    return map->asked != NULL;
}

void blocks_fini(blocks *map)
{
    free(map->asked);
    *map = (blocks){0};
}

/* Bytes of block number `index`. */
static int64_t length_of(const blocks *map, uint32_t index)
{
    int64_t left = map->size - (int64_t)index * map->block;
    return left < map->block ? left : map->block;
}

bool blocks_next(blocks *map, int64_t *offset, int64_t *length)
{
    if (map->in_flight >= BLOCKS_IN_FLIGHT)
        return false;
    while (map->next < map->count && (is_set(map->got, map->next) || is_set(map->asked, map->next)))
        map->next++;
    if (map->next == map->count)
        return false;
    set(map->asked, map->next);
    map->in_flight++;
    *offset = (int64_t)map->next * map->block;
    *length = length_of(map, map->next);
    return true;
}

bool blocks_wants(const blocks *map, int64_t offset, size_t length)
{
    if (offset < 0 || offset >= map->size || offset % map->block != 0)
        return false;
    uint32_t index = (uint32_t)(offset / map->block);
    return is_set(map->asked, index) && !is_set(map->got, index) && length == (size_t)length_of(map, index);
}

void blocks_take(blocks *map, int64_t offset)
{
    set(map->got, (uint32_t)(offset / map->block));
    map->missing--;
    map->in_flight--;
}

void blocks_again(blocks *map)
{
    memcpy(map->asked, map->got, blocks_bytes(map));
    map->in_flight = 0;
    map->next = 0;
}

bool blocks_load(blocks *map, piw_bytes asked, piw_bytes got)
{
    size_t n = blocks_bytes(map);
    if (asked.len != n || got.len != n)
        return false;
    memcpy(map->asked, asked.data, n);
    memcpy(map->got, got.data, n);
    map->missing = map->in_flight = 0;
    for (uint32_t i = 0; i < map->count; i++) {
        bool has = is_set(map->got, i);
        map->missing += !has;
        map->in_flight += is_set(map->asked, i) && !has;
    }
    return true;
}
