/* Where zlib's memory comes from.
 * Is:     the two hooks of a z_stream, and the cut of sizes to zlib's 32 bits.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_DEFLATE_ALLOC_H
#define DX_CODEC_DEFLATE_ALLOC_H

#include "base/platform.h"

#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

static inline void *dx_zlib_take(void *context, unsigned count, unsigned size)
{
    size_t bytes;

    (void)context;
    return __builtin_mul_overflow((size_t)count, (size_t)size, &bytes) ? NULL : malloc(bytes);
}

static inline void dx_zlib_give(void *context, void *memory)
{
    (void)context;
    free(memory);
}

/* As much of `size` as one call of zlib takes. */
static inline unsigned dx_zlib_size(size_t size)
{
    return (unsigned)dx_min_size(size, 1u << 30);
}

#endif
