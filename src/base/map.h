/* A hash table from bytes to objects, for keys that peers choose.
 * Is:     intrusive chains, SipHash-2-4 under a random key (a peer cannot aim for one bucket).
 * Is not: ordered.
 * Memory: 8 bytes a bucket, doubled when full, never shrunk below 16.   Threads: one at a time.
 * Source: SipHash, Aumasson and Bernstein 2012.
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_MAP_H
#define DX_BASE_MAP_H

#include "base/bytes.h"

typedef struct dx_map_node {
    struct dx_map_node *next;
    uint64_t hash;
    dx_bytes key; /* owned by the object that holds the node */
} dx_map_node;

typedef struct dx_map {
    dx_map_node **buckets;
    size_t buckets_count; /* a power of two, or 0 */
    size_t count;
    uint64_t seed[2];
} dx_map;

/* SipHash-2-4 of `in` under `seed`. */
uint64_t dx_siphash(const uint64_t seed[2], dx_bytes in);

void dx_map_init(dx_map *map, const uint64_t seed[2]);
/* Frees the buckets; the objects are the caller's. */
void dx_map_deinit(dx_map *map);

/* The node with `key`, or NULL. */
dx_map_node *dx_map_find(const dx_map *map, dx_bytes key);

/* Puts in `node`, whose key must be set, stay valid, and not be there yet. False when memory is out. */
DX_MUST_USE bool dx_map_insert(dx_map *map, dx_map_node *node);

/* Takes out `node`, which must be in the map. */
void dx_map_remove(dx_map *map, dx_map_node *node);

/* Walks all nodes in no order: start with NULL; NULL at the end. The node returned last may be
 * removed only after its successor was asked for. */
dx_map_node *dx_map_next(const dx_map *map, const dx_map_node *after);

#endif
