/* Walking a map in parts.
 * SPDX-License-Identifier: MIT */
#include "base/map_walk.h"

static uint64_t reversed(uint64_t x)
{
    x = (x >> 1 & 0x5555555555555555u) | (x & 0x5555555555555555u) << 1;
    x = (x >> 2 & 0x3333333333333333u) | (x & 0x3333333333333333u) << 2;
    x = (x >> 4 & 0x0f0f0f0f0f0f0f0fu) | (x & 0x0f0f0f0f0f0f0f0fu) << 4;
    return __builtin_bswap64(x);
}

/* Counts from the highest bit of the mask down: when the table is twice as large, the buckets that were walked are
 * those whose lower bits were, all of them (as in Redis' SCAN). */
void dx_map_walk(const dx_map *map, uint64_t *cursor, size_t buckets_max, dx_map_visit *visit,
                 void *context)
{
    uint64_t mask = map->buckets_count - 1, at = *cursor;

    if (map->buckets_count == 0) {
        *cursor = 0;
        return;
    }
    do {
        for (dx_map_node *node = map->buckets[at & mask]; node; node = node->next)
            visit(node, context);
        at = reversed(reversed(at | ~mask) + 1);
    } while (at != 0 && buckets_max-- > 1);
    *cursor = at;
}
