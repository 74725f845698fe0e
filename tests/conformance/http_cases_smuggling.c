/* Http11Probe's suite "smuggling": 87 cases on where a message ends.
 * Is:     those cases by name, in requests of our own. Our policy is one: any doubt about framing
 *         is a 400 (501 for a coding we do not have), and the connection ends; nothing is guessed, so
 *         what hides behind the doubtful message is never served.
 * Source: case names of MDA2AV/Http11Probe; RFC 9112 §5-§7, RFC 9110 §5.6.1, §8.6.
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
#define TE "Transfer-Encoding: chunked\r\n"

/* A Content-Length as given, and what it would be the length of. */
#define LENGTH(value, body) POST "Content-Length:" value "\r\n\r\n" body
/* A Transfer-Encoding line as given, beside a Content-Length. */
#define CODED(line) POST line "\r\nContent-Length: 5\r\n\r\nhello"
/* A whole request inside what is, by one reading, the body of the one before. */
#define HIDDEN "0\r\n\r\n" GET "\r\n"
/* After the first answer, which must be the last, one more request. */
#define THEN_GET .pause = DX_PROBE_ANSWER, .rest = DX_PROBE_TEXT(GET "\r\n")

/* 005 and the like fit 1*DIGIT: read as decimal, or refused. */
#define ZEROS_OR_400 "2xx + / 400 !"

static const dx_probe_case cases[] = {
    /* Content-Length and Transfer-Encoding together. */
    POLICY("SMUG-CL-TE-BOTH", "9112 §6.3", "400 !",
           POST "Content-Length: {len}\r\n" TE "\r\nD\r\nhello-bananas\r\n0\r\n\r\n"),
    MUST("SMUG-CLTE-PIPELINE", "9112 §6.1", "400 !",
         POST "Content-Length: 4\r\n" TE "\r\n0\r\n\r\n"),
    MUST("SMUG-TECL-PIPELINE", "9112 §6.1", "400 !", POST TE "Content-Length: 30\r\n\r\n0\r\n\r\n"),
    MUST("SMUG-CLTE-CONN-CLOSE", "9112 §6.1", "400 !",
         POST "Content-Length: 5\r\n" TE "\r\n0\r\n\r\n", THEN_GET),
    MUST("SMUG-TECL-CONN-CLOSE", "9112 §6.1", "400 !", POST TE "Content-Length: 5\r\n\r\n0\r\n\r\n",
         THEN_GET),
    MUST("SMUG-CLTE-DESYNC", "9112 §6.1", "400 !", POST "Content-Length: 6\r\n" TE "\r\n0\r\n\r\nX",
         THEN_GET),
    MUST("SMUG-TECL-DESYNC", "9112 §6.1", "400 !", POST TE "Content-Length: 30\r\n\r\n0\r\n\r\nX",
         THEN_GET),
    MUST("SMUG-CLTE-SMUGGLED-GET", "9112 §6.1", "400 !",
         POST "Content-Length: {len}\r\n" TE "\r\n" HIDDEN),
    MUST("SMUG-CLTE-SMUGGLED-HEAD", "9112 §6.1", "400 !",
         POST "Content-Length: {len}\r\n" TE "\r\n0\r\n\r\nHEAD {get} HTTP/1.1\r\n" HOST "\r\n"),
    MUST("SMUG-CLTE-SMUGGLED-GET-CL-PLUS", "9112 §6.1", "400 !",
         POST "Content-Length: +{len}\r\n" TE "\r\n" HIDDEN),
    MUST("SMUG-CLTE-SMUGGLED-GET-CL-NON-NUMERIC", "9112 §6.1", "400 !",
         POST "Content-Length: {len}x\r\n" TE "\r\n" HIDDEN),
    MUST("SMUG-CLTE-SMUGGLED-GET-TE-OBS-FOLD", "9112 §5.2", "400 !",
         POST "Transfer-Encoding:\r\n chunked\r\nContent-Length: {len}\r\n\r\n" HIDDEN),
    MUST("SMUG-CLTE-SMUGGLED-GET-TE-TRAILING-SPACE", "9112 §6.1", "400 !",
         POST "Content-Length: {len}\r\nTransfer-Encoding: chunked \r\n\r\n" HIDDEN),
    MUST("SMUG-CLTE-SMUGGLED-GET-TE-LEADING-COMMA", "9112 §6.1", "400 !",
         POST "Content-Length: {len}\r\nTransfer-Encoding: , chunked\r\n\r\n" HIDDEN),
    MUST("SMUG-CLTE-SMUGGLED-GET-TE-CASE-MISMATCH", "9112 §6.1", "400 !",
         POST "Content-Length: {len}\r\nTransfer-Encoding: Chunked\r\n\r\n" HIDDEN),
    MUST("SMUG-TE-DUPLICATE-HEADERS-SMUGGLED-GET", "9112 §6.1", "400 !",
         POST TE "Transfer-Encoding: identity\r\nContent-Length: {len}\r\n\r\n" HIDDEN),
    /* By length the body is the chunk-size line alone, and the chunk's data the next request. */
    MUST("SMUG-TECL-SMUGGLED-GET", "9112 §6.1", "400 !",
         POST TE "Content-Length: 4\r\n\r\n3f\r\n" GET "Content-Length: 7\r\n\r\n\r\n0\r\n\r\n"),

    /* Content-Length alone. */
    MUST("SMUG-DUPLICATE-CL", "9110 §8.6", "400 !",
         LENGTH(" 5\r\nContent-Length: 10", "helloworld")),
    MUST("SMUG-DUPLICATE-CL-SMUGGLED-GET", "9110 §8.6", "400 !",
         LENGTH(" 4\r\nContent-Length: {len}", "PING" GET "\r\n")),
    SHOULD("SMUG-CL-LEADING-ZEROS", "9110 §8.6", ZEROS_OR_400, LENGTH(" 005", "hello")),
    SHOULD("SMUG-CL-DOUBLE-ZERO", "9110 §8.6", ZEROS_OR_400, LENGTH(" 00", ""),
           .stream = "2xx + / 400 ?"),
    SHOULD("SMUG-CL-LEADING-ZEROS-OCTAL", "9110 §8.6", ZEROS_OR_400, LENGTH(" 0200", "{*200:A}")),
    SHOULD("SMUG-CL-TRAILING-SPACE", "9110 §5.5", "2xx +", LENGTH(" 5 ", "hello"),
           .stored = "hello"),
    SHOULD("SMUG-CL-EXTRA-LEADING-SP", "9110 §5.5", "2xx +", LENGTH("  5", "hello"),
           .stored = "hello"),
    MUST("SMUG-CL-COMMA-DIFFERENT", "9110 §8.6", "400 !", LENGTH(" 5, 10", "hello")),
    POLICY("SMUG-CL-COMMA-SAME", "9110 §8.6", "400 !", LENGTH(" 5, 5", "hello")),
    POLICY("SMUG-CL-COMMA-TRIPLE", "9110 §8.6", "400 !", LENGTH(" 5, 5, 5", "hello")),
    MUST("SMUG-CL-NEGATIVE", "9110 §8.6", "400 !", LENGTH(" -1", "")),
    MUST("SMUG-CL-NEGATIVE-ZERO", "9110 §8.6", "400 !", LENGTH(" -0", "")),
    MUST("SMUG-CL-UNDERSCORE", "9110 §8.6", "400 !", LENGTH(" 1_0", "helloworld")),
    MUST("SMUG-CL-OCTAL", "9110 §8.6", "400 !", LENGTH(" 0o5", "hello")),
    MUST("SMUG-CL-HEX-PREFIX", "9110 §8.6", "400 !", LENGTH(" 0x5", "hello")),
    MUST("SMUG-CL-INTERNAL-SPACE", "9110 §8.6", "400 !", LENGTH(" 1 0", "helloworld")),

    /* Transfer-Encoding values. */
    MUST("SMUG-TE-XCHUNKED", "9112 §6.1", "400|501 !", CODED("Transfer-Encoding: xchunked")),
    MUST("SMUG-TE-TRAILING-SPACE", "9112 §6.1", "400|501 !", CODED("Transfer-Encoding: chunked ")),
    MUST("SMUG-TE-SP-BEFORE-COLON", "9112 §5.1", "400 !", CODED("Transfer-Encoding : chunked")),
    SHOULD("SMUG-TE-DOUBLE-CHUNKED", "9112 §6.1", "400 !",
           CODED("Transfer-Encoding: chunked, chunked")),
    SHOULD("SMUG-TE-CASE-MISMATCH", "9112 §6.1", "400 !", CODED("Transfer-Encoding: Chunked")),
    SHOULD("SMUG-TE-LEADING-COMMA", "9110 §5.6.1", "400 !", CODED("Transfer-Encoding: , chunked")),
    SHOULD("SMUG-TE-TRAILING-COMMA", "9110 §5.6.1", "400 !", CODED("Transfer-Encoding: chunked,")),
    MUST("SMUG-TE-NOT-FINAL-CHUNKED", "9112 §6.3", "400 !",
         POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    MUST("SMUG-TE-HTTP10", "9112 §6.1", "400 !",
         "POST {post} HTTP/1.0\r\n" HOST TE "Content-Length: 5\r\n\r\nhello"),
    MUST("SMUG-TE-EMPTY-VALUE", "9112 §6.1", "400 !", CODED("Transfer-Encoding: ")),
    MUST("SMUG-TE-DUPLICATE-HEADERS", "9112 §6.1", "400 !",
         CODED("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity")),
    MUST("SMUG-TE-IDENTITY", "9112 §7", "400|501 !", CODED("Transfer-Encoding: identity")),
    MUST("SMUG-TE-VTAB", "9112 §6.1", "400 !",
         CODED("Transfer-Encoding: \x0b"
               "chunked")),
    MUST("SMUG-TE-FORMFEED", "9112 §6.1", "400 !",
         CODED("Transfer-Encoding: \x0c"
               "chunked")),
    MUST("SMUG-TE-NULL", "9110 §5.5", "400 !", CODED("Transfer-Encoding: chunked\0")),
    MUST("SMUG-TE-OBS-FOLD", "9112 §5.2", "400 !", CODED("Transfer-Encoding:\r\n chunked")),
    POLICY("SMUG-TE-TAB-BEFORE-VALUE", "9110 §5.5", "400 !", CODED("Transfer-Encoding:\tchunked")),
    POLICY("SMUG-CHUNKED-WITH-PARAMS", "9112 §7", "400 !",
           CODED("Transfer-Encoding: chunked;name=value")),
    POLICY("SMUG-TRANSFER_ENCODING", "9112 §6.1", "2xx + / 400 !",
           CODED("Transfer_Encoding: chunked")),
    MUST("SMUG-OPTIONS-TE-OBS-FOLD", "9112 §5.2", "400 !",
         "OPTIONS {post} HTTP/1.1\r\n" HOST
         "Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\nhello",
         THEN_GET),

    /* Chunks. */
    MUST("SMUG-CHUNK-BARE-SEMICOLON", "9112 §7.1.1", "400 !", CHUNKED "5;\r\nhello\r\n0\r\n\r\n"),
    MUST("SMUG-CHUNK-EXT-INVALID-TOKEN", "9112 §7.1.1", "400 !",
         CHUNKED "5;x[=y\r\nhello\r\n0\r\n\r\n"),
    MUST("SMUG-CHUNK-EXT-CTRL", "9112 §7.1.1", "400 !", CHUNKED "5;\0name\r\nhello\r\n0\r\n\r\n"),
    MUST("SMUG-CHUNK-EXT-CR", "9112 §2.2", "400 !", CHUNKED "5;x\ry\r\nhello\r\n0\r\n\r\n"),
    MAY("SMUG-CHUNK-EXT-LF", "9112 §2.2", "400 !", CHUNKED "5;\nhello\r\n0\r\n\r\n"),
    MUST("SMUG-CHUNK-UNDERSCORE", "9112 §7.1", "400 !", CHUNKED "1_0\r\n{*16:x}\r\n0\r\n\r\n"),
    MUST("SMUG-CHUNK-HEX-PREFIX", "9112 §7.1", "400 !", CHUNKED "0x5\r\nhello\r\n0\r\n\r\n"),
    MUST("SMUG-CHUNK-SIZE-PLUS", "9112 §7.1", "400 !", CHUNKED "+5\r\nhello\r\n0\r\n\r\n"),
    MUST("SMUG-CHUNK-SIZE-TRAILING-OWS", "9112 §7.1", "400 !", CHUNKED "5 \r\nhello\r\n0\r\n\r\n"),
    MUST("SMUG-CHUNK-LEADING-SP", "9112 §7.1", "400 !", CHUNKED " 5\r\nhello\r\n0\r\n\r\n"),
    MUST("SMUG-CHUNK-NEGATIVE", "9112 §7.1", "400 !", CHUNKED "-1\r\nhello\r\n0\r\n\r\n"),
    MUST("SMUG-CHUNK-MISSING-TRAILING-CRLF", "9112 §7.1", "400 !", CHUNKED "5\r\nhello0\r\n\r\n"),
    MUST("SMUG-CHUNK-SPILL", "9112 §7.1", "400 !", CHUNKED "5\r\nhello!!\r\n0\r\n\r\n"),
    MAY("SMUG-CHUNK-LF-TERM", "9112 §2.2", "400 !", CHUNKED "5\r\nhello\n0\r\n\r\n"),
    MAY("SMUG-CHUNK-LF-TRAILER", "9112 §2.2", "400 !", CHUNKED "5\r\nhello\r\n0\r\n\n"),
    MUST("SMUG-CHUNK-BARE-CR-TERM", "9112 §2.2", "400 !", CHUNKED "5\rhello\r\n0\r\n\r\n"),
    MUST("SMUG-CHUNK-INVALID-SIZE-DESYNC", "9112 §7.1", "400 !", CHUNKED "+0\r\n\r\nX", THEN_GET),

    /* Trailers are read and dropped. */
    POLICY("SMUG-TRAILER-CL", "9110 §6.5.1", "2xx +",
           CHUNKED "5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n", .stored = "hello"),
    POLICY("SMUG-TRAILER-TE", "9110 §6.5.1", "2xx +",
           CHUNKED "5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", .stored = "hello"),
    POLICY("SMUG-TRAILER-HOST", "9110 §6.5.2", "2xx +",
           CHUNKED "5\r\nhello\r\n0\r\nHost: far.example\r\n\r\n", .stored = "hello"),
    POLICY("SMUG-TRAILER-AUTH", "9110 §6.5.1", "2xx +",
           CHUNKED "5\r\nhello\r\n0\r\nAuthorization: Bearer x\r\n\r\n", .stored = "hello"),
    POLICY("SMUG-TRAILER-CONTENT-TYPE", "9110 §6.5.1", "2xx +",
           CHUNKED "5\r\nhello\r\n0\r\nContent-Type: text/html\r\n\r\n", .stored = "hello"),

    /* Field values and routing. */
    MUST("SMUG-BARE-CR-HEADER-VALUE", "9112 §2.2", "400 !",
         POST "Content-Length: 5\r\nX-Bare: a\rb\r\n\r\nhello"),
    MUST("SMUG-MULTIPLE-HOST-COMMA", "9110 §7.2", "400 !",
         "GET {get} HTTP/1.1\r\nHost: {host}, other.example\r\n\r\n"),
    POLICY("SMUG-ABSOLUTE-URI-HOST-MISMATCH", "9112 §3.2.2", "2xx +",
           "GET http://other.example{get} HTTP/1.1\r\n" HOST "\r\n"),

    /* Bodies that the method has no use for, and what comes after them. */
    POLICY("SMUG-EXPECT-100-CL", "9110 §10.1.1", "100? 2xx +",
           POST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello", .stored = "hello"),
    POLICY("SMUG-HEAD-CL-BODY", "9110 §9.3.2", "2xx|4xx ?",
           "HEAD {get} HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", .heads = 1),
    POLICY("SMUG-OPTIONS-CL-BODY", "9110 §9.3.7", "2xx|4xx ?",
           "OPTIONS {post} HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"),
    POLICY("SMUG-PIPELINE-SAFE", "9112 §9.3", "2xx 2xx +", GET "\r\n", THEN_GET),
    POLICY("SMUG-CL0-BODY-POISON", "9112 §6.2", "2xx 400|501 ?", LENGTH(" 0", "X"), THEN_GET,
           .stream = "2xx|400 400|501 ? / 400 !"),
    POLICY("SMUG-GET-CL-BODY-DESYNC", "9110 §9.3.1", "2xx 2xx + / 2xx|4xx !",
           GET "Content-Length: 5\r\n\r\nhello", THEN_GET),
    POLICY("SMUG-OPTIONS-CL-BODY-DESYNC", "9110 §9.3.7", "2xx 2xx + / 2xx|4xx !",
           "OPTIONS {post} HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", THEN_GET),
    POLICY("SMUG-EXPECT-100-CL-DESYNC", "9110 §10.1.1", "100? 2xx 2xx +",
           POST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello", THEN_GET),
    /* The body is a request that lacks its end; the next bytes would be that end. */
    POLICY("SMUG-GET-CL-PREFIX-DESYNC", "9110 §9.3.1", "2xx 2xx + / 2xx|4xx !",
           GET "Content-Length: {len}\r\n\r\n" GET, .pause = DX_PROBE_ANSWER,
           .rest = DX_PROBE_TEXT("\r\n" GET "\r\n")),
};

const dx_probe_table dx_probe_smuggling = DX_PROBE_TABLE(cases);
