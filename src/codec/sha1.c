/* SHA-1 of RFC 3174, for the handshake only.
 * SPDX-License-Identifier: MIT */
#include "codec/sha1.h"

enum { BLOCK_BYTES = 64, LENGTH_AT = 56 };

static uint32_t turn_left(uint32_t word, unsigned by)
{
    return word << by | word >> (32 - by);
}

/* f and K of §5 for round `t`, already added up. */
static uint32_t mixed(unsigned t, uint32_t b, uint32_t c, uint32_t d)
{
    if (t < 20)
        return ((b & c) | (~b & d)) + 0x5a827999u;
    if (t < 40)
        return (b ^ c ^ d) + 0x6ed9eba1u;
    if (t < 60)
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcu;
    return (b ^ c ^ d) + 0xca62c1d6u;
}

static void add_block(uint32_t sum[5], const uint8_t block[BLOCK_BYTES])
{
    uint32_t w[80], a = sum[0], b = sum[1], c = sum[2], d = sum[3], e = sum[4];

    for (unsigned t = 0; t < 16; t++, block += 4)
        w[t] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 |
               block[3];
    for (unsigned t = 16; t < 80; t++)
        w[t] = turn_left(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    for (unsigned t = 0; t < 80; t++) {
        uint32_t next = turn_left(a, 5) + mixed(t, b, c, d) + e + w[t];
        e = d, d = c, c = turn_left(b, 30), b = a, a = next;
    }
    sum[0] += a, sum[1] += b, sum[2] += c, sum[3] += d, sum[4] += e;
}

void dx_sha1(dx_bytes in, uint8_t out[DX_SHA1_BYTES])
{
    uint32_t sum[5] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u};
    uint64_t bits = (uint64_t)in.size * 8;
    uint8_t tail[2 * BLOCK_BYTES] = {0}; /* the rest, 0x80, zeros, the length */
    dx_bytes block;

    while (dx_bytes_take(&in, BLOCK_BYTES, &block))
        add_block(sum, block.at);
    dx_copy(tail, in.at, in.size);
    tail[in.size] = 0x80;
    uint8_t *last = in.size < LENGTH_AT ? tail : tail + BLOCK_BYTES;
    for (unsigned i = 0; i < 8; i++)
        last[LENGTH_AT + i] = (uint8_t)(bits >> (56 - 8 * i));
    for (uint8_t *at = tail; at <= last; at += BLOCK_BYTES)
        add_block(sum, at);
    for (unsigned i = 0; i < DX_SHA1_BYTES; i++)
        out[i] = (uint8_t)(sum[i / 4] >> (24 - 8 * (i % 4)));
}
