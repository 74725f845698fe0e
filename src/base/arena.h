/* Memory for one request: many small allocations, one reset.
 * Is:     a chain of blocks, bump allocation, 16-byte alignment.
 * Is not: a pool (objects are not freed one by one).
 * Memory: blocks of at least 4 KiB; reset keeps the first.   Threads: one at a time.
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_ARENA_H
#define DX_BASE_ARENA_H

#include "base/bytes.h"

typedef struct dx_arena {
    struct dx_arena_block *blocks; /* newest first; NULL: nothing allocated yet */
} dx_arena;

/* `size` bytes, uninitialised, until the next reset. NULL when memory is out. */
DX_MUST_USE void *dx_arena_take(dx_arena *a, size_t size);

/* A copy of `bytes` in the arena. False when memory is out. */
DX_MUST_USE bool dx_arena_copy(dx_arena *a, dx_bytes bytes, dx_bytes *ret);

/* Takes back everything; keeps one block for the next request. */
void dx_arena_reset(dx_arena *a);

/* Frees everything. */
void dx_arena_deinit(dx_arena *a);

#endif
