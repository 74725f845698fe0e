/* Tests of ws_mask.h.
 * SPDX-License-Identifier: MIT */
#include "codec/ws_mask.h"

#include "codec/ws_mask_inner.h"
#include "tests/tap.h"

#define SIZE_TOP 300
#define GUARD 32

static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};

static void fill(uint8_t *at, size_t size)
{
    uint32_t x = 2463534242u;
    for (size_t i = 0; i < size; i++) {
        x ^= x << 13, x ^= x >> 17, x ^= x << 5;
        at[i] = (uint8_t)x;
    }
}

static uint64_t word_at(size_t phase)
{
    uint8_t bytes[8];
    uint64_t word;
    for (size_t i = 0; i < 8; i++)
        bytes[i] = key[(phase + i) & 3];
    memcpy(&word, bytes, 8);
    return word;
}

TEST("RFC 6455 §5.3 the example of §5.7 unmasks to Hello")
{
    uint8_t hello[] = {0x7f, 0x9f, 0x4d, 0x51, 0x58};
    dx_ws_mask(hello, sizeof hello, key, 0);
    CHECK_MEM(hello, sizeof hello, "Hello", 5);
}

TEST("no bytes may be at NULL")
{
    dx_ws_mask(NULL, 0, key, 0);
    dx_ws_mask_copy(NULL, NULL, 0, key, 3);
    CHECK(true);
}

typedef void variant(uint8_t *to, const uint8_t *from, size_t size, uint64_t word);

/* `run` against one byte at a time: in place and copying, at every alignment and phase, without
 * touching a byte on either side. */
static void check_variant(variant *run, size_t size_min, const char *name)
{
    static uint8_t in[SIZE_TOP + 96], want[sizeof in], got[sizeof in];

    fill(in, sizeof in);
    for (size_t size = size_min; size <= SIZE_TOP; size++)
        for (size_t align = 0; align < GUARD; align++)
            for (size_t phase = 0; phase < 4; phase++) {
                memcpy(want, in, sizeof in);
                for (size_t i = 0; i < size; i++)
                    want[GUARD + align + i] ^= key[(phase + i) & 3];
                memcpy(got, in, sizeof in);
                run(got + GUARD + align, got + GUARD + align, size, word_at(phase));
                bool same = memcmp(got, want, sizeof in) == 0;
                memcpy(got, in, sizeof in);
                run(got + GUARD + align, in + GUARD + align, size, word_at(phase));
                if (!same || memcmp(got, want, sizeof in) != 0)
                    TAP_FAIL("%s: size %zu alignment %zu phase %zu", name, size, align, phase);
            }
}

static void run_public(uint8_t *to, const uint8_t *from, size_t size, uint64_t word)
{
    uint8_t turned[8];
    memcpy(turned, &word, 8);
    if (to == from)
        dx_ws_mask(to, size, turned, 0);
    else
        dx_ws_mask_copy(to, from, size, turned, 0);
}

TEST("RFC 6455 §5.3 plain C agrees with one byte at a time")
{
    check_variant(dx_ws_mask_plain, 1, "plain");
}

TEST("RFC 6455 §5.3 what callers use agrees with one byte at a time")
{
    check_variant(run_public, 0, "public");
}

#if DX_HAVE_X86_SIMD
TEST("RFC 6455 §5.3 SSE2 agrees with one byte at a time")
{
    check_variant(dx_ws_mask_sse2, 16, "sse2");
}

TEST("RFC 6455 §5.3 AVX2 agrees with one byte at a time")
{
    if (__builtin_cpu_supports("avx2"))
        check_variant(dx_ws_mask_avx2, 32, "avx2");
    else
        puts("# this processor has no AVX2");
}
#endif

TEST("RFC 6455 §5.3 a payload in pieces, with the phase of each, is as in one")
{
    static uint8_t in[5000], whole[sizeof in], pieces[sizeof in];

    fill(in, sizeof in);
    memcpy(whole, in, sizeof in);
    dx_ws_mask(whole, sizeof whole, key, 0);
    for (size_t step = 1; step < 700; step += 13) {
        memcpy(pieces, in, sizeof in);
        for (size_t i = 0; i < sizeof in; i += step)
            dx_ws_mask(pieces + i, step < sizeof in - i ? step : sizeof in - i, key, i);
        CHECK(memcmp(pieces, whole, sizeof in) == 0);
    }
}

TEST("masking twice is nothing, for sizes of every code path")
{
    static uint8_t in[70000], at[sizeof in];
    fill(in, sizeof in);
    for (size_t size = 1; size < sizeof in; size = size * 3 / 2 + 1) {
        memcpy(at, in, sizeof in);
        dx_ws_mask(at, size, key, 1);
        CHECK(memcmp(at, in, size) != 0);
        dx_ws_mask(at, size, key, 1);
        CHECK(memcmp(at, in, sizeof in) == 0);
    }
}
