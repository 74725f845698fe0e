/* HTTP/2, case by case: what a request may look like. One H2_CASE is one case,
        of h2spec or (H2-X) beyond it.
 * SPDX-License-Identifier: MIT */
#include "tests/tap.h"

#include "http/test_h2.h"

#define MALFORMED RESET(1, C(PROTOCOL_ERROR))
#define GET_HELLO ":method", "GET", ":scheme", "http", ":path", "/hello"
#define SEND(...) h2_headers(c, 1, ES | EH, __VA_ARGS__, NULL)
#define WITH(...) SEND(GET_HELLO, ":authority", "a", __VA_ARGS__)

static void post(h2 *c, const char *length)
{
    h2_headers(c, 1, EH, ":method", "POST", ":scheme", "http", ":path", "/echo", ":authority", "a",
               "content-length", length, NULL);
}

H2_CASE("§8.1 GET", ANSWERED(1, 200)) { h2_get(c, 1, "/hello"); }
H2_CASE("§8.1 HEAD", ANSWERED(1, 200)) { h2_request(c, 1, ES | EH, "HEAD", "/hello"); }
H2_CASE("§8.1 POST", ANSWERED(1, 200)) { post(c, "4"); h2_data(c, 1, ES, "body"); }
H2_CASE("§8.1 POST with trailers", ANSWERED(1, 200))
{
    post(c, "4");
    h2_data(c, 1, 0, "body");
    h2_headers(c, 1, ES | EH, "x-trailer", "t", NULL);
}
H2_CASE("§8.1 a second HEADERS that is not the end", MALFORMED)
{
    post(c, "4");
    h2_headers(c, 1, EH, "x-trailer", "t", NULL);
}
H2_CASE("§8.1 a pseudo-header field in trailers", MALFORMED)
{
    post(c, "4");
    h2_data(c, 1, 0, "body");
    h2_headers(c, 1, ES | EH, ":method", "GET", NULL);
}

/* ---- §8.2 fields -------------------------------------------------------------------------------------- */

H2_CASE("§8.2.1 a name in upper case", MALFORMED) { WITH("X-Upper", "1"); }
H2_CASE("H2-X §8.2.1 a name with a colon inside", MALFORMED) { WITH("x:y", "1"); }
H2_CASE("H2-X §8.2.1 a name with a blank", MALFORMED) { WITH("x y", "1"); }
H2_CASE("H2-X §8.2.1 a name with DEL", MALFORMED) { WITH("x\x7f", "1"); }
H2_CASE("H2-X §8.2.1 a name beyond ASCII", MALFORMED) { WITH("x\xc3\xa4", "1"); }
H2_CASE("H2-X §8.2.1 an empty name", MALFORMED) { WITH("", "1"); }
H2_CASE("H2-X §8.2.1 a value with CR (A18)", MALFORMED) { WITH("x", "a\rb"); }
H2_CASE("H2-X §8.2.1 a value with LF (A18)", MALFORMED) { WITH("x", "a\nb"); }
H2_CASE("H2-X §8.2.1 a value with NUL (A18)", MALFORMED)
{
    uint8_t block[128];
    size_t size = h2_block(block, 100, GET_HELLO, ":authority", "a", "x", "a?b", NULL);
    block[size - 2] = 0;
    h2_frame(c, NGHTTP2_HEADERS, ES | EH, 1, block, size);
}
H2_CASE("H2-X §8.2.1 a value with a blank at its beginning", MALFORMED) { WITH("x", " a"); }
H2_CASE("H2-X §8.2.1 a value with a tab at its end", MALFORMED) { WITH("x", "a\t"); }
H2_CASE("H2-X an empty value is good", ANSWERED(1, 200)) { WITH("x", ""); }
H2_CASE("H2-X a value beyond ASCII is good", ANSWERED(1, 200)) { WITH("x", "\xc3\xa4"); }
H2_CASE("§8.2.2 connection", MALFORMED) { WITH("connection", "keep-alive"); }
H2_CASE("§8.2.2 keep-alive", MALFORMED) { WITH("keep-alive", "timeout=5"); }
H2_CASE("§8.2.2 proxy-connection", MALFORMED) { WITH("proxy-connection", "keep-alive"); }
H2_CASE("§8.2.2 transfer-encoding", MALFORMED) { WITH("transfer-encoding", "chunked"); }
H2_CASE("§8.2.2 upgrade", MALFORMED) { WITH("upgrade", "websocket"); }
H2_CASE("§8.2.2 te other than trailers", MALFORMED) { WITH("te", "trailers, deflate"); }
H2_CASE("§8.2.2 te: trailers is good", ANSWERED(1, 200)) { WITH("te", "trailers"); }

/* ---- §8.3 pseudo-header fields -------------------------------------------------------------------------- */

H2_CASE("§8.3 one that is not known", MALFORMED) { SEND(GET_HELLO, ":authority", "a", ":test", "1"); }
H2_CASE("§8.3 one of responses", MALFORMED) { SEND(GET_HELLO, ":authority", "a", ":status", "200"); }
H2_CASE("§8.3 behind another field", MALFORMED)
{
    SEND(":method", "GET", ":scheme", "http", "x", "1", ":path", "/hello", ":authority", "a");
}
H2_CASE("§8.3.1 no :method", MALFORMED) { SEND(":scheme", "http", ":path", "/hello", ":authority", "a"); }
H2_CASE("§8.3.1 no :scheme", MALFORMED) { SEND(":method", "GET", ":path", "/hello", ":authority", "a"); }
H2_CASE("§8.3.1 no :path", MALFORMED) { SEND(":method", "GET", ":scheme", "http", ":authority", "a"); }
H2_CASE("§8.3.1 an empty :path", MALFORMED)
{
    SEND(":method", "GET", ":scheme", "http", ":path", "", ":authority", "a");
}
H2_CASE("§8.3.1 :method twice", MALFORMED) { SEND(GET_HELLO, ":method", "GET", ":authority", "a"); }
H2_CASE("§8.3.1 :scheme twice", MALFORMED) { SEND(GET_HELLO, ":scheme", "http", ":authority", "a"); }
H2_CASE("§8.3.1 :path twice", MALFORMED) { SEND(GET_HELLO, ":path", "/hello", ":authority", "a"); }
H2_CASE("H2-X §8.3.1 :authority twice", MALFORMED)
{
    SEND(GET_HELLO, ":authority", "a", ":authority", "a");
}
H2_CASE("H2-X §8.3.1 a :path without a slash", MALFORMED)
{
    SEND(":method", "GET", ":scheme", "http", ":path", "hello", ":authority", "a");
}
H2_CASE("H2-X §8.3.1 a :path with a blank (A18)", MALFORMED)
{
    SEND(":method", "GET", ":scheme", "http", ":path", "/hello HTTP/1.1", ":authority", "a");
}
H2_CASE("H2-X §8.3.1 a :path with a fragment", MALFORMED)
{
    SEND(":method", "GET", ":scheme", "http", ":path", "/hello#x", ":authority", "a");
}
H2_CASE("H2-X §8.3.1 * is for OPTIONS only", MALFORMED)
{
    SEND(":method", "GET", ":scheme", "http", ":path", "*", ":authority", "a");
}
H2_CASE("H2-X §8.3.1 OPTIONS *", ANSWERED(1, 204))
{
    SEND(":method", "OPTIONS", ":scheme", "http", ":path", "*", ":authority", "a");
}
H2_CASE("H2-X §8.3.1 :authority and Host differ", MALFORMED)
{
    SEND(GET_HELLO, ":authority", "a", "host", "b");
}
H2_CASE("H2-X §8.3.1 :authority and Host agree", ANSWERED(1, 200))
{
    SEND(GET_HELLO, ":authority", "a", "host", "A");
}
H2_CASE("H2-X §8.3.1 Host alone", ANSWERED(1, 200)) { SEND(GET_HELLO, "host", "a"); }
H2_CASE("H2-X §8.3.1 neither", RESET(1, C(PROTOCOL_ERROR))) { SEND(GET_HELLO); }
H2_CASE("H2-X §8.3.1 Host twice", RESET(1, C(PROTOCOL_ERROR)))
{
    SEND(GET_HELLO, "host", "a", "host", "a");
}
H2_CASE("H2-X §8.3.1 an :authority that names somebody", ANSWERED(1, 400))
{
    SEND(GET_HELLO, ":authority", "user@a");
}
H2_CASE("H2-X §8.3.1 a method that is no token", MALFORMED)
{
    SEND(":method", "G T", ":scheme", "http", ":path", "/hello", ":authority", "a");
}

/* ---- §8.1.1 content ---------------------------------------------------------------------------------------- */

H2_CASE("§8.1.1 content-length above the one DATA", MALFORMED) { post(c, "5"); h2_data(c, 1, ES,
        "body"); }
H2_CASE("§8.1.1 content-length below the one DATA", MALFORMED) { post(c, "1"); h2_data(c, 1, ES,
        "body"); }
H2_CASE("§8.1.1 content-length above the sum", MALFORMED)
{
    post(c, "9");
    h2_data(c, 1, 0, "body");
    h2_data(c, 1, ES, "body");
}
H2_CASE("H2-X §8.1.1 content-length and no content", MALFORMED)
{
    h2_headers(c, 1, ES | EH, ":method", "POST", ":scheme", "http", ":path", "/echo", ":authority", "a",
        "content-length", "4", NULL);
}
H2_CASE("H2-X content-length that is no number", MALFORMED) { post(c, "+4"); h2_data(c, 1, ES, "body"); }
H2_CASE("H2-X content-length twice", MALFORMED)
{
    h2_headers(c, 1, EH, ":method", "POST", ":scheme", "http", ":path", "/echo", ":authority", "a",
        "content-length", "4", "content-length", "4", NULL);
}

/* ---- §8.5 CONNECT,
        RFC 8441 ------------------------------------------------------------------------------- */

H2_CASE("H2-X §8.5 CONNECT with :scheme and :path", MALFORMED)
{
    SEND(":method", "CONNECT", ":scheme", "http", ":path", "/", ":authority", "a:80");
}
H2_CASE("H2-X §8.5 CONNECT without :authority", MALFORMED) { SEND(":method", "CONNECT"); }
H2_CASE("H2-X §8.5 CONNECT is not served", ANSWERED(1, 501))
{
    h2_headers(c, 1, EH, ":method", "CONNECT", ":authority", "a:80", NULL);
}
H2_CASE("H2-X RFC 8441 §4 :protocol on another method", MALFORMED)
{
    SEND(GET_HELLO, ":authority", "a", ":protocol", "websocket");
}
H2_CASE("H2-X RFC 8441 §4 :protocol without :path", MALFORMED)
{
    SEND(":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":authority", "a");
}
H2_CASE("H2-X RFC 8441 §4 :protocol without :authority", MALFORMED)
{
    SEND(":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "/ws");
}
H2_CASE("H2-X RFC 8441 §5 with Upgrade", MALFORMED)
{
    SEND(":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "/ws",
        ":authority", "a", "upgrade", "websocket");
}

/* ---- limits ------------------------------------------------------------------------------------------------- */

static char long_text[20000];

static const char *text_of(size_t size)
{
    memset(long_text, 'a', sizeof long_text);
    long_text[0] = '/';
    long_text[size] = '\0';
    return long_text;
}

H2_CASE("RFC 9110 §4.1 a :path of 8000 bytes is taken", ANSWERED(1, 404)) { h2_get(c, 1, text_of(8000)); }
H2_CASE("414 for a :path above 8 KiB", ANSWERED(1, 414)) { h2_get(c, 1, text_of(8193)); }
H2_CASE("431 for a field above what is taken", ANSWERED(1, 431))
{
    uint8_t block[40000];
    size_t size = h2_block(block, sizeof block, GET_HELLO, ":authority", "a", "x", text_of(16384), NULL);
    h2_frame(c, NGHTTP2_HEADERS, ES, 1, block, 16000);
    h2_frame(c, NGHTTP2_CONTINUATION, EH, 1, block + 16000, size - 16000);
}
H2_CASE("431 for more than 100 fields, also as crumbs of a cookie", ANSWERED(1, 431))
{
    uint8_t block[4096];
    size_t size = h2_block(block, 200, GET_HELLO, ":authority", "a", NULL);
    for (int i = 0; i < 101; i++) size += h2_block(block + size, 100, "cookie", "a=b", NULL);
    h2_frame(c, NGHTTP2_HEADERS, ES | EH, 1, block, size);
}
H2_CASE("100 fields are taken", ANSWERED(1, 200))
{
    uint8_t block[4096];
    size_t size = h2_block(block, 200, GET_HELLO, ":authority", "a", NULL);
    for (int i = 0; i < 100; i++) size += h2_block(block + size, 100, "x", "a=b", NULL);
    h2_frame(c, NGHTTP2_HEADERS, ES | EH, 1, block, size);
}
