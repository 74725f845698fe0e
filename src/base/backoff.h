/* How long to wait before something that failed is tried again.
 * Memory: none.   Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_BACKOFF_H
#define DX_BASE_BACKOFF_H

#include "base/platform.h"

/* Milliseconds: random from half to all of what doubles with each failure, from 250 ms to 15 s, so that many who
 * lost the same server do not come back together. failures: in a row, at least 1. */
uint32_t dx_backoff_ms(uint64_t failures);

#endif
