/* Ranges, and Content-Range both ways.
 * SPDX-License-Identifier: MIT */
#include "codec/http_range.h"
#include "tests/tap.h"

/* Reads `value` from a block of its own size and prints what it got: "0-4 9-9", "none", "ignored". */
static const char *read_value(dx_bytes value, uint64_t size)
{
    static char text[1000];
    dx_http_range ranges[DX_HTTP_RANGES_MAX];
    size_t count = 0, used = 0;
    uint8_t *copy = malloc(value.size + 1);

    memcpy(copy + 1, value.at, value.size);
    dx_http_range_status status =
        dx_http_range_read(dx_bytes_at(copy + 1, value.size), size, ranges, &count);
    free(copy);
    switch (status) {
    case DX_HTTP_RANGE_IGNORED: return "ignored";
    case DX_HTTP_RANGE_UNSATISFIABLE: return "none";
    case DX_HTTP_RANGE_OK: break;
    }
    for (size_t i = 0; i < count; i++) {
        CHECK(ranges[i].first <= ranges[i].last && ranges[i].last < size);
        used += (size_t)sprintf(text + used, "%s%llu-%llu", i ? " " : "",
                                (unsigned long long)ranges[i].first,
                                (unsigned long long)ranges[i].last);
    }
    return text;
}

static void check(const char *value, uint64_t size, const char *want)
{
    const char *got = read_value(dx_bytes_of(value), size);

    if (strcmp(got, want) != 0)
        TAP_FAIL("%s of %llu: %s, expected %s", value, (unsigned long long)size, got, want);
    for (size_t cut = 0; cut < strlen(value); cut++)
        (void)read_value(dx_bytes_at(value, cut), size); /* its own checks, and the sanitizer's */
}

TEST("RFC 9110 §14.1.2 ranges are read and cut at the end")
{
    check("bytes=0-4", 10, "0-4");
    check("bytes=9-9", 10, "9-9");
    check("bytes=5-", 10, "5-9");
    check("bytes=-3", 10, "7-9");
    check("bytes=-30", 10, "0-9");
    check("bytes=0-99", 10, "0-9");
    check("BYTES=0-0", 10, "0-0");
    check("bytes= 0-1 , ,4-5\t,-1", 10, "0-1 4-5 9-9");
    check("bytes=8-9,0-1", 10, "8-9 0-1");
    check("bytes=0-18446744073709551615", 10, "0-9");
    check("bytes=0-99999999999999999999999", 10, "0-9");
    check("bytes=-99999999999999999999999", 10, "0-9");
}

TEST("RFC 9110 §15.5.17 ranges that all start past the end cannot be satisfied")
{
    check("bytes=10-", 10, "none");
    check("bytes=10-20,30-40", 10, "none");
    check("bytes=-0", 10, "none");
    check("bytes=0-", 0, "none");
    check("bytes=-5", 0, "none");
    check("bytes=99999999999999999999999-", 10, "none");
    check("bytes=10-,0-0", 10, "0-0");
}

TEST("RFC 9110 §14.2 what breaks the grammar, or is of another unit, is ignored")
{
    check("", 10, "ignored");
    check("bytes", 10, "ignored");
    check("bytes=", 10, "ignored");
    check("bytes=,", 10, "ignored");
    check("bytes=-", 10, "ignored");
    check("bytes=a-b", 10, "ignored");
    check("bytes=0", 10, "ignored");
    check("bytes=5-4", 10, "ignored");
    check("bytes=0-1-2", 10, "ignored");
    check("bytes=0 -1", 10, "ignored");
    check("bytes=+0-1", 10, "ignored");
    check("bytes=--1", 10, "ignored");
    check("bytes=0-1,x", 10, "ignored");
    check("bytes =0-1", 10, "ignored");
    check("items=0-1", 10, "ignored");
}

TEST("RFC 9110 §17.15 overlapping ranges, and more than 16, are ignored")
{
    char value[8000] = "bytes=0-0";

    check("bytes=0-4,4-5", 10, "ignored");
    check("bytes=0-,0-,0-", 10, "ignored");
    check("bytes=5-,-2", 10, "ignored");
    check("bytes=0-4,5-9", 10, "0-4 5-9");
    for (int i = 1; i < 16; i++)
        sprintf(value + strlen(value), ",%d-%d", i * 2, i * 2);
    CHECK(strncmp(read_value(dx_bytes_of(value), 100), "0-0 2-2 4-4", 11) == 0);
    strcat(value, ",50-50");
    check(value, 100, "ignored");
    for (int i = 0; i < 900; i++)
        strcat(value, ",0-");
    CHECK(strcmp(read_value(dx_bytes_of(value), 100), "ignored") == 0);
    strcpy(value, "bytes=0-0");
    for (int i = 0; i < 16; i++)
        strcat(value, ",500-"); /* past the end, but counted */
    check(value, 100, "ignored");
}

static void check_content(const char *value, const char *want)
{
    char text[200] = "bad";
    dx_http_content_range r;

    if (dx_http_content_range_read(dx_bytes_of(value), &r))
        sprintf(text, "%d %llu-%llu %d %llu", r.has_range, (unsigned long long)r.range.first,
                (unsigned long long)r.range.last, r.has_size, (unsigned long long)r.size);
    if (strcmp(text, want) != 0)
        TAP_FAIL("%s: %s, expected %s", value, text, want);
}

TEST("RFC 9110 §14.4 Content-Range is read")
{
    check_content("bytes 0-4/10", "1 0-4 1 10");
    check_content("Bytes 0-4/*", "1 0-4 0 0");
    check_content("bytes */10", "0 0-0 1 10");
    check_content("bytes */*", "bad");
    check_content("bytes 0-10/10", "bad");
    check_content("bytes 5-4/10", "bad");
    check_content("bytes 0-4", "bad");
    check_content("bytes 0/10-4", "bad");
    check_content("bytes -4/10", "bad");
    check_content("bytes 0-/10", "bad");
    check_content("bytes  0-4/10", "bad");
    check_content("bytes=0-4/10", "bad");
    check_content("items 0-4/10", "bad");
    check_content("bytes 0-4/10 ", "bad");
    check_content("bytes 0-99999999999999999999/*", "bad");
    check_content("", "bad");
}

TEST("RFC 9110 §14.4 Content-Range is written, and reads back")
{
    uint8_t text[DX_HTTP_CONTENT_RANGE_MAX];
    dx_http_content_range r;
    size_t size = dx_http_content_range_write((dx_http_range){0, 499}, 1234, text);

    CHECK_MEM(text, size, "bytes 0-499/1234", 16);
    size = dx_http_content_range_write_none(0, text);
    CHECK_MEM(text, size, "bytes */0", 9);
    size = dx_http_content_range_write((dx_http_range){UINT64_MAX - 2, UINT64_MAX - 1}, UINT64_MAX,
                                       text);
    CHECK_INT(size, DX_HTTP_CONTENT_RANGE_MAX - 1);
    CHECK(dx_http_content_range_read(dx_bytes_at(text, size), &r) && r.size == UINT64_MAX &&
          r.range.first == UINT64_MAX - 2);
}
