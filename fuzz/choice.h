/* A cursor over the front of a fuzz input, for choices.
 * SPDX-License-Identifier: MIT */
#ifndef DX_FUZZ_CHOICE_H
#define DX_FUZZ_CHOICE_H

#include "base/assert.h"
#include "base/bytes.h"

/* The next byte of the input, 0 behind its end. */
static inline uint8_t fuzz_byte(dx_bytes *in)
{
    uint8_t byte = 0;
    return dx_bytes_u8(in, &byte) ? byte : 0;
}

#endif
