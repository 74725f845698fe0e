/* Entity tags and conditional requests.
 * SPDX-License-Identifier: MIT */
#include "codec/http_conditions.h"
#include "codec/http_etag.h"
#include "tests/tap.h"

#define DAY0 "Sun, 06 Nov 1994 08:49:37 GMT" /* when it was modified */
#define DAY1 "Mon, 07 Nov 1994 08:49:37 GMT"
#define DAY_BEFORE "Sat, 05 Nov 1994 08:49:37 GMT"
#define FUTURE "Fri, 01 Jan 2100 00:00:00 GMT"

static const dx_http_validators tagged = {
    .exists = true,
    .has_modified = true,
    .etag = {(const uint8_t *)"\"v1\"", 4},
    .modified = 784111777,
    .now = 1790000000,
};

/* "proceed", "304" or "412", with "+range" if a range is to be used. */
static const char *answer(dx_http_method method, const dx_http_validators *current,
                          const char *const *lines)
{
    dx_http_field memory[10];
    dx_http_fields f = {.at = memory, .count_max = DX_COUNT(memory)};
    bool use_range;

    for (; *lines; lines++) {
        dx_bytes line = dx_bytes_of(*lines);
        size_t colon = dx_bytes_find(line, ':');
        CHECK(dx_http_fields_add(
            &f, (dx_bytes){line.at, colon},
            dx_bytes_trim((dx_bytes){line.at + colon + 1, line.size - colon - 1})));
    }
    dx_http_condition got = dx_http_conditions_check(method, &f, current, &use_range);
    if (got != DX_HTTP_CONDITION_PROCEED && use_range)
        return "a range without proceed";
    switch (got) {
    case DX_HTTP_CONDITION_PROCEED: return use_range ? "proceed+range" : "proceed";
    case DX_HTTP_CONDITION_NOT_MODIFIED: return "304";
    case DX_HTTP_CONDITION_FAILED: return "412";
    }
    return "?";
}

#define CASE(method, want, ...)                                                                    \
    do {                                                                                           \
        const char *got =                                                                          \
            answer(DX_HTTP_##method, current, (const char *const[]){__VA_ARGS__, NULL});           \
        if (strcmp(got, want) != 0)                                                                \
            TAP_FAIL("line %d: %s, expected %s", __LINE__, got, want);                             \
    } while (0)

TEST("RFC 9110 §13.1.1 If-Match compares strongly; a miss is 412")
{
    const dx_http_validators *current = &tagged;
    CASE(PUT, "proceed", "If-Match: \"v1\"");
    CASE(PUT, "proceed", "If-Match: \"v0\", \"v1\"");
    CASE(PUT, "proceed", "If-Match: \"v0\"", "If-Match: \"v1\"");
    CASE(PUT, "proceed", "If-Match: *");
    CASE(PUT, "412", "If-Match: W/\"v1\"");
    CASE(PUT, "412", "If-Match: \"v2\"");
    CASE(PUT, "412", "If-Match: v1");
    CASE(PUT, "412", "If-Match: v1", "If-Match: \"v1\"");
    CASE(PUT, "412", "If-Match: \"v1\", v1");
    CASE(GET, "412", "If-Match: \"v2\"");
    CASE(POST, "412", "If-Match:");
}

TEST("RFC 9110 §13.1.2 If-None-Match compares weakly; a hit is 304 for GET and HEAD, else 412")
{
    const dx_http_validators *current = &tagged;
    CASE(GET, "304", "If-None-Match: \"v1\"");
    CASE(HEAD, "304", "If-None-Match: W/\"v1\"");
    CASE(GET, "304", "If-None-Match: \"v0\", \"v1\"");
    CASE(GET, "304", "If-None-Match: \"v0\"", "If-None-Match: \"v1\"");
    CASE(GET, "304", "If-None-Match: *");
    CASE(PUT, "412", "If-None-Match: *");
    CASE(PUT, "412", "If-None-Match: \"v1\"");
    CASE(GET, "proceed", "If-None-Match: \"v2\"");
    CASE(GET, "proceed", "If-None-Match: \"V1\"");
    CASE(GET, "proceed", "If-None-Match: v1");
    CASE(GET, "proceed", "If-None-Match: \"v1\" \"v2\"");
    CASE(GET, "proceed", "If-None-Match:");
}

TEST("RFC 9110 §13.1 a star matches what exists, and nothing where nothing is")
{
    const dx_http_validators none = {.now = 1790000000}, *current = &none;
    CASE(PUT, "proceed", "If-None-Match: *");
    CASE(PUT, "412", "If-Match: *");
    CASE(PUT, "412", "If-Match: \"v1\"");
    CASE(GET, "proceed", "If-None-Match: \"v1\"");
    CASE(GET, "proceed", "If-Modified-Since: " DAY1);
    const dx_http_validators untagged = {.exists = true, .now = 1790000000};
    current = &untagged;
    CASE(GET, "proceed", "If-None-Match: \"\"");
    CASE(GET, "proceed", "If-None-Match: W/\"\"");
    CASE(GET, "304", "If-None-Match: *");
    CASE(PUT, "412", "If-Match: \"\"");
    CASE(GET, "proceed", "Range: bytes=0-1", "If-Range: \"\"");
}

TEST("RFC 9110 §13.1.3 If-Modified-Since counts for GET and HEAD, bad and future dates do not")
{
    const dx_http_validators *current = &tagged;
    CASE(GET, "304", "If-Modified-Since: " DAY0);
    CASE(HEAD, "304", "If-Modified-Since: " DAY1);
    CASE(GET, "304", "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT");
    CASE(GET, "proceed", "If-Modified-Since: " DAY_BEFORE);
    CASE(GET, "proceed", "If-Modified-Since: " FUTURE);
    CASE(GET, "proceed", "If-Modified-Since: yesterday");
    CASE(GET, "proceed", "If-Modified-Since: " DAY0, "If-Modified-Since: " DAY0);
    CASE(POST, "proceed", "If-Modified-Since: " DAY0);
}

TEST("RFC 9110 §13.1.4 If-Unmodified-Since is 412 if it was modified later")
{
    const dx_http_validators *current = &tagged;
    CASE(PUT, "proceed", "If-Unmodified-Since: " DAY0);
    CASE(PUT, "proceed", "If-Unmodified-Since: " DAY1);
    CASE(PUT, "412", "If-Unmodified-Since: " DAY_BEFORE);
    CASE(GET, "412", "If-Unmodified-Since: " DAY_BEFORE);
    CASE(PUT, "proceed", "If-Unmodified-Since: never");
}

TEST("RFC 9110 §13.2.2 tags go before dates, If-Match before If-None-Match")
{
    const dx_http_validators *current = &tagged;
    CASE(GET, "proceed", "If-None-Match: \"v2\"", "If-Modified-Since: " DAY1);
    CASE(GET, "304", "If-None-Match: \"v1\"", "If-Modified-Since: " DAY_BEFORE);
    CASE(PUT, "proceed", "If-Match: \"v1\"", "If-Unmodified-Since: " DAY_BEFORE);
    CASE(PUT, "412", "If-Match: \"v2\"", "If-Unmodified-Since: " DAY1);
    CASE(GET, "412", "If-Match: \"v2\"", "If-None-Match: \"v1\"");
    CASE(GET, "304", "If-Match: \"v1\"", "If-None-Match: \"v1\"");
    CASE(GET, "412", "If-Unmodified-Since: " DAY_BEFORE, "If-None-Match: \"v1\"");
}

TEST("RFC 9110 §13.2.1 CONNECT, OPTIONS and TRACE have no conditions")
{
    const dx_http_validators *current = &tagged;
    CASE(OPTIONS, "proceed", "If-Match: \"v2\"");
    CASE(TRACE, "proceed", "If-None-Match: *");
    CASE(CONNECT, "proceed", "If-None-Match: *");
}

TEST("RFC 9110 §13.1.5 and §14.2 a range is used with GET alone and if If-Range holds strongly")
{
    const dx_http_validators *current = &tagged;
    CASE(GET, "proceed+range", "Range: bytes=0-1");
    CASE(HEAD, "proceed", "Range: bytes=0-1");
    CASE(POST, "proceed", "Range: bytes=0-1");
    CASE(GET, "proceed", "Range: bytes=0-1", "Range: bytes=2-3");
    CASE(GET, "proceed+range", "Range: bytes=0-1", "If-Range: \"v1\"");
    CASE(GET, "proceed", "Range: bytes=0-1", "If-Range: W/\"v1\"");
    CASE(GET, "proceed", "Range: bytes=0-1", "If-Range: \"v2\"");
    CASE(GET, "proceed+range", "Range: bytes=0-1", "If-Range: " DAY0);
    CASE(GET, "proceed", "Range: bytes=0-1", "If-Range: " DAY1);
    CASE(GET, "proceed", "Range: bytes=0-1", "If-Range: x");
    CASE(GET, "proceed", "Range: bytes=0-1", "If-Range: \"v1\"", "If-Range: \"v1\"");
    CASE(GET, "proceed", "If-Range: \"v1\"");
    CASE(GET, "304", "Range: bytes=0-1", "If-None-Match: \"v1\"");
    dx_http_validators fresh = tagged;
    fresh.now = fresh.modified + 59;
    current = &fresh;
    CASE(GET, "proceed", "Range: bytes=0-1", "If-Range: " DAY0);
}

static void check_tag(const char *text, const char *want)
{
    char got[100] = "bad";
    dx_http_etag tag;

    if (dx_http_etag_read(dx_bytes_of(text), &tag))
        sprintf(got, "%s%.*s", tag.is_weak ? "weak " : "", DX_FORMAT(tag.opaque));
    CHECK_MEM(got, strlen(got), want, strlen(want));
}

TEST("RFC 9110 §8.8.3 an entity tag is quoted, and weak with W/ alone")
{
    check_tag("\"a\"", "a");
    check_tag("W/\"a\"", "weak a");
    check_tag("\"\"", "");
    check_tag("\"!#~\xe4,\"", "!#~\xe4,");
    check_tag("w/\"a\"", "bad");
    check_tag("W/ \"a\"", "bad");
    check_tag("W/", "bad");
    check_tag("a", "bad");
    check_tag("\"a", "bad");
    check_tag("\"", "bad");
    check_tag("\"a b\"", "bad");
    check_tag("\"a\x7f\"", "bad");
    check_tag("\"a\" ", "bad");
    check_tag("\"a\"b", "bad");
    check_tag("'a'", "bad");
    check_tag("", "bad");
}

TEST("RFC 9110 §8.8.3.2 strong and weak comparison")
{
    static const char *const tags[] = {"W/\"1\"", "W/\"2\"", "\"1\""};
    static const char *const want[] = {"weak", "no",   "weak", "no",  "weak",
                                       "no",   "weak", "no",   "both"};

    for (size_t i = 0; i < 9; i++) {
        dx_http_etag a, b;
        CHECK(dx_http_etag_read(dx_bytes_of(tags[i / 3]), &a));
        CHECK(dx_http_etag_read(dx_bytes_of(tags[i % 3]), &b));
        CHECK_INT(dx_http_etag_equal_weak(a, b), want[i][0] != 'n');
        CHECK_INT(dx_http_etag_equal_strong(a, b), want[i][0] == 'b');
    }
}

TEST("RFC 9110 §13.1.2 a list of tags is read with the commas inside of them")
{
    dx_http_etag tag = {DX_BYTES("a,b"), false};

    CHECK_INT(dx_http_etag_list_match(DX_BYTES("\"x\" ,, \"a,b\""), tag, true),
              DX_HTTP_ETAG_LIST_HIT);
    CHECK_INT(dx_http_etag_list_match(DX_BYTES("\"a\",\"b\""), tag, true), DX_HTTP_ETAG_LIST_MISS);
    CHECK_INT(dx_http_etag_list_match(DX_BYTES("W/\"a,b\""), tag, true), DX_HTTP_ETAG_LIST_MISS);
    CHECK_INT(dx_http_etag_list_match(DX_BYTES("W/\"a,b\","), tag, false), DX_HTTP_ETAG_LIST_HIT);
    CHECK_INT(dx_http_etag_list_match(DX_BYTES(" * "), tag, true), DX_HTTP_ETAG_LIST_ANY);
    CHECK_INT(dx_http_etag_list_match(DX_BYTES("*, \"a,b\""), tag, true), DX_HTTP_ETAG_LIST_BAD);
    CHECK_INT(dx_http_etag_list_match(DX_BYTES("\"a,b\", *"), tag, true), DX_HTTP_ETAG_LIST_BAD);
    CHECK_INT(dx_http_etag_list_match(DX_BYTES(","), tag, true), DX_HTTP_ETAG_LIST_BAD);
}
