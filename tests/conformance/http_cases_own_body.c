/* Cases of our own: bodies, chunks, Expect, pipelines, connections, what errors carry.
 * Is:     what the public sets leave out and RFC 9110 or 9112 demands, or our policy promises.
 * Is not: lines, hosts, names (http_cases_own.c).
 * Source: RFC 9112 §6, §7, §9; RFC 9110 §8.6, §10.1.1, §15; RFC 9457 §3.
 * Memory: constant data.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/http_checks.h"

#define OWN(...) DX_PROBE_ROW(DX_PROBE_OWN, __VA_ARGS__)
#define GET DX_PROBE_GET
#define POST DX_PROBE_POST
#define CHUNKED DX_PROBE_CHUNKED
#define HOST "Host: {host}\r\n"
#define HELLO "Content-Length: 5\r\n\r\nhello"
#define LENGTH(value) POST "Content-Length: " value "\r\n\r\nhello"
#define CODED(lines) POST lines "\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
#define CHUNK(line) CHUNKED line "\r\nhello\r\n0\r\n\r\n"
#define TRAILER(line) CHUNKED "5\r\nhello\r\n0\r\n" line "\r\n\r\n"
#define EXPECTS "Expect: 100-continue\r\n"
#define THEN(text) .pause = DX_PROBE_ANSWER, .rest = DX_PROBE_TEXT(text)
#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BIG .flags = DX_PROBE_RST_OK
#define FINISH .flags = DX_PROBE_FINISH
#define STREAM .needs = DX_PROBE_STREAM

static const dx_probe_case cases[] = {
    /* Content-Length. */
    OWN("OWN-CL-SAME-TWICE", "9112 §6.3", "400 !",
        POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    OWN("OWN-CL-LIST-WITH-EMPTY", "9110 §8.6", "400 !", LENGTH("5,")),
    OWN("OWN-CL-DECIMAL-POINT", "9110 §8.6", "400 !", LENGTH("5.0")),
    OWN("OWN-CL-EXPONENT", "9110 §8.6", "400 !", LENGTH("5e0")),
    OWN("OWN-CL-QUOTED", "9110 §8.6", "400 !", LENGTH("\"5\"")),
    OWN("OWN-CL-NUL-AFTER", "9110 §5.5", "400 !", LENGTH("5\0")),
    OWN("OWN-CL-2-TO-63", "9110 §8.6", "400|413 !", LENGTH("9223372036854775808") GET "\r\n"),
    /* Both are 5 in a 64-bit or 32-bit integer that wraps. */
    OWN("OWN-CL-WRAPS-64", "9110 §8.6", "400|413 !", LENGTH("18446744073709551621") GET "\r\n"),
    OWN("OWN-CL-WRAPS-32", "9110 §8.6", "413 !", LENGTH("4294967301") GET "\r\n"),
    OWN("OWN-CL-PARTIAL-THEN-FIN", "9112 §8", "400|408 ! / !",
        POST "Content-Length: 10\r\n\r\nhello", FINISH),

    /* Transfer-Encoding. */
    OWN("OWN-TE-UPPER-CASE", "9112 §7", "2xx +", CODED("Transfer-Encoding: CHUNKED"),
        .stored = "hello"),
    OWN("OWN-TE-PADDED", "9112 §5", "2xx +", CODED("Transfer-Encoding: \t chunked \t"),
        .stored = "hello"),
    OWN("OWN-TE-TWICE-IN-LIST", "9112 §6.1", "400|501 !",
        CODED("Transfer-Encoding: chunked, chunked")),
    OWN("OWN-TE-TWICE-IN-LINES", "9112 §6.1", "400|501 !",
        CODED("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")),
    OWN("OWN-TE-GZIP-CHUNKED", "9112 §6.1", "501 !", CODED("Transfer-Encoding: gzip, chunked")),
    OWN("OWN-TE-UNKNOWN", "9112 §6.1", "501 !", CODED("Transfer-Encoding: xchunked")),
    OWN("OWN-TE-IDENTITY", "9112 §7", "400|501 !", CODED("Transfer-Encoding: identity")),
    OWN("OWN-TE-QUOTED", "9112 §7", "400|501 !", CODED("Transfer-Encoding: \"chunked\"")),
    OWN("OWN-TE-PARAMETER", "9112 §7.1", "400|501 !", CODED("Transfer-Encoding: chunked;a=b")),
    OWN("OWN-TE-EMPTY", "9112 §6.1", "400|501 !", CODED("Transfer-Encoding:")),
    OWN("OWN-TE-EMPTY-ELEMENTS", "9110 §5.6.1", "2xx + / 400|501 !",
        CODED("Transfer-Encoding: ,chunked,")),
    OWN("OWN-TE-HTTP10-ALONE", "9112 §6.1", "400 !",
        "POST {post} HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    OWN("OWN-TE-ON-GET", "9112 §6.3", "2xx +",
        GET "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    OWN("OWN-TE-ON-GET-BAD-CHUNK", "9112 §7.1", "400 ! / 2xx !",
        GET "Transfer-Encoding: chunked\r\n\r\nxyz\r\n" GET "\r\n"),

    /* Chunk-size lines. */
    OWN("OWN-CHUNK-SIZE-EMPTY", "9112 §7.1", "400 !", CHUNK("")),
    OWN("OWN-CHUNK-SIZE-ONLY-EXT", "9112 §7.1", "400 !", CHUNK(";a=b")),
    OWN("OWN-CHUNK-SIZE-TAB", "9112 §7.1", "400 !", CHUNK("5\t")),
    OWN("OWN-CHUNK-SIZE-TWO", "9112 §7.1", "400 !", CHUNK("5 5")),
    OWN("OWN-CHUNK-SIZE-COMMA", "9112 §7.1", "400 !", CHUNK("5,5")),
    OWN("OWN-CHUNK-SIZE-H", "9112 §7.1", "400 !", CHUNK("5h")),
    OWN("OWN-CHUNK-SIZE-NUL", "9112 §7.1", "400 !", CHUNK("5\0")),
    OWN("OWN-CHUNK-SIZE-LF", "9112 §2.2", "400 !", CHUNKED "5\nhello\r\n0\r\n\r\n"),
    OWN("OWN-CHUNK-SIZE-CR-CRLF", "9112 §2.2", "400 !", CHUNK("5\r")),
    OWN("OWN-CHUNK-SIZE-ZEROS", "9112 §7.1", "2xx + / 400 !", CHUNK("0000000000000005")),
    OWN("OWN-CHUNK-SIZE-MANY-ZEROS", "9112 §7.1", "2xx + / 400 !", CHUNK("{*300:0}5")),
    OWN("OWN-CHUNK-SIZE-WRAPS-64", "9112 §7.1", "400|413 !", CHUNK("10000000000000005") GET "\r\n"),
    OWN("OWN-CHUNK-SIZE-WRAPS-32", "9112 §7.1", "400|413 !", CHUNK("100000005") GET "\r\n"),
    OWN("OWN-CHUNK-SIZE-2-TO-63", "9112 §7.1", "400|413 !", CHUNK("8000000000000000") GET "\r\n"),
    OWN("OWN-CHUNK-LAST-00", "9112 §7.1", "2xx + / 400 !", CHUNKED "5\r\nhello\r\n00\r\n\r\n"),
    OWN("OWN-CHUNK-DATA-CR", "9112 §7.1", "400 !", CHUNKED "5\r\nhello\r0\r\n\r\n"),
    OWN("OWN-CHUNK-DATA-SHORT", "9112 §7.1", "400 !", CHUNKED "5\r\nhell\r\n0\r\n\r\n"),
    OWN("OWN-CHUNK-DATA-CRLF", "9112 §7.1", "2xx +", CHUNKED "4\r\n\r\n\r\n\r\n0\r\n\r\n",
        .stored = "\r\n\r\n"),
    OWN("OWN-CHUNK-PARTIAL-THEN-FIN", "9112 §8", "400|408 ! / !", CHUNKED "5\r\nhel", FINISH),

    /* Chunk extensions. */
    OWN("OWN-CHUNK-EXT-QUOTED", "9112 §7.1.1", "2xx +", CHUNK("5;a=\"b;c\\\"d\""),
        .stored = "hello"),
    OWN("OWN-CHUNK-EXT-SEVERAL", "9112 §7.1.1", "2xx +", CHUNK("5;a;b=c;d=\"e\""),
        .stored = "hello"),
    OWN("OWN-CHUNK-EXT-ON-LAST", "9112 §7.1.1", "2xx +", CHUNKED "5\r\nhello\r\n0;a=b\r\n\r\n",
        .stored = "hello"),
    OWN("OWN-CHUNK-EXT-BWS", "9112 §7.1.1", "2xx + / 400 !", CHUNK("5 ; a = b")),
    OWN("OWN-CHUNK-EXT-NO-VALUE", "9112 §7.1.1", "400 !", CHUNK("5;a=")),
    OWN("OWN-CHUNK-EXT-OPEN-QUOTE", "9112 §7.1.1", "400 !", CHUNK("5;a=\"b")),
    OWN("OWN-CHUNK-EXT-QUOTED-CR", "9112 §2.2", "400 !", CHUNK("5;a=\"b\rc\"")),
    OWN("OWN-CHUNK-EXT-QUOTED-LF", "9112 §2.2", "400 !", CHUNK("5;a=\"b\nc\"")),
    OWN("OWN-CHUNK-EXT-200", "9112 §7.1.1", "2xx +", CHUNK("5;a=" A50 A50 A50 A50),
        .stored = "hello"),
    OWN("OWN-CHUNK-EXT-300", "9112 §7.1.1", "400 !", CHUNK("5;a=" A50 A50 A50 A50 A50 A50)),
    OWN("OWN-CHUNK-OVERHEAD-SMALL", "9112 §7.1.1", "2xx +",
        CHUNKED "{*1000:1;a=b\r\nx\r\n}0\r\n\r\n"),
    OWN("OWN-CHUNK-OVERHEAD-FLOOD", "9112 §7.1.1", "400 !",
        CHUNKED "{*4000:1;a=" A50 "\r\nx\r\n}0\r\n\r\n", BIG),

    OWN("OWN-CHUNK-OVERHEAD-TINY", "9112 §7.1.1", "400 !", CHUNKED "{*40000:1\r\nx\r\n}0\r\n\r\n",
        BIG),

    /* Trailers obey the grammar of fields and have a limit. */
    OWN("OWN-TRAILER-SEVERAL", "9112 §7.1.2", "2xx +", TRAILER("X-A: one\r\nX-B: two"),
        .stored = "hello"),
    OWN("OWN-TRAILER-SP-BEFORE-COLON", "9112 §5.1", "400 !", TRAILER("X-A : one")),
    OWN("OWN-TRAILER-NO-COLON", "9112 §5", "400 !", TRAILER("X-A")),
    OWN("OWN-TRAILER-FOLD", "9112 §5.2", "400 !", TRAILER("X-A: one\r\n two")),
    OWN("OWN-TRAILER-NUL", "9110 §5.5", "400 !", TRAILER("X-A: a\0b")),
    OWN("OWN-TRAILER-BARE-CR", "9112 §2.2", "400 !", TRAILER("X-A: a\rb")),
    OWN("OWN-TRAILER-BARE-LF", "9112 §2.2", "400 !", TRAILER("X-A: a\nX-B: b")),
    OWN("OWN-TRAILER-FLOOD", "9112 §7.1.2", "400|431 !", TRAILER("{*2000:X-A: one\r\n}X-B: two")),
    OWN("OWN-TRAILER-HIDES-NOTHING", "9112 §7.1.2", "2xx 2xx +",
        CHUNKED "5\r\nhello\r\n0\r\nContent-Length: 100\r\nConnection: close\r\n\r\n" GET "\r\n"),

    /* Expect. */
    OWN("OWN-EXPECT-100-THEN-BODY", "9110 §10.1.1", "100 2xx +",
        POST EXPECTS "Content-Length: 5\r\n\r\n", THEN("hello"), .stored = "hello"),
    OWN("OWN-EXPECT-100-THEN-CHUNKS", "9110 §10.1.1", "100 2xx +",
        POST EXPECTS "Transfer-Encoding: chunked\r\n\r\n", THEN("5\r\nhello\r\n0\r\n\r\n"),
        .stored = "hello"),
    OWN("OWN-EXPECT-CASE", "9110 §10.1.1", "100 2xx +",
        POST "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n", THEN("hello")),
    OWN("OWN-EXPECT-NO-BODY", "9110 §10.1.1", "100? 2xx +",
        GET EXPECTS "Content-Length: 0\r\n\r\n"),
    OWN("OWN-EXPECT-WITH-UNKNOWN", "9110 §10.1.1", "417 ?",
        GET "Expect: 100-continue, such-and-such\r\n\r\n"),
    OWN("OWN-EXPECT-TOO-LARGE", "9110 §10.1.1", "413 !",
        POST EXPECTS "Content-Length: 999999999\r\n\r\n"),
    OWN("OWN-EXPECT-BAD-FRAMING", "9110 §10.1.1", "400 !",
        POST EXPECTS "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
    OWN("OWN-EXPECT-REFUSED", "9110 §10.1.1", "100? 405 ?",
        "POST {get} HTTP/1.1\r\n" HOST EXPECTS "Content-Length: 5\r\n\r\n", THEN("hello"), STREAM),

    /* Pipelines. */
    OWN("OWN-PIPELINE-16", "9112 §9.3.2", "2xx*16 +",
        "{*8:HEAD / HTTP/1.1\r\nHost: x\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n}",
        .needs = DX_PROBE_ECHO, .heads = 0x5555),
    OWN("OWN-PIPELINE-100", "9112 §9.3.2", "200*100 +",
        "{*100:GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n}"),
    OWN("OWN-PIPELINE-ORDER", "9112 §9.3.2", "200 404 200 405 200 +",
        GET "\r\nGET /no/such/thing HTTP/1.1\r\n" HOST "\r\n" GET
            "\r\nDELETE {get} HTTP/1.1\r\n" HOST "\r\nHEAD {get} HTTP/1.1\r\n" HOST "\r\n",
        STREAM, .heads = 1 << 4),
    OWN("OWN-PIPELINE-BODIES", "9112 §9.3.2", "2xx 2xx 2xx +",
        POST HELLO POST "Transfer-Encoding: chunked\r\n\r\n6\r\n world\r\n0\r\n\r\n" GET "\r\n",
        .stored = "hello world"),
    OWN("OWN-PIPELINE-FAULT-LAST", "9112 §9.3.2", "2xx 2xx 400 !",
        GET "\r\n" GET "\r\n" GET "X : one\r\n\r\n"),
    OWN("OWN-PIPELINE-AFTER-FAULT", "9112 §9.6", "400 !", GET "X : one\r\n\r\n" GET "\r\n"),
    OWN("OWN-PIPELINE-AFTER-BODY-FAULT", "9112 §9.6", "400 !",
        CHUNKED "5\r\nhelloX\r\n0\r\n\r\n" GET "\r\n"),
    OWN("OWN-PIPELINE-AFTER-CLOSE", "9112 §9.6", "2xx !",
        GET "Connection: close\r\n\r\n" GET "\r\n"),
    OWN("OWN-PIPELINE-AFTER-HTTP10", "9112 §9.3", "2xx !",
        "GET {get} HTTP/1.0\r\n" HOST "\r\n" GET "\r\n"),
    OWN("OWN-PIPELINE-CLOSE-WITH-BODY", "9112 §9.6", "2xx !",
        POST "Connection: close\r\n" HELLO GET "\r\n"),
    OWN("OWN-PIPELINE-CRLF-BETWEEN", "9112 §2.2", "2xx 2xx +", POST HELLO "\r\n" GET "\r\n"),

    /* Connections. */
    OWN("OWN-CONNECTION-CLOSE-SAID", "9112 §9.6", "2xx !", GET "Connection: close\r\n\r\n",
        .check = dx_probe_check_close),
    OWN("OWN-CONNECTION-CLOSE-IN-LIST", "9110 §7.6.1", "2xx !",
        GET "Connection: keep-alive, CLOSE\r\n\r\n"),
    OWN("OWN-CONNECTION-CLOSE-IN-SECOND-LINE", "9110 §7.6.1", "2xx !",
        GET "Connection: keep-alive\r\nConnection: close\r\n\r\n"),
    OWN("OWN-CONNECTION-CLOSED-IS-NOT-CLOSE", "9110 §7.6.1", "2xx +",
        GET "Connection: closed, x-close\r\n\r\n"),
    OWN("OWN-CONNECTION-HTTP10-KEEP-ALIVE", "9112 §9.3", "2xx ?",
        "GET {get} HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n"),
    OWN("OWN-CONNECTION-HALF-CLOSE", "9112 §9.6", "2xx !", GET "\r\n", FINISH),
    OWN("OWN-CONNECTION-HALF-CLOSE-PIPELINE", "9112 §9.6", "2xx 2xx !", GET "\r\n" GET "\r\n",
        FINISH),
    OWN("OWN-CONNECTION-FIN-ONLY", "9112 §9.6", "!", "", FINISH),
    OWN("OWN-CONNECTION-FIN-IN-HEAD", "9112 §8", "400|408 ! / !", "GET {get} HTTP/1.1\r\nHo",
        FINISH),
    OWN("OWN-UPGRADE-H2C-IGNORED", "9113 §3.1", "2xx +",
        GET
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"),

    /* A refusal must arrive, though the rest of the request is still on its way. */
    OWN("OWN-LINGER-413", "9112 §9.6", "413 !", POST "Content-Length: 999999999\r\n\r\n{*48000:x}"),
    OWN("OWN-LINGER-400", "9112 §9.6", "400 !", CHUNKED "nonsense\r\n{*48000:x}"),
    OWN("OWN-LINGER-431", "9112 §9.6", "431 !", GET "X-Big: {*48000:x}\r\n\r\n"),
    OWN("OWN-LINGER-CLOSE", "9112 §9.6", "2xx !", GET "Connection: close\r\n\r\n{*48000:x}"),
    OWN("OWN-BODY-CHUNKS-TOO-LARGE", "9110 §15.5.14", "400|413 !", CHUNKED "7FFFFFF\r\n{*1000:x}"),

    /* What errors carry. */
    OWN("OWN-ERROR-SAYS-CLOSE", "9112 §9.6", "400 !", GET "X : one\r\n\r\n",
        .check = dx_probe_check_close),
    OWN("OWN-ERROR-400-IS-PROBLEM", "9457 §3", "400 !", GET "X : one\r\n\r\n",
        .check = dx_probe_check_problem),
    OWN("OWN-ERROR-414-IS-PROBLEM", "9457 §3", "414 !", "GET /{*9000:a} HTTP/1.1\r\n" HOST "\r\n",
        .check = dx_probe_check_problem),
    OWN("OWN-ERROR-501-IS-PROBLEM", "9457 §3", "501 ?", "FOOBAR {get} HTTP/1.1\r\n" HOST "\r\n",
        .check = dx_probe_check_problem),
    OWN("OWN-ERROR-404-IS-PROBLEM", "9457 §3", "404 +",
        "GET /no/such/thing HTTP/1.1\r\n" HOST "\r\n", STREAM, .check = dx_probe_check_problem),
    OWN("OWN-ERROR-405-IS-PROBLEM", "9457 §3", "405 ?", "POST {get} HTTP/1.1\r\n" HOST HELLO,
        STREAM, .check = dx_probe_check_problem),
    OWN("OWN-ERROR-404-HEAD", "9110 §9.3.2", "404 +",
        "HEAD /no/such/thing HTTP/1.1\r\n" HOST "\r\n", STREAM, .heads = 1),
    OWN("OWN-405-ON-STREAM", "9110 §15.5.6", "405 ?", "PATCH {post} HTTP/1.1\r\n" HOST HELLO,
        STREAM, .check = dx_probe_check_allow_post),
};

const dx_probe_table dx_probe_own_body = DX_PROBE_TABLE(cases);
