/* Bytes that grow.
 * SPDX-License-Identifier: MIT */
#include "base/buffer.h"

#include "base/assert.h"

#include <stdlib.h>

bool dx_buffer_reserve(dx_buffer *b, size_t more)
{
    size_t need, capacity = dx_max_size(b->capacity, 128);

    if (__builtin_add_overflow(b->size, more, &need) || need > SIZE_MAX / 2)
        return false;
    if (need <= b->capacity)
        return true;
    while (capacity < need)
        capacity *= 2;
    uint8_t *at = realloc(b->at, capacity);
    if (at == NULL)
        return false;
    b->at = at;
    b->capacity = capacity;
    return true;
}

bool dx_buffer_append(dx_buffer *b, dx_bytes bytes)
{
    if (bytes.size == 0)
        return true;
    if (!dx_buffer_reserve(b, bytes.size))
        return false;
    dx_copy(b->at + b->size, bytes.at, bytes.size);
    b->size += bytes.size;
    return true;
}

void dx_buffer_consume(dx_buffer *b, size_t size)
{
    dx_assert(size <= b->size);
    b->size -= size;
    if (b->size == 0)
        dx_buffer_clear(b);
    else if (size > 0)
        memmove(b->at, b->at + size, b->size);
}

void dx_buffer_clear(dx_buffer *b)
{
    free(b->at);
    *b = (dx_buffer){0};
}
