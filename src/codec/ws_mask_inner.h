/* The variants of masking, for the test that they agree.
 * Is:     one function per instruction set; ws_mask.c chooses.
 * Is not: for callers (ws_mask.h).
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_WS_MASK_INNER_H
#define DX_CODEC_WS_MASK_INNER_H

#include "base/platform.h"

/* `word` is the key for the first byte, in memory order, twice. `to` is `from`, or apart from it. */
void dx_ws_mask_plain(uint8_t *to, const uint8_t *from, size_t size, uint64_t word);
#if DX_HAVE_X86_SIMD
void dx_ws_mask_sse2(uint8_t *to, const uint8_t *from, size_t size, uint64_t word); /* size >= 16 */
void dx_ws_mask_avx2(uint8_t *to, const uint8_t *from, size_t size, uint64_t word); /* size >= 32 */
#endif

#endif
