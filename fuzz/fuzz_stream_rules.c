/* Values of the fields of streams: timestamps, numbers, cursors, ETags.
 * Input: a byte that picks the reader, then the value.
 * SPDX-License-Identifier: MIT */
#include "codec/http_etag.h"
#include "codec/stream_rules.h"
#include "codec/stream_time.h"
#include "fuzz/fuzz.h"

static void time_run(dx_bytes in)
{
    uint8_t text[DX_STREAM_TIME_MAX];
    dx_instant instant, again;

    if (!dx_stream_time_read(in, &instant))
        return;
    FUZZ_CHECK(in.size >= 20 && instant.nanoseconds < 1000000000);
    FUZZ_CHECK(instant.seconds >= -62167219200 - 86400 && instant.seconds < 253402300800 + 86400);
    uint64_t ms = dx_instant_ms(instant);
    FUZZ_CHECK(dx_stream_time_read(dx_bytes_at(text, dx_stream_time_write(ms, text)), &again));
    if (instant.seconds >= 0 && instant.seconds < 253402300799) {
        FUZZ_CHECK(dx_instant_ms(again) == ms && dx_instant_compare(again, instant) <= 0);
        FUZZ_CHECK(again.seconds == instant.seconds);
    }
}

static void number_run(dx_bytes in, uint64_t max)
{
    char text[24];
    uint64_t number = 42;

    if (!dx_stream_number_read(in, max, &number)) {
        FUZZ_CHECK(number == 42);
        return;
    }
    FUZZ_CHECK(number <= max); /* one number has one text */
    FUZZ_CHECK(dx_bytes_equal(in, dx_bytes_at(text, (size_t)snprintf(text, sizeof text, "%llu",
                                                                     (unsigned long long)number))));
}

static void cursor_run(dx_bytes in)
{
    uint64_t words[2] = {0}, client = 0;

    for (size_t i = 0; i < DX_COUNT(words); i++)
        (void)dx_bytes_u64(&in, &words[i]);
    bool has_client = dx_stream_cursor_read(in, &client);
    uint64_t now = dx_stream_cursor_at(words[0]);
    uint64_t next = dx_stream_cursor_next(words[0], has_client, client, words[1]);
    FUZZ_CHECK(next >= now);
    if (!has_client || client < now)
        FUZZ_CHECK(next == now);
    else
        FUZZ_CHECK(next > client && next - client <= DX_STREAM_CURSOR_STEP_MAX);
    FUZZ_CHECK(dx_stream_is_true(in) ==
               (in.size == 4 && dx_bytes_equal_nocase(in, DX_BYTES("TRUE"))));
}

/* Two of them that differ in one bit have other texts. */
static void etag_run(dx_bytes in)
{
    uint64_t words[5] = {0};
    uint8_t a[DX_STREAM_ETAG_MAX], b[DX_STREAM_ETAG_MAX], bit = 0;
    dx_http_etag read;

    (void)dx_bytes_u8(&in, &bit);
    for (size_t i = 0; i < DX_COUNT(words); i++)
        (void)dx_bytes_u64(&in, &words[i]);
    dx_stream_etag etag = {words[0], {words[1], words[2]}, {words[3], words[4]}, bit >> 7};
    dx_bytes text = dx_bytes_at(a, dx_stream_etag_write(&etag, a));
    FUZZ_CHECK(dx_http_etag_read(text, &read) && !read.is_weak);
    uint64_t *const parts[] = {&etag.identity, &etag.start.epoch, &etag.start.sequence,
                               &etag.end.epoch, &etag.end.sequence};
    *parts[bit % DX_COUNT(parts)] ^= UINT64_C(1) << (bit & 63);
    FUZZ_CHECK(!dx_bytes_equal(text, dx_bytes_at(b, dx_stream_etag_write(&etag, b))));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dx_bytes in = {data, size};
    uint8_t which = 0;

    if (!dx_bytes_u8(&in, &which))
        return 0;
    dx_bytes copy = fuzz_copy(in);
    switch (which % 5) {
    case 0: time_run(copy); break;
    case 1: number_run(copy, DX_STREAM_NUMBER_MAX); break;
    case 2: number_run(copy, UINT64_MAX); break;
    case 3: cursor_run(copy); break;
    default: etag_run(copy); break;
    }
    fuzz_free(copy);
    return 0;
}
