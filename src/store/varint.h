/* Numbers of one to ten bytes, seven bits in each, the lowest first.
 * Is:     what runs and journal rows are written with.
 * Memory: allocates nothing.   Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_VARINT_H
#define DX_STORE_VARINT_H

#include "base/bytes.h"

enum { DX_VARINT_BYTES_MAX = 10 };

/* Writes `value` at `at`, which has room for DX_VARINT_BYTES_MAX. Gives the bytes written. */
static inline size_t dx_varint_write(uint8_t *at, uint64_t value)
{
    size_t size = 0;

    for (; value >= 0x80; value >>= 7)
        at[size++] = (uint8_t)(value | 0x80);
    at[size++] = (uint8_t)value;
    return size;
}

/* Reads from the front of `*in` and moves it; on false (cut off, or above 64 bits) nothing changes. */
static inline bool dx_varint_read(dx_bytes *in, uint64_t *ret)
{
    uint64_t value = 0;

    for (size_t i = 0; i < in->size && i < DX_VARINT_BYTES_MAX; i++) {
        uint64_t bits = in->at[i] & 0x7f;
        if (i == DX_VARINT_BYTES_MAX - 1 && bits > 1)
            return false;
        value |= bits << (7 * i);
        if (in->at[i] < 0x80) {
            in->at += i + 1, in->size -= i + 1;
            *ret = value;
            return true;
        }
    }
    return false;
}

/* A number that says how many bytes follow, and those. */
static inline bool dx_varint_take(dx_bytes *in, dx_bytes *ret)
{
    dx_bytes cur = *in;
    uint64_t size;

    if (!dx_varint_read(&cur, &size) || size > cur.size || !dx_bytes_take(&cur, (size_t)size, ret))
        return false;
    *in = cur;
    return true;
}

#endif
