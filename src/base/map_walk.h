/* Walking a map in parts, with turns of a loop between them.
 * Is:     a cursor that holds while the map grows.
 * Memory: none.   Threads: the map's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_MAP_WALK_H
#define DX_BASE_MAP_WALK_H

#include "base/map.h"

/* Walks the buckets in an order that holds while the map grows: what is in it from the first call to the last
 * comes at least once. *cursor: 0 to begin with; 0 again when all were walked. Calls `visit` with the nodes of
 * at least one and about `buckets_max` buckets; it may not change the map. */
typedef void dx_map_visit(dx_map_node *node, void *context);
void dx_map_walk(const dx_map *map, uint64_t *cursor, size_t buckets_max, dx_map_visit *visit,
                 void *context);

#endif
