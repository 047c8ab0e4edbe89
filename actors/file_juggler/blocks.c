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
    map->got = calloc(1, blocks_bytes(map));
    return map->got != NULL;
}

void blocks_fini(blocks *map)
{
    free(map->got);
    *map = (blocks){0};
}

static int64_t length_of(const blocks *map, block_run run)
{
    int64_t left = map->size - (int64_t)run.first * map->block, length = (int64_t)run.count * map->block;
    return left < length ? left : length;
}

static bool is_asked(const blocks *map, uint32_t index)
{
    for (uint32_t i = 0; i < map->pieces_count; i++)
        if (index >= map->pieces[i].first && index - map->pieces[i].first < map->pieces[i].count)
            return true;
    return false;
}

static bool is_left(const blocks *map, uint32_t index)
{
    return index < map->count && !is_set(map->got, index) && !is_asked(map, index);
}

static void add_piece(blocks *map, block_run run)
{
    map->pieces[map->pieces_count++] = run;
    map->in_flight += length_of(map, run);
}

bool blocks_next(blocks *map, int64_t most, int64_t *offset, int64_t *length)
{
    if (map->pieces_count == PIECES_MAX)
        return false;
    while (map->next < map->count && !is_left(map, map->next))
        map->next++;
    if (map->next == map->count)
        return false;
    block_run run = {.first = map->next, .count = 1};
    while (((int64_t)run.count + 1) * map->block <= most && is_left(map, run.first + run.count))
        run.count++;
    add_piece(map, run);
    map->next = run.first + run.count;
    *offset = (int64_t)run.first * map->block;
    *length = length_of(map, run);
    return true;
}

/* The index of the piece that begins there; PIECES_MAX when none does. */
static uint32_t find(const blocks *map, int64_t offset)
{
    for (uint32_t i = 0; i < map->pieces_count; i++)
        if ((int64_t)map->pieces[i].first * map->block == offset)
            return i;
    return PIECES_MAX;
}

bool blocks_wants(const blocks *map, int64_t offset, size_t length)
{
    uint32_t i = find(map, offset);
    return i < PIECES_MAX && !map->pieces[i].here && length == (size_t)length_of(map, map->pieces[i]);
}

static void move(blocks *map, uint32_t i, bool here)
{
    int64_t length = map->pieces[i].here == here ? 0 : length_of(map, map->pieces[i]);
    map->here += here ? length : -length;
    map->in_flight -= here ? length : -length;
    map->pieces[i].here = here;
}

void blocks_came(blocks *map, int64_t offset)
{
    move(map, find(map, offset), true);
}

void blocks_lose_all(blocks *map)
{
    for (uint32_t i = 0; i < map->pieces_count; i++)
        move(map, i, false);
}

void blocks_take(blocks *map, int64_t offset)
{
    uint32_t i = find(map, offset);
    if (i == PIECES_MAX)
        return;
    move(map, i, true);
    block_run run = map->pieces[i];
    for (uint32_t k = 0; k < run.count; k++)
        set(map->got, run.first + k);
    map->missing -= run.count;
    map->here -= length_of(map, run);
    map->pieces_count--;
    memmove(&map->pieces[i], &map->pieces[i + 1], (map->pieces_count - i) * sizeof(run));
    while (map->whole < map->count && is_set(map->got, map->whole))
        map->whole++;
}

void blocks_clear(blocks *map)
{
    memset(map->got, 0, blocks_bytes(map));
    map->missing = map->count;
    map->whole = map->next = map->pieces_count = 0;
    map->in_flight = map->here = 0;
}

int64_t blocks_whole(const blocks *map)
{
    int64_t whole = (int64_t)map->whole * map->block;
    return whole < map->size ? whole : map->size;
}

bool blocks_load(blocks *map, piw_bytes got)
{
    if (got.len != blocks_bytes(map))
        return false;
    memcpy(map->got, got.data, got.len);
    map->missing = map->whole = 0;
    for (uint32_t i = 0; i < map->count; i++)
        map->missing += !is_set(map->got, i);
    while (map->whole < map->count && is_set(map->got, map->whole))
        map->whole++;
    map->next = map->whole;
    return true;
}

bool blocks_load_piece(blocks *map, int64_t offset, int64_t length)
{
    if (map->pieces_count == PIECES_MAX || offset < 0 || offset >= map->size || offset % map->block != 0 || length <= 0)
        return false;
    block_run run = {.first = (uint32_t)(offset / map->block),
                     .count = (uint32_t)((length + map->block - 1) / map->block)};
    if (length > map->size - offset || length != length_of(map, run))
        return false;
    for (uint32_t i = 0; i < run.count; i++)
        if (!is_left(map, run.first + i))
            return false;
    add_piece(map, run);
    return true;
}

bool blocks_piece(const blocks *map, uint32_t index, int64_t *offset, int64_t *length)
{
    *offset = (int64_t)map->pieces[index].first * map->block;
    *length = length_of(map, map->pieces[index]);
    return !map->pieces[index].here;
}
