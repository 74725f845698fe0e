/* UTF-8 validation: sequence by sequence, with ASCII skipped 16 bytes at a time, and for longer texts
 * 32 bytes at a time with AVX2 (utf8_avx2.c).
 * Source: RFC 3629 §4.
 * SPDX-License-Identifier: MIT */
#include "codec/utf8.h"

#include "codec/utf8_inner.h"

#if DX_HAVE_X86_SIMD
#include <emmintrin.h>
#endif

/* Texts below this are done before the wide loop would have begun. */
#define AVX2_BYTES_MIN 16
/* Texts up to this are first tried as ASCII, which most are. */
#define ASCII_BYTES_MAX 128

/* What a first byte of 0x80 and above asks of the bytes behind it. */
static bool begin(dx_utf8 *state, uint8_t byte)
{
    uint8_t left, low = 0x80, high = 0xbf;

    if (byte < 0xc2 || byte > 0xf4) /* a continuation, overlong, or above U+10FFFF */
        return false;
    if (byte < 0xe0) {
        left = 1;
    } else if (byte < 0xf0) {
        left = 2;
        low = byte == 0xe0 ? 0xa0 : low;   /* not overlong */
        high = byte == 0xed ? 0x9f : high; /* no surrogates */
    } else {
        left = 3;
        low = byte == 0xf0 ? 0x90 : low;
        high = byte == 0xf4 ? 0x8f : high; /* up to U+10FFFF */
    }
    *state = (dx_utf8){left, low, high};
    return true;
}

static bool step(dx_utf8 *state, uint8_t byte)
{
    if (state->left == 0)
        return byte < 0x80 || begin(state, byte);
    if (byte < state->low || byte > state->high)
        return false;
    *state = (dx_utf8){(uint8_t)(state->left - 1), 0x80, 0xbf};
    return true;
}

static inline uint64_t load64(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Where the ASCII that begins at `i` ends; steps of 16. */
static inline size_t skip_ascii(dx_bytes in, size_t i)
{
#if DX_HAVE_X86_SIMD
    for (; i + 16 <= in.size; i += 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)(in.at + i));
        unsigned high_bits = (unsigned)_mm_movemask_epi8(block);
        if (high_bits)
            return i + (unsigned)__builtin_ctz(high_bits);
    }
#endif
    for (; i + 8 <= in.size; i += 8) {
        if (load64(in.at + i) & 0x8080808080808080u)
            break;
    }
    return i;
}

/* True if no byte of a short text has its top bit: the last block overlaps the one before. */
static inline bool is_ascii(dx_bytes in)
{
    uint64_t high_bits = 0;

    if (in.size < 8) {
        for (size_t i = 0; i < in.size; i++)
            high_bits |= in.at[i];
        return (high_bits & 0x80) == 0;
    }
#if DX_HAVE_X86_SIMD
    if (in.size >= 16) {
        __m128i all = _mm_loadu_si128((const __m128i *)(const void *)(in.at + in.size - 16));
        for (size_t i = 0; i + 16 < in.size; i += 16)
            all = _mm_or_si128(all, _mm_loadu_si128((const __m128i *)(const void *)(in.at + i)));
        return _mm_movemask_epi8(all) == 0;
    }
#endif
    for (size_t i = 0; i + 8 < in.size; i += 8)
        high_bits |= load64(in.at + i);
    high_bits |= load64(in.at + in.size - 8);
    return (high_bits & 0x8080808080808080u) == 0;
}

static inline bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* Size of the whole sequence at the front of `in`, which begins with 0x80 or above and has 4 bytes at
 * least; 0 if it is bad. */
static inline size_t sequence_size(const uint8_t *at)
{
    uint8_t a = at[0], b = at[1];

    if (a < 0xe0)
        return a >= 0xc2 && is_continuation(b) ? 2 : 0;
    if (!is_continuation(b) || !is_continuation(at[2]))
        return 0;
    if (a < 0xf0)
        return (a == 0xe0 && b < 0xa0) || (a == 0xed && b > 0x9f) ? 0 : 3;
    if (a > 0xf4 || (a == 0xf0 && b < 0x90) || (a == 0xf4 && b > 0x8f))
        return 0;
    return is_continuation(at[3]) ? 4 : 0;
}

size_t dx_utf8_plain(dx_bytes in)
{
    size_t i = 0;

    while (i + 4 <= in.size) {
        if (in.at[i] < 0x80) {
            i = skip_ascii(in, i);
            while (i + 4 <= in.size && in.at[i] < 0x80)
                i++;
            continue;
        }
        size_t size = sequence_size(in.at + i);
        if (size == 0)
            return DX_UTF8_BAD;
        i += size;
    }
    return i;
}

bool dx_utf8_feed(dx_utf8 *state, dx_bytes in)
{
    size_t i = 0, done;

    if (state->left == 0 && in.size <= ASCII_BYTES_MAX && is_ascii(in))
        return true;
    for (; state->left > 0 && i < in.size; i++)
        if (!step(state, in.at[i]))
            return false;
    dx_bytes_skip(&in, i);
#if DX_HAVE_X86_SIMD
    if (in.size >= AVX2_BYTES_MIN && __builtin_cpu_supports("avx2")) {
        if ((done = dx_utf8_avx2(in)) == DX_UTF8_BAD)
            return false;
        dx_bytes_skip(&in, done);
    }
#endif
    if ((done = dx_utf8_plain(in)) == DX_UTF8_BAD)
        return false;
    for (i = done; i < in.size; i++)
        if (!step(state, in.at[i]))
            return false;
    return true;
}

bool dx_utf8_is_valid(dx_bytes in)
{
    dx_utf8 state = {0};
    return dx_utf8_feed(&state, in) && dx_utf8_is_complete(&state);
}

size_t dx_utf8_cut(dx_bytes in, size_t max)
{
    if (in.size <= max)
        return in.size;
    while (max > 0 && is_continuation(in.at[max]))
        max--;
    return max;
}

size_t dx_utf8_valid_size(dx_bytes in)
{
    dx_utf8 state = {0};
    size_t whole = 0;

    for (size_t i = 0; i < in.size && step(&state, in.at[i]); i++)
        if (dx_utf8_is_complete(&state))
            whole = i + 1;
    return whole;
}
