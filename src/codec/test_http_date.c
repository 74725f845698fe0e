/* HTTP dates.
 * SPDX-License-Identifier: MIT */
#include "codec/http_date.h"
#include "tests/tap.h"

#include <time.h>

#define NOW 1790000000 /* 2026-09-21 */

static void check_read(const char *text, int64_t want)
{
    int64_t got = 0;

    if (!dx_http_date_read(dx_bytes_of(text), NOW, &got))
        TAP_FAIL("refused: %s", text);
    else if (got != want)
        TAP_FAIL("%s is %lld, expected %lld", text, (long long)got, (long long)want);
    for (size_t size = 0; size < strlen(text); size++) {
        char *cut = malloc(size + 1); /* exact, for the sanitizer */
        memcpy(cut + 1, text, size);
        if (dx_http_date_read(dx_bytes_at(cut + 1, size), NOW, &got))
            TAP_FAIL("prefix of %zu bytes of %s was read", size, text);
        free(cut);
    }
}

static void check_bad(const char *text)
{
    int64_t got = 42;

    if (dx_http_date_read(dx_bytes_of(text), NOW, &got) || got != 42)
        TAP_FAIL("was read: %s", text);
}

TEST("RFC 9110 §5.6.7 all three forms of one moment are read")
{
    check_read("Sun, 06 Nov 1994 08:49:37 GMT", 784111777);
    check_read("Sunday, 06-Nov-94 08:49:37 GMT", 784111777);
    check_read("Sun Nov  6 08:49:37 1994", 784111777);
    check_read("Wed Nov 16 08:49:37 1994", 784975777);
}

TEST("RFC 9110 §5.6.7 edges of the calendar")
{
    check_read("Thu, 01 Jan 1970 00:00:00 GMT", 0);
    check_read("Wed, 31 Dec 1969 23:59:59 GMT", -1);
    check_read("Tue, 29 Feb 2000 00:00:00 GMT", 951782400);
    check_read("Thu, 29 Feb 2024 23:59:59 GMT", 1709251199);
    check_read("Sat, 31 Dec 2016 23:59:60 GMT", 1483228800);
    check_read("Tue, 19 Jan 2038 03:14:08 GMT", 2147483648);
    check_read("Fri, 31 Dec 9999 23:59:59 GMT", 253402300799);
    check_read("Sat, 01 Jan 0000 00:00:00 GMT", -62167219200);
}

TEST("RFC 9110 §5.6.7 a two-digit year is at most 50 years ahead")
{
    check_read("Tuesday, 01-Jan-76 00:00:00 GMT", 3345062400); /* 2076 */
    check_read("Saturday, 01-Jan-77 00:00:00 GMT", 220924800); /* 1977 */
    check_read("Thursday, 01-Jan-26 00:00:00 GMT", 1767225600);
    int64_t got;
    CHECK(dx_http_date_read(DX_BYTES("Thursday, 01-Jan-60 00:00:00 GMT"), 3345062400, &got));
    CHECK_INT(got, 2840140800); /* 2060 */
}

TEST("RFC 9110 §5.6.7 what is no date is refused")
{
    check_bad("");
    check_bad("0");
    check_bad("784111777");
    check_bad("Sun, 6 Nov 1994 08:49:37 GMT");
    check_bad("Sun, 06 Nov 94 08:49:37 GMT");
    check_bad("sun, 06 nov 1994 08:49:37 gmt");
    check_bad("Sun, 06 Nov 1994 08:49:37 UTC");
    check_bad("Sun, 06 Nov 1994 08:49:37 +0000");
    check_bad("Sun, 06 Nov 1994 08:49:37 GMT ");
    check_bad(" Sun, 06 Nov 1994 08:49:37 GMT");
    check_bad("Sun,06 Nov 1994 08:49:37 GMT");
    check_bad("Xxx, 06 Nov 1994 08:49:37 GMT");
    check_bad("Sun, 06 Xxx 1994 08:49:37 GMT");
    check_bad("Sun, 00 Nov 1994 08:49:37 GMT");
    check_bad("Sun, 31 Nov 1994 08:49:37 GMT");
    check_bad("Sun, 29 Feb 1900 08:49:37 GMT");
    check_bad("Sun, 06 Nov 1994 24:00:00 GMT");
    check_bad("Sun, 06 Nov 1994 08:60:37 GMT");
    check_bad("Sun, 06 Nov 1994 08:49:61 GMT");
    check_bad("Sun, -6 Nov 1994 08:49:37 GMT");
    check_bad("Sun, 06 Nov 1994 08:49:37");
    check_bad("Sun, 06-Nov-94 08:49:37 GMT");
    check_bad("Sunday, 06-Nov-1994 08:49:37 GMT");
    check_bad("Sun Nov 6 08:49:37 1994");
    check_bad("Sun Nov 06 08:49:37 94");
}

TEST("RFC 9110 §5.6.7 what is written agrees with the system's calendar and reads back")
{
    uint8_t date[DX_HTTP_DATE_SIZE];
    char want[64];
    int64_t got;

    for (int64_t t = -62167219200; t <= 253402300799; t += 86400 * 37 + 12345) {
        time_t seconds = (time_t)t;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        strftime(want, sizeof want, "%a, %d %b ", &tm);
        snprintf(want + 12, sizeof want - 12, "%04d %02d:%02d:%02d GMT", tm.tm_year + 1900,
                 tm.tm_hour, tm.tm_min, tm.tm_sec);
        dx_http_date_write(t, date);
        CHECK_MEM(date, sizeof date, want, DX_HTTP_DATE_SIZE);
        CHECK(dx_http_date_read(dx_bytes_at(date, sizeof date), NOW, &got));
        CHECK_INT(got, t);
    }
}

TEST("times outside of four-digit years are clamped")
{
    uint8_t date[DX_HTTP_DATE_SIZE];

    dx_http_date_write(INT64_MAX, date);
    CHECK_MEM(date, sizeof date, "Fri, 31 Dec 9999 23:59:59 GMT", DX_HTTP_DATE_SIZE);
    dx_http_date_write(INT64_MIN, date);
    CHECK_MEM(date, sizeof date, "Sat, 01 Jan 0000 00:00:00 GMT", DX_HTTP_DATE_SIZE);
}
