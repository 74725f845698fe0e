/* RFC 3339 timestamps.
 * SPDX-License-Identifier: MIT */
#include "codec/calendar.h"
#include "codec/stream_time.h"
#include "tests/tap.h"

#include <time.h>

/* Read, at the size it has; every prefix but those that are whole themselves is refused. */
static void check_read(const char *text, int64_t seconds, uint32_t nanoseconds)
{
    dx_instant got = {0};

    if (!dx_stream_time_read(dx_bytes_of(text), &got))
        TAP_FAIL("refused: %s", text);
    else if (got.seconds != seconds || got.nanoseconds != nanoseconds)
        TAP_FAIL("%s is %lld.%09u, expected %lld.%09u", text, (long long)got.seconds,
                 got.nanoseconds, (long long)seconds, nanoseconds);
    for (size_t size = 0; size < strlen(text); size++) {
        char *cut = malloc(size + 1); /* exact, for the sanitizer */
        memcpy(cut + 1, text, size);
        if (dx_stream_time_read(dx_bytes_at(cut + 1, size), &got))
            TAP_FAIL("prefix of %zu bytes of %s was read", size, text);
        free(cut);
    }
}

static void check_bad(const char *text)
{
    dx_instant got = {42, 42};

    if (dx_stream_time_read(dx_bytes_of(text), &got) || got.seconds != 42 || got.nanoseconds != 42)
        TAP_FAIL("was read: %s", text);
}

TEST("RFC 3339 §5.8 its examples, and one moment in many texts")
{
    check_read("1985-04-12T23:20:50.52Z", 482196050, 520000000);
    check_read("1996-12-19T16:39:57-08:00", 851042397, 0);
    check_read("1996-12-20T00:39:57Z", 851042397, 0);
    check_read("1990-12-31T23:59:60Z", 662688000, 0);
    check_read("1990-12-31T15:59:60-08:00", 662688000, 0);
    check_read("1937-01-01T12:00:27.87+00:20", -1041337173, 870000000);
    check_read("1970-01-01t00:00:00z", 0, 0);
    check_read("1970-01-01T00:00:00-00:00", 0, 0);
    check_read("1970-01-01T23:59:00+23:59", 0, 0);
    check_read("1969-12-31T00:01:00-23:59", 0, 0);
}

TEST("RFC 3339 §5.6 edges of the calendar and of fractions")
{
    check_read("2000-02-29T00:00:00Z", 951782400, 0);
    check_read("2024-02-29T23:59:59Z", 1709251199, 0);
    check_read("0000-01-01T00:00:00Z", -62167219200, 0);
    check_read("9999-12-31T23:59:59.999999999Z", 253402300799, 999999999);
    check_read("2038-01-19T03:14:08Z", 2147483648, 0);
    check_read("2016-12-31T23:59:60.5Z", 1483228800, 500000000);
    check_read("1970-01-01T00:00:00.000000001Z", 0, 1);
    check_read("1970-01-01T00:00:00.0000000019Z", 0, 1);
    check_read("1970-01-01T00:00:00.10000000000000000000000000000000Z", 0, 100000000);
}

TEST("RFC 3339 §5.6 what is no date-time is refused")
{
    static const char *const bad[] = {"",
                                      "tomorrow",
                                      "2026-01-01",
                                      "2026-01-01T00:00Z",
                                      "2026-01-01T00:00:00",
                                      "2026-01-01 00:00:00Z",
                                      " 2026-01-01T00:00:00Z",
                                      "2026-01-01T00:00:00Z ",
                                      "26-01-01T00:00:00Z",
                                      "12026-01-01T00:00:00Z",
                                      "+2026-01-01T00:00:00Z",
                                      "2026-1-01T00:00:00Z",
                                      "2026-00-01T00:00:00Z",
                                      "2026-13-01T00:00:00Z",
                                      "2026-01-00T00:00:00Z",
                                      "2026-01-32T00:00:00Z",
                                      "2026-02-29T00:00:00Z",
                                      "1900-02-29T00:00:00Z",
                                      "2026-04-31T00:00:00Z",
                                      "2026-01-01T24:00:00Z",
                                      "2026-01-01T00:60:00Z",
                                      "2026-01-01T00:00:61Z",
                                      "2026-01-01T00:00:60Z",
                                      "2026-06-29T23:59:60Z",
                                      "2026-06-30T23:59:60+01:00",
                                      "9999-12-31T23:59:60Z",
                                      "2026-01-01T00:00:00.Z",
                                      "2026-01-01T00:00:00,5Z",
                                      "2026-01-01T00:00:00.5.5Z",
                                      "2026-01-01T00:00:00+0100",
                                      "2026-01-01T00:00:00+01",
                                      "2026-01-01T00:00:00+1:00",
                                      "2026-01-01T00:00:00+24:00",
                                      "2026-01-01T00:00:00+01:60",
                                      "2026-01-01T00:00:00+01:00Z",
                                      "2026-01-01T00:00:00UTC",
                                      "2026-01-01T0a:00:00Z",
                                      "Sun, 06 Nov 1994 08:49:37 GMT"};
    for (size_t i = 0; i < DX_COUNT(bad); i++)
        check_bad(bad[i]);
}

static dx_instant instant_of(const char *text)
{
    dx_instant instant = {0};

    CHECK(dx_stream_time_read(dx_bytes_of(text), &instant));
    return instant;
}

TEST("instants compare as moments, not as texts; milliseconds are those of the wall clock")
{
    dx_instant a = instant_of("2026-01-01T00:00:00+01:00"),
               b = instant_of("2025-12-31T23:00:00.000Z");
    dx_instant later = instant_of("2025-12-31T23:00:00.0000001Z");

    CHECK_INT(dx_instant_compare(a, b), 0);
    CHECK_INT(dx_instant_compare(a, later), -1);
    CHECK_INT(dx_instant_compare(later, b), 1);
    CHECK_INT(dx_instant_compare(instant_of("2026-01-01T00:00:01Z"), later), 1);
    CHECK_INT(dx_instant_compare(instant_of("1969-12-31T23:59:59.9Z"),
                                 instant_of("1970-01-01T00:00:00Z")),
              -1);
    CHECK_INT(dx_instant_ms(instant_of("1985-04-12T23:20:50.5299Z")), 482196050529);
    CHECK_INT(dx_instant_ms(instant_of("1969-12-31T23:59:59.9Z")), 0);
}

static void check_write(uint64_t ms, const char *want)
{
    uint8_t at[DX_STREAM_TIME_MAX];
    size_t size = dx_stream_time_write(ms, at);

    CHECK_MEM(at, size, want, strlen(want));
}

TEST("written in UTC, with milliseconds where there are any, and read again")
{
    check_write(0, "1970-01-01T00:00:00Z");
    check_write(482196050520, "1985-04-12T23:20:50.520Z");
    check_write(951782400001, "2000-02-29T00:00:00.001Z");
    check_write(253402300799000, "9999-12-31T23:59:59Z");
    check_write(UINT64_MAX, "9999-12-31T23:59:59Z");
    for (uint64_t ms = 0; ms < 253402300799000; ms += 86399999 * UINT64_C(13)) {
        uint8_t at[DX_STREAM_TIME_MAX];
        dx_instant again = {0};
        size_t size = dx_stream_time_write(ms, at);
        if (!dx_stream_time_read(dx_bytes_at(at, size), &again) || dx_instant_ms(again) != ms)
            TAP_FAIL("%llu was not read again", (unsigned long long)ms);
    }
}

TEST("the calendar is that of the C library")
{
    for (int64_t days = -719528; days <= 2932896; days += 97) {
        time_t seconds = days * 86400;
        struct tm tm;
        dx_calendar_date date = dx_calendar_date_of(days);
        gmtime_r(&seconds, &tm);
        if (date.year != tm.tm_year + 1900 || (int)date.month != tm.tm_mon ||
            (int)date.day != tm.tm_mday || dx_calendar_days(&date) != days)
            TAP_FAIL("day %lld is %lld-%u-%u", (long long)days, (long long)date.year,
                     date.month + 1, date.day);
    }
}
