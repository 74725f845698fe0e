/* Masking of WebSocket payloads: XOR with a key of four bytes. Masking and unmasking are the same.
 * Is:     in place and while copying; 16 bytes at a time, 32 where AVX2 is and the payload is big.
 * Is not: choosing keys (the caller's random bytes).
 * Memory: allocates nothing.   Threads: any.   Cost: 2-4 ns up to 125 bytes, then memory speed.
 * Source: RFC 6455 §5.3.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_WS_MASK_H
#define DX_CODEC_WS_MASK_H

#include "base/platform.h"

/* Byte i of the `size` bytes at `at` is combined with key[(phase + i) % 4]. `phase` is how many bytes
 * of this frame's payload were masked before. `at` may be NULL when size is 0; any alignment. */
void dx_ws_mask(uint8_t *at, size_t size, const uint8_t key[4], size_t phase);

/* The same from `from` to `to`, which must not overlap. */
void dx_ws_mask_copy(uint8_t *to, const uint8_t *from, size_t size, const uint8_t key[4],
                     size_t phase);

#endif
