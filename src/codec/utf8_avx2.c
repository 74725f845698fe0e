/* UTF-8 validation, 64 bytes at a time: the lookup algorithm of J. Keiser and D. Lemire, "Validating
 * UTF-8 in less than one instruction per byte" (2021), from the paper.
 * Every pair of neighbouring bytes is classified by three lookups of 16 entries (the first byte's
 * halves, the second byte's upper half); a bit that all three have is an error that two bytes can
 * show. The bit TWO_CONTS is right exactly where a third or fourth byte belongs.
 * SPDX-License-Identifier: MIT */
#include "codec/utf8_inner.h"

#if DX_HAVE_X86_SIMD
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define AVX2_INLINE static inline __attribute__((target("avx2"), always_inline))

enum {
    TOO_SHORT = 1 << 0,                         /* a lead, then no continuation */
    TOO_LONG = 1 << 1,                          /* ASCII, then a continuation */
    OVERLONG_3 = 1 << 2,                        /* e0, then 80-9f */
    TOO_LARGE = 1 << 3,                         /* f4, then 90-bf; f5-ff, then 90-bf */
    SURROGATE = 1 << 4,                         /* ed, then a0-bf */
    OVERLONG_2 = 1 << 5,                        /* c0-c1, then a continuation */
    OVERLONG_4 = 1 << 6,                        /* f0, then 80-8f */
    TOO_LARGE_80 = 1 << 6,                      /* f5-ff, then 80-8f */
    TWO_CONTS = 1 << 7,                         /* a continuation, then another */
    ANY_LOW = TOO_SHORT | TOO_LONG | TWO_CONTS, /* whatever the first byte's lower half is */
};

/* Entries of the second byte's table for 80-8f, 90-9f, a0-bf. */
#define CONT_8 (TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE_80 | OVERLONG_4)
#define CONT_9 (TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE)
#define CONT_AB (TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE)

static const uint8_t first_high[16] __attribute__((aligned(16))) = {
    [0x0 ... 0x7] = TOO_LONG,
    [0x8 ... 0xb] = TWO_CONTS,
    [0xc] = TOO_SHORT | OVERLONG_2,
    [0xd] = TOO_SHORT,
    [0xe] = TOO_SHORT | OVERLONG_3 | SURROGATE,
    [0xf] = TOO_SHORT | TOO_LARGE | TOO_LARGE_80 | OVERLONG_4,
};
static const uint8_t first_low[16] __attribute__((aligned(16))) = {
    [0x0] = ANY_LOW | OVERLONG_2 | OVERLONG_3 | OVERLONG_4,
    [0x1] = ANY_LOW | OVERLONG_2,
    [0x2 ... 0x3] = ANY_LOW,
    [0x4] = ANY_LOW | TOO_LARGE,
    [0x5 ... 0xc] = ANY_LOW | TOO_LARGE | TOO_LARGE_80,
    [0xd] = ANY_LOW | TOO_LARGE | TOO_LARGE_80 | SURROGATE,
    [0xe ... 0xf] = ANY_LOW | TOO_LARGE | TOO_LARGE_80,
};
static const uint8_t second_high[16] __attribute__((aligned(16))) = {
    [0x0 ... 0x7] = TOO_SHORT, [0x8] = CONT_8, [0x9] = CONT_9, [0xa ... 0xb] = CONT_AB,
    [0xc ... 0xf] = TOO_SHORT,
};

AVX2_INLINE __m256i load(const uint8_t *at)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

AVX2_INLINE __m256i table(const uint8_t at[16])
{
    return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)(const void *)at));
}

AVX2_INLINE __m256i high_half(__m256i bytes)
{
    return _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0f));
}

/* The block shifted by N (1-3) bytes, filled from the end of the one before. */
#define SHIFTED(block, before, n)                                                                  \
    _mm256_alignr_epi8(block, _mm256_permute2x128_si256(before, block, 0x21), 16 - (n))

/* Not zero where `block`, with `before` in front of it, is wrong. */
AVX2_INLINE __m256i errors_of(__m256i block, __m256i before)
{
    const __m256i low_mask = _mm256_set1_epi8(0x0f);
    __m256i back1 = SHIFTED(block, before, 1);
    __m256i pairs = _mm256_and_si256(
        _mm256_and_si256(_mm256_shuffle_epi8(table(first_high), high_half(back1)),
                         _mm256_shuffle_epi8(table(first_low), _mm256_and_si256(back1, low_mask))),
        _mm256_shuffle_epi8(table(second_high), high_half(block)));
    /* 0x80 where a three- or four-byte lead stands two or three bytes before */
    __m256i third = _mm256_subs_epu8(SHIFTED(block, before, 2), _mm256_set1_epi8(0xe0 - 0x80));
    __m256i fourth =
        _mm256_subs_epu8(SHIFTED(block, before, 3), _mm256_set1_epi8((char)(0xf0 - 0x80)));
    __m256i must = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));

    return _mm256_xor_si256(must, pairs);
}

AVX2_INLINE bool is_zero(__m256i bytes)
{
    return _mm256_testz_si256(bytes, bytes) != 0;
}

/* Where the sequence that `size` cuts begins, or `size`: errors inside it were not all seen yet. */
static size_t back_to_boundary(const uint8_t *at, size_t size)
{
    for (size_t back = 1; back <= 3 && back <= size; back++) {
        uint8_t byte = at[size - back];
        if (byte < 0x80)
            return size;
        if (byte >= 0xc0) {
            size_t wants = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
            return wants > back ? size - back : size;
        }
    }
    return size;
}

/* Not zero where the 64 bytes at `at`, with `before` in front of them, are wrong. */
AVX2_INLINE __m256i errors_of_64(const uint8_t *at, __m256i before)
{
    __m256i a = load(at), b = load(at + 32);
    return _mm256_or_si256(errors_of(a, before), errors_of(b, a));
}

/* The last, shorter block: padded with NULs, which are fine behind a whole code point. */
AVX2_INLINE bool is_last_good(const uint8_t *at, size_t size, __m256i before)
{
    uint8_t block[64] = {0};

    dx_copy(block, at, size);
    return is_zero(errors_of_64(block, before));
}

AVX2 size_t dx_utf8_avx2(dx_bytes in)
{
    __m256i before = _mm256_setzero_si256();
    size_t i = 0, end = back_to_boundary(in.at, in.size);

    for (; i + 64 <= in.size; i += 64) {
        __m256i a = load(in.at + i), b = load(in.at + i + 32);
        if (_mm256_movemask_epi8(_mm256_or_si256(a, b)) == 0) {
            if (i > 0 && back_to_boundary(in.at, i) != i)
                return DX_UTF8_BAD; /* ASCII inside a sequence */
        } else if (!is_zero(errors_of_64(in.at + i, before))) {
            return DX_UTF8_BAD;
        }
        before = b;
    }
    /* What follows `end` is the front of a sequence, not judged here; but also when nothing else is
     * left the last block must not end inside one. */
    if (in.size > i && end >= i && !is_last_good(in.at + i, end - i, before))
        return DX_UTF8_BAD;
    return end;
}

#endif
