/* Frames, masking, UTF-8, SHA-1 and base64 for the conformance client. See ws_wire.h.
 * Source: RFC 6455 §5.2, RFC 3629 §4, FIPS 180-4 §6.1, RFC 4648 §4.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/ws_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- buffer ---- */

uint8_t *wst_buffer_grow(wst_buffer *buffer, size_t size)
{
    size_t needed = buffer->size + size;

    if (needed > buffer->capacity) {
        size_t capacity = buffer->capacity ? buffer->capacity : 256;
        while (capacity < needed)
            capacity *= 2;
        uint8_t *at = realloc(buffer->at, capacity);
        if (!at) {
            fputs("out of memory\n", stderr);
            abort();
        }
        buffer->at = at;
        buffer->capacity = capacity;
    }
    uint8_t *room = buffer->at + buffer->size;
    buffer->size = needed;
    return room;
}

void wst_buffer_add(wst_buffer *buffer, const void *bytes, size_t size)
{
    if (size > 0)
        memcpy(wst_buffer_grow(buffer, size), bytes, size);
}

void wst_buffer_deinit(wst_buffer *buffer)
{
    free(buffer->at);
    *buffer = (wst_buffer){0};
}

/* ---- frames ---- */

static void write_big_endian(uint8_t *at, uint64_t value, size_t octets)
{
    for (size_t i = 0; i < octets; i++)
        at[i] = (uint8_t)(value >> (8 * (octets - 1 - i)));
}

static uint64_t read_big_endian(const uint8_t *at, size_t octets)
{
    uint64_t value = 0;

    for (size_t i = 0; i < octets; i++)
        value = value << 8 | at[i];
    return value;
}

static uint8_t shortest_bits(uint64_t length)
{
    if (length <= 125)
        return 7;
    return length <= 65535 ? 16 : 64;
}

void wst_mask(uint8_t *at, size_t size, const uint8_t key[4], size_t index)
{
    uint8_t wide[8];
    uint64_t word, mask;
    size_t i = 0;

    for (size_t k = 0; k < sizeof wide; k++)
        wide[k] = key[(index + k) & 3];
    memcpy(&mask, wide, sizeof mask);
    for (; size - i >= sizeof word; i += sizeof word) {
        memcpy(&word, at + i, sizeof word);
        word ^= mask;
        memcpy(at + i, &word, sizeof word);
    }
    for (; i < size; i++)
        at[i] ^= wide[i & 7];
}

void wst_frame_write(wst_buffer *out, const wst_frame *frame, const void *payload, size_t size,
                     uint32_t key)
{
    uint64_t length = frame->length_says ? frame->length_says : size;
    uint8_t bits = frame->length_bits ? frame->length_bits : shortest_bits(length);
    uint8_t mask_bit = frame->unmasked ? 0 : 0x80;
    uint8_t head[14], key_octets[4];
    size_t head_size = 2;

    head[0] = (uint8_t)((frame->more ? 0 : 0x80) | frame->rsv << 4 | frame->opcode);
    if (bits == 7) {
        head[1] = (uint8_t)(mask_bit | (length & 0x7f));
    } else {
        head[1] = mask_bit | (bits == 16 ? 126 : 127);
        write_big_endian(head + 2, length, bits / 8);
        head_size += bits / 8;
    }
    write_big_endian(key_octets, frame->zero_key ? 0 : key, 4);
    if (!frame->unmasked) {
        memcpy(head + head_size, key_octets, 4);
        head_size += 4;
    }
    wst_buffer_add(out, head, head_size);
    wst_buffer_add(out, payload, size);
    if (!frame->unmasked && size > 0)
        wst_mask(out->at + out->size - size, size, key_octets, 0);
}

bool wst_head_read(const uint8_t *at, size_t size, wst_head *ret)
{
    wst_head head = {.size = 2};
    size_t length_octets = 0;

    if (size < head.size)
        return false;
    head.fin = at[0] & 0x80;
    head.rsv = at[0] >> 4 & 7;
    head.opcode = at[0] & 15;
    head.masked = at[1] & 0x80;
    head.length = at[1] & 0x7f;
    if (head.length >= 126)
        length_octets = head.length == 126 ? 2 : 8;
    head.size += length_octets + (head.masked ? 4 : 0);
    if (size < head.size)
        return false;
    if (length_octets)
        head.length = read_big_endian(at + 2, length_octets);
    head.shortest = shortest_bits(head.length) == (length_octets ? length_octets * 8 : 7);
    if (head.masked)
        memcpy(head.key, at + 2 + length_octets, 4);
    *ret = head;
    return true;
}

/* ---- UTF-8: RFC 3629 §4, one row of its grammar for each lead octet ---- */

static bool utf8_lead(wst_utf8 *state, uint8_t lead)
{
    state->low = 0x80;
    state->high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
        state->need = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        state->need = 2;
        if (lead == 0xe0)
            state->low = 0xa0; /* else overlong */
        if (lead == 0xed)
            state->high = 0x9f; /* else a surrogate */
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        state->need = 3;
        if (lead == 0xf0)
            state->low = 0x90; /* else overlong */
        if (lead == 0xf4)
            state->high = 0x8f; /* else above U+10FFFF */
    } else {
        return false;
    }
    return true;
}

bool wst_utf8_feed(wst_utf8 *state, const uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t octet = at[i];

        if (state->need) {
            if (octet < state->low || octet > state->high)
                return false;
            state->need--;
            state->low = 0x80;
            state->high = 0xbf;
        } else if (octet >= 0x80 && !utf8_lead(state, octet)) {
            return false;
        }
    }
    return true;
}

bool wst_utf8_whole(const uint8_t *at, size_t size)
{
    wst_utf8 state = {0};

    return wst_utf8_feed(&state, at, size) && state.need == 0;
}

/* ---- the accept value ---- */

static uint32_t rotate(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static void sha1_block(uint32_t h[5], const uint8_t *block)
{
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

    for (size_t t = 0; t < 16; t++)
        w[t] = (uint32_t)read_big_endian(block + 4 * t, 4);
    for (size_t t = 16; t < 80; t++)
        w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    for (size_t t = 0; t < 80; t++) {
        uint32_t f, k;
        if (t < 20) {
            f = (b & c) | (~b & d);
            k = 0x5a827999;
        } else if (t < 40) {
            f = b ^ c ^ d;
            k = 0x6ed9eba1;
        } else if (t < 60) {
            f = (b & c) | (b & d) | (c & d);
            k = 0x8f1bbcdc;
        } else {
            f = b ^ c ^ d;
            k = 0xca62c1d6;
        }
        uint32_t next = rotate(a, 5) + f + e + k + w[t];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

/* Of at most 119 bytes: two blocks hold them, the end mark and the length. */
static void sha1_short(const uint8_t *at, size_t size, uint8_t ret[static 20])
{
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t blocks[128] = {0};
    size_t blocks_size = size < 56 ? 64 : 128;

    if (size > 119)
        abort();
    memcpy(blocks, at, size);
    blocks[size] = 0x80;
    write_big_endian(blocks + blocks_size - 8, (uint64_t)size * 8, 8);
    for (size_t i = 0; i < blocks_size; i += 64)
        sha1_block(h, blocks + i);
    for (size_t i = 0; i < 5; i++)
        write_big_endian(ret + 4 * i, h[i], 4);
}

void wst_base64(const uint8_t *at, size_t size, char *ret)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < size; i += 3) {
        uint32_t group = (uint32_t)at[i] << 16;
        if (i + 1 < size)
            group |= (uint32_t)at[i + 1] << 8;
        if (i + 2 < size)
            group |= at[i + 2];
        *ret++ = digits[group >> 18];
        *ret++ = digits[group >> 12 & 63];
        *ret++ = i + 1 < size ? digits[group >> 6 & 63] : '=';
        *ret++ = i + 2 < size ? digits[group & 63] : '=';
    }
    *ret = 0;
}

void wst_accept(const char *key, char ret[static 29])
{
    char joined[100];
    uint8_t digest[20];

    int size = snprintf(joined, sizeof joined, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    if (size < 0 || (size_t)size >= sizeof joined)
        abort();
    sha1_short((const uint8_t *)joined, (size_t)size, digest);
    wst_base64(digest, sizeof digest, ret);
}
