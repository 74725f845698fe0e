/* Http11Probe's suites "malformed input", "normalization" and "cookies": 26 + 5 + 12 cases.
 * Is:     those cases by name, in requests of our own, with the limits we chose: 8 KiB request line
 *         (414), 16 KiB or 100 fields (431), 256 octets of chunk extension a line (400).
 * Source: case names of MDA2AV/Http11Probe; RFC 9112 §2-§7, RFC 9110 §5, RFC 6265.
 * Memory: constant data.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/http_checks.h"

#define MUST(...) DX_PROBE_ROW(DX_PROBE_MUST, __VA_ARGS__)
#define SHOULD(...) DX_PROBE_ROW(DX_PROBE_SHOULD, __VA_ARGS__)
#define MAY(...) DX_PROBE_ROW(DX_PROBE_MAY, __VA_ARGS__)
#define POLICY(...) DX_PROBE_ROW(DX_PROBE_POLICY, __VA_ARGS__)
#define GET DX_PROBE_GET
#define POST DX_PROBE_POST
#define CHUNKED DX_PROBE_CHUNKED
#define HOST "Host: {host}\r\n"
#define BIG .flags = DX_PROBE_RST_OK
#define ELEVEN "Content-Length: 11\r\n"

static const dx_probe_case cases[] = {
    SHOULD("MAL-BINARY-GARBAGE", "9112 §2.2", "400 !", "{noise:256}\r\n\r\n"),
    POLICY("MAL-WHITESPACE-ONLY-LINE", "9112 §2.2", "400 !", " \r\n\r\n"),
    POLICY("MAL-EMPTY-REQUEST", "9112 §2.2", "2xx +", "", .pause = DX_PROBE_SILENCE,
           .rest = DX_PROBE_TEXT(GET "\r\n")),
    POLICY("MAL-INCOMPLETE-REQUEST", "9112 §2.2", "2xx +", GET "X-Test: one",
           .pause = DX_PROBE_SILENCE, .rest = DX_PROBE_TEXT("\r\n\r\n")),
    POLICY("MAL-H2-PREFACE", "9113 §3.4", "400|505 !", "PRI * HTTP/2.0\r\n\r\nNO\r\n\r\n"),

    /* Too long. */
    SHOULD("MAL-LONG-URL", "9112 §3", "414 !", "GET {get}?{*100000:A} HTTP/1.1\r\n" HOST "\r\n",
           BIG),
    SHOULD("MAL-LONG-METHOD", "9112 §3", "400|414|431|501 !",
           "{*100000:A} {get} HTTP/1.1\r\n" HOST "\r\n", BIG),
    SHOULD("MAL-LONG-HEADER-NAME", "9110 §5.4", "431 !", GET "{*100000:A}: one\r\n\r\n", BIG),
    SHOULD("MAL-LONG-HEADER-VALUE", "9110 §5.4", "431 !", GET "X-Big: {*100000:B}\r\n\r\n", BIG),
    POLICY("MAL-MANY-HEADERS", "6585 §5", "431 !", GET "{*10000:X-Many: one\r\n}\r\n", BIG),
    POLICY("MAL-CHUNK-EXT-64K", "9112 §7.1.1", "400 !",
           CHUNKED "5;x={*65536:a}\r\nhello\r\n0\r\n\r\n", BIG),
    POLICY("MAL-RANGE-OVERLAPPING", "9110 §14.2", "200 +", GET "Range: bytes={*999:0-,}0-\r\n\r\n"),

    /* Octets that have no place. */
    MUST("MAL-NUL-IN-URL", "9112 §2.2", "400 !", "GET {get}\0x HTTP/1.1\r\n" HOST "\r\n"),
    MUST("MAL-NON-ASCII-URL", "9112 §3", "400 !", "GET {get}\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n"),
    MUST("MAL-URL-OVERLONG-UTF8", "3629 §3", "400 !", "GET {get}\xc0\xaf HTTP/1.1\r\n" HOST "\r\n"),
    POLICY("MAL-URL-BACKSLASH", "9112 §3.2", "400 ! / 2xx|404 ?",
           "GET {get}\\x HTTP/1.1\r\n" HOST "\r\n"),
    POLICY("MAL-URL-PERCENT-NULL", "9110 §5.5", "400|404|2xx ?",
           "GET {get}%00.html HTTP/1.1\r\n" HOST "\r\n"),
    POLICY("MAL-URL-PERCENT-CRLF", "9110 §5.5", "400|404|2xx ?",
           "GET {get}%0d%0aX-Injected:%20yes HTTP/1.1\r\n" HOST "\r\n"),
    MUST("MAL-NON-ASCII-HEADER-NAME", "9112 §5", "400 !", GET "X-N\xc3\xab: one\r\n\r\n"),
    MUST("MAL-NUL-IN-HEADER-VALUE", "9110 §5.5", "400 !", GET "X-Nul: a\0z\r\n\r\n"),
    MUST("MAL-CONTROL-CHARS-HEADER", "9110 §5.5", "400 !", GET "X-Ctl: a\x07\x08\x0bz\r\n\r\n"),

    /* Lengths. */
    MUST("MAL-CL-EMPTY", "9110 §8.6", "400 !", POST "Content-Length: \r\n\r\n"),
    MAY("MAL-CL-TAB-BEFORE-VALUE", "9110 §5.6.3", "2xx +", POST "Content-Length:\t5\r\n\r\nhello",
        .stored = "hello"),
    MUST("MAL-CL-OVERFLOW", "9110 §8.6", "400 !",
         POST "Content-Length: 99999999999999999999\r\n\r\n"),
    MUST("MAL-CHUNK-SIZE-OVERFLOW", "9112 §7.1", "400|413 !",
         CHUNKED "FFFFFFFFFFFFFFFF0\r\nhello\r\n0\r\n\r\n"),
    MUST("MAL-POST-CL-HUGE-NO-BODY", "9112 §6.2", "413 !",
         POST "Content-Length: 999999999\r\n\r\n"),

    /* Names that some make the same as others. */
    POLICY("NORM-UNDERSCORE-CL", "9112 §5", "2xx + / 400 !",
           POST ELEVEN "Content_Length: 99\r\n\r\nhello world"),
    POLICY("NORM-UNDERSCORE-TE", "9112 §5", "2xx + / 400 !",
           POST ELEVEN "Transfer_Encoding: chunked\r\n\r\nhello world"),
    MUST("NORM-SP-BEFORE-COLON-CL", "9112 §5.1", "400 !",
         POST ELEVEN "Content-Length : 5\r\n\r\nhello world"),
    MUST("NORM-TAB-IN-NAME", "9112 §5", "400 !",
         POST ELEVEN "Content\tLength: 99\r\n\r\nhello world"),
    POLICY("NORM-CASE-TE", "9112 §6.1", "400 !",
           POST ELEVEN "TRANSFER-ENCODING: chunked\r\n\r\nhello world"),

    /* Cookies are fields like others: what the grammar allows is let through unseen. */
    POLICY("COOK-ECHO", "6265 §5.4", "2xx +", GET "Cookie: foo=bar\r\n\r\n"),
    POLICY("COOK-OVERSIZED", "6265 §6.1", "431 !", GET "Cookie: big={*65536:A}\r\n\r\n", BIG),
    POLICY("COOK-EMPTY", "6265 §4.2", "2xx +", GET "Cookie: \r\n\r\n"),
    POLICY("COOK-NUL", "9110 §5.5", "400 !", GET "Cookie: foo=\0bar\r\n\r\n"),
    POLICY("COOK-CONTROL-CHARS", "6265 §4.1.1", "400 !", GET "Cookie: foo=\1\2\3\r\n\r\n"),
    POLICY("COOK-MANY-PAIRS", "6265 §6.1", "2xx +", GET "Cookie: {*999:key=v; }key=v\r\n\r\n"),
    POLICY("COOK-MALFORMED", "6265 §4.1.1", "2xx +", GET "Cookie: ===;;;\r\n\r\n"),
    POLICY("COOK-MULTI-HEADER", "6265 §5.4", "2xx +", GET "Cookie: a=1\r\nCookie: b=2\r\n\r\n"),
    POLICY("COOK-PARSED-BASIC", "6265 §4.1.1", "2xx +", GET "Cookie: a=b\r\n\r\n"),
    POLICY("COOK-PARSED-MULTI", "6265 §4.2.1", "2xx +", GET "Cookie: a=1; b=2; c=3\r\n\r\n"),
    POLICY("COOK-PARSED-EMPTY-VAL", "6265 §4.1.1", "2xx +", GET "Cookie: a=\r\n\r\n"),
    POLICY("COOK-PARSED-SPECIAL", "6265 §4.1.1", "2xx +", GET "Cookie: a=b c; d=e=f\r\n\r\n"),
};

const dx_probe_table dx_probe_malformed = DX_PROBE_TABLE(cases);
