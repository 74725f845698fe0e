/* Memory for one request.
 * SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include "base/assert.h"

#include <stdlib.h>

enum { BLOCK_BYTES = 4096, ALIGNMENT = 16 };

struct dx_arena_block {
    struct dx_arena_block *older;
    size_t used, capacity;
    _Alignas(ALIGNMENT) uint8_t bytes[];
};

static struct dx_arena_block *block_new(size_t size)
{
    size_t capacity = dx_max_size(size, BLOCK_BYTES - sizeof(struct dx_arena_block));
    struct dx_arena_block *block = malloc(sizeof *block + capacity);

    if (block)
        *block = (struct dx_arena_block){.capacity = capacity};
    return block;
}

void *dx_arena_take(dx_arena *a, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (a->blocks == NULL || a->blocks->capacity - a->blocks->used < size) {
        struct dx_arena_block *block = block_new(size);
        if (block == NULL)
            return NULL;
        block->older = a->blocks;
        a->blocks = block;
    }
    void *at = a->blocks->bytes + a->blocks->used;
    a->blocks->used += size;
    return at;
}

bool dx_arena_copy(dx_arena *a, dx_bytes bytes, dx_bytes *ret)
{
    uint8_t *at = dx_arena_take(a, bytes.size);

    if (at == NULL)
        return false;
    dx_copy(at, bytes.at, bytes.size);
    *ret = (dx_bytes){at, bytes.size};
    return true;
}

void dx_arena_reset(dx_arena *a)
{
    while (a->blocks && a->blocks->older) {
        struct dx_arena_block *newest = a->blocks;
        a->blocks = newest->older;
        free(newest);
    }
    if (a->blocks)
        a->blocks->used = 0;
}

void dx_arena_deinit(dx_arena *a)
{
    dx_arena_reset(a);
    free(a->blocks);
    a->blocks = NULL;
}
