/* Byte classes with SSE2 (every x86-64 has it) and AVX2 (asked of the processor).
 * Is:     whole vectors, then one that overlaps the last, then single bytes: never a read outside.
 * Is not: the meaning of the classes (scan.c).
 * SPDX-License-Identifier: MIT */
#include "codec/scan_simd.h"

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define INLINE static inline __attribute__((always_inline))

/* Each gives a bit for every byte outside the class. */
INLINE unsigned bad_field_16(__m128i v)
{
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
    __m128i tab = _mm_cmpeq_epi8(v, _mm_set1_epi8('\t'));
    __m128i del = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, low), del));
}

INLINE unsigned bad_target_16(__m128i v)
{
    __m128i above = _mm_cmpgt_epi8(v, _mm_set1_epi8(0x20)); /* signed: 0x80 and up are below */
    __m128i below = _mm_cmpgt_epi8(_mm_set1_epi8(0x7f), v);
    return ~(unsigned)_mm_movemask_epi8(_mm_and_si128(above, below)) & 0xffff;
}

typedef unsigned bad_16(__m128i v);

INLINE size_t run_16(const uint8_t *at, size_t size, bad_16 *bad, dx_scan_call *plain)
{
    size_t i = 0;

    if (size < 16)
        return plain(at, size);
    for (;; i = i + 32 <= size ? i + 16 : size - 16) {
        unsigned mask = bad(_mm_loadu_si128((const __m128i *)(at + i)));
        if (mask)
            return i + (size_t)__builtin_ctz(mask);
        if (i + 16 == size)
            return size;
    }
}

static size_t sse2_field(const uint8_t *at, size_t size)
{
    return run_16(at, size, bad_field_16, dx_scan_plain_field);
}

static size_t sse2_target(const uint8_t *at, size_t size)
{
    return run_16(at, size, bad_target_16, dx_scan_plain_target);
}

/* Bit h of entry l: the byte 16 * h + l is a tchar. A byte with its top bit set picks 0. */
#define TOKEN_BY_LOW_NIBBLE                                                                        \
    (char)0xe8, (char)0xfc, (char)0xf8, (char)0xfc, (char)0xfc, (char)0xfc, (char)0xfc,            \
        (char)0xfc, (char)0xf8, (char)0xf8, (char)0xf4, 0x54, (char)0xd0, 0x54, (char)0xf4, 0x70
#define BIT_BY_HIGH_NIBBLE 1, 2, 4, 8, 16, 32, 64, (char)128, 0, 0, 0, 0, 0, 0, 0, 0

AVX2 INLINE unsigned bad_token_16(__m128i v)
{
    const __m128i rows = _mm_setr_epi8(TOKEN_BY_LOW_NIBBLE);
    const __m128i bits = _mm_setr_epi8(BIT_BY_HIGH_NIBBLE);
    __m128i high = _mm_and_si128(_mm_srli_epi16(v, 4), _mm_set1_epi8(0x0f));
    __m128i hit = _mm_and_si128(_mm_shuffle_epi8(rows, v), _mm_shuffle_epi8(bits, high));
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(hit, _mm_setzero_si128()));
}

AVX2 static size_t avx2_token(const uint8_t *at, size_t size)
{
    size_t i = 0;

    if (size < 16)
        return dx_scan_plain_token(at, size);
    for (;; i = i + 32 <= size ? i + 16 : size - 16) { /* names are short: no wider loop */
        unsigned mask = bad_token_16(_mm_loadu_si128((const __m128i *)(at + i)));
        if (mask)
            return i + (size_t)__builtin_ctz(mask);
        if (i + 16 == size)
            return size;
    }
}

AVX2 static size_t avx2_field(const uint8_t *at, size_t size)
{
    size_t i = 0;

    for (; i + 32 <= size; i += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(at + i));
        __m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(0x1f)), v);
        __m256i tab = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\t'));
        __m256i del = _mm256_cmpeq_epi8(v, _mm256_set1_epi8(0x7f));
        __m256i bad = _mm256_or_si256(_mm256_andnot_si256(tab, low), del);
        unsigned mask = (unsigned)_mm256_movemask_epi8(bad);
        if (mask)
            return i + (size_t)__builtin_ctz(mask);
    }
    return i + sse2_field(at + i, size - i);
}

AVX2 static size_t avx2_target(const uint8_t *at, size_t size)
{
    size_t i = 0;

    for (; i + 32 <= size; i += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(at + i));
        __m256i above = _mm256_cmpgt_epi8(v, _mm256_set1_epi8(0x20));
        __m256i below = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x7f), v);
        unsigned mask = ~(unsigned)_mm256_movemask_epi8(_mm256_and_si256(above, below));
        if (mask)
            return i + (size_t)__builtin_ctz(mask);
    }
    return i + sse2_target(at + i, size - i);
}

static const dx_scan sse2 = {
    .name = "sse2",
    .token = dx_scan_plain_token, /* without a byte shuffle the table is as fast */
    .field = sse2_field,
    .target = sse2_target,
};

static const dx_scan avx2 = {
    .name = "avx2",
    .token = avx2_token,
    .field = avx2_field,
    .target = avx2_target,
};

const dx_scan *dx_scan_simd_best(void)
{
    return __builtin_cpu_supports("avx2") ? &avx2 : &sse2;
}

const dx_scan *dx_scan_simd_at(size_t index)
{
    if (index == 0)
        return &sse2;
    return index == 1 && __builtin_cpu_supports("avx2") ? &avx2 : NULL;
}
