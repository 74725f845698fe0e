/* What all fuzz targets share.
 * Is:     the entry point, a check that stays on, exact copies, splits made from a seed.
 * SPDX-License-Identifier: MIT */
#ifndef DX_FUZZ_FUZZ_H
#define DX_FUZZ_FUZZ_H

#include "base/bytes.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                      \
    ((condition)                                                                                   \
         ? (void)0                                                                                 \
         : (fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition), abort()))

/* A copy whose block ends where it ends: given, free it by fuzz_free. */
static inline dx_bytes fuzz_copy(dx_bytes in)
{
    uint8_t *copy = malloc(in.size + 1);
    FUZZ_CHECK(copy != NULL);
    dx_copy(copy + 1, in.at, in.size);
    return (dx_bytes){copy + 1, in.size};
}

static inline void fuzz_free(dx_bytes copy)
{
    free((uint8_t *)(uintptr_t)copy.at - 1);
}

/* The next of a row of sizes, 0 to 2^bits - 1, mostly small. */
static inline size_t fuzz_step(unsigned *seed)
{
    *seed = *seed * 1103515245 + 12345;
    return (*seed >> 16) & ((1u << (*seed >> 28 & 7)) - 1);
}

/* True if `part` lies inside of `whole` (or is empty). */
static inline bool fuzz_is_inside(dx_bytes part, dx_bytes whole)
{
    uintptr_t at = (uintptr_t)part.at, start = (uintptr_t)whole.at;
    return part.size == 0 ||
           (at >= start && at - start <= whole.size && part.size <= whole.size - (at - start));
}

#endif
