/* Http11Probe's suite "compliance": 76 cases on the grammar and the duties of a server.
 * Is:     those cases by name, in requests of our own; where the RFC leaves a choice, our policy:
 *         400 and close for whatever is no HTTP, 414, 417, 501 and 505 where they say more.
 * Source: case names of MDA2AV/Http11Probe; RFC 9112, RFC 9110, RFC 6455 §4.
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
#define WEBSOCKET "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

/* A stream may refuse an empty message as such; the connection must live on. */
#define EMPTY_IS_REFUSED .stream = "2xx + / 400 ?"

static const dx_probe_case cases[] = {
    POLICY("COMP-BASELINE", "9112 §2.1", "2xx +", GET "\r\n"),

    /* Lines. */
    MAY("RFC9112-2.2-BARE-LF-REQUEST-LINE", "9112 §2.2", "400 !",
        "GET {get} HTTP/1.1\nHost: {host}\r\n\r\n"),
    MAY("RFC9112-2.2-BARE-LF-HEADER", "9112 §2.2", "400 !",
        "GET {get} HTTP/1.1\r\nHost: {host}\nX-Line: one\r\n\r\n"),
    MUST("RFC9112-3-CR-ONLY-LINE-ENDING", "9112 §2.2", "400 !",
         "GET {get} HTTP/1.1\rHost: {host}\r\n\r\n"),
    SHOULD("COMP-LEADING-CRLF", "9112 §2.2", "400 !", "\r\n\r\n" GET "\r\n"),
    MUST("COMP-WHITESPACE-BEFORE-HEADERS", "9112 §2.2", "400 !",
         "GET {get} HTTP/1.1\r\n \r\n" HOST "\r\n"),

    /* Fields. */
    MUST("RFC9112-5.1-OBS-FOLD", "9112 §5.2", "400 !", GET "X-Fold: one\r\n two\r\n\r\n"),
    MUST("RFC9110-5.6.2-SP-BEFORE-COLON", "9112 §5.1", "400 !", GET "X-Space : one\r\n\r\n"),
    MUST("RFC9112-5-EMPTY-HEADER-NAME", "9112 §5", "400 !", GET ": nameless\r\n\r\n"),
    MUST("RFC9112-5-INVALID-HEADER-NAME", "9112 §5", "400 !", GET "X[Bracket: one\r\n\r\n"),
    MUST("RFC9112-5-HEADER-NO-COLON", "9112 §5", "400 !", GET "X-No-Colon\r\n\r\n"),
    SHOULD("COMP-DUPLICATE-CT", "9110 §5.3", "2xx + / 400|415 ?",
           POST "Content-Type: text/html\r\nContent-Length: 5\r\n\r\nhello"),

    /* Request line. */
    SHOULD("RFC9112-3-MULTI-SP-REQUEST-LINE", "9112 §3", "400 !",
           "GET  {get} HTTP/1.1\r\n" HOST "\r\n"),
    SHOULD("COMP-REQUEST-LINE-TAB", "9112 §3", "400 !", "GET\t{get} HTTP/1.1\r\n" HOST "\r\n"),
    MUST("RFC9112-3-MISSING-TARGET", "9112 §3", "400 !", "GET HTTP/1.1\r\n" HOST "\r\n"),
    MUST("COMP-SPACE-IN-TARGET", "9112 §3.2", "400 !", "GET {get} more HTTP/1.1\r\n" HOST "\r\n"),
    SHOULD("RFC9112-3.2-FRAGMENT-IN-TARGET", "9112 §3.2", "400 !",
           "GET {get}#part HTTP/1.1\r\n" HOST "\r\n"),
    MUST("COMP-ASTERISK-WITH-GET", "9112 §3.2.4", "400 !", "GET * HTTP/1.1\r\n" HOST "\r\n"),
    MUST("COMP-OPTIONS-STAR", "9112 §3.2.4", "2xx +", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
    POLICY("COMP-ABSOLUTE-FORM", "9112 §3.2.2", "2xx +",
           "GET http://{host}{get} HTTP/1.1\r\n" HOST "\r\n"),
    SHOULD("COMP-LONG-URL-OK", "9112 §3", "2xx +", "GET {get}?{*7900:a} HTTP/1.1\r\n" HOST "\r\n"),

    /* Version. */
    SHOULD("RFC9112-2.3-INVALID-VERSION", "9112 §2.3", "505 !",
           "GET {get} HTTP/9.9\r\n" HOST "\r\n"),
    SHOULD("RFC9112-2.3-HTTP09-REQUEST", "9112 §2.3", "400 !", "GET {get}\r\n"),
    MUST("COMP-VERSION-MISSING-MINOR", "9112 §2.3", "400 !", "GET {get} HTTP/1\r\n" HOST "\r\n"),
    MUST("COMP-VERSION-LEADING-ZEROS", "9112 §2.3", "400 !",
         "GET {get} HTTP/01.01\r\n" HOST "\r\n"),
    MUST("COMP-VERSION-WHITESPACE", "9112 §2.3", "400 !", "GET {get} HTTP/ 1.1\r\n" HOST "\r\n"),
    MUST("COMP-VERSION-CASE", "9112 §2.3", "400 !", "GET {get} http/1.1\r\n" HOST "\r\n"),
    MAY("COMP-HTTP12-VERSION", "9112 §2.3", "2xx + / 505 !", "GET {get} HTTP/1.2\r\n" HOST "\r\n"),

    /* Host. */
    MUST("RFC9112-7.1-MISSING-HOST", "9112 §3.2", "400 !", "GET {get} HTTP/1.1\r\n\r\n"),
    MUST("RFC9110-5.4-DUPLICATE-HOST", "9112 §3.2", "400 !", GET "Host: other.example\r\n\r\n"),
    MUST("COMP-DUPLICATE-HOST-SAME", "9112 §3.2", "400 !", GET HOST "\r\n"),
    MUST("COMP-HOST-WITH-USERINFO", "9112 §3.2", "400 !",
         "GET {get} HTTP/1.1\r\nHost: me@{host}\r\n\r\n"),
    MUST("COMP-HOST-WITH-PATH", "9112 §3.2", "400 !",
         "GET {get} HTTP/1.1\r\nHost: {host}/x\r\n\r\n"),
    MUST("COMP-HOST-EMPTY-VALUE", "9112 §3.2", "400 !", "GET {get} HTTP/1.1\r\nHost: \r\n\r\n"),
    MAY("COMP-HTTP10-NO-HOST", "9112 §3.2", "2xx !", "GET {get} HTTP/1.0\r\n\r\n"),

    /* Methods. */
    POLICY("COMP-METHOD-CASE", "9110 §9.1", "501 ?", "get {get} HTTP/1.1\r\n" HOST "\r\n"),
    SHOULD("COMP-UNKNOWN-METHOD", "9110 §9.1", "501 ?", "FOOBAR {get} HTTP/1.1\r\n" HOST "\r\n"),
    SHOULD("COMP-METHOD-CONNECT", "9110 §9.3.6", "400|405|501 !",
           "CONNECT far.example:443 HTTP/1.1\r\nHost: far.example:443\r\n\r\n"),
    SHOULD("COMP-METHOD-TRACE", "9110 §9.3.8", "405|501 ?", "TRACE {get} HTTP/1.1\r\n" HOST "\r\n"),
    SHOULD("COMP-TRACE-WITH-BODY", "9110 §9.3.8", "400|405|501 ?",
           "TRACE {get} HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"),
    POLICY("COMP-TRACE-SENSITIVE", "9110 §9.3.8", "405|501 ?",
           "TRACE {get} HTTP/1.1\r\n" HOST "Authorization: Bearer secret-token\r\n\r\n",
           .check = dx_probe_check_no_secret),
    MUST("COMP-405-ALLOW", "9110 §15.5.6", "405 ?", "DELETE {get} HTTP/1.1\r\n" HOST "\r\n",
         .needs = DX_PROBE_STREAM, .check = dx_probe_check_allow_get),
    SHOULD("COMP-OPTIONS-ALLOW", "9110 §9.3.7", "2xx +", "OPTIONS {post} HTTP/1.1\r\n" HOST "\r\n",
           .needs = DX_PROBE_STREAM, .check = dx_probe_check_allow_post),
    MUST("COMP-HEAD-NO-BODY", "9110 §9.3.2", "2xx +", "HEAD {get} HTTP/1.1\r\n" HOST "\r\n",
         .heads = 1),

    /* Bodies by length. */
    MUST("RFC9112-6.1-CL-NON-NUMERIC", "9112 §6.3", "400 !", POST "Content-Length: abc\r\n\r\n"),
    MUST("RFC9112-6.1-CL-PLUS-SIGN", "9112 §6.3", "400 !", POST "Content-Length: +5\r\n\r\nhello"),
    MUST("COMP-POST-CL-BODY", "9112 §6.2", "2xx +", POST "Content-Length: 5\r\n\r\nhello",
         .stored = "hello"),
    MUST("COMP-POST-CL-ZERO", "9112 §6.2", "2xx +", POST "Content-Length: 0\r\n\r\n",
         EMPTY_IS_REFUSED),
    MUST("COMP-POST-NO-CL-NO-TE", "9112 §6.3", "2xx +", POST "\r\n", EMPTY_IS_REFUSED),
    MUST("COMP-POST-CL-UNDERSEND", "9112 §6.2", "2xx +", POST "Content-Length: 10\r\n\r\nhello",
         .pause = DX_PROBE_SILENCE, .rest = DX_PROBE_TEXT("world"), .stored = "helloworld"),
    MAY("COMP-GET-WITH-CL-BODY", "9110 §9.3.1", "2xx + / 400|413 !",
        GET "Content-Length: 5\r\n\r\nhello"),
    POLICY("COMP-POST-UNSUPPORTED-CT", "9110 §15.5.16", "2xx + / 415 ?",
           "POST {post} HTTP/1.1\r\n" HOST
           "Content-Type: application/x-nonsense\r\nContent-Length: 5\r\n\r\nhello"),
    MUST("COMP-RANGE-POST", "9110 §14.2", "200|201|202|204 +",
         POST "Range: bytes=0-10\r\nContent-Length: 5\r\n\r\nhello", .stored = "hello"),

    /* Chunks. */
    MUST("COMP-CHUNKED-BODY", "9112 §7.1", "2xx +", CHUNKED "5\r\nhello\r\n0\r\n\r\n",
         .stored = "hello"),
    MUST("COMP-CHUNKED-MULTI", "9112 §7.1", "2xx +",
         CHUNKED "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", .stored = "hello world"),
    MUST("COMP-CHUNKED-EMPTY", "9112 §7.1", "2xx +", CHUNKED "0\r\n\r\n", EMPTY_IS_REFUSED),
    MUST("COMP-CHUNKED-NO-FINAL", "9112 §7.1", "2xx +", CHUNKED "5\r\nhello\r\n",
         .pause = DX_PROBE_SILENCE, .rest = DX_PROBE_TEXT("0\r\n\r\n"), .stored = "hello"),
    MUST("COMP-CHUNKED-EXTENSION", "9112 §7.1.1", "2xx +",
         CHUNKED "5;name=value\r\nhello\r\n0\r\n\r\n", .stored = "hello"),
    MUST("COMP-CHUNKED-TRAILER-VALID", "9112 §7.1.2", "2xx +",
         CHUNKED "5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n", .stored = "hello"),
    MUST("COMP-CHUNKED-HEX-UPPERCASE", "9112 §7.1", "2xx +", CHUNKED "A\r\nhelloworld\r\n0\r\n\r\n",
         .stored = "helloworld"),
    MUST("COMP-UNKNOWN-TE-501", "9112 §6.1", "501 !", POST "Transfer-Encoding: gzip\r\n\r\n"),

    /* Upgrade. A plain answer, whichever it is, must be one that leaves no 101 behind. */
    MUST("COMP-UPGRADE-POST", "6455 §4.1", "2xx|4xx ?",
         POST "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" WEBSOCKET "\r\n"),
    MUST("COMP-UPGRADE-MISSING-CONN", "9110 §7.8", "2xx|4xx ?",
         "GET {post} HTTP/1.1\r\n" HOST "Sec-WebSocket-Version: 13\r\n" WEBSOCKET "\r\n"),
    MUST("COMP-UPGRADE-UNKNOWN", "9110 §7.8", "2xx +",
         GET "Connection: Upgrade\r\nUpgrade: no-such-protocol/7\r\n\r\n"),
    MUST("COMP-UPGRADE-INVALID-VER", "6455 §4.4", "426 ?",
         "GET {post} HTTP/1.1\r\n" HOST
         "Connection: Upgrade\r\nSec-WebSocket-Version: 99\r\n" WEBSOCKET "\r\n",
         .check = dx_probe_check_version),
    MUST("COMP-UPGRADE-HTTP10", "9110 §7.8", "2xx|400|404|426 !",
         "GET {post} HTTP/1.0\r\n" HOST
         "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" WEBSOCKET "\r\n"),

    /* Connections and Expect. */
    MUST("COMP-CONNECTION-CLOSE", "9112 §9.6", "2xx !", GET "Connection: close\r\n\r\n"),
    SHOULD("COMP-HTTP10-DEFAULT-CLOSE", "9112 §9.3", "2xx !", "GET {get} HTTP/1.0\r\n" HOST "\r\n"),
    MAY("COMP-EXPECT-UNKNOWN", "9110 §10.1.1", "417 ?", GET "Expect: 200-ok\r\n\r\n"),
    MUST("COMP-NO-1XX-HTTP10", "9110 §15.2", "2xx !",
         "POST {post} HTTP/1.0\r\n" HOST "Content-Type: text/plain\r\nExpect: 100-continue\r\n"
         "Content-Length: 5\r\n\r\nhello",
         .stored = "hello"),

    /* What answers carry. A 100 and a 204 must have no length: http_response sees to it. */
    MUST("COMP-DATE-HEADER", "9110 §6.6.1", "2xx +", GET "\r\n", .check = dx_probe_check_date),
    POLICY("COMP-DATE-FORMAT", "9110 §5.6.7", "2xx +", GET "\r\n", .check = dx_probe_check_date),
    SHOULD("COMP-CONTENT-TYPE", "9110 §8.3", "2xx +", GET "\r\n", .check = dx_probe_check_type),
    MUST("COMP-NO-CL-IN-204", "9110 §8.6", "100 2xx 2xx +",
         POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", .pause = DX_PROBE_ANSWER,
         .rest = DX_PROBE_TEXT("helloOPTIONS {post} HTTP/1.1\r\n" HOST "\r\n")),
    POLICY("COMP-RANGE-INVALID", "9110 §14.2", "200|416 +", GET "Range: bytes=x-y\r\n\r\n"),
    POLICY("COMP-ACCEPT-NONSENSE", "9110 §12.5.1", "2xx|406 +",
           GET "Accept: application/x-nonsense\r\n\r\n"),
};

const dx_probe_table dx_probe_compliance = DX_PROBE_TABLE(cases);
