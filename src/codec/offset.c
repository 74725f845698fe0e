/* Offsets to and from their text.
 * SPDX-License-Identifier: MIT */
#include "codec/offset.h"

#define DIGITS 16

static void number_write(uint64_t number, uint8_t *at)
{
    for (unsigned i = DIGITS; i-- > 0; number >>= 4)
        at[i] = (uint8_t) "0123456789abcdef"[number & 15];
}

/* Lower case only: one offset has one text. */
static bool number_read(const uint8_t *at, uint64_t *ret)
{
    uint64_t number = 0;

    for (unsigned i = 0; i < DIGITS; i++) {
        uint8_t c = at[i];
        if (c >= '0' && c <= '9')
            number = number << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            number = number << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *ret = number;
    return true;
}

void dx_offset_write(dx_offset offset, uint8_t at[static DX_OFFSET_SIZE])
{
    number_write(offset.epoch, at);
    at[DIGITS] = '_';
    number_write(offset.sequence, at + DIGITS + 1);
}

dx_offset_kind dx_offset_read(dx_bytes in, dx_offset *ret)
{
    dx_offset offset;

    if (dx_bytes_equal(in, DX_BYTES("-1")))
        return DX_OFFSET_START;
    if (dx_bytes_equal(in, DX_BYTES("now")))
        return DX_OFFSET_NOW;
    if (in.size != DX_OFFSET_SIZE || in.at[DIGITS] != '_' || !number_read(in.at, &offset.epoch) ||
        !number_read(in.at + DIGITS + 1, &offset.sequence))
        return DX_OFFSET_BAD;
    *ret = offset;
    return DX_OFFSET_AT;
}
