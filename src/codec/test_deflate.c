/* Tests of deflate.h, with zlib itself as the other side where a peer is needed.
 * SPDX-License-Identifier: MIT */
#include "codec/deflate.h"

#include "codec/deflate_alloc.h"
#include "tests/tap.h"

#include <time.h>

#define TOP (1 << 20)

static uint8_t message[TOP], packed[TOP * 2], back[TOP * 2];

static uint32_t random_state = 7;
static uint32_t random_below(uint32_t count)
{
    random_state ^= random_state << 13, random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % count;
}

/* Texts that compress well, a little, and not at all. */
static dx_bytes make_message(size_t size, unsigned kind)
{
    static const char words[] =
        "{\"symbol\":\"BTC-USD\",\"price\":64211.5,\"size\":0.0125,\"side\":\"buy\"},";
    for (size_t i = 0; i < size; i++)
        message[i] = kind == 0 ? (uint8_t)words[i % (sizeof words - 1)]
                     : kind == 1
                         ? (uint8_t)(random_below(8) ? (uint8_t)words[i % 61] : random_below(256))
                         : (uint8_t)random_below(256);
    return dx_bytes_at(message, size);
}

static dx_inflater *new_inflater(unsigned bits)
{
    dx_inflater *f = NULL;
    CHECK_INT(dx_inflater_new(bits, &f), DX_OK);
    return f;
}

static dx_deflater *new_deflater(int level, unsigned kept_bits)
{
    dx_deflater *d = NULL;
    CHECK_INT(dx_deflater_new(level, kept_bits, &d), DX_OK);
    return d;
}

/* Feeds `in` in pieces of `in_step` bytes (0: one) into output of `out_step` bytes at a time (0: all).
 * Gives the last status; `*size` is what came out in `back`. */
static dx_inflate_status inflate_all(dx_inflater *f, dx_bytes in, size_t in_step, size_t out_step,
                                     size_t *size)
{
    size_t used = 0;
    dx_inflate_status status;

    do {
        size_t step = in_step ? dx_min_size(in_step, in.size) : in.size;
        bool last = step == in.size;
        uint8_t *copy = malloc(step + 1); /* its own block: reading past its end would be seen */
        dx_copy(copy, in.at, step);
        dx_bytes piece = {copy, step};
        dx_bytes_skip(&in, step);
        do {
            dx_span out = {back + used, out_step ? out_step : sizeof back - used};
            size_t room = out.size;
            status = dx_inflate_piece(f, &piece, last, &out);
            used += room - out.size;
        } while (status == DX_INFLATE_FULL);
        free(copy);
        if (status == DX_INFLATE_DONE && last)
            break;
    } while (status == DX_INFLATE_DONE);
    *size = used;
    return status;
}

static const size_t steps[] = {0, 1, 2, 3, 7, 64, 1000};

/* In all cuts of input and output the message `in` must give `want`. */
static void check_inflates(dx_bytes in, dx_bytes want)
{
    dx_inflater *f = new_inflater(15);
    for (size_t i = 0; i < DX_COUNT(steps); i++)
        for (size_t o = 0; o < DX_COUNT(steps); o++) {
            size_t size = 0;
            dx_inflater_begin(f, false, want.size);
            CHECK_INT(inflate_all(f, in, steps[i], steps[o], &size), DX_INFLATE_DONE);
            CHECK_MEM(back, size, want.at, want.size);
        }
    dx_inflater_free(f);
}

static void check_bad(dx_bytes in, dx_inflate_status want)
{
    dx_inflater *f = new_inflater(15);
    for (size_t i = 0; i < DX_COUNT(steps); i++)
        for (size_t o = 0; o < DX_COUNT(steps); o++) {
            size_t size = 0;
            dx_inflater_begin(f, false, 1000);
            CHECK_INT(inflate_all(f, in, steps[i], steps[o], &size), want);
            dx_inflater_begin(f, false, 1000); /* and it goes on well */
            CHECK_INT(inflate_all(f, DX_BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), 0, 0, &size),
                      DX_INFLATE_DONE);
            CHECK_MEM(back, size, "Hello", 5);
        }
    dx_inflater_free(f);
}

/* ---- inflating -------------------------------------------------------------------------------- */

TEST("RFC 7692 §7.2.3.1 the example of one compressed message")
{
    check_inflates(DX_BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), DX_BYTES("Hello"));
}

TEST("RFC 7692 §7.2.3.3 a stored block")
{
    check_inflates(DX_BYTES("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), DX_BYTES("Hello"));
}

TEST("RFC 7692 §7.2.3.4 a block with BFINAL, and an empty one behind it")
{
    check_inflates(DX_BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), DX_BYTES("Hello"));
}

TEST("RFC 7692 §7.2.3.4 BFINAL blocks in a row, also as the very last thing")
{
    check_inflates(DX_BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
                   DX_BYTES("HelloHello"));
    check_inflates(DX_BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00"),
                   DX_BYTES("Hello")); /* nothing behind it */
    check_inflates(DX_BYTES("\x03\x00\x03\x00\x03\x00\x00"), DX_BYTES(""));
    check_inflates(DX_BYTES("\x01"), DX_BYTES("")); /* BFINAL on the block whose end was left out */
}

TEST("RFC 7692 §7.2.3.5 two blocks in one message")
{
    check_inflates(DX_BYTES("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"),
                   DX_BYTES("Hello"));
}

TEST("RFC 7692 §7.2.3.6 an empty message is the octet 00; no octet at all is read as one too")
{
    check_inflates(DX_BYTES("\x00"), DX_BYTES(""));
    check_inflates(DX_BYTES(""), DX_BYTES(""));
    check_inflates(DX_BYTES("\x02\x00"), DX_BYTES(""));
}

TEST("RFC 7692 §7.2.2 what is no deflate, or is cut inside a block, is a fault")
{
    check_bad(DX_BYTES("\xff\xff\xff"), DX_INFLATE_BAD);
    check_bad(DX_BYTES("\x07"), DX_INFLATE_BAD);                         /* block type 3 */
    check_bad(DX_BYTES("\x00\x05\x00\xfa\xfe\x48"), DX_INFLATE_BAD);     /* LEN and NLEN disagree */
    check_bad(DX_BYTES("\xf2\x48\xcd\xc9"), DX_INFLATE_BAD);             /* cut */
    check_bad(DX_BYTES("\x00\x05\x00\xfa\xff\x48\x65"), DX_INFLATE_BAD); /* cut: the tail is data */
    check_bad(DX_BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\x07"), DX_INFLATE_BAD); /* behind BFINAL */
    check_bad(DX_BYTES("\x4a\x04\x42\x00"), DX_INFLATE_BAD);                 /* too far back */
    check_bad(DX_BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff"),
              DX_INFLATE_BAD); /* tail kept */
}

TEST("RFC 7692 §7.2.2 every front of a message is the message, or a fault, or an earlier end")
{
    dx_deflater *d = new_deflater(0, 0);
    dx_inflater *f = new_inflater(15);
    size_t size = 0;
    dx_bytes in = make_message(300, 1);
    CHECK_INT(dx_deflate_message(d, 15, in, (dx_span){packed, sizeof packed}, &size), DX_OK);
    for (size_t front = 0; front < size; front++) {
        size_t got = 0, again = 0;
        dx_inflater_begin(f, false, 1000);
        dx_inflate_status status = inflate_all(f, dx_bytes_at(packed, front), 0, 0, &got);
        CHECK(status == DX_INFLATE_DONE || status == DX_INFLATE_BAD);
        if (front > 0 && got > 0 && status == DX_INFLATE_DONE)
            CHECK(got < in.size);
        for (size_t i = 1; i < DX_COUNT(steps); i++) { /* however it is cut */
            dx_inflater_begin(f, false, 1000);
            CHECK_INT(inflate_all(f, dx_bytes_at(packed, front), steps[i], 1, &again), status);
            CHECK_INT(again, got);
        }
    }
    dx_inflater_free(f);
    dx_deflater_free(d);
}

/* Bytes that come out of the front `in` of a message, in rooms of `room` bytes. */
static size_t inflate_front(dx_inflater *f, dx_bytes in, size_t room)
{
    size_t used = 0;
    dx_inflate_status status;

    dx_inflater_begin(f, false, 2000);
    do {
        dx_span out = {back + used, room};
        status = dx_inflate_piece(f, &in, false, &out);
        used += room - out.size;
    } while (status == DX_INFLATE_FULL);
    CHECK_INT(status, DX_INFLATE_DONE);
    return used;
}

TEST("all that a piece stands for is out before the next piece is asked for")
{
    dx_deflater *d = new_deflater(0, 0);
    dx_inflater *f = new_inflater(15);
    size_t size = 0;
    memset(message, 'x', 2000); /* long matches: much output for the last bits of input */
    CHECK_INT(dx_deflate_message(d, 15, dx_bytes_at(message, 2000),
                                 (dx_span){packed, sizeof packed}, &size),
              DX_OK);
    for (size_t front = 0; front <= size; front++)
        CHECK_INT(inflate_front(f, dx_bytes_at(packed, front), 1),
                  inflate_front(f, dx_bytes_at(packed, front), 4000));
    CHECK_INT(inflate_front(f, dx_bytes_at(packed, size), 1), 2000);
    dx_inflater_free(f);
    dx_deflater_free(d);
}

/* ---- limits ----------------------------------------------------------------------------------- */

TEST("RFC 7692 §8 the limit holds while inflating, to the byte")
{
    static const size_t sizes[] = {1, 2, 5, 257, 1000, 32768, 65536, 100000};
    dx_deflater *d = new_deflater(0, 0);
    dx_inflater *f = new_inflater(15);

    for (size_t s = 0; s < DX_COUNT(sizes); s++)
        for (unsigned kind = 0; kind < 3; kind++)
            for (size_t o = 0; o < DX_COUNT(steps); o++) {
                size_t size = 0, got = 0;
                dx_bytes in = make_message(sizes[s], kind);
                CHECK_INT(dx_deflate_message(d, 15, in, (dx_span){packed, sizeof packed}, &size),
                          DX_OK);
                dx_inflater_begin(f, false, in.size);
                CHECK_INT(inflate_all(f, dx_bytes_at(packed, size), 0, steps[o], &got),
                          DX_INFLATE_DONE);
                CHECK_MEM(back, got, in.at, in.size);
                dx_inflater_begin(f, false, in.size - 1);
                CHECK_INT(inflate_all(f, dx_bytes_at(packed, size), steps[o], steps[o], &got),
                          DX_INFLATE_TOO_LARGE);
                CHECK_INT(got, in.size - 1); /* and not one byte more was written */
            }
    dx_inflater_free(f);
    dx_deflater_free(d);
}

TEST("RFC 7692 §8 16 MiB of zeros in 16 KiB stop at the limit")
{
    dx_deflater *d = new_deflater(9, 0);
    dx_inflater *f = new_inflater(15);
    uint8_t *zeros = calloc(1, 16 << 20);
    size_t size = 0, got = 0;

    CHECK_INT(dx_deflate_message(d, 15, dx_bytes_at(zeros, 16 << 20),
                                 (dx_span){packed, sizeof packed}, &size),
              DX_OK);
    CHECK(size < 17000);
    dx_inflater_begin(f, false, 65536);
    CHECK_INT(inflate_all(f, dx_bytes_at(packed, size), 0, 0, &got), DX_INFLATE_TOO_LARGE);
    CHECK_INT(got, 65536);
    dx_inflater_begin(f, false, 0);
    CHECK_INT(inflate_all(f, dx_bytes_at(packed, size), 0, 0, &got), DX_INFLATE_TOO_LARGE);
    CHECK_INT(got, 0);
    free(zeros);
    dx_inflater_free(f);
    dx_deflater_free(d);
}

TEST("§7.2.3.4 a message of nothing but empty BFINAL blocks costs no more than its bytes")
{
    dx_inflater *f = new_inflater(15);
    dx_deflater *d = new_deflater(0, 0);
    size_t size = 0, got = 0;
    dx_bytes in = make_message(32768, 2); /* a full window, which must not be copied each time */
    CHECK_INT(dx_deflate_message(d, 15, in, (dx_span){packed, sizeof packed}, &size), DX_OK);
    memcpy(packed + size, "\x00\x00\xff\xff", 4); /* its own end, whole again: more may follow */
    for (size_t i = 0; i < TOP; i += 2)
        memcpy(packed + size + 4 + i, "\x03\x00", 2);
    dx_inflater_begin(f, false, in.size);
    clock_t start = clock();
    CHECK_INT(inflate_all(f, dx_bytes_at(packed, size + 4 + TOP), 0, 0, &got), DX_INFLATE_DONE);
    CHECK_INT(got, in.size);
    CHECK((double)(clock() - start) / CLOCKS_PER_SEC <
          2); /* 500,000 copies of 32 KiB take longer */
    dx_deflater_free(d);
    dx_inflater_free(f);
}

/* ---- takeover --------------------------------------------------------------------------------- */

TEST("RFC 7692 §7.2.3.2 the example of a shared window")
{
    dx_inflater *f = new_inflater(15);
    size_t size = 0;
    dx_inflater_begin(f, true, 100);
    CHECK_INT(inflate_all(f, DX_BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), 1, 1, &size),
              DX_INFLATE_DONE);
    dx_inflater_begin(f, true, 100);
    CHECK_INT(inflate_all(f, DX_BYTES("\xf2\x00\x11\x00\x00"), 1, 1, &size), DX_INFLATE_DONE);
    CHECK_MEM(back, size, "Hello", 5);
    dx_inflater_begin(f, false, 100); /* without takeover nothing of it is left */
    CHECK_INT(inflate_all(f, DX_BYTES("\xf2\x00\x11\x00\x00"), 0, 0, &size), DX_INFLATE_BAD);
    dx_inflater_free(f);
}

TEST(
    "RFC 7692 §7.2.3.4 a message refers to what came before a BFINAL block, in and across messages")
{
    dx_inflater *f = new_inflater(15);
    size_t size = 0;
    for (size_t i = 0; i < DX_COUNT(steps); i++) {
        dx_inflater_begin(f, i > 0, 100);
        CHECK_INT(inflate_all(f, DX_BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x00\x11\x00\x00"),
                              steps[i], steps[i], &size),
                  DX_INFLATE_DONE);
        CHECK_MEM(back, size, "HelloHello", 10);
        dx_inflater_begin(f, true, 100);
        CHECK_INT(inflate_all(f, DX_BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00"), steps[i], 0, &size),
                  DX_INFLATE_DONE);
        dx_inflater_begin(f, true, 100);
        CHECK_INT(inflate_all(f, DX_BYTES("\xf2\x00\x11\x00\x00"), steps[i], 1, &size),
                  DX_INFLATE_DONE);
        CHECK_MEM(back, size, "Hello", 5);
        dx_inflater_begin(f, true, 100);
        CHECK_INT(inflate_all(f, DX_BYTES(""), 0, 0, &size), DX_INFLATE_DONE);
        dx_inflater_begin(f, true, 100);
        CHECK_INT(inflate_all(f, DX_BYTES("\xf2\x00\x11\x00\x00"), 0, 0, &size), DX_INFLATE_DONE);
    }
    dx_inflater_free(f);
}

TEST("a message that was left unfinished leaves nothing to the next one")
{
    dx_inflater *f = new_inflater(15);
    size_t size = 0;
    dx_bytes in = DX_BYTES("\xf2\x48\xcd");
    dx_span out = {back, 100};
    dx_inflater_begin(f, true, 100);
    CHECK_INT(dx_inflate_piece(f, &in, false, &out), DX_INFLATE_DONE);
    dx_inflater_begin(f, true, 100);
    CHECK_INT(inflate_all(f, DX_BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), 0, 0, &size),
              DX_INFLATE_DONE);
    CHECK_MEM(back, size, "Hello", 5);
    dx_inflater_free(f);
}

TEST("RFC 7692 §7.1.1 a session with takeover on both sides, each window, in pieces")
{
    for (unsigned bits = 8; bits <= 15; bits++) {
        dx_deflater *d = new_deflater(0, bits);
        dx_inflater *f = new_inflater(bits);
        size_t with = 0, size = 0, got = 0;
        for (unsigned n = 0; n < 200; n++) {
            dx_bytes in = make_message(random_below(3000), n % 5 == 4 ? 2 : n % 2);
            CHECK_INT(dx_deflate_message(d, 15, in, (dx_span){packed, sizeof packed}, &size),
                      DX_OK);
            with += n % 2 ? 0 : size;
            dx_inflater_begin(f, true, in.size);
            CHECK_INT(inflate_all(f, dx_bytes_at(packed, size), n % 7, n % 3 * 50, &got),
                      DX_INFLATE_DONE);
            CHECK_MEM(back, got, in.at, in.size);
        }
        CHECK(with > 0);
        dx_inflater_free(f);
        dx_deflater_free(d);
    }
}

/* ---- deflating -------------------------------------------------------------------------------- */

TEST(
    "RFC 7692 §7.2.1 messages of every class and window read back, also where only 8 bits are kept")
{
    static const size_t sizes[] = {0,    1,    2,    100,  250,  251,  257,   511,
                                   1023, 1024, 1025, 8191, 8192, 8193, 40000, 300000};
    dx_deflater *d = new_deflater(0, 0);
    for (unsigned bits = 8; bits <= 15; bits++) {
        /* refuses what reaches further back, if the output is taken in small pieces */
        dx_inflater *f = new_inflater(bits);
        for (size_t s = 0; s < DX_COUNT(sizes); s++)
            for (unsigned kind = 0; kind < 3; kind++) {
                dx_bytes in = make_message(sizes[s], kind);
                size_t size = 0, got = 0;
                CHECK_INT(dx_deflate_message(d, bits, in,
                                             (dx_span){packed, dx_deflate_bound(in.size)}, &size),
                          DX_OK);
                dx_inflater_begin(f, false, in.size);
                CHECK_INT(inflate_all(f, dx_bytes_at(packed, size), 0, 13, &got), DX_INFLATE_DONE);
                CHECK_MEM(back, got, in.at, in.size);
            }
        dx_inflater_free(f);
    }
    dx_deflater_free(d);
}

TEST("RFC 7692 §7.1.2 a deflater of 8 bits never reaches back more than 256 bytes")
{
    for (int level = 1; level <= 9; level++) {
        dx_deflater *d = new_deflater(level, 8);
        dx_inflater *f = new_inflater(8);
        for (size_t distance = 240; distance <= 520; distance++) {
            dx_bytes in = make_message(distance, 2); /* the same random bytes, again and again */
            uint8_t *text = malloc(4 * distance);
            for (size_t i = 0; i < 4 * distance; i++)
                text[i] = in.at[i % distance];
            size_t size = 0, got = 0;
            CHECK_INT(dx_deflate_message(d, 8, dx_bytes_at(text, 4 * distance),
                                         (dx_span){packed, sizeof packed}, &size),
                      DX_OK);
            dx_inflater_begin(f, true, 4 * distance);
            CHECK_INT(inflate_all(f, dx_bytes_at(packed, size), 0, 1, &got), DX_INFLATE_DONE);
            CHECK_MEM(back, got, text, 4 * distance);
            if (distance <= 246)
                CHECK(size < 3 * distance); /* the window is used */
            free(text);
        }
        dx_inflater_free(f);
        dx_deflater_free(d);
    }
}

TEST(
    "RFC 7692 §7.2.3.6 an empty message is one octet 00, with and without takeover, again and again")
{
    for (unsigned kept = 0; kept <= 15; kept += 15) {
        dx_deflater *d = new_deflater(0, kept);
        size_t size = 0;
        for (unsigned n = 0; n < 4; n++) {
            CHECK_INT(dx_deflate_message(d, 15, (dx_bytes){NULL, 0}, (dx_span){packed, 9}, &size),
                      DX_OK);
            CHECK_MEM(packed, size, "\0", 1);
            CHECK_INT(dx_deflate_message(d, 15, DX_BYTES("Hello"), (dx_span){packed, 100}, &size),
                      DX_OK);
        }
        dx_deflater_free(d);
    }
}

TEST("RFC 7692 §7.2.3.2 with takeover a repeated message becomes small, without it does not")
{
    dx_deflater *keeps = new_deflater(0, 15), *forgets = new_deflater(0, 0);
    dx_bytes in = make_message(200, 2);
    size_t first = 0, second = 0;
    CHECK_INT(dx_deflate_message(keeps, 15, in, (dx_span){packed, sizeof packed}, &first), DX_OK);
    CHECK_INT(dx_deflate_message(keeps, 15, in, (dx_span){packed, sizeof packed}, &second), DX_OK);
    CHECK(first > 200 && second < 20);
    CHECK_INT(dx_deflate_message(forgets, 15, in, (dx_span){packed, sizeof packed}, &first), DX_OK);
    CHECK_INT(dx_deflate_message(forgets, 15, in, (dx_span){packed, sizeof packed}, &second),
              DX_OK);
    CHECK_INT(first, second);
    dx_deflater_free(keeps);
    dx_deflater_free(forgets);
}

TEST("what does not fit is not sent, writes nothing past its room, and the deflater goes on")
{
    for (unsigned kept = 0; kept <= 12; kept += 12) {
        dx_deflater *d = new_deflater(0, kept);
        dx_inflater *f = new_inflater(15);
        dx_bytes in = make_message(500, 1);
        size_t full = 0, size = 4711, got = 0;

        CHECK_INT(dx_deflate_message(d, 15, in, (dx_span){packed, sizeof packed}, &full), DX_OK);
        dx_inflater_begin(f, false, 1000);
        CHECK_INT(inflate_all(f, dx_bytes_at(packed, full), 0, 0, &got), DX_INFLATE_DONE);
        in = make_message(500, 2);
        for (size_t room = 0; room < in.size + DX_DEFLATE_ROOM; room += 31) {
            uint8_t *out = malloc(room + 1);
            CHECK_INT(dx_deflate_message(d, 15, in, (dx_span){out, room}, &size), DX_ERR_TOO_LARGE);
            CHECK_INT(size, 4711);
            free(out);
            /* a peer that keeps its window has seen nothing of it */
            CHECK_INT(dx_deflate_message(d, 15, DX_BYTES("Hello, Hello, Hello"),
                                         (dx_span){packed, 99}, &got),
                      DX_OK);
            size_t after = 0;
            dx_inflater_begin(f, kept > 0, 1000);
            CHECK_INT(inflate_all(f, dx_bytes_at(packed, got), 0, 0, &after), DX_INFLATE_DONE);
            CHECK_MEM(back, after, "Hello, Hello, Hello", 19);
        }
        dx_inflater_free(f);
        dx_deflater_free(d);
    }
}

TEST("the room that is asked for is exact: one byte less than the result and the room is refused")
{
    dx_deflater *d = new_deflater(0, 0);
    for (size_t n = 1; n < 3000; n += 37) {
        dx_bytes in = make_message(n, (unsigned)n % 3);
        size_t size = 0, again = 0;
        CHECK_INT(dx_deflate_message(d, 15, in, (dx_span){packed, dx_deflate_bound(n)}, &size),
                  DX_OK);
        CHECK_INT(dx_deflate_message(d, 15, in, (dx_span){packed, size + DX_DEFLATE_ROOM}, &again),
                  DX_OK);
        CHECK_INT(again, size);
        CHECK_INT(
            dx_deflate_message(d, 15, in, (dx_span){packed, size + DX_DEFLATE_ROOM - 1}, &again),
            DX_ERR_TOO_LARGE);
    }
    dx_deflater_free(d);
}

/* ---- memory ----------------------------------------------------------------------------------- */

/* Allocations left before malloc and calloc fail; negative: never. The linker leads the calls of this
 * program and of the codec library here. */
static long allocations_left = -1;

static bool may_allocate(void)
{
    if (allocations_left == 0)
        return false;
    allocations_left -= allocations_left > 0;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_malloc(size_t size)
{
    return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return may_allocate() ? __real_calloc(count, size) : NULL;
}

TEST("an allocation that fails is an answer, at every place, and nothing leaks")
{
    size_t size = 0, failures = 0;
    dx_bytes in = make_message(5000, 1);
    for (long n = 0; n < 40; n++) {
        dx_inflater *f = NULL;
        dx_deflater *d = NULL, *kept = NULL;
        dx_err err;

        allocations_left = n;
        err = dx_inflater_new(15, &f);
        if (err == DX_OK)
            err = dx_deflater_new(0, 15, &kept);
        if (err == DX_OK)
            err = dx_deflater_new(0, 0, &d);
        if (err == DX_OK)
            err = dx_deflate_message(d, 15, in, (dx_span){packed, sizeof packed}, &size);
        if (err == DX_OK) {
            dx_bytes cur = {packed, size};
            dx_span out = {back, sizeof back};
            dx_inflater_begin(f, false, in.size);
            dx_inflate_status status = dx_inflate_piece(f, &cur, true, &out);
            CHECK(status == DX_INFLATE_DONE || status == DX_INFLATE_MEMORY);
            err = status == DX_INFLATE_DONE ? DX_OK : DX_ERR_MEMORY;
        }
        allocations_left = -1;
        CHECK(err == DX_OK || err == DX_ERR_MEMORY);
        failures += err != DX_OK;
        if (d != NULL) { /* works again once there is memory */
            CHECK_INT(dx_deflate_message(d, 15, in, (dx_span){packed, sizeof packed}, &size),
                      DX_OK);
            dx_inflater_begin(f, false, in.size);
            CHECK_INT(inflate_all(f, dx_bytes_at(packed, size), 0, 0, &size), DX_INFLATE_DONE);
        }
        dx_deflater_free(d);
        dx_deflater_free(kept);
        dx_inflater_free(f);
    }
    CHECK(failures > 10 && failures < 40);
}

TEST("freeing NULL is allowed")
{
    dx_inflater_free(NULL);
    dx_deflater_free(NULL);
    CHECK(true);
}
