/* Masking: 16 bytes at a time (SSE2 is part of x86-64), 32 with AVX2 for big payloads, 8 elsewhere.
 * The last bytes are done as one block that overlaps the one before: no loop over single bytes. So
 * that the overlap is not masked twice, that block is read before anything is written.
 * SPDX-License-Identifier: MIT */
#include "codec/ws_mask.h"

#include "codec/ws_mask_inner.h"

#include <string.h>

#if DX_HAVE_X86_SIMD
#include <immintrin.h>
#endif

/* From here on the wider loop pays for asking which one there is. */
#define AVX2_BYTES_MIN 512

/* The key for what lies `by` bytes further on. `word` holds the key twice, in memory order. */
static inline uint64_t turn(uint64_t word, size_t by)
{
    unsigned bits = 8 * (unsigned)(by & 3);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return word >> bits | word << (-bits & 63);
#else
    return word << bits | word >> (-bits & 63);
#endif
}

static inline uint64_t key_word(const uint8_t key[4], size_t phase)
{
    uint32_t half;
    memcpy(&half, key, sizeof half);
    return turn((uint64_t)half << 32 | half, phase);
}

static inline uint64_t load64(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline void store64(uint8_t *at, uint64_t word)
{
    memcpy(at, &word, sizeof word);
}

static inline void mask_under_8(uint8_t *to, const uint8_t *from, size_t size, uint64_t word)
{
    if (size >= 4) {
        /* the upper half of the turned word is the lower: the key is there twice */
        uint32_t first, last, key = (uint32_t)word, key_last = (uint32_t)turn(word, size);
        memcpy(&first, from, 4);
        memcpy(&last, from + size - 4, 4);
        first ^= key, last ^= key_last;
        memcpy(to, &first, 4);
        memcpy(to + size - 4, &last, 4);
        return;
    }
    uint8_t bytes[8];
    store64(bytes, word);
    for (size_t i = 0; i < size; i++)
        to[i] = from[i] ^ bytes[i];
}

void dx_ws_mask_plain(uint8_t *to, const uint8_t *from, size_t size, uint64_t word)
{
    if (size < 8) {
        mask_under_8(to, from, size, word);
        return;
    }
    uint64_t last = load64(from + size - 8) ^ turn(word, size);
    for (size_t i = 0; i + 8 <= size; i += 8)
        store64(to + i, load64(from + i) ^ word);
    store64(to + size - 8, last);
}

#if DX_HAVE_X86_SIMD

static inline __m128i load128(const uint8_t *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

static inline void store128(uint8_t *at, __m128i block)
{
    _mm_storeu_si128((__m128i *)(void *)at, block);
}

/* size >= 16 */
void dx_ws_mask_sse2(uint8_t *to, const uint8_t *from, size_t size, uint64_t word)
{
    const __m128i key = _mm_set1_epi64x((long long)word);
    const __m128i last =
        _mm_xor_si128(load128(from + size - 16), _mm_set1_epi64x((long long)turn(word, size)));
    size_t i = 0;

    for (; i + 64 <= size; i += 64) {
        __m128i a = load128(from + i), b = load128(from + i + 16);
        __m128i c = load128(from + i + 32), d = load128(from + i + 48);
        store128(to + i, _mm_xor_si128(a, key));
        store128(to + i + 16, _mm_xor_si128(b, key));
        store128(to + i + 32, _mm_xor_si128(c, key));
        store128(to + i + 48, _mm_xor_si128(d, key));
    }
    for (; i + 16 <= size; i += 16)
        store128(to + i, _mm_xor_si128(load128(from + i), key));
    store128(to + size - 16, last);
}

/* size >= 32 */
__attribute__((target("avx2"))) void dx_ws_mask_avx2(uint8_t *to, const uint8_t *from, size_t size,
                                                     uint64_t word)
{
#define LOAD(at) _mm256_loadu_si256((const __m256i *)(const void *)(at))
#define STORE(at, block) _mm256_storeu_si256((__m256i *)(void *)(at), block)
    const __m256i key = _mm256_set1_epi64x((long long)word);
    const __m256i last =
        _mm256_xor_si256(LOAD(from + size - 32), _mm256_set1_epi64x((long long)turn(word, size)));
    size_t i = 0;

    for (; i + 128 <= size; i += 128) {
        __m256i a = LOAD(from + i), b = LOAD(from + i + 32);
        __m256i c = LOAD(from + i + 64), d = LOAD(from + i + 96);
        STORE(to + i, _mm256_xor_si256(a, key));
        STORE(to + i + 32, _mm256_xor_si256(b, key));
        STORE(to + i + 64, _mm256_xor_si256(c, key));
        STORE(to + i + 96, _mm256_xor_si256(d, key));
    }
    for (; i + 32 <= size; i += 32)
        STORE(to + i, _mm256_xor_si256(LOAD(from + i), key));
    STORE(to + size - 32, last);
#undef LOAD
#undef STORE
}

static inline void mask(uint8_t *to, const uint8_t *from, size_t size, uint64_t word)
{
    if (size < 16)
        dx_ws_mask_plain(to, from, size, word);
    else if (size >= AVX2_BYTES_MIN && __builtin_cpu_supports("avx2"))
        dx_ws_mask_avx2(to, from, size, word);
    else
        dx_ws_mask_sse2(to, from, size, word);
}

#else

static inline void mask(uint8_t *to, const uint8_t *from, size_t size, uint64_t word)
{
    dx_ws_mask_plain(to, from, size, word);
}

#endif

void dx_ws_mask(uint8_t *at, size_t size, const uint8_t key[4], size_t phase)
{
    if (size > 0)
        mask(at, at, size, key_word(key, phase));
}

void dx_ws_mask_copy(uint8_t *to, const uint8_t *from, size_t size, const uint8_t key[4],
                     size_t phase)
{
    if (size > 0)
        mask(to, from, size, key_word(key, phase));
}
