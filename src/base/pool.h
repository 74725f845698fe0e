/* Objects of one size, many of them, without the heap's overhead for each.
 * Is:     slabs of 64 KiB with a free list each; empty ones go back to the system, all but eight.
 * Is not: for objects of several sizes, or for more than one thread.
 * Memory: object size rounded up to 8, plus 1/1000. Under AddressSanitizer each object is its own
 *         heap block, so that use after free is seen.
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_POOL_H
#define DX_BASE_POOL_H

#include "base/list.h"

typedef struct dx_pool {
    size_t object_bytes; /* rounded up */
    size_t live_count;
    uint32_t empty_count; /* slabs */
    dx_list slabs_open; /* of struct slab: with room */
} dx_pool;

/* object_bytes: 1 to 4096. */
void dx_pool_init(dx_pool *pool, size_t object_bytes);

/* One object, zeroed. NULL when memory is out. */
DX_MUST_USE void *dx_pool_take(dx_pool *pool);

/* The same, but with whatever bytes were in it: for buffers, where zeroing would be the main cost. */
DX_MUST_USE void *dx_pool_take_raw(dx_pool *pool);

/* Gives `object` (of this pool, or NULL) back. */
void dx_pool_give(dx_pool *pool, void *object);

/* Every object must have been given back. */
void dx_pool_deinit(dx_pool *pool);

#endif
