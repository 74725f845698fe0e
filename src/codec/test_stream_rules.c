/* The pure rules of Durable Streams: numbers, Stream-Closed, cursors, ETags.
 * SPDX-License-Identifier: MIT */
#include "codec/http_etag.h"
#include "codec/stream_rules.h"
#include "tests/tap.h"

static void check_number(const char *text, uint64_t max, bool is_good, uint64_t want)
{
    char *exact = malloc(strlen(text) + 1); /* for the sanitizer */
    uint64_t got = 42;

    memcpy(exact + 1, text, strlen(text));
    bool is_read = dx_stream_number_read(dx_bytes_at(exact + 1, strlen(text)), max, &got);
    if (is_read != is_good || got != (is_good ? want : 42))
        TAP_FAIL("\"%s\": %s, %llu", text, is_read ? "read" : "refused", (unsigned long long)got);
    free(exact);
}

TEST("§5.1, §5.2.1 numbers have no sign, no leading zeros, no point, no exponent")
{
    static const char *const bad[] = {"",    "+1", "-1",  "01",    "00",  "007", "1.0",
                                      "1.",  ".1", "1e3", "3.6e3", "0x1", "1 ",  " 1",
                                      "1,2", "1_", "abc", "-0",    "+0",  "1a",  "\x31\xc2\xa0"};
    for (size_t i = 0; i < DX_COUNT(bad); i++)
        check_number(bad[i], DX_STREAM_NUMBER_MAX, false, 0);
    check_number("0", DX_STREAM_NUMBER_MAX, true, 0);
    check_number("1", DX_STREAM_NUMBER_MAX, true, 1);
    check_number("10", DX_STREAM_NUMBER_MAX, true, 10);
    check_number("3600", DX_STREAM_TTL_MAX, true, 3600);
}

TEST("§5.2.1 a producer's number is at most 2^53-1; a TTL's milliseconds are")
{
    check_number("9007199254740991", DX_STREAM_NUMBER_MAX, true, 9007199254740991);
    check_number("9007199254740992", DX_STREAM_NUMBER_MAX, false, 0);
    check_number("18446744073709551616", DX_STREAM_NUMBER_MAX, false, 0);
    check_number("18446744073709551617", UINT64_MAX, false, 0);
    check_number("18446744073709551615", UINT64_MAX, true, UINT64_MAX);
    check_number("9007199254740", DX_STREAM_TTL_MAX, true, 9007199254740);
    check_number("9007199254741", DX_STREAM_TTL_MAX, false, 0);
}

TEST("§4.1 Stream-Closed is exactly \"true\", in any case")
{
    static const char *const no[] = {"",    "false", "yes",   "1",         "truee",
                                     "tru", " true", "true ", "true, true"};

    CHECK(dx_stream_is_true(DX_BYTES("true")) && dx_stream_is_true(DX_BYTES("TRUE")) &&
          dx_stream_is_true(DX_BYTES("tRuE")));
    for (size_t i = 0; i < DX_COUNT(no); i++)
        CHECK(!dx_stream_is_true(dx_bytes_of(no[i])));
    CHECK(!dx_stream_is_true((dx_bytes){0}));
}

TEST("§10.1 cursors count intervals of 20 s since 2024-10-09")
{
    const uint64_t first = 1728432000000;

    CHECK_INT(dx_stream_cursor_at(0), 0);
    CHECK_INT(dx_stream_cursor_at(first - 1), 0);
    CHECK_INT(dx_stream_cursor_at(first + 19999), 0);
    CHECK_INT(dx_stream_cursor_at(first + 20000), 1);
    CHECK_INT(dx_stream_cursor_at(first + UINT64_C(86400000) * 365), 86400 / 20 * 365);
}

TEST("§10.1 a client's cursor that is not below the current one gets one above it by 1 to 3600 s")
{
    const uint64_t now_ms = 1728432000000 + 1000 * 20000; /* interval 1000 */
    bool seen[DX_STREAM_CURSOR_STEP_MAX + 1] = {0};

    CHECK_INT(dx_stream_cursor_next(now_ms, false, 5000, 7), 1000);
    CHECK_INT(dx_stream_cursor_next(now_ms, true, 0, 7), 1000);
    CHECK_INT(dx_stream_cursor_next(now_ms, true, 999, 7), 1000);
    for (uint64_t random = 0; random < 4000; random++) {
        uint64_t step = dx_stream_cursor_next(now_ms, true, 1000, random) - 1000;
        CHECK(step >= 1 && step <= DX_STREAM_CURSOR_STEP_MAX);
        seen[step] = true;
    }
    for (size_t i = 1; i < DX_COUNT(seen); i++)
        CHECK(seen[i]);
    CHECK_INT(dx_stream_cursor_next(now_ms, true, 7000, 0), 7001);
    CHECK_INT(dx_stream_cursor_next(now_ms, true, 7000, 3599), 7180);
    CHECK_INT(dx_stream_cursor_next(now_ms, true, 7000, 3600), 7001);
    CHECK(dx_stream_cursor_above(DX_STREAM_CURSOR_MAX, UINT64_MAX) > DX_STREAM_CURSOR_MAX);
}

TEST("a cursor that this server never gave is none")
{
    uint64_t cursor = 42;

    CHECK(dx_stream_cursor_read(DX_BYTES("1000"), &cursor) && cursor == 1000);
    CHECK(dx_stream_cursor_read(DX_BYTES("999999999999999999"), &cursor) &&
          cursor == DX_STREAM_CURSOR_MAX);
    cursor = 42;
    CHECK(!dx_stream_cursor_read(DX_BYTES(""), &cursor) &&
          !dx_stream_cursor_read(DX_BYTES("abc"), &cursor) &&
          !dx_stream_cursor_read(DX_BYTES("-1"), &cursor) &&
          !dx_stream_cursor_read(DX_BYTES("007"), &cursor) &&
          !dx_stream_cursor_read(DX_BYTES("1000000000000000000"), &cursor));
    CHECK_INT(cursor, 42);
}

static dx_bytes etag_of(const dx_stream_etag *etag)
{
    static uint8_t at[4][DX_STREAM_ETAG_MAX];
    static unsigned next;
    uint8_t *to = at[next++ % 4];

    return dx_bytes_at(to, dx_stream_etag_write(etag, to));
}

TEST("§5.6 the ETag names stream, start and end; closing changes it")
{
    dx_stream_etag etag = {.identity = 0xabc, .start = {1, 2}, .end = {3, 4}};
    const char *want =
        "\"0000000000000abc:0000000000000001_0000000000000002:0000000000000003_0000000000000004\"";
    dx_http_etag read;
    dx_bytes open = etag_of(&etag);

    CHECK_MEM(open.at, open.size, want, strlen(want));
    CHECK(dx_http_etag_read(open, &read) && !read.is_weak);
    etag.is_closed = true;
    dx_bytes closed = etag_of(&etag);
    CHECK_INT(closed.size, DX_STREAM_ETAG_MAX);
    CHECK_MEM(closed.at + closed.size - 3, 3, ":c\"", 3);
    CHECK(dx_http_etag_read(closed, &read));
    etag.identity = UINT64_MAX;
    CHECK(!dx_bytes_equal(closed, etag_of(&etag)));
    CHECK_MEM(etag_of(&etag).at, 18, "\"ffffffffffffffff:", 18);
}
