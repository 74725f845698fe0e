/* Deflating messages: zlib in raw mode, one message a call, ended by a sync flush without its tail.
 *
 * Without takeover every message begins with deflateReset, which clears the hash table: 64 KiB at
 * zlib's usual size, half a microsecond from a warm cache and all of a cache's first level. So there
 * are states of two sizes, and a message takes the smallest that does not compress it worse.
 * Measured (JSON, zlib 1.2.13, microseconds and size), window and memory level of the small class
 * against 15 and 8: 100 bytes 3.2 to 3.6 (95), 1000 bytes 6.3 to 6.7 (367), 8000 bytes 25 to 26 (2339).
 * A still smaller one (11 and 2) was slower at 1000 bytes, 8.2 (384): its blocks are too short.
 * Level 3 against 6: 1000 bytes 6.3 to 7.6 (367 to 357), 4000 bytes 14 to 24 (1196 to 1159), 64000
 * bytes 426 to 962 (18235 to 16618): hence 3.
 * SPDX-License-Identifier: MIT */
#include "codec/deflate.h"

#include "base/assert.h"
#include "codec/deflate_alloc.h"

enum { BITS_MIN = 9, BITS_MAX = 15, LEVEL_DEFAULT = 3, TAIL_BYTES = 4 };

/* Messages up to `bytes_max` use windows up to `bits` and hash tables of 2^(memory + 7) entries. */
static const struct {
    size_t bytes_max;
    int bits, memory;
} classes[] = {
    {8192, 13, 5},
    {SIZE_MAX, BITS_MAX, 8},
};

struct dx_deflater {
    int level;
    bool keeps;     /* takeover: states[0][0] only */
    bool must_lose; /* the last message was not sent: forget it, and all before it */
    z_stream *states[DX_COUNT(classes)][BITS_MAX - BITS_MIN + 1];
};

/* A stream with a window of `bits`; NULL when memory is out. */
static z_stream *stream_new(int level, int bits, int memory)
{
    z_stream *zlib = calloc(1, sizeof *zlib);

    if (zlib == NULL)
        return NULL;
    zlib->zalloc = dx_zlib_take;
    zlib->zfree = dx_zlib_give;
    if (deflateInit2(zlib, level, Z_DEFLATED, -bits, memory, Z_DEFAULT_STRATEGY) == Z_OK)
        return zlib;
    free(zlib);
    return NULL;
}

/* zlib's deflater has no raw window of 8 bits, but needs none: with 9 its matches reach back 512 - 262
 * = 250 bytes at most, which a window of 256 holds. */
static int usable_bits(unsigned bits)
{
    dx_assert(bits >= 8 && bits <= BITS_MAX);
    return bits < BITS_MIN ? BITS_MIN : (int)bits;
}

/* A hash table much larger than the window finds nothing more. */
static int memory_for(int bits, int memory)
{
    return memory < bits - 7 ? memory : bits - 7;
}

dx_err dx_deflater_new(int level, unsigned kept_bits, dx_deflater **ret)
{
    dx_assert(level >= 0 && level <= 9);
    dx_deflater *d = calloc(1, sizeof *d);
    if (d == NULL)
        return DX_ERR_MEMORY;
    d->level = level ? level : LEVEL_DEFAULT;
    if (kept_bits > 0) {
        int bits = usable_bits(kept_bits);
        d->keeps = true;
        d->states[0][0] = stream_new(d->level, bits, memory_for(bits, 8));
        if (d->states[0][0] == NULL) {
            free(d);
            return DX_ERR_MEMORY;
        }
    }
    *ret = d;
    return DX_OK;
}

void dx_deflater_free(dx_deflater *deflater)
{
    if (deflater == NULL)
        return;
    z_stream **states = &deflater->states[0][0];
    for (size_t i = 0; i < sizeof deflater->states / sizeof *states; i++)
        if (states[i] != NULL) {
            deflateEnd(states[i]);
            free(states[i]);
        }
    free(deflater);
}

size_t dx_deflate_bound(size_t size)
{
    return size + size / 8 + 16 + DX_DEFLATE_ROOM;
}

/* The state for a message of `size` bytes, made now if it is the first; NULL when memory is out. */
static z_stream *state_for(dx_deflater *d, unsigned window_bits, size_t size)
{
    size_t class = 0;

    if (d->keeps)
        return d->states[0][0];
    while (size > classes[class].bytes_max)
        class ++;
    int bits = usable_bits(window_bits);
    bits = bits < classes[class].bits ? bits : classes[class].bits;
    z_stream **state = &d->states[class][bits - BITS_MIN];
    if (*state == NULL)
        *state = stream_new(d->level, bits, memory_for(bits, classes[class].memory));
    return *state;
}

/* All of `in` and a sync flush. False if `out` was too small. */
static bool run(z_stream *zlib, dx_bytes in, dx_span out, size_t *ret)
{
    size_t room = out.size;

    do {
        dx_bytes piece;
        bool taken = dx_bytes_take(&in, dx_zlib_size(in.size), &piece);
        dx_assert(taken);
        zlib->next_in = piece.at, zlib->avail_in = (unsigned)piece.size;
        do {
            zlib->next_out = out.at, zlib->avail_out = dx_zlib_size(out.size);
            size_t before = zlib->avail_out;
            int code = deflate(zlib, in.size > 0 ? Z_NO_FLUSH : Z_SYNC_FLUSH);
            dx_assert(code == Z_OK);
            out.at += before - zlib->avail_out, out.size -= before - zlib->avail_out;
            if (out.size == 0)
                return false;
        } while (zlib->avail_out == 0); /* only above 1 GiB of output */
    } while (in.size > 0);
    *ret = room - out.size;
    return true;
}

dx_err dx_deflate_message(dx_deflater *deflater, unsigned window_bits, dx_bytes in, dx_span out,
                          size_t *ret)
{
    size_t size = 0;

    if (out.size <= DX_DEFLATE_ROOM)
        return DX_ERR_TOO_LARGE;
    if (in.size == 0) { /* §7.2.3.6; zlib would refuse to flush twice */
        out.at[0] = 0;
        *ret = 1;
        return DX_OK;
    }
    z_stream *zlib = state_for(deflater, window_bits, in.size);
    if (zlib == NULL)
        return DX_ERR_MEMORY;
    if (!deflater->keeps || deflater->must_lose) {
        int code = deflateReset(zlib);
        dx_assert(code == Z_OK);
    }
    deflater->must_lose = true; /* unless it goes well */
    if (!run(zlib, in, out, &size) || size - TAIL_BYTES > out.size - DX_DEFLATE_ROOM)
        return DX_ERR_TOO_LARGE;
    deflater->must_lose = false;
    dx_assert(size > TAIL_BYTES && memcmp(out.at + size - TAIL_BYTES, "\0\0\xff\xff", 4) == 0);
    *ret = size - TAIL_BYTES;
    return DX_OK;
}
