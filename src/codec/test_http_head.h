/* Feeds a head whole, at every prefix, byte by byte and split at random; all must agree.
 * Each call sees its bytes in a block of exactly their size, at another address every time.
 * Is:     for test_http_request and test_http_response, which define head_read and head_print.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_TEST_HTTP_HEAD_H
#define DX_CODEC_TEST_HTTP_HEAD_H

#include "codec/http_message.h"
#include "tests/tap.h"

typedef struct outcome {
    dx_http_status status;
    size_t consumed;
    char text[40000]; /* the head as head_print writes it */
} outcome;

/* Reads with a new table of fields; fills `ret` and returns its status. */
static dx_http_status head_read(dx_http_reader *r, dx_bytes in, outcome *ret);

static dx_http_limits head_limits = {8192, 16384, 100};

static inline void feed_exact(dx_http_reader *r, dx_bytes all, size_t size, outcome *ret)
{
    uint8_t *copy = malloc(size + 1); /* + 1: malloc(0) may be NULL */
    memcpy(copy + 1, all.at, size);
    ret->status = head_read(r, dx_bytes_at(copy + 1, size), ret);
    free(copy);
}

static inline void check_same(const outcome *got, const outcome *want, const char *how,
                              size_t where)
{
    if (got->status != want->status ||
        (want->status == DX_HTTP_OK &&
         (got->consumed != want->consumed || strcmp(got->text, want->text) != 0)))
        TAP_FAIL("%s at %zu: status %d (%s), whole: %d (%s)", how, where, (int)got->status,
                 got->text, (int)want->status, want->text);
}

/* Feeds up to each of the cuts, then everything, until something but MORE comes. */
static inline void feed_cut(dx_bytes all, const size_t *cuts, size_t count, outcome *ret)
{
    dx_http_reader r;

    dx_http_reader_init(&r, &head_limits);
    ret->status = DX_HTTP_MORE;
    for (size_t i = 0; i < count && ret->status == DX_HTTP_MORE; i++)
        feed_exact(&r, all, cuts[i], ret);
    if (ret->status == DX_HTTP_MORE)
        feed_exact(&r, all, all.size, ret);
}

static inline void feed_splits(dx_bytes all, const outcome *whole)
{
    static outcome got;
    size_t step = all.size > 2000 ? 97 : 1, cuts[64];

    for (size_t cut = 0; cut <= all.size; cut += step) {
        feed_cut(all, &cut, 1, &got);
        check_same(&got, whole, "two pieces", cut);
    }
    for (unsigned seed = 1; seed < 20; seed++) {
        unsigned random = seed;
        size_t count = 0, cut = 0;
        while (count < 64 && cut < all.size) {
            random = random * 1103515245 + 12345;
            cut += random >> 16 & 31;
            cuts[count++] = dx_min_size(cut, all.size);
        }
        feed_cut(all, cuts, count, &got);
        check_same(&got, whole, "random pieces, seed", seed);
    }
}

static inline void feed_bytes(dx_bytes all, const outcome *whole)
{
    static outcome got;
    dx_http_reader r;
    size_t size = 0;

    if (all.size > 20000)
        return;
    dx_http_reader_init(&r, &head_limits);
    do
        feed_exact(&r, all, size, &got);
    while (got.status == DX_HTTP_MORE && size++ < all.size);
    check_same(&got, whole, "byte by byte", size);
    if (whole->status == DX_HTTP_OK && size != whole->consumed)
        TAP_FAIL("byte by byte it took %zu bytes, whole %zu", size, whole->consumed);
}

static inline const outcome *feed(dx_bytes all)
{
    static outcome whole;

    feed_cut(all, NULL, 0, &whole);
    feed_splits(all, &whole);
    feed_bytes(all, &whole);
    return &whole;
}

/* The head must be good, end before `rest_size` bytes, and print as `want`. */
static inline void check_good(const char *file, int line, dx_bytes in, size_t rest_size,
                              const char *want)
{
    const outcome *got = feed(in);

    if (got->status != DX_HTTP_OK)
        TAP_FAIL("at %s:%d: status %d", file, line, (int)got->status);
    else if (got->consumed + rest_size != in.size || strcmp(got->text, want) != 0)
        TAP_FAIL("at %s:%d: %zu of %zu bytes\n#   got  %s\n#   want %s", file, line, got->consumed,
                 in.size, got->text, want);
}

static inline void check_status(const char *file, int line, dx_bytes in, dx_http_status want)
{
    const outcome *got = feed(in);

    if (got->status != want)
        TAP_FAIL("at %s:%d: status %d, expected %d", file, line, (int)got->status, (int)want);
}

#define GOOD(literal, want) check_good(__FILE__, __LINE__, DX_BYTES(literal), 0, want)
#define GOOD_THEN(literal, rest, want)                                                             \
    check_good(__FILE__, __LINE__, DX_BYTES(literal rest), sizeof(rest) - 1, want)
#define FAULT(literal, name)                                                                       \
    check_status(__FILE__, __LINE__, DX_BYTES(literal), DX_HTTP_FAULT_##name)
#define WAITS(literal) check_status(__FILE__, __LINE__, DX_BYTES(literal), DX_HTTP_MORE)

#endif
