/* Structs of options and handlers that grow at their end (duplex/types.h).
 * Memory: none.   Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_SIZED_H
#define DX_BASE_SIZED_H

#include "base/platform.h"

/* Copies a struct of which the caller knows `size` bytes; the rest of `to` is zero. from: NULL for all zero.
 * False: it has something set that is not known here. */
DX_MUST_USE bool dx_sized_copy(void *to, size_t to_size, const void *from, size_t size);

#endif
