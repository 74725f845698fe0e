/* Tests of utf8.h, against a slow model made by encoding every code point there is.
 * SPDX-License-Identifier: MIT */
#include "codec/utf8.h"

#include "codec/test_utf8_model.h"
#include "codec/utf8_inner.h"
#include "tests/tap.h"

/* Feeds `in` at once; the verdict must be the model's. */
static void check_feed(const uint8_t *at, size_t size)
{
    utf8_model model = {0};
    dx_utf8 state = {0};
    bool want = true;

    for (size_t i = 0; i < size && want; i++)
        want = utf8_model_step(&model, at[i]);
    bool got = dx_utf8_feed(&state, dx_bytes_at(at, size));
    if (got != want || (want && dx_utf8_is_complete(&state) != (model.size == 0)))
        TAP_FAIL("%02x %02x %02x %02x (%zu): %s", at[0], at[1], at[2], at[3], size,
                 got ? "taken" : "refused");
}

TEST("RFC 3629 §4 every sequence of 1, 2 and 3 bytes")
{
    uint8_t at[4] = {0};
    for (unsigned i = 0; i < 1u << 24; i++) {
        at[0] = (uint8_t)(i >> 16), at[1] = (uint8_t)(i >> 8), at[2] = (uint8_t)i;
        if ((i & 0xffff) == 0)
            check_feed(at, 1);
        if ((i & 0xff) == 0)
            check_feed(at, 2);
        check_feed(at, 3);
    }
}

static const uint8_t edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
                                0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0,
                                0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xfc, 0xfe, 0xff};
enum { EDGES = sizeof edges };

TEST("RFC 3629 §4 every four bytes behind a lead of f0 to f7, the last one at its edges")
{
    for (unsigned i = 0; i < 8u << 16; i++)
        for (size_t e = 0; e < EDGES; e++) {
            uint8_t at[4] = {(uint8_t)(0xf0 + (i >> 16)), (uint8_t)(i >> 8), (uint8_t)i, edges[e]};
            check_feed(at, 4);
        }
}

TEST("RFC 3629 §4 every four bytes at their edges")
{
    for (size_t i = 0; i < EDGES * EDGES * EDGES * EDGES; i++) {
        uint8_t at[4] = {edges[i / EDGES / EDGES / EDGES], edges[i / EDGES / EDGES % EDGES],
                         edges[i / EDGES % EDGES], edges[i % EDGES]};
        check_feed(at, 4);
    }
}

/* What a variant says about `in`: the model must agree, also on where it stopped. */
static void check_variant(size_t (*run)(dx_bytes in), dx_bytes in, const char *name)
{
    size_t done = run(in);
    size_t good = utf8_model_good_size(in);
    utf8_model model = {0};

    if (done == DX_UTF8_BAD) {
        if (good == in.size)
            TAP_FAIL("%s refuses good text of %zu bytes", name, in.size);
        return;
    }
    if (done > in.size || in.size - done > 3)
        TAP_FAIL("%s stopped at %zu of %zu", name, done, in.size);
    for (size_t i = 0; i < done; i++)
        utf8_model_step(&model, in.at[i]);
    if (done > good || model.size != 0)
        TAP_FAIL("%s took %zu bytes, the model only %zu", name, done, good);
}

static void check_variants(dx_bytes in)
{
    check_variant(dx_utf8_plain, in, "plain");
#if DX_HAVE_X86_SIMD
    if (__builtin_cpu_supports("avx2"))
        check_variant(dx_utf8_avx2, in, "avx2");
#endif
}

/* Four bytes of edges at every place around the joints of blocks, in text of one kind. */
static void check_at_joints(const char *filler)
{
    static const uint8_t few[] = {0x41, 0x80, 0x90, 0xa0, 0xbf, 0xc1, 0xc3,
                                  0xe0, 0xe2, 0xed, 0xf0, 0xf3, 0xf4, 0xf5};
    enum { FEW = sizeof few };
    size_t width = strlen(filler);

    for (size_t place = 28; place < 68; place = place == 35 ? 60 : place + 1)
        for (size_t i = 0; i < FEW * FEW * FEW * FEW; i++) {
            uint8_t text[192];
            for (size_t k = 0; k < sizeof text; k++)
                text[k] = (uint8_t)filler[k % width];
            size_t at = place / width * width; /* between code points */
            text[at] = few[i / FEW / FEW / FEW], text[at + 1] = few[i / FEW / FEW % FEW];
            text[at + 2] = few[i / FEW % FEW], text[at + 3] = few[i % FEW];
            bool want = utf8_model_is_valid(dx_bytes_at(text, sizeof text));
            if (dx_utf8_is_valid(dx_bytes_at(text, sizeof text)) != want)
                TAP_FAIL("%02x %02x %02x %02x at %zu: %s", text[at], text[at + 1], text[at + 2],
                         text[at + 3], at, want ? "refused" : "taken");
        }
}

TEST("RFC 3629 §4 four bytes at the joints of blocks, in ASCII")
{
    check_at_joints("a");
}

TEST("RFC 3629 §4 four bytes at the joints of blocks, in text of two, three and four bytes")
{
    check_at_joints("\xc3\xa9");
    check_at_joints("\xe2\x82\xac");
    check_at_joints("\xf0\x9f\x99\x82");
}

TEST("RFC 3629 §4 a sequence cut by the end of a block and the front of another, then the end")
{
    for (size_t size = 60; size < 200; size += size % 64 == 5 ? 55 : 1) /* -4 to +5 of each joint */
        for (size_t e = 0; e < EDGES * EDGES * EDGES; e++) {
            uint8_t text[200];
            memset(text, 'a', sizeof text);
            for (size_t k = 0, rest = e; k < 3 && k < size; k++, rest /= EDGES)
                text[size - 1 - k] = edges[rest % EDGES];
            check_feed(text, size);
        }
}

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t count)
{
    random_state ^= random_state << 13, random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % count;
}

/* Good text with now and then a bad byte. */
static void make_text(uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size;) {
        uint32_t kind = random_below(6);
        uint32_t point = kind < 3    ? random_below(0x80)
                         : kind == 3 ? random_below(0x800)
                         : kind == 4 ? random_below(0xd800)
                                     : 0x10000 + random_below(0x100000);
        uint8_t bytes[4];
        size_t width = utf8_model_encode(point, bytes);
        for (size_t k = 0; k < width && i < size; k++)
            at[i++] = bytes[k];
    }
    if (size > 0 && random_below(2))
        at[random_below((uint32_t)size)] = edges[random_below(EDGES)];
}

TEST("random texts of 0 to 400 bytes: whole, in two pieces, byte by byte, each variant")
{
    for (unsigned round = 0; round < 4000; round++) {
        size_t size = random_below(401);
        uint8_t *at = malloc(size + 1); /* its own block: reading past its end would be seen */
        make_text(at, size);
        dx_bytes in = dx_bytes_at(at, size);
        size_t good = utf8_model_good_size(in), cut = random_below((uint32_t)size + 1);
        dx_utf8 state = {0}, slow = {0};

        CHECK_INT(dx_utf8_is_valid(in), utf8_model_is_valid(in));
        CHECK_INT(dx_utf8_feed(&state, dx_bytes_at(at, cut)), good >= cut);
        if (good >= cut)
            CHECK_INT(dx_utf8_feed(&state, dx_bytes_at(at + cut, size - cut)), good == size);
        size_t i = 0;
        while (i < size && dx_utf8_feed(&slow, dx_bytes_at(at + i, 1)))
            i++;
        CHECK_INT(i, good); /* not one byte later than the model */
        check_variants(in);
        free(at);
    }
}

TEST("RFC 6455 §8.1 f4 90 fails with the 90, not later (6.4.1-6.4.4)")
{
    dx_utf8 state = {0};
    CHECK(dx_utf8_feed(&state, DX_BYTES("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4")));
    CHECK(!dx_utf8_is_complete(&state));
    CHECK(!dx_utf8_feed(&state, DX_BYTES("\x90")));
}

TEST("RFC 6455 §8.1 nothing changes with a piece of no bytes")
{
    dx_utf8 state = {0};
    CHECK(dx_utf8_feed(&state, (dx_bytes){NULL, 0}));
    CHECK(dx_utf8_feed(&state, DX_BYTES("\xe2\x82")));
    CHECK(dx_utf8_feed(&state, (dx_bytes){NULL, 0}));
    CHECK(!dx_utf8_is_complete(&state));
    CHECK(dx_utf8_feed(&state, DX_BYTES("\xac")));
    CHECK(dx_utf8_is_complete(&state));
}

TEST("a cut never falls inside a code point")
{
    dx_bytes text = DX_BYTES("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82");
    static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (size_t max = 0; max < DX_COUNT(cuts); max++)
        CHECK_INT(dx_utf8_cut(text, max), cuts[max]);
}

TEST("the good front of a text ends before the first bad or unfinished code point")
{
    CHECK_INT(dx_utf8_valid_size(DX_BYTES("")), 0);
    CHECK_INT(dx_utf8_valid_size(DX_BYTES("abc")), 3);
    CHECK_INT(dx_utf8_valid_size(DX_BYTES("ab\xffz")), 2);
    CHECK_INT(dx_utf8_valid_size(DX_BYTES("ab\xe2\x82")), 2);
    CHECK_INT(dx_utf8_valid_size(DX_BYTES("\xe2\x82\xac\xed\xa0\x80")), 3);
}
