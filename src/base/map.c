/* A hash table under SipHash-2-4.
 * SPDX-License-Identifier: MIT */
#include "base/map.h"

#include "base/assert.h"

#include <stdlib.h>

static inline uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotate(v[1], 13), v[1] ^= v[0], v[0] = rotate(v[0], 32);
    v[2] += v[3], v[3] = rotate(v[3], 16), v[3] ^= v[2];
    v[0] += v[3], v[3] = rotate(v[3], 21), v[3] ^= v[0];
    v[2] += v[1], v[1] = rotate(v[1], 17), v[1] ^= v[2], v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v), sip_round(v);
    v[0] ^= word;
}

uint64_t dx_siphash(const uint64_t seed[2], dx_bytes in)
{
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du,
                     seed[0] ^ 0x6c7967656e657261u, seed[1] ^ 0x7465646279746573u};
    size_t whole = in.size / 8 * 8;
    uint64_t word, last = (uint64_t)in.size << 56;

    for (size_t i = 0; i < whole; i += 8) {
        memcpy(&word, in.at + i, 8); /* little-endian, as the algorithm reads */
        sip_word(v, word);
    }
    for (size_t i = whole; i < in.size; i++)
        last |= (uint64_t)in.at[i] << 8 * (i - whole);
    sip_word(v, last);
    v[2] ^= 0xff;
    sip_round(v), sip_round(v), sip_round(v), sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void dx_map_init(dx_map *map, const uint64_t seed[2])
{
    *map = (dx_map){.seed = {seed[0], seed[1]}};
}

void dx_map_deinit(dx_map *map)
{
    free(map->buckets);
    map->buckets = NULL;
    map->buckets_count = map->count = 0;
}

static dx_map_node **bucket_of(const dx_map *map, uint64_t hash)
{
    return &map->buckets[hash & (map->buckets_count - 1)];
}

static bool map_grow(dx_map *map)
{
    size_t old_count = map->buckets_count;
    dx_map_node **old = map->buckets;
    size_t count = old_count ? old_count * 2 : 16;
    dx_map_node **buckets = calloc(count, sizeof *buckets);

    if (buckets == NULL)
        return false;
    map->buckets = buckets;
    map->buckets_count = count;
    for (size_t i = 0; i < old_count; i++)
        for (dx_map_node *node = old[i], *next; node; node = next) {
            next = node->next;
            dx_map_node **to = bucket_of(map, node->hash);
            node->next = *to;
            *to = node;
        }
    free(old);
    return true;
}

dx_map_node *dx_map_find(const dx_map *map, dx_bytes key)
{
    if (map->count == 0)
        return NULL;
    uint64_t hash = dx_siphash(map->seed, key);
    for (dx_map_node *node = *bucket_of(map, hash); node; node = node->next)
        if (node->hash == hash && dx_bytes_equal(node->key, key))
            return node;
    return NULL;
}

bool dx_map_insert(dx_map *map, dx_map_node *node)
{
    /* A table that cannot grow still works, only slower; without any bucket it cannot. */
    if (map->count >= map->buckets_count && !map_grow(map) && map->buckets_count == 0)
        return false;
    node->hash = dx_siphash(map->seed, node->key);
    dx_map_node **to = bucket_of(map, node->hash);
    node->next = *to;
    *to = node;
    map->count++;
    return true;
}

void dx_map_remove(dx_map *map, dx_map_node *node)
{
    dx_assert(map->count > 0);
    dx_map_node **link = bucket_of(map, node->hash);
    while (*link != node) {
        dx_assert(*link != NULL);
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    map->count--;
}

dx_map_node *dx_map_next(const dx_map *map, const dx_map_node *after)
{
    if (after && after->next)
        return after->next;
    size_t i = after ? (after->hash & (map->buckets_count - 1)) + 1 : 0;
    for (; i < map->buckets_count; i++)
        if (map->buckets[i])
            return map->buckets[i];
    return NULL;
}
