/* Bytes that grow, owned by one object.
 * Is:     append, reserve, consume from the front; freed when emptied on demand.
 * Is not: a queue between threads, an arena.
 * Memory: one heap block, doubled as needed up to the caller's limit.   Threads: one at a time.
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_BUFFER_H
#define DX_BASE_BUFFER_H

#include "base/bytes.h"

typedef struct dx_buffer {
    uint8_t *at;
    size_t size, capacity;
} dx_buffer;

static inline dx_bytes dx_buffer_view(const dx_buffer *b)
{
    return (dx_bytes){b->at, b->size};
}

/* Makes room for `more` bytes behind the end. False when memory is out: nothing changed. */
DX_MUST_USE bool dx_buffer_reserve(dx_buffer *b, size_t more);

/* Appends a copy of `bytes` (borrow; may not point into `b`). False: nothing changed. */
DX_MUST_USE bool dx_buffer_append(dx_buffer *b, dx_bytes bytes);

/* Removes `size` bytes from the front; the block is freed once it is empty. */
void dx_buffer_consume(dx_buffer *b, size_t size);

/* Frees the block; the buffer is empty and usable again. */
void dx_buffer_clear(dx_buffer *b);

#endif
